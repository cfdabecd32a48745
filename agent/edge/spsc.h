/* SPDX-License-Identifier: MIT */
/*
 * Ring of fixed-size items from one thread to one other, without a lock and
 * without waiting: a full ring refuses, an empty one yields nothing. The
 * packet path hands its results over through it.
 *
 * Items are copied in and out. One thread pushes, one pops; spsc_used() may be
 * asked by either. Allocates in spsc_init() only. Pure but for that.
 */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"

enum { SPSC_LINE_BYTES = 64 };

struct spsc {
    uint8_t *items;
    size_t item_bytes;
    size_t mask;
    /* Apart, so that the two sides do not share a cache line. */
    uint8_t apart_1[SPSC_LINE_BYTES];
    _Atomic size_t pushed; /* ever; the pusher's */
    uint8_t apart_2[SPSC_LINE_BYTES];
    _Atomic size_t popped; /* ever; the popper's */
    uint8_t apart_3[SPSC_LINE_BYTES];
};

/* `capacity` is a power of two. 0 or -ENOMEM. */
NODISCARD static inline int spsc_init(struct spsc *ring, size_t capacity, size_t item_bytes)
{
    assert(capacity > 0 && (capacity & (capacity - 1)) == 0 && item_bytes > 0);
    memset(ring, 0, sizeof(*ring));
    ring->items = calloc(capacity, item_bytes);
    ring->item_bytes = item_bytes;
    ring->mask = capacity - 1;
    return ring->items == NULL ? -ENOMEM : 0;
}

/* Both threads are done with it. A zeroed ring is fine. */
static inline void spsc_fini(struct spsc *ring)
{
    free(ring->items);
    ring->items = NULL;
}

static inline size_t spsc_capacity(const struct spsc *ring)
{
    return ring->mask + 1;
}

static inline size_t spsc_used(struct spsc *ring)
{
    /* `popped` first: it may only grow meanwhile, so the difference never wraps. */
    size_t popped = atomic_load_explicit(&ring->popped, memory_order_acquire);
    return atomic_load_explicit(&ring->pushed, memory_order_acquire) - popped;
}

/* How many of the `count` items at `items` found room; the first ones are taken. */
static inline size_t spsc_push_many(struct spsc *ring, const void *items, size_t count)
{
    size_t pushed = atomic_load_explicit(&ring->pushed, memory_order_relaxed);
    size_t popped = atomic_load_explicit(&ring->popped, memory_order_acquire);
    size_t room = spsc_capacity(ring) - (pushed - popped);
    size_t taken = count < room ? count : room;
    const uint8_t *from = items;
    for (size_t i = 0; i < taken; i++) {
        memcpy(ring->items + ((pushed + i) & ring->mask) * ring->item_bytes,
               from + i * ring->item_bytes, ring->item_bytes);
    }
    atomic_store_explicit(&ring->pushed, pushed + taken, memory_order_release);
    return taken;
}

static inline bool spsc_push(struct spsc *ring, const void *item)
{
    return spsc_push_many(ring, item, 1) == 1;
}

/* Up to `count` items, oldest first; returns how many. */
static inline size_t spsc_pop_many(struct spsc *ring, void *out, size_t count)
{
    size_t popped = atomic_load_explicit(&ring->popped, memory_order_relaxed);
    size_t used = atomic_load_explicit(&ring->pushed, memory_order_acquire) - popped;
    size_t taken = count < used ? count : used;
    uint8_t *to = out;
    for (size_t i = 0; i < taken; i++) {
        memcpy(to + i * ring->item_bytes,
               ring->items + ((popped + i) & ring->mask) * ring->item_bytes, ring->item_bytes);
    }
    atomic_store_explicit(&ring->popped, popped + taken, memory_order_release);
    return taken;
}

static inline bool spsc_pop(struct spsc *ring, void *out)
{
    return spsc_pop_many(ring, out, 1) == 1;
}
