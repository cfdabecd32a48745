/* SPDX-License-Identifier: MIT */
/*
 * Whoever sees everything and trusts nobody: keeps books of its own about what
 * goes over the wires, and says what must never be. It asks the code under test
 * for nothing but the bytes it sends.
 *
 *   oracle.c         what is wrong, and how often
 *   oracle_packet.c  datagrams: run lease, policy, addresses, rate, who plays whom
 *   oracle_lease.c   who holds which address until when
 *   oracle_stream.c  messages: grants, batches, acknowledgements, counters
 *   oracle_books.c   at the end: ledger and report against these books
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lane/lane.h"
#include "common/attrs.h"
#include "tests/sim/world.h"

/* What is promised; a violation names one of them. */
enum promise {
    PROMISE_ACKED_IS_KEPT,
    PROMISE_NOTHING_TWICE,
    PROMISE_ONE_AGENT_PER_CLIENT,
    PROMISE_RUN_LEASE,
    PROMISE_POLICY,
    PROMISE_NO_EXPIRED_LEASE,
    PROMISE_INSIDE_BLOCK,
    PROMISE_ACCOUNTING_CLOSES,
    PROMISE_ONE_BIN,
    PROMISE_VERDICT,
    PROMISE_ENDS, /* the run does, and nobody turns without end */
    PROMISE_COUNT
};
const char *promise_name(enum promise promise);

void oracle_violation(enum promise promise, const char *format, ...) PRINTF_LIKE(2, 3);
uint64_t oracle_violations(void);
uint64_t oracle_violations_of(enum promise promise);
const char *oracle_first_violation(void); /* "": none */

/* --- what happens; `agent` is the one at the other end, or it itself --- */

void oracle_link_sent(struct world_agent *agent, bool is_down, const uint8_t *bytes, size_t size);
void oracle_link_received(struct world_agent *agent, bool is_up, const uint8_t *bytes, size_t size);
void oracle_lane_begins(struct world_agent *agent); /* its sockets are open: counters begin */
void oracle_packet_sent(struct world_agent *agent, const struct lane_out *out, struct ipv4 source,
                        int error);
void oracle_packet_read(struct world_agent *agent, const struct lane_packet *packet);
void oracle_run_begins(void); /* a new one, not one that is resumed */
/* A clean-up takes leases over whose end nobody knows. */
void oracle_cleanup_begins(void);

/* --- between its files --- */

struct model_query;

/* A client plays a shorter lease as if it had a second. */
enum { ORACLE_SHORTEST_LEASE_S = 1, ORACLE_LONGEST_LEASE_S = 86400 * 365 };

/* A client asks for a lease, or uses one. */
void oracle_lease_asked(const struct model_query *q, uint64_t lane);
void oracle_lease_used(const struct model_query *q, struct ipv4 address);
void oracle_lease_answered(const struct lane_packet *packet, uint64_t lane);
void oracle_lease_ended(const struct model_query *q);
/* Pairs of clients that held one address together for longer than `span_ns`, since then. */
uint64_t oracle_duplicates(uint64_t span_ns, uint64_t since_ns);

/* True time of the run's first GO; UINT64_MAX: not yet. */
uint64_t oracle_load_began_ns(void);
/* The run an agent was last welcomed to, as a number. */
uint64_t oracle_run_of(const struct world_agent *agent);
/* Until when the agent may send, by its own CLOCK_BOOTTIME. */
uint64_t oracle_granted_until_ns(const struct world_agent *agent);

struct oracle_count {
    uint64_t at_ns; /* the agent's CLOCK_MONOTONIC: up to and with it */
    uint64_t sent, refused, read;
    uint64_t maybe_refused; /* EAGAIN, ENOBUFS: tried again, or given up in the end */
};
/* Of the present lane. */
struct oracle_count oracle_count_at(const struct world_agent *agent, uint64_t at_ns);

/* --- after a run --- */

struct oracle_end {
    const char *dir; /* its run directory */
    int exit_code;
    bool was_killed;        /* the coordinator was, and was not resumed */
    bool lost_agent;        /* an agent was killed, or may have been given up */
    bool is_disturbed;      /* any fault took place */
    bool had_disk_error;    /* of the disk */
    bool may_be_incomplete; /* results did not come through at the end */
    bool may_be_refused;    /* it was ended before it had begun */
};
void oracle_run_ended(const struct oracle_end *end);
