/* SPDX-License-Identifier: MIT */
/*
 * The parts of a scenario that are about time: events, and a capacity search.
 * See scenario.h, which includes this.
 *
 * Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/plan.h"

enum { SCENARIO_COMMAND_BYTES = 512, SCENARIO_SEARCH_RATES_MAX = 64, SCENARIO_EVENTS_MAX = 64 };

/* Of a search's stage: the name of the stage that gives its leases back between the steps. */
#define SCENARIO_RELEASE_SUFFIX "-release"

/* A mark on the time axis, and what the operator's machine runs then (--allow-actions). */
struct scenario_event {
    unsigned line;
    char name[2 * PLAN_NAME_BYTES]; /* free text, printable, without quotes; unique */
    char stage[PLAN_NAME_BYTES];    /* `in`: `at` counts from this stage's begin; empty: from the
                                       start instant of the run */
    uint64_t at_ns;
    char run[SCENARIO_COMMAND_BYTES]; /* for /bin/sh -c; empty: a mark only */
};

/* `search`: a capacity search; the last stage of a scenario, at most one. */
struct scenario_search {
    uint32_t acquire_weight, renew_weight;                 /* `mix`; default 1, 0 */
    uint64_t rates_milli_per_s[SCENARIO_SEARCH_RATES_MAX]; /* ascending; or between */
    size_t rate_count;
    uint64_t low_milli_per_s, high_milli_per_s; /* `between`; 0: rates are given */
    uint64_t step_ns, warmup_ns;                /* a step; its first part, which is not measured */
    uint64_t within_ns;        /* an answer in time: so long after the intended instant */
    double answered_percent;   /* of those planned in the measured part, in time: else bad */
    double resolution_percent; /* (first bad - last good) / last good at most */
    uint64_t bound;            /* clients that hold a lease, for renewals; 0: none needed */
    uint64_t repeat;           /* >= 1 */
    char reset[SCENARIO_COMMAND_BYTES]; /* between repeats; needs --allow-actions; may be empty */
};
