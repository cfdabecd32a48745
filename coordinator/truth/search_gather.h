/* SPDX-License-Identifier: MIT */
/*
 * One step of a capacity search, counted from its events.
 *
 * An exchange belongs to the step by its intended instant (its end - wait_us);
 * an answer to the pace by its end. Times are run time in microseconds. A
 * zeroed one is valid: no step. Pure, no memory; 80 KB.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/histogram.h"
#include "coordinator/report/result_search.h"
#include "proto/event.h"

enum { SEARCH_PACE_SLOTS = 200 };

struct search_gather {
    int64_t begin_us, measured_us, end_us; /* of the step, of its measured part; both end at end */
    int64_t slack_us;   /* what is intended so much outside is still the step's: clocks differ */
    uint64_t within_us; /* an answer in time */
    double rate_per_s;

    uint64_t all, natural_renewals; /* of the whole step */
    uint64_t measured, in_time, late, nak, lost;
    uint64_t cached; /* renewals answered with less than a whole lease */
    uint32_t lease_s, mclt_s;
    int64_t pace_from_us; /* answers are counted from here to the end, for their pace */
    uint64_t pace[SEARCH_PACE_SLOTS];
    struct search_gather_kind {
        struct histogram intended, from_send; /* of ACKs */
        uint64_t measured;                    /* answered or not */
    } acquire, renew;
    struct histogram send_lag;
};

struct search_gather_plan {
    int64_t begin_us;
    uint64_t step_us, warmup_us, within_us; /* warm-up < step */
    int64_t slack_us;
    double rate_per_s;
    uint32_t lease_s, mclt_s; /* expected of an ACK; 0: not known */
};
void search_gather_begin(struct search_gather *g, const struct search_gather_plan *plan);

/* An event of the load stage. True: it was an exchange of this step. */
bool search_gather_event(struct search_gather *g, const struct event *e, int64_t run_us);

/*
 * Fills what events can tell. `planned`: exchanges told to the agents, the whole step;
 * `open`: of these, begun and without an end by now; `agents`: who share them, each in
 * whole exchanges.
 */
void search_gather_close(const struct search_gather *g, uint64_t planned, uint64_t open,
                         uint64_t agents, struct result_search_step *out);
