/* SPDX-License-Identifier: MIT */
/*
 * A lane watches itself: was it the limit, or was it kept from working? A turn begins when the
 * lane looks at its sockets and ends when it waits again; spinning until the next instant is
 * waiting, so CPU time spent that way is no work. What the kernel says of the thread is looked at
 * about once a second; the busiest and the most starved of those spans are kept.
 *
 * Pure. Nanoseconds of CLOCK_MONOTONIC. A zeroed struct is a valid one, before its first turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/snapshot.h"

/* Cumulative, of the lane's thread. */
struct lane_usage {
    uint64_t cpu_ns, switches; /* involuntary */
    bool is_waited_known;
    uint64_t waited_ns; /* it could have run and had no CPU */
};

struct lane_watch {
    uint64_t turns;
    uint64_t turn_began_ns; /* 0: waiting */
    uint64_t due_ns;        /* when the wait must have ended; 0: it never began */
    uint64_t busy_ns;       /* in turns that have ended */
    uint64_t absence_longest_ns;
    /* As of the first look and of the last span's end. */
    struct lane_usage first, span_usage;
    uint64_t span_began_ns, span_busy_ns;
    uint64_t work_ns; /* of spans that have ended */
    uint64_t work_peak, waited_peak;
};

static inline void lane_watch_turn(struct lane_watch *w, uint64_t now_ns)
{
    w->turns++;
    w->turn_began_ns = now_ns;
}

/* The turn is over, and the next one begins at `due_ns` at the latest. */
static inline void lane_watch_wait(struct lane_watch *w, uint64_t now_ns, uint64_t due_ns)
{
    if (w->turn_began_ns != 0) {
        uint64_t since_ns =
            w->due_ns != 0 && w->due_ns < w->turn_began_ns ? w->due_ns : w->turn_began_ns;
        uint64_t absence_ns = now_ns - since_ns;
        w->busy_ns += now_ns - w->turn_began_ns;
        w->absence_longest_ns =
            absence_ns > w->absence_longest_ns ? absence_ns : w->absence_longest_ns;
        w->turn_began_ns = 0;
    }
    w->due_ns = due_ns;
}

/* Before the first turn. */
void lane_watch_begin(struct lane_watch *w, const struct lane_usage *usage, uint64_t now_ns);
/* Within a turn, and sets what of `counter` is of the lane itself. */
void lane_watch_look(struct lane_watch *w, const struct lane_usage *usage, uint64_t now_ns,
                     uint64_t counter[COUNTER_COUNT]);
