/* SPDX-License-Identifier: MIT */
/* What an agent says from HELLO to DONE, without a packet. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"
#include "tests/support/control_samples.h"
#include "tests/support/press/press.h"

static void *dial(struct press *p, uint16_t port)
{
    char endpoint[128];
    int no_linger = 0, immediate = 1;
    void *s = zmq_socket(p->zmq, ZMQ_DEALER);
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", p->host, (unsigned)port);
    bool ok = s != NULL && zmq_setsockopt(s, ZMQ_LINGER, &no_linger, sizeof(int)) == 0 &&
              zmq_setsockopt(s, ZMQ_IMMEDIATE, &immediate, sizeof(int)) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, p->server, KEY_BYTES) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, p->own.public_key, KEY_BYTES) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, p->own.secret_key, KEY_BYTES) == 0 &&
              zmq_connect(s, endpoint) == 0;
    if (!ok) {
        fprintf(stderr, "press: cannot call %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
        exit(2);
    }
    return s;
}

void press_open(struct press *p, void *zmq, const char *host, uint16_t port)
{
    p->zmq = zmq;
    p->host = host;
    p->ctrl = dial(p, port);
}

void press_close(struct press *p)
{
    (void)zmq_close(p->ctrl);
    if (p->data != NULL) {
        (void)zmq_close(p->data);
    }
}

bool press_say(struct press *p, struct control_message *m)
{
    void *socket = control_kind_is_data(m->kind) ? p->data : p->ctrl;
    m->session = m->kind == CONTROL_HELLO ? CONTROL_SESSION_UNKNOWN : p->session;
    size_t size = control_encode(m, p->bytes, PRESS_MESSAGE_BYTES);
    return size > 0 && size <= PRESS_MESSAGE_BYTES && socket != NULL &&
           zmq_send(socket, p->bytes, size, ZMQ_DONTWAIT) >= 0;
}

bool press_hear(struct press *p, void *socket, struct control_message *m)
{
    char why[CONTROL_WHY_BYTES];
    int size = socket == NULL ? -1 : zmq_recv(socket, p->bytes, PRESS_MESSAGE_BYTES, ZMQ_DONTWAIT);
    if (size < 0) {
        return false;
    }
    if (size > PRESS_MESSAGE_BYTES || !control_decode(p->arena, p->bytes, (size_t)size, m, why)) {
        m->kind = CONTROL_NONE;
    }
    return true;
}

bool press_hello(struct press *p, uint64_t epoch)
{
    struct control_message m;
    sample_message(CONTROL_HELLO, &m);
    m.u.hello.proto_max = CONTROL_PROTO;
    m.u.hello.epoch = epoch;
    m.u.hello.addresses = &p->address;
    m.u.hello.address_count = 1;
    return press_say(p, &m);
}

static void say_data_hello(struct press *p)
{
    struct control_message m = {.kind = CONTROL_DATA_HELLO};
    m.u.data_hello.epoch = p->epoch;
    press_say(p, &m);
    p->data_hello_at_ns = p->now_ns + NS_PER_S / 2;
}

static void get_ready(struct press *p, const struct control_prepare *prepare)
{
    struct control_message m = {.kind = CONTROL_READY};
    p->share = prepare->shares[0];
    memcpy(m.u.ready.plan_hash, prepare->plan_hash, PLAN_HASH_BYTES);
    press_say(p, &m);
    say_data_hello(p);
}

static void report_preflight(struct press *p)
{
    struct control_preflight_relay row = {.relay = p->share.relay,
                                          .clients = 3,
                                          .offered = 3,
                                          .bound = 3,
                                          .servers_answered = 1,
                                          .path_count = 1};
    row.path[0] = (struct control_preflight_path){
        .path = PLAN_PATH_EGRESS, .renew_sent = 3, .renew_acked = 3};
    struct control_message m = {.kind = CONTROL_PREFLIGHT_REPORT};
    m.u.preflight_report.relays = &row;
    m.u.preflight_report.relay_count = 1;
    m.u.preflight_report.is_last = true;
    press_say(p, &m);
}

/* All that was asked for is done, although not a packet was sent. */
static void claim_all_done(struct press *p)
{
    struct control_message m = {.kind = CONTROL_PROGRESS};
    uint32_t clients = p->go.client_limit;
    m.u.progress = (struct control_progress){.round = p->go.round,
                                             .stage = p->go.stage,
                                             .step = p->go.step,
                                             .is_step_done = true,
                                             .started = clients,
                                             .finished = clients,
                                             .bound = clients,
                                             .received = UINT64_MAX / 4};
    press_say(p, &m);
}

static void claim_final(struct press *p)
{
    struct control_message m = {.kind = CONTROL_DONE};
    m.u.done.last_batch_seq = p->seq;
    press_say(p, &m);
    struct snapshot *s = sample_snapshot();
    s->seq = ++p->snapshot_seq;
    s->at_ns = clock_monotonic_ns();
    s->is_final = true;
    s->last_batch_seq = p->seq;
    m = (struct control_message){.kind = CONTROL_SNAPSHOT, .u.snapshot = s};
    press_say(p, &m);
}

static void take_ack(struct press *p, const struct control_ack *ack)
{
    p->has_credit = true;
    p->limit_seq = ack->limit_seq;
    while (p->committed_seq < ack->committed_seq && p->committed_seq < p->seq) {
        p->committed_seq++;
        uint64_t i = p->committed_seq % PRESS_BATCHES_OPEN_MAX;
        uint64_t took_ns = p->now_ns - p->open[i].sent_ns;
        p->acked_events += p->open[i].events;
        p->ack_most_ns = took_ns > p->ack_most_ns ? took_ns : p->ack_most_ns;
    }
}

static void take_grant(struct press *p)
{
    uint64_t took_ns = p->now_ns - p->beat_sent_ns;
    p->grants++;
    if (p->beat_sent_ns != 0 && took_ns > p->grant_most_ns) {
        p->grant_most_ns = took_ns;
    }
    p->beat_sent_ns = 0;
}

static void answer_clock(struct press *p, const struct control_clock_request *request)
{
    struct control_message m = {.kind = CONTROL_CLOCK_REPLY};
    uint64_t now_ns = clock_monotonic_ns();
    m.u.clock_reply = (struct control_clock_reply){
        .id = request->id, .t1_ns = request->t1_ns, .t2_ns = now_ns, .t3_ns = now_ns};
    press_say(p, &m);
}

static void arm(struct press *p, const struct control_arm *order)
{
    struct control_message m = {.kind = CONTROL_ARMED};
    m.u.armed.generation = order->generation;
    press_say(p, &m);
}

static void welcome(struct press *p, const struct control_welcome *w)
{
    p->session = w->session;
    if (p->data == NULL) {
        p->data = dial(p, w->data_port);
    }
}

void press_obey(struct press *p, const struct control_message *m)
{
    if (m->kind == CONTROL_WELCOME) {
        welcome(p, &m->u.welcome);
    } else if (m->kind == CONTROL_REFUSE) {
        p->refusals++;
    } else if (m->kind == CONTROL_CLOCK_REQUEST && !p->keeps_clock) {
        answer_clock(p, &m->u.clock_request);
    } else if (m->kind == CONTROL_PREPARE) {
        get_ready(p, &m->u.prepare);
    } else if (m->kind == CONTROL_PREFLIGHT) {
        report_preflight(p);
    } else if (m->kind == CONTROL_ARM) {
        arm(p, &m->u.arm);
    } else if (m->kind == CONTROL_GO) {
        p->go = m->u.go;
        claim_all_done(p);
        p->is_running = p->is_running || p->go.is_last_step;
    } else if (m->kind == CONTROL_DRAIN) {
        p->is_draining = true;
    } else if (m->kind == CONTROL_BYE) {
        p->is_over = true;
    } else if (m->kind == CONTROL_GRANT) {
        take_grant(p);
    } else if (m->kind == CONTROL_ACK) {
        take_ack(p, &m->u.ack);
    }
}

void press_tick(struct press *p)
{
    p->now_ns = clock_monotonic_ns();
    if (p->now_ns >= p->beat_at_ns) {
        p->beat_at_ns = p->now_ns + p->beat_every_ns;
        if (p->session == 0) {
            press_hello(p, p->epoch);
            return;
        }
        struct control_message m = {.kind = CONTROL_BEAT};
        m.u.beat.boottime_ns = clock_boottime_ns();
        p->beat_sent_ns = p->beat_sent_ns == 0 ? p->now_ns : p->beat_sent_ns;
        press_say(p, &m);
        if (p->is_running && !p->is_draining) {
            claim_all_done(p);
        }
        if (p->is_draining) {
            claim_final(p);
        }
    }
    if (p->data != NULL && !p->has_credit && p->now_ns >= p->data_hello_at_ns) {
        say_data_hello(p);
    }
}

/* Renewals of its clients in turn, now; xid counts, so that every event is told from the others. */
bool press_batch(struct press *p, size_t count)
{
    static struct event events[CONTROL_BATCH_EVENTS_MAX];
    if (!p->has_credit || p->seq >= p->limit_seq ||
        p->seq - p->committed_seq >= PRESS_BATCHES_OPEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)(p->sent_events + i);
        sample_event(&events[i], number % p->share.client_count);
        events[i].t_us = clock_monotonic_ns() / NS_PER_US;
        events[i].client = p->share.first_client + number % p->share.client_count;
        events[i].stage = (uint8_t)p->go.stage;
        events[i].kind = EVENT_RENEW;
        events[i].offer_us = EVENT_SPAN_NONE;
        events[i].flags = 0;
        events[i].xid = number;
    }
    struct control_message m = {.kind = CONTROL_BATCH};
    p->seq++;
    p->open[p->seq % PRESS_BATCHES_OPEN_MAX].sent_ns = p->now_ns;
    p->open[p->seq % PRESS_BATCHES_OPEN_MAX].events = count;
    p->sent_events += count;
    m.u.batch = (struct control_batch){
        .epoch = p->epoch, .seq = p->seq, .events = events, .event_count = count};
    press_say(p, &m);
    return true;
}
