/* SPDX-License-Identifier: MIT */
/*
 * The clients of one lane: records by local index 0..count-1, and which global
 * client and which share (relay) each of them is. Shares are consecutive, so
 * both directions are arithmetic plus a binary search over shares.
 *
 * Pure. Owns its arrays, allocated by population_init() and population_grow() only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/client/client.h"
#include "common/attrs.h"
#include "proto/control.h"

struct population_share {
    uint32_t relay; /* index in the plan: the relay that carries them here */
    uint32_t first_global, first_local, count;
};

struct population {
    struct client *clients;
    uint32_t count, room;               /* room: records there is memory for */
    struct population_share *shares;    /* by first_local */
    struct population_share *by_global; /* by first_global */
    size_t share_count;
    uint32_t stride; /* coprime to count: order of starting */
};

NODISCARD bool population_init(struct population *p, const struct control_share *shares,
                               size_t share_count);
void population_fini(struct population *p);
/*
 * Adds clients of other agents behind those there are, which keep their local numbers; they
 * have not started. Records may move, and the order of starting changes. False when out of
 * memory, or when a client is here already: then nothing has changed.
 */
NODISCARD bool population_grow(struct population *p, const struct control_take_share *shares,
                               size_t share_count);

uint32_t population_global(const struct population *p, uint32_t local);
/* Index into p->shares. */
size_t population_share_of(const struct population *p, uint32_t local);
/* False when the global client is not of this lane. */
NODISCARD bool population_local(const struct population *p, uint32_t global, uint32_t *out_local);

/*
 * The k-th client to start. Neighbours in this order lie on different relays as
 * far as possible, so that a ramp or a handful of canaries meets them all.
 */
uint32_t population_order(const struct population *p, uint32_t k);
