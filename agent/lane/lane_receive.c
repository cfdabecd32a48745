/* SPDX-License-Identifier: MIT */
#include "agent/lane/lane_internal.h"
#include "agent/lane/lane_stranger.h"
#include "agent/lane/lane_wire.h"
#include "agent/relay/exchange.h"

/* Per server count the answers that were taken: a failover partner repeats the other's. */
static void count_server(struct lane *lane, const struct dhcp4_reply *r)
{
    uint8_t index = lane_server_index(lane, r->server_id);
    if (index == SNAPSHOT_NO_SERVER) {
        return;
    }
    struct snapshot_server *server = &lane->results.server[index];
    server->offers += r->type == DHCP4_TYPE_OFFER;
    server->acks += r->type == DHCP4_TYPE_ACK;
    server->naks += r->type == DHCP4_TYPE_NAK;
}

bool lane_came_the_right_way(const struct lane *lane, uint32_t local,
                             const struct lane_packet *packet, const struct dhcp4_reply *r)
{
    const struct relay *relay = &lane->relays[population_share_of(&lane->population, local)];
    if (packet->carrier != SIZE_MAX && packet->carrier != relay->carrier) {
        return false;
    }
    return packet->port == LANE_PORT_CLIENT || inet_equal(r->giaddr, relay->plan->giaddr);
}

/*
 * The OFFER rule, DESIGN section 4: what lies outside the block, or comes from
 * a server that is not ours, is never requested. The same for such an ACK.
 */
static bool is_foreign(const struct lane *lane, const struct dhcp4_reply *r)
{
    return !inet_net_contains(lane->plan->block, r->yiaddr) ||
           lane_server_index(lane, r->server_id) == SNAPSHOT_NO_SERVER;
}

static void refuse_foreign(struct lane *lane, struct client *c, const struct dhcp4_reply *r)
{
    results_count(&lane->results, COUNTER_foreign_offers);
    lane->foreign_addr = r->yiaddr;
    lane->foreign_server = r->server_id;
    client_set(c, CLIENT_FOREIGN_SEEN);
}

static void answered(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                     const struct lane_packet *packet)
{
    struct client *c = lane_client(lane, local);
    count_server(lane, r);
    if (r->type == DHCP4_TYPE_NAK) {
        lane_nakked(lane, local, r, packet->at_ns);
    } else if (!inet_is_zero(r->yiaddr) && is_foreign(lane, r)) {
        refuse_foreign(lane, c, r);
    } else if (r->type == DHCP4_TYPE_OFFER) {
        lane_offered(lane, local, r, packet->at_ns);
    } else {
        lane_acked(lane, local, r, packet);
    }
}

/* The fate of a well-formed reply for one of our clients. */
static enum snapshot_counter deliver(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                                     const struct lane_packet *packet)
{
    struct client *c = lane_client(lane, local);
    if (client_has(c, CLIENT_PREFLIGHT)) {
        results_count(&lane->results, COUNTER_preflight_received);
        if (r->xid != c->xid) {
            return COUNTER_fate_late;
        }
        return lane_preflight_receive(lane, local, r, packet) ? COUNTER_fate_answer
                                                              : COUNTER_fate_duplicate;
    }
    lane->results.counter[COUNTER_silent_streak] = 0;
    enum exchange_fate fate = exchange_fate_of(c, r);
    enum lease_event event;
    switch (fate) {
    case EXCHANGE_ANSWER:
        answered(lane, local, r, packet);
        return COUNTER_fate_answer;
    case EXCHANGE_LATE:
        return COUNTER_fate_late;
    case EXCHANGE_DUPLICATE:
    case EXCHANGE_UNEXPECTED:
        if (exchange_event_of(r, &event)) {
            results_unexpected(&lane->results, (enum lease_state)c->state, event);
        }
        return fate == EXCHANGE_DUPLICATE ? COUNTER_fate_duplicate : COUNTER_fate_late;
    }
    return COUNTER_fate_late;
}

static enum snapshot_counter fate_of(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                                     const struct lane_packet *packet)
{
    if (!lane_came_the_right_way(lane, local, packet, r)) {
        return COUNTER_fate_misrouted;
    }
    /* Stopped: the run is over, nothing waits any more. */
    return lane->is_stopped ? COUNTER_fate_late : deliver(lane, local, r, packet);
}

void lane_receive(struct lane *lane, const struct lane_packet *packet)
{
    struct results *results = &lane->results;
    struct dhcp4_reply r;
    /* What an answer sets off begins when it came, not when the lane last had its turn. */
    lane->now_ns = packet->at_ns > lane->now_ns ? packet->at_ns : lane->now_ns;
    enum dhcp4_error error = dhcp4_decode_reply(packet->bytes, packet->size, &r);
    results_count(results, exchange_type_bin(error, r.type));
    if (packet->source_port != DHCP4_SERVER_PORT) {
        results_count(results, COUNTER_wrong_source_port);
    }
    enum snapshot_counter fate;
    uint32_t global, local;
    if (error != DHCP4_OK) {
        results_count(results, COUNTER_fate_malformed);
    } else if (lane_query_answers(lane, &r)) {
        results_count(results,
                      lane->is_stopped ? COUNTER_fate_late : lane_query_receive(lane, &r, packet));
    } else if (preflight_is_unmarked(r.chaddr) && lane_stranger_receive(lane, &r, packet, &fate)) {
        results_count(results, fate);
    } else if (!plan_client_of(lane->plan, r.chaddr, &global)) {
        results_count(results, COUNTER_fate_alien);
    } else if (!population_local(&lane->population, global, &local)) {
        lane_wire_received(lane, LANE_NOBODY, packet, &r);
        results_count(results, COUNTER_fate_misrouted);
    } else {
        lane_wire_received(lane, local, packet, &r);
        results_count(results, fate_of(lane, local, &r, packet));
    }
}

void lane_count_rx(struct lane *lane, uint64_t drops, uint64_t stamps_replaced, uint64_t truncated)
{
    lane->results.counter[COUNTER_rx_drops] += drops;
    lane->results.counter[COUNTER_rx_stamp_replaced] += stamps_replaced;
    lane->results.counter[COUNTER_rx_truncated] += truncated;
}
