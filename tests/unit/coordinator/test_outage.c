/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <string.h>

#include "coordinator/truth/outage.h"

enum { S = 1000000, A = 0, B = 1 };

static int set_up(void **state)
{
    static struct outage o;
    o = (struct outage){0};
    outage_stage_begin(&o);
    *state = &o;
    return 0;
}

static int tear_down(void **state)
{
    assert_false(((struct outage *)*state)->is_out_of_memory);
    outage_fini(*state);
    return 0;
}

static struct outage_who of(uint32_t client, uint8_t half)
{
    return (struct outage_who){.client = client, .half = half};
}

static void begin(struct outage *o, uint32_t client, int64_t run_us)
{
    outage_begin(o, of(client, A), run_us);
}

static void end(struct outage *o, uint32_t client, int64_t run_us)
{
    outage_end(o, of(client, A), A, run_us, 0);
}

static uint64_t answers(const struct outage *o, uint8_t half)
{
    return o->half[half].answers == NULL ? 0 : o->half[half].answers->count;
}

static void an_ack_without_an_outage_is_nothing(void **state)
{
    struct outage *o = *state;
    end(o, 1, 5 * S);
    outage_finish(o, 10 * S);
    assert_int_equal(o->all.clients, 0);
    assert_int_equal(o->all.total_us, 0);
    assert_int_equal(o->first_answer_us, 0);
    assert_null(o->all.spans);
}

static void an_outage_lasts_until_the_next_ack(void **state)
{
    struct outage *o = *state;
    begin(o, 0, 10 * S);
    end(o, 0, 13 * S);
    begin(o, 1, 20 * S);
    end(o, 1, 21 * S);
    begin(o, 0, 30 * S); /* the same client again */
    end(o, 0, 32 * S);
    outage_finish(o, 40 * S);
    assert_int_equal(o->all.clients, 2);
    assert_int_equal(o->all.total_us, 6 * S);
    assert_int_equal(o->all.longest_us, 3 * S);
    assert_int_equal(o->all.spans->count, 3);
}

static void a_second_reason_does_not_begin_it_anew(void **state)
{
    struct outage *o = *state;
    begin(o, 7, 10 * S);
    begin(o, 7, 15 * S);
    end(o, 7, 20 * S);
    outage_finish(o, 40 * S);
    assert_int_equal(o->all.total_us, 10 * S);
}

static void what_never_ends_ends_with_the_last_stage(void **state)
{
    struct outage *o = *state;
    begin(o, 1, 10 * S);
    outage_stage_end(o, 50 * S);
    outage_finish(o, 70 * S);
    assert_int_equal(o->all.total_us, 40 * S);
    assert_int_equal(o->all.clients, 1);
}

static void an_answer_in_the_drain_ends_it_where_the_drain_began(void **state)
{
    struct outage *o = *state;
    begin(o, 1, 40 * S);
    outage_stage_end(o, 50 * S);
    end(o, 1, 55 * S);
    begin(o, 2, 56 * S); /* begun in the drain: nobody's outage */
    begin(o, 3, 56 * S);
    end(o, 3, 57 * S);
    outage_finish(o, 70 * S);
    assert_int_equal(o->all.total_us, 10 * S);
    assert_int_equal(o->all.clients, 1);
}

static void between_two_stages_it_goes_on(void **state)
{
    struct outage *o = *state;
    begin(o, 1, 40 * S);
    outage_stage_end(o, 50 * S);
    end(o, 1, 51 * S);
    outage_stage_begin(o);
    outage_stage_end(o, 90 * S);
    outage_finish(o, 99 * S);
    assert_int_equal(o->all.total_us, 11 * S);
}

static void an_event_that_was_late_but_belongs_to_the_stage_counts_in_full(void **state)
{
    struct outage *o = *state;
    begin(o, 1, 40 * S);
    outage_stage_end(o, 50 * S);
    end(o, 1, 49 * S);
    outage_finish(o, 99 * S);
    assert_int_equal(o->all.total_us, 9 * S);
}

/* 2^40 ns are 18 minutes: a histogram of nanoseconds would call all of these the longest. */
static void outages_of_hours_keep_their_percentiles(void **state)
{
    struct outage *o = *state;
    for (uint32_t i = 0; i < 100; i++) {
        begin(o, i, 0);
        end(o, i, (int64_t)(i + 1) * 60 * S);
    }
    outage_finish(o, INT64_C(8000) * S);
    double p50_s = (double)histogram_percentile_ns(o->all.spans, 50) / S;
    assert_true(p50_s >= 50 * 60 && p50_s < 50.5 * 60);
}

static void clients_at_risk_are_distinct_by_half_too(void **state)
{
    struct outage *o = *state;
    outage_at_risk(o, of(1, A));
    outage_at_risk(o, of(1, A));
    outage_at_risk(o, of(1, B));
    outage_at_risk(o, of(2, B));
    assert_int_equal(o->all.at_risk, 2);
    assert_int_equal(o->half[A].group.at_risk, 1);
    assert_int_equal(o->half[B].group.at_risk, 2);
}

static void a_wait_ends_with_the_next_ack_whoever_sends_it(void **state)
{
    struct outage *o = *state;
    outage_wait(o, of(1, B), 100 * S);
    outage_end(o, of(1, B), A, 130 * S, 0);
    outage_wait(o, of(2, B), 100 * S);
    outage_begin(o, of(2, B), 140 * S); /* its lease ran out first */
    outage_end(o, of(2, OUTAGE_NO_HALF), A, 150 * S, 0);
    outage_wait(o, of(3, B), 100 * S);
    outage_end(o, of(3, B), B, 122 * S, 0);
    outage_finish(o, 200 * S);
    const struct outage_half *b = &o->half[B];
    assert_int_equal(b->waited, 3);
    assert_int_equal(b->in_time, 2);
    assert_int_equal(b->unanswered, 0);
    assert_int_equal(b->answered_by[A], 2);
    assert_int_equal(b->answered_by[B], 1);
    assert_int_equal(b->answers->min_ns, 22 * S);
    assert_int_equal(b->answers->max_ns, 50 * S);
    assert_int_equal(o->first_answer_us, 22 * S);
    assert_int_equal(b->group.total_us, 10 * S);
    assert_int_equal(b->group.clients, 1);
    assert_int_equal(o->half[A].waited, 0);
}

static void a_second_unanswered_renew_does_not_begin_the_wait_anew(void **state)
{
    struct outage *o = *state;
    outage_wait(o, of(1, B), 100 * S);
    outage_wait(o, of(1, B), 110 * S);
    outage_end(o, of(1, B), A, 130 * S, 0);
    assert_int_equal(o->half[B].waited, 1);
    assert_int_equal(o->half[B].answers->max_ns, 30 * S);
}

static void the_events_own_measure_of_the_wait_comes_first(void **state)
{
    struct outage *o = *state;
    outage_end(o, of(9, B), A, 130 * S, 23 * S); /* the RENEW's own event never came */
    outage_wait(o, of(1, B), 100 * S);
    outage_end(o, of(1, B), A, 130 * S, 29 * S);
    assert_int_equal(o->half[B].waited, 2);
    assert_int_equal(o->half[B].answers->min_ns, 23 * S);
    assert_int_equal(o->half[B].answers->max_ns, 29 * S);
}

static void a_wait_that_cannot_be_timed_is_counted_as_such(void **state)
{
    struct outage *o = *state;
    outage_wait(o, of(1, B), OUTAGE_UNKNOWN_US);
    outage_end(o, of(1, B), A, 20000 * INT64_C(1000000), 0);
    assert_int_equal(o->half[B].waited, 1);
    assert_int_equal(o->half[B].untimed, 1);
    assert_int_equal(o->half[B].answered_by[A], 1);
    assert_int_equal(answers(o, B), 0);
    assert_int_equal(o->first_answer_us, 0);
}

static void who_never_had_an_answer_is_counted(void **state)
{
    struct outage *o = *state;
    outage_wait(o, of(1, B), 10 * S);
    outage_wait(o, of(2, B), 10 * S);
    outage_begin(o, of(2, B), 20 * S);
    outage_wait(o, of(3, B), 10 * S);
    outage_leave(o, 3); /* released */
    outage_leave(o, 2); /* has nothing to release: its outage goes on */
    outage_leave(o, 77);
    outage_finish(o, 50 * S);
    assert_int_equal(o->half[B].unanswered, 3);
    assert_int_equal(o->half[B].group.clients, 1);
    assert_int_equal(o->half[B].group.total_us, 30 * S);
}

static void retransmissions_are_no_waits(void **state)
{
    struct outage *o = *state;
    outage_retried(o, B, 4 * S);
    outage_retried(o, B, 60 * S);
    outage_retried(o, B, 5 * S);
    assert_int_equal(o->half[B].retried, 3);
    assert_int_equal(o->half[B].retried_longest_us, 60 * S);
    assert_int_equal(o->half[B].waited, 0);
    assert_int_equal(o->first_answer_us, 0);
}

/* The largest client, half and instants the entry must hold, and instants before the start. */
static void an_entry_holds_the_extremes(void **state)
{
    struct outage *o = *state;
    const int64_t year_us = INT64_C(365) * 86400 * S;
    struct outage_who last = of(PLAN_CLIENTS_MAX - 1, OUTAGE_NO_HALF);
    outage_wait(o, last, year_us - 7);
    outage_begin(o, last, year_us + 1);
    outage_end(o, last, OUTAGE_NO_HALF, year_us + 4, 0);
    assert_int_equal(o->half[OUTAGE_NO_HALF].answers->max_ns, 11);
    assert_int_equal(o->half[OUTAGE_NO_HALF].group.total_us, 3);
    outage_wait(o, of(0, A), -1800 * INT64_C(1000000));
    outage_begin(o, of(0, A), -1);
    outage_end(o, of(0, A), A, 1, 0);
    assert_int_equal(o->half[A].answers->max_ns, 1800 * INT64_C(1000000) + 1);
    assert_int_equal(o->half[A].group.total_us, 2);
}

static void relays_have_their_own_figures(void **state)
{
    struct outage *o = *state;
    struct plan_relay relays[2] = {{.first_client = 0, .client_count = 10},
                                   {.first_client = 10, .client_count = 10}};
    struct plan plan = {.relays = relays, .relay_count = 2, .client_count = 20};
    assert_true(outage_by_relay(o, &plan));
    begin(o, 3, 10 * S);
    end(o, 3, 12 * S);
    begin(o, 3, 20 * S);
    end(o, 3, 21 * S);
    outage_at_risk(o, of(12, B));
    outage_expired(o, of(12, B));
    begin(o, 12, 30 * S);
    outage_finish(o, 35 * S);
    assert_int_equal(o->relays[0].clients, 1);
    assert_int_equal(o->relays[0].total_us, 3 * S);
    assert_int_equal(o->relays[0].longest_us, 2 * S);
    assert_int_equal(o->relays[0].at_risk, 0);
    assert_int_equal(o->relays[1].clients, 1);
    assert_int_equal(o->relays[1].at_risk, 1);
    assert_int_equal(o->relays[1].expired, 1);
    assert_int_equal(o->relays[1].total_us, 5 * S);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_ack_without_an_outage_is_nothing),
        TEST(an_outage_lasts_until_the_next_ack),
        TEST(a_second_reason_does_not_begin_it_anew),
        TEST(what_never_ends_ends_with_the_last_stage),
        TEST(an_answer_in_the_drain_ends_it_where_the_drain_began),
        TEST(between_two_stages_it_goes_on),
        TEST(an_event_that_was_late_but_belongs_to_the_stage_counts_in_full),
        TEST(outages_of_hours_keep_their_percentiles),
        TEST(clients_at_risk_are_distinct_by_half_too),
        TEST(a_wait_ends_with_the_next_ack_whoever_sends_it),
        TEST(a_second_unanswered_renew_does_not_begin_the_wait_anew),
        TEST(the_events_own_measure_of_the_wait_comes_first),
        TEST(a_wait_that_cannot_be_timed_is_counted_as_such),
        TEST(who_never_had_an_answer_is_counted),
        TEST(retransmissions_are_no_waits),
        TEST(an_entry_holds_the_extremes),
        TEST(relays_have_their_own_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
