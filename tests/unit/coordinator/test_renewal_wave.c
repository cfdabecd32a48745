/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdlib.h>

#include "common/prng.h"
#include "coordinator/truth/renewal_wave.h"

enum { S = 1000000 };

struct bench {
    struct renewal_wave w;
    double forecast[RENEWAL_WAVE_BUCKETS], begun[RENEWAL_WAVE_BUCKETS];
    struct renewal_wave_figures f;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    assert_false(b->w.is_out_of_memory);
    renewal_wave_fini(&b->w);
    free(b);
    return 0;
}

static size_t compare(struct bench *b, double until_s)
{
    return renewal_wave_compare(&b->w, (int64_t)(until_s * S), b->forecast, b->begun, &b->f);
}

static double sum(const double *values, size_t from, size_t until)
{
    double total = 0;
    for (size_t i = from; i < until; i++) {
        total += values[i];
    }
    return total;
}

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-6;
}

/* Renews once, so long after the lease began; the ACK took `latency_s`. */
static void renew(struct bench *b, double start_s, double latency_s, uint32_t lease_s, double t1_s)
{
    const struct live_lease held = {.from_us = (int64_t)((start_s + latency_s) * S),
                                    .until_us = (int64_t)((start_s + lease_s) * S)};
    renewal_wave_begun(&b->w, (int64_t)((start_s + t1_s) * S), &held);
}

static void an_empty_one_foretells_nothing(void **state)
{
    struct bench *b = *state;
    assert_int_equal(compare(b, 100), 0);
    assert_true(b->f.forecast_total == 0 && b->f.begun_total == 0);
    assert_int_equal(renewal_wave_usual_lease_s(&b->w), 0);
}

static void infinite_and_missing_leases_foretell_nothing(void **state)
{
    struct bench *b = *state;
    renewal_wave_lease(&b->w, UINT32_MAX, 5 * S);
    renewal_wave_lease(&b->w, 0, 5 * S);
    renewal_wave_lease(&b->w, 60, -5 * S); /* preflight */
    (void)compare(b, 100);
    assert_true(b->f.forecast_total == 0);
}

static void a_lease_is_renewed_at_half_of_it(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 10; i++) {
        renewal_wave_lease(&b->w, 60, 7 * S + i * 100000);
    }
    assert_int_equal(compare(b, 50), 50);
    assert_true(is_near(b->forecast[37], 10));
    assert_true(is_near(b->f.forecast_total, 10));
    assert_true(is_near(b->f.forecast_peak_per_s, 10) && is_near(b->f.forecast_peak_at_s, 37));
    (void)compare(b, 37); /* due after the end */
    assert_true(is_near(b->f.forecast_total, 0));
}

static void the_fuzz_spreads_it_evenly(void **state)
{
    struct bench *b = *state;
    b->w.fuzz = 0.05;
    for (int i = 0; i < 310; i++) {
        renewal_wave_lease(&b->w, 600, 100 * S);
    }
    (void)compare(b, 500); /* 400 s +- 15 s, and a second for the bucket of the start */
    assert_true(is_near(sum(b->forecast, 385, 416), 310));
    assert_true(is_near(b->forecast[385], 10) && is_near(b->forecast[400], 10) &&
                is_near(b->forecast[415], 10));
    assert_true(is_near(b->forecast[384], 0) && is_near(b->forecast[416], 0));
    (void)compare(b, 400);
    assert_true(is_near(b->f.forecast_total, 150));
}

static void a_lease_given_back_before_t1_is_void(void **state)
{
    struct bench *b = *state;
    renewal_wave_lease(&b->w, 60, 5 * S);
    renewal_wave_lease(&b->w, 60, 6 * S);
    renewal_wave_void(&b->w, 0, 65 * S, 20 * S);
    renewal_wave_void(&b->w, 60, 66 * S, 40 * S); /* had begun to renew */
    (void)compare(b, 100);
    assert_true(is_near(b->f.forecast_total, 1));
    assert_true(is_near(b->forecast[36], 1));
}

static void t1_is_learned_from_first_renewals(void **state)
{
    struct bench *b = *state;
    bool is_learned;
    b->w.fuzz = 0.05;
    for (uint32_t i = 0; i < 300; i++) {
        double start_s = 0.05 * i, fuzz = 0.1 * prng_unit(prng_mix(7, i, 1)) - 0.05;
        renewal_wave_lease(&b->w, 600, (int64_t)(start_s * S));
        renew(b, start_s, 0.004, 600, 200 * (1 + fuzz));
        /* Its second lease: the table spans both, which must not be taken for a first one. */
        const struct live_lease held = {.from_us = (int64_t)((start_s + 0.004) * S),
                                        .until_us = (int64_t)((start_s + 800) * S)};
        renewal_wave_begun(&b->w, (int64_t)((start_s + 400) * S), &held);
    }
    int64_t t1_us = renewal_wave_t1_us(&b->w, 600, &is_learned);
    assert_true(is_learned);
    assert_true(llabs(t1_us - 200 * S) <= 2 * S && t1_us % S == 0);
    assert_int_equal(renewal_wave_t1_us(&b->w, 60, &is_learned), 30 * S);
    assert_false(is_learned);
}

static void half_a_run_does_not_look_like_a_shorter_t1(void **state)
{
    struct bench *b = *state;
    bool is_learned;
    b->w.fuzz = 0.05;
    renewal_wave_lease(&b->w, 600, 0);
    for (int i = 0; i < 50; i++) { /* the quickest of all: 300 s - 5 % */
        renew(b, 0, 0.01, 600, 285 + 0.01 * i);
    }
    assert_int_equal(renewal_wave_t1_us(&b->w, 600, &is_learned), 300 * S);
    assert_true(is_learned);
}

static void too_few_renewals_teach_nothing(void **state)
{
    struct bench *b = *state;
    bool is_learned;
    renewal_wave_lease(&b->w, 600, 0);
    for (int i = 0; i < 19; i++) {
        renew(b, 0, 0.01, 600, 100);
    }
    assert_int_equal(renewal_wave_t1_us(&b->w, 600, &is_learned), 300 * S);
    assert_false(is_learned);
}

static void renewals_in_time_are_told_from_others(void **state)
{
    struct bench *b = *state;
    b->w.fuzz = 0.05;
    for (int i = 0; i < 100; i++) {
        renewal_wave_lease(&b->w, 600, 10 * S);
    }
    for (int i = 0; i < 90; i++) {
        renew(b, 10, 5, 600, i % 2 == 0 ? 287 : 313); /* slow ACKs: nothing is learned */
    }
    for (int i = 0; i < 10; i++) {
        renew(b, 10, 5, 600, 340); /* held up */
    }
    (void)compare(b, 400);
    assert_true(is_near(b->f.in_time, 90));
    assert_true(is_near(b->f.forecast_total, 100) && is_near(b->f.begun_total, 100));
    assert_true(b->f.difference_per_s > 40 && is_near(b->f.difference_at_s, 297));
}

/* The table of 8 lease times is full: what is left goes to the nearest, and none is lost. */
static void many_lease_times_are_all_foretold(void **state)
{
    struct bench *b = *state;
    for (uint32_t i = 0; i < 400; i++) {
        renewal_wave_lease(&b->w, 60 + i, 10 * S);
    }
    assert_int_equal(b->w.row_count, RENEWAL_WAVE_LEASES);
    (void)compare(b, 400);
    assert_true(is_near(b->f.forecast_total, 400));
}

static void a_long_run_keeps_every_count(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 20000; i++) {
        renewal_wave_lease(&b->w, 60, (int64_t)i * S);
        const struct live_lease held = {.from_us = 0, .until_us = ((int64_t)i + 60) * S};
        renewal_wave_begun(&b->w, ((int64_t)i + 30) * S, &held);
    }
    assert_int_equal(b->w.interval_us, 8 * S);
    size_t count = compare(b, 20480);
    assert_int_equal(count, 2560);
    assert_true(fabs(b->f.forecast_total - 20000) < 1e-3);
    assert_true(is_near(b->f.begun_total, 20000));
    assert_true(is_near(b->forecast[1000], 1) && is_near(b->begun[1000], 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_one_foretells_nothing),
        TEST(infinite_and_missing_leases_foretell_nothing),
        TEST(a_lease_is_renewed_at_half_of_it),
        TEST(the_fuzz_spreads_it_evenly),
        TEST(a_lease_given_back_before_t1_is_void),
        TEST(t1_is_learned_from_first_renewals),
        TEST(half_a_run_does_not_look_like_a_shorter_t1),
        TEST(too_few_renewals_teach_nothing),
        TEST(renewals_in_time_are_told_from_others),
        TEST(many_lease_times_are_all_foretold),
        TEST(a_long_run_keeps_every_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
