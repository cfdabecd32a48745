/* SPDX-License-Identifier: MIT */
/*
 * Real sockets on loopback, port 0. Nothing sleeps: everything is awaited with
 * a deadline. The raw ZeroMQ sockets are the peers our own code cannot play.
 */
#include "tests/support/testing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/link.h"

enum { DEADLINE_MS = 8000, AGENTS = 2, OPEN_MAX = 8 };

/* A server with two listed agents, one listed observer, and an expired agent. */
struct lab {
    struct link_context *server_context, *client_context;
    struct link_socket *server;
    struct key_pair server_key, agent_key[AGENTS], observer_key, expired_key, strange_key;
    struct key_list list;
    uint16_t port;
    struct link_socket *open[OPEN_MAX]; /* a context does not end before its sockets */
    void *raw_context, *raw_socket, *raw_monitor;
};

static void list_key(struct lab *lab, const char *name, enum key_role role,
                     const struct key_pair *pair, const char *expires)
{
    struct key_entry *entry = &lab->list.entries[lab->list.count++];

    memset(entry, 0, sizeof(*entry));
    strcpy(entry->name, name);
    entry->role = role;
    memcpy(entry->public_key, pair->public_key, KEY_BYTES);
    strcpy(entry->added, "2026-01-01");
    strcpy(entry->expires, expires);
}

static int open_lab(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    char why[LINK_WHY_BYTES] = "";

    assert_non_null(lab);
    key_pair_make(&lab->server_key);
    key_pair_make(&lab->agent_key[0]);
    key_pair_make(&lab->agent_key[1]);
    key_pair_make(&lab->observer_key);
    key_pair_make(&lab->expired_key);
    key_pair_make(&lab->strange_key);
    lab->list.entries = calloc(8, sizeof(*lab->list.entries));
    list_key(lab, "a1", KEY_ROLE_AGENT, &lab->agent_key[0], "-");
    list_key(lab, "a2", KEY_ROLE_AGENT, &lab->agent_key[1], "2999-12-31");
    list_key(lab, "eye", KEY_ROLE_OBSERVER, &lab->observer_key, "-");
    list_key(lab, "old", KEY_ROLE_AGENT, &lab->expired_key, "2020-01-01");
    assert_int_equal(link_context_new(&lab->server_context), 0);
    assert_int_equal(link_context_new(&lab->client_context), 0);
    assert_int_equal(link_allow(lab->server_context, &lab->list), 0);
    uint64_t before_ns = clock_monotonic_ns();
    int rc = link_server_open(lab->server_context, LINK_CTRL, "127.0.0.1", 0, &lab->server_key,
                              &lab->server, &lab->port, why);
    if (rc != 0) {
        fail_msg("%s", why);
    }
    assert_true(clock_monotonic_ns() - before_ns < 2 * NS_PER_S); /* with its self-test */
    assert_int_not_equal(lab->port, 0);
    *state = lab;
    return 0;
}

static void keep(struct lab *lab, struct link_socket *s)
{
    size_t i = 0;

    while (lab->open[i] != NULL) {
        i++;
        assert_true(i < OPEN_MAX);
    }
    lab->open[i] = s;
}

static void close_kept(struct lab *lab, struct link_socket *s)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (lab->open[i] == s) {
            lab->open[i] = NULL;
        }
    }
    link_close(s);
}

/* What ZeroMQ alone can do: no encryption, its own routing id, many frames. One per test. */
static void raw_open(struct lab *lab, int type)
{
    int no_linger = 0;

    lab->raw_context = zmq_ctx_new();
    lab->raw_socket = zmq_socket(lab->raw_context, type);
    lab->raw_monitor = zmq_socket(lab->raw_context, ZMQ_PAIR);
    assert_int_equal(zmq_setsockopt(lab->raw_socket, ZMQ_LINGER, &no_linger, sizeof(no_linger)), 0);
    assert_int_equal(zmq_setsockopt(lab->raw_monitor, ZMQ_LINGER, &no_linger, sizeof(no_linger)),
                     0);
    assert_int_equal(zmq_socket_monitor(lab->raw_socket, "inproc://raw", ZMQ_EVENT_ALL), 0);
    assert_int_equal(zmq_connect(lab->raw_monitor, "inproc://raw"), 0);
}

static void raw_close(struct lab *lab)
{
    if (lab->raw_context != NULL) {
        (void)zmq_close(lab->raw_monitor);
        (void)zmq_close(lab->raw_socket);
        (void)zmq_ctx_term(lab->raw_context);
    }
}

static void raw_set(struct lab *lab, int option, const void *value, size_t size)
{
    assert_int_equal(zmq_setsockopt(lab->raw_socket, option, value, size), 0);
}

static void raw_connect(struct lab *lab, bool is_curve, const char *routing_id)
{
    const struct key_pair *own = &lab->agent_key[0];
    char endpoint[64];

    raw_open(lab, ZMQ_DEALER);
    if (is_curve) {
        raw_set(lab, ZMQ_CURVE_SERVERKEY, lab->server_key.public_key, KEY_BYTES);
        raw_set(lab, ZMQ_CURVE_PUBLICKEY, own->public_key, KEY_BYTES);
        raw_set(lab, ZMQ_CURVE_SECRETKEY, own->secret_key, KEY_BYTES);
    }
    if (routing_id != NULL) {
        raw_set(lab, ZMQ_ROUTING_ID, routing_id, strlen(routing_id));
    }
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", (unsigned)lab->port);
    assert_int_equal(zmq_connect(lab->raw_socket, endpoint), 0);
}

static void raw_send(struct lab *lab, const char *text, int flags)
{
    assert_int_equal(zmq_send(lab->raw_socket, text, strlen(text), flags), strlen(text));
}

static void raw_await(struct lab *lab, unsigned wanted)
{
    int timeout_ms = DEADLINE_MS;
    uint8_t facts[6];
    uint8_t address[256];
    uint16_t event = 0;

    assert_int_equal(
        zmq_setsockopt(lab->raw_monitor, ZMQ_RCVTIMEO, &timeout_ms, sizeof(timeout_ms)), 0);
    while ((event & wanted) == 0) {
        assert_int_equal(zmq_recv(lab->raw_monitor, facts, sizeof(facts), 0), sizeof(facts));
        memcpy(&event, facts, sizeof(event));
        assert_true(zmq_recv(lab->raw_monitor, address, sizeof(address), 0) >= 0);
    }
}

/* Also after a failed assertion: whatever a test left open. */
static int close_lab(void **state)
{
    struct lab *lab = *state;

    for (size_t i = 0; i < OPEN_MAX; i++) {
        link_close(lab->open[i]);
    }
    raw_close(lab);
    link_close(lab->server);
    link_context_free(lab->client_context);
    link_context_free(lab->server_context);
    key_list_free(&lab->list);
    free(lab);
    return 0;
}

static struct link_socket *connect_to(struct lab *lab, const struct key_pair *own,
                                      const uint8_t server_key[KEY_BYTES], uint16_t port)
{
    struct link_socket *client = NULL;
    char why[LINK_WHY_BYTES] = "";

    if (link_client_open(lab->client_context, LINK_CTRL, "127.0.0.1", port, server_key, own,
                         &client, why) != 0) {
        fail_msg("%s", why);
    }
    keep(lab, client);
    return client;
}

static struct link_socket *connect_as(struct lab *lab, const struct key_pair *own)
{
    return connect_to(lab, own, lab->server_key.public_key, lab->port);
}

static uint64_t deadline_ns(void)
{
    return clock_monotonic_ns() + DEADLINE_MS * NS_PER_MS;
}

/* Waits for news of one socket; both are driven, as their threads would. */
static void turn(struct link_socket *a, struct link_socket *b)
{
    struct link_socket *sockets[] = {a, b};
    int rc = link_poll(sockets, b != NULL ? 2 : 1, NULL, 0, 100);

    assert_true(rc >= 0 || rc == -EINTR);
}

static unsigned await_trouble(struct link_socket *s, unsigned wanted)
{
    uint64_t end_ns = deadline_ns();
    unsigned seen = 0;

    while ((seen & wanted) == 0 && clock_monotonic_ns() < end_ns) {
        turn(s, NULL);
        seen |= link_trouble(s);
    }
    if ((seen & wanted) == 0) {
        fail_msg("waited for trouble 0x%x, saw 0x%x", wanted, seen);
    }
    return seen;
}

static void send_now(struct link_socket *s, const struct link_peer *to, const void *bytes,
                     size_t size)
{
    uint64_t end_ns = deadline_ns();
    int rc = link_send(s, to, bytes, size);

    while (rc == -EAGAIN && clock_monotonic_ns() < end_ns) {
        turn(s, NULL); /* the connection may not be up yet */
        rc = link_send(s, to, bytes, size);
    }
    assert_int_equal(rc, 0);
}

static size_t receive_now(struct link_socket *s, struct link_peer *from, char *out, size_t size)
{
    const uint8_t *bytes = NULL;
    size_t length = 0;
    uint64_t end_ns = deadline_ns();
    int rc = link_receive(s, from, &bytes, &length);

    while (rc == 0 && clock_monotonic_ns() < end_ns) {
        turn(s, NULL);
        rc = link_receive(s, from, &bytes, &length);
    }
    assert_int_equal(rc, 1);
    assert_true(length < size);
    memcpy(out, bytes, length);
    out[length] = '\0';
    return length;
}

static void expect_silence(struct link_socket *s)
{
    struct link_peer from;
    const uint8_t *bytes = NULL;
    size_t length = 0;

    assert_int_equal(link_receive(s, &from, &bytes, &length), 0);
}

/* Two messages of a good peer frame whatever must not come through. */
static void expect_only(struct lab *lab, struct link_socket *good, const char *text)
{
    struct link_peer from;
    char out[64];

    send_now(good, NULL, text, strlen(text));
    (void)receive_now(lab->server, &from, out, sizeof(out));
    assert_string_equal(out, text);
}

static void an_unlisted_key_is_refused_and_told(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client = connect_as(lab, &lab->strange_key);
    struct link_refusal refusal;
    char z85[KEY_Z85_BYTES];

    unsigned seen = await_trouble(client, LINK_KEY_REFUSED);
    assert_int_equal(seen & (LINK_CONNECTED | LINK_WRONG_SERVER_KEY | LINK_NOT_CURVE), 0);
    assert_int_equal(await_trouble(lab->server, LINK_PEER_REFUSED), LINK_PEER_REFUSED);
    assert_true(link_last_refusal(lab->server_context, &refusal));
    key_to_z85(lab->strange_key.public_key, z85);
    assert_string_equal(refusal.key_z85, z85);
    assert_string_equal(refusal.address, "127.0.0.1");
    assert_string_equal(refusal.expired_name, "");
    assert_int_equal(refusal.count, 1); /* the self-test's own is not told */
    assert_false(link_last_refusal(lab->server_context, &refusal));
    assert_int_equal(link_send(client, NULL, "x", 1), -EAGAIN);
    expect_silence(lab->server);
}

static void an_expired_key_is_refused_and_named(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client = connect_as(lab, &lab->expired_key);
    struct link_refusal refusal;

    (void)await_trouble(client, LINK_KEY_REFUSED);
    assert_true(link_last_refusal(lab->server_context, &refusal));
    assert_string_equal(refusal.expired_name, "old");
}

static void a_wrong_server_key_is_told(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client =
        connect_to(lab, &lab->agent_key[0], lab->strange_key.public_key, lab->port);

    unsigned seen = await_trouble(client, LINK_WRONG_SERVER_KEY);
    assert_int_equal(seen & (LINK_CONNECTED | LINK_KEY_REFUSED | LINK_NO_LISTENER), 0);
    (void)await_trouble(lab->server, LINK_PEER_REFUSED);
}

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

static void a_plaintext_peer_is_refused(void **state)
{
    struct lab *lab = *state;

    raw_connect(lab, false, NULL);
    (void)zmq_send(lab->raw_socket, "hello", 5, 0);
    raw_await(lab, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
    (void)await_trouble(lab->server, LINK_PEER_REFUSED);
    expect_silence(lab->server);
}

/* A peer that says nothing of CURVE: our client must not talk to it. */
static void a_plaintext_server_is_told(void **state)
{
    struct lab *lab = *state;
    char endpoint[64];
    size_t size = sizeof(endpoint);

    raw_open(lab, ZMQ_ROUTER);
    assert_int_equal(zmq_bind(lab->raw_socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(lab->raw_socket, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    uint16_t port = (uint16_t)strtoul(strrchr(endpoint, ':') + 1, NULL, 10);
    struct link_socket *client =
        connect_to(lab, &lab->agent_key[0], lab->server_key.public_key, port);
    /* Both ends object to the other's greeting; who hangs up first is a race. */
    unsigned seen = await_trouble(client, LINK_NOT_CURVE | LINK_WRONG_SERVER_KEY);
    assert_int_equal(seen & (LINK_CONNECTED | LINK_KEY_REFUSED), 0);
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

static void a_peer_that_chose_its_routing_id_is_not_heard(void **state)
{
    struct lab *lab = *state;

    struct link_socket *good = connect_as(lab, &lab->agent_key[1]);

    raw_connect(lab, true, "a2");
    raw_await(lab, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    raw_send(lab, "forged", 0);
    uint64_t end_ns = deadline_ns();
    while (link_dropped_count(lab->server) == 0 && clock_monotonic_ns() < end_ns) {
        turn(lab->server, NULL);
        expect_silence(lab->server);
    }
    assert_int_equal(link_dropped_count(lab->server), 1);
    expect_only(lab, good, "after");
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

static void a_revoked_key_is_heard_no_more_and_cannot_come_back(void **state)
{
    struct lab *lab = *state;
    struct link_socket *revoked = connect_as(lab, &lab->agent_key[0]);
    struct link_socket *good = connect_as(lab, &lab->agent_key[1]);

    expect_only(lab, revoked, "before");
    lab->list.entries[0] = lab->list.entries[--lab->list.count];
    assert_int_equal(link_allow(lab->server_context, &lab->list), 0);
    send_now(revoked, NULL, "after", 5);
    uint64_t end_ns = deadline_ns();
    while (link_dropped_count(lab->server) == 0 && clock_monotonic_ns() < end_ns) {
        turn(lab->server, NULL);
        expect_silence(lab->server);
    }
    assert_int_equal(link_dropped_count(lab->server), 1);
    expect_only(lab, good, "still here");
    close_kept(lab, revoked);
    revoked = connect_as(lab, &lab->agent_key[0]);
    (void)await_trouble(revoked, LINK_KEY_REFUSED);
}

/* libzmq does not try again after a 400; the caller opens anew, as link.h says. */
static void a_key_listed_later_gets_in_with_a_new_socket(void **state)
{
    struct lab *lab = *state;
    struct link_socket *client = connect_as(lab, &lab->strange_key);

    (void)await_trouble(client, LINK_KEY_REFUSED);
    list_key(lab, "a3", KEY_ROLE_AGENT, &lab->strange_key, "-");
    assert_int_equal(link_allow(lab->server_context, &lab->list), 0);
    close_kept(lab, client);
    client = connect_as(lab, &lab->strange_key);
    (void)await_trouble(client, LINK_CONNECTED);
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

static void a_server_without_an_allow_list_does_not_start(void **state)
{
    struct lab *lab = *state;
    struct link_socket *server = NULL;
    uint16_t port = 0;
    char why[LINK_WHY_BYTES] = "";

    assert_int_equal(link_server_open(lab->client_context, LINK_CTRL, "127.0.0.1", 0,
                                      &lab->server_key, &server, &port, why),
                     -EINVAL);
    assert_non_null(strstr(why, "allow-list"));
    assert_null(server);
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

int main(void)
{
#define LAB_TEST(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)
    const struct CMUnitTest tests[] = {
        LAB_TEST(a_server_without_an_allow_list_does_not_start),
        LAB_TEST(an_address_that_cannot_be_bound_is_named),
        LAB_TEST(an_unlisted_key_is_refused_and_told),
        LAB_TEST(an_expired_key_is_refused_and_named),
        LAB_TEST(a_wrong_server_key_is_told),
        LAB_TEST(a_plaintext_peer_is_refused),
        LAB_TEST(a_plaintext_server_is_told),
        LAB_TEST(a_silent_server_is_no_listener),
        LAB_TEST(no_listener_is_told_and_retried_until_there_is_one),
        LAB_TEST(an_address_that_cannot_be_reached_is_no_listener),
        LAB_TEST(a_peer_that_chose_its_routing_id_is_not_heard),
        LAB_TEST(a_message_of_several_frames_is_dropped),
        LAB_TEST(a_frame_above_the_limit_ends_the_connection),
        LAB_TEST(a_revoked_key_is_heard_no_more_and_cannot_come_back),
        LAB_TEST(a_key_listed_later_gets_in_with_a_new_socket),
        LAB_TEST(a_full_queue_is_told_and_a_gone_peer_too),
        LAB_TEST(two_agents_and_an_observer_are_known_by_name_and_role),
        LAB_TEST(an_empty_message_is_a_message),
        LAB_TEST(poll_tells_fds_and_sockets_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
