/* SPDX-License-Identifier: MIT */
/*
 * Plans and assignments an agent must refuse: each changes a good one in one way.
 * The agent's policy: see tests/support/hostile_coordinator.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/control.h"
#include "proto/plan.h"

enum { HOSTILE_CLIENTS = 40 };

/* One relay, `own`, of HOSTILE_CLIENTS clients, all of the policy's prefixes and server.
 * plan_free() it. */
void hostile_good_plan(struct plan *plan, uint8_t run, struct ipv4 own);
/* Whether that policy allows this plan, as far as a damaged one can differ. */
bool hostile_plan_is_allowed(const struct plan *plan, uint8_t run, struct ipv4 own);

struct hostile_plan {
    const char *what;
    bool is_in_plan; /* `change` is called before the plan is packed, with no assignment; else after
                        it */
    void (*change)(struct plan *plan, struct control_prepare *prepare);
};

extern const struct hostile_plan hostile_plans[];
extern const size_t hostile_plan_count;
