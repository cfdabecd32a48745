/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "common/prng.h"
#include "coordinator/truth/bootstrap.h"

static void a_median_stands_in_the_middle(void **state)
{
    (void)state;
    const double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2}, one[] = {7};
    assert_float_equal(bootstrap_median(odd, 3), 5, 0);
    assert_float_equal(bootstrap_median(even, 4), 2.5, 0);
    assert_float_equal(bootstrap_median(one, 1), 7, 0);
    assert_float_equal(odd[0], 9, 0); /* the caller's values stay in their order */
}

/* Standard library Python: all n^n resamples, not some. */
static struct bootstrap_interval by_python(const char *values)
{
    char command[512];
    (void)snprintf(command, sizeof(command),
                   "python3 -c 'import itertools, statistics as s\n"
                   "v = [%s]\n"
                   "m = sorted(map(s.median, itertools.product(v, repeat=len(v))))\n"
                   "print(m[int(len(m) * 0.025)], m[-1 - int(len(m) * 0.025)])'",
                   values);
    FILE *from = popen(command, "r");
    assert_non_null(from);
    struct bootstrap_interval out;
    assert_int_equal(fscanf(from, "%lf %lf", &out.low, &out.high), 2);
    assert_int_equal(pclose(from), 0);
    return out;
}

static void an_interval_is_that_of_all_resamples(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double values[7];
        size_t count;
    } rows[] = {
        {"3, 1, 2", {3, 1, 2}, 3},
        {"10.5, 9, 11, 10", {10.5, 9, 11, 10}, 4},
        {"100, 104, 97, 101, 99", {100, 104, 97, 101, 99}, 5},
        {"5, 5, 5, 5, 9", {5, 5, 5, 5, 9}, 5},
        {"1, 2, 3, 4, 5, 60", {1, 2, 3, 4, 5, 60}, 6},
        {"1, 2, 3, 4, 5, 6, 70", {1, 2, 3, 4, 5, 6, 70}, 7},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bootstrap_interval want = by_python(rows[i].text);
        struct bootstrap_interval got =
            bootstrap_median_interval(rows[i].values, rows[i].count, 1 + i);
        if (fabs(got.low - want.low) > 1e-9 || fabs(got.high - want.high) > 1e-9) {
            print_error("%s: %g..%g, Python: %g..%g\n", rows[i].text, got.low, got.high, want.low,
                        want.high);
        }
        assert_float_equal(got.low, want.low, 1e-9);
        assert_float_equal(got.high, want.high, 1e-9);
    }
}

static void the_same_seed_gives_the_same_interval(void **state)
{
    (void)state;
    double values[40];
    struct prng random = prng_seeded(3);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        values[i] = prng_unit(prng_next(&random));
    }
    struct bootstrap_interval a = bootstrap_median_interval(values, 40, 5);
    struct bootstrap_interval b = bootstrap_median_interval(values, 40, 5);
    struct bootstrap_interval c = bootstrap_median_interval(values, 40, 6);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_float_equal(a.low, c.low, 0.1);
    assert_true(a.low < bootstrap_median(values, 40) && bootstrap_median(values, 40) < a.high);
}

/* Uniform samples around 0.5: how often does the interval hold it? */
static double coverage_percent(size_t count)
{
    enum { ROUNDS = 300 };
    struct prng random = prng_seeded(11 * count);
    unsigned hits = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        double values[32];
        for (size_t i = 0; i < count; i++) {
            values[i] = prng_unit(prng_next(&random));
        }
        struct bootstrap_interval x = bootstrap_median_interval(values, count, round);
        hits += x.low <= 0.5 && 0.5 <= x.high;
    }
    return 100.0 * hits / ROUNDS;
}

static void it_covers_as_often_as_it_says(void **state)
{
    (void)state;
    const size_t counts[] = {3, 5, 9, 13};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        double said = bootstrap_coverage_percent(counts[i]), seen = coverage_percent(counts[i]);
        if (fabs(said - seen) > 4) {
            print_error("%zu values: says %.1f %%, covers %.1f %%\n", counts[i], said, seen);
        }
        assert_float_equal(said, seen, 4);
    }
}

static void a_difference_has_its_sign(void **state)
{
    (void)state;
    const double a[] = {100, 101, 99, 100.5, 99.5}, b[] = {110, 111, 109, 110.5, 109.5};
    struct bootstrap_interval up = bootstrap_difference(a, 5, b, 5, 1);
    struct bootstrap_interval down = bootstrap_difference(b, 5, a, 5, 1);
    struct bootstrap_interval none = bootstrap_difference(a, 5, a, 5, 1);
    assert_true(up.low > 7 && up.high < 13);
    assert_true(down.low > -13 && down.high < -7);
    assert_true(none.low < 0 && none.high > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_median_stands_in_the_middle),
        cmocka_unit_test(an_interval_is_that_of_all_resamples),
        cmocka_unit_test(the_same_seed_gives_the_same_interval),
        cmocka_unit_test(it_covers_as_often_as_it_says),
        cmocka_unit_test(a_difference_has_its_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
