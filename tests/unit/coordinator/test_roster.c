/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/run/roster.h"

#define AT_S(s) ((uint64_t)(s)*NS_PER_S)

static struct control_hello hello_of(uint64_t epoch)
{
    static const struct ipv4 addresses[1] = {{1}};
    struct control_hello hello = {
        .proto_min = 1, .proto_max = 1, .epoch = epoch, .addresses = addresses, .address_count = 1};
    return hello;
}

static int setup(void **state)
{
    static struct roster roster;
    assert_true(roster_init(&roster, 2));
    *state = &roster;
    return 0;
}

static int teardown(void **state)
{
    roster_fini(*state);
    return 0;
}

static void a_second_process_with_the_same_key_is_refused_while_the_first_may_send(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL, *untouched = NULL;
    struct control_hello first = hello_of(1), second = hello_of(2);
    assert_int_equal(roster_hello(r, "a1", &first, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "a1", &second, true, 11, AT_S(2), &untouched),
                     ROSTER_DUPLICATE);
    assert_null(untouched);
    assert_ptr_equal(roster_find(r, "a1", 10), a);
    /* 5.5 s after it was last heard, its run lease is over and a successor may come. */
    assert_int_equal(roster_hello(r, "a1", &second, true, 12, AT_S(1) + RUN_LEASE_ENDED_NS, &a),
                     ROSTER_WELCOME);
    assert_int_equal(r->count, 1);
    assert_null(roster_find(r, "a1", 10));
}

static struct control_hello successor_of(uint64_t epoch, uint64_t former, uint64_t kept)
{
    struct control_hello hello = hello_of(epoch);
    hello.former[0] = 77; /* one of long ago */
    hello.former[1] = former;
    hello.former_count = 2;
    hello.kept_epoch = kept;
    return hello;
}

static void a_restarted_agent_takes_its_place_at_once_while_we_gather(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL;
    struct control_hello first = hello_of(1), stranger = successor_of(2, 9, 0);
    struct control_hello second = successor_of(2, 1, 0);
    assert_int_equal(roster_hello(r, "a1", &first, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "a1", &stranger, true, 11, AT_S(1), &a), ROSTER_DUPLICATE);
    assert_int_equal(roster_hello(r, "a1", &second, true, 12, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(a->epoch, 2);
    assert_false(a->is_returned);
    assert_int_equal(r->count, 1);
    assert_ptr_equal(roster_find(r, "a1", 12), a);
    assert_null(roster_find(r, "a1", 10));
}

/* Its clients are gone; the stream of the one that ended goes on under the new session. */
static void a_restarted_agent_of_a_run_delivers_what_the_ended_one_kept(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL, *found = NULL;
    struct control_hello first = hello_of(1), second = successor_of(2, 1, 1);
    assert_int_equal(roster_hello(r, "a1", &first, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    r->run_id[0] = 5;
    assert_int_equal(roster_hello(r, "a1", &second, false, 11, AT_S(2), &found), ROSTER_BUSY);
    assert_ptr_equal(found, a); /* kept of another run: gone for certain, and nothing left */
    second.kept_run_id[0] = 5;
    assert_int_equal(roster_hello(r, "a1", &second, false, 12, AT_S(2), &found), ROSTER_RETURNED);
    assert_ptr_equal(found, a);
    assert_int_equal(a->epoch, 1);
    assert_ptr_equal(roster_find(r, "a1", 12), a);
    a->is_lost = true; /* as the run says next */
    assert_true(roster_is_there(a));
    assert_true(roster_is_delivering(r, AT_S(3), AT_S(5)));
    assert_false(roster_is_delivering(r, AT_S(7), AT_S(5)));
    assert_int_equal(roster_live_count(r), 0);
    /* And once more, by a third process that found it unfinished. */
    struct control_hello third = successor_of(3, 2, 1);
    third.kept_run_id[0] = 5;
    assert_int_equal(roster_hello(r, "a1", &third, false, 13, AT_S(9), &found), ROSTER_RETURNED);
    assert_int_equal(a->epoch, 1);
    assert_true(roster_is_delivering(r, AT_S(10), AT_S(5)));
}

static void an_agent_given_up_too_early_delivers_but_never_plays_again(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL;
    struct control_hello hello = hello_of(1);
    assert_int_equal(roster_hello(r, "a1", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    r->run_id[0] = 5;
    a->is_lost = true;
    assert_false(roster_is_there(a));
    assert_int_equal(roster_hello(r, "a1", &hello, false, 11, AT_S(9), &a), ROSTER_BUSY);
    assert_null(a); /* it is lost already: nothing new */
    hello.kept_epoch = 1;
    hello.kept_run_id[0] = 5;
    assert_int_equal(roster_hello(r, "a1", &hello, false, 12, AT_S(9), &a), ROSTER_RETURNED);
    assert_true(a->is_returned && a->is_lost);
    memcpy(a->ctrl.bytes, "xyz", 3);
    a->ctrl.size = 3;
    assert_ptr_equal(roster_repeated_hello(r, "a1", 1, "xyz", 3), a);
}

static void what_a_liar_has_kept_is_not_taken(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL;
    struct control_hello hello = hello_of(1);
    assert_int_equal(roster_hello(r, "a1", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    r->run_id[0] = 5;
    a->is_lost = a->is_barred = true;
    hello.kept_epoch = 1;
    hello.kept_run_id[0] = 5;
    assert_int_equal(roster_hello(r, "a1", &hello, false, 12, AT_S(9), &a), ROSTER_BUSY);
}

static void once_the_run_began_nobody_new_joins_but_the_same_process_returns(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL;
    struct control_hello hello = hello_of(1), other = hello_of(2);
    assert_int_equal(roster_hello(r, "a1", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "a2", &other, false, 11, AT_S(2), &a), ROSTER_BUSY);
    assert_int_equal(roster_hello(r, "a1", &hello, false, 12, AT_S(2), &a), ROSTER_WELCOME);
    assert_ptr_equal(roster_find(r, "a1", 12), a);
    assert_null(roster_find(r, "a1", 10));
    a->is_lost = true;
    assert_int_equal(roster_hello(r, "a1", &hello, false, 13, AT_S(3), &a), ROSTER_BUSY);
}

static void a_hello_said_twice_on_one_connection_keeps_its_session(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL;
    struct control_hello hello = hello_of(1);
    assert_null(roster_repeated_hello(r, "a1", 1, "xyz", 3));
    assert_int_equal(roster_hello(r, "a1", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    memcpy(a->ctrl.bytes, "xyz", 3);
    a->ctrl.size = 3;
    assert_ptr_equal(roster_repeated_hello(r, "a1", 1, "xyz", 3), a);
    assert_int_equal(a->session, 10);
    assert_null(roster_repeated_hello(r, "a1", 2, "xyz", 3)); /* another process */
    assert_null(roster_repeated_hello(r, "a1", 1, "xya", 3)); /* another connection */
    a->is_lost = true;
    assert_null(roster_repeated_hello(r, "a1", 1, "xyz", 3));
}

static void more_agents_than_wanted_wait_for_the_next_run(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL;
    struct control_hello hello = hello_of(1);
    assert_int_equal(roster_hello(r, "b", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "a", &hello, true, 11, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "c", &hello, true, 12, AT_S(1), &a), ROSTER_BUSY);
    roster_seal(r);
    assert_string_equal(r->agents[0].name, "a");
    assert_int_equal(roster_index(r, roster_find(r, "b", 10)), 1);
}

static void a_step_is_done_when_every_live_agent_says_so(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL, *b = NULL;
    struct control_hello hello = hello_of(1);
    assert_false(roster_step_is_done(r)); /* nobody there: nothing is done */
    assert_int_equal(roster_hello(r, "a", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "b", &hello, true, 11, AT_S(1), &b), ROSTER_WELCOME);
    a->progress = (struct control_progress){.stage = 1, .step = 2, .is_step_done = true};
    b->progress = (struct control_progress){.stage = 1, .step = 1, .is_step_done = true};
    const struct control_go go = {.stage = 1, .step = 2};
    roster_ask(a, &go);
    roster_ask(b, &go);
    assert_false(roster_step_is_done(r));
    b->progress.step = 2;
    assert_true(roster_step_is_done(r));
    b->progress.is_step_done = false;
    assert_false(roster_step_is_done(r));
    b->is_lost = true;
    assert_true(roster_step_is_done(r));
    a->is_lost = true;
    assert_false(roster_step_is_done(r));
}

static void what_was_done_in_an_earlier_round_is_not_this_one(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL, *b = NULL;
    struct control_hello hello = hello_of(1);
    assert_int_equal(roster_hello(r, "a", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "b", &hello, true, 11, AT_S(1), &b), ROSTER_WELCOME);
    struct control_go go = {.round = 4, .stage = 1};
    roster_ask(a, &go);
    roster_ask(b, &go);
    a->progress = b->progress =
        (struct control_progress){.round = 4, .stage = 1, .is_step_done = true};
    assert_true(roster_step_is_done(r));
    go.round = 5; /* has something to do for one of them only */
    roster_ask(a, &go);
    assert_false(roster_step_is_done(r));
    a->progress.round = 5;
    assert_true(roster_step_is_done(r));
}

static void silence_of_one_agent_is_not_silence_of_the_servers(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL, *b = NULL;
    struct control_hello hello = hello_of(1);
    assert_int_equal(roster_hello(r, "a", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_int_equal(roster_hello(r, "b", &hello, true, 11, AT_S(1), &b), ROSTER_WELCOME);
    a->progress = (struct control_progress){.started = 200, .silent_streak = 150};
    b->progress = (struct control_progress){.started = 200, .silent_streak = 0};
    assert_int_equal(roster_silent_streak(r), 0);
    b->progress.finished = 200; /* waits for nothing: has no say */
    assert_int_equal(roster_silent_streak(r), 150);
}

static void an_agent_plays_what_it_was_dealt_and_nothing_else(void **state)
{
    struct roster *r = *state;
    struct roster_agent *a = NULL;
    struct control_hello hello = hello_of(1);
    assert_int_equal(roster_hello(r, "a1", &hello, true, 10, AT_S(1), &a), ROSTER_WELCOME);
    assert_false(roster_plays(a, 0)); /* nothing yet */
    assert_false(roster_carries(a, 0));
    static const struct control_share dealt[] = {{3, 10, 5}, {0, 20, 1}, {7, 99, 1}};
    a->hand.shares = malloc(sizeof(dealt));
    assert_non_null(a->hand.shares);
    memcpy(a->hand.shares, dealt, sizeof(dealt));
    a->hand.share_count = ARRAY_LEN(dealt);
    static const uint32_t own[] = {10, 14, 20, 99}, others[] = {0, 9, 15, 19, 21, 98, 100};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        assert_true(roster_plays(a, own[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_false(roster_plays(a, others[i]));
    }
    assert_false(roster_plays(a, UINT32_MAX));
    assert_true(roster_carries(a, 7));
    assert_false(roster_carries(a, 1));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_second_process_with_the_same_key_is_refused_while_the_first_may_send),
        CASE(what_a_liar_has_kept_is_not_taken),
        CASE(a_restarted_agent_takes_its_place_at_once_while_we_gather),
        CASE(a_restarted_agent_of_a_run_delivers_what_the_ended_one_kept),
        CASE(an_agent_given_up_too_early_delivers_but_never_plays_again),
        CASE(once_the_run_began_nobody_new_joins_but_the_same_process_returns),
        CASE(a_hello_said_twice_on_one_connection_keeps_its_session),
        CASE(more_agents_than_wanted_wait_for_the_next_run),
        CASE(an_agent_plays_what_it_was_dealt_and_nothing_else),
        CASE(a_step_is_done_when_every_live_agent_says_so),
        CASE(what_was_done_in_an_earlier_round_is_not_this_one),
        CASE(silence_of_one_agent_is_not_silence_of_the_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
