/* SPDX-License-Identifier: MIT */
/* An observer in a thread, a coordinator played by the test, and processes that stand for servers.
 */
#include "tests/support/testing.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/observer/observer.h"
#include "common/log.h"
#include "tests/support/fake_coordinator.h"

static const char server_name[] = "lh-test-server";

struct bed {
    struct fake_coordinator fake;
    struct sources sources;
    struct observer_setup setup;
    pthread_t thread;
    enum observer_end end;
    int log_fd;
};

/* Somebody of that name, who burns a little CPU and waits. */
static pid_t start_server(void)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)prctl(PR_SET_NAME, server_name, 0, 0, 0);
        for (volatile unsigned i = 0; i < 50000000; i++) {
        }
        for (;;) {
            (void)pause();
        }
    }
    return pid;
}

static void end_server(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void *run_observer(void *bed)
{
    struct bed *b = bed;
    b->end = observer_run(&b->setup);
    return NULL;
}

static void start(struct bed *b, const char *process, bool is_once)
{
    static const struct observer_files none = {NULL, NULL, NULL, NULL};
    char why[PROCESS_WHY_BYTES] = "";
    memset(b, 0, sizeof(*b));
    fake_open(&b->fake);
    b->log_fd = memfd_create("log", MFD_CLOEXEC);
    log_set_fd(b->log_fd);
    assert_true(sources_open(&b->sources, process, &none, why));
    b->setup.sources = &b->sources;
    b->setup.is_once = is_once;
    b->setup.stop_fd = eventfd(0, EFD_CLOEXEC);
    b->setup.watch.host = "127.0.0.1";
    b->setup.watch.port = b->fake.port[0];
    b->setup.watch.own = &b->fake.agent;
    memcpy(b->setup.watch.server_key, b->fake.own.public_key, KEY_BYTES);
    assert_int_equal(link_context_new(&b->setup.watch.context), 0);
    assert_int_equal(pthread_create(&b->thread, NULL, run_observer, b), 0);
}

static void finish(struct bed *b)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    link_context_free(b->setup.watch.context);
    sources_close(&b->sources);
    (void)close(b->setup.stop_fd);
    fake_close(&b->fake);
    log_set_fd(-1);
    (void)close(b->log_fd);
}

static void stop(struct bed *b)
{
    assert_int_equal(eventfd_write(b->setup.stop_fd, 1), 0);
    finish(b);
    assert_int_equal(b->end, OBSERVER_STOPPED);
}

/* Who calls has no session yet. */
static struct control_observer_hello await_hello(struct bed *b)
{
    b->fake.session = CONTROL_SESSION_UNKNOWN;
    return fake_await(&b->fake, CONTROL_OBSERVER_HELLO).u.observer_hello;
}

static struct observation await_observation(struct bed *b)
{
    return *fake_await(&b->fake, CONTROL_OBSERVATION).u.observation;
}

static void send_bye(struct bed *b)
{
    struct control_message m = {.kind = CONTROL_BYE};
    control_set_text(m.u.bye.text, "the run is over");
    fake_send(&b->fake, &m);
}

static bool log_has(const struct bed *b, const char *text)
{
    char log[16384];
    ssize_t size = pread(b->log_fd, log, sizeof(log) - 1, 0);
    log[size < 0 ? 0 : size] = '\0';
    return strstr(log, text) != NULL;
}

static void an_observer_tells_once_a_second_until_bye_and_waits_for_the_next_run(void **state)
{
    static struct bed b;
    (void)state;
    pid_t server = start_server();
    start(&b, server_name, false);
    struct control_observer_hello hello = await_hello(&b);
    assert_int_equal(hello.proto_max, CONTROL_PROTO);
    assert_true(hello.host[0] != '\0' && hello.epoch != 0);
    fake_welcome(&b.fake, 11, 0xa1);
    uint64_t first_ns = 0;
    for (uint64_t seq = 1; seq <= 3; seq++) {
        struct observation o = await_observation(&b);
        first_ns = seq == 1 ? o.at_ns : first_ns;
        assert_int_equal(o.seq, seq);
        assert_int_equal(o.process_id, server);
        assert_true(observation_is_valid(&o));
        assert_true(o.at_ns >= first_ns + (seq - 1) * NS_PER_S); /* late, maybe; never early */
    }
    send_bye(&b);
    struct control_observer_hello again = await_hello(&b);
    assert_true(again.epoch == hello.epoch);
    assert_string_equal(again.program, server_name);
    fake_welcome(&b.fake, 12, 0xa2);
    assert_int_equal(await_observation(&b).seq, 4);
    stop(&b);
    end_server(server);
}

static void clock_requests_are_answered_and_orders_are_not_obeyed(void **state)
{
    static struct bed b;
    (void)state;
    start(&b, "1", false);
    (void)await_hello(&b);
    fake_welcome(&b.fake, 21, 0xa1);
    struct control_message m = {.kind = CONTROL_DRAIN};
    m.u.drain.mode = DRAIN_NOW;
    fake_send(&b.fake, &m);
    m = (struct control_message){.kind = CONTROL_CLOCK_REQUEST};
    m.u.clock_request = (struct control_clock_request){.id = 5, .t1_ns = 17};
    fake_send(&b.fake, &m);
    uint64_t before_ns = clock_monotonic_ns();
    struct control_clock_reply reply = fake_await(&b.fake, CONTROL_CLOCK_REPLY).u.clock_reply;
    assert_int_equal(reply.id, 5);
    assert_int_equal(reply.t1_ns, 17);
    assert_true(reply.t2_ns <= reply.t3_ns && reply.t3_ns <= clock_monotonic_ns());
    assert_true(reply.t2_ns + NS_PER_S > before_ns);
    assert_true(await_observation(&b).seq >= 1); /* one may have come before the reply */
    assert_true(log_has(&b, "what=message_ignored kind=drain"));
    stop(&b);
}

/* What the process did is compared with what procfs says of it now: it only waits. */
static void figures_are_the_process_s(void **state)
{
    static struct bed b;
    char number[16];
    (void)state;
    pid_t server = start_server();
    (void)snprintf(number, sizeof(number), "%d", (int)server);
    start(&b, number, true);
    (void)await_hello(&b);
    fake_welcome(&b.fake, 31, 0xa1);
    struct observation o = await_observation(&b);
    while (o.seq < 3) {
        o = await_observation(&b);
    }
    double all_us = o.value[OBSERVER_cpu_user] + o.value[OBSERVER_cpu_system];
    assert_int_equal(o.availability[OBSERVER_cpu_user], AVAILABLE_OK);
    assert_true(all_us > 0 && all_us < 20e6);
    /* One is counted in ticks of 10 ms, the other exactly. */
    assert_true(o.value[OBSERVER_cpu_busiest_thread] > all_us - 30000 &&
                o.value[OBSERVER_cpu_busiest_thread] < all_us + 30000);
    assert_true(o.value[OBSERVER_threads] == 1);
    assert_true(o.value[OBSERVER_rss] > 100000);
    assert_true(o.value[OBSERVER_state_samples] > 0);
    assert_int_equal(o.availability[OBSERVER_udp67_drops], AVAILABLE_NOT_APPLICABLE);
    assert_int_equal(o.availability[OBSERVER_packet_socket_drops], AVAILABLE_NOT_APPLICABLE);
    assert_int_equal(o.availability[OBSERVER_udp_in], AVAILABLE_OK);
    assert_true(o.value[OBSERVER_self_cpu] > 0);
    send_bye(&b);
    finish(&b);
    assert_int_equal(b.end, OBSERVER_STOPPED); /* it was to watch one run */
    end_server(server);
}

static struct observation await_instance_unlike(struct bed *b, uint64_t instance)
{
    for (unsigned i = 0; i < 10; i++) {
        struct observation o = await_observation(b);
        if (o.instance != instance) {
            return o;
        }
    }
    fail_msg("the instance stays %llu", (unsigned long long)instance);
    return (struct observation){.seq = 0};
}

static void a_server_that_ends_and_comes_back_is_another_instance(void **state)
{
    static struct bed b;
    (void)state;
    pid_t server = start_server();
    start(&b, server_name, false);
    (void)await_hello(&b);
    fake_welcome(&b.fake, 41, 0xa1);
    struct observation first = await_observation(&b);
    assert_int_equal(first.process_id, server);
    assert_true(first.instance != 0);
    end_server(server);
    struct observation gone = await_instance_unlike(&b, first.instance);
    assert_int_equal(gone.instance, 0);
    assert_int_equal(gone.process_id, 0);
    assert_int_equal(gone.availability[OBSERVER_cpu_user], AVAILABLE_NOT_APPLICABLE);
    assert_int_equal(gone.availability[OBSERVER_udp_in], AVAILABLE_OK); /* the host is there */
    assert_non_null(strstr(gone.note[NOTE_OBSERVER], "no process called lh-test-server"));
    pid_t next = start_server();
    struct observation back = await_instance_unlike(&b, 0);
    assert_int_equal(back.process_id, next);
    assert_true(back.instance != first.instance);
    assert_null(strstr(back.note[NOTE_OBSERVER], "no process called"));
    stop(&b);
    end_server(next);
}

static void a_refusal_for_good_ends_it(void **state)
{
    static struct bed b;
    (void)state;
    start(&b, "1", false);
    (void)await_hello(&b);
    struct control_message m = {.kind = CONTROL_REFUSE};
    m.u.refuse.code = REFUSAL_VERSION;
    control_set_text(m.u.refuse.text, "another version");
    fake_send(&b.fake, &m);
    finish(&b);
    assert_int_equal(b.end, OBSERVER_REFUSED);
}

/* A coordinator that comes back with another session, without a word. */
static void a_coordinator_that_is_lost_is_called_again(void **state)
{
    static struct bed b;
    (void)state;
    start(&b, "1", false);
    (void)await_hello(&b);
    fake_welcome(&b.fake, 51, 0xa1);
    assert_int_equal(await_observation(&b).seq, 1);
    fake_close_sockets(&b.fake);
    fake_open_sockets(&b.fake);
    (void)await_hello(&b);
    fake_welcome(&b.fake, 52, 0xa1);
    assert_true(await_observation(&b).seq > 1);
    assert_true(log_has(&b, "what=coordinator_lost"));
    stop(&b);
}

static void what_is_no_process_is_refused(void **state)
{
    static const struct observer_files none = {NULL, NULL, NULL, NULL};
    static const char *const bad[] = {
        "",       "a/b",  "-x",
        "dhc pd", "a\nb", "a-name-that-is-longer-than-any-name-of-a-process-could-ever-be-at-all"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char why[PROCESS_WHY_BYTES] = "";
        struct process p;
        if (process_init(&p, bad[i], &none, why) || strstr(why, "--process") == NULL) {
            fail_msg("taken, or not said: '%s'", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_observer_tells_once_a_second_until_bye_and_waits_for_the_next_run),
        cmocka_unit_test(clock_requests_are_answered_and_orders_are_not_obeyed),
        cmocka_unit_test(figures_are_the_process_s),
        cmocka_unit_test(a_server_that_ends_and_comes_back_is_another_instance),
        cmocka_unit_test(a_refusal_for_good_ends_it),
        cmocka_unit_test(a_coordinator_that_is_lost_is_called_again),
        cmocka_unit_test(what_is_no_process_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
