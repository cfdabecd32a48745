/* SPDX-License-Identifier: MIT */
/*
 * Whether a plan is one that this agent may play at all: signed by an operator whom the
 * agent's own policy names, made for this agent, and for now. The coordinator that brings
 * it is not asked: it can be wrong, or somebody else's by now.
 *
 * Times are seconds of CLOCK_REALTIME and the caller's. `why`: one sentence.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/policy.h"
#include "common/attrs.h"
#include "common/keys.h"
#include "proto/control.h"

/*
 * Whether an operator of the policy signed exactly these bytes; nothing of them is decoded
 * before. `out_operator` is the name the policy gives that operator; it lives as long as
 * the policy.
 */
NODISCARD bool permit_signature(const struct policy *policy, const struct control_prepare *prepare,
                                const char **out_operator, char why[POLICY_WHY_BYTES]);

/* Whether the plan names this agent, by the key it has proved to have, and is valid now. */
NODISCARD bool permit_seal(const struct plan *plan, const uint8_t own_key[KEY_BYTES],
                           uint64_t now_s, char why[POLICY_WHY_BYTES]);

/*
 * Whether a GO is one of the stage that was signed: with its pace, batch or rate, of which it
 * may ask for a part and is cut to the whole, and once, unless the plan has a load, between
 * whose steps stages come again (but never a decline).
 */
NODISCARD bool permit_go(const struct plan *plan, struct control_go *go,
                         char why[POLICY_WHY_BYTES]);
