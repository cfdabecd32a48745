/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "coordinator/truth/outage.h"

enum { S = 1000000 };

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
    outage_fini(*state);
    return 0;
}

static void an_ack_without_an_outage_is_nothing(void **state)
{
    outage_end(*state, 1, 5 * S);
    struct outage_figures f = outage_finish(*state, 10 * S);
    assert_int_equal(f.clients, 0);
    assert_int_equal(f.total_us, 0);
    assert_int_equal(f.first_answer_us, 0);
}

static void an_outage_lasts_until_the_next_ack(void **state)
{
    outage_begin(*state, 0, 10 * S);
    outage_end(*state, 0, 13 * S);
    outage_begin(*state, 1, 20 * S);
    outage_end(*state, 1, 21 * S);
    outage_begin(*state, 0, 30 * S); /* the same client again */
    outage_end(*state, 0, 32 * S);
    struct outage_figures f = outage_finish(*state, 40 * S);
    assert_int_equal(f.clients, 2);
    assert_int_equal(f.total_us, 6 * S);
    assert_int_equal(f.longest_us, 3 * S);
    assert_int_equal(f.spans->count, 3);
}

static void a_second_reason_does_not_begin_it_anew(void **state)
{
    outage_begin(*state, 7, 10 * S);
    outage_begin(*state, 7, 15 * S);
    outage_end(*state, 7, 20 * S);
    assert_int_equal(outage_finish(*state, 40 * S).total_us, 10 * S);
}

static void what_never_ends_ends_with_the_last_stage(void **state)
{
    outage_begin(*state, 1, 10 * S);
    outage_stage_end(*state, 50 * S);
    struct outage_figures f = outage_finish(*state, 70 * S);
    assert_int_equal(f.total_us, 40 * S);
    assert_int_equal(f.clients, 1);
}

static void an_answer_in_the_drain_ends_it_where_the_drain_began(void **state)
{
    outage_begin(*state, 1, 40 * S);
    outage_stage_end(*state, 50 * S);
    outage_end(*state, 1, 55 * S);
    outage_begin(*state, 2, 56 * S); /* begun in the drain: nobody's outage */
    outage_begin(*state, 3, 56 * S);
    outage_end(*state, 3, 57 * S);
    struct outage_figures f = outage_finish(*state, 70 * S);
    assert_int_equal(f.total_us, 10 * S);
    assert_int_equal(f.clients, 1);
}

static void between_two_stages_it_goes_on(void **state)
{
    outage_begin(*state, 1, 40 * S);
    outage_stage_end(*state, 50 * S);
    outage_end(*state, 1, 51 * S);
    outage_stage_begin(*state);
    outage_stage_end(*state, 90 * S);
    assert_int_equal(outage_finish(*state, 99 * S).total_us, 11 * S);
}

static void an_event_that_was_late_but_belongs_to_the_stage_counts_in_full(void **state)
{
    outage_begin(*state, 1, 40 * S);
    outage_stage_end(*state, 50 * S);
    outage_end(*state, 1, 49 * S);
    assert_int_equal(outage_finish(*state, 99 * S).total_us, 9 * S);
}

static void clients_at_risk_and_the_first_answer_are_kept(void **state)
{
    outage_at_risk(*state, 1);
    outage_at_risk(*state, 1);
    outage_at_risk(*state, 2);
    outage_first_answer(*state, 0); /* none: it did not have to wait */
    outage_first_answer(*state, 30 * S);
    outage_first_answer(*state, 22 * S);
    outage_first_answer(*state, 25 * S);
    struct outage_figures f = outage_finish(*state, 99 * S);
    assert_int_equal(f.at_risk, 2);
    assert_int_equal(f.first_answer_us, 22 * S);
    assert_int_equal(f.clients, 0);
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
        TEST(clients_at_risk_and_the_first_answer_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
