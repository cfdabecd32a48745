/* SPDX-License-Identifier: MIT */
#include "tests/sim/disk.h"

#include <assert.h>
#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

#include "coordinator/truth/ledger.h"
#include "tests/sim/sched.h"
#include "tests/sim/world.h"

enum { OPEN_MAX = 16 };

/* A file of ours: SQLite sees this, and the real one follows it in memory. */
struct broken_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs own, *below;
static sqlite3_io_methods methods;
static bool is_breaking;
static enum disk_fault fault;
static unsigned skips;
static uint64_t errors;
static bool kills, kills_before;
static sqlite3 *open_db[OPEN_MAX];

int __real_ledger_commit(struct ledger *ledger);
int __real_sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs);
int __real_sqlite3_close(sqlite3 *db);
int __wrap_ledger_commit(struct ledger *ledger);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs);
int __wrap_sqlite3_close(sqlite3 *db);

/* --- a disk that refuses --- */

static sqlite3_file *real_of(sqlite3_file *file)
{
    struct broken_file *f = (struct broken_file *)(void *)file;
    return f->real;
}

static int refuses(int code)
{
    if (!is_breaking || sim_current() == NULL || sim_current_part() != world.coordinator) {
        return SQLITE_OK;
    }
    if (skips > 0) {
        skips--;
        return SQLITE_OK;
    }
    errors++;
    return fault == DISK_FULL ? SQLITE_FULL : code;
}

static int on_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int on_read(sqlite3_file *f, void *to, int size, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), to, size, at);
}

static int on_write(sqlite3_file *f, const void *from, int size, sqlite3_int64 at)
{
    int rc = refuses(SQLITE_IOERR_WRITE);
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xWrite(real_of(f), from, size, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
    int rc = refuses(SQLITE_IOERR_FSYNC);
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), out);
}

static int on_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int on_check(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int on_features(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int on_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *f, int at, int count, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, count, flags);
}

static void on_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int on_unmap(sqlite3_file *f, int deletes)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), deletes);
}

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    struct broken_file *f = (struct broken_file *)(void *)file;
    (void)vfs;
    f->real = (sqlite3_file *)(void *)(f + 1);
    f->base.pMethods = NULL;
    int rc = below->xOpen(below, path, f->real, flags, out);
    if (rc == SQLITE_OK) {
        f->base.pMethods = &methods;
    }
    return rc;
}

void disk_install(void)
{
    below = sqlite3_vfs_find(NULL);
    assert(below != NULL);
    methods = (sqlite3_io_methods){.iVersion = 2,
                                   .xClose = on_close,
                                   .xRead = on_read,
                                   .xWrite = on_write,
                                   .xTruncate = on_truncate,
                                   .xSync = on_sync,
                                   .xFileSize = on_size,
                                   .xLock = on_lock,
                                   .xUnlock = on_unlock,
                                   .xCheckReservedLock = on_check,
                                   .xFileControl = on_control,
                                   .xSectorSize = on_sector,
                                   .xDeviceCharacteristics = on_features,
                                   .xShmMap = on_map,
                                   .xShmLock = on_shm_lock,
                                   .xShmBarrier = on_barrier,
                                   .xShmUnmap = on_unmap};
    own = *below;
    own.zName = "world";
    own.szOsFile = (int)sizeof(struct broken_file) + below->szOsFile;
    own.xOpen = on_open;
    int rc = sqlite3_vfs_register(&own, 1);
    assert(rc == SQLITE_OK);
}

void disk_break(enum disk_fault which, unsigned skip)
{
    is_breaking = true;
    fault = which;
    skips = skip;
}

void disk_mend(void)
{
    is_breaking = false;
}

uint64_t disk_errors(void)
{
    return errors;
}

/* --- death at a commit --- */

void disk_kill_at_commit(bool is_before)
{
    kills = true;
    kills_before = is_before;
}

void disk_forget_kill(void)
{
    kills = false;
}

int __wrap_ledger_commit(struct ledger *ledger)
{
    bool dies = kills && sim_current_part() == world.coordinator;
    kills = kills && !dies;
    if (dies && kills_before) {
        sim_kill(world.coordinator);
    }
    int rc = __real_ledger_commit(ledger);
    if (dies) {
        sim_kill(world.coordinator);
    }
    return rc;
}

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs)
{
    int rc = __real_sqlite3_open_v2(path, out, flags, vfs);
    for (size_t i = 0; rc == SQLITE_OK && i < OPEN_MAX && sim_current() != NULL; i++) {
        if (open_db[i] == NULL) {
            open_db[i] = *out;
            break;
        }
    }
    return rc;
}

int __wrap_sqlite3_close(sqlite3 *db)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        open_db[i] = open_db[i] == db ? NULL : open_db[i];
    }
    return __real_sqlite3_close(db);
}

void disk_part_died(void)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        sqlite3_stmt *s;
        while (open_db[i] != NULL && (s = sqlite3_next_stmt(open_db[i], NULL)) != NULL) {
            (void)sqlite3_finalize(s);
        }
        (void)__real_sqlite3_close(open_db[i]);
        open_db[i] = NULL;
    }
}
