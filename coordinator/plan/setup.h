/* SPDX-License-Identifier: MIT */
/*
 * Server configuration for a scenario, for whoever keeps the server: its networks
 * with pools large enough, also where a failover pair gives each server only half of
 * the free addresses, and guard classes that keep test clients out of production's
 * pools and production clients out of the test's.
 *
 * setup_make() decides, setup_print() writes it down in a server's own language.
 * Pure. The result borrows from the scenario; it holds no memory but `networks`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"

enum setup_dialect { SETUP_ISC_DHCPD, SETUP_KEA, SETUP_IOS, SETUP_NFT, SETUP_DIALECT_COUNT };
enum setup_mode { SETUP_LOAD_BALANCING, SETUP_HOT_STANDBY };

enum { SETUP_WHY_BYTES = 480, SETUP_GUARD_BYTES = PLAN_TEXT_BYTES };

/* What the operator may say besides the scenario. */
struct setup_wish {
    const char *server;    /* by name; NULL: the only one */
    const char *interface; /* clients are reached by; NULL: "eth0" */
    bool is_open;          /* without guard classes: the servers serve nobody else */
    enum setup_mode mode;  /* of a Kea pair */
    bool has_pool;         /* in place of the generated one; one network only */
    struct ipv4 pool_first, pool_last;
};

/* Relays whose clients share one subnet. */
struct setup_network {
    struct ipv4_net subnet;
    size_t first_relay; /* of the scenario: names it */
    uint64_t clients;
    struct ipv4 pool_first, pool_last, router;
    bool is_scarce; /* fewer addresses than wanted; of a given pool: than one server needs */
};

struct setup {
    const struct scenario *scenario;
    size_t server, partner; /* indices; partner == server: it stands alone */
    bool is_primary;        /* of the pair: the first in the scenario */
    const char *interface;
    enum setup_mode mode;
    bool is_open;
    /* Test clients begin option 60 with it (or it is the whole): `guard_bytes` are compared. */
    char guard[SETUP_GUARD_BYTES];
    size_t guard_bytes;
    uint64_t lease_s, mclt_s;
    bool is_lease_guessed; /* the scenario does not say expect.lease */
    bool is_pool_given;
    struct setup_network *networks;
    size_t network_count;
};

/* False: `why` is one sentence (what, where, what to do). setup_fini() in any case. */
NODISCARD bool setup_make(const struct scenario *s, const struct setup_wish *wish,
                          struct setup *out, char why[SETUP_WHY_BYTES]);
void setup_fini(struct setup *setup);

/* True when relay `relay` forwards to the server and hands out addresses of that network. */
bool setup_serves(const struct setup *setup, const struct setup_network *network, size_t relay);

/* malloc'd; NULL when out of memory. */
NODISCARD char *setup_print(const struct setup *setup, enum setup_dialect dialect);
