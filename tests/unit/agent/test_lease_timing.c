/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "agent/client/lease_timing.h"
#include "common/attrs.h"

enum { SEED = 11 };

static struct lease_spans spans(struct lease_terms terms, uint32_t fuzz, uint64_t client)
{
    return lease_spans_of(&terms, fuzz, SEED, client, 3);
}

static bool is_never(struct lease_spans s)
{
    return s.t1_ms == UINT32_MAX && s.t2_ms == UINT32_MAX && s.expiry_ms == UINT32_MAX;
}

/* Every combination of what a hostile or broken server may put into options 51, 58 and 59. */
static void no_server_can_put_t1_t2_and_expiry_out_of_order(void **state)
{
    (void)state;
    static const uint32_t values[] = {0,       1,          2,          3,         10,      60,
                                      3600,    86400,      1999999,    2000000,   2000001, 4294967,
                                      4294968, 0x7fffffff, 0xfffffffe, 0xffffffff};
    static const uint32_t fuzzes[] = {0, 50, 500};
    for (size_t l = 0; l < ARRAY_LEN(values); l++) {
        for (size_t a = 0; a <= ARRAY_LEN(values); a++) {
            for (size_t b = 0; b <= ARRAY_LEN(values); b++) {
                struct lease_terms terms = {.lease_s = values[l],
                                            .t1_s = a > 0 ? values[a - 1] : 0,
                                            .t2_s = b > 0 ? values[b - 1] : 0,
                                            .has_t1 = a > 0,
                                            .has_t2 = b > 0};
                struct lease_spans s =
                    lease_spans_of(&terms, fuzzes[(a + b) % 3], SEED, l * 100 + a, b);
                assert_true(is_never(s) || (s.t1_ms < s.t2_ms && s.t2_ms < s.expiry_ms));
                /* Renewing again in the very moment of the ACK would be a storm. */
                assert_true(s.t1_ms >= 200);
            }
        }
    }
}

static void a_lease_without_end_is_never_renewed_unless_the_server_asks_for_it(void **state)
{
    (void)state;
    assert_true(is_never(spans((struct lease_terms){.lease_s = UINT32_MAX}, 50, 1)));
    struct lease_spans s =
        spans((struct lease_terms){.lease_s = UINT32_MAX, .t1_s = 300, .has_t1 = true}, 0, 1);
    assert_int_equal(s.t1_ms, 300000);
    assert_true(s.expiry_ms > 20U * 86400 * 1000);
}

static void a_lease_of_no_time_is_played_as_one_second(void **state)
{
    (void)state;
    struct lease_spans s = spans((struct lease_terms){.lease_s = 0}, 0, 1);
    assert_int_equal(s.t1_ms, 500);
    assert_int_equal(s.t2_ms, 875);
    assert_int_equal(s.expiry_ms, 1000);
}

static void times_out_of_order_count_as_not_given(void **state)
{
    (void)state;
    static const struct {
        uint32_t t1_s, t2_s, expected_t1_ms, expected_t2_ms;
    } table[] = {
        {0, 50, 28568, 50000},                           /* T1 at once */
        {20, 0, 20000, 52500},                           /* T2 at once */
        {0, 0, 30000, 52500},    {50, 40, 22856, 40000}, /* T1 behind T2 */
        {20, 60, 20000, 52500},                          /* T2 at expiry */
        {90, 100, 30000, 52500},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct lease_spans s =
            spans((struct lease_terms){60, table[i].t1_s, table[i].t2_s, true, true}, 0, 1);
        assert_int_equal(s.t1_ms, table[i].expected_t1_ms);
        assert_int_equal(s.t2_ms, table[i].expected_t2_ms);
        assert_int_equal(s.expiry_ms, 60000);
    }
}

static void t1_is_half_and_t2_seven_eighths_of_the_lease(void **state)
{
    (void)state;
    struct lease_spans s = spans((struct lease_terms){.lease_s = 28800}, 0, 1);
    assert_int_equal(s.t1_ms, 14400000);
    assert_int_equal(s.t2_ms, 25200000);
    assert_int_equal(s.expiry_ms, 28800000);
}

static void options_58_and_59_are_followed(void **state)
{
    (void)state;
    struct lease_spans s = spans((struct lease_terms){60, 10, 20, true, true}, 0, 1);
    assert_int_equal(s.t1_ms, 10000);
    assert_int_equal(s.t2_ms, 20000);
}

static void the_fuzz_reaches_as_far_as_it_says_in_both_directions_and_no_further(void **state)
{
    (void)state;
    uint32_t least = UINT32_MAX, most = 0;
    double sum = 0;
    for (uint64_t client = 0; client < 4000; client++) {
        struct lease_spans s = spans((struct lease_terms){.lease_s = 60}, 50, client);
        least = s.t1_ms < least ? s.t1_ms : least;
        most = s.t1_ms > most ? s.t1_ms : most;
        sum += s.t1_ms;
        assert_in_range(s.t1_ms, 28500, 31500);
        assert_in_range(s.t2_ms, 49875, 55125);
        assert_int_equal(s.expiry_ms, 60000);
    }
    assert_true(least < 28520 && most > 31480);
    assert_in_range((uint64_t)(sum / 4000), 29950, 30050);
}

static void the_jitter_is_a_function_of_seed_client_and_occasion(void **state)
{
    (void)state;
    struct lease_terms terms = {.lease_s = 60};
    uint32_t t1 = lease_spans_of(&terms, 50, 1, 2, 3).t1_ms;
    assert_int_equal(lease_spans_of(&terms, 50, 1, 2, 3).t1_ms, t1);
    assert_int_not_equal(lease_spans_of(&terms, 50, 2, 2, 3).t1_ms, t1);
    assert_int_not_equal(lease_spans_of(&terms, 50, 1, 3, 3).t1_ms, t1);
    assert_int_not_equal(lease_spans_of(&terms, 50, 1, 2, 4).t1_ms, t1);
    assert_int_equal(lease_backoff_ns(1, 1, 2, 3), lease_backoff_ns(1, 1, 2, 3));
    assert_int_not_equal(lease_backoff_ns(1, 1, 2, 3), lease_backoff_ns(1, 1, 2, 4));
}

static void
the_backoff_doubles_from_four_to_sixty_four_seconds_with_a_second_of_jitter(void **state)
{
    (void)state;
    static const uint64_t base_s[] = {4, 4, 8, 16, 32, 64, 64, 64};
    for (uint32_t attempt = 0; attempt < ARRAY_LEN(base_s); attempt++) {
        uint64_t least = UINT64_MAX, most = 0;
        for (uint64_t client = 0; client < 1000; client++) {
            uint64_t wait = lease_backoff_ns(attempt, SEED, client, 0);
            least = wait < least ? wait : least;
            most = wait > most ? wait : most;
        }
        assert_true(least >= (base_s[attempt] - 1) * NS_PER_S);
        assert_true(most <= (base_s[attempt] + 1) * NS_PER_S);
        assert_true(most - least > 19 * NS_PER_S / 10);
    }
    assert_true(lease_backoff_ns(UINT32_MAX, SEED, 1, 0) <= 65 * NS_PER_S);
}

static void renewals_wait_half_of_what_is_left_but_a_minute_at_least(void **state)
{
    (void)state;
    assert_int_equal(lease_renew_wait_ns(0, 0), 60 * NS_PER_S);
    assert_int_equal(lease_renew_wait_ns(119 * NS_PER_S, 0), 60 * NS_PER_S);
    assert_int_equal(lease_renew_wait_ns(122 * NS_PER_S, 0), 61 * NS_PER_S);
    assert_int_equal(lease_renew_wait_ns(10800 * NS_PER_S, 0), 5400 * NS_PER_S);
    assert_int_equal(lease_renew_wait_ns(10800 * NS_PER_S, 4 * NS_PER_S), 4 * NS_PER_S);
}

static void secs_stops_at_its_largest_value_and_never_runs_backwards(void **state)
{
    (void)state;
    assert_int_equal(lease_secs(5 * NS_PER_S, 4 * NS_PER_S), 0);
    assert_int_equal(lease_secs(0, NS_PER_S - 1), 0);
    assert_int_equal(lease_secs(0, NS_PER_S), 1);
    assert_int_equal(lease_secs(NS_PER_S, 65536 * NS_PER_S), 65535);
    assert_int_equal(lease_secs(0, 65536 * NS_PER_S), 65535);
    assert_int_equal(lease_secs(0, UINT64_MAX), 65535);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_server_can_put_t1_t2_and_expiry_out_of_order),
        cmocka_unit_test(a_lease_of_no_time_is_played_as_one_second),
        cmocka_unit_test(times_out_of_order_count_as_not_given),
        cmocka_unit_test(a_lease_without_end_is_never_renewed_unless_the_server_asks_for_it),
        cmocka_unit_test(t1_is_half_and_t2_seven_eighths_of_the_lease),
        cmocka_unit_test(options_58_and_59_are_followed),
        cmocka_unit_test(the_fuzz_reaches_as_far_as_it_says_in_both_directions_and_no_further),
        cmocka_unit_test(the_jitter_is_a_function_of_seed_client_and_occasion),
        cmocka_unit_test(
            the_backoff_doubles_from_four_to_sixty_four_seconds_with_a_second_of_jitter),
        cmocka_unit_test(renewals_wait_half_of_what_is_left_but_a_minute_at_least),
        cmocka_unit_test(secs_stops_at_its_largest_value_and_never_runs_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
