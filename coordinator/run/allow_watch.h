/* SPDX-License-Identifier: MIT */
/*
 * agents.allow while a run goes on: looks at it once a second and reads it when it has
 * changed. A list that cannot be read, or that others may write, is not a list: the
 * old one holds for ALLOW_GRACE_NS, because editors replace files in steps; then nobody
 * can say any more who is revoked. Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "common/keys.h"

#define ALLOW_EVERY_NS NS_PER_S
#define ALLOW_GRACE_NS (10 * NS_PER_S)

enum { ALLOW_PATH_BYTES = 4096 };

struct allow_watch {
    char path[ALLOW_PATH_BYTES]; /* "": there is nothing to watch */
    bool has_seen;
    struct stat seen; /* of the list that holds */
    uint64_t look_at_ns;
    uint64_t broken_since_ns; /* 0: it is not */
};

enum allow_news {
    ALLOW_SAME,      /* or it is not time yet */
    ALLOW_LOOKED,    /* it was time; the list is the same */
    ALLOW_CHANGED,   /* `out` is the new one, the caller's to free */
    ALLOW_BROKEN,    /* told once; `why` */
    ALLOW_DISTRUSTED /* for too long; `why` */
};

/* `path` NULL: nothing to watch. A path that is too long counts as a list that cannot be read. */
void allow_watch_init(struct allow_watch *w, const char *path, uint64_t now_ns);

/* The first look always reads: the file may have changed since the list in use was read. */
NODISCARD enum allow_news allow_watch_look(struct allow_watch *w, uint64_t now_ns,
                                           struct key_list *out, char why[KEY_WHY_BYTES]);
