/* SPDX-License-Identifier: MIT */
/*
 * The agents' final counters against the ledger's events, per agent, kind and server.
 *
 * Exact: an agent counts every event it records (COUNTER_events) and every success it had to
 * fold because its ring was full (COUNTER_results_coalesced); failures are never folded. What
 * preflight sent and got is in neither leases nor servers. A lost agent has no final counters:
 * its events are what is known of it, and that is said. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/audit/audit_notes.h"
#include "coordinator/audit/audit_rows.h"
#include "coordinator/truth/ledger_final.h"
#include "proto/plan.h"

struct audit_agent {
    char name[PLAN_NAME_BYTES];
    bool is_lost;                       /* the run's journal says so */
    uint64_t stream_seq, stream_events; /* what the ledger says it has committed */
    struct ledger_final final;
};

void audit_books(const struct plan *plan, const struct audit_rows *rows,
                 const struct audit_agent *agents, size_t agent_count, struct audit_notes *notes);
