/* SPDX-License-Identifier: MIT */
/*
 * The network between agents and DHCP servers: datagrams that get lost,
 * doubled, late and out of order, and find an agent as the paths of DESIGN section 3
 * have them find it. net_udp.c is linked in place of agent/edge/udp*.c, net_way.c
 * is what lies between.
 */
#pragma once

#include "agent/lane/lane.h"
#include "tests/sim/world.h"
#include "tests/support/model_server.h"

/* An agent's packet leaves. */
void net_way_to_server(struct world_agent *agent, struct ipv4 source, const struct lane_out *out);
/* A server's answer leaves; `source` is its address. */
void net_way_to_agent(struct ipv4 source, const struct model_reply *reply);

struct net_arrival {
    const struct model_reply *reply;
    struct ipv4 source;
    bool is_routed; /* to the client's own address */
};
/* Hands it to whoever has the carrying address open; false: nobody, or it has no room. */
bool net_udp_deliver(struct ipv4 address, const struct net_arrival *arrival);
void net_udp_part_died(struct sim_part *part);

struct net_way_counts {
    uint64_t sent, lost, doubled, delayed, cut, arrived, dropped, unroutable;
};
const struct net_way_counts *net_way_counts(void);
