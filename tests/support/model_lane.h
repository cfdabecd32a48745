/* SPDX-License-Identifier: MIT */
/*
 * A lane without DHCP, for tests of what stands around it: it defines every
 * function of agent/lane/lane.h, so the linker takes none of the real ones.
 *
 * GO makes each client send one packet to the plan's first server and yields
 * one event per client; DRAIN is over at once. Nothing answers. Include it in
 * one .c file per program.
 */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lane/lane.h"
#include "agent/lane/lane_sleep.h"
#include "agent/lane/wake.h"

enum { MODEL_HISTOGRAMS = 40, MODEL_CARRIERS_MAX = 4 };

/* What tests look at from their own thread. */
static struct {
    _Atomic uint64_t sent, send_errors;
    _Atomic uint32_t last_send_errno;
    _Atomic uint32_t lanes; /* alive */
    _Atomic bool may_send, may_renew, take_fails, is_spent;
    _Atomic uint64_t taken; /* clients, of all lanes */
    _Atomic uint64_t late_samples;
    /* As the latest lane was told. */
    _Atomic uint64_t packets_per_s_max, batch, rate_milli_per_s;
    _Atomic uint64_t adopted; /* of the lane that lives or lived last */
} model_lane;

struct lane {
    const struct plan *plan;
    struct control_share shares[MODEL_CARRIERS_MAX];
    size_t share_count;
    struct lane_out out[LANE_OUTBOX_MAX];
    size_t out_count;
    struct event events[LANE_EVENTS_MAX];
    size_t event_count;
    struct control_go go;
    uint32_t started;
    uint64_t all_events;
    bool has_go, may_send, is_draining;
    uint64_t assignment_epoch;
    struct control_preflight_relay preflight[MODEL_CARRIERS_MAX];
    bool is_preflight_done;
    uint64_t received;
    struct histogram histogram[MODEL_HISTOGRAMS];
};

struct lane *lane_new(const struct lane_setup *setup)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    assert(lane != NULL && setup->share_count <= MODEL_CARRIERS_MAX);
    lane->plan = setup->plan;
    lane->assignment_epoch = 1;
    lane->share_count = setup->share_count;
    atomic_store(&model_lane.packets_per_s_max, setup->packets_per_s_max);
    memcpy(lane->shares, setup->shares, setup->share_count * sizeof(*setup->shares));
    atomic_fetch_add(&model_lane.lanes, 1);
    atomic_store(&model_lane.adopted, 0);
    return lane;
}

void lane_free(struct lane *lane)
{
    if (lane != NULL) {
        atomic_fetch_sub(&model_lane.lanes, 1);
    }
    free(lane);
}

void *lane_records(struct lane *lane, size_t *out_bytes)
{
    (void)lane;
    *out_bytes = 0;
    return NULL;
}

size_t lane_memory_bytes(const struct lane *lane)
{
    return sizeof(*lane);
}

size_t lane_carrier_count(const struct lane *lane)
{
    return lane->share_count;
}

struct ipv4 lane_carrier_address(const struct lane *lane, size_t carrier)
{
    return lane->plan->relays[lane->shares[carrier].relay].via;
}

void lane_preflight(struct lane *lane, const struct control_preflight *command, uint64_t now_ns)
{
    (void)now_ns;
    for (size_t i = 0; i < lane->share_count; i++) {
        lane->preflight[i] = (struct control_preflight_relay){
            .relay = lane->shares[i].relay, .clients = 3, .path_count = command->path_count};
        for (uint32_t k = 0; k < command->path_count; k++) {
            lane->preflight[i].path[k].path = command->path[k];
        }
    }
    lane->is_preflight_done = true;
}

void lane_arm(struct lane *lane, enum plan_path path)
{
    (void)lane;
    (void)path;
}

void lane_go(struct lane *lane, const struct control_go *command, uint64_t now_ns)
{
    (void)now_ns;
    lane->go = *command;
    lane->has_go = true;
    atomic_store(&model_lane.batch, command->batch);
    atomic_store(&model_lane.rate_milli_per_s, command->rate_milli_per_s);
}

void lane_drain(struct lane *lane, const struct control_drain *command, uint64_t now_ns)
{
    (void)command;
    (void)now_ns;
    lane->is_draining = true;
}

size_t lane_adopt(struct lane *lane, const struct control_adopt *command, uint64_t now_ns)
{
    (void)lane;
    (void)now_ns;
    atomic_fetch_add(&model_lane.adopted, command->lease_count);
    return command->lease_count;
}

/* It knows no renewals: alone it does nothing. */
void lane_set_right(struct lane *lane, enum lane_right right, uint64_t since_ns, uint64_t now_ns)
{
    (void)since_ns;
    (void)now_ns;
    lane->may_send = right == LANE_MAY_SEND;
    atomic_store(&model_lane.may_send, right == LANE_MAY_SEND);
    atomic_store(&model_lane.may_renew, right != LANE_MAY_NOTHING);
}

bool lane_take(struct lane *lane, const struct control_take *command, uint64_t now_ns)
{
    (void)now_ns;
    if (atomic_load(&model_lane.take_fails)) {
        return false;
    }
    if (command->assignment_epoch == lane->assignment_epoch + 1) {
        lane->assignment_epoch++;
        atomic_store(&model_lane.packets_per_s_max, command->packets_per_s_max);
        for (size_t i = 0; i < command->share_count; i++) {
            atomic_fetch_add(&model_lane.taken, command->shares[i].client_count);
        }
    }
    return true;
}

void lane_set_pressure(struct lane *lane, uint32_t permille)
{
    (void)lane;
    (void)permille;
}

void lane_receive(struct lane *lane, const struct lane_packet *packet)
{
    (void)packet;
    lane->received++;
}

void lane_count_icmp(struct lane *lane, uint64_t errors)
{
    (void)lane;
    (void)errors;
}

void lane_count_rx(struct lane *lane, uint64_t drops, uint64_t stamps_replaced, uint64_t truncated)
{
    (void)lane;
    (void)drops;
    (void)stamps_replaced;
    (void)truncated;
}

size_t lane_outbox(struct lane *lane, const struct lane_out **out)
{
    *out = lane->out;
    return lane->out_count;
}

void lane_sent(struct lane *lane, size_t index, int error, uint64_t at_ns)
{
    (void)at_ns;
    assert(index < lane->out_count);
    if (error != 0) {
        atomic_store(&model_lane.last_send_errno, (uint32_t)error);
        atomic_fetch_add(&model_lane.send_errors, 1);
    } else {
        atomic_fetch_add(&model_lane.sent, 1);
    }
}

void lane_outbox_clear(struct lane *lane)
{
    lane->out_count = 0;
}

void lane_outbox_withdraw(struct lane *lane, size_t first)
{
    assert(first <= lane->out_count);
    lane->out_count = 0;
}

static bool model_lane_has_work(const struct lane *lane)
{
    return lane->has_go && !lane->is_draining && lane->may_send &&
           lane->started < lane->go.client_limit;
}

static void model_lane_start_one(struct lane *lane, uint64_t now_ns)
{
    struct lane_out *out = &lane->out[lane->out_count++];
    memset(out, 0, offsetof(struct lane_out, bytes));
    out->destination = lane->plan->servers[0].address;
    out->client = lane->started;
    out->size = DHCP4_MIN_BYTES;
    memset(out->bytes, 0, DHCP4_MIN_BYTES);
    struct event *e = &lane->events[lane->event_count++];
    memset(e, 0, sizeof(*e));
    e->t_us = now_ns / NS_PER_US;
    e->client = lane->started;
    e->kind = EVENT_ACQUIRE;
    e->result = EVENT_ACK;
    e->lease_s = 60;
    e->addr = inet_from_host(inet_host(lane->plan->block.base) + 1 + lane->started);
    e->server = lane->plan->servers[0].address;
    e->tries = 2;
    e->stage = (uint8_t)lane->go.stage;
    histogram_record(&lane->histogram[lane->started % MODEL_HISTOGRAMS], NS_PER_MS);
    lane->started++;
    lane->all_events++;
}

void lane_turn(struct lane *lane, uint64_t now_ns)
{
    while (model_lane_has_work(lane) && lane->out_count < LANE_OUTBOX_MAX &&
           lane->event_count < LANE_EVENTS_MAX) {
        model_lane_start_one(lane, now_ns);
    }
}

uint64_t lane_next_ns(const struct lane *lane)
{
    return model_lane_has_work(lane) ? 0 : UINT64_MAX;
}

/* Nothing waits for a schedule. */
double lane_begins_per_s(const struct lane *lane)
{
    (void)lane;
    return 0;
}

size_t lane_events(const struct lane *lane, const struct event **out)
{
    *out = lane->events;
    return lane->event_count;
}

void lane_events_clear(struct lane *lane, size_t count)
{
    assert(count <= lane->event_count);
    lane->event_count -= count;
    memmove(lane->events, lane->events + count, lane->event_count * sizeof(*lane->events));
}

void lane_progress(const struct lane *lane, struct control_progress *out)
{
    out->assignment_epoch = lane->assignment_epoch;
    out->stage = lane->go.stage;
    out->step = lane->go.step;
    out->started = lane->started;
    out->finished = lane->started;
    out->is_step_done = lane->has_go && lane->started == lane->go.client_limit;
    out->received = lane->received;
}

void lane_slept(struct lane *lane, uint64_t span_ns)
{
    (void)lane;
    (void)span_ns;
}

bool lane_is_spent(const struct lane *lane)
{
    (void)lane;
    return atomic_load(&model_lane.is_spent);
}

bool lane_is_drained(const struct lane *lane)
{
    return lane->is_draining;
}

bool lane_preflight_is_done(const struct lane *lane)
{
    return lane->is_preflight_done;
}

size_t lane_preflight_relays(const struct lane *lane, const struct control_preflight_relay **out)
{
    *out = lane->preflight;
    return lane->share_count;
}

void lane_snapshot(const struct lane *lane, struct snapshot *out)
{
    out->counter[COUNTER_events] = lane->all_events;
}

size_t lane_histogram_count(const struct lane *lane)
{
    (void)lane;
    return MODEL_HISTOGRAMS;
}

const struct histogram *lane_histogram(const struct lane *lane, size_t slot,
                                       struct histogram_key *out_key, uint64_t *out_version)
{
    *out_key = (struct histogram_key){.metric = LATENCY_ACQUIRE,
                                      .clock = LATENCY_INTENDED,
                                      .server = (uint8_t)(slot % 2),
                                      .stage = (uint8_t)(slot / 2)};
    *out_version = lane->histogram[slot].count;
    return &lane->histogram[slot];
}

void lane_record_lateness(struct lane *lane, uint32_t stage, uint64_t late_ns)
{
    (void)lane;
    (void)stage;
    (void)late_ns;
    atomic_fetch_add(&model_lane.late_samples, 1);
}
