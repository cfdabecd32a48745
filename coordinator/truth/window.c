/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/window.h"

#include <stdlib.h>

#include "common/attrs.h"
#include "coordinator/truth/tries.h"

static void record(struct window *w, uint8_t stage, enum latency_metric metric,
                   enum latency_clock clock, uint64_t us)
{
    struct histogram **h = &w->of[stage][metric][clock];
    if (*h == NULL) {
        *h = calloc(1, sizeof(**h));
    }
    if (*h == NULL) {
        w->is_out_of_memory = true;
        return;
    }
    histogram_record(*h, us * NS_PER_US);
}

static uint64_t later_by(uint32_t span_us, uint32_t earlier_us)
{
    return span_us > earlier_us ? span_us - earlier_us : 0;
}

bool window_latency_us(const struct event *e, enum latency_metric metric, enum latency_clock clock,
                       uint64_t *out_us)
{
    bool is_answered = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
    bool has_spans = e->wait_us != EVENT_SPAN_NONE && e->took_us != EVENT_SPAN_NONE;
    if (!is_answered || !has_spans) {
        return false;
    }
    bool is_intended = clock == LATENCY_INTENDED;
    if (tries_metric_of(e->kind) == metric) {
        *out_us = is_intended ? e->wait_us : e->took_us;
        return true;
    }
    bool has_parts = e->kind == EVENT_ACQUIRE && e->offer_us != EVENT_SPAN_NONE;
    if (has_parts && metric == LATENCY_DISCOVER_OFFER) {
        *out_us = e->offer_us + (is_intended ? later_by(e->wait_us, e->took_us) : 0);
        return true;
    }
    if (has_parts && metric == LATENCY_REQUEST_ACK) {
        *out_us = later_by(e->took_us, e->offer_us);
        return true;
    }
    return false;
}

void window_event(struct window *w, const struct event *e)
{
    for (unsigned m = 0; m <= LATENCY_INFORM; m++) {
        for (unsigned c = 0; c < LATENCY_CLOCK_COUNT; c++) {
            uint64_t us = 0;
            if (window_latency_us(e, (enum latency_metric)m, (enum latency_clock)c, &us)) {
                record(w, e->stage, (enum latency_metric)m, (enum latency_clock)c, us);
            }
        }
    }
}

void window_add(const struct window *w, uint32_t stage, enum latency_metric metric,
                enum latency_clock clock, struct histogram *into)
{
    if (w->of[stage][metric][clock] != NULL) {
        histogram_merge(into, w->of[stage][metric][clock]);
    }
}

void window_forget(struct window *w, uint32_t stage)
{
    for (unsigned m = 0; m < LATENCY_METRIC_COUNT; m++) {
        for (unsigned c = 0; c < LATENCY_CLOCK_COUNT; c++) {
            free(w->of[stage][m][c]);
            w->of[stage][m][c] = NULL;
        }
    }
}

void window_fini(struct window *w)
{
    for (unsigned s = 0; s < PLAN_STAGES_MAX; s++) {
        window_forget(w, s);
    }
    *w = (struct window){0};
}
