/* SPDX-License-Identifier: MIT */
/*
 * Packets by server, whatever becomes of them: the figures a NAT between, or a server that
 * could not send, is found by. Once per packet, in the lane's own memory.
 */
#include "agent/lane/lane_internal.h"
#include "agent/lane/lane_wire.h"

enum {
    LOW_PORT_LAST = SNAPSHOT_LOW_PORTS - 1,
    HIGH_PORT_FIRST = 600, /* where connection tracking looks for a port of 512..1023 */
    HIGH_PORT_LAST = 1023
};
#define FOR_EVER_S UINT32_MAX

void lane_wire_sent(struct lane *lane, const struct lane_out *out)
{
    uint8_t server = lane_server_index(lane, out->destination);
    if (server != SNAPSHOT_NO_SERVER) {
        lane->results.packets[server].count[PACKET_sent_discover + (unsigned)out->intent]++;
    }
}

static void count_port(struct snapshot_packets *p, const struct lane_packet *packet)
{
    uint16_t port = packet->source_port;
    if (packet->port == LANE_PORT_SERVER) {
        p->count[PACKET_relayed_wrong_port] += port != DHCP4_SERVER_PORT;
        return;
    }
    p->count[PACKET_unicast_replies]++;
    if (port >= 1 && port <= LOW_PORT_LAST) {
        p->low_port[port / 64] |= UINT64_C(1) << (port % 64);
        p->count[PACKET_ports_low] += port != DHCP4_SERVER_PORT;
    } else if (port >= HIGH_PORT_FIRST && port <= HIGH_PORT_LAST) {
        p->count[PACKET_ports_high]++;
    } else {
        p->count[PACKET_ports_other]++;
    }
}

/* What port 68 gets is for a client itself: an ACK with a lease answers its RENEW, one without an
 * INFORM. A relay's port gets everything. */
static bool answers_renewal(const struct lane *lane, uint32_t local,
                            const struct lane_packet *packet, const struct dhcp4_reply *r)
{
    bool is_answer =
        r->type == DHCP4_TYPE_NAK || (r->type == DHCP4_TYPE_ACK && !inet_is_zero(r->yiaddr));
    if (packet->port == LANE_PORT_CLIENT || !is_answer || local == LANE_NOBODY) {
        return is_answer && packet->port == LANE_PORT_CLIENT;
    }
    const struct client *c = &lane->population.clients[local];
    return lane->path == PLAN_PATH_RELAYED && c->state == LEASE_RENEWING && c->xid == r->xid;
}

/* A client takes the half and seven eighths for what is absent, RFC 2131 4.4.5. */
static bool is_crossed(const struct dhcp4_reply *r)
{
    uint64_t t1_eighths = r->has_t1 ? UINT64_C(8) * r->t1_s : UINT64_C(4) * r->lease_s;
    uint64_t t2_eighths = r->has_t2 ? UINT64_C(8) * r->t2_s : UINT64_C(7) * r->lease_s;
    return (r->has_t1 || r->has_t2) && t1_eighths >= t2_eighths;
}

static void count_terms(const struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                        uint64_t *count)
{
    bool is_timed = r->lease_s != FOR_EVER_S && r->lease_s > 0;
    bool is_zero = r->lease_s == 0 || (r->has_t1 && r->t1_s == 0) || (r->has_t2 && r->t2_s == 0);
    count[PACKET_timer_zero] += is_zero;
    count[PACKET_t1_not_below_t2] += is_timed && !is_zero && is_crossed(r);
    count[PACKET_t2_not_below_lease] += r->has_t2 && is_timed && r->t2_s >= r->lease_s;
    count[PACKET_t1_early] += r->has_t1 && r->t1_s > 0 && is_timed && r->t1_s < r->lease_s / 4;
    if (r->has_mask && local != LANE_NOBODY) {
        const struct relay *relay = &lane->relays[population_share_of(&lane->population, local)];
        count[PACKET_mask_not_subnet] += !inet_equal(r->mask, inet_net_mask(relay->plan->subnet));
    }
}

void lane_wire_received(struct lane *lane, uint32_t local, const struct lane_packet *packet,
                        const struct dhcp4_reply *r)
{
    uint8_t server = r->has_server_id ? lane_server_index(lane, r->server_id) : SNAPSHOT_NO_SERVER;
    if (server == SNAPSHOT_NO_SERVER) {
        return;
    }
    struct snapshot_packets *p = &lane->results.packets[server];
    if (local == LANE_NOBODY || !client_has(lane_client(lane, local), CLIENT_PREFLIGHT)) {
        p->count[PACKET_offers] += r->type == DHCP4_TYPE_OFFER;
        p->count[PACKET_acks] += r->type == DHCP4_TYPE_ACK;
        p->count[PACKET_naks] += r->type == DHCP4_TYPE_NAK;
        p->count[PACKET_renew_replies] += answers_renewal(lane, local, packet, r);
    }
    count_port(p, packet);
    if (!inet_equal(packet->source, r->server_id)) {
        p->count[PACKET_wrong_source]++;
        p->wrong_source = packet->source;
    }
    if (r->type == DHCP4_TYPE_ACK && r->has_lease) {
        count_terms(lane, local, r, p->count);
    }
}

void lane_count_icmp(struct lane *lane, uint64_t errors)
{
    lane->results.counter[COUNTER_icmp_errors] += errors;
}
