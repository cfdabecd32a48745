/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_fsm.h"

#include <assert.h>

struct rule {
    enum run_action action;
    enum run_phase next;
};

/* clang-format off */
static const struct rule rules[RUN_PHASE_COUNT][RUN_EVENT_COUNT] = {
    [RUN_GATHER] = {
        [RUN_ALL_JOINED]       = { RUN_DO_PREPARE,   RUN_PREPARE },
        [RUN_STOP]             = { RUN_DO_ABORT,     RUN_OVER },
        [RUN_REFUSED]          = { RUN_DO_ABORT,     RUN_OVER },
        [RUN_PHASE_TIMEOUT]    = { RUN_DO_ABORT,     RUN_OVER },
        [RUN_HARD_STOP]        = { RUN_DO_ABORT,     RUN_OVER },
    },
    [RUN_PREPARE] = {
        [RUN_ALL_READY]        = { RUN_DO_PREFLIGHT, RUN_PREFLIGHT },
        [RUN_STOP]             = { RUN_DO_ABORT,     RUN_OVER },
        [RUN_REFUSED]          = { RUN_DO_ABORT,     RUN_OVER },
        [RUN_PHASE_TIMEOUT]    = { RUN_DO_ABORT,     RUN_OVER },
        [RUN_HARD_STOP]        = { RUN_DO_ABORT,     RUN_OVER },
    },
    [RUN_PREFLIGHT] = {
        [RUN_PREFLIGHT_PASSED] = { RUN_DO_ARM,       RUN_ARM },
        [RUN_STOP]             = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_REFUSED]          = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_PHASE_TIMEOUT]    = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_HARD_STOP]        = { RUN_DO_ABORT,     RUN_OVER },
    },
    [RUN_ARM] = {
        [RUN_ALL_ARMED]        = { RUN_DO_NEXT_STEP, RUN_STAGE },
        [RUN_STOP]             = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_REFUSED]          = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_PHASE_TIMEOUT]    = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_HARD_STOP]        = { RUN_DO_ABORT,     RUN_OVER },
    },
    [RUN_STAGE] = {
        [RUN_STEP_DONE]        = { RUN_DO_NEXT_STEP, RUN_STAGE },
        [RUN_STAGES_DONE]      = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_STOP]             = { RUN_DO_DRAIN,     RUN_DRAIN },
        [RUN_HARD_STOP]        = { RUN_DO_ABORT,     RUN_OVER },
    },
    [RUN_DRAIN] = {
        [RUN_ALL_DRAINED]      = { RUN_DO_RECONCILE, RUN_RECONCILE },
        [RUN_PHASE_TIMEOUT]    = { RUN_DO_RECONCILE, RUN_RECONCILE },
        [RUN_HARD_STOP]        = { RUN_DO_ABORT,     RUN_OVER },
    },
    [RUN_RECONCILE] = {
        [RUN_RECONCILED]       = { RUN_DO_FINISH,    RUN_OVER },
        [RUN_PHASE_TIMEOUT]    = { RUN_DO_FINISH,    RUN_OVER },
        [RUN_HARD_STOP]        = { RUN_DO_ABORT,     RUN_OVER },
    },
};
/* clang-format on */

enum run_action run_fsm_step(enum run_phase *phase, enum run_event event)
{
    assert(*phase < RUN_PHASE_COUNT && event < RUN_EVENT_COUNT);

    const struct rule *rule = &rules[*phase][event];
    if (rule->action != RUN_IGNORE) {
        *phase = rule->next;
    }
    return rule->action;
}

const char *run_phase_name(enum run_phase phase)
{
    static const char *const names[RUN_PHASE_COUNT] = {
        [RUN_GATHER] = "gather",       [RUN_PREPARE] = "prepare",
        [RUN_PREFLIGHT] = "preflight", [RUN_ARM] = "arm",
        [RUN_STAGE] = "stage",         [RUN_DRAIN] = "drain",
        [RUN_RECONCILE] = "reconcile", [RUN_OVER] = "over",
    };
    assert(phase < RUN_PHASE_COUNT);
    return names[phase];
}
