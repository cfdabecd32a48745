/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>

#include "common/prng.h"
#include "coordinator/run/clock_map.h"

static void a_sample_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    struct clock_map map = {0};
    assert_false(clock_map_add(&map, 100, 50, 60, 99));   /* came back before it left */
    assert_false(clock_map_add(&map, 100, 60, 50, 200));  /* the agent answered before it heard */
    assert_false(clock_map_add(&map, 100, 10, 500, 200)); /* held longer than the round trip */
    assert_int_equal(map.count, 0);
    assert_true(clock_map_uncertainty_ns(&map) == UINT64_MAX);
}

static void a_clock_that_is_decades_away_is_refused(void **state)
{
    (void)state;
    static const uint64_t there[] = {INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX / 8 * 3,
                                     INT64_MAX / 4, 0 - (uint64_t)INT64_MAX / 4};
    struct clock_map map = {0};
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        uint64_t t2 = 1000000 + there[i];
        assert_false(clock_map_add(&map, 1000000, t2, t2, 1000100));
    }
    assert_int_equal(map.count, 0);
}

static void the_truth_lies_within_the_uncertainty(void **state)
{
    (void)state;
    static const int64_t offsets[] = {0, 5000000000, -5000000000, 86400000000000, -3};
    struct prng prng = prng_seeded(11);
    for (size_t k = 0; k < sizeof(offsets) / sizeof(offsets[0]); k++) {
        struct clock_map map = {0};
        uint64_t now = 100000000000000;
        for (unsigned i = 0; i < 100; i++) {
            uint64_t there = 20000 + prng_below(&prng, 2000000);
            uint64_t back = 20000 + prng_below(&prng, 2000000);
            uint64_t held = prng_below(&prng, 50000);
            uint64_t t2 = now + there + (uint64_t)offsets[k];
            assert_true(clock_map_add(&map, now, t2, t2 + held, now + there + held + back));
            now += 1000000000;
            int64_t error = clock_map_offset_ns(&map) - offsets[k];
            assert_true((uint64_t)llabs(error) <= clock_map_uncertainty_ns(&map));
        }
        assert_true(clock_map_is_usable(&map));
        uint64_t agent = clock_map_to_agent_ns(&map, now);
        assert_true(clock_map_to_coordinator_ns(&map, agent) == (int64_t)now);
    }
}

static void the_least_delayed_of_the_last_samples_counts(void **state)
{
    (void)state;
    struct clock_map map = {0};
    assert_true(clock_map_add(&map, 1000, 1005, 1005, 1010));
    for (unsigned i = 0; i < CLOCK_MAP_SAMPLES - 1; i++) {
        assert_true(clock_map_add(&map, 1000, 1500, 1500, 2000));
    }
    assert_int_equal(clock_map_delay_ns(&map), 10);
    assert_true(clock_map_add(&map, 1000, 1500, 1500, 2000)); /* the best one is too old now */
    assert_int_equal(clock_map_delay_ns(&map), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_that_contradicts_itself_is_refused),
        cmocka_unit_test(a_clock_that_is_decades_away_is_refused),
        cmocka_unit_test(the_truth_lies_within_the_uncertainty),
        cmocka_unit_test(the_least_delayed_of_the_last_samples_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
