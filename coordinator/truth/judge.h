/* SPDX-License-Identifier: MIT */
/*
 * Judgements:
 *
 *   METRIC OP VALUE [over WINDOW] [in STAGE] [after|except DURATION after "EVENT"]
 *
 * OP is one of == != < <= > >=. judge_metric_get() lists the metrics; times,
 * rates and shares need their unit. `over 30s`: every full window of 30 s of the
 * measured part must hold, and the worst is shown. `after 30s after "b off"`:
 * only what ended later than 30 s after that event; `except 30s after "b off"`:
 * what ended in the 30 s after it is left out.
 *
 * A percentile needs n >= 10/(1-p) samples (max, mean, shares: one), else it is
 * not judged. Percentiles of exchanges are over all that were intended: what did
 * not finish counts as infinite, unless `.success` is asked for. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/histogram.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/report/result.h"

enum {
    JUDGE_WHY_BYTES = 256,
    JUDGE_METRIC_BYTES = 64,
    JUDGE_HELP_BYTES = 96,
    JUDGE_ALL_STAGES = 255
};

/*
 * Whether `text` can be judged in this scenario (its stages must be parsed).
 * `why`: one sentence with what to do, no full stop.
 */
NODISCARD bool judge_check(const char *text, const struct scenario *scenario,
                           char why[JUDGE_WHY_BYTES]);

/* Everything that can be judged, for `check --metrics`. */
struct judge_metric_info {
    char name[JUDGE_METRIC_BYTES];
    const char *unit; /* "time" (500ms), "1/s" (600/s), "%" (99.9%); "": a count, without unit */
    char help[JUDGE_HELP_BYTES];
    bool takes_stage;  /* `in`, `after`, `except` */
    bool takes_window; /* `over` */
};
size_t judge_metric_count(void);
void judge_metric_get(size_t index, struct judge_metric_info *out); /* index < count */

struct judge_term; /* judge_terms.h */

/* What the events of a stage, or of a part of it, came to for one metric. */
struct judge_tally {
    const struct histogram *latency; /* of those answered with ACK; NULL: none */
    uint64_t unfinished;             /* ended without an answer */
    uint64_t answered, first_try;    /* first_try: of these, before a retransmission */
    uint64_t count;                  /* leases.KEY */
    double seconds;                  /* how long the part was; NAN: unknown */
};

/* What judgements without window and filter look at. */
struct judge_facts {
    const struct result *result; /* accounting, messages, addresses, outage, rates filled in */
    const struct scenario *scenario;
    void *context;
    /* Of term->stage, which may be JUDGE_ALL_STAGES. `out` is zeroed; valid until the next call. */
    void (*tally)(void *context, const struct judge_term *term, struct judge_tally *out);
};

/*
 * The figure of a tally in the term's unit. NAN: cannot be told, `note` says
 * why; INFINITY: lies among the unfinished.
 */
double judge_value(const struct judge_term *term, const struct judge_tally *tally,
                   char note[RESULT_TEXT_BYTES]);
/* Whether a figure meets the term; not NAN. */
bool judge_holds(const struct judge_term *term, double value);
/* Expression, unit and limit; not judged, value NAN, no window. `term` NULL: there is none. */
void judge_begin(const struct judge_term *term, const char *text, struct result_judgement *out);

/* Fills `out` (expression copied). A text judge_check() refuses, or with a lens, is "not judged".
 */
void judge_evaluate(const char *text, const struct judge_facts *facts,
                    struct result_judgement *out);

/* Smallest latency limit (ns) among the judgements that look at `stage`; 0: none. */
uint64_t judge_smallest_latency_ns(const struct scenario *scenario, uint8_t stage);
