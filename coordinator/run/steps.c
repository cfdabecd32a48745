/* SPDX-License-Identifier: MIT */
#include "coordinator/run/steps.h"

#include <assert.h>

static const uint64_t canary_limit[] = {3, 3 + 30, 3 + 30 + 300};
enum { CANARIES = sizeof(canary_limit) / sizeof(canary_limit[0]) };

static bool has_canaries(const struct plan *plan, uint32_t stage)
{
    for (uint32_t i = 0; i <= stage; i++) {
        if (plan->stages[i].kind == PLAN_ACQUIRE) {
            return i == stage;
        }
    }
    return false;
}

uint32_t steps_count(const struct plan *plan, uint32_t stage)
{
    assert(stage < plan->stage_count);
    if (!has_canaries(plan, stage)) {
        return 1;
    }
    uint32_t steps = 1;
    for (unsigned i = 0; i < CANARIES; i++) {
        if (canary_limit[i] < plan->client_count) {
            steps++;
        }
    }
    return steps;
}

uint64_t steps_client_limit(const struct plan *plan, uint32_t stage, uint32_t step)
{
    uint32_t steps = steps_count(plan, stage);
    assert(step < steps);
    return step + 1 == steps ? plan->client_count : canary_limit[step];
}

bool steps_is_canary(const struct plan *plan, uint32_t stage, uint32_t step)
{
    /* A population smaller than the first canary is one itself. */
    return has_canaries(plan, stage) &&
           (step + 1 < steps_count(plan, stage) || plan->client_count <= canary_limit[0]);
}
