/* SPDX-License-Identifier: MIT */
/* Connections that break, or should never come about. */
#include "tests/support/session_bed.h"

static void break_connection(struct bed *b)
{
    fake_close_sockets(&b->fake);
    fake_open_sockets(&b->fake); /* the same ports */
}

static bool quarter_is_committed(const struct fake_coordinator *f)
{
    return f->events >= CLIENTS / 4;
}

static void a_broken_connection_is_resumed_where_the_ledger_stands(void **state)
{
    struct bed *b = *state;
    start_agent(b, true);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    go(b, CLIENTS / 2);
    fake_until(&b->fake, quarter_is_committed, "a quarter of the events");
    b->fake.acks = false; /* what comes now is not committed and must come again */
    fake_until(&b->fake, step_is_done, "the step's end");
    break_connection(b);
    b->fake.acks = true;
    join_run(b, 12, RUN_A);
    go(b, CLIENTS);
    finish_run(b);
    say_bye(b);
    assert_int_equal(join_agent(b), SESSION_STOPPED);
    assert_true(log_says(b, "run=resumed"));
}

static void a_final_snapshot_that_was_lost_comes_again(void **state)
{
    struct bed *b = *state;
    start_agent(b, true);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    go(b, CLIENTS);
    finish_run(b);
    break_connection(b);
    b->fake.has_final = false;
    b->fake.histograms = 0;
    join_run(b, 12, RUN_A);
    struct control_message done = fake_await(&b->fake, CONTROL_DONE);
    fake_until(&b->fake, has_final, "the final snapshot once more");
    assert_int_equal(done.u.done.event_count, CLIENTS);
    assert_true(b->fake.histograms >= MODEL_HISTOGRAMS);
    assert_true(each_client_once(&b->fake));
}

static void another_run_ends_the_open_one_without_a_packet(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    break_connection(b);
    join_run(b, 12, RUN_B);
    assert_int_equal(atomic_load(&model_lane.lanes), 0);
    assert_true(log_says(b, "what=run_discarded"));
    assert_int_equal(atomic_load(&model_lane.sent), 0);
    make_plan(b, RUN_B);
    get_ready(b); /* and it is free for the new one */
}

/* --- who may not talk to whom --- */

static void a_key_that_is_not_listed_is_named_and_the_agent_keeps_trying(void **state)
{
    struct bed *b = *state;
    struct key_pair stranger;
    char public_key[KEY_Z85_BYTES];
    key_pair_make(&stranger);
    key_to_z85(stranger.public_key, public_key);
    struct key_pair known = b->fake.agent;
    b->fake.agent = stranger;
    start_agent(b, false);
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    struct control_message m;
    while (!log_says(b, public_key) && clock_monotonic_ns() < until_ns) {
        assert_int_equal(fake_take(&b->fake, 20, &m), CONTROL_NONE);
    }
    assert_true(log_says(b, "what=key_refused"));
    assert_true(log_says(b, public_key));
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    b->fake.agent = known;
}

static void await_log(struct bed *b, const char *text)
{
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    struct control_message m;
    while (!log_says(b, text) && clock_monotonic_ns() < until_ns) {
        (void)fake_take(&b->fake, 20, &m);
    }
    assert_true(log_says(b, text));
}

static void a_wrong_server_key_is_named(void **state)
{
    struct bed *b = *state;
    struct key_pair right = b->fake.own;
    key_pair_make(&b->fake.own);
    start_agent(b, false);
    b->fake.own = right;
    await_log(b, "what=wrong_server_key");
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

static void a_missing_listener_is_named_and_joined_when_it_comes(void **state)
{
    struct bed *b = *state;
    fake_close_sockets(&b->fake);
    start_agent(b, false);
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    while (!log_says(b, "what=no_listener") && clock_monotonic_ns() < until_ns) {
        (void)sched_yield();
    }
    assert_true(log_says(b, "what=no_listener"));
    fake_open_sockets(&b->fake);
    join_run(b, 11, RUN_A);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        IN_BED(a_broken_connection_is_resumed_where_the_ledger_stands),
        IN_BED(a_final_snapshot_that_was_lost_comes_again),
        IN_BED(another_run_ends_the_open_one_without_a_packet),
        IN_BED(a_key_that_is_not_listed_is_named_and_the_agent_keeps_trying),
        IN_BED(a_wrong_server_key_is_named),
        IN_BED(a_missing_listener_is_named_and_joined_when_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
