/* SPDX-License-Identifier: MIT */
/*
 * What a plan says about its own use: when, and by which agents. A plan is sealed when the
 * fleet is known, and then signed by the operator (common/sign.h); what is not sealed names
 * no agent and has no time, and no agent takes it.
 *
 * Times are seconds of CLOCK_REALTIME, of which hosts have different ideas: an agent allows
 * PLAN_CLOCK_TOLERANCE_S at both ends. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/plan.h"

/* What an operator's signature of a plan is made with, see sign_make(). */
#define PLAN_SIGN_DOMAIN "leaseherd plan 1"

enum {
    PLAN_AGENTS_MAX = 8192,
    PLAN_AGENT_NAME_BYTES = 32,
    PLAN_AGENT_KEY_BYTES = 32,
    PLAN_CLOCK_TOLERANCE_S = 300
};

/* The key an agent proves to have, and the name its coordinator knows it by. */
struct plan_agent {
    char name[PLAN_AGENT_NAME_BYTES];
    uint8_t key[PLAN_AGENT_KEY_BYTES]; /* CURVE, public */
};

/* A plan's agents are in this ascending order: by name, then key. */
int plan_agent_compare(const void *a, const void *b);

/* Whether the agent with this key may play the plan. */
NODISCARD bool plan_names_agent(const struct plan *plan, const uint8_t key[PLAN_AGENT_KEY_BYTES]);

/* The part of plan_is_valid() about it. `why`: one sentence. */
NODISCARD bool plan_seal_is_valid(const struct plan *plan, char why[PLAN_WHY_BYTES]);
