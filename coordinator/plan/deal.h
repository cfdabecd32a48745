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

/* --- an agent is lost: its clients go on at live relays of the same subnet --- */

struct deal_home { /* an agent */
    const char *name;
    uint32_t cores;
    uint64_t clients;
    bool can_take;
};

struct deal_lost {
    struct control_share share;
    uint32_t from; /* the agent on whose account they are */
};

#define DEAL_NOBODY UINT32_MAX

struct deal_move {
    uint32_t from, to; /* agents; to DEAL_NOBODY: there is no other live relay in the subnet */
    struct control_take_share share;
};

/*
 * Each share goes to the agent with the fewest clients per core among those that carry a relay
 * of the same subnet, ties by name; a few large shares are cut into as many pieces as there are
 * such agents. No giaddr moves. `owner`: relay -> agent that carries it. The moves keep the
 * order of the shares; the caller frees them. False when out of memory.
 */
NODISCARD bool deal_reassign(const struct plan *plan, const uint32_t *owner,
                             const struct deal_home *homes, size_t home_count,
                             const struct deal_lost *lost, size_t lost_count,
                             struct deal_move **out_moves, size_t *out_count);
