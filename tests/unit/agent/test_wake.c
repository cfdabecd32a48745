/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "agent/lane/wake.h"
#include "common/attrs.h"
#include "tests/support/lane_world.h"

#define TURN_NS (1000 * NS_PER_S)
#define DUE_NS  (TURN_NS + 700 * NS_PER_US)

static struct wake_facts facts_of(bool may_spin, double begins_per_s)
{
    return (struct wake_facts){.may_spin = may_spin,
                               .begins_per_s = begins_per_s,
                               .turned_at_ns = TURN_NS,
                               .due_ns = DUE_NS};
}

static void on_a_cpu_of_its_own_the_last_50_us_are_spent_awake(void **state)
{
    (void)state;
    struct wake_facts f = facts_of(true, 1000);
    struct wake w = wake_after(&f);
    assert_int_equal(w.rest_until_ns, 0);
    assert_int_equal(w.sleep_until_ns, DUE_NS - 50 * NS_PER_US);
    assert_int_equal(w.spin_until_ns, DUE_NS);
    f.due_ns = 3; /* long ago */
    w = wake_after(&f);
    assert_int_equal(w.sleep_until_ns, 0);
}

static void on_a_shared_cpu_it_sleeps_until_the_instant(void **state)
{
    (void)state;
    const struct wake_facts f = facts_of(false, 1000);
    struct wake w = wake_after(&f);
    assert_int_equal(w.rest_until_ns, 0);
    assert_int_equal(w.sleep_until_ns, DUE_NS);
    assert_int_equal(w.spin_until_ns, 0);
}

static void what_falls_into_one_span_has_its_turn_together(void **state)
{
    (void)state;
    static const struct {
        bool may_spin, is_behind;
        double begins_per_s;
        uint64_t rest_ns;
    } rows[] = {
        {true, false, 39999, 0},       {true, false, 40000, 50000}, {true, false, 1e6, 50000},
        {true, true, 1e6, 0},          {true, false, 0, 0},         {false, false, 3999, 0},
        {false, false, 4000, 250000},  {false, false, 1e6, 250000}, {false, true, 1e6, 0},
        {false, false, 20000, 250000}, {false, false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct wake_facts f = facts_of(rows[i].may_spin, rows[i].begins_per_s);
        f.is_behind = rows[i].is_behind;
        uint64_t expected = rows[i].rest_ns == 0 ? 0 : TURN_NS + rows[i].rest_ns;
        if (wake_after(&f).rest_until_ns != expected) {
            fail_msg("row %zu", i);
        }
    }
}

/* --- what a lane says of itself --- */

static struct lane_world world;

static double begins(void)
{
    return lane_begins_per_s(world.lane);
}

static void a_lane_knows_how_much_begins_by_schedule(void **state)
{
    (void)state;
    lane_world_init(&world, 1, 100, 1);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 100 * NS_PER_S);
    lane_world_add_stage(&world, PLAN_RENEW, 0);
    lane_world_start(&world);
    assert_true(begins() == 0);
    lane_world_go(&world, 0, 0, 50000);
    assert_true(begins() == 50);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    double renewals = begins(); /* of 100 clients, by a T1 that is fuzzed */
    assert_true(renewals > 100.0 / 3600 && renewals < 100);
    lane_world_go(&world, 2, 10, 0); /* closed: answers decide */
    assert_true(begins() == 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    lane_world_check(&world);
    lane_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_cpu_of_its_own_the_last_50_us_are_spent_awake),
        cmocka_unit_test(on_a_shared_cpu_it_sleeps_until_the_instant),
        cmocka_unit_test(what_falls_into_one_span_has_its_turn_together),
        cmocka_unit_test(a_lane_knows_how_much_begins_by_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
