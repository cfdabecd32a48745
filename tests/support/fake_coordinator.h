/* SPDX-License-Identifier: MIT */
/*
 * The coordinator's end of the wire, played by a test: it answers beats, data
 * hellos and batches by itself and hands everything else to the test, which
 * waits for a kind of message and sends what it wants. Loopback, ports of its own.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/keys.h"
#include "common/link.h"
#include "proto/control.h"
#include "tests/support/testing.h"

enum { FAKE_BUFFER_BYTES = 1024 * 1024, FAKE_BATCHES_MAX = 4096, FAKE_CLIENTS_MAX = 200000 };

#define FAKE_PATIENCE_NS (20 * NS_PER_S)

struct fake_coordinator {
    struct link_context *context;
    struct link_socket *socket[2]; /* CTRL, DATA */
    uint16_t port[2];
    struct link_peer peer[2];
    struct key_pair own, agent;
    struct control_arena *arena;
    uint8_t *out;
    uint64_t session;
    bool grants, acks; /* whether beats and batches are answered */
    uint64_t grant_ns;

    struct control_hello hello; /* the last one, without its addresses */
    struct control_progress progress;
    uint64_t committed;
    uint64_t events, repeated_batches;
    uint8_t *seen; /* per client: how often an event of it was committed */
    uint64_t histograms, snapshots, batches_after_final;
    uint64_t last_histogram_seq;
    struct snapshot final;
    bool has_final;
};

static inline void fake_open_sockets(struct fake_coordinator *f)
{
    char why[LINK_WHY_BYTES] = "";
    struct key_entry entry = {.name = "a1", .role = KEY_ROLE_AGENT, .added = "-", .expires = "-"};
    memcpy(entry.public_key, f->agent.public_key, KEY_BYTES);
    struct key_list list = {.entries = &entry, .count = 1};
    assert_int_equal(link_context_new(&f->context), 0);
    assert_int_equal(link_allow(f->context, &list), 0);
    for (unsigned i = 0; i < 2; i++) {
        int rc = link_server_open(f->context, i == 0 ? LINK_CTRL : LINK_DATA, "127.0.0.1",
                                  f->port[i], &f->own, &f->socket[i], &f->port[i], why);
        if (rc != 0) {
            fail_msg("link_server_open: %s", why);
        }
    }
}

static inline void fake_close_sockets(struct fake_coordinator *f)
{
    link_close(f->socket[0]);
    link_close(f->socket[1]);
    link_context_free(f->context);
    f->context = NULL;
}

static inline void fake_open(struct fake_coordinator *f)
{
    memset(f, 0, sizeof(*f));
    key_pair_make(&f->own);
    key_pair_make(&f->agent);
    f->arena = control_arena_new(4 * FAKE_BUFFER_BYTES);
    f->out = malloc(FAKE_BUFFER_BYTES);
    f->seen = calloc(FAKE_CLIENTS_MAX, 1);
    assert_true(f->arena != NULL && f->out != NULL && f->seen != NULL);
    f->grants = true;
    f->acks = true;
    f->grant_ns = RUN_LEASE_NS;
    fake_open_sockets(f);
}

static inline void fake_close(struct fake_coordinator *f)
{
    fake_close_sockets(f);
    control_arena_free(f->arena);
    free(f->out);
    free(f->seen);
}

static inline void fake_send_as(struct fake_coordinator *f, struct control_message *m,
                                uint64_t session)
{
    unsigned socket = control_kind_is_data(m->kind) ? 1 : 0;
    m->session = session;
    size_t size = control_encode(m, f->out, FAKE_BUFFER_BYTES);
    assert_in_range(size, 1, FAKE_BUFFER_BYTES);
    assert_int_equal(link_send(f->socket[socket], &f->peer[socket], f->out, size), 0);
}

static inline void fake_send(struct fake_coordinator *f, struct control_message *m)
{
    fake_send_as(f, m, f->session);
}

static inline void fake_ack(struct fake_coordinator *f, uint64_t epoch)
{
    struct control_message m = {.kind = CONTROL_ACK};
    m.u.ack = (struct control_ack){.epoch = epoch,
                                   .committed_seq = f->committed,
                                   .limit_seq = f->committed + LINK_WINDOW_BATCHES};
    fake_send(f, &m);
}

static inline void fake_batch(struct fake_coordinator *f, const struct control_batch *batch)
{
    f->batches_after_final += f->has_final;
    if (batch->seq <= f->committed) {
        f->repeated_batches++;
    } else if (f->acks) {
        assert_int_equal(batch->seq, f->committed + 1);
        f->committed = batch->seq;
        f->events += batch->event_count;
        for (size_t i = 0; i < batch->event_count; i++) {
            assert_true(batch->events[i].client < FAKE_CLIENTS_MAX);
            f->seen[batch->events[i].client]++;
        }
    }
    if (f->acks) {
        fake_ack(f, batch->epoch);
    }
}

/* What a coordinator does without being told. */
static inline void fake_answer(struct fake_coordinator *f, const struct control_message *m)
{
    if (m->kind == CONTROL_HELLO) {
        f->hello = m->u.hello;
    } else if (m->kind == CONTROL_BEAT && f->grants) {
        struct control_message grant = {.kind = CONTROL_GRANT};
        grant.u.grant = (struct control_grant){.boottime_ns = m->u.beat.boottime_ns,
                                               .duration_ns = f->grant_ns};
        fake_send(f, &grant);
    } else if (m->kind == CONTROL_PROGRESS) {
        f->progress = m->u.progress;
    } else if (m->kind == CONTROL_DATA_HELLO) {
        fake_ack(f, m->u.data_hello.epoch);
    } else if (m->kind == CONTROL_BATCH) {
        fake_batch(f, &m->u.batch);
    } else if (m->kind == CONTROL_HISTOGRAM) {
        f->histograms++;
        f->last_histogram_seq = m->u.histogram.snapshot_seq;
    } else if (m->kind == CONTROL_SNAPSHOT) {
        f->snapshots++;
        if (m->u.snapshot->is_final) {
            f->final = *m->u.snapshot;
            f->has_final = true;
        }
    }
}

/* One message of either socket, answered; CONTROL_NONE when there is none for `timeout_ms`. */
static inline enum control_kind fake_take(struct fake_coordinator *f, int timeout_ms,
                                          struct control_message *out)
{
    assert_true(link_poll(f->socket, 2, NULL, 0, timeout_ms) >= 0);
    for (unsigned i = 0; i < 2; i++) {
        struct link_peer from;
        const uint8_t *bytes = NULL;
        size_t size = 0;
        char why[CONTROL_WHY_BYTES] = "";
        int rc = link_receive(f->socket[i], &from, &bytes, &size);
        if (rc <= 0) {
            continue;
        }
        if (!control_decode(f->arena, bytes, size, out, why)) {
            fail_msg("undecodable message from the agent: %s", why);
        }
        assert_true(control_kind_is_from_agent(out->kind) || out->kind == CONTROL_REFUSE);
        assert_int_equal(control_kind_is_data(out->kind), i == 1);
        assert_string_equal(from.name, "a1");
        if (out->kind != CONTROL_HELLO && out->session != f->session) {
            return CONTROL_NONE; /* a leftover of an older session */
        }
        f->peer[i] = from;
        fake_answer(f, out);
        return out->kind;
    }
    return CONTROL_NONE;
}

/* Answers whatever comes until a message of this kind; fails the test when none does. */
static inline struct control_message fake_await(struct fake_coordinator *f, enum control_kind kind)
{
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    struct control_message m;
    while (clock_monotonic_ns() < until_ns) {
        if (fake_take(f, 50, &m) == kind) {
            return m;
        }
    }
    fail_msg("no %s came", control_kind_name(kind));
    return m;
}

typedef bool fake_condition(const struct fake_coordinator *f);

static inline void fake_until(struct fake_coordinator *f, fake_condition *is_met, const char *what)
{
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    struct control_message m;
    while (!is_met(f)) {
        if (clock_monotonic_ns() > until_ns) {
            fail_msg("never came about: %s", what);
        }
        (void)fake_take(f, 10, &m);
    }
}

static inline void fake_welcome(struct fake_coordinator *f, uint64_t session, uint8_t run)
{
    struct control_message m = {.kind = CONTROL_WELCOME};
    f->session = session;
    m.u.welcome.proto = CONTROL_PROTO;
    m.u.welcome.session = session;
    memset(m.u.welcome.run_id, run, PLAN_RUN_ID_BYTES);
    m.u.welcome.data_port = f->port[1];
    m.u.welcome.committed_batch = f->committed;
    fake_send(f, &m);
}
