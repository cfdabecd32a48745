/* SPDX-License-Identifier: MIT */
/*
 * The ledger's events as an audit needs them: sums per agent, and every event to be found by
 * (client, xid), so that packets of a capture can be held against it.
 *
 * 24 bytes per event. Pure. Owns its memory: audit_rows_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/audit/audit_notes.h"
#include "coordinator/report/result.h"
#include "proto/event.h"
#include "proto/plan.h"

enum { AUDIT_NO_SERVER = 31, AUDIT_AGENTS_MAX = 1024 };

/* One event; those of one (client, xid) are several where an exchange ended in steps. */
struct audit_row {
    uint32_t client_1; /* client + 1; 0: free slot */
    uint32_t xid;
    struct ipv4 addr;
    uint32_t t_us_low; /* of the agent's clock: tells two events of one kind apart */
    int32_t run_ms;
    unsigned agent : 10, kind : 4, result : 4, server : 5;
    /* What the captures show of it. */
    unsigned is_asked : 1, is_offered : 1, is_answered : 1;
    unsigned has_offer : 1, is_preflight : 1, is_deadline : 1; /* flags of the event */
};

struct audit_tally {
    uint64_t rows, preflight_rows;
    struct result_leases leases;
    uint64_t server_acks[PLAN_SERVERS_MAX], server_naks[PLAN_SERVERS_MAX];
    uint64_t offers_seen;
};

struct audit_rows {
    const struct plan *plan;
    size_t agent_count;
    uint64_t salt; /* of the places in `slots` */
    struct audit_tally *agents;
    struct audit_row *slots;
    size_t capacity, count;
    uint64_t total;
    struct result_leases leases; /* of all agents, as the report counts them */
    uint16_t *moved_to;  /* per client: agent + 1 that plays it since a move; NULL: no move */
    uint64_t twice;      /* rows that stand in the ledger twice */
    uint64_t impossible; /* that no agent of this plan can have reported */
    char first_twice[AUDIT_NOTE_BYTES / 3], first_impossible[AUDIT_NOTE_BYTES / 3];
    int32_t first_ms, last_ms; /* run time, of answered ones */
};

/* `salt`: random, or who writes a ledger can choose rows that all fall on one place. */
NODISCARD bool audit_rows_init(struct audit_rows *rows, const struct plan *plan, size_t agent_count,
                               uint64_t salt);
void audit_rows_fini(struct audit_rows *rows);

/* False when out of memory. `agent` may be any number. */
NODISCARD bool audit_rows_add(struct audit_rows *rows, uint32_t agent, const struct event *e,
                              int64_t run_us);

/*
 * From here on these clients are played by agent `to`: what another still says of them is history.
 * False when out of memory; what is no client or agent of the run is left alone.
 */
NODISCARD bool audit_rows_move(struct audit_rows *rows, uint32_t first_client, uint32_t count,
                               uint64_t to);
bool audit_rows_is_history(const struct audit_rows *rows, uint32_t agent, uint32_t client);

/* The events of one (client, xid), one after the other: begin with *at = SIZE_MAX; NULL: no more.
 */
struct audit_row *audit_rows_next(const struct audit_rows *rows, uint32_t client, uint32_t xid,
                                  size_t *at);

/* "client 17 (mac 02:...), xid 0x01020304, 10.10.0.7" */
enum { AUDIT_WHO_BYTES = 120 };
const char *audit_who(const struct plan *plan, uint32_t client, uint32_t xid, struct ipv4 addr,
                      char out[AUDIT_WHO_BYTES]);

static inline bool audit_row_is_ack(const struct audit_row *row)
{
    return row->result == EVENT_ACK || row->result == EVENT_CHANGED;
}
