/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "coordinator/run/run_fsm.h"

struct expectation {
    enum run_phase from;
    enum run_event event;
    enum run_action action;
    enum run_phase to;
};

/* Every row of the table; what is not listed must be ignored. */
static const struct expectation rows[] = {
    {RUN_GATHER, RUN_ALL_JOINED, RUN_DO_PREPARE, RUN_PREPARE},
    {RUN_GATHER, RUN_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_GATHER, RUN_REFUSED, RUN_DO_ABORT, RUN_OVER},
    {RUN_GATHER, RUN_PHASE_TIMEOUT, RUN_DO_ABORT, RUN_OVER},
    {RUN_GATHER, RUN_HARD_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_PREPARE, RUN_ALL_READY, RUN_DO_PREFLIGHT, RUN_PREFLIGHT},
    {RUN_PREPARE, RUN_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_PREPARE, RUN_REFUSED, RUN_DO_ABORT, RUN_OVER},
    {RUN_PREPARE, RUN_PHASE_TIMEOUT, RUN_DO_ABORT, RUN_OVER},
    {RUN_PREPARE, RUN_HARD_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_PREFLIGHT, RUN_PREFLIGHT_PASSED, RUN_DO_ARM, RUN_ARM},
    {RUN_PREFLIGHT, RUN_STOP, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_PREFLIGHT, RUN_REFUSED, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_PREFLIGHT, RUN_PHASE_TIMEOUT, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_PREFLIGHT, RUN_HARD_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_ARM, RUN_ALL_ARMED, RUN_DO_NEXT_STEP, RUN_STAGE},
    {RUN_ARM, RUN_STOP, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_ARM, RUN_REFUSED, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_ARM, RUN_PHASE_TIMEOUT, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_ARM, RUN_HARD_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_STAGE, RUN_STEP_DONE, RUN_DO_NEXT_STEP, RUN_STAGE},
    {RUN_STAGE, RUN_STAGES_DONE, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_STAGE, RUN_STOP, RUN_DO_DRAIN, RUN_DRAIN},
    {RUN_STAGE, RUN_HARD_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_DRAIN, RUN_ALL_DRAINED, RUN_DO_RECONCILE, RUN_RECONCILE},
    {RUN_DRAIN, RUN_PHASE_TIMEOUT, RUN_DO_RECONCILE, RUN_RECONCILE},
    {RUN_DRAIN, RUN_HARD_STOP, RUN_DO_ABORT, RUN_OVER},
    {RUN_RECONCILE, RUN_RECONCILED, RUN_DO_FINISH, RUN_OVER},
    {RUN_RECONCILE, RUN_PHASE_TIMEOUT, RUN_DO_FINISH, RUN_OVER},
    {RUN_RECONCILE, RUN_HARD_STOP, RUN_DO_ABORT, RUN_OVER},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct expectation *expected(enum run_phase from, enum run_event event)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].from == from && rows[i].event == event) {
            return &rows[i];
        }
    }
    return NULL;
}

static void every_pair_does_what_the_table_says_and_nothing_else(void **state)
{
    (void)state;
    for (int from = 0; from < RUN_PHASE_COUNT; from++) {
        for (int event = 0; event < RUN_EVENT_COUNT; event++) {
            const struct expectation *e = expected((enum run_phase)from, (enum run_event)event);
            enum run_phase phase = (enum run_phase)from;
            enum run_action action = run_fsm_step(&phase, (enum run_event)event);
            assert_int_equal(action, e == NULL ? RUN_IGNORE : e->action);
            assert_int_equal(phase, e == NULL ? (enum run_phase)from : e->to);
        }
    }
}

/* Before any lease can exist a refusal ends at once; afterwards it drains, so that leases are
 * released. */
static void no_lease_is_left_behind_by_an_orderly_stop(void **state)
{
    (void)state;
    for (int from = RUN_PREFLIGHT; from < RUN_DRAIN; from++) {
        enum run_phase phase = (enum run_phase)from;
        assert_int_equal(run_fsm_step(&phase, RUN_STOP), RUN_DO_DRAIN);
    }
}

static void every_phase_has_a_name(void **state)
{
    (void)state;
    for (int p = 0; p < RUN_PHASE_COUNT; p++) {
        assert_non_null(run_phase_name((enum run_phase)p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_does_what_the_table_says_and_nothing_else),
        cmocka_unit_test(no_lease_is_left_behind_by_an_orderly_stop),
        cmocka_unit_test(every_phase_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
