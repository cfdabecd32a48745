/* SPDX-License-Identifier: MIT */
#include "proto/snapshot.h"

#include <assert.h>
#include <stddef.h>

static const char *const counter_names[COUNTER_COUNT] = {
#define X(name, help) [COUNTER_##name] = #name,
    SNAPSHOT_COUNTERS(X)
#undef X
};

static const char *const counter_helps[COUNTER_COUNT] = {
#define X(name, help) [COUNTER_##name] = help,
    SNAPSHOT_COUNTERS(X)
#undef X
};

static const char *const packet_names[PACKET_COUNT] = {
#define X(name, help) [PACKET_##name] = #name,
    SNAPSHOT_PACKETS(X)
#undef X
};

static const char *const metric_names[LATENCY_METRIC_COUNT] = {
    [LATENCY_DISCOVER_OFFER] = "discover_offer",
    [LATENCY_REQUEST_ACK] = "request_ack",
    [LATENCY_ACQUIRE] = "acquire",
    [LATENCY_RENEW] = "renew",
    [LATENCY_REBIND] = "rebind",
    [LATENCY_REBOOT] = "reboot",
    [LATENCY_INFORM] = "inform",
    [LATENCY_SEND_LAG] = "send_lag",
    [LATENCY_START_LATENESS] = "start_lateness",
};

static const char *const clock_names[LATENCY_CLOCK_COUNT] = {
    [LATENCY_INTENDED] = "intended",
    [LATENCY_FROM_SEND] = "from_send",
};

bool snapshot_counter_is_extreme(enum snapshot_counter c)
{
    return c == COUNTER_lane_work_peak || c == COUNTER_lane_waited_peak ||
           c == COUNTER_lane_absence_longest_ns;
}

const char *snapshot_counter_name(enum snapshot_counter c)
{
    assert((unsigned)c < COUNTER_COUNT);
    return counter_names[c];
}

const char *snapshot_counter_help(enum snapshot_counter c)
{
    assert((unsigned)c < COUNTER_COUNT);
    return counter_helps[c];
}

const char *snapshot_packet_name(enum snapshot_packet p)
{
    assert((unsigned)p < PACKET_COUNT);
    return packet_names[p];
}

const char *latency_metric_name(enum latency_metric m)
{
    assert((unsigned)m < LATENCY_METRIC_COUNT);
    return metric_names[m];
}

const char *latency_clock_name(enum latency_clock c)
{
    assert((unsigned)c < LATENCY_CLOCK_COUNT);
    return clock_names[c];
}

bool histogram_key_is_valid(struct histogram_key k)
{
    if (k.metric >= LATENCY_METRIC_COUNT || k.clock >= LATENCY_CLOCK_COUNT) {
        return false;
    }
    if (k.metric == LATENCY_SEND_LAG && k.clock != LATENCY_INTENDED) {
        return false;
    }
    if (k.server >= PLAN_SERVERS_MAX && k.server != SNAPSHOT_NO_SERVER) {
        return false;
    }
    return k.stage < PLAN_STAGES_MAX || k.stage == SNAPSHOT_STAGE_PREFLIGHT;
}
