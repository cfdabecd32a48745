/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/window.h"

#include <stdlib.h>

#include "common/attrs.h"

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

static void record_acquire_parts(struct window *w, const struct event *e)
{
    if (e->offer_us == EVENT_SPAN_NONE) {
        return;
    }
    uint64_t queued_us = later_by(e->wait_us, e->took_us);
    uint64_t answer_us = later_by(e->took_us, e->offer_us);
    record(w, e->stage, LATENCY_DISCOVER_OFFER, LATENCY_INTENDED, e->offer_us + queued_us);
    record(w, e->stage, LATENCY_DISCOVER_OFFER, LATENCY_FROM_SEND, e->offer_us);
    record(w, e->stage, LATENCY_REQUEST_ACK, LATENCY_INTENDED, answer_us);
    record(w, e->stage, LATENCY_REQUEST_ACK, LATENCY_FROM_SEND, answer_us);
}

void window_event(struct window *w, const struct event *e)
{
    static const enum latency_metric metric[EVENT_KIND_COUNT] = {
        [EVENT_ACQUIRE] = LATENCY_ACQUIRE,      [EVENT_RENEW] = LATENCY_RENEW,
        [EVENT_REBIND] = LATENCY_REBIND,        [EVENT_REBOOT] = LATENCY_REBOOT,
        [EVENT_INFORM] = LATENCY_INFORM,        [EVENT_RELEASE] = LATENCY_METRIC_COUNT,
        [EVENT_DECLINE] = LATENCY_METRIC_COUNT, [EVENT_EXPIRE] = LATENCY_METRIC_COUNT,
    };
    bool is_answered = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
    bool has_spans = e->wait_us != EVENT_SPAN_NONE && e->took_us != EVENT_SPAN_NONE;
    if (!is_answered || !has_spans || metric[e->kind] == LATENCY_METRIC_COUNT) {
        return;
    }
    record(w, e->stage, metric[e->kind], LATENCY_INTENDED, e->wait_us);
    record(w, e->stage, metric[e->kind], LATENCY_FROM_SEND, e->took_us);
    if (e->kind == EVENT_ACQUIRE) {
        record_acquire_parts(w, e);
    }
}

void window_add(const struct window *w, uint32_t stage, enum latency_metric metric,
                enum latency_clock clock, struct histogram *into)
{
    if (w->of[stage][metric][clock] != NULL) {
        histogram_merge(into, w->of[stage][metric][clock]);
    }
}

void window_fini(struct window *w)
{
    for (unsigned s = 0; s < PLAN_STAGES_MAX; s++) {
        for (unsigned m = 0; m < LATENCY_METRIC_COUNT; m++) {
            for (unsigned c = 0; c < LATENCY_CLOCK_COUNT; c++) {
                free(w->of[s][m][c]);
            }
        }
    }
    *w = (struct window){0};
}
