/* SPDX-License-Identifier: MIT */
/*
 * What preflight finds out about this host before the DHCP sockets are opened: who else listens
 * there, addresses, routes, filters, limits, clocks. It changes nothing, sends no packet (but one
 * echo request to an address of this host itself), and takes 0.3 s at most. What cannot be read is
 * not in FACT_LOOKED_AT: it is unknown, not fine. Edge; the session's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/inet.h"
#include "proto/plan.h"
#include "proto/preflight.h"

/* What this agent is to play. */
struct preflight_ask {
    const struct plan *plan;
    const struct ipv4 *carriers;
    size_t carrier_count;
    struct ipv4_net subnet; /* of one of its relays: is it this host's own by a route? */
    size_t sockets;         /* that it will open */
};

struct preflight_host {
    struct control_fact facts[CONTROL_FACTS_MAX];
    size_t count;
};

void preflight_host_look(const struct preflight_ask *ask, struct preflight_host *out);

/* One more row; the last one there is room for counts those that found none (FACT_MORE). */
void preflight_host_add(struct preflight_host *host, const struct control_fact *fact);
/* Kinds looked for, whatever was found. */
void preflight_host_looked(struct preflight_host *host, enum control_fact_kind kind);

/* --- preflight_net.c --- */

void preflight_net_look(const struct preflight_ask *ask, struct preflight_host *out);

/*
 * A line of /proc/net/udp or udp6. False: none of an address that port 67 or 68 of this host's
 * IPv4 addresses could clash with.
 */
bool preflight_net_listener(const char *line, struct ipv4 *out_addr, uint16_t *out_port,
                            uint32_t *out_uid);
