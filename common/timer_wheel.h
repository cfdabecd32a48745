/* SPDX-License-Identifier: MIT */
/*
 * One deadline for each of many entries, by index; insertion, removal and
 * expiry are O(1). Hierarchical wheel, 1 ms ticks, 5 levels. Rounds a deadline
 * up to its tick, so a timer never fires early. A deadline 48 days away or more
 * is rounded up to 1.024 s, one beyond 139 years means never.
 *
 * The wheel owns one array of links (12 bytes per entry), allocated by _new() and _grow().
 * Pure: time is an argument. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"

enum { TIMER_WHEEL_TICK_NS = 1000000 };
/* The links of the wheel's own slots share the index space with the entries. */
#define TIMER_WHEEL_ENTRIES_MAX (UINT32_MAX - 2048)

struct timer_wheel;

/* NULL when out of memory. `now_ns` becomes tick 0; entries <= TIMER_WHEEL_ENTRIES_MAX. */
struct timer_wheel *timer_wheel_new(uint32_t entries, uint64_t now_ns);
void timer_wheel_free(struct timer_wheel *wheel); /* NULL is fine */
/*
 * Room for at least `entries`; what is set stays set. The wheel may move: use what
 * is returned. NULL when out of memory, and the wheel is as it was.
 */
NODISCARD struct timer_wheel *timer_wheel_grow(struct timer_wheel *wheel, uint32_t entries);

/* Sets or moves the deadline of `entry`. A deadline in the past fires at the next advance. */
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
 * most once per level for the entries of a slot.
 */
uint64_t timer_wheel_next_ns(const struct timer_wheel *wheel);
