/* SPDX-License-Identifier: MIT */
/* A lane's life, its commands and what can be asked of it. */
#include "agent/lane/lane.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lane/lane_internal.h"

/* --- life --- */

static bool init_carriers(struct lane *lane)
{
    lane->carriers = calloc(lane->population.share_count + 1, sizeof(*lane->carriers));
    return lane->carriers != NULL;
}

/* Index of the address among the carriers; added when it is new. */
static size_t carrier_of(struct lane *lane, struct ipv4 via)
{
    for (size_t i = lane->carrier_count; i > 0; i--) {
        if (inet_equal(lane->carriers[i - 1], via)) {
            return i - 1;
        }
    }
    lane->carriers[lane->carrier_count] = via;
    return lane->carrier_count++;
}

static bool init_relays(struct lane *lane)
{
    struct dhcp4_profile profile;
    relay_profile(lane->plan, &profile);
    lane->relays = calloc(lane->population.share_count + 1, sizeof(*lane->relays));
    if (lane->relays == NULL || !init_carriers(lane) ||
        !relay_common_init(&lane->common, &profile)) {
        return false;
    }
    for (size_t i = 0; i < lane->population.share_count; i++) {
        const struct plan_relay *plan = &lane->plan->relays[lane->population.shares[i].relay];
        if (!relay_init(&lane->relays[i], plan, carrier_of(lane, plan->via), &profile)) {
            return false;
        }
    }
    return true;
}

/* The lists of stages that work by arrivals, where the plan can have such. */
static bool init_ready(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->plan->stage_count; i++) {
        enum plan_stage_kind kind = lane->plan->stages[i].kind;
        if (kind == PLAN_LOAD || kind == PLAN_RELEASE) {
            return ready_init(&lane->ready, lane->population.count);
        }
    }
    return true;
}

static struct timer_wheel *new_wheel(const struct lane *lane)
{
    const struct timer_wheel_entries clients = {.first = lane->population.clients,
                                                .stride = sizeof(struct client),
                                                .link_offset = offsetof(struct client, timer),
                                                .deadline_ns = lane_timer_ns,
                                                .context = lane};
    return timer_wheel_new(&clients, lane->now_ns);
}

size_t lane_memory_of(const struct lane *lane)
{
    size_t shares = lane->population.share_count;
    size_t own_templates = 0;
    for (size_t i = 0; i < shares; i++) {
        own_templates += lane->relays[i].own != NULL;
    }
    return sizeof(*lane) + own_templates * sizeof(struct relay_templates) +
           lane->population.room * sizeof(struct client) + timer_wheel_memory_bytes() +
           lane->comeback.count * sizeof(*lane->comeback.local) +
           shares * (sizeof(*lane->relays) + sizeof(*lane->carriers) + sizeof(struct stranger) +
                     LANE_PREFLIGHT_CLIENTS * sizeof(struct probe)) +
           LANE_OUTBOX_MAX * sizeof(*lane->out) +
           lane->results.histogram_count * sizeof(*lane->results.histograms) +
           LANE_EVENTS_MAX * sizeof(struct event) + ready_memory_bytes(&lane->ready) +
           (lane->queries != NULL ? LANE_QUERY_RING * sizeof(*lane->queries) : 0);
}

struct lane *lane_new(const struct lane_setup *setup)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        return NULL;
    }
    lane->plan = setup->plan;
    lane->now_ns = setup->now_ns;
    lane->path = PLAN_PATH_EGRESS;
    bool ok = population_init(&lane->population, setup->shares, setup->share_count) &&
              init_relays(lane) && results_init(&lane->results, setup->plan) &&
              lane_preflight_init(lane) && lane_query_init(lane) && init_ready(lane);
    uint32_t count = lane->population.count;
    if (ok) {
        lane->wheel = new_wheel(lane);
        lane->out = calloc(LANE_OUTBOX_MAX, sizeof(*lane->out));
        ok = lane->wheel != NULL && lane->out != NULL;
    }
    if (!ok) {
        lane_free(lane);
        return NULL;
    }
    tx_gate_init(&lane->gate, setup->plan, setup->packets_per_s_max, setup->now_ns);
    if (setup->total_packets != 0) {
        tx_gate_set_total(&lane->gate, setup->total_packets);
    }
    lane->results.counter[COUNTER_clients_assigned] = count;
    lane->results.counter[COUNTER_clients_never_started] = count;
    lane->assignment_epoch = 1;
    lane->memory_bytes = lane_memory_of(lane);
    return lane;
}

void lane_free(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    lane_preflight_fini(lane);
    results_fini(&lane->results);
    timer_wheel_free(lane->wheel);
    for (size_t i = 0; lane->relays != NULL && i < lane->population.share_count; i++) {
        relay_fini(&lane->relays[i]);
    }
    population_fini(&lane->population);
    ready_fini(&lane->ready);
    free(lane->queries);
    free(lane->relays);
    free(lane->carriers);
    free(lane->comeback.local);
    free(lane->out);
    free(lane);
}

size_t lane_memory_bytes(const struct lane *lane)
{
    return lane->memory_bytes;
}

void *lane_records(struct lane *lane, size_t *out_bytes)
{
    *out_bytes = lane->population.room * sizeof(struct client);
    return lane->population.clients;
}

size_t lane_carrier_count(const struct lane *lane)
{
    return lane->carrier_count;
}

struct ipv4 lane_carrier_address(const struct lane *lane, size_t carrier)
{
    assert(carrier < lane->carrier_count);
    return lane->carriers[carrier];
}

/* --- commands --- */

void lane_arm(struct lane *lane, enum plan_path path)
{
    lane->path = path;
}

void lane_set_pressure(struct lane *lane, uint32_t permille)
{
    lane->results.pressure_permille = permille;
}

/* --- packets --- */

size_t lane_outbox(struct lane *lane, const struct lane_out **out)
{
    *out = lane->out;
    return lane->out_count;
}

void lane_outbox_clear(struct lane *lane)
{
    lane->out_count = 0;
}

/* --- time --- */

enum { FIRED_PER_CALL = 256 };

static void expire_timers(struct lane *lane)
{
    uint32_t fired[FIRED_PER_CALL];
    uint32_t count;
    do {
        if (!results_has_room(&lane->results)) {
            return; /* the rest fires in the next turn, when the events were taken */
        }
        count = timer_wheel_advance(lane->wheel, lane->now_ns, fired, FIRED_PER_CALL);
        for (uint32_t i = 0; i < count; i++) {
            lane_timer_fired(lane, fired[i]);
        }
    } while (count == FIRED_PER_CALL);
}

void lane_turn(struct lane *lane, uint64_t now_ns)
{
    lane->now_ns = now_ns > lane->now_ns ? now_ns : lane->now_ns;
    if (lane->is_stopped) {
        lane_drain_turn(lane);
        return;
    }
    expire_timers(lane);
    lane_preflight_turn(lane);
    lane_comeback_turn(lane);
    lane_stage_turn(lane);
    lane_drain_turn(lane);
    lane_send_due(lane);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t lane_next_ns(const struct lane *lane)
{
    if (lane->is_drained) {
        return UINT64_MAX;
    }
    uint64_t next_ns = timer_wheel_next_ns(lane->wheel);
    if (lane->due.count > 0) {
        next_ns =
            earliest(next_ns, tx_gate_next_ns(&lane->gate, lane_due_packets(lane), lane->now_ns));
    }
    next_ns = earliest(next_ns, lane_preflight_next_ns(lane));
    next_ns = earliest(next_ns, lane_comeback_next_ns(lane));
    next_ns = earliest(next_ns, lane_stage_next_ns(lane));
    return earliest(next_ns, lane_drain_next_ns(lane));
}

/* --- results --- */

size_t lane_events(const struct lane *lane, const struct event **out)
{
    *out = lane->results.events;
    return lane->results.event_count;
}

void lane_events_clear(struct lane *lane, size_t count)
{
    results_events_taken(&lane->results, count);
}

void lane_progress(const struct lane *lane, struct control_progress *out)
{
    const uint64_t *counter = lane->results.counter;
    memset(out, 0, sizeof(*out));
    out->assignment_epoch = lane->assignment_epoch;
    out->round = lane->stage.round;
    out->stage = lane->stage.index;
    out->step = lane->stage.step;
    out->is_step_done = lane_stage_is_done(lane);
    out->started = lane->stage.started;
    out->finished = lane->stage.finished;
    out->bound = (uint32_t)counter[COUNTER_clients_bound];
    out->failed = (uint32_t)counter[COUNTER_clients_failed];
    out->foreign_offers = counter[COUNTER_foreign_offers];
    out->received = counter[COUNTER_received_offer] + counter[COUNTER_received_ack] +
                    counter[COUNTER_received_nak] + counter[COUNTER_received_other] +
                    counter[COUNTER_received_malformed];
    out->silent_streak = counter[COUNTER_silent_streak];
    out->foreign_offer_addr = lane->foreign_addr;
    out->foreign_offer_server = lane->foreign_server;
}

bool lane_is_spent(const struct lane *lane)
{
    return lane->gate.is_spent;
}

bool lane_is_drained(const struct lane *lane)
{
    return lane->is_drained;
}

void lane_snapshot(const struct lane *lane, struct snapshot *out)
{
    results_snapshot(&lane->results, out);
    out->counter[COUNTER_planned_starts] += lane_stage_planned(lane);
    lane_right_snapshot(lane, out);
}

size_t lane_histogram_count(const struct lane *lane)
{
    return lane->results.histogram_count;
}

const struct histogram *lane_histogram(const struct lane *lane, size_t slot,
                                       struct histogram_key *out_key, uint64_t *out_version)
{
    assert(slot < lane->results.histogram_count);
    const struct results_histogram *h = &lane->results.histograms[slot];
    *out_key = h->key;
    *out_version = h->version;
    return &h->h;
}

void lane_record_lateness(struct lane *lane, uint32_t stage, uint64_t late_ns)
{
    results_latency(&lane->results, LATENCY_START_LATENESS, LATENCY_INTENDED, 0, (uint8_t)stage,
                    late_ns);
}
