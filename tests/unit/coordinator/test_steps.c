/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>

#include "coordinator/run/steps.h"

static struct plan *plan_of(uint32_t clients)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    assert_non_null(plan);
    plan->client_count = clients;
    plan->stage_count = 3;
    plan->stages[0].kind = PLAN_ACQUIRE;
    plan->stages[1].kind = PLAN_HOLD;
    plan->stages[2].kind = PLAN_ACQUIRE;
    return plan;
}

static void the_first_acquire_stage_sends_canaries_ahead(void **state)
{
    (void)state;
    static const struct {
        uint32_t clients, steps;
        uint64_t limit[STEPS_MAX];
    } cases[] = {
        {1, 1, {1}},
        {3, 1, {3}},
        {4, 2, {3, 4}},
        {33, 2, {3, 33}},
        {34, 3, {3, 33, 34}},
        {333, 3, {3, 33, 333}},
        {20000, 4, {3, 33, 333, 20000}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plan *plan = plan_of(cases[i].clients);
        assert_int_equal(steps_count(plan, 0), cases[i].steps);
        for (uint32_t step = 0; step < cases[i].steps; step++) {
            assert_int_equal(steps_client_limit(plan, 0, step), cases[i].limit[step]);
            bool is_last = step + 1 == cases[i].steps;
            assert_int_equal(steps_is_canary(plan, 0, step), !is_last || cases[i].clients <= 3);
        }
        free(plan);
    }
}

static void later_stages_go_in_one_step(void **state)
{
    (void)state;
    struct plan *plan = plan_of(20000);
    for (uint32_t stage = 1; stage < 3; stage++) {
        assert_int_equal(steps_count(plan, stage), 1);
        assert_int_equal(steps_client_limit(plan, stage, 0), 20000);
        assert_false(steps_is_canary(plan, stage, 0));
    }
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_acquire_stage_sends_canaries_ahead),
        cmocka_unit_test(later_stages_go_in_one_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
