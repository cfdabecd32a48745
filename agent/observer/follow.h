/* SPDX-License-Identifier: MIT */
/*
 * Follows a file that another program writes, line by line: through rotation
 * (the old file is read to its end first), truncation, and times when there is
 * none. Regular files only; never waits; what comes in one turn is bounded, the
 * rest comes with the next. Edge. One thread.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/observation.h"

enum {
    FOLLOW_LINE_BYTES = 2048,    /* of a longer line, only its beginning is handed over */
    FOLLOW_TURN_BYTES = 8 << 20, /* read in one turn at most */
};

/* What of a file is wanted; lines that are appended later always are. */
enum follow_start {
    FOLLOW_LOG,    /* nothing of what was there before us; all of what comes after a
                      rotation */
    FOLLOW_LEASES, /* all of what was there; nothing of what a rewritten file
                      begins with */
};

struct follow {
    char path[PATH_MAX];
    int fd; /* -1: none yet */
    dev_t device;
    ino_t inode;
    uint64_t offset;      /* of the next byte to read */
    uint64_t file_size;   /* when last looked at */
    uint64_t first_bytes; /* of the first file, when it was opened */
    uint64_t files;       /* begun: 1 for the first, more by rotation or truncation */
    enum follow_start start;
    bool is_late;    /* there was no file when we began: what is in it came after us
                      */
    int error;       /* why there is no file now: 0 or -errno; -EINVAL: no regular file
                      */
    bool is_noticed; /* another file has been seen at the path, then of
                        noticed_size */
    uint64_t noticed_size;
    size_t held;      /* bytes of a line whose end has not come yet */
    uint64_t line_at; /* where that line begins */
    char line[FOLLOW_LINE_BYTES];
};

/* `at`: the offset of the line's first byte in its file, `files` that file's
 * number. */
typedef void follow_line(void *context, const char *line, size_t size, uint64_t files, uint64_t at);

/* An empty or overlong path is a file that is never there. */
void follow_open(struct follow *f, const char *path, enum follow_start start);
void follow_close(struct follow *f);
/* A look whether there is another file now, and how large it is: a stat(), no
 * reading. */
void follow_look(struct follow *f);
void follow_turn(struct follow *f, follow_line *line, void *context);
/* Whether there is a file to tell from, or why not; `lack`: why there is no path. */
enum availability follow_availability(const struct follow *f, enum availability lack);
