/* SPDX-License-Identifier: MIT */
#include "common/histogram.h"

#include "common/attrs.h"
#include "common/prng.h"
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 20000 };

static struct histogram whole, part[2];
static uint64_t samples[SAMPLES];

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Spread over all powers of two that the buckets resolve. */
static void draw_samples(uint64_t seed)
{
    struct prng p = prng_seeded(seed);
    memset(&whole, 0, sizeof(whole));
    memset(part, 0, sizeof(part));
    for (unsigned i = 0; i < SAMPLES; i++) {
        unsigned power = (unsigned)prng_below(&p, 30) + HISTOGRAM_LOW_POWER;
        samples[i] = (UINT64_C(1) << power) + prng_below(&p, UINT64_C(1) << power);
        histogram_record(&whole, samples[i]);
        histogram_record(&part[prng_below(&p, 2)], samples[i]);
    }
    qsort(samples, SAMPLES, sizeof(samples[0]), compare_u64);
}

static void an_empty_one_has_no_percentile(void **state)
{
    (void)state;
    memset(&whole, 0, sizeof(whole));
    assert_int_equal(histogram_percentile_ns(&whole, 99), 0);
    assert_int_equal(histogram_percentile_of_total_ns(&whole, 99, 0), 0);
    assert_true(histogram_percentile_of_total_ns(&whole, 1, 10) == UINT64_MAX);
}

static void values_beyond_the_ends_keep_exact_extremes(void **state)
{
    (void)state;
    memset(&whole, 0, sizeof(whole));
    histogram_record(&whole, UINT64_MAX);
    histogram_record(&whole, 0);
    assert_true(whole.max_ns == UINT64_MAX);
    assert_int_equal(whole.min_ns, 0);
    assert_int_equal(whole.bucket[0], 1);
    assert_int_equal(whole.bucket[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram_percentile_ns(&whole, 50), 1023);
    assert_true(histogram_percentile_ns(&whole, 100) == UINT64_MAX);
    histogram_record(&whole, 1);
    assert_true(whole.is_saturated); /* the sum */
    assert_true(whole.sum_ns == UINT64_MAX);
}

static void a_full_bucket_saturates_and_says_so(void **state)
{
    (void)state;
    memset(part, 0, sizeof(part));
    histogram_record(&part[0], 5000);
    histogram_record(&part[1], 5000);
    part[0].bucket[histogram_bucket_of(5000)] = UINT32_MAX;
    histogram_merge(&part[1], &part[0]);
    assert_int_equal(part[1].bucket[histogram_bucket_of(5000)], UINT32_MAX);
    assert_true(part[1].is_saturated);
    memset(&whole, 0, sizeof(whole));
    histogram_merge(&whole, &part[1]); /* it stays known */
    assert_true(whole.is_saturated);
}

static void what_did_not_arrive_is_infinite(void **state)
{
    (void)state;
    memset(&whole, 0, sizeof(whole));
    for (unsigned i = 0; i < 90; i++) {
        histogram_record(&whole, 1000000);
    }
    assert_int_equal(histogram_percentile_of_total_ns(&whole, 90, 100), 1000000);
    assert_true(histogram_percentile_of_total_ns(&whole, 91, 100) == UINT64_MAX);
    assert_int_equal(histogram_percentile_of_total_ns(&whole, 100, 90), 1000000);
}

static void buckets_tile_the_line_without_gap(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t upper = histogram_upper_ns(i);
        assert_int_equal(histogram_bucket_of(upper), i);
        assert_int_equal(histogram_bucket_of(upper + 1), i + 1);
    }
    assert_true(histogram_upper_ns(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
    assert_int_equal(histogram_upper_ns(0), 1023);
    assert_true(histogram_upper_ns(HISTOGRAM_BUCKETS - 2) == (UINT64_C(1) << 40) - 1);
}

static void a_bound_is_within_one_step_of_the_value(void **state)
{
    (void)state;
    struct prng p = prng_seeded(3);
    for (unsigned i = 0; i < 100000; i++) {
        unsigned power = (unsigned)prng_below(&p, 30) + HISTOGRAM_LOW_POWER;
        uint64_t value = (UINT64_C(1) << power) + prng_below(&p, UINT64_C(1) << power);
        uint64_t upper = histogram_upper_ns(histogram_bucket_of(value));
        assert_true(upper >= value);
        assert_true(upper - value <= value / HISTOGRAM_STEPS);
    }
}

static void a_percentile_is_never_flattered(void **state)
{
    (void)state;
    static const double percents[] = {0.001, 1, 7, 25, 50, 70, 90, 95, 99, 99.9, 99.99, 100};
    for (uint64_t seed = 1; seed <= 5; seed++) {
        draw_samples(seed);
        for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
            size_t rank = 1;
            while ((double)rank * 100 < percents[i] * SAMPLES * (1 - 1e-12)) {
                rank++;
            }
            uint64_t exact = samples[rank - 1];
            uint64_t shown = histogram_percentile_ns(&whole, percents[i]);
            assert_true(shown >= exact);
            assert_true(shown - exact <= exact / HISTOGRAM_STEPS);
            assert_true(shown >= whole.min_ns && shown <= whole.max_ns);
        }
    }
}

static void round_percents_of_round_counts_are_exact(void **state)
{
    (void)state;
    memset(&whole, 0, sizeof(whole));
    for (unsigned i = 1; i <= 100; i++) {
        histogram_record(&whole, i * 1000000);
    }
    for (unsigned i = 1; i < 100; i++) {
        uint64_t upper = histogram_upper_ns(histogram_bucket_of(i * 1000000));
        assert_int_equal(histogram_percentile_ns(&whole, i), upper);
    }
    assert_int_equal(histogram_percentile_ns(&whole, 100), 100000000);
    assert_int_equal(whole.sum_ns, UINT64_C(5050) * 1000000);
}

static void merged_parts_equal_the_whole(void **state)
{
    (void)state;
    draw_samples(11);
    struct histogram *empty = calloc(1, sizeof(*empty));
    assert_non_null(empty);
    histogram_merge(&part[0], &part[1]);
    histogram_merge(&part[0], empty);
    assert_memory_equal(&part[0], &whole, sizeof(whole));
    histogram_merge(empty, &whole);
    assert_memory_equal(empty, &whole, sizeof(whole));
    free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_no_percentile),
        cmocka_unit_test(values_beyond_the_ends_keep_exact_extremes),
        cmocka_unit_test(a_full_bucket_saturates_and_says_so),
        cmocka_unit_test(what_did_not_arrive_is_infinite),
        cmocka_unit_test(buckets_tile_the_line_without_gap),
        cmocka_unit_test(a_bound_is_within_one_step_of_the_value),
        cmocka_unit_test(a_percentile_is_never_flattered),
        cmocka_unit_test(round_percents_of_round_counts_are_exact),
        cmocka_unit_test(merged_parts_equal_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
