/* SPDX-License-Identifier: MIT */
/*
 * Judgements: `METRIC OP VALUE [in STAGE]`, OP one of == != < <= > >=.
 *
 * Metrics: leases.KEY, addresses.KEY, outage.KEY, accounting.KEY,
 * messages.sent.KEY (received, fate), messages.wrong_source_port, rates.KEY as
 * in report.json, and p50 p90 p99 p999 max mean of (discover_offer),
 * (request_ack), (acquire), (renew), (rebind), from the intended instant.
 * Latencies need a unit; `in STAGE` is possible for leases and latencies.
 *
 * A percentile needs n >= 10/(1-p) samples (max, mean: one), else it is not
 * judged. Acquire percentiles are over all intended starts: what did not finish
 * counts as infinite. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/histogram.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/report/result.h"

enum { JUDGE_WHY_BYTES = 256, JUDGE_ALL_STAGES = 255 };

/*
 * Whether `text` can be judged in this scenario (its stages must be parsed).
 * `why`: one sentence with what to do, no full stop.
 */
NODISCARD bool judge_check(const char *text, const struct scenario *scenario,
                           char why[JUDGE_WHY_BYTES]);

/* What a judgement looks at. `stage` of both calls may be JUDGE_ALL_STAGES. */
struct judge_facts {
    const struct result *result; /* accounting, messages, addresses, outage, rates filled in */
    const struct scenario *scenario;
    void *context;
    /* Merged over agents; NULL: none. Valid until the next call. */
    const struct histogram *(*latency)(void *context, enum latency_metric metric, uint8_t stage);
    uint64_t (*unfinished)(void *context, uint8_t stage); /* acquire starts without an end */
    const struct result_leases *(*leases)(void *context, uint8_t stage);
};

/* Fills `out` (expression copied). A text judge_check() refuses is "not judged". */
void judge_evaluate(const char *text, const struct judge_facts *facts,
                    struct result_judgement *out);

/* Smallest latency limit (ns) among the judgements that look at `stage`; 0: none. */
uint64_t judge_smallest_latency_ns(const struct scenario *scenario, uint8_t stage);

/* Samples a percentile (0 < percent < 100) needs: 10 / (1 - p), rounded up. */
uint64_t judge_samples_needed(double percent);
