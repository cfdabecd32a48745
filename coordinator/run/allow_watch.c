/* SPDX-License-Identifier: MIT */
#include "coordinator/run/allow_watch.h"

#include <stdio.h>
#include <string.h>

void allow_watch_init(struct allow_watch *w, const char *path, uint64_t now_ns)
{
    memset(w, 0, sizeof(*w));
    w->look_at_ns = now_ns;
    if (path != NULL) {
        (void)snprintf(w->path, sizeof(w->path), "%s", path); /* cut: it cannot be opened */
    }
}

/* ctime tells of every change of contents, owner and mode; the inode, of a replacement. */
static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static enum allow_news broken(struct allow_watch *w, uint64_t now_ns)
{
    if (w->broken_since_ns == 0) {
        w->broken_since_ns = now_ns;
        return ALLOW_BROKEN;
    }
    return now_ns - w->broken_since_ns > ALLOW_GRACE_NS ? ALLOW_DISTRUSTED : ALLOW_LOOKED;
}

enum allow_news allow_watch_look(struct allow_watch *w, uint64_t now_ns, struct key_list *out,
                                 char why[KEY_WHY_BYTES])
{
    struct stat status;

    if (w->path[0] == '\0' || now_ns < w->look_at_ns) {
        return ALLOW_SAME;
    }
    w->look_at_ns = now_ns + ALLOW_EVERY_NS;
    bool is_there = stat(w->path, &status) == 0;
    if (is_there && w->has_seen && is_same_file(&status, &w->seen)) {
        w->broken_since_ns = 0; /* put back as it was */
        return ALLOW_LOOKED;
    }
    if (key_list_read(w->path, out, why) != 0) {
        return broken(w, now_ns);
    }
    /* What changes between stat() and reading shows in the next look. */
    w->has_seen = is_there;
    w->seen = status;
    w->broken_since_ns = 0;
    return ALLOW_CHANGED;
}
