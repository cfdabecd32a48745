/* SPDX-License-Identifier: MIT */
/*
 * What a capacity search came to, and how the servers stood before the run:
 * parts of struct result. Rates are per second; NAN, RESULT_UNKNOWN: not known.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/plan.h"

enum { RESULT_SEARCH_TEXT_BYTES = 240 };

/* How a step came out. */
enum search_flag {
    SEARCH_GOOD,    /* the servers kept up */
    SEARCH_BAD,     /* they did not */
    SEARCH_INVALID, /* the tester did not, or its results are incomplete */
    SEARCH_FLAG_COUNT
};
const char *search_flag_name(enum search_flag flag); /* "good" ... */

/* What ended a repeat. */
enum search_limit {
    SEARCH_LIMIT_SERVER,     /* a bracket was found */
    SEARCH_LIMIT_TESTER,     /* a step was invalid twice: the tester was the limit */
    SEARCH_LIMIT_BELOW_LOW,  /* the first rate was bad already */
    SEARCH_LIMIT_ABOVE_HIGH, /* the last rate was still good */
    SEARCH_LIMIT_CUT_OFF,    /* the run ended before the search did */
    SEARCH_LIMIT_COUNT
};
const char *search_limit_name(enum search_limit limit); /* "server" ... "cut-off" */

/* Percentiles in microseconds; RESULT_UNKNOWN: too few samples, or among those without an answer.
 */
struct result_search_latency {
    uint64_t answered;
    uint64_t p50_us, p99_us;           /* from the intended instant */
    uint64_t send_p50_us, send_p99_us; /* from the send */
};

/* Counts are of exchanges intended in the measured part, unless they say otherwise. */
struct result_search_step {
    uint64_t round;
    double rate_per_s;                 /* planned */
    double begin_s, measured_s, end_s; /* run time: of the step, of its measured part, its end */
    uint64_t planned_all, sent_all;    /* of the whole step, warm-up included */
    uint64_t planned, sent;
    uint64_t in_time, late;      /* ACKs within `within` of the intended instant, and after it */
    uint64_t nak, lost;          /* refused; without an answer */
    double in_time_percent;      /* of planned */
    double answered_per_s;       /* pace of the ACKs in the measured part, see search_judge() */
    double answered_error_per_s; /* by so much it may be off, 95 % */
    struct result_search_latency acquire, renew;
    uint64_t send_lag_p99_us;  /* RESULT_UNKNOWN */
    uint64_t rx_drops;         /* at the agents' own sockets, during the step */
    uint64_t cached_renewals;  /* of those answered: with the rest of a lease, not a new one */
    uint64_t natural_renewals; /* of clients whose T1 came, in the whole step */
    enum search_flag flag;
    char reason[RESULT_SEARCH_TEXT_BYTES]; /* one sentence; empty for a good step */
};

/* Ends of the bracket in exchanges per second; an open end is NAN. */
struct result_search_repeat {
    enum search_limit limit;
    double low_per_s, high_per_s;
    double tester_per_s;              /* limit tester: the rate it could not keep; else NAN */
    struct result_search_step *steps; /* malloc'd */
    size_t step_count;
};

/* One rate in the units people ask for; NAN where the mix or the scenario does not say. */
struct result_search_units {
    double exchanges_per_s, dora_per_s, renewals_per_s;
    double clients; /* of the described population: renewals/s x T1 */
};

struct result_search {
    bool was_run;
    uint32_t acquire_weight, renew_weight;
    double within_s, answered_percent, resolution_percent, step_s, warmup_s;
    double t1_s; /* half the production lease, or the lease; NAN: neither is given */
    uint64_t repeats_planned;
    struct result_search_repeat *repeats; /* malloc'd */
    size_t repeat_count;
    /*
     * Over the repeats that found a bracket. Median: of their middles (geometric). Interval:
     * 95 % by bootstrap, from the medians of the lower ends to those of the upper ends, so
     * that the width of the brackets is in it; with few repeats it covers less, as
     * interval_percent says. NAN below three repeats.
     */
    double median_per_s, interval_low_per_s, interval_high_per_s, interval_percent;
    double spread_percent; /* (largest - smallest middle) / median; NAN below two */
    /* The bracket of all: with one repeat its own, else the interval or, below three, the hull. */
    struct result_search_units low, high;
    bool is_low_open, is_high_open;
    enum search_limit limit;
    char sentence[3 * RESULT_SEARCH_TEXT_BYTES];
};

/* A server's leases before the run began. */
struct result_start_state {
    char server[PLAN_NAME_BYTES];
    uint64_t active, expired, free; /* RESULT_UNKNOWN */
    char how[PLAN_TEXT_BYTES];      /* where it is known from; "unknown" */
};

void result_search_free(struct result_search *search);
