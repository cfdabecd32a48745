/* SPDX-License-Identifier: MIT */
/*
 * Phases of a run, DESIGN section 6: GATHER -> PREPARE -> PREFLIGHT -> ARM ->
 * STAGE ... -> DRAIN -> RECONCILE -> OVER.
 *
 * Pure, the same form as agent/client/lease_fsm: a table [phase][event]. An
 * event that a phase does not expect changes nothing and yields RUN_IGNORE.
 */
#pragma once

enum run_phase {
    RUN_GATHER,
    RUN_PREPARE,
    RUN_PREFLIGHT,
    RUN_ARM,
    RUN_STAGE,
    RUN_DRAIN,
    RUN_RECONCILE,
    RUN_OVER,
    RUN_PHASE_COUNT
};

enum run_event {
    RUN_ALL_JOINED,
    RUN_ALL_READY,
    RUN_PREFLIGHT_PASSED,
    RUN_ALL_ARMED,
    RUN_STEP_DONE,   /* every agent finished the step, more steps or stages follow */
    RUN_STAGES_DONE, /* the last step of the last stage */
    RUN_STOP,        /* operator, judgement of safety, or failure: load must end in order */
    RUN_REFUSED,     /* scenario, preflight or policy: nothing was loaded yet */
    RUN_ALL_DRAINED,
    RUN_RECONCILED,
    RUN_PHASE_TIMEOUT,
    RUN_HARD_STOP, /* second Ctrl-C, disk full */
    RUN_EVENT_COUNT
};

enum run_action {
    RUN_IGNORE, /* zero: what the table holds where it says nothing */
    RUN_DO_PREPARE,
    RUN_DO_PREFLIGHT,
    RUN_DO_ARM,
    RUN_DO_NEXT_STEP,
    RUN_DO_DRAIN,
    RUN_DO_RECONCILE,
    RUN_DO_FINISH,
    RUN_DO_ABORT /* tell the agents to send nothing more, then finish */
};

enum run_action run_fsm_step(enum run_phase *phase, enum run_event event);

const char *run_phase_name(enum run_phase phase);
