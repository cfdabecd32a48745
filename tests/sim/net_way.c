/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/bytes.h"
#include "tests/sim/net_udp.h"
#include "tests/sim/oracle.h"
#include "tests/sim/pair.h"
#include "tests/sim/plot.h"

enum { XID_AT = 4, DHCP_CLIENT = 68 };

struct datagram {
    struct model_reply reply; /* of one to a server: bytes and size only */
    struct ipv4 source, destination;
    struct world_agent *agent;
};

static struct net_way_counts counts;

const struct net_way_counts *net_way_counts(void)
{
    return &counts;
}

/* One datagram on one wire: how often it arrives, and when. */
static void travel(struct world_wire *wire, const struct datagram *d, sim_callback *arrive)
{
    counts.sent++;
    if (wire->cuts > 0) {
        counts.cut++;
        return;
    }
    if (world_wire_chance(wire, wire->loses)) {
        counts.lost++;
        return;
    }
    bool is_doubled = world_wire_chance(wire, wire->doubles);
    counts.doubled += is_doubled;
    for (int i = 0; i < 1 + is_doubled; i++) {
        struct datagram *copy = malloc(sizeof(*copy));
        assert(copy != NULL);
        *copy = *d;
        uint64_t delay_ns = world_wire_delay_ns(wire);
        if (world_wire_chance(wire, wire->delays)) {
            delay_ns += prng_below(&wire->prng, wire->late_ns + 1);
            counts.delayed++;
        }
        sim_after(delay_ns, arrive, copy, 0);
    }
}

static void at_server(void *context, uint64_t number)
{
    struct datagram *d = context;
    (void)number;
    size_t server = plot_server_at(d->destination);
    if (server != SIZE_MAX) {
        pair_take(server, d->source, d->reply.bytes, d->reply.size);
    }
    free(d);
}

void net_way_to_server(struct world_agent *agent, struct ipv4 source, const struct lane_out *out)
{
    struct datagram d = {.source = source, .destination = out->destination, .agent = agent};
    d.reply.size = out->size;
    memcpy(d.reply.bytes, out->bytes, out->size);
    sim_trace("packet", out->bytes, out->size);
    travel(&agent->to_servers, &d, at_server);
}

/* Whose wire it is in the end: that of the relay's carrier. Zero: nobody's. */
static struct ipv4 carrier_for(const struct model_reply *reply, bool *out_is_routed)
{
    size_t relay = SIZE_MAX;
    *out_is_routed = false;
    if (reply->destination_port != DHCP_CLIENT) {
        return reply->destination;
    }
    if (world.is_routed) {
        *out_is_routed = true;
        relay = plot_relay_of_address(reply->destination);
    } else if (world.is_steered) {
        relay = plot_relay_of_xid(bytes_get_u32(reply->bytes + XID_AT));
    }
    return relay == SIZE_MAX ? (struct ipv4){0} : plot.relays[relay].giaddr;
}

static struct world_agent *owner_of(struct ipv4 address)
{
    for (size_t i = 0; i < world.agent_count; i++) {
        for (size_t k = 0; k < world.agents[i].address_count; k++) {
            if (inet_equal(world.agents[i].address[k], address)) {
                return &world.agents[i];
            }
        }
    }
    return NULL;
}

static void at_agent(void *context, uint64_t number)
{
    struct datagram *d = context;
    (void)number;
    struct net_arrival a = {.reply = &d->reply, .source = d->source};
    struct ipv4 carrier = carrier_for(&d->reply, &a.is_routed);
    if (net_udp_deliver(carrier, &a)) {
        counts.arrived++;
        sim_trace("answer", d->reply.bytes, d->reply.size);
    } else {
        counts.dropped++;
    }
    free(d);
}

void net_way_to_agent(struct ipv4 source, const struct model_reply *reply)
{
    bool is_routed;
    struct world_agent *agent = owner_of(carrier_for(reply, &is_routed));
    if (agent == NULL) {
        counts.unroutable++;
        return;
    }
    struct datagram d = {.reply = *reply, .source = source, .agent = agent};
    travel(&agent->from_servers, &d, at_agent);
}
