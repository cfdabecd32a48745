/* SPDX-License-Identifier: MIT */
/* A client's exchanges are answered; leases begin. */
#include <assert.h>

#include "agent/client/lease_timing.h"
#include "agent/lane/lane_internal.h"

static void record_latency(struct lane *lane, const struct client *c, enum latency_metric metric,
                           uint64_t intended_ns, uint64_t sent_ns, uint64_t at_ns)
{
    uint8_t server = c->server == 0 ? SNAPSHOT_NO_SERVER : (uint8_t)(c->server - 1);
    uint8_t stage = lane_stage_index(lane);
    results_latency(&lane->results, metric, LATENCY_INTENDED, server, stage,
                    at_ns > intended_ns ? at_ns - intended_ns : 0);
    results_latency(&lane->results, metric, LATENCY_FROM_SEND, server, stage,
                    at_ns > sent_ns ? at_ns - sent_ns : 0);
}

void lane_offered(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    enum lease_action action = lane_step(c, LEASE_OFFER);
    assert(action == LEASE_REQUEST);
    (void)action;
    c->addr = r->yiaddr;
    lane_set_server(lane, c, r->server_id);
    c->offer_us = client_span_us(c, at_ns);
    c->attempt = 0;
    client_set(c, CLIENT_OFFER_SEEN);
    uint8_t server = lane_server_index(lane, r->server_id);
    uint8_t stage = lane_stage_index(lane);
    uint64_t sent_ns = client_at_us(c, c->first_sent_us);
    results_latency(&lane->results, LATENCY_DISCOVER_OFFER, LATENCY_INTENDED, server, stage,
                    at_ns > c->intended_ns ? at_ns - c->intended_ns : 0);
    results_latency(&lane->results, LATENCY_DISCOVER_OFFER, LATENCY_FROM_SEND, server, stage,
                    at_ns > sent_ns ? at_ns - sent_ns : 0);
    lane_queue(lane, local);
    lane_arm_timer(lane, local);
}

static void record_ack_latency(struct lane *lane, const struct client *c, enum event_kind kind,
                               uint64_t at_ns)
{
    static const enum latency_metric metric[EVENT_KIND_COUNT] = {
        [EVENT_ACQUIRE] = LATENCY_ACQUIRE, [EVENT_RENEW] = LATENCY_RENEW,
        [EVENT_REBIND] = LATENCY_REBIND,   [EVENT_REBOOT] = LATENCY_REBOOT,
        [EVENT_INFORM] = LATENCY_INFORM,
    };
    record_latency(lane, c, metric[kind], c->intended_ns, client_at_us(c, c->first_sent_us), at_ns);
    if (kind == EVENT_ACQUIRE) {
        record_latency(lane, c, LATENCY_REQUEST_ACK, client_at_us(c, c->offer_us),
                       client_at_us(c, client_message_sent_us(c)), at_ns);
    }
}

/* RFC 2131 4.3.1: what the ACK says against what the plan expects. */
static uint16_t check_ack(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                          uint16_t source_port)
{
    struct relay *relay = lane_relay_of(lane, local);
    unsigned flags = 0;
    if (!inet_net_contains(relay->plan->subnet, r->yiaddr)) {
        flags |= EVENT_OUTSIDE_SUBNET;
    }
    uint32_t expected_s = lane->plan->expect_lease_s;
    uint32_t least_s = lane->plan->expect_mclt_s != 0 && lane->plan->expect_mclt_s < expected_s
                           ? lane->plan->expect_mclt_s
                           : expected_s;
    if (expected_s != 0 && (r->lease_s < least_s || r->lease_s > expected_s)) {
        flags |= EVENT_SHORT_LEASE;
    }
    if (r->has_mask) {
        if (inet_is_zero(relay->mask)) {
            relay->mask = r->mask;
        } else if (!inet_equal(relay->mask, r->mask)) {
            flags |= EVENT_MASK_CHANGED;
        }
    }
    if (source_port != DHCP4_SERVER_PORT) {
        flags |= EVENT_WRONG_PORT;
    }
    return (uint16_t)flags;
}

static void count_lease(struct lane *lane, struct client *c, enum event_kind kind, struct event *e)
{
    struct results *r = &lane->results;
    if (kind == EVENT_RENEW || kind == EVENT_REBIND) {
        results_count(r, kind == EVENT_RENEW ? COUNTER_leases_renewed : COUNTER_leases_rebound);
        if (kind == EVENT_RENEW && c->tries > 1) {
            results_count(r, COUNTER_renew_retried);
        }
    } else if (client_has(c, CLIENT_HAD_LEASE)) {
        results_count(r, COUNTER_leases_reacquired);
    } else {
        results_count(r, COUNTER_leases_acquired);
        e->flags |= EVENT_FIRST_LEASE;
        if (client_has(c, CLIENT_FAILED_COUNTED)) {
            results_count(r, COUNTER_leases_late_bound);
            e->flags |= EVENT_LATE_BOUND;
        }
    }
}

/*
 * An ACK can be so late that T1 of its lease, counted from the request, is over when it comes. What
 * the client could not know before was not due before: no lag of the agent's, no wait of the
 * renewal.
 */
static void not_due_before(struct client *c, uint64_t at_ns)
{
    uint64_t passed_ms =
        at_ns > c->lease_ns ? (at_ns - c->lease_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
    if (passed_ms + 1 < c->expiry_ms && passed_ms > c->t1_ms) {
        c->t1_ms = (uint32_t)passed_ms;
        c->t2_ms = c->t2_ms > c->t1_ms ? c->t2_ms : c->t1_ms + 1;
    }
}

/* `sent_us`: of the answered message. */
static void set_lease(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                      uint32_t sent_us, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    struct lease_terms terms = {
        .lease_s = r->lease_s,
        .t1_s = r->t1_s,
        .t2_s = r->t2_s,
        .has_t1 = r->has_t1,
        .has_t2 = r->has_t2,
    };
    /* RFC 2131 4.4.1: the lease counts from when the answered REQUEST was first sent. */
    c->lease_ns = sent_us < UINT32_MAX ? client_at_us(c, sent_us) : at_ns;
    struct lease_spans spans =
        lease_spans_of(&terms, lane->plan->fuzz_permille, lane->plan->seed,
                       population_global(&lane->population, local), c->lease_count);
    c->t1_ms = spans.t1_ms;
    c->t2_ms = spans.t2_ms;
    c->expiry_ms = spans.expiry_ms;
    not_due_before(c, at_ns);
    c->addr = r->yiaddr;
    c->lease_count = c->lease_count < UINT8_MAX ? (uint8_t)(c->lease_count + 1) : 1;
    client_set(c, CLIENT_HAD_LEASE);
    lane->typical_t1_ms = spans.t1_ms;
}

static void informed(struct lane *lane, uint32_t local, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    record_ack_latency(lane, c, EVENT_INFORM, at_ns);
    lane_record(lane, local, EVENT_INFORM, EVENT_ACK, at_ns);
    client_set(c, CLIENT_ANSWERED);
    lane_close_exchange(lane, c);
    lane_arm_timer(lane, local);
    lane_recount(lane, CLASS_BOUND, true, c);
}

void lane_acked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                const struct lane_packet *packet)
{
    struct client *c = lane_client(lane, local);
    if (c->state == LEASE_BOUND) {
        informed(lane, local, packet->at_ns);
        return;
    }
    enum client_class before = lane_class_of(c);
    enum event_kind kind = lane_kind_of(c);
    bool is_changed = kind != EVENT_ACQUIRE && !inet_equal(c->addr, r->yiaddr);
    uint32_t since_renew_us = c->offer_us, sent_us = client_message_sent_us(c);
    lane_set_server(lane, c, r->server_id);
    record_ack_latency(lane, c, kind, packet->at_ns);
    struct event e =
        lane_event(lane, local, kind,
                   is_changed && kind != EVENT_REBOOT ? EVENT_CHANGED : EVENT_ACK, packet->at_ns);
    e.addr = r->yiaddr;
    e.lease_s = r->lease_s;
    e.flags = (uint16_t)(e.flags | check_ack(lane, local, r, packet->source_port));
    if (is_changed) {
        e.flags |= EVENT_ADDRESS_CHANGED;
    }
    if (kind == EVENT_REBIND) {
        uint64_t since_us = (uint64_t)since_renew_us + client_span_us(c, packet->at_ns);
        e.offer_us = since_us < EVENT_SPAN_MAX ? (uint32_t)since_us : EVENT_SPAN_MAX;
    }
    count_lease(lane, c, kind, &e);
    enum lease_action action = lane_step(c, LEASE_ACK);
    assert(action == LEASE_BIND);
    (void)action;
    set_lease(lane, local, r, sent_us, packet->at_ns);
    client_set(c, CLIENT_ANSWERED);
    lane_close_exchange(lane, c);
    results_event(&lane->results, &e);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, true, c);
}

/*
 * Refused: acquires again at once. What was an acquisition goes on with the
 * slot and the deadline it has; refused as often as it may try, it gives up, so
 * that a server that refuses everybody is not asked for ever. In a stage by arrivals the next
 * of them takes it up.
 */
static void begin_anew(struct lane *lane, uint32_t local, enum event_kind kind, bool in_stage)
{
    struct client *c = lane_client(lane, local);
    bool goes_on = kind == EVENT_ACQUIRE;
    unsigned naks = goes_on ? c->naks + 1U : 0;
    if (goes_on && (naks >= lane->plan->acquire_tries || naks > CLIENT_NAKS_MAX)) {
        lane_give_up(lane, local);
        return;
    }
    lane_start_acquire(lane, local, goes_on ? c->intended_ns : lane->now_ns,
                       in_stage ? CLIENT_IN_STAGE : 0);
    client_set_naks(c, naks);
}

void lane_nakked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    enum event_kind kind = lane_kind_of(c);
    results_count(&lane->results, COUNTER_leases_nak);
    struct event e = lane_event(lane, local, kind, EVENT_NAK, at_ns);
    e.server = r->server_id;
    results_event(&lane->results, &e);
    bool ends_here = lane_is_ending(lane) || lane_is_by_arrival(lane);
    bool goes_on_in_stage = client_has(c, CLIENT_IN_STAGE) && kind == EVENT_ACQUIRE;
    enum lease_action action = lane_step(c, LEASE_NAK);
    assert(action == LEASE_RESTART);
    (void)action;
    client_set(c, CLIENT_ANSWERED);
    client_clear(c, CLIENT_WAITING);
    if (!goes_on_in_stage || ends_here) {
        lane_stage_finished(lane, c);
    }
    lane_recount(lane, before, true, c);
    if (!ends_here) {
        begin_anew(lane, local, kind, goes_on_in_stage);
    }
    lane_arm_timer(lane, local);
}
