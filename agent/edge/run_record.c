/* SPDX-License-Identifier: MIT */
#include "agent/edge/run_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/plan_seal.h"

enum {
    RUN_ID_TEXT = 2 * PLAN_RUN_ID_BYTES,
    HASH_TEXT = 2 * PLAN_HASH_BYTES,
    SUM_BYTES = 16,
    SUM_TEXT = 2 * SUM_BYTES,
    LINE_BYTES = 192,
    FILE_BYTES_MAX = (RUN_RECORD_MAX + 4) * LINE_BYTES
};

static const char file_name[] = "runs";
static const char new_name[] = "runs.new";
static const char heading[] = "leaseherd-runs 1";

/* Only forward. */
enum run_state { RUN_OPEN, RUN_BEGUN, RUN_CLOSED };
static const char *const state_names[] = {"open", "begun", "closed"};

struct entry {
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    uint8_t plan_hash[PLAN_HASH_BYTES];
    uint64_t not_after_s;
    enum run_state state;
};

struct run_record {
    int dir_fd;
    char path[PATH_MAX]; /* for sentences */
    uint64_t floor_s;    /* the latest end of validity that was forgotten */
    size_t count;
    struct entry entry[RUN_RECORD_MAX];
    char text[FILE_BYTES_MAX]; /* scratch */
};

/* --- reading --- */

static bool take_hex(char **line, size_t digits, uint8_t *out)
{
    size_t got = 0;
    const char *word = strsep(line, " ");
    return word != NULL && strlen(word) == digits &&
           sodium_hex2bin(out, digits / 2, word, digits, NULL, &got, NULL) == 0 &&
           got == digits / 2;
}

static bool take_number(char **line, uint64_t *out)
{
    const char *word = strsep(line, " ");
    char *end = NULL;
    if (word == NULL || word[0] < '0' || word[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(word, &end, 10);
    *out = number;
    return errno == 0 && *end == '\0';
}

static bool take_word(char **line, const char *wanted)
{
    const char *word = strsep(line, " ");
    return word != NULL && strcmp(word, wanted) == 0;
}

static bool take_entry(char *line, struct entry *e)
{
    if (!take_word(&line, "run") || !take_hex(&line, RUN_ID_TEXT, e->run_id) ||
        !take_hex(&line, HASH_TEXT, e->plan_hash) || !take_number(&line, &e->not_after_s) ||
        line == NULL) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(state_names); i++) {
        if (strcmp(line, state_names[i]) == 0) {
            e->state = (enum run_state)i;
            return true;
        }
    }
    return false;
}

static void sum_of(const char *text, size_t size, char out[SUM_TEXT + 1])
{
    uint8_t sum[SUM_BYTES];
    (void)crypto_generichash(sum, sizeof(sum), (const uint8_t *)text, size, NULL, 0);
    (void)sodium_bin2hex(out, SUM_TEXT + 1, sum, sizeof(sum));
}

/* The last line is the sum of all before it. */
static bool sum_is_right(char *text, size_t size)
{
    char sum[SUM_TEXT + 1], line[SUM_TEXT + 8];
    size_t line_size = sizeof("sum \n") - 1 + SUM_TEXT;
    if (size < line_size || strlen(text) != size) {
        return false;
    }
    sum_of(text, size - line_size, sum);
    (void)snprintf(line, sizeof(line), "sum %s\n", sum);
    if (strcmp(text + size - line_size, line) != 0) {
        return false;
    }
    text[size - line_size] = '\0';
    return true;
}

static bool parse(struct run_record *r, size_t size)
{
    char *rest = r->text;
    if (!sum_is_right(r->text, size)) {
        return false;
    }
    char *line = strsep(&rest, "\n");
    if (line == NULL || strcmp(line, heading) != 0) {
        return false;
    }
    line = strsep(&rest, "\n");
    if (line == NULL || !take_word(&line, "floor") || !take_number(&line, &r->floor_s)) {
        return false;
    }
    while (rest != NULL && *rest != '\0') {
        line = strsep(&rest, "\n");
        if (r->count == RUN_RECORD_MAX || !take_entry(line, &r->entry[r->count])) {
            return false;
        }
        r->count++;
    }
    return true;
}

/* 0, -ENOENT, or -errno. */
static int read_text(struct run_record *r, size_t *out_size)
{
    int fd = openat(r->dir_fd, file_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    struct stat st;
    size_t size = 0;
    ssize_t got = 1;
    int rc = fstat(fd, &st) < 0 ? -errno : 0;
    if (rc == 0 && (!S_ISREG(st.st_mode) || st.st_size >= FILE_BYTES_MAX)) {
        rc = -EBADMSG;
    }
    while (rc == 0 && got > 0 && size < FILE_BYTES_MAX - 1) {
        got = read(fd, r->text + size, FILE_BYTES_MAX - 1 - size);
        rc = got < 0 && errno != EINTR ? -errno : 0;
        size += got > 0 ? (size_t)got : 0;
        got = got < 0 ? 1 : got;
    }
    (void)close(fd); /* only read from */
    r->text[size] = '\0';
    *out_size = size;
    return rc;
}

static int read_record(struct run_record *r, char why[RUN_RECORD_WHY_BYTES])
{
    size_t size = 0;
    int rc = read_text(r, &size);
    if (rc == -ENOENT) {
        return 0; /* nothing was played yet */
    }
    if (rc == 0 && !parse(r, size)) {
        rc = -EBADMSG;
    }
    if (rc == -EBADMSG) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES,
                       "%.200s, the record of the plans played here, is damaged: without it they "
                       "could be played again; remove it once the last of them has expired",
                       r->path);
    } else if (rc < 0) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES, "cannot read %.200s: %s", r->path, strerror(-rc));
    }
    return rc;
}

int run_record_load(const char *state_dir, struct run_record **out, char why[RUN_RECORD_WHY_BYTES])
{
    struct run_record *r = calloc(1, sizeof(*r));
    if (r == NULL || sodium_init() < 0) {
        free(r);
        (void)snprintf(why, RUN_RECORD_WHY_BYTES, "out of memory");
        return -ENOMEM;
    }
    (void)snprintf(r->path, sizeof(r->path), "%s/%s", state_dir, file_name);
    r->dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = r->dir_fd < 0 ? -errno : 0;
    if (rc < 0) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES, "cannot use the state directory %.200s: %s",
                       state_dir, strerror(-rc));
    } else {
        rc = read_record(r, why);
    }
    if (rc < 0) {
        run_record_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

void run_record_free(struct run_record *record)
{
    if (record == NULL) {
        return;
    }
    if (record->dir_fd >= 0) {
        (void)close(record->dir_fd);
    }
    free(record);
}

/* --- writing --- */

static size_t print(struct run_record *r)
{
    char id[RUN_ID_TEXT + 1], hash[HASH_TEXT + 1], sum[SUM_TEXT + 1];
    size_t at =
        (size_t)snprintf(r->text, sizeof(r->text), "%s\nfloor %" PRIu64 "\n", heading, r->floor_s);
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *e = &r->entry[i];
        (void)sodium_bin2hex(id, sizeof(id), e->run_id, sizeof(e->run_id));
        (void)sodium_bin2hex(hash, sizeof(hash), e->plan_hash, sizeof(e->plan_hash));
        at += (size_t)snprintf(r->text + at, sizeof(r->text) - at, "run %s %s %" PRIu64 " %s\n", id,
                               hash, e->not_after_s, state_names[e->state]);
    }
    sum_of(r->text, at, sum);
    at += (size_t)snprintf(r->text + at, sizeof(r->text) - at, "sum %s\n", sum);
    return at;
}

static int write_and_sync(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno != EINTR) {
            return -errno;
        }
        text += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int save(struct run_record *r, char why[RUN_RECORD_WHY_BYTES])
{
    size_t size = print(r);
    int fd =
        openat(r->dir_fd, new_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : write_and_sync(fd, r->text, size);
    if (fd >= 0 && close(fd) < 0 && rc == 0) {
        rc = -errno;
    }
    if (rc == 0 && renameat(r->dir_fd, new_name, r->dir_fd, file_name) < 0) {
        rc = -errno;
    }
    if (rc == 0 && fsync(r->dir_fd) < 0) {
        rc = -errno;
    }
    if (rc < 0) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES,
                       "cannot write %.180s, the record of the plans played here: %s; make room "
                       "in the state directory",
                       r->path, strerror(-rc));
    }
    return rc;
}

/* --- the rules --- */

static const struct entry *find(const struct run_record *r, const uint8_t run_id[PLAN_RUN_ID_BYTES])
{
    for (size_t i = 0; i < r->count; i++) {
        if (memcmp(r->entry[i].run_id, run_id, PLAN_RUN_ID_BYTES) == 0) {
            return &r->entry[i];
        }
    }
    return NULL;
}

bool run_record_allows(const struct run_record *r, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                       const uint8_t plan_hash[PLAN_HASH_BYTES], uint64_t not_after_s,
                       char why[RUN_RECORD_WHY_BYTES])
{
    const struct entry *e = find(r, run_id);
    if (e != NULL && e->state == RUN_CLOSED) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES,
                       "this run was played here already and is closed; begin a new one");
        return false;
    }
    if (e != NULL && memcmp(e->plan_hash, plan_hash, PLAN_HASH_BYTES) != 0) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES,
                       "this run was begun here with another plan; a new plan needs a new run");
        return false;
    }
    if (e != NULL && e->state == RUN_BEGUN) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES,
                       "this run was begun here before, and ended with the agent that played it; "
                       "begin a new one");
        return false;
    }
    if (e == NULL && not_after_s <= r->floor_s) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES,
                       "the plan is older than others that have expired here; this host's clock "
                       "was set back: set it right and begin a new run");
        return false;
    }
    return true;
}

static void forget_expired(struct run_record *r, uint64_t now_s)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (now_s > r->entry[i].not_after_s + PLAN_CLOCK_TOLERANCE_S) {
            uint64_t end_s = r->entry[i].not_after_s;
            r->floor_s = end_s > r->floor_s ? end_s : r->floor_s;
        } else {
            r->entry[kept++] = r->entry[i];
        }
    }
    r->count = kept;
}

int run_record_open(struct run_record *r, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                    const uint8_t plan_hash[PLAN_HASH_BYTES], uint64_t not_after_s, uint64_t now_s,
                    char why[RUN_RECORD_WHY_BYTES])
{
    forget_expired(r, now_s);
    bool is_known = false;
    for (size_t i = 0; i < r->count; i++) {
        bool is_this = memcmp(r->entry[i].run_id, run_id, PLAN_RUN_ID_BYTES) == 0;
        is_known = is_known || is_this;
        r->entry[i].state = is_this ? r->entry[i].state : RUN_CLOSED;
    }
    if (!is_known && r->count == RUN_RECORD_MAX) {
        (void)snprintf(why, RUN_RECORD_WHY_BYTES,
                       "%d plans were played here that have not expired yet, and no more can be "
                       "kept in mind; wait until the oldest has",
                       RUN_RECORD_MAX);
        return -ENOSPC;
    }
    if (!is_known) {
        struct entry *e = &r->entry[r->count++];
        memcpy(e->run_id, run_id, sizeof(e->run_id));
        memcpy(e->plan_hash, plan_hash, sizeof(e->plan_hash));
        e->not_after_s = not_after_s;
        e->state = RUN_OPEN;
    }
    return save(r, why);
}

static int advance(struct run_record *r, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                   enum run_state state, char why[RUN_RECORD_WHY_BYTES])
{
    for (size_t i = 0; i < r->count; i++) {
        struct entry *e = &r->entry[i];
        if (e->state < state && memcmp(e->run_id, run_id, PLAN_RUN_ID_BYTES) == 0) {
            e->state = state;
            return save(r, why);
        }
    }
    return 0;
}

int run_record_begin(struct run_record *r, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                     char why[RUN_RECORD_WHY_BYTES])
{
    return advance(r, run_id, RUN_BEGUN, why);
}

int run_record_close(struct run_record *r, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                     char why[RUN_RECORD_WHY_BYTES])
{
    return advance(r, run_id, RUN_CLOSED, why);
}
