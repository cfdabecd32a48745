/* SPDX-License-Identifier: MIT */
/*
 * How a lane waits for what is due next.
 *
 * On a CPU of its own it sleeps until shortly before, because a sleep ends tens of microseconds
 * late, and looks on without sleeping for the rest. On a shared one (`spin: off`) it sleeps until
 * the instant has come.
 *
 * Where the schedule begins several exchanges within one span, what falls into the span has its
 * turn together: 50 us at the rates at which a batch saves system calls, 250 us on a shared CPU,
 * where each wake-up costs others, too. Nothing leaves before its instant. Where answers decide
 * what begins (`batch`), they are never kept waiting.
 *
 * Pure: time is an argument (CLOCK_MONOTONIC).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WAKE_SPIN_NS = 50000, WAKE_BATCH_NS = 50000, WAKE_MERGE_NS = 250000 };

struct wake_facts {
    bool may_spin;
    bool is_behind;        /* the last turn found as much to do as one batch holds */
    double begins_per_s;   /* exchanges, by schedule; 0: answers decide */
    uint64_t turned_at_ns; /* when the last turn began */
    uint64_t due_ns;       /* when there is something to do next */
};

/* One after the other; an instant that has passed is no wait. */
struct wake {
    uint64_t rest_until_ns;  /* nothing is looked at */
    uint64_t sleep_until_ns; /* ends early when a packet or a command is there */
    uint64_t spin_until_ns;  /* the same without sleeping; 0: not at all */
};

struct lane;
/* Of the schedule under way and of the renewals that are due; 0 where answers decide. */
double lane_begins_per_s(const struct lane *lane);

struct wake wake_after(const struct wake_facts *f);
