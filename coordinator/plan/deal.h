/* SPDX-License-Identifier: MIT */
/*
 * Who plays which relays and clients, DESIGN section 3: a relay goes to an
 * agent that has its carrying address (or the one it is pinned to); where
 * several have it, relays by clients descending, each to the eligible agent
 * with the fewest clients per core, ties by name. Rates and batches are split by
 * client count, exactly (largest remainder, ties by order).
 *
 * Pure and deterministic. The caller owns everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/diag.h"
#include "coordinator/plan/scenario.h"
#include "proto/control.h"
#include "proto/plan.h"

struct deal_agent {
    char name[PLAN_NAME_BYTES];
    uint32_t cores;
    const struct ipv4 *addresses;
    size_t address_count;
};

struct deal_hand {
    struct control_share *shares; /* malloc'd */
    size_t share_count;
    uint64_t clients;
};

/*
 * Fills hands[agent_count]. False with every reason in `why` when a relay has
 * no agent, or an agent no relay. deal_free() in both cases.
 */
NODISCARD bool deal_relays(const struct scenario *s, const struct plan *plan,
                           const struct deal_agent *agents, size_t agent_count,
                           struct deal_hand *hands, struct diag *why);
void deal_free(struct deal_hand *hands, size_t agent_count);

/* Splits `total` over weights[count] so that the parts sum to it exactly. */
void deal_split(uint64_t total, const uint64_t *weights, size_t count, uint64_t *out);

/* True when every subnet of the plan lies at one agent (routed, dnat need it). */
bool deal_subnets_are_whole(const struct plan *plan, const struct deal_hand *hands,
                            size_t agent_count);
