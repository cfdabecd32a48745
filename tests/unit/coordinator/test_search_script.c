/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/run/search_script.h"

static struct scenario_search config;
static struct plan plan;
static struct search_script script;

static const struct search_order step_400 = {SEARCH_ORDER_STEP, 400000};
static const struct search_order reset = {SEARCH_ORDER_RESET, 0};
static const struct search_order done = {SEARCH_ORDER_DONE, 0};

/* With or without an acquire stage before the search. */
static void begin(bool has_acquire, uint64_t bound)
{
    memset(&plan, 0, sizeof(plan));
    plan.client_count = 10000;
    if (has_acquire) {
        plan.stages[plan.stage_count++] =
            (struct plan_stage){.kind = PLAN_ACQUIRE, .batch = 300, .timeout_ns = 60 * NS_PER_S};
    }
    plan.stages[plan.stage_count++] =
        (struct plan_stage){.kind = PLAN_LOAD, .rate_milli_per_s = 800000};
    plan.stages[plan.stage_count++] =
        (struct plan_stage){.kind = PLAN_RELEASE, .rate_milli_per_s = 400000};
    config = (struct scenario_search){
        .acquire_weight = 1,
        .rates_milli_per_s = {200000, 400000},
        .rate_count = 2,
        .step_ns = 10 * NS_PER_S,
        .within_ns = NS_PER_S / 2,
        .bound = bound,
        .repeat = 2,
    };
    search_script_init(&script, &config, &plan);
}

static struct search_move next(struct search_order order, uint64_t bound)
{
    return search_script_next(&script, order, bound);
}

#define ASSERT_KIND(move, wanted) assert_int_equal((move).kind, SEARCH_MOVE_##wanted)

static void without_an_acquire_stage_canaries_come_first(void **state)
{
    (void)state;
    begin(false, 0);
    static const uint64_t wanted[] = {3, 30, 300}, held[] = {0, 3, 33};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        struct search_move m = next(step_400, held[i]);
        ASSERT_KIND(m, CANARY);
        assert_int_equal(m.stage, 0);
        assert_int_equal(m.arrivals, wanted[i]);
        assert_int_equal(m.rate_milli_per_s, 200000); /* the lowest of the search */
        assert_true(m.longest_ns > 4 * NS_PER_S);
    }
    struct search_move m = next(step_400, 333);
    ASSERT_KIND(m, RELEASE);
    assert_int_equal(m.keep, 0);
    ASSERT_KIND(next(step_400, 0), STEP);
}

static void a_canary_is_tried_twice(void **state)
{
    (void)state;
    begin(false, 0);
    ASSERT_KIND(next(step_400, 0), CANARY);
    struct search_move m = next(step_400, 2);
    ASSERT_KIND(m, CANARY);
    assert_int_equal(m.arrivals, 1);
    m = next(step_400, 2);
    ASSERT_KIND(m, CANARY_FAILED);
    assert_int_equal(m.keep, 3);

    begin(false, 0);
    ASSERT_KIND(next(step_400, 0), CANARY);
    ASSERT_KIND(next(step_400, 2), CANARY);
    m = next(step_400, 3); /* the second try was enough, and the next size has two of its own */
    ASSERT_KIND(m, CANARY);
    assert_int_equal(m.arrivals, 30);
    ASSERT_KIND(next(step_400, 32), CANARY);
    ASSERT_KIND(next(step_400, 32), CANARY_FAILED);
}

static void a_small_population_is_its_own_canary(void **state)
{
    (void)state;
    begin(false, 0);
    plan.client_count = 2;
    struct search_move m = next(step_400, 0);
    ASSERT_KIND(m, CANARY);
    assert_int_equal(m.arrivals, 2);
    ASSERT_KIND(next(step_400, 2), RELEASE);
    ASSERT_KIND(next(step_400, 0), STEP);
}

static void after_each_step_the_leases_beyond_bound_are_given_back(void **state)
{
    (void)state;
    begin(true, 1000);
    struct search_move m = next(step_400, 5000); /* what the acquire stage made */
    ASSERT_KIND(m, RELEASE);
    assert_int_equal(m.stage, 2);
    assert_int_equal(m.keep, 1000);
    assert_int_equal(m.rate_milli_per_s, 100000); /* half of the lowest: nothing is known yet */
    assert_true(m.longest_ns > 40 * NS_PER_S);
    m = next(step_400, 1000);
    ASSERT_KIND(m, STEP);
    assert_int_equal(m.stage, 1);
    assert_int_equal(m.arrivals, 4000);
    assert_int_equal(m.rate_milli_per_s, 400000);
    assert_true(m.longest_ns >= 14 * NS_PER_S + NS_PER_S / 2);
    search_script_learn(&script, 400000, SEARCH_GOOD);
    m = next(step_400, 5000);
    ASSERT_KIND(m, RELEASE);
    assert_int_equal(m.rate_milli_per_s, 200000); /* half of what was good */
    ASSERT_KIND(next(step_400, 1000), STEP);
    search_script_learn(&script, 400000, SEARCH_BAD);
    search_script_learn(&script, 350000, SEARCH_BAD);
    search_script_learn(&script, 380000, SEARCH_BAD);
    search_script_learn(&script, 300000, SEARCH_INVALID);
    m = next(step_400, 1001);
    ASSERT_KIND(m, RELEASE);
    assert_int_equal(m.rate_milli_per_s, 175000); /* half of the lowest that was bad */
    search_script_init(&script, &config, &plan);
    search_script_learn(&script, 200000, SEARCH_GOOD);
    search_script_learn(&script, 700000, SEARCH_BAD);
    m = next(step_400, 1001);
    assert_int_equal(m.rate_milli_per_s, 200000); /* not faster than what was good */
    search_script_init(&script, &config, &plan);
    search_script_learn(&script, 0, SEARCH_GOOD);
    assert_int_equal(next(step_400, 1001).rate_milli_per_s, 100000);
    ASSERT_KIND(next(step_400, 1000), STEP);
    ASSERT_KIND(next(step_400, 900), STEP); /* fewer than bound: nothing to give back */
}

static void no_release_is_faster_than_the_plan_allows(void **state)
{
    (void)state;
    begin(true, 0);
    search_script_learn(&script, 2000000, SEARCH_GOOD);
    assert_int_equal(next(step_400, 10).rate_milli_per_s, 400000);
}

static void a_reset_empties_runs_the_hook_and_fills_again(void **state)
{
    (void)state;
    begin(true, 1000);
    snprintf(config.reset, sizeof(config.reset), "reset");
    ASSERT_KIND(next(step_400, 1000), STEP);
    struct search_move m = next(reset, 1200);
    ASSERT_KIND(m, RELEASE); /* to bound, as after every step */
    assert_int_equal(m.keep, 1000);
    m = next(reset, 1000);
    ASSERT_KIND(m, RELEASE);
    assert_int_equal(m.keep, 0);
    ASSERT_KIND(next(reset, 0), RESET);
    m = next(reset, 0);
    ASSERT_KIND(m, REFILL);
    assert_int_equal(m.stage, 0);
    assert_int_equal(m.keep, 1000);
    assert_true(m.longest_ns > 60 * NS_PER_S);
    ASSERT_KIND(next(reset, 1000), RESET_DONE);
    ASSERT_KIND(next(step_400, 1000), STEP);
}

static void fewer_leases_after_a_reset_are_another_state(void **state)
{
    (void)state;
    begin(true, 1000);
    ASSERT_KIND(next(step_400, 1000), STEP);
    ASSERT_KIND(next(reset, 1000), RELEASE);
    ASSERT_KIND(next(reset, 0), REFILL); /* no hook: the servers are emptied all the same */
    ASSERT_KIND(next(reset, 999), REFILL_FAILED);
}

static void where_nothing_is_held_a_reset_only_empties(void **state)
{
    (void)state;
    begin(true, 0);
    ASSERT_KIND(next(step_400, 0), STEP);
    ASSERT_KIND(next(reset, 0), RESET_DONE);
    ASSERT_KIND(next(done, 0), DONE);
    assert_int_equal(search_script_stage(&plan), 1);
    plan.stage_count = 1;
    assert_int_equal(search_script_stage(&plan), 1); /* none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_acquire_stage_canaries_come_first),
        cmocka_unit_test(a_canary_is_tried_twice),
        cmocka_unit_test(a_small_population_is_its_own_canary),
        cmocka_unit_test(after_each_step_the_leases_beyond_bound_are_given_back),
        cmocka_unit_test(no_release_is_faster_than_the_plan_allows),
        cmocka_unit_test(a_reset_empties_runs_the_hook_and_fills_again),
        cmocka_unit_test(fewer_leases_after_a_reset_are_another_state),
        cmocka_unit_test(where_nothing_is_held_a_reset_only_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
