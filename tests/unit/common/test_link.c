/* SPDX-License-Identifier: MIT */
/* Connections, bounds and queues; who must not get in is test_link_refused.c. */
#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/link_lab.h"

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

static void no_listener_is_told_and_retried_until_there_is_one(void **state)
{
    struct lab *lab = *state;
    uint16_t port = free_port();
    uint16_t bound = 0;
    struct link_socket *late = NULL;
    char why[LINK_WHY_BYTES] = "";
    struct link_socket *client =
        connect_to(lab, &lab->agent_key[0], lab->server_key.public_key, port);

    unsigned seen = await_trouble(client, LINK_NO_LISTENER);
    assert_int_equal(seen, LINK_NO_LISTENER);
    if (link_server_open(lab->server_context, LINK_CTRL, "127.0.0.1", port, &lab->server_key, &late,
                         &bound, why) != 0) {
        fail_msg("%s", why);
    }
    keep(lab, late);
    assert_int_equal(bound, port);
    (void)await_trouble(client, LINK_CONNECTED);
    close_kept(lab, late);
    assert_int_equal(await_trouble(client, LINK_DISCONNECTED) & LINK_KEY_REFUSED, 0);
    (void)await_trouble(client, LINK_NO_LISTENER);
}

static void an_address_that_cannot_be_reached_is_no_listener(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client = NULL;
    char why[LINK_WHY_BYTES] = "";

    /* The kernel refuses TCP to the broadcast address at once; no packet leaves. */
    assert_int_equal(link_client_open(lab->client_context, LINK_CTRL, "255.255.255.255", 6767,
                                      lab->server_key.public_key, &lab->agent_key[0], &client, why),
                     0);
    keep(lab, client);
    (void)await_trouble(client, LINK_NO_LISTENER);
}

/* Accepts TCP and never says a word, like a stopped coordinator. */
static void a_silent_server_is_no_listener(void **state)
{
    struct lab *lab = *state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    struct link_socket *client =
        connect_to(lab, &lab->agent_key[0], lab->server_key.public_key, ntohs(address.sin_port));
    unsigned seen = await_trouble(client, LINK_NO_LISTENER | LINK_WRONG_SERVER_KEY);
    assert_int_equal(seen, LINK_NO_LISTENER);
    assert_int_equal(close(fd), 0);
}

static void a_message_of_several_frames_is_dropped(void **state)
{
    struct lab *lab = *state;

    struct link_peer from;
    char out[64];

    raw_connect(lab, true, NULL);
    raw_await(lab, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    raw_send(lab, "one", ZMQ_SNDMORE);
    raw_send(lab, "two", ZMQ_SNDMORE);
    raw_send(lab, "three", 0);
    raw_send(lab, "single", 0);
    (void)receive_now(lab->server, &from, out, sizeof(out));
    assert_string_equal(out, "single");
    assert_string_equal(from.name, "a1");
    assert_int_equal(link_dropped_count(lab->server), 1);
}

static void a_frame_above_the_limit_ends_the_connection(void **state)
{
    static uint8_t large[LINK_CTRL_UP_BYTES + 1];
    static char out[LINK_CTRL_UP_BYTES + 1];
    struct lab *lab = *state;
    struct link_peer from;
    struct link_socket *client = connect_as(lab, &lab->agent_key[0]);

    send_now(client, NULL, large, LINK_CTRL_UP_BYTES); /* exactly the limit */
    assert_int_equal(receive_now(lab->server, &from, out, sizeof(out)), LINK_CTRL_UP_BYTES);
    (void)link_trouble(client);
    send_now(client, NULL, large, LINK_CTRL_UP_BYTES + 1);
    (void)await_trouble(client, LINK_DISCONNECTED);
    expect_silence(lab->server);
    (void)await_trouble(client, LINK_CONNECTED); /* it comes back by itself */
}

static void a_full_queue_is_told_and_a_gone_peer_too(void **state)
{
    static uint8_t block[32 * 1024];
    struct lab *lab = *state;
    struct link_peer peer;
    char out[64];
    struct link_socket *client = connect_as(lab, &lab->agent_key[0]);
    struct link_socket *other = connect_as(lab, &lab->agent_key[1]);
    struct link_peer other_peer;

    send_now(client, NULL, "hello", 5);
    (void)receive_now(lab->server, &peer, out, sizeof(out));
    send_now(other, NULL, "hello", 5);
    (void)receive_now(lab->server, &other_peer, out, sizeof(out));
    int rc = 0;
    size_t sent = 0;
    for (; rc == 0 && sent < 100000; sent++) {
        rc = link_send(lab->server, &peer, block, sizeof(block)); /* the client reads nothing */
    }
    assert_int_equal(rc, -EAGAIN);
    assert_true(sent > LINK_HIGH_WATER_MESSAGES);
    assert_int_equal(link_send(lab->server, &other_peer, "x", 1), 0); /* only that peer's queue */
    close_kept(lab, client);
    uint64_t end_ns = deadline_ns();
    while (rc != -EHOSTUNREACH && clock_monotonic_ns() < end_ns) {
        turn(lab->server, NULL);
        rc = link_send(lab->server, &peer, "x", 1);
    }
    assert_int_equal(rc, -EHOSTUNREACH);
    peer.route[4] ^= 0x55;
    assert_int_equal(link_send(lab->server, &peer, "x", 1), -EHOSTUNREACH);
}

static void two_agents_and_an_observer_are_known_by_name_and_role(void **state)
{
    struct lab *lab = *state;
    const struct key_pair *keys[] = {&lab->agent_key[0], &lab->agent_key[1], &lab->observer_key};
    static const char *const names[] = {"a1", "a2", "eye"};
    struct link_socket *client[3];

    for (size_t i = 0; i < 3; i++) {
        client[i] = connect_as(lab, keys[i]);
        (void)await_trouble(client[i], LINK_CONNECTED);
    }
    for (size_t i = 0; i < 3; i++) {
        struct link_peer from;
        char out[64];
        send_now(client[i], NULL, names[i], strlen(names[i]));
        (void)receive_now(lab->server, &from, out, sizeof(out));
        assert_string_equal(from.name, names[i]);
        assert_string_equal(out, names[i]);
        assert_int_equal(from.role, i == 2 ? KEY_ROLE_OBSERVER : KEY_ROLE_AGENT);
        send_now(lab->server, &from, "answer", 6);
        (void)receive_now(client[i], NULL, out, sizeof(out));
        assert_string_equal(out, "answer");
    }
    assert_int_equal(link_dropped_count(lab->server), 0);
}

static void an_empty_message_is_a_message(void **state)
{
    struct lab *lab = *state;
    struct link_peer from;
    char out[8];
    struct link_socket *client = connect_as(lab, &lab->agent_key[0]);

    send_now(client, NULL, "", 0);
    assert_int_equal(receive_now(lab->server, &from, out, sizeof(out)), 0);
}

static void poll_tells_fds_and_sockets_apart(void **state)
{
    struct lab *lab = *state;
    int pipe_fds[2];
    struct link_socket *client = connect_as(lab, &lab->agent_key[0]);
    struct link_socket *sockets[] = {client, lab->server};

    (void)await_trouble(client, LINK_CONNECTED);
    assert_int_equal(pipe(pipe_fds), 0);
    struct pollfd fds[] = {{.fd = pipe_fds[0], .events = POLLIN},
                           {.fd = pipe_fds[1], .events = POLLOUT}};
    assert_int_equal(link_poll(sockets, 2, fds, 2, 1000), 0);
    assert_int_equal(fds[0].revents, 0);
    assert_int_equal(fds[1].revents, POLLOUT);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    assert_int_equal(link_poll(sockets, 2, fds, 1, 1000), 0);
    assert_int_equal(fds[0].revents, POLLIN);
    send_now(client, NULL, "x", 1);
    uint64_t end_ns = deadline_ns();
    int ready = 0;
    while (ready == 0 && clock_monotonic_ns() < end_ns) {
        ready = link_poll(sockets, 2, NULL, 0, 100);
    }
    assert_int_equal(ready, 2); /* bit of sockets[1], the server */
    assert_int_equal(link_poll(sockets, LINK_POLL_SOCKETS_MAX + 1, NULL, 0, 0), -EINVAL);
    assert_int_equal(close(pipe_fds[0]), 0);
    assert_int_equal(close(pipe_fds[1]), 0);
}

static void an_address_that_cannot_be_bound_is_named(void **state)
{
    struct lab *lab = *state;
    struct link_socket *server = NULL;
    uint16_t port = 0;
    char why[LINK_WHY_BYTES] = "";

    assert_int_equal(link_server_open(lab->server_context, LINK_DATA, "127.0.0.1", lab->port,
                                      &lab->server_key, &server, &port, why),
                     -EADDRINUSE);
    assert_non_null(strstr(why, "cannot listen on tcp://127.0.0.1:"));
    assert_int_not_equal(link_server_open(lab->server_context, LINK_DATA, "192.0.2.1", 0,
                                          &lab->server_key, &server, &port, why),
                         0);
    assert_non_null(strstr(why, "192.0.2.1"));
    assert_int_equal(link_server_open(lab->server_context, LINK_DATA, "a b", 0, &lab->server_key,
                                      &server, &port, why),
                     -EINVAL);
    assert_int_equal(link_client_open(lab->client_context, LINK_DATA, "", 1,
                                      lab->server_key.public_key, &lab->agent_key[0], &server, why),
                     -EINVAL);
    assert_null(server);
}

/*
 * What was sent to a server that died is gone with it, and what is sent while none is there is
 * refused: nothing stale reaches its successor before HELLO.
 */
static void nothing_stale_reaches_the_successor_of_a_dead_server(void **state)
{
    struct lab *lab = *state;
    struct link_peer from;
    char out[64];
    char why[LINK_WHY_BYTES] = "";
    struct link_socket *client = connect_as(lab, &lab->agent_key[0]);
    struct link_socket *successor = NULL;
    uint16_t port = 0;

    (void)await_trouble(client, LINK_CONNECTED);
    for (unsigned i = 0; i < LINK_WINDOW_BATCHES; i++) {
        send_now(client, NULL, "stale", 5); /* the server reads none of them */
    }
    link_close(lab->server);
    lab->server = NULL;
    (void)await_trouble(client, LINK_DISCONNECTED);
    uint64_t end_ns = deadline_ns();
    while (link_send(client, NULL, "stale", 5) == 0 && clock_monotonic_ns() < end_ns) {
        turn(client, NULL); /* the queue of the dead connection is not put away yet */
    }
    for (unsigned i = 0; i < LINK_WINDOW_BATCHES; i++) {
        assert_int_equal(link_send(client, NULL, "stale", 5), -EAGAIN);
    }
    if (link_server_open(lab->server_context, LINK_CTRL, "127.0.0.1", lab->port, &lab->server_key,
                         &successor, &port, why) != 0) {
        fail_msg("%s", why);
    }
    keep(lab, successor);
    (void)await_trouble(client, LINK_CONNECTED);
    send_now(client, NULL, "fresh", 5);
    (void)receive_now(successor, &from, out, sizeof(out));
    assert_string_equal(out, "fresh");
    expect_silence(successor);
}

int main(void)
{
#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)
    const struct CMUnitTest tests[] = {
        LAB_TEST(an_address_that_cannot_be_bound_is_named),
        LAB_TEST(a_silent_server_is_no_listener),
        LAB_TEST(no_listener_is_told_and_retried_until_there_is_one),
        LAB_TEST(an_address_that_cannot_be_reached_is_no_listener),
        LAB_TEST(a_message_of_several_frames_is_dropped),
        LAB_TEST(a_frame_above_the_limit_ends_the_connection),
        LAB_TEST(a_full_queue_is_told_and_a_gone_peer_too),
        LAB_TEST(two_agents_and_an_observer_are_known_by_name_and_role),
        LAB_TEST(an_empty_message_is_a_message),
        LAB_TEST(nothing_stale_reaches_the_successor_of_a_dead_server),
        LAB_TEST(poll_tells_fds_and_sockets_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
