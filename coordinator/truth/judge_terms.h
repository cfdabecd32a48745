/* SPDX-License-Identifier: MIT */
/* The grammar of judgements, taken apart: what judge.c evaluates. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/truth/judge.h"

enum judge_operator { JUDGE_EQ, JUDGE_NE, JUDGE_LT, JUDGE_LE, JUDGE_GT, JUDGE_GE };

enum judge_unit { JUDGE_COUNT, JUDGE_SECONDS, JUDGE_PER_S, JUDGE_LATENCY };

enum judge_figure { JUDGE_PERCENTILE, JUDGE_MAX, JUDGE_MEAN };

enum judge_source {
    JUDGE_FROM_RESULT_U64,
    JUDGE_FROM_RESULT_DOUBLE,
    JUDGE_FROM_LEASES,
    JUDGE_FROM_LATENCY
};

struct judge_term {
    const char *metric; /* as listed */
    enum judge_source source;
    enum judge_unit unit;
    size_t offset;            /* in struct result, or in struct result_leases */
    enum judge_figure figure; /* latencies */
    double percent;
    enum latency_metric latency;
    enum judge_operator comparison;
    double limit;  /* latencies: microseconds */
    uint8_t stage; /* or JUDGE_ALL_STAGES */
};

/* False: `why` says what and what to do. */
NODISCARD bool judge_terms_parse(const char *text, const struct scenario *scenario,
                                 struct judge_term *out, char why[JUDGE_WHY_BYTES]);
