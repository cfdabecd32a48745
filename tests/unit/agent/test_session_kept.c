/* SPDX-License-Identifier: MIT */
/* Results that outlive their process, or the trust of their coordinator. */
#include "tests/support/session_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/edge/ring_file.h"

struct home {
    char path[64];
    struct state_dir dir;
};

static struct home home;

static void move_in(struct bed *b)
{
    char why[STATE_DIR_WHY_BYTES] = "";
    assert_int_equal(state_dir_open(home.path, &home.dir, why), 0);
    b->setup.state_dir = &home.dir;
}

static int setup_home(void **state)
{
    strcpy(home.path, "/tmp/leaseherd-kept-XXXXXX");
    if (mkdtemp(home.path) == NULL || setup_bed(state) != 0) {
        return -1;
    }
    move_in(*state);
    return 0;
}

static int teardown_home(void **state)
{
    int rc = teardown_bed(state);
    (void)unlinkat(home.dir.dir_fd, RING_FILE_NAME, 0);
    (void)unlinkat(home.dir.dir_fd, "agent.lock", 0);
    state_dir_close(&home.dir);
    return rmdir(home.path) == 0 ? rc : -1;
}

static bool half_is_committed(const struct fake_coordinator *f)
{
    return f->events >= CLIENTS / 2;
}

static bool all_is_committed(const struct fake_coordinator *f)
{
    return f->events >= CLIENTS;
}

/* A run with half of its results committed and the rest in the ring. */
static void run_half(struct bed *b)
{
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    go(b, CLIENTS / 2);
    fake_until(&b->fake, half_is_committed, "half of the events");
    memset(&b->fake.progress, 0, sizeof(b->fake.progress));
    b->fake.acks = false;
    go(b, CLIENTS);
    fake_until(&b->fake, all_have_started, "the start of all clients");
}

/* The next process: the epochs of the ones before it come from the directory. */
static void start_successor(struct bed *b, bool is_once)
{
    state_dir_close(&home.dir);
    move_in(b);
    uint64_t one = 0;
    if (read(b->stop_fd, &one, sizeof(one)) < 0) {
        assert_int_equal(errno, EAGAIN); /* it ended by itself */
    }
    start_agent(b, is_once);
}

static void reopen_line(struct bed *b)
{
    fake_close_sockets(&b->fake);
    fake_open_sockets(&b->fake);
}

static void fake_deliver(struct bed *b, uint64_t session, uint8_t run, uint64_t epoch,
                         uint64_t committed)
{
    struct control_message m = {.kind = CONTROL_WELCOME};
    b->fake.session = session;
    m.u.welcome = (struct control_welcome){.proto = CONTROL_PROTO,
                                           .session = session,
                                           .data_port = b->fake.port[1],
                                           .committed_batch = committed,
                                           .deliver_epoch = epoch};
    memset(m.u.welcome.run_id, run, PLAN_RUN_ID_BYTES);
    fake_send(&b->fake, &m);
}

static void expect_delivery(struct bed *b, uint64_t epoch)
{
    fake_deliver(b, 12, RUN_A, epoch, b->fake.committed);
    assert_true(fake_await(&b->fake, CONTROL_DATA_HELLO).u.data_hello.epoch == epoch);
    fake_until(&b->fake, all_is_committed, "all events");
    struct control_message done = fake_await(&b->fake, CONTROL_DONE);
    assert_int_equal(done.u.done.last_batch_seq, b->fake.committed);
    assert_int_equal(b->fake.events, CLIENTS);
    assert_true(each_client_once(&b->fake));
    assert_false(b->fake.has_final);
}

static void a_successor_delivers_what_the_ended_process_had_not(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    run_half(b);
    uint64_t epoch = b->fake.hello.epoch;
    assert_int_equal(b->fake.hello.kept_epoch, 0);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    reopen_line(b);
    b->fake.acks = true;

    start_successor(b, true);
    struct control_hello hello = fake_await(&b->fake, CONTROL_HELLO).u.hello;
    assert_true(hello.epoch != epoch && hello.kept_epoch == epoch);
    assert_int_equal(hello.former_count, 1);
    assert_true(hello.former[0] == epoch);
    assert_int_equal(hello.kept_run_id[0], RUN_A);
    assert_true(hello.kept_last_seq > b->fake.committed);
    expect_delivery(b, epoch);
    say_bye(b);
    assert_int_equal(join_agent(b), SESSION_STOPPED);
    assert_true(log_says(b, "what=delivered run=run-a1"));
    struct stat st;
    assert_int_equal(fstatat(home.dir.dir_fd, RING_FILE_NAME, &st, 0), 0);
    assert_int_equal(st.st_size, RING_FILE_HEAD_BYTES); /* its room is free again */
}

static void a_successor_that_ends_as_well_leaves_the_rest_to_the_third(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    run_half(b);
    uint64_t epoch = b->fake.hello.epoch;
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    for (unsigned i = 2; i < 4; i++) {
        reopen_line(b);
        start_successor(b, true);
        struct control_hello hello = fake_await(&b->fake, CONTROL_HELLO).u.hello;
        assert_true(hello.kept_epoch == epoch);
        assert_int_equal(hello.former_count, i - 1);
        if (i == 2) {
            fake_deliver(b, 12, RUN_A, epoch, b->fake.committed);
            (void)fake_await(&b->fake, CONTROL_DATA_HELLO);
            (void)fake_await(&b->fake, CONTROL_BATCH); /* not acknowledged */
            assert_int_equal(stop_agent(b), SESSION_STOPPED);
        }
    }
    b->fake.acks = true;
    expect_delivery(b, epoch);
    say_bye(b);
    assert_int_equal(join_agent(b), SESSION_STOPPED);
}

/* Given up while it was away: its clients stop, its results arrive. */
static void an_agent_that_was_given_up_delivers_and_sends_no_packet(void **state)
{
    struct bed *b = *state;
    start_agent(b, true);
    run_half(b);
    uint64_t epoch = b->fake.hello.epoch;
    reopen_line(b);
    b->fake.acks = true;
    (void)fake_await(&b->fake, CONTROL_HELLO);
    assert_true(b->fake.hello.epoch == epoch && b->fake.hello.kept_epoch == epoch);
    expect_delivery(b, epoch);
    assert_int_equal(atomic_load(&model_lane.lanes), 0);
    say_bye(b);
    assert_int_equal(join_agent(b), SESSION_STOPPED);
    assert_true(log_says(b, "has given this agent up"));
}

static void expect_played(struct bed *b, const char *text)
{
    struct control_message m = prepare_of(b);
    fake_send(&b->fake, &m);
    m = fake_await(&b->fake, CONTROL_REFUSE);
    assert_int_equal(m.u.refuse.code, REFUSAL_POLICY);
    if (strstr(m.u.refuse.text, text) == NULL) {
        fail_msg("'%s' does not say '%s'", m.u.refuse.text, text);
    }
    assert_int_equal(atomic_load(&model_lane.lanes), 0);
}

/* Its packets and its time would begin again. */
static void a_run_that_was_given_up_is_not_played_again(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    run_half(b);
    uint64_t epoch = b->fake.hello.epoch;
    fake_deliver(b, 12, RUN_A, epoch, b->fake.committed);
    (void)fake_await(&b->fake, CONTROL_DATA_HELLO);
    expect_played(b, "played here already");
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

static void a_successor_does_not_play_what_had_begun(void **state)
{
    struct bed *b = *state;
    char why[RUN_RECORD_WHY_BYTES] = "";
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    for (unsigned i = 0; i < 2; i++) {
        reopen_line(b);
        run_record_free(b->records);
        assert_int_equal(run_record_load(b->state_dir, &b->records, why), 0);
        start_successor(b, false);
        join_run(b, 12 + i, RUN_A);
        if (i == 0) {
            get_ready(b); /* nothing had begun yet */
            get_armed(b);
            go(b, 100);
            fake_until(&b->fake, step_is_done, "the step's end");
        } else {
            expect_played(b, "begun here before");
        }
        assert_int_equal(stop_agent(b), SESSION_STOPPED);
    }
}

static void what_was_never_collected_is_said_when_another_run_takes_its_place(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    run_half(b);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    reopen_line(b);
    b->fake.acks = true;
    b->fake.committed = 0;
    make_plan(b, RUN_B);
    start_successor(b, false);
    join_run(b, 12, RUN_B);
    assert_false(log_says(b, "what=results_never_collected"));
    get_ready(b);
    assert_true(log_says(b, "what=results_never_collected run=run-a1"));
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

static void a_ledger_that_lost_what_it_acknowledged_is_not_filled_with_a_gap(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    run_half(b);
    uint64_t epoch = b->fake.hello.epoch;
    reopen_line(b);
    (void)fake_await(&b->fake, CONTROL_HELLO);
    fake_welcome(&b->fake, 12, RUN_A); /* with what it really has */
    (void)fake_await(&b->fake, CONTROL_DATA_HELLO);
    reopen_line(b);
    (void)fake_await(&b->fake, CONTROL_HELLO);
    b->fake.committed = 1;
    fake_welcome(&b->fake, 13, RUN_A);
    struct control_message refuse = fake_await(&b->fake, CONTROL_REFUSE);
    assert_non_null(strstr(refuse.u.refuse.text, "not in the coordinator's ledger"));
    reopen_line(b);
    (void)fake_await(&b->fake, CONTROL_HELLO);
    assert_true(b->fake.hello.kept_epoch == epoch);
    fake_deliver(b, 14, RUN_A, epoch, 1);
    (void)fake_await(&b->fake, CONTROL_HELLO);
    assert_int_equal(b->fake.hello.kept_epoch, 0);
    assert_true(log_says(b, "what=results_never_collected run=run-a1"));
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

/* Of another run, of another process: nothing is sent for it. */
static void a_delivery_of_what_is_not_here_is_not_begun(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    run_half(b);
    uint64_t epoch = b->fake.hello.epoch;
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    static const struct {
        uint8_t run;
        uint64_t more;
    } wrong[] = {{RUN_B, 0}, {RUN_A, 1}};
    reopen_line(b);
    start_successor(b, false);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        (void)fake_await(&b->fake, CONTROL_HELLO);
        fake_deliver(b, 20 + i, wrong[i].run, epoch + wrong[i].more, 0);
        (void)fake_await(&b->fake, CONTROL_HELLO); /* asks once more */
        assert_true(b->fake.hello.kept_epoch == epoch);
    }
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

/* A run that ended before it was prepared here needs no place: another's results stay. */
static void the_end_of_another_run_takes_nothing_with_it(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    run_half(b);
    uint64_t epoch = b->fake.hello.epoch, committed = b->fake.committed;
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    reopen_line(b);
    start_successor(b, false);
    b->fake.committed = 0;
    join_run(b, 12, RUN_B);
    say_bye(b);
    reopen_line(b);
    (void)fake_await(&b->fake, CONTROL_HELLO);
    assert_int_equal(b->fake.hello.kept_run_id[0], RUN_A);
    assert_true(b->fake.hello.kept_epoch == epoch);
    assert_false(log_says(b, "what=results_never_collected"));
    b->fake.committed = committed;
    b->fake.acks = true;
    expect_delivery(b, epoch);
    say_bye(b);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

#define AT_HOME(test) cmocka_unit_test_setup_teardown(test, setup_home, teardown_home)

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        AT_HOME(a_delivery_of_what_is_not_here_is_not_begun),
        AT_HOME(a_ledger_that_lost_what_it_acknowledged_is_not_filled_with_a_gap),
        AT_HOME(what_was_never_collected_is_said_when_another_run_takes_its_place),
        AT_HOME(a_successor_delivers_what_the_ended_process_had_not),
        AT_HOME(a_successor_that_ends_as_well_leaves_the_rest_to_the_third),
        AT_HOME(an_agent_that_was_given_up_delivers_and_sends_no_packet),
        AT_HOME(the_end_of_another_run_takes_nothing_with_it),
        AT_HOME(a_run_that_was_given_up_is_not_played_again),
        AT_HOME(a_successor_does_not_play_what_had_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
