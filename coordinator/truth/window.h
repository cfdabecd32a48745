/* SPDX-License-Identifier: MIT */
/*
 * Latencies of stages with a warm-up, from their events: what was due before
 * the warm-up was over is drawn but not judged (DESIGN section 7a.1). The
 * agents' histograms cannot tell the two apart; events can, to the microsecond.
 *
 * Pure; takes memory per metric that occurs. A zeroed one is valid;
 * window_fini(). Sticky `is_out_of_memory`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/histogram.h"
#include "proto/event.h"
#include "proto/plan.h"
#include "proto/snapshot.h"

struct window {
    struct histogram *of[PLAN_STAGES_MAX][LATENCY_METRIC_COUNT][LATENCY_CLOCK_COUNT];
    bool is_out_of_memory;
};

/* False: the event has no such latency (other metric, no ACK). */
bool window_latency_us(const struct event *e, enum latency_metric metric, enum latency_clock clock,
                       uint64_t *out_us);

/* An answered exchange of the event's stage that was due inside the measured window. */
void window_event(struct window *w, const struct event *e);
/* Adds to `into`; nothing where nothing was recorded. */
void window_add(const struct window *w, uint32_t stage, enum latency_metric metric,
                enum latency_clock clock, struct histogram *into);
/* What was recorded of a stage was not in its window after all. */
void window_forget(struct window *w, uint32_t stage);
void window_fini(struct window *w);
