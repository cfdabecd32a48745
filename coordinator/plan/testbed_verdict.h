/* SPDX-License-Identifier: MIT */
/*
 * What a few packets from an agent's host say about the ways back: DHCPINFORMs
 * for addresses of clients (a server answers to the client's address, port 68,
 * and keeps nothing), and relayed DISCOVERs (answered to giaddr, port 67).
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/plan_text.h"
#include "coordinator/plan/scenario.h"

enum { TESTBED_PROBED_MAX = 16 };

struct testbed_seen {
    uint32_t informs, discovers;    /* sent */
    uint32_t to_carrier, to_client; /* ACKs, by where they came: the carrying address, ciaddr */
    uint32_t wrong_port;            /* of these, from another port than 67 */
    uint32_t offers;                /* at the carrying address, port 67 */
};

struct testbed_probe {
    size_t relay_count, relays_here;  /* probed; that this host carries */
    size_t relay[TESTBED_PROBED_MAX]; /* index in the scenario */
    struct testbed_seen of_relay[TESTBED_PROBED_MAX];
    struct testbed_seen of_server[PLAN_SERVERS_MAX];
};

/* Whether the path works, said in lines "ok    ...", "FAIL  ..." and "note  ...". */
bool testbed_judge(const struct scenario *s, enum scenario_path wanted,
                   const struct testbed_probe *probe, struct plan_text *out);
