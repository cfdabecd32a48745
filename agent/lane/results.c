/* SPDX-License-Identifier: MIT */
#include "agent/lane/results.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Metrics kept per server; the others once per stage. */
static const enum latency_metric per_server[] = {
    LATENCY_DISCOVER_OFFER, LATENCY_REQUEST_ACK, LATENCY_ACQUIRE, LATENCY_RENEW,
    LATENCY_REBIND,         LATENCY_REBOOT,      LATENCY_INFORM,
};
static const enum latency_metric per_stage[] = {LATENCY_SEND_LAG, LATENCY_START_LATENESS};

enum { FOLD_PERMILLE = 750 };

/* A slot's place: stage, then (metric, clock, server), then the stage's own metrics. */
static size_t slots_per_stage(const struct results *r)
{
    return ARRAY_LEN(per_server) * LATENCY_CLOCK_COUNT * r->server_count + ARRAY_LEN(per_stage);
}

static size_t slot_of(const struct results *r, enum latency_metric metric, enum latency_clock clock,
                      uint8_t server, uint8_t stage)
{
    size_t base = stage * slots_per_stage(r);
    if (metric >= LATENCY_SEND_LAG) {
        return base + ARRAY_LEN(per_server) * LATENCY_CLOCK_COUNT * r->server_count +
               (size_t)(metric - LATENCY_SEND_LAG);
    }
    return base + ((size_t)metric * LATENCY_CLOCK_COUNT + clock) * r->server_count + server;
}

static void name_slots(struct results *r, uint8_t stage)
{
    for (size_t m = 0; m < ARRAY_LEN(per_server); m++) {
        for (unsigned clock = 0; clock < LATENCY_CLOCK_COUNT; clock++) {
            for (uint8_t server = 0; server < r->server_count; server++) {
                size_t slot = slot_of(r, per_server[m], (enum latency_clock)clock, server, stage);
                r->histograms[slot].key =
                    (struct histogram_key){(uint8_t)per_server[m], (uint8_t)clock, server, stage};
            }
        }
    }
    for (size_t m = 0; m < ARRAY_LEN(per_stage); m++) {
        size_t slot = slot_of(r, per_stage[m], LATENCY_INTENDED, 0, stage);
        r->histograms[slot].key = (struct histogram_key){(uint8_t)per_stage[m], LATENCY_INTENDED,
                                                         SNAPSHOT_NO_SERVER, stage};
    }
}

bool results_init(struct results *r, const struct plan *plan)
{
    memset(r, 0, sizeof(*r));
    r->server_count = plan->server_count;
    r->stage_count = plan->stage_count;
    r->histogram_count = slots_per_stage(r) * r->stage_count;
    r->histograms = calloc(r->histogram_count, sizeof(*r->histograms));
    r->events = calloc(LANE_EVENTS_MAX, sizeof(*r->events));
    if (r->histograms == NULL || r->events == NULL) {
        results_fini(r);
        return false;
    }
    for (uint32_t stage = 0; stage < r->stage_count; stage++) {
        name_slots(r, (uint8_t)stage);
    }
    return true;
}

void results_fini(struct results *r)
{
    free(r->histograms);
    free(r->events);
    memset(r, 0, sizeof(*r));
}

bool results_has_room(const struct results *r)
{
    return r->event_count < LANE_EVENTS_MAX / 2;
}

static bool is_success(const struct event *e)
{
    return e->result == EVENT_ACK || e->result == EVENT_SENT;
}

void results_event(struct results *r, const struct event *e)
{
    bool is_full = r->event_count == LANE_EVENTS_MAX;
    if (is_full || (r->pressure_permille >= FOLD_PERMILLE && is_success(e))) {
        /* Counted, and the run is INVALID: the report says that the ledger is not complete. */
        results_count(r, COUNTER_results_coalesced);
        return;
    }
    r->events[r->event_count++] = *e;
    results_count(r, COUNTER_events);
    if ((e->flags & EVENT_PREFLIGHT) != 0) {
        results_count(r, COUNTER_preflight_events);
    }
}

void results_events_taken(struct results *r, size_t count)
{
    assert(count <= r->event_count);
    r->event_count -= count;
    memmove(r->events, r->events + count, r->event_count * sizeof(*r->events));
}

void results_latency(struct results *r, enum latency_metric metric, enum latency_clock clock,
                     uint8_t server, uint8_t stage, uint64_t value_ns)
{
    if (stage >= r->stage_count || (metric < LATENCY_SEND_LAG && server >= r->server_count)) {
        return; /* preflight, whose latencies are not judged */
    }
    struct results_histogram *slot = &r->histograms[slot_of(r, metric, clock, server, stage)];
    histogram_record(&slot->h, value_ns);
    slot->version++;
}

void results_send_error(struct results *r, int error, uint8_t intent, struct ipv4 destination)
{
    results_count(r, COUNTER_send_errors);
    for (uint32_t i = 0; i < r->send_error_count; i++) {
        struct snapshot_send_error *row = &r->send_error[i];
        if (row->error == (uint32_t)error && row->message == intent &&
            inet_equal(row->destination, destination)) {
            row->count++;
            return;
        }
    }
    if (r->send_error_count < SNAPSHOT_SEND_ERRORS_MAX) {
        r->send_error[r->send_error_count++] =
            (struct snapshot_send_error){(uint32_t)error, intent, destination, 1};
    }
}

void results_unexpected(struct results *r, enum lease_state state, enum lease_event event)
{
    r->unexpected[state][event]++;
    results_count(r, COUNTER_unexpected);
}

void results_snapshot(const struct results *r, struct snapshot *out)
{
    memcpy(out->counter, r->counter, sizeof(out->counter));
    memcpy(out->server, r->server, sizeof(out->server));
    memcpy(out->packets, r->packets, sizeof(out->packets));
    memcpy(out->send_error, r->send_error, sizeof(out->send_error));
    out->send_error_count = r->send_error_count;
    out->unexpected_count = 0;
    for (uint8_t state = 0; state < LEASE_STATE_COUNT; state++) {
        for (uint8_t event = 0; event < LEASE_EVENT_COUNT; event++) {
            uint32_t count = r->unexpected[state][event];
            if (count > 0 && out->unexpected_count < SNAPSHOT_UNEXPECTED_MAX) {
                out->unexpected[out->unexpected_count++] =
                    (struct snapshot_unexpected){state, event, count};
            }
        }
    }
}
