/* SPDX-License-Identifier: MIT */
/*
 * Gathers from events what evidence_wire.h shows. Nothing is kept per client but bits
 * (at most five per server that has to do with it) and, where a NAT is seen, one table
 * entry. What depends on an order uses only that of one agent's events, which is the same
 * live and when a ledger is read again.
 *
 * Run time in microseconds. Pure; allocates when sets grow; sticky `is_out_of_memory`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/histogram.h"
#include "coordinator/truth/evidence_silence.h"
#include "coordinator/truth/evidence_slots.h"
#include "coordinator/truth/evidence_windows.h"
#include "coordinator/truth/live_addresses.h"
#include "coordinator/truth/table.h"
#include "proto/event.h"

/* Clients, a bit each; made when the first one is added. */
struct evidence_set {
    uint64_t *bits;
    uint64_t count;
};

struct evidence_server {
    struct evidence_set lost, won; /* a renewal's first try was lost, was answered */
    struct evidence_set own, left, back;
    uint64_t renew_first_acked, renew_lost_first, renew_retry_acked, renew_retries, renew_gave_up;
    uint64_t after_loss, lost_again, after_win, lost_newly;
    uint64_t rebind_acked, rebind_gave_up, rebind_by_other;
    uint64_t rebind_short_by_wait, rebind_short_less, rebind_full, rebind_full_late;
    uint64_t retry_short, retry_full;
    uint64_t query_ahead, query_same, query_behind;
    uint64_t renewals_cached, renewals_timed, handed_back;
    double cached_ages;
    uint64_t offers_about_1s;
    struct histogram offer, alone_offer, alone_ack, alone_gap, alone_renew, loaded_ack, spacing;
    struct evidence_slots slots;
    struct evidence_windows windows;
};

struct evidence_relay {
    uint32_t renew_acked, renew_nak, renew_gave_up, renew_moved, rebind_acked, rebind_moved;
};

struct evidence {
    const struct plan *plan;
    struct evidence_server *servers; /* of the plan */
    struct evidence_relay *relays;
    struct evidence_silence silence;
    struct table renewed; /* key: client + 1; value: server; word: when it had its latest ACK */
    struct evidence_set repeated; /* the latest ACK may have been to any of several requests */
    bool is_out_of_memory;
};

/* The plan must outlive it. False when out of memory. */
NODISCARD bool evidence_init(struct evidence *v, const struct plan *plan, size_t agent_count);
void evidence_fini(struct evidence *v);

/* Of a client of the plan; `held`: the lease before the event, NULL: none is known. */
void evidence_event(struct evidence *v, size_t agent, const struct event *e, int64_t run_us,
                    const struct live_lease *held);

/* Everything of `out` that comes from events; the rest stays as it is. */
void evidence_figures(const struct evidence *v, struct truth_wire *out);

/* --- evidence_renewals.c: for evidence.c --- */

/* False: it was there, or there is no memory. */
bool evidence_set_add(struct evidence *v, struct evidence_set *set, uint32_t client);
void evidence_set_remove(struct evidence_set *set, uint32_t client);
bool evidence_set_has(const struct evidence_set *set, uint32_t client);

/* One event of a lease kind, or a query, with the servers it has to do with; SIZE_MAX: unknown. */
struct evidence_case {
    size_t agent, server; /* named by the event */
    const struct event *e;
    int64_t run_us;
    const struct live_lease *held;
    bool has_lease;
};
size_t evidence_server_of(const struct evidence *v, struct ipv4 address);
void evidence_renewal(struct evidence *v, const struct evidence_case *c);
void evidence_repeated(struct evidence *v, const struct evidence_case *c);
void evidence_rebind(struct evidence *v, const struct evidence_case *c);
void evidence_query(struct evidence *v, const struct evidence_case *c);
void evidence_relay_event(struct evidence *v, const struct event *e);
