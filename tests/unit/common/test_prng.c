/* SPDX-License-Identifier: MIT */
#include "common/prng.h"

#include "tests/support/testing.h"

static void the_bound_is_never_reached(void **state)
{
    (void)state;
    static const uint64_t bounds[] = {1, 2, 3, 10, 1000, UINT64_C(1) << 63, UINT64_MAX};
    struct prng p = prng_seeded(7);
    for (unsigned i = 0; i < 7; i++) {
        for (unsigned n = 0; n < 2000; n++) {
            assert_true(prng_below(&p, bounds[i]) < bounds[i]);
        }
    }
}

static void the_unit_interval_is_half_open(void **state)
{
    (void)state;
    assert_true(prng_unit(0) == 0);
    assert_true(prng_unit(UINT64_MAX) < 1);
    assert_true(prng_unit(UINT64_MAX) > 0.999999);
}

static void inputs_are_not_interchangeable(void **state)
{
    (void)state;
    uint64_t hash = prng_mix(1, 2, 3);
    assert_true(hash != prng_mix(1, 3, 2));
    assert_true(hash != prng_mix(2, 1, 3));
    assert_true(hash != prng_mix(0, 2, 3));
    assert_true(prng_mix(0, 0, 0) != 0);
}

/* Plans promise the same clients on every machine and in every version: the values are fixed. */
static void the_sequence_is_fixed_for_ever(void **state)
{
    (void)state;
    struct prng p = prng_seeded(0); /* the published SplitMix64 vectors */
    assert_true(prng_next(&p) == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(prng_next(&p) == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(prng_next(&p) == UINT64_C(0x06c45d188009454f));
    assert_true(prng_mix(1, 2, 3) == UINT64_C(0xd0734750fde362b3));
}

static void draws_are_spread_evenly(void **state)
{
    (void)state;
    enum { CELLS = 10, DRAWS = 100000 };
    unsigned seen[CELLS] = {0};
    unsigned mixed[CELLS] = {0};
    struct prng p = prng_seeded(42);
    for (unsigned i = 0; i < DRAWS; i++) {
        seen[prng_below(&p, CELLS)]++;
        mixed[(unsigned)(prng_unit(prng_mix(42, i, 1)) * CELLS)]++;
    }
    for (unsigned i = 0; i < CELLS; i++) {
        /* Five standard deviations around 10,000. */
        assert_in_range(seen[i], 9525, 10475);
        assert_in_range(mixed[i], 9525, 10475);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_never_reached),
        cmocka_unit_test(the_unit_interval_is_half_open),
        cmocka_unit_test(inputs_are_not_interchangeable),
        cmocka_unit_test(the_sequence_is_fixed_for_ever),
        cmocka_unit_test(draws_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
