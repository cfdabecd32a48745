/* SPDX-License-Identifier: MIT */
#include "common/confine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rights of Landlock's first version, which every later one has; and what later ones add. */
static const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t first_rights =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;
static const uint64_t write_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                                     LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                     LANDLOCK_ACCESS_FS_MAKE_REG;
static const uint64_t truncate_right = UINT64_C(1) << 14; /* version 3; not in older headers */

enum { LANDLOCK_KNOWS_TRUNCATE = 3 };

/* Of a file, only these can be granted; the rest is about what a directory holds. */
static const uint64_t rights_of_files =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE;

static int grant(int rules_fd, const struct confine_path *granted, uint64_t handled,
                 char why[CONFINE_WHY_BYTES])
{
    int fd = open(granted->path, O_PATH | O_CLOEXEC);
    struct stat st;
    if (fd < 0) {
        return 0; /* not there, or out of reach already */
    }
    int rc = fstat(fd, &st) < 0 ? -errno : 0;
    uint64_t rights = granted->may_write ? write_rights | truncate_right : read_rights;
    rights &= S_ISDIR(st.st_mode) ? handled : handled & (rights_of_files | truncate_right);
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    if (rc == 0 &&
        syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) {
        rc = -errno;
    }
    (void)close(fd); /* opened as a name only */
    if (rc < 0) {
        (void)snprintf(why, CONFINE_WHY_BYTES, "cannot fence off files except %.120s: %s",
                       granted->path, strerror(-rc));
    }
    return rc;
}

int confine_files(const struct confine_path *paths, size_t count, char why[CONFINE_WHY_BYTES])
{
    assert(count <= CONFINE_PATHS_MAX);
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) {
        (void)snprintf(why, CONFINE_WHY_BYTES, "this kernel has no Landlock");
        return -ENOTSUP;
    }
    uint64_t handled = first_rights;
    handled |= version >= LANDLOCK_KNOWS_TRUNCATE ? truncate_right : 0;
    /* The first field alone: later headers have more, of which nothing is asked. */
    struct landlock_ruleset_attr rules = {.handled_access_fs = handled};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules.handled_access_fs), 0);
    int rc = fd < 0 ? -errno : 0;
    if (rc < 0) {
        (void)snprintf(why, CONFINE_WHY_BYTES, "cannot fence off files: %s", strerror(-rc));
        return rc;
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = grant(fd, &paths[i], handled, why);
    }
    if (rc == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                    syscall(SYS_landlock_restrict_self, fd, 0) < 0)) {
        rc = -errno;
        (void)snprintf(why, CONFINE_WHY_BYTES, "cannot fence off files: %s", strerror(-rc));
    }
    (void)close(fd);
    return rc;
}
