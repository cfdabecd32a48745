/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/edge/greeting.h"
#include "common/attrs.h"

enum { HEARD_BYTES = 11, PATIENCE_MS = 5000, SHORT_MS = 50 };

/* Says `bytes` to whoever connects, after it heard the beginning of a greeting. */
struct listener {
    int fd;
    uint16_t port;
    const char *bytes;
    size_t size;
    bool stays_silent;
    pthread_t thread;
};

static void *serve(void *listener)
{
    struct listener *l = listener;
    char heard[HEARD_BYTES];
    int fd = accept(l->fd, NULL, NULL);
    if (fd >= 0 && recv(fd, heard, sizeof(heard), MSG_WAITALL) == (ssize_t)sizeof(heard)) {
        (void)send(fd, l->bytes, l->size, MSG_NOSIGNAL);
        while (l->stays_silent && recv(fd, heard, sizeof(heard), 0) > 0) {
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return NULL;
}

static void listener_open(struct listener *l)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(in);
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(l->fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&in, &size), 0);
    l->port = ntohs(in.sin_port);
}

static enum greeting ask(struct listener *l, int timeout_ms)
{
    listener_open(l);
    assert_int_equal(listen(l->fd, 1), 0);
    assert_int_equal(pthread_create(&l->thread, NULL, serve, l), 0);
    enum greeting heard = greeting_ask("127.0.0.1", l->port, timeout_ms);
    (void)shutdown(l->fd, SHUT_RDWR); /* ends accept() where nobody called */
    assert_int_equal(pthread_join(l->thread, NULL), 0);
    close(l->fd);
    return heard;
}

static void a_closed_port_is_nobody(void **state)
{
    (void)state;
    struct listener l = {0};
    listener_open(&l); /* bound, so that nobody else gets it, and not listening */
    assert_int_equal(greeting_ask("127.0.0.1", l.port, PATIENCE_MS), GREETING_NOBODY);
    close(l.fd);
}

static void a_name_is_known_or_it_is_not(void **state)
{
    (void)state;
    assert_true(greeting_is_name_known("127.0.0.1"));
    assert_true(greeting_is_name_known("::1"));
    assert_false(greeting_is_name_known("127.0.0.1.1"));
    assert_false(greeting_is_name_known("a name with blanks"));
}

static void a_listener_that_says_nothing_is_unknown(void **state)
{
    (void)state;
    struct listener silent = {.stays_silent = true};
    assert_int_equal(ask(&silent, SHORT_MS), GREETING_UNKNOWN);
    struct listener curt = {.bytes = "\xff\0\0\0\0\0\0\0\1\x7f\3", .size = 11};
    assert_int_equal(ask(&curt, PATIENCE_MS), GREETING_UNKNOWN);
}

static void what_speaks_another_language_is_not_curve(void **state)
{
    (void)state;
    static const char http[] = "HTTP/1.0 400 Bad Request\r\n\r\n";
    static const char null_peer[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1NULL";
    static const char longer[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVED";
    static const char even[64] = "\xff\0\0\0\0\0\0\0\1\x7e\3\1CURVE";
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {{http, sizeof(http) - 1},
                {http, 1},
                {null_peer, sizeof(null_peer)},
                {longer, sizeof(longer)},
                {even, sizeof(even)}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listener l = {.bytes = rows[i].bytes, .size = rows[i].size};
        assert_int_equal(ask(&l, PATIENCE_MS), GREETING_NOT_CURVE);
    }
}

static void a_curve_peer_is_known_by_its_mechanism(void **state)
{
    (void)state;
    static const char curve[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE";
    struct listener l = {.bytes = curve, .size = sizeof(curve)};
    assert_int_equal(ask(&l, PATIENCE_MS), GREETING_CURVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_port_is_nobody),
        cmocka_unit_test(a_name_is_known_or_it_is_not),
        cmocka_unit_test(a_listener_that_says_nothing_is_unknown),
        cmocka_unit_test(what_speaks_another_language_is_not_curve),
        cmocka_unit_test(a_curve_peer_is_known_by_its_mechanism),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
