/* SPDX-License-Identifier: MIT */
#include "agent/observer/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024 };

void follow_open(struct follow *f, const char *path, enum follow_start start)
{
    memset(f, 0, sizeof(*f));
    f->fd = -1;
    f->start = start;
    f->error = -ENOENT;
    if (strlen(path) < sizeof(f->path)) {
        memcpy(f->path, path, strlen(path));
    }
}

static void let_go(struct follow *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    f->fd = -1;
    f->held = 0;
}

void follow_close(struct follow *f)
{
    let_go(f);
    f->path[0] = '\0';
}

/* What a rewritten file began with is what it had when it was first noticed. */
static uint64_t first_offset(const struct follow *f)
{
    uint64_t noticed =
        f->is_noticed && f->noticed_size < f->file_size ? f->noticed_size : f->file_size;
    bool is_first = f->files == 0;
    if (f->start == FOLLOW_LOG) {
        return is_first && !f->is_late ? f->file_size : 0;
    }
    return is_first ? 0 : noticed;
}

/* O_NONBLOCK: a pipe in its place would hold us until somebody writes to it. */
static int begin_file(struct follow *f)
{
    int fd = f->path[0] == '\0' ? -1 : open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return f->path[0] == '\0' ? -ENOENT : -errno;
    }
    struct stat s;
    int rc = fstat(fd, &s) < 0 ? -errno : S_ISREG(s.st_mode) ? 0 : -EINVAL;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    f->fd = fd;
    f->device = s.st_dev;
    f->inode = s.st_ino;
    f->file_size = (uint64_t)s.st_size;
    f->first_bytes = f->files == 0 ? f->file_size : f->first_bytes;
    f->offset = first_offset(f);
    f->is_noticed = false;
    f->files++;
    return 0;
}

static bool is_another(const struct follow *f, const struct stat *s)
{
    return s->st_dev != f->device || s->st_ino != f->inode;
}

void follow_look(struct follow *f)
{
    struct stat s;
    if (f->fd >= 0 && !f->is_noticed && stat(f->path, &s) == 0 && S_ISREG(s.st_mode) &&
        is_another(f, &s)) {
        f->is_noticed = true;
        f->noticed_size = (uint64_t)s.st_size;
    }
}

struct turn {
    follow_line *line;
    void *context;
    size_t left; /* bytes that may still be read in this turn */
};

/* A line without its end. */
static void hold(struct follow *f, const char *part, size_t size)
{
    size_t room = sizeof(f->line) - f->held;
    size_t taken = size < room ? size : room;
    memcpy(f->line + f->held, part, taken);
    f->held += taken;
}

static void give(struct follow *f, const struct turn *turn, const char *part, size_t size,
                 uint64_t at)
{
    if (f->held == 0) {
        size = size < FOLLOW_LINE_BYTES ? size : FOLLOW_LINE_BYTES;
        turn->line(turn->context, part, size, f->files, at);
        return;
    }
    hold(f, part, size);
    turn->line(turn->context, f->line, f->held, f->files, f->line_at);
    f->held = 0;
}

static void take_bytes(struct follow *f, const struct turn *turn, const char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *end = memchr(bytes + at, '\n', size - at);
        if (end == NULL) {
            f->line_at = f->held == 0 ? f->offset + at : f->line_at;
            hold(f, bytes + at, size - at);
            break;
        }
        size_t part = (size_t)(end - (bytes + at));
        give(f, turn, bytes + at, part, f->offset + at);
        at += part + 1;
    }
    f->offset += size;
}

/* False: there is no more now, or no more may be read in this turn. */
static bool read_some(struct follow *f, struct turn *turn)
{
    char buffer[BUFFER_BYTES];
    size_t wanted = turn->left < sizeof(buffer) ? turn->left : sizeof(buffer);
    ssize_t got = wanted == 0 ? 0 : pread(f->fd, buffer, wanted, (off_t)f->offset);
    if (got <= 0) {
        return false;
    }
    turn->left -= (size_t)got;
    take_bytes(f, turn, buffer, (size_t)got);
    return true;
}

/* Made shorter: it begins anew. */
static void notice_truncation(struct follow *f)
{
    struct stat s;
    if (fstat(f->fd, &s) < 0) {
        return;
    }
    f->file_size = (uint64_t)s.st_size;
    if (f->file_size < f->offset) {
        f->offset = f->start == FOLLOW_LOG ? 0 : f->file_size;
        f->held = 0;
        f->files++;
    }
}

void follow_turn(struct follow *f, follow_line *line, void *context)
{
    struct turn turn = {line, context, FOLLOW_TURN_BYTES};
    if (f->fd < 0) {
        f->error = begin_file(f);
        f->is_late = f->is_late || f->error == -ENOENT;
    }
    while (f->fd >= 0) {
        notice_truncation(f);
        while (read_some(f, &turn)) {
        }
        struct stat s;
        bool is_gone = stat(f->path, &s) < 0;
        f->error = is_gone ? -errno : 0;
        if (turn.left == 0 || is_gone || !is_another(f, &s)) {
            return;
        }
        /* The old file is read to its end before it is left. */
        while (read_some(f, &turn)) {
        }
        if (turn.left == 0) {
            return;
        }
        let_go(f);
        f->error = begin_file(f);
    }
}

enum availability follow_availability(const struct follow *f, enum availability lack)
{
    if (f->path[0] == '\0') {
        return lack;
    }
    if (f->error == -EACCES || f->error == -EPERM) {
        return AVAILABLE_NO_PERMISSION;
    }
    return f->fd < 0 ? AVAILABLE_NOT_APPLICABLE : AVAILABLE_OK;
}
