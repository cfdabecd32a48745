/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "common/attrs.h"
#include "coordinator/truth/statistics.h"

static void a_percentile_needs_ten_samples_beyond_it(void **state)
{
    (void)state;
    assert_int_equal(statistics_samples_needed(50), 20);
    assert_int_equal(statistics_samples_needed(90), 100);
    assert_int_equal(statistics_samples_needed(99), 1000);
    assert_int_equal(statistics_samples_needed(99.9), 10000);
}

static void an_empty_histogram_has_no_figures(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    statistics_latency(&h, 0, &l);
    assert_int_equal(l.count, 0);
    assert_true(l.min_us == RESULT_UNKNOWN);
    assert_true(l.mean_us == RESULT_UNKNOWN);
    assert_true(l.max_us == RESULT_UNKNOWN);
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        assert_true(l.percentile_us[i] == RESULT_UNKNOWN);
        assert_false(l.is_infinite[i]);
    }
}

static void too_few_samples_give_no_percentile(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    for (unsigned i = 1; i <= 99; i++) {
        histogram_record(&h, i * NS_PER_MS);
    }
    statistics_latency(&h, 0, &l);
    assert_true(l.percentile_us[0] >= 50000 && l.percentile_us[0] <= 50500);
    assert_true(l.percentile_us[1] == RESULT_UNKNOWN); /* 99 < 100 */
    assert_int_equal(l.min_us, 1000);
    assert_int_equal(l.mean_us, 50000);
    assert_int_equal(l.max_us, 99000);
    histogram_record(&h, 100 * NS_PER_MS);
    statistics_latency(&h, 0, &l);
    assert_true(l.percentile_us[1] >= 90000 && l.percentile_us[1] <= 91000);
}

static void a_percentile_lies_in_its_interval(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    for (unsigned i = 1; i <= 10000; i++) {
        histogram_record(&h, i * NS_PER_US * 10);
    }
    statistics_latency(&h, 0, &l);
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        assert_true(l.percentile_us[i] != RESULT_UNKNOWN);
        assert_true(l.low_us[i] <= l.percentile_us[i]);
        assert_true(l.high_us[i] >= l.percentile_us[i]);
    }
    /* p50: ranks 4902 and 5099 of 10000, 10 us apart each. */
    assert_in_range(l.low_us[0], 49020, 49420);
    assert_in_range(l.high_us[0], 50990, 51410);
}

static void what_never_finished_counts_as_infinite(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    for (unsigned i = 0; i < 980; i++) {
        histogram_record(&h, NS_PER_MS);
    }
    statistics_latency(&h, 20, &l); /* 2 % unfinished: p99 is among them, p90 is not */
    assert_int_equal(l.count, 980);
    assert_int_equal(l.unfinished, 20);
    assert_false(l.is_infinite[1]);
    assert_true(l.percentile_us[1] != RESULT_UNKNOWN);
    assert_true(l.is_infinite[2]);
    assert_true(l.percentile_us[2] == RESULT_UNKNOWN);
}

static void only_unfinished_starts_are_all_infinite(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    statistics_latency(&h, 1000, &l);
    assert_true(l.is_infinite[0]);
    assert_true(l.is_infinite[2]);
    assert_true(l.max_us == RESULT_UNKNOWN);
}

static void microseconds_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(statistics_us(0), 0);
    assert_int_equal(statistics_us(1), 1);
    assert_int_equal(statistics_us(1000), 1);
    assert_int_equal(statistics_us(1001), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_percentile_needs_ten_samples_beyond_it),
        cmocka_unit_test(an_empty_histogram_has_no_figures),
        cmocka_unit_test(too_few_samples_give_no_percentile),
        cmocka_unit_test(a_percentile_lies_in_its_interval),
        cmocka_unit_test(what_never_finished_counts_as_infinite),
        cmocka_unit_test(only_unfinished_starts_are_all_infinite),
        cmocka_unit_test(microseconds_are_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
