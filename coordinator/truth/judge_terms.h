/* SPDX-License-Identifier: MIT */
/* The grammar of judgements, taken apart: what judge.c and lens.c evaluate. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/truth/judge.h"

enum judge_operator { JUDGE_EQ, JUDGE_NE, JUDGE_LT, JUDGE_LE, JUDGE_GT, JUDGE_GE };

enum judge_unit {
    JUDGE_COUNT,
    JUDGE_SECONDS,
    JUDGE_PER_S,
    JUDGE_LATENCY, /* microseconds */
    JUDGE_PERCENT
};

enum judge_figure { JUDGE_PERCENTILE, JUDGE_MAX, JUDGE_MEAN };

/* Where the figure comes from: the first two are known for the whole run only. */
enum judge_source {
    JUDGE_FROM_RESULT_U64,
    JUDGE_FROM_RESULT_DOUBLE,
    JUDGE_FROM_LEASES,     /* offset in struct result_leases */
    JUDGE_FROM_LEASE_RATE, /* the same, by measured second */
    JUDGE_FROM_LATENCY,
    JUDGE_FROM_FIRST_TRY, /* share answered before the first retransmission */
    JUDGE_FROM_ANSWERED   /* share answered at all */
};

enum judge_filter { JUDGE_WHOLE_STAGE, JUDGE_AFTER, JUDGE_EXCEPT };

struct judge_term {
    char metric[JUDGE_METRIC_BYTES]; /* as listed */
    enum judge_source source;
    enum judge_unit unit;
    size_t offset;            /* in struct result, or in struct result_leases */
    enum judge_figure figure; /* latencies */
    double percent;
    bool is_success_only;        /* latencies: what did not finish is left out */
    enum latency_metric latency; /* latencies and shares */
    enum judge_operator comparison;
    double limit;       /* in the unit */
    uint64_t window_ns; /* `over`; 0: the whole stage at once */
    uint8_t stage;      /* or JUDGE_ALL_STAGES */
    enum judge_filter filter;
    uint64_t filter_ns;
    size_t event; /* index in scenario->events; filters only */
};

/* False: `why` says what and what to do. */
NODISCARD bool judge_terms_parse(const char *text, const struct scenario *scenario,
                                 struct judge_term *out, char why[JUDGE_WHY_BYTES]);

/* Whether it needs a look of its own at the events, because of a window or a filter. */
bool judge_term_needs_lens(const struct judge_term *term);
/* Samples its figure needs. */
uint64_t judge_term_samples_needed(const struct judge_term *term);

/* "us", "s", "1/s", "%", "" for a count. */
const char *judge_unit_text(enum judge_unit unit);
