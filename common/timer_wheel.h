/* SPDX-License-Identifier: MIT */
/*
 * One deadline for each of many entries, by index; insertion, removal and expiry are O(1).
 * Hierarchical wheel, ticks of 1/64 ms, 4 levels. Rounds a deadline up to its tick, so a timer
 * never fires early.
 *
 * Entries are records of the caller, all of one size in one array; each holds a link of 8 bytes
 * for the wheel and whatever its deadline follows from. The wheel keeps no deadline: it asks for
 * it whenever an entry moves down a level. So a timer costs 8 bytes, and moving or firing it
 * touches the record, which is needed then anyway, and at most the neighbours in its list.
 *
 * Pure: time is an argument. Allocates in timer_wheel_new() only. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum { TIMER_WHEEL_TICK_NS = 15625 };
/* The heads of the wheel's lists share the index space with the entries. */
#define TIMER_WHEEL_ENTRIES_MAX (UINT32_MAX - 16384)

/* The wheel's, in the caller's record. Zeroed: not set. */
struct timer_link {
    uint32_t next, prev;
};

struct timer_wheel_entries {
    void *first;        /* the first record */
    size_t stride;      /* from one record to the next, in bytes */
    size_t link_offset; /* of its struct timer_link */
    /*
     * What timer_wheel_set() was given last for this entry. If it has changed since, the entry
     * fires at one of the two or in between; UINT64_MAX, as there, is never.
     */
    uint64_t (*deadline_ns)(const void *context, uint32_t entry);
    const void *context;
};

struct timer_wheel;

/* NULL when out of memory. `now_ns` becomes tick 0. */
struct timer_wheel *timer_wheel_new(const struct timer_wheel_entries *entries, uint64_t now_ns);
void timer_wheel_free(struct timer_wheel *wheel); /* NULL is fine; links are left as they are */
/* The records lie there now, as they were; there may be more of them. */
void timer_wheel_moved(struct timer_wheel *wheel, void *first);
size_t timer_wheel_memory_bytes(void); /* of a wheel, without the links */

/*
 * Sets or moves the deadline of `entry` (below TIMER_WHEEL_ENTRIES_MAX). One in the past fires at
 * the next advance, UINT64_MAX never: then the entry is not set.
 */
void timer_wheel_set(struct timer_wheel *wheel, uint32_t entry, uint64_t deadline_ns);
void timer_wheel_cancel(struct timer_wheel *wheel, uint32_t entry);
bool timer_wheel_is_set(const struct timer_wheel *wheel, uint32_t entry);

/*
 * Moves time to `now_ns` and collects up to `capacity` entries whose deadline
 * has passed into `out`; each is no longer set. Call again while it returns
 * `capacity`: nothing is lost, time does not move past what was not collected.
 */
uint32_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ns, uint32_t *out,
                             uint32_t capacity);

/*
 * No entry fires before this instant; UINT64_MAX when nothing is set. A lower
 * bound: an advance at that time may collect nothing and move the bound on, at
 * most once per level for the entries of a slot, and once for what was cancelled.
 */
uint64_t timer_wheel_next_ns(const struct timer_wheel *wheel);
