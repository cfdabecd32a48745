/* SPDX-License-Identifier: MIT */
/*
 * Counts events as they come, and at the end proves that nothing was lost and
 * nothing counted twice (DESIGN section 7, RECONCILE):
 *
 *   assigned = bound + released + expired + failed + never started + lost with agent
 *   agents' events, with those folded = ledger's events + folded; no announced batch is missing
 *   packets by type = packets by fate
 *   every lease counter of the agents = the same count over their events
 *
 * A lost agent's last words may be missing on either side: all of its clients
 * are lost with it, and its counters are compared with nothing. Pure. Owns its
 * memory: accounting_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"
#include "coordinator/truth/merge.h"
#include "proto/event.h"

struct accounting_agent {
    uint64_t events, preflight_events;
    struct result_leases leases;
};

struct accounting {
    struct accounting_agent *agents;
    size_t agent_count;
    struct result_leases total;
    struct result_leases stage[PLAN_STAGES_MAX];  /* by the stage they ended in */
    struct result_leases judged[PLAN_STAGES_MAX]; /* of these, after the warm-up */
    uint64_t outside_subnet, changed_on_renew, mask_changed;
};

NODISCARD bool accounting_init(struct accounting *a, size_t agent_count);
void accounting_fini(struct accounting *a);

/* Which lease counter an event raises; false: none. */
bool accounting_leases_of(const struct event *e, struct result_leases *out_increments);

/*
 * An ACK whose lease time the scenario did not expect. A second more or less is
 * nothing: a REQUEST repeated within it, a server that rounds.
 */
bool accounting_lease_is_off(const struct plan *plan, const struct event *e);

/* `is_judged`: after the stage's warm-up. */
void accounting_event(struct accounting *a, size_t agent, const struct event *e, bool is_judged);

struct accounting_facts {
    const struct merge *merge;
    const uint64_t *clients; /* assigned, per agent */
    const bool *is_lost;     /* per agent */
    uint64_t client_count;   /* of the plan */
    uint64_t ledger_events, duplicates_dropped, missing_batches;
};

/* Fills out->accounting and its checks; false when any check failed. */
bool accounting_prove(const struct accounting *a, const struct accounting_facts *facts,
                      struct result *out);
