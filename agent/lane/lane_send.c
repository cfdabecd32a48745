/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "agent/client/lease_timing.h"
#include "agent/lane/lane_internal.h"
#include "agent/lane/lane_wire.h"
#include "common/prng.h"

enum {
    PURPOSE_XID = 0x5849,
    XID_BITS = 24,
    XID_STEP = 0x5bd1e9,  /* odd: runs through all values */
    DECLINE_PAUSE_S = 10, /* RFC 2131 3.1.5 */
    LOAD_WAIT_S = 4,      /* what a first DISCOVER waits, RFC 2131 4.1 */
    QUERY_WAIT_S = 2
};

struct relay *lane_relay_of(struct lane *lane, uint32_t local)
{
    return &lane->relays[population_share_of(&lane->population, local)];
}

void lane_new_xid(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    uint32_t mask = (UINT32_C(1) << XID_BITS) - 1;
    uint32_t number = c->xid & mask;
    if (c->xid == 0) {
        number = (uint32_t)prng_mix(lane->plan->identity_seed,
                                    population_global(&lane->population, local), PURPOSE_XID);
    }
    uint32_t slot = lane_relay_of(lane, local)->plan->xid_slot;
    c->xid = slot << XID_BITS | ((number + XID_STEP) & mask);
}

uint8_t lane_server_index(const struct lane *lane, struct ipv4 server)
{
    for (uint32_t i = 0; i < lane->plan->server_count; i++) {
        if (inet_equal(lane->plan->servers[i].address, server)) {
            return (uint8_t)i;
        }
    }
    return SNAPSHOT_NO_SERVER;
}

void lane_set_server(const struct lane *lane, struct client *c, struct ipv4 server)
{
    uint8_t index = lane_server_index(lane, server);
    c->server = index == SNAPSHOT_NO_SERVER ? 0 : (uint8_t)(index + 1);
}

void lane_queue(struct lane *lane, uint32_t local)
{
    struct client *c = lane_client(lane, local);
    if (client_has(c, CLIENT_QUEUED)) {
        return;
    }
    client_set(c, CLIENT_QUEUED);
    due_push(&lane->due, lane->population.clients, local);
}

bool lane_has_room(const struct lane *lane, const struct relay *relay)
{
    return lane->out_count + relay->plan->to_count <= LANE_OUTBOX_MAX &&
           results_has_room(&lane->results);
}

/* What all copies of a message share. */
struct message {
    uint32_t local;
    const struct relay *relay;
    enum dhcp4_intent intent;
    enum plan_path path;
    struct dhcp4_fill fill;
};

static void put_one(struct lane *lane, const struct message *m, struct ipv4 destination,
                    bool is_first)
{
    bool is_forwarded = relay_forwards(m->intent, m->path);
    struct lane_out *out = &lane->out[lane->out_count];
    if (!tx_gate_knows(&lane->gate, destination)) {
        return; /* cannot happen: OFFERs of unknown servers are never followed */
    }
    out->carrier = m->relay->carrier;
    out->port = is_forwarded ? LANE_PORT_SERVER : LANE_PORT_CLIENT;
    out->intent = m->intent;
    out->source = (struct ipv4){0};
    if (!is_forwarded && m->path == PLAN_PATH_ROUTED) {
        out->source = m->fill.ciaddr;
    }
    out->destination = destination;
    out->client = m->local;
    out->is_first = is_first;
    out->size = relay_write(m->relay, &lane->common, m->intent, m->path, &m->fill, out->bytes);
    lane->out_count++;
}

void lane_put(struct lane *lane, uint32_t local, enum dhcp4_intent intent, enum plan_path path)
{
    const struct client *c = lane_client(lane, local);
    const struct message m = {
        .local = local,
        .relay = lane_relay_of(lane, local),
        .intent = intent,
        .path = path,
        .fill = {.xid = c->xid,
                 .secs = c->secs,
                 .chaddr = plan_client_mac(lane->plan, population_global(&lane->population, local)),
                 .ciaddr = c->addr,
                 .requested_ip = c->addr,
                 .server_id = lane_server_of(lane, c)},
    };
    const struct plan_relay *relay = m.relay->plan;
    bool is_first = c->attempt == 1;
    if (!relay_copies(intent)) {
        put_one(lane, &m, m.fill.server_id, is_first);
        return;
    }
    for (uint8_t i = 0; i < relay->to_count; i++) {
        put_one(lane, &m, lane->plan->servers[relay->to[i]].address, is_first && i == 0);
    }
}

/* What a client in this state has to say; false: nothing, it has moved on since it was queued. */
static bool intent_of(const struct client *c, enum dhcp4_intent *out)
{
    if (client_has(c, CLIENT_QUERYING)) {
        *out = DHCP4_QUERY;
        return client_has(c, CLIENT_WAITING);
    }
    static const struct {
        enum dhcp4_intent intent;
        bool asks, tells; /* tells: there is no answer to wait for */
    } by_state[LEASE_STATE_COUNT] = {
        [LEASE_SELECTING] = {.intent = DHCP4_DISCOVER, .asks = true},
        [LEASE_REQUESTING] = {.intent = DHCP4_REQUEST, .asks = true},
        [LEASE_BOUND] = {.intent = DHCP4_INFORM, .asks = true},
        [LEASE_RENEWING] = {.intent = DHCP4_RENEW, .asks = true},
        [LEASE_REBINDING] = {.intent = DHCP4_REBIND, .asks = true},
        [LEASE_REBOOTING] = {.intent = DHCP4_REBOOT, .asks = true},
        [LEASE_RELEASED] = {.intent = DHCP4_RELEASE, .tells = true},
        [LEASE_DECLINED] = {.intent = DHCP4_DECLINE, .tells = true},
    };
    *out = by_state[c->state].intent;
    return by_state[c->state].tells || (by_state[c->state].asks && client_has(c, CLIENT_WAITING));
}

uint32_t lane_due_packets(const struct lane *lane)
{
    uint32_t local = lane->due.first;
    enum dhcp4_intent intent;
    if (lane->due.count == 0 || !intent_of(&lane->population.clients[local], &intent)) {
        return 0;
    }
    size_t share = population_share_of(&lane->population, local);
    return relay_copies(intent) ? lane->relays[share].plan->to_count : 1;
}

uint64_t lane_wait_ns(const struct lane *lane, uint32_t local, enum dhcp4_intent intent)
{
    const struct client *c = &lane->population.clients[local];
    if (client_has(c, CLIENT_SINGLE)) {
        return LOAD_WAIT_S * NS_PER_S;
    }
    if (intent == DHCP4_QUERY) {
        return QUERY_WAIT_S * NS_PER_S;
    }
    if (intent == DHCP4_RENEW || intent == DHCP4_REBIND) {
        uint64_t end_ns = client_lease_at_ns(c, intent == DHCP4_RENEW ? c->t2_ms : c->expiry_ms);
        uint64_t left_ns = end_ns > lane->now_ns ? end_ns - lane->now_ns : 0;
        return lease_renew_wait_ns(left_ns, lane->plan->renew_retry_ns);
    }
    return lease_backoff_ns(c->attempt, lane->plan->seed,
                            population_global(&lane->population, local), c->lease_count);
}

/* `secs` of this transmission, RFC 2131 table 5; failover decides by it. */
static uint16_t secs_of(const struct lane *lane, const struct client *c, enum dhcp4_intent intent)
{
    switch (intent) {
    case DHCP4_DISCOVER:
    case DHCP4_RENEW:
    case DHCP4_REBOOT:
    case DHCP4_INFORM:
        return c->tries == 0 ? 0 : lease_secs(client_at_us(c, c->first_sent_us), lane->now_ns);
    case DHCP4_REBIND: /* since T1: the client has been trying from there on */
        return lease_secs(client_lease_at_ns(c, c->t1_ms), lane->now_ns);
    case DHCP4_REQUEST:
        return c->secs; /* of the DISCOVER, RFC 2131 4.4.1 */
    case DHCP4_DECLINE:
    case DHCP4_RELEASE:
    case DHCP4_QUERY:
    case DHCP4_INTENT_COUNT:
        break;
    }
    return 0;
}

static void transmit(struct lane *lane, uint32_t local, enum dhcp4_intent intent)
{
    struct client *c = lane_client(lane, local);
    c->secs = secs_of(lane, c, intent);
    c->attempt = c->attempt < UINT8_MAX ? (uint8_t)(c->attempt + 1) : UINT8_MAX;
    c->tries = c->tries < UINT8_MAX ? (uint8_t)(c->tries + 1) : UINT8_MAX;
    if (c->attempt == 1) {
        client_note_sent(c, lane->now_ns, c->tries == 1);
    }
    lane_put(lane, local, intent, lane->path);
    if (client_has(c, CLIENT_WAITING)) {
        client_set_retry(c, lane->now_ns + lane_wait_ns(lane, local, intent));
        lane_arm_timer(lane, local);
    } else if (intent == DHCP4_DECLINE) {
        client_set_retry(c, lane->now_ns + DECLINE_PAUSE_S * NS_PER_S);
        lane_arm_timer(lane, local);
    }
}

/* Without the coordinator leases are kept, and nothing else is done. */
static bool must_wait(const struct lane *lane, enum dhcp4_intent intent)
{
    return lane->right == LANE_MAY_RENEW && intent != DHCP4_RENEW && intent != DHCP4_REBIND;
}

/* The lease ended while its RELEASE waited to be sent: the address may be somebody else's by now.
 */
static bool comes_too_late(const struct lane *lane, const struct client *c,
                           enum dhcp4_intent intent)
{
    return intent == DHCP4_RELEASE && client_lease_at_ns(c, c->expiry_ms) <= lane->now_ns;
}

static void forgo_release(struct lane *lane, uint32_t local)
{
    struct event e = lane_event(lane, local, EVENT_RELEASE, EVENT_SENT, lane->now_ns);
    e.tries = 0;
    if (lane_is_ending(lane)) {
        e.flags |= EVENT_CLEANUP;
    }
    results_event(&lane->results, &e);
    lane_stage_finished(lane, lane_client(lane, local));
}

void lane_send_due(struct lane *lane)
{
    struct client *clients = lane->population.clients;
    while (lane->due.count > 0) {
        uint32_t local = lane->due.first;
        struct client *c = lane_client(lane, local);
        const struct relay *relay = lane_relay_of(lane, local);
        enum dhcp4_intent intent;
        bool speaks = intent_of(c, &intent);
        bool is_held = speaks && must_wait(lane, intent);
        bool is_late = speaks && comes_too_late(lane, c, intent);
        if (speaks && !is_held) {
            uint32_t copies = relay_copies(intent) ? relay->plan->to_count : 1;
            if (!lane_has_room(lane, relay) ||
                (!is_late && !tx_gate_pass(&lane->gate, copies, lane->now_ns))) {
                return;
            }
        }
        (void)due_pop(&lane->due, clients);
        if (is_held) {
            due_push(&lane->held, clients, local);
            continue;
        }
        client_clear(c, CLIENT_QUEUED);
        if (is_late) {
            forgo_release(lane, local);
        } else if (speaks) {
            transmit(lane, local, intent);
        }
    }
    tx_gate_caught_up(&lane->gate);
}

/* --- what became of a packet --- */

static enum snapshot_counter sent_counter(enum dhcp4_intent intent)
{
    static const enum snapshot_counter counters[DHCP4_INTENT_COUNT] = {
        [DHCP4_DISCOVER] = COUNTER_sent_discover, [DHCP4_REQUEST] = COUNTER_sent_request,
        [DHCP4_RENEW] = COUNTER_sent_renew,       [DHCP4_REBIND] = COUNTER_sent_rebind,
        [DHCP4_REBOOT] = COUNTER_sent_reboot,     [DHCP4_DECLINE] = COUNTER_sent_decline,
        [DHCP4_RELEASE] = COUNTER_sent_release,   [DHCP4_INFORM] = COUNTER_sent_inform,
        [DHCP4_QUERY] = COUNTER_sent_query,
    };
    return counters[intent];
}

/* RELEASE and DECLINE have no answer: sent is all that can be known of them. */
static void one_way_sent(struct lane *lane, const struct lane_out *out, int error, uint64_t at_ns)
{
    struct client *c = lane_client(lane, out->client);
    bool is_release = out->intent == DHCP4_RELEASE;
    struct event e = lane_event(lane, out->client, is_release ? EVENT_RELEASE : EVENT_DECLINE,
                                EVENT_SENT, at_ns);
    e.tries = error == 0 ? 1 : 0;
    if (error == 0 && is_release) {
        results_count(&lane->results, COUNTER_leases_released);
    }
    if (is_release && lane_is_ending(lane)) {
        e.flags |= EVENT_CLEANUP;
    }
    results_event(&lane->results, &e);
    lane_stage_finished(lane, c);
}

/* A pause is no lateness of the agent's own: it is counted, and marked, as what it is. */
static void record_lag(struct lane *lane, const struct client *c, uint64_t at_ns)
{
    if (!client_has(c, CLIENT_PAUSED) && c->intended_ns >= lane->back_at_ns) {
        results_latency(&lane->results, LATENCY_SEND_LAG, LATENCY_INTENDED, 0,
                        lane_stage_index(lane),
                        at_ns > c->intended_ns ? at_ns - c->intended_ns : 0);
    }
}

void lane_sent(struct lane *lane, size_t index, int error, uint64_t at_ns)
{
    assert(index < lane->out_count);
    const struct lane_out *out = &lane->out[index];
    bool is_stranger = out->client == LANE_STRANGER;
    struct client *c = is_stranger ? NULL : lane_client(lane, out->client);
    bool is_preflight = is_stranger || client_has(c, CLIENT_PREFLIGHT);
    if (error == 0) {
        results_count(&lane->results, sent_counter(out->intent));
        lane->results.counter[COUNTER_preflight_sent] += is_preflight;
        if (!is_preflight) {
            lane_wire_sent(lane, out);
        }
    } else {
        results_send_error(&lane->results, error, (uint8_t)out->intent, out->destination);
    }
    if (is_stranger) {
        return;
    }
    if (is_preflight) {
        lane_preflight_sent(lane, out, error);
        return;
    }
    if (out->is_first && client_has(c, CLIENT_WAITING)) {
        client_note_sent(c, at_ns, c->tries == 1);
        if (c->tries == 1) {
            record_lag(lane, c, at_ns);
        }
    }
    bool is_last_copy = index + 1 == lane->out_count ||
                        lane->out[index + 1].client != out->client ||
                        lane->out[index + 1].intent != out->intent;
    if ((out->intent == DHCP4_RELEASE || out->intent == DHCP4_DECLINE) && is_last_copy) {
        one_way_sent(lane, out, error, at_ns);
    }
}
