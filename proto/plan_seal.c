/* SPDX-License-Identifier: MIT */
#include "proto/plan_seal.h"

#include <string.h>

#include "proto/wire.h"

/* Far beyond any life of this program, and in nanoseconds not too large for 64 bits. */
#define WALL_S_MAX (UINT64_C(1) << 34)

int plan_agent_compare(const void *a, const void *b)
{
    const struct plan_agent *left = a;
    const struct plan_agent *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : memcmp(left->key, right->key, PLAN_AGENT_KEY_BYTES);
}

bool plan_names_agent(const struct plan *plan, const uint8_t key[PLAN_AGENT_KEY_BYTES])
{
    for (uint32_t i = 0; i < plan->agent_count; i++) {
        if (memcmp(plan->agents[i].key, key, PLAN_AGENT_KEY_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* When and by whom it may be played: all of it is said, or nothing. */
bool plan_seal_is_valid(const struct plan *plan, char why[PLAN_WHY_BYTES])
{
    if (plan->not_before_s == 0 && plan->not_after_s == 0 && plan->agent_count == 0) {
        return true;
    }
    if (plan->not_before_s == 0 || plan->not_after_s <= plan->not_before_s ||
        plan->not_after_s > WALL_S_MAX) {
        return wire_refuse(why, "the plan's validity makes no sense");
    }
    if (plan->agent_count < 1 || plan->agent_count > PLAN_AGENTS_MAX) {
        return wire_refuse(why, "the plan names %u agents; 1 to %d are possible", plan->agent_count,
                           PLAN_AGENTS_MAX);
    }
    for (uint32_t i = 0; i < plan->agent_count; i++) {
        const char *name = plan->agents[i].name;
        if (memchr(name, '\0', PLAN_AGENT_NAME_BYTES) == NULL || !plan_name_is_valid(name)) {
            return wire_refuse(why, "the name of agent %u is not a valid name", i);
        }
        if (i > 0 && plan_agent_compare(&plan->agents[i - 1], &plan->agents[i]) >= 0) {
            return wire_refuse(why, "the plan's agents are not in ascending order");
        }
    }
    return true;
}
