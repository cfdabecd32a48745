/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/failover.h"

#include <string.h>

static struct failover_peer *peer_named(struct failover *f, const char *name, size_t size)
{
    size = size < FAILOVER_NAME_BYTES ? size : FAILOVER_NAME_BYTES - 1;
    for (size_t i = 0; i < f->count; i++) {
        if (strlen(f->peer[i].name) == size && memcmp(f->peer[i].name, name, size) == 0) {
            return &f->peer[i];
        }
    }
    if (f->count == FAILOVER_PEERS_MAX || size == 0 || memchr(name, '\0', size) != NULL) {
        return NULL;
    }
    struct failover_peer *p = &f->peer[f->count++];
    memset(p, 0, sizeof(*p));
    memcpy(p->name, name, size);
    return p;
}

void failover_note(struct failover *f, const char *name, size_t name_size, bool is_own,
                   enum failover_state state)
{
    struct failover_peer *p = peer_named(f, name, name_size);
    if (p != NULL && is_own) {
        p->own = state;
    } else if (p != NULL) {
        p->partner = state;
    }
}

static bool is_quiet(enum failover_state state)
{
    return state == FAILOVER_NORMAL || state == FAILOVER_LOAD_BALANCING ||
           state == FAILOVER_HOT_STANDBY || state == FAILOVER_PASSIVE_BACKUP ||
           state == FAILOVER_BACKUP || state == FAILOVER_UNKNOWN;
}

bool failover_tell(const struct failover *f, enum failover_state *out_own,
                   enum failover_state *out_partner)
{
    if (f->count == 0) {
        return false;
    }
    const struct failover_peer *told = &f->peer[0];
    for (size_t i = 0; i < f->count; i++) {
        if (!is_quiet(f->peer[i].own) || !is_quiet(f->peer[i].partner)) {
            told = &f->peer[i];
            break;
        }
    }
    *out_own = told->own;
    *out_partner = told->partner;
    return true;
}
