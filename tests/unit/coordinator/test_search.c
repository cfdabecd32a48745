/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"
#include "coordinator/truth/search.h"
#include "coordinator/truth/search_gather.h"
#include "tests/support/capacity_model.h"

static struct scenario_search between(double low, double high)
{
    return (struct scenario_search){
        .acquire_weight = 1,
        .low_milli_per_s = (uint64_t)llround(low) * 1000,
        .high_milli_per_s = (uint64_t)llround(high) * 1000,
        .step_ns = 10 * NS_PER_S,
        .warmup_ns = 2 * NS_PER_S,
        .within_ns = 500 * NS_PER_MS,
        .answered_percent = 99.9,
        .resolution_percent = 5,
        .repeat = 1,
    };
}

static uint64_t rate_now(const struct search *s)
{
    struct search_order order = search_next(s);
    assert_int_equal(order.kind, SEARCH_ORDER_STEP);
    return order.rate_milli_per_s / 1000;
}

static bool done(struct search *s, enum search_flag flag)
{
    double rate_per_s = (double)search_next(s).rate_milli_per_s / 1000;
    struct result_search_step step = {.flag = flag,
                                      .rate_per_s = rate_per_s,
                                      .answered_per_s = rate_per_s * 0.995,
                                      .answered_error_per_s = rate_per_s * 0.005};
    return search_step_done(s, &step);
}

static void good(struct search *s)
{
    (void)done(s, SEARCH_GOOD);
}

static bool bad_twice(struct search *s)
{
    uint64_t rate = rate_now(s);
    assert_false(done(s, SEARCH_BAD));
    assert_int_equal(rate_now(s), rate);
    return done(s, SEARCH_BAD);
}

/* --- the way from step to step --- */

static void a_first_rate_that_is_bad_leaves_the_lower_end_open(void **state)
{
    (void)state;
    struct scenario_search c = between(500, 20000);
    struct search s;
    search_init(&s, &c);
    assert_int_equal(rate_now(&s), 500);
    assert_true(bad_twice(&s));
    assert_int_equal(s.repeat.limit, SEARCH_LIMIT_BELOW_LOW);
    assert_true(isnan(s.repeat.low_per_s));
    assert_float_equal(s.repeat.high_per_s, 500, 0.001);
    assert_int_equal(search_next(&s).kind, SEARCH_ORDER_DONE);
}

static void a_last_rate_that_is_good_leaves_the_upper_end_open(void **state)
{
    (void)state;
    static const uint64_t rates[] = {500, 1000, 2000, 3000};
    struct scenario_search c = between(500, 3000);
    struct search s;
    search_init(&s, &c);
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        assert_int_equal(rate_now(&s), rates[i]);
        good(&s);
    }
    assert_int_equal(s.repeat.limit, SEARCH_LIMIT_ABOVE_HIGH);
    assert_float_equal(s.repeat.low_per_s, 3000 * 0.985, 0.001);
    assert_true(isnan(s.repeat.high_per_s));
    assert_int_equal(search_next(&s).kind, SEARCH_ORDER_DONE);
}

static void one_bad_step_alone_proves_nothing(void **state)
{
    (void)state;
    struct scenario_search c = between(500, 3000);
    struct search s;
    search_init(&s, &c);
    assert_false(done(&s, SEARCH_BAD));
    good(&s);
    assert_int_equal(rate_now(&s), 1000);
    assert_false(done(&s, SEARCH_BAD)); /* the first at this rate */
    assert_int_equal(rate_now(&s), 1000);
}

static void an_answer_rate_that_is_all_error_is_no_lower_end_below_nothing(void **state)
{
    (void)state;
    struct scenario_search config = between(10, 20);
    struct search s;
    search_init(&s, &config);
    struct result_search_step step = {
        .flag = SEARCH_GOOD, .rate_per_s = 10, .answered_per_s = 10, .answered_error_per_s = 12};
    (void)search_step_done(&s, &step);
    assert_float_equal(s.repeat.low_per_s, 0, 0);
    assert_false(bad_twice(&s)); /* 0 to 20 is no bracket yet */
    assert_int_equal(search_next(&s).kind, SEARCH_ORDER_STEP);
}

static void two_invalid_steps_end_the_search_at_the_tester(void **state)
{
    (void)state;
    struct scenario_search c = between(500, 20000);
    c.repeat = 5;
    struct search s;
    search_init(&s, &c);
    good(&s);
    assert_false(done(&s, SEARCH_INVALID));
    assert_int_equal(rate_now(&s), 1000);
    assert_true(done(&s, SEARCH_INVALID));
    assert_int_equal(s.repeat.limit, SEARCH_LIMIT_TESTER);
    assert_float_equal(s.repeat.tester_per_s, 1000, 0.001);
    assert_float_equal(s.repeat.low_per_s, 500 * 0.985, 0.001);
    assert_true(isnan(s.repeat.high_per_s));
    assert_int_equal(search_next(&s).kind, SEARCH_ORDER_DONE); /* and no other repeat */
}

static void a_list_of_rates_ends_at_the_first_bad_one(void **state)
{
    (void)state;
    struct scenario_search c = between(0, 0);
    static const uint64_t rates[] = {100, 250, 400};
    c.rate_count = ARRAY_LEN(rates);
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        c.rates_milli_per_s[i] = rates[i] * 1000;
    }
    struct search s;
    search_init(&s, &c);
    assert_int_equal(rate_now(&s), 100);
    good(&s);
    assert_int_equal(rate_now(&s), 250);
    assert_true(bad_twice(&s));
    assert_int_equal(s.repeat.limit, SEARCH_LIMIT_SERVER);
    assert_float_equal(s.repeat.high_per_s, 250, 0.001);
    assert_float_equal(s.repeat.low_per_s, 100 * 0.985, 0.001);

    search_init(&s, &c);
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        good(&s);
    }
    assert_int_equal(s.repeat.limit, SEARCH_LIMIT_ABOVE_HIGH);
}

static void each_repeat_is_followed_by_a_reset_but_the_last(void **state)
{
    (void)state;
    struct scenario_search c = between(500, 1000);
    c.repeat = 3;
    struct search s;
    search_init(&s, &c);
    for (uint64_t i = 0; i < c.repeat; i++) {
        assert_int_equal(rate_now(&s), 500);
        good(&s);
        good(&s);
        assert_int_equal(s.repeats_done, i + 1);
        if (i + 1 < c.repeat) {
            assert_int_equal(search_next(&s).kind, SEARCH_ORDER_RESET);
            search_reset_done(&s);
        }
    }
    assert_int_equal(search_next(&s).kind, SEARCH_ORDER_DONE);
}

/* Whatever the steps say, it ends; orders stay inside what was asked for. */
static void any_sequence_of_steps_comes_to_an_end(void **state)
{
    (void)state;
    struct prng random = prng_seeded(7);
    for (unsigned round = 0; round < 2000; round++) {
        double low = 0.5 + (double)prng_below(&random, 3000);
        struct scenario_search c = between(1 + low, (1 + low) * 40);
        c.resolution_percent = 0.1 + (double)prng_below(&random, 200) / 10;
        struct search s;
        search_init(&s, &c);
        unsigned steps = 0;
        while (search_next(&s).kind == SEARCH_ORDER_STEP) {
            struct search_order order = search_next(&s);
            assert_in_range(order.rate_milli_per_s, c.low_milli_per_s, c.high_milli_per_s);
            uint64_t dice = prng_below(&random, 100);
            enum search_flag flag = dice < 3    ? SEARCH_INVALID
                                    : dice < 40 ? SEARCH_BAD
                                                : SEARCH_GOOD;
            (void)done(&s, flag);
            assert_true(++steps <= SEARCH_STEPS_MAX);
        }
        assert_true(isnan(s.repeat.low_per_s) || isnan(s.repeat.high_per_s) ||
                    s.repeat.low_per_s < s.repeat.high_per_s);
    }
}

/* --- against servers of known capacity --- */

static struct result_search_step play_step(struct capacity_model *m,
                                           const struct scenario_search *c, double rate_per_s)
{
    static struct search_gather gather;
    struct result_search_step step;
    const struct search_gather_plan plan = {.begin_us = 7000000,
                                            .step_us = c->step_ns / NS_PER_US,
                                            .warmup_us = c->warmup_ns / NS_PER_US,
                                            .within_us = c->within_ns / NS_PER_US,
                                            .slack_us = 200000,
                                            .rate_per_s = rate_per_s};
    search_gather_begin(&gather, &plan);
    uint64_t planned = capacity_model_play(m, &gather, 7, rate_per_s, (double)c->step_ns / 1e9);
    search_gather_close(&gather, planned, 0, 2, &step);
    search_judge(c, step.sent_all * 100 < step.planned_all * 99 ? "sent too little" : "", &step);
    return step;
}

static struct result_search_repeat play_search(struct capacity_model *m,
                                               const struct scenario_search *c)
{
    struct search s;
    search_init(&s, c);
    while (search_next(&s).kind == SEARCH_ORDER_STEP) {
        double rate_per_s = (double)search_next(&s).rate_milli_per_s / 1000;
        struct result_search_step step = play_step(m, c, rate_per_s);
        (void)search_step_done(&s, &step);
    }
    return s.repeat;
}

/* Every kind of server there is: bounded or not, with or without commits, jitter and bursts. */
static struct capacity_model any_server(uint64_t seed)
{
    struct capacity_model m = {.random = prng_seeded(seed)};
    m.capacity_per_s = 300 * pow(10, capacity_model_unit(&m));
    m.burst = 8 * capacity_model_unit(&m);
    m.queue = seed % 3 == 0 ? 0 : 50 + prng_below(&m.random, 2000);
    m.commit_s = seed % 4 == 0 ? 0 : 0.002 + 0.1 * capacity_model_unit(&m);
    m.jitter = capacity_model_unit(&m);
    m.path_s = 0.0002 + 0.02 * capacity_model_unit(&m);
    m.lag_s = 0.002;
    return m;
}

static void the_truth_lies_in_the_bracket(void **state)
{
    (void)state;
    enum { SEEDS = 200 };
    unsigned missed = 0, wide = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct capacity_model m = any_server(seed);
        double truth = m.capacity_per_s;
        double low = truth * (0.05 + 0.6 * capacity_model_unit(&m));
        struct scenario_search c = between(low, truth * (1.2 + 5 * capacity_model_unit(&m)));
        struct result_search_repeat r = play_search(&m, &c);
        assert_int_equal(r.limit, SEARCH_LIMIT_SERVER);
        bool is_in = r.low_per_s <= truth && truth <= r.high_per_s;
        double width = 100 * (r.high_per_s / r.low_per_s - 1);
        missed += !is_in;
        wide += width > 5.0001;
        if (!is_in || width > 5.0001) {
            print_message("seed %d: truth %.1f, bracket %.1f - %.1f (%.2f %%), queue %d, commit "
                          "%.3f s, jitter %.2f, burst %.1f\n",
                          (int)seed, truth, r.low_per_s, r.high_per_s, width, (int)m.queue,
                          m.commit_s, m.jitter, m.burst);
        }
    }
    assert_int_equal(wide, 0);
    assert_true(missed * 20 <= SEEDS);
}

static void a_queue_without_bound_is_found_by_the_pace_of_its_answers(void **state)
{
    (void)state;
    struct scenario_search c = between(100, 2000);
    struct capacity_model m = {.capacity_per_s = 1000, .random = prng_seeded(1)};
    struct result_search_step step = play_step(&m, &c, 1030);
    assert_int_equal(step.late + step.lost, 0); /* all in time, and yet not sustained */
    assert_int_equal(step.flag, SEARCH_BAD);
    assert_non_null(strstr(step.reason, "grew"));
    assert_float_equal(step.answered_per_s, 1000, 2);
}

static void a_bounded_queue_is_found_by_what_it_drops(void **state)
{
    (void)state;
    struct scenario_search c = between(100, 2000);
    struct capacity_model m = {.capacity_per_s = 1000, .queue = 5, .random = prng_seeded(1)};
    struct result_search_step step = play_step(&m, &c, 1005);
    assert_true(step.lost > 0);
    assert_int_equal(step.flag, SEARCH_BAD);
    assert_non_null(strstr(step.reason, "without an answer"));
}

/* 200 ms of answers at once, half a batch at either end of the step: their number is off by 2 %. */
static void answers_in_big_batches_do_not_make_a_good_step_bad(void **state)
{
    (void)state;
    struct scenario_search c = between(100, 2000);
    for (unsigned phase = 0; phase < 20; phase++) {
        struct capacity_model m = {
            .capacity_per_s = 1000, .commit_s = 0.2 + 0.0013 * phase, .random = prng_seeded(phase)};
        struct result_search_step step = play_step(&m, &c, 800);
        assert_int_equal(step.flag, SEARCH_GOOD);
        assert_true(step.answered_per_s < 800 * 1.005);
    }
}

static void a_step_without_warm_up_is_judged_like_others(void **state)
{
    (void)state;
    struct scenario_search c = between(100, 2000);
    c.warmup_ns = 0;
    struct capacity_model m = {.capacity_per_s = 1000, .path_s = 0.4, .random = prng_seeded(1)};
    assert_int_equal(play_step(&m, &c, 900).flag, SEARCH_GOOD);
    assert_int_equal(play_step(&m, &c, 1030).flag, SEARCH_BAD);
}

static void nothing_answered_is_bad_and_not_a_number_gone_wrong(void **state)
{
    (void)state;
    struct scenario_search c = between(100, 2000);
    struct capacity_model m = {.capacity_per_s = 0.001, .queue = 1, .random = prng_seeded(1)};
    struct result_search_step step = play_step(&m, &c, 100);
    assert_int_equal(step.flag, SEARCH_BAD);
    assert_int_equal(step.in_time, 0);
    assert_true(step.acquire.p50_us == RESULT_UNKNOWN);
    assert_float_equal(step.answered_per_s, 0, 0.3);
}

static void a_tester_that_sends_too_little_is_never_the_servers_fault(void **state)
{
    (void)state;
    struct scenario_search c = between(100, 2000);
    struct capacity_model m = {.capacity_per_s = 1000, .load_loss = 0.03, .random = prng_seeded(1)};
    assert_int_equal(play_step(&m, &c, 2000).flag, SEARCH_INVALID);
    struct result_search_repeat r = play_search(&m, &c);
    assert_int_equal(r.limit, SEARCH_LIMIT_TESTER);
}

/* --- what belongs to a step --- */

static struct search_gather gather_of(uint64_t warmup_us)
{
    struct search_gather g;
    const struct search_gather_plan plan = {.begin_us = 1000000,
                                            .step_us = 10000000,
                                            .warmup_us = warmup_us,
                                            .within_us = 500000,
                                            .slack_us = 200000,
                                            .rate_per_s = 10};
    search_gather_begin(&g, &plan);
    return g;
}

static struct event early_renewal(uint32_t wait_us)
{
    return (struct event){.kind = EVENT_RENEW,
                          .result = EVENT_ACK,
                          .flags = EVENT_EARLY,
                          .took_us = wait_us,
                          .wait_us = wait_us};
}

static void an_exchange_belongs_to_the_step_it_was_intended_in(void **state)
{
    (void)state;
    static struct search_gather g;
    g = gather_of(2000000);
    struct event e = early_renewal(300000);
    assert_false(search_gather_event(&g, &e, 1000000 + 300000 - 200001)); /* of a step before */
    assert_true(search_gather_event(&g, &e, 1000000 + 300000));
    assert_int_equal(g.measured, 0); /* warm-up */
    assert_true(search_gather_event(&g, &e, 3000000 + 300000));
    assert_true(search_gather_event(&g, &e, 10999999 + 300000)); /* ends behind the end */
    assert_int_equal(g.measured, 2);
    assert_int_equal(g.in_time, 2);
    assert_false(search_gather_event(&g, &e, 11200000 + 300000));
    assert_int_equal(g.all, 3);
}

static void an_answer_in_time_is_no_later_than_asked_for(void **state)
{
    (void)state;
    static struct search_gather g;
    g = gather_of(0);
    struct event e = early_renewal(500000);
    assert_true(search_gather_event(&g, &e, 5000000));
    e.wait_us = 500001;
    assert_true(search_gather_event(&g, &e, 5000000));
    e.result = EVENT_NAK;
    assert_true(search_gather_event(&g, &e, 5000000));
    e.result = EVENT_GAVE_UP;
    assert_true(search_gather_event(&g, &e, 5000000));
    assert_int_equal(g.in_time, 1);
    assert_int_equal(g.late, 1);
    assert_int_equal(g.nak, 1);
    assert_int_equal(g.lost, 1);
    assert_int_equal(g.renew.measured, 4);
    assert_int_equal(g.acquire.measured, 0);
}

static void the_rest_of_a_lease_is_an_answer_out_of_a_cache(void **state)
{
    (void)state;
    static const struct {
        uint32_t lease_s;
        bool is_cached;
    } rows[] = {{600, false}, {599, false}, {598, true}, {60, false}, {61, false}, {30, true}};
    static struct search_gather g;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        g = gather_of(0);
        struct event e = early_renewal(1000);
        e.lease_s = rows[i].lease_s;
        assert_true(search_gather_event(&g, &e, 5000000));
        assert_int_equal(g.cached, 0); /* no lease is expected */
        g.lease_s = 600;
        g.mclt_s = 60;
        assert_true(search_gather_event(&g, &e, 5000000));
        assert_int_equal(g.cached, rows[i].is_cached);
        e.kind = EVENT_ACQUIRE;
        assert_true(search_gather_event(&g, &e, 5000000));
        assert_int_equal(g.cached, rows[i].is_cached);
    }
}

static void what_nobody_asked_for_is_not_counted_as_load(void **state)
{
    (void)state;
    static struct search_gather g;
    g = gather_of(0);
    struct event natural = early_renewal(1000);
    natural.flags = 0;
    assert_false(search_gather_event(&g, &natural, 5000000));
    struct event rebind = natural;
    rebind.kind = EVENT_REBIND;
    assert_false(search_gather_event(&g, &rebind, 5000000));
    struct event release = natural;
    release.kind = EVENT_RELEASE;
    assert_false(search_gather_event(&g, &release, 5000000));
    struct event deadline = {.kind = EVENT_ACQUIRE,
                             .result = EVENT_GAVE_UP,
                             .flags = EVENT_DEADLINE,
                             .took_us = 1000,
                             .wait_us = 1000};
    assert_false(search_gather_event(&g, &deadline, 5000000));
    struct event preflight = deadline;
    preflight.flags = EVENT_PREFLIGHT;
    assert_false(search_gather_event(&g, &preflight, 5000000));
    assert_int_equal(g.all, 0);
    assert_int_equal(g.natural_renewals, 2);
}

/* Two agents share 10/s for 10 s; 8 s are measured; one exchange more or less is rounding. */
static void shares_in_whole_exchanges_are_no_shortfall(void **state)
{
    (void)state;
    static struct search_gather g;
    struct result_search_step step;
    g = gather_of(2000000);
    struct event e = early_renewal(1000);
    for (unsigned i = 0; i < 100; i++) {
        if (i != 20) { /* due at 3.0 s: lost to a clock that is off */
            (void)search_gather_event(&g, &e, 1000000 + i * 100000 + 1000);
        }
    }
    search_gather_close(&g, 99, 0, 2, &step);
    assert_int_equal(step.sent_all, 99);
    assert_int_equal(step.planned, step.sent);
    assert_float_equal(step.in_time_percent, 100, 0.0001);
    search_gather_close(&g, 120, 10, 2, &step); /* 10 still open, 11 never begun */
    assert_int_equal(step.sent_all, 109);
    assert_int_equal(step.planned, 96);
    assert_int_equal(step.lost, 10);
    assert_true(step.in_time_percent < 83);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_rate_that_is_bad_leaves_the_lower_end_open),
        cmocka_unit_test(a_last_rate_that_is_good_leaves_the_upper_end_open),
        cmocka_unit_test(one_bad_step_alone_proves_nothing),
        cmocka_unit_test(an_answer_rate_that_is_all_error_is_no_lower_end_below_nothing),
        cmocka_unit_test(two_invalid_steps_end_the_search_at_the_tester),
        cmocka_unit_test(a_list_of_rates_ends_at_the_first_bad_one),
        cmocka_unit_test(each_repeat_is_followed_by_a_reset_but_the_last),
        cmocka_unit_test(any_sequence_of_steps_comes_to_an_end),
        cmocka_unit_test(the_truth_lies_in_the_bracket),
        cmocka_unit_test(a_queue_without_bound_is_found_by_the_pace_of_its_answers),
        cmocka_unit_test(a_bounded_queue_is_found_by_what_it_drops),
        cmocka_unit_test(answers_in_big_batches_do_not_make_a_good_step_bad),
        cmocka_unit_test(a_step_without_warm_up_is_judged_like_others),
        cmocka_unit_test(nothing_answered_is_bad_and_not_a_number_gone_wrong),
        cmocka_unit_test(a_tester_that_sends_too_little_is_never_the_servers_fault),
        cmocka_unit_test(an_exchange_belongs_to_the_step_it_was_intended_in),
        cmocka_unit_test(an_answer_in_time_is_no_later_than_asked_for),
        cmocka_unit_test(the_rest_of_a_lease_is_an_answer_out_of_a_cache),
        cmocka_unit_test(what_nobody_asked_for_is_not_counted_as_load),
        cmocka_unit_test(shares_in_whole_exchanges_are_no_shortfall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
