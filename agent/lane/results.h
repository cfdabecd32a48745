/* SPDX-License-Identifier: MIT */
/*
 * What a lane has counted and recorded: counters, histograms, events, errno
 * of failed sends, unexpected (state, event) pairs. All of it is allocated once.
 *
 * Pure. Counters are indexed by enum snapshot_counter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lane/lane.h"
#include "common/attrs.h"
#include "proto/lease_names.h"
#include "proto/snapshot.h"

struct results_histogram {
    struct histogram_key key;
    uint64_t version;
    struct histogram h;
};

struct results {
    uint64_t counter[COUNTER_COUNT];
    struct snapshot_server server[PLAN_SERVERS_MAX];
    struct snapshot_packets packets[PLAN_SERVERS_MAX];
    uint32_t unexpected[LEASE_STATE_COUNT][LEASE_EVENT_COUNT];
    struct snapshot_send_error send_error[SNAPSHOT_SEND_ERRORS_MAX];
    uint32_t send_error_count;

    struct results_histogram *histograms;
    size_t histogram_count;
    uint32_t server_count, stage_count;

    struct event *events; /* LANE_EVENTS_MAX */
    size_t event_count;
    uint32_t pressure_permille;
};

NODISCARD bool results_init(struct results *r, const struct plan *plan);
void results_fini(struct results *r);

static inline void results_count(struct results *r, enum snapshot_counter c)
{
    r->counter[c]++;
}

/* Room for what one turn can produce; lane_turn() stops without it. */
bool results_has_room(const struct results *r);
/*
 * Records an event. Successes are folded into `results_coalesced` when the way
 * to the coordinator is nearly full; failures never are.
 */
void results_event(struct results *r, const struct event *e);
void results_events_taken(struct results *r, size_t count);

/* Servers beyond the plan's are not recorded per server: pass SNAPSHOT_NO_SERVER for lag. */
void results_latency(struct results *r, enum latency_metric metric, enum latency_clock clock,
                     uint8_t server, uint8_t stage, uint64_t value_ns);
void results_send_error(struct results *r, int error, uint8_t intent, struct ipv4 destination);
void results_unexpected(struct results *r, enum lease_state state, enum lease_event event);

void results_snapshot(const struct results *r, struct snapshot *out);
