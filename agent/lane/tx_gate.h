/* SPDX-License-Identifier: MIT */
/*
 * The one choke point every packet passes before it may leave: known server,
 * packets per second, packets of the whole run, run lease. A plan or policy can only narrow it.
 *
 * A token bucket of 10 ms depth (at least as many packets as there are servers,
 * so that one message can go to all of them, and one more); credit is not carried over a
 * pause, nor is it given by one, or by another limit. After a pause what is overdue leaves no
 * faster than the planned rate; where the plan has no rate (the closed model) the rate found
 * doubles every second until nothing is overdue any more.
 *
 * Pure: time is an argument.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/inet.h"
#include "proto/plan.h"

struct tx_bucket {
    double per_s; /* 0: not limited */
    double tokens, depth;
    uint64_t at_ns;
};

struct tx_gate {
    struct ipv4 server[PLAN_SERVERS_MAX];
    uint32_t server_count;
    struct tx_bucket cap;      /* packets/s of plan and policy */
    struct tx_bucket catch_up; /* messages/s while the backlog of a pause is worked off */
    uint64_t doubling_at_ns;   /* of catch_up's rate; UINT64_MAX: never */
    uint64_t left;             /* packets of the policy's total; UINT64_MAX: not limited */
    bool is_spent;             /* a message was refused because of that: for good */
    bool may_send;
    bool is_catching_up;
};

void tx_gate_init(struct tx_gate *g, const struct plan *plan, uint64_t packets_per_s_max,
                  uint64_t now_ns);
/* At most so many packets from now on; UINT64_MAX: not limited. */
void tx_gate_set_total(struct tx_gate *g, uint64_t packets);
/* Is the destination one of the plan's servers? Multicast and broadcast never are. */
bool tx_gate_knows(const struct tx_gate *g, struct ipv4 destination);
/* Takes leave for one message of `packets` <= server_count packets; false: not now. */
bool tx_gate_pass(struct tx_gate *g, uint32_t packets, uint64_t now_ns);
/* When that can succeed next; now_ns if at once, UINT64_MAX while there is no run lease. */
uint64_t tx_gate_next_ns(const struct tx_gate *g, uint32_t packets, uint64_t now_ns);

void tx_gate_set_may_send(struct tx_gate *g, bool may_send, uint64_t now_ns);
/* Another number of packets/s from now on; 0: as it is. */
void tx_gate_limit(struct tx_gate *g, uint64_t packets_per_s_max, uint64_t now_ns);
/* After a pause: `per_s` messages (at least 1) until tx_gate_caught_up(). */
void tx_gate_catch_up(struct tx_gate *g, double per_s, bool doubles, uint64_t now_ns);
void tx_gate_caught_up(struct tx_gate *g);
