/* SPDX-License-Identifier: MIT */
/* A door without a guard: the process is gone before anybody came in. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "common/zap.h"
#include "common/zap_watchdog.h"
#include "tests/support/link_lab.h"
#include "tests/support/stop_thread.h"

enum { SAID_BYTES = 4096, LIFE_S = 20 };

/* A server in a process of its own, at whose door a listed and a strange key knock all the time. */
static void serve_for_ever(void)
{
    void *state = NULL;

    (void)alarm(LIFE_S);
    (void)open_lab(&state);
    struct lab *lab = state;
    struct link_socket *stranger = connect_as(lab, &lab->strange_key);
    struct link_socket *good = connect_as(lab, &lab->agent_key[0]);
    expect_only(lab, good, "in");
    (void)fputs("serving\n", stderr);
    for (;;) {
        struct link_peer from;
        const uint8_t *bytes = NULL;
        size_t size = 0;
        struct link_socket *sockets[] = {stranger, lab->server};
        if (link_poll(sockets, 2, NULL, 0, 20) < 0) {
            continue; /* a signal */
        }
        if (link_send(stranger, NULL, "let me in", 9) == 0) {
            (void)fputs("somebody came in\n", stderr); /* IMMEDIATE: nothing is queued outside */
        }
        if (link_trouble(stranger) != 0) {
            close_kept(lab, stranger);
            stranger = connect_as(lab, &lab->strange_key);
        }
        if (link_receive(lab->server, &from, &bytes, &size) == 1) {
            (void)fputs("somebody came in\n", stderr);
        }
    }
}

struct child {
    pid_t pid;
    int said; /* its stderr */
};

static struct child start(void (*life)(void))
{
    int ends[2];
    struct child child;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)dup2(ends[1], STDOUT_FILENO);
        life();
        _exit(0);
    }
    assert_int_equal(close(ends[1]), 0);
    child.said = ends[0];
    return child;
}

/* Reads until it says so, or to its end when `until` is NULL. */
static void hear(const struct child *child, const char *until, char out[SAID_BYTES])
{
    size_t have = 0;

    out[0] = '\0';
    while (until == NULL || strstr(out, until) == NULL) {
        ssize_t got = read(child->said, out + have, SAID_BYTES - 1 - have);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
        out[have] = '\0';
    }
    if (until != NULL && strstr(out, until) == NULL) {
        fail_msg("ended without '%s': %s", until, out);
    }
}

/* Its end, and those of threads we hold. */
static int end_of(const struct child *child)
{
    int status = 0;

    for (;;) {
        int one = 0;
        pid_t pid = waitpid(-1, &one, __WALL);
        assert_true(pid > 0);
        if (pid == child->pid && !WIFSTOPPED(one)) {
            status = one;
            break;
        }
    }
    assert_int_equal(close(child->said), 0);
    return status;
}

static void expect_abort(const struct child *child, const char *sentence)
{
    char said[SAID_BYTES];

    hear(child, NULL, said);
    int status = end_of(child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        fail_msg("ended with status 0x%x: %s", (unsigned)status, said);
    }
    if (strstr(said, sentence) == NULL) {
        fail_msg("expected '%s', got: %s", sentence, said);
    }
    assert_null(strstr(said, "somebody came in"));
}

static void a_handler_that_stands_still_ends_the_process(void **state)
{
    (void)state;
    char said[SAID_BYTES];
    struct child child = start(serve_for_ever);

    hear(&child, "serving", said);
    assert_true(thread_stall(thread_named(child.pid, "zap")));
    expect_abort(&child, "has not answered for 2 s; nobody would be kept out");
}

static void a_handler_that_is_gone_ends_the_process(void **state)
{
    (void)state;
    char said[SAID_BYTES];
    struct child child = start(serve_for_ever);

    hear(&child, "serving", said);
    assert_true(thread_end(thread_named(child.pid, "zap")));
    expect_abort(&child, "has not answered for 2 s; nobody would be kept out");
}

/* Says yes to everybody. */
static void *admit_all(void *context)
{
    static const char *const answer[] = {"1.0", "watchdog", "200", "OK", "", ""};
    void *socket = zmq_socket(context, ZMQ_REP);
    char frame[64];

    if (socket == NULL || zmq_bind(socket, "inproc://zeromq.zap.01") != 0) {
        return NULL;
    }
    for (;;) {
        int has_more = 1;
        size_t size = sizeof(has_more);
        while (has_more != 0) {
            if (zmq_recv(socket, frame, sizeof(frame), 0) < 0 ||
                zmq_getsockopt(socket, ZMQ_RCVMORE, &has_more, &size) != 0) {
                return NULL;
            }
        }
        for (size_t i = 0; i < ARRAY_LEN(answer); i++) {
            (void)zmq_send(socket, answer[i], strlen(answer[i]),
                           i + 1 < ARRAY_LEN(answer) ? ZMQ_SNDMORE : 0);
        }
    }
}

static void watch_one_who_admits_all(void)
{
    const struct key_list nobody = {0};
    void *own = zmq_ctx_new();
    void *other = zmq_ctx_new();
    struct zap *zap = NULL;
    struct zap_watchdog *watchdog = NULL;
    pthread_t thread;

    (void)alarm(LIFE_S);
    if (zap_start(own, ZAP_ADMITS_LISTED, &nobody, &zap) != 0 ||
        pthread_create(&thread, NULL, admit_all, other) != 0) {
        _exit(1);
    }
    if (zap_watchdog_start(other, zap, &watchdog) != 0) {
        _exit(2);
    }
    pause();
}

static void a_handler_that_lets_strangers_in_ends_the_process(void **state)
{
    (void)state;
    struct child child = start(watch_one_who_admits_all);

    expect_abort(&child, "did not refuse a stranger; nobody would be kept out");
}

static void serve_and_end(void)
{
    void *state = NULL;

    (void)alarm(LIFE_S);
    (void)open_lab(&state);
    (void)fputs("serving\n", stderr);
    /* Stopped by our parent for longer than the deadline meanwhile. */
    uint64_t end_ns = clock_monotonic_ns() + 6 * NS_PER_S;
    while (clock_monotonic_ns() < end_ns) {
        usleep(50000);
    }
    (void)close_lab(&state);
    (void)fputs("ended well\n", stderr);
}

static void a_process_that_was_stopped_for_longer_goes_on(void **state)
{
    (void)state;
    char said[SAID_BYTES];
    struct child child = start(serve_and_end);

    hear(&child, "serving", said);
    assert_int_equal(kill(child.pid, SIGSTOP), 0);
    usleep((ZAP_DEADLINE_MS + 1000) * 1000);
    assert_int_equal(kill(child.pid, SIGCONT), 0);
    hear(&child, NULL, said);
    assert_non_null(strstr(said, "ended well"));
    assert_int_equal(end_of(&child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_that_stands_still_ends_the_process),
        cmocka_unit_test(a_handler_that_is_gone_ends_the_process),
        cmocka_unit_test(a_handler_that_lets_strangers_in_ends_the_process),
        cmocka_unit_test(a_process_that_was_stopped_for_longer_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
