/* SPDX-License-Identifier: MIT */
/*
 * What a server believes of itself and its partner, by the names of its
 * failover relations, put together from all who tell of them. Pure. A zeroed
 * one knows nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/observation.h"

/* Kea has one relation, mostly, and no name for it. */
#define KEA_RELATION "high-availability"

enum { FAILOVER_PEERS_MAX = 8, FAILOVER_NAME_BYTES = 64 };

struct failover {
    struct failover_peer {
        char name[FAILOVER_NAME_BYTES]; /* cut where it is longer */
        enum failover_state own, partner;
    } peer[FAILOVER_PEERS_MAX];
    size_t count;
};

/* A relation beyond the FAILOVER_PEERS_MAX first ones is not kept. */
void failover_note(struct failover *f, const char *name, size_t name_size, bool is_own,
                   enum failover_state state);
/* Of the first relation that is in trouble, or of the first one; false: there
 * is none. */
bool failover_tell(const struct failover *f, enum failover_state *out_own,
                   enum failover_state *out_partner);
