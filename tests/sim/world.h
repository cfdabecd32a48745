/* SPDX-License-Identifier: MIT */
/*
 * The one world of a process: a coordinator, some agents, the wires between
 * them and a pair of DHCP servers. Who lives, what is broken just now and how
 * bad the wires are; faults.c changes it, the net reads it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/inet.h"
#include "common/keys.h"
#include "common/prng.h"
#include "agent/policy.h"
#include "tests/sim/sched.h"

enum {
    WORLD_AGENTS_MAX = 3,
    WORLD_SERVERS_MAX = 2,
    WORLD_RELAYS_MAX = 4,
    WORLD_CLIENTS_MAX = 64,
    WORLD_PORT = 6767
};

/* One direction of a wire. Parts of a thousand. */
struct world_wire {
    struct prng prng;
    uint32_t loses, doubles, delays; /* of datagrams; a stream loses time instead */
    uint64_t base_ns, jitter_ns, late_ns;
    unsigned cuts; /* nothing comes through while > 0 */
};

struct world_agent {
    char name[KEY_NAME_BYTES];
    struct key_pair own;
    struct policy policy;
    struct sim_part *part; /* of its present life; NULL before the first */
    unsigned lives;
    int stop_fd;
    struct ipv4 address[WORLD_RELAYS_MAX];
    size_t address_count;
    struct world_wire up, down;                 /* to and from the coordinator */
    struct world_wire to_servers, from_servers; /* datagrams */
    uint32_t refuses_sends;                     /* parts of a thousand, with `send_errno` */
    int send_errno;
    unsigned data_cuts;  /* only results do not come through */
    size_t receive_room; /* packets its sockets hold; more are dropped */
    bool port_68_is_taken;
};

struct world {
    uint64_t seed;
    struct key_pair coordinator_key;
    struct sim_part *coordinator; /* NULL: none runs */
    unsigned coordinator_lives;
    struct world_agent agents[WORLD_AGENTS_MAX];
    size_t agent_count;
    uint32_t poll_factor; /* the coordinator looks so many times less often than it would */
    bool is_routed;       /* packets to the block find the agents' host */
    bool is_steered;      /* the egress rule stands on the servers */
    char dir[256];        /* the world's own directory */
};

extern struct world world;

/* For a callback that needs some clock; the coordinator's as a rule. */
const struct sim_part *world_any_part(void);
struct world_agent *world_agent_of(const struct sim_part *part); /* NULL: none's */
struct world_agent *world_agent_named(const char *name);
void world_wire_init(struct world_wire *w, uint64_t seed, uint64_t base_ns);
/* A draw of the wire's own: one packet more or less on one wire changes nothing on another. */
bool world_wire_chance(struct world_wire *w, uint32_t permille);
uint64_t world_wire_delay_ns(struct world_wire *w);
