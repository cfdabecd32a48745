/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "common/attrs.h"
#include "coordinator/truth/ramp.h"

enum { S = 1000000, STAGE = 5 * S };

static void add(struct ramp *ramp, unsigned count, int64_t at_us, bool is_repeated)
{
    for (unsigned i = 0; i < count; i++) {
        ramp_add(ramp, STAGE, at_us, is_repeated);
    }
}

static void canaries_alone_are_no_burst(void **state)
{
    (void)state;
    static struct ramp ramp;
    struct ramp_burst burst;
    assert_false(ramp_find_burst(&ramp, 0, &burst));
    ramp = (struct ramp){0};
    add(&ramp, 3, STAGE - 1, true); /* mapped to just before the stage */
    add(&ramp, 30, STAGE + S / 3, true);
    assert_false(ramp_find_burst(&ramp, 33, &burst));
}

static void canaries_are_the_steps_below_the_population(void **state)
{
    (void)state;
    static const uint64_t rows[][2] = {{1, 0},   {3, 0},    {4, 3},     {33, 3},
                                       {34, 33}, {333, 33}, {334, 333}, {100000000, 333}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(ramp_canaries(rows[i][0]), rows[i][1]);
    }
}

static void a_burst_is_two_seconds_from_the_first_after_the_canaries(void **state)
{
    (void)state;
    static struct ramp ramp;
    struct ramp_burst burst;
    ramp = (struct ramp){0};
    add(&ramp, 7, STAGE + 500 * S, true); /* beyond the slots; events come in any order */
    add(&ramp, 10, STAGE + 4 * S, true);
    add(&ramp, 100, STAGE + 13 * S / 10, false);
    add(&ramp, 20, STAGE + 13 * S / 10 - 1000, true); /* in the slot before: it counts as first */
    add(&ramp, 5, STAGE + 3 * S, true);
    add(&ramp, 333, STAGE + S / 2, true);
    assert_true(ramp_find_burst(&ramp, 333, &burst));
    assert_int_equal(burst.begin_us, STAGE + 13 * S / 10 - 1000);
    assert_int_equal(burst.last_us, STAGE + 500 * S);
    assert_int_equal(burst.begun, 125);
    assert_int_equal(burst.repeated, 25);
    assert_int_equal(burst.later, 17);
    assert_int_equal(burst.later_repeated, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canaries_alone_are_no_burst),
        cmocka_unit_test(canaries_are_the_steps_below_the_population),
        cmocka_unit_test(a_burst_is_two_seconds_from_the_first_after_the_canaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
