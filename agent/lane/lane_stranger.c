/* SPDX-License-Identifier: MIT */
/*
 * Preflight's stranger: per relay one DISCOVER that carries none of the run's marks, as a client of
 * the real network would send it. Whether it is offered a test address is all that is asked;
 * nothing is ever requested. Its hardware address lies in the range that RFC 7042 keeps for
 * documentation: no host has it, and no guard class can know it.
 */
#include <stdio.h>
#include <string.h>

#include "agent/lane/lane_internal.h"
#include "agent/lane/lane_stranger.h"

enum { TRIES = 2, GIADDR_AT = 24 };
#define RETRY_NS NS_PER_S
#define PATIENCE_NS                                                                                \
    (1500 * NS_PER_MS) /* after the last try: a server may ping an address first                   \
                        */

static const struct relay *relay_at(const struct lane *lane, size_t share)
{
    return &lane->relays[share];
}

void lane_stranger_begin(struct lane *lane, size_t share, uint64_t due_ns)
{
    struct stranger *s = &lane->preflight.strangers[share];
    const struct plan_relay *relay = relay_at(lane, share)->plan;
    *s = (struct stranger){.is_open = true,
                           .due_ns = due_ns,
                           .xid = (uint32_t)relay->xid_slot << 24 |
                                  (uint32_t)(lane->plan->identity_seed & 0xffffff)};
    lane->preflight.reports[share].was_unmarked_asked = true;
}

static bool make_discover(const struct lane *lane, size_t share, struct dhcp4_template *out)
{
    const struct plan_relay *plan = relay_at(lane, share)->plan;
    const struct dhcp4_relay_part part = {.giaddr = plan->giaddr,
                                          .circuit_id = plan->circuit_id,
                                          .circuit_id_bytes = plan->circuit_id_bytes,
                                          .remote_id = plan->remote_id,
                                          .remote_id_bytes = plan->remote_id_bytes};
    return dhcp4_template_make(DHCP4_DISCOVER, &dhcp4_profile_dhclient, &part, out);
}

static void put(struct lane *lane, size_t share)
{
    const struct relay *relay = relay_at(lane, share);
    struct stranger *s = &lane->preflight.strangers[share];
    struct dhcp4_template discover;
    const struct dhcp4_fill fill = {
        .xid = s->xid,
        .secs = (uint16_t)s->tries,
        .chaddr = preflight_unmarked_mac(lane->population.shares[share].relay)};
    for (uint8_t i = 0; i < relay->plan->to_count && make_discover(lane, share, &discover); i++) {
        struct lane_out *out = &lane->out[lane->out_count++];
        *out = (struct lane_out){.carrier = relay->carrier,
                                 .port = LANE_PORT_SERVER,
                                 .intent = DHCP4_DISCOVER,
                                 .destination = lane->plan->servers[relay->plan->to[i]].address,
                                 .client = LANE_STRANGER,
                                 .size = discover.size};
        dhcp4_template_fill(&discover, &fill, out->bytes);
        memcpy(out->bytes + GIADDR_AT, &relay->plan->giaddr.be, sizeof(relay->plan->giaddr.be));
    }
}

void lane_stranger_turn(struct lane *lane)
{
    struct preflight *p = &lane->preflight;
    for (size_t i = 0; i < p->share_count; i++) {
        struct stranger *s = &p->strangers[i];
        const struct relay *relay = relay_at(lane, i);
        if (!s->is_open || s->due_ns > lane->now_ns) {
            continue;
        }
        if (s->tries == TRIES) {
            s->is_open = false;
        } else if (lane_has_room(lane, relay) &&
                   tx_gate_pass(&lane->gate, relay->plan->to_count, lane->now_ns)) {
            put(lane, i);
            s->tries++;
            s->due_ns = lane->now_ns + (s->tries == TRIES ? PATIENCE_NS : RETRY_NS);
        }
    }
}

uint64_t lane_stranger_next_ns(const struct lane *lane)
{
    const struct preflight *p = &lane->preflight;
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < p->share_count; i++) {
        if (p->strangers[i].is_open && p->strangers[i].due_ns < next_ns) {
            next_ns = p->strangers[i].due_ns;
        }
    }
    return next_ns;
}

bool lane_stranger_is_done(const struct lane *lane)
{
    return lane_stranger_next_ns(lane) == UINT64_MAX;
}

void lane_stranger_stop(struct lane *lane)
{
    for (size_t i = 0; i < lane->preflight.share_count; i++) {
        lane->preflight.strangers[i].is_open = false;
    }
}

/* An offer of an address that is not the test's is what a stranger should get, and is no news. */
static void offered(struct lane *lane, size_t share, const struct dhcp4_reply *r)
{
    struct control_preflight_relay *report = &lane->preflight.reports[share];
    uint8_t server = lane_server_index(lane, r->server_id);
    if (r->type != DHCP4_TYPE_OFFER || server == SNAPSHOT_NO_SERVER ||
        !inet_net_contains(lane->plan->block, r->yiaddr)) {
        return;
    }
    report->unmarked_offers |= UINT32_C(1) << server;
    report->unmarked_addr = r->yiaddr;
    lane->preflight.strangers[share].is_open = false; /* one is enough to know */
}

bool lane_stranger_receive(struct lane *lane, const struct dhcp4_reply *r,
                           const struct lane_packet *packet, enum snapshot_counter *out_fate)
{
    const struct preflight *p = &lane->preflight;
    for (size_t i = 0; i < p->share_count; i++) {
        const struct stranger *s = &p->strangers[i];
        const struct relay *relay = relay_at(lane, i);
        struct mac mac = preflight_unmarked_mac(lane->population.shares[i].relay);
        if (s->tries == 0 || s->xid != r->xid || memcmp(&mac, &r->chaddr, sizeof(mac)) != 0 ||
            !inet_equal(r->giaddr, relay->plan->giaddr) || packet->carrier != relay->carrier) {
            continue;
        }
        *out_fate = s->is_open ? COUNTER_fate_answer : COUNTER_fate_late;
        if (s->is_open) {
            offered(lane, i, r);
        }
        results_count(&lane->results, COUNTER_preflight_received);
        return true;
    }
    return false;
}
