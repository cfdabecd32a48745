/* SPDX-License-Identifier: MIT */
/*
 * A server with an allow-list and peers on loopback, port 0, for tests of
 * common/link.h. Nothing sleeps: everything is awaited with a deadline. The raw
 * ZeroMQ sockets are the peers our own code cannot play.
 */
#pragma once

#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static inline void list_key(struct lab *lab, const char *name, enum key_role role,
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

static inline int open_lab(void **state)
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

static inline void keep(struct lab *lab, struct link_socket *s)
{
    size_t i = 0;

    while (lab->open[i] != NULL) {
        i++;
        assert_true(i < OPEN_MAX);
    }
    lab->open[i] = s;
}

static inline void close_kept(struct lab *lab, struct link_socket *s)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (lab->open[i] == s) {
            lab->open[i] = NULL;
        }
    }
    link_close(s);
}

/* What ZeroMQ alone can do: no encryption, its own routing id, many frames. One per test. */
static inline void raw_open(struct lab *lab, int type)
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

static inline void raw_close(struct lab *lab)
{
    if (lab->raw_context != NULL) {
        (void)zmq_close(lab->raw_monitor);
        (void)zmq_close(lab->raw_socket);
        (void)zmq_ctx_term(lab->raw_context);
    }
}

static inline void raw_set(struct lab *lab, int option, const void *value, size_t size)
{
    assert_int_equal(zmq_setsockopt(lab->raw_socket, option, value, size), 0);
}

static inline void raw_connect(struct lab *lab, bool is_curve, const char *routing_id)
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

static inline void raw_send(struct lab *lab, const char *text, int flags)
{
    assert_int_equal(zmq_send(lab->raw_socket, text, strlen(text), flags), strlen(text));
}

static inline void raw_await(struct lab *lab, unsigned wanted)
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
static inline int close_lab(void **state)
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

static inline struct link_socket *connect_to(struct lab *lab, const struct key_pair *own,
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

static inline struct link_socket *connect_as(struct lab *lab, const struct key_pair *own)
{
    return connect_to(lab, own, lab->server_key.public_key, lab->port);
}

static inline uint64_t deadline_ns(void)
{
    return clock_monotonic_ns() + DEADLINE_MS * NS_PER_MS;
}

/* Waits for news of one socket; both are driven, as their threads would. */
static inline void turn(struct link_socket *a, struct link_socket *b)
{
    struct link_socket *sockets[] = {a, b};
    int rc = link_poll(sockets, b != NULL ? 2 : 1, NULL, 0, 100);

    assert_true(rc >= 0 || rc == -EINTR);
}

static inline unsigned await_trouble(struct link_socket *s, unsigned wanted)
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

static inline void send_now(struct link_socket *s, const struct link_peer *to, const void *bytes,
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

static inline size_t receive_now(struct link_socket *s, struct link_peer *from, char *out,
                                 size_t size)
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

static inline void expect_silence(struct link_socket *s)
{
    struct link_peer from;
    const uint8_t *bytes = NULL;
    size_t length = 0;

    assert_int_equal(link_receive(s, &from, &bytes, &length), 0);
}

/* Two messages of a good peer frame whatever must not come through. */
static inline void expect_only(struct lab *lab, struct link_socket *good, const char *text)
{
    struct link_peer from;
    char out[64];

    send_now(good, NULL, text, strlen(text));
    (void)receive_now(lab->server, &from, out, sizeof(out));
    assert_string_equal(out, text);
}
