/* SPDX-License-Identifier: MIT */
/*
 * What is played in a world: relays, servers, the scenario's text, who carries
 * what. Drawn from the seed; the same for coordinator, network and oracle.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/inet.h"
#include "common/prng.h"
#include "tests/sim/world.h"

enum { PLOT_TEXT_BYTES = 8192, PLOT_STAGES_MAX = 8 };

struct plot_relay {
    struct ipv4 giaddr;
    struct ipv4_net subnet;
    uint32_t clients;
    size_t agent; /* who has the giaddr */
};

struct plot {
    struct ipv4_net block;
    struct plot_relay relays[WORLD_RELAYS_MAX];
    size_t relay_count;
    struct ipv4 servers[WORLD_SERVERS_MAX];
    size_t server_count;
    uint32_t clients, lease_s;
    uint64_t longest_ns; /* no run of this plot takes longer, drain and all */
    uint64_t packets_per_s;
    bool is_plain; /* where nothing goes wrong, it passes */
    unsigned soak_hours;
    bool has_search, has_cleanup_after; /* a `cleanup` of what the run has left */
    bool shares_subnets;                /* relays of several agents in one subnet */
    const char *on_agent_loss;
    uint32_t alone_s; /* on_coordinator_loss: leases are renewed so long; 0: not given */
    char scenario[PLOT_TEXT_BYTES];
};

extern struct plot plot;

/* Draws it; `hours` > 0: one long hold, for a soak. */
void plot_draw(struct prng *p, size_t agents, unsigned soak_hours);
/* Of an xid, as DESIGN section 3 numbers them; SIZE_MAX: of none. */
size_t plot_relay_of_xid(uint32_t xid);
size_t plot_relay_of_address(struct ipv4 address);
size_t plot_server_at(struct ipv4 address); /* SIZE_MAX: no server */
