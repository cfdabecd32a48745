/* SPDX-License-Identifier: MIT */
/* The protocol of agents without packets: from HELLO to DONE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

#include "tests/bench/peers.h"

#include "common/clock.h"

/* As agent/edge/session*.c has them. */
#define HELLO_EVERY_NS    (500 * NS_PER_MS)
#define BEAT_EVERY_NS     NS_PER_S
#define PROGRESS_EVERY_NS NS_PER_S
#define SNAPSHOT_EVERY_NS NS_PER_S
#define BATCH_EVERY_NS    NS_PER_S

enum { FLUSHES_PER_TICK = 4, TELLS_LITTLE = 2 };

static void fail(const char *what)
{
    fprintf(stderr, "bench peers: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(6);
}

/* --- sockets --- */

static bool set_options(void *socket)
{
    /* As common/link_socket.c has them for agents. */
    static const int options[][2] = {{ZMQ_LINGER, 0},
                                     {ZMQ_IMMEDIATE, 1},
                                     {ZMQ_HEARTBEAT_IVL, 2000},
                                     {ZMQ_HEARTBEAT_TIMEOUT, 6000},
                                     {ZMQ_HEARTBEAT_TTL, 8000}};
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (zmq_setsockopt(socket, options[i][0], &options[i][1], sizeof(int)) != 0) {
            return false;
        }
    }
    return true;
}

static void *dial(struct peers *world, struct peer *p, uint16_t port)
{
    char endpoint[128];
    int fd = -1;
    size_t size = sizeof(fd);
    void *s = zmq_socket(world->zmq, ZMQ_DEALER);
    (void)snprintf(endpoint, sizeof(endpoint), "tcp://%s:%u", world->options->host, (unsigned)port);
    bool ok = s != NULL && set_options(s) &&
              zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, world->options->server_key, KEY_BYTES) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, p->own.public_key, KEY_BYTES) == 0 &&
              zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, p->own.secret_key, KEY_BYTES) == 0 &&
              zmq_connect(s, endpoint) == 0 && zmq_getsockopt(s, ZMQ_FD, &fd, &size) == 0;
    struct epoll_event watch = {.events = EPOLLIN | EPOLLET, .data.u32 = p->index};
    if (!ok || epoll_ctl(world->epoll_fd, EPOLL_CTL_ADD, fd, &watch) < 0) {
        fail(endpoint);
    }
    return s;
}

void peer_open(struct peers *world, uint32_t index)
{
    struct peer *p = &world->peer[index];
    p->index = index;
    peers_key(index, &p->own);
    p->epoch = prng_next(&world->prng) | 1;
    p->ctrl = dial(world, p, world->options->port);
}

void peer_close(struct peer *p)
{
    if (p->data != NULL) {
        (void)zmq_close(p->data);
    }
    (void)zmq_close(p->ctrl);
}

bool peer_say(struct peers *world, struct peer *p, struct control_message *m)
{
    void *socket = control_kind_is_data(m->kind) ? p->data : p->ctrl;
    m->session = m->kind == CONTROL_HELLO ? CONTROL_SESSION_UNKNOWN : p->session;
    size_t size = control_encode(m, world->bytes, LINK_CTRL_UP_BYTES);
    if (size == 0 || size > LINK_CTRL_UP_BYTES) {
        fail(control_kind_name(m->kind));
    }
    return socket != NULL && zmq_send(socket, world->bytes, size, ZMQ_DONTWAIT) >= 0;
}

/* --- what it says by itself --- */

static void say_hello(struct peers *world, struct peer *p)
{
    /* The relay it carries: 10.77.x.y, as the scenario of the bench numbers them. */
    struct ipv4 address =
        inet_from_host((UINT32_C(10) << 24 | UINT32_C(77) << 16) + 256 + p->index);
    struct control_message m = {.kind = CONTROL_HELLO};
    struct control_hello *hello = &m.u.hello;
    hello->proto_min = hello->proto_max = CONTROL_PROTO;
    (void)snprintf(hello->build, sizeof(hello->build), "%s", LEASEHERD_VERSION);
    (void)snprintf(hello->host, sizeof(hello->host), "bench");
    hello->cores = 1;
    hello->epoch = p->epoch;
    hello->addresses = &address;
    hello->address_count = 1;
    (void)peer_say(world, p, &m);
}

static void say_progress(struct peers *world, struct peer *p)
{
    struct control_message m = {.kind = CONTROL_PROGRESS};
    m.u.progress = (struct control_progress){
        .round = p->go.round,
        .stage = p->go.stage,
        .step = p->go.step,
        .is_step_done = p->is_step_done,
        .started = p->is_in_last_stage ? 0 : p->bound,
        .finished = p->is_in_last_stage ? 0 : p->bound,
        .bound = p->bound,
        .received = p->counters.counter[COUNTER_fate_answer],
    };
    (void)peer_say(world, p, &m);
    p->progress_at_ns = world->now_ns + PROGRESS_EVERY_NS;
}

static void say_beat(struct peers *world, struct peer *p)
{
    struct control_message m = {.kind = CONTROL_BEAT};
    m.u.beat.boottime_ns = clock_boottime_ns();
    (void)peer_say(world, p, &m);
    p->beat_at_ns = world->now_ns + BEAT_EVERY_NS;
}

static void say_data_hello(struct peers *world, struct peer *p)
{
    struct control_message m = {.kind = CONTROL_DATA_HELLO};
    m.u.data_hello.epoch = p->epoch;
    (void)peer_say(world, p, &m);
    p->data_hello_at_ns = world->now_ns + HELLO_EVERY_NS;
}

/* --- what it hears --- */

static void prepare(struct peers *world, struct peer *p, const struct control_prepare *prepare)
{
    struct plan plan;
    char why[PLAN_WHY_BYTES];
    if (!plan_decode(prepare->plan, prepare->plan_bytes, &plan, why)) {
        fprintf(stderr, "bench peers: the plan does not decode: %s\n", why);
        exit(6);
    }
    world->lease_s = plan.expect_lease_s;
    world->server_count = plan.server_count;
    for (uint32_t i = 0; i < plan.server_count; i++) {
        world->servers[i] = plan.servers[i].address;
    }
    p->share = prepare->shares[0];
    p->subnet = plan.relays[p->share.relay].subnet.base;
    plan_free(&plan);
    p->phase = PEER_PREPARED;
    struct control_message m = {.kind = CONTROL_READY};
    memcpy(m.u.ready.plan_hash, prepare->plan_hash, PLAN_HASH_BYTES);
    (void)peer_say(world, p, &m);
}

static void report_preflight(struct peers *world, struct peer *p, uint32_t path)
{
    enum { CLIENTS = 3 };
    struct control_preflight_relay row = {.relay = p->share.relay,
                                          .clients = CLIENTS,
                                          .offered = CLIENTS,
                                          .bound = CLIENTS,
                                          .servers_answered = (1U << world->server_count) - 1,
                                          .path_count = 1};
    row.path[0] = (struct control_preflight_path){
        .path = path, .renew_sent = CLIENTS, .renew_acked = CLIENTS};
    struct control_message m = {.kind = CONTROL_PREFLIGHT_REPORT};
    m.u.preflight_report =
        (struct control_preflight_report){.relays = &row, .relay_count = 1, .is_last = true};
    (void)peer_say(world, p, &m);
}

static void go(struct peers *world, struct peer *p, const struct control_go *go)
{
    bool is_first_stage = go->stage == 0;
    p->go = *go;
    p->phase = PEER_RUNNING;
    p->is_in_last_stage = !is_first_stage;
    p->is_step_done = false;
    if (p->is_in_last_stage) {
        /* Spread over the second, as agents that joined one after another are. */
        uint64_t share_ns = NS_PER_S / world->options->agents * p->index;
        p->snapshot_at_ns = p->batch_at_ns = p->progress_at_ns = world->now_ns + share_ns;
    }
}

static void joined(struct peers *world, struct peer *p, const struct control_message *m)
{
    if (p->session == m->u.welcome.session) {
        return;
    }
    p->session = m->u.welcome.session;
    p->phase = PEER_JOINED;
    p->beat_at_ns = world->now_ns;
    if (p->data == NULL) {
        p->data = dial(world, p, m->u.welcome.data_port);
    }
}

static void answer_clock(struct peers *world, struct peer *p,
                         const struct control_clock_request *request)
{
    struct control_message m = {.kind = CONTROL_CLOCK_REPLY};
    uint64_t now_ns = clock_monotonic_ns();
    m.u.clock_reply = (struct control_clock_reply){
        .id = request->id, .t1_ns = request->t1_ns, .t2_ns = now_ns, .t3_ns = now_ns};
    (void)peer_say(world, p, &m);
}

static void obey(struct peers *world, struct peer *p, const struct control_message *m)
{
    struct control_message armed = {.kind = CONTROL_ARMED};
    if (m->kind == CONTROL_WELCOME) {
        joined(world, p, m);
    } else if (m->kind == CONTROL_CLOCK_REQUEST) {
        answer_clock(world, p, &m->u.clock_request);
    } else if (m->kind == CONTROL_PREPARE) {
        prepare(world, p, &m->u.prepare);
    } else if (m->kind == CONTROL_PREFLIGHT) {
        report_preflight(world, p, m->u.preflight.path[0]);
    } else if (m->kind == CONTROL_ARM) {
        armed.u.armed.generation = m->u.arm.generation;
        (void)peer_say(world, p, &armed);
    } else if (m->kind == CONTROL_GO) {
        go(world, p, &m->u.go);
    } else if (m->kind == CONTROL_DRAIN) {
        p->is_draining = true;
    } else if (m->kind == CONTROL_BYE) {
        p->phase = PEER_OVER;
    } else if (m->kind == CONTROL_ACK) {
        p->has_credit = true;
        p->committed_seq = m->u.ack.committed_seq;
        p->limit_seq = m->u.ack.limit_seq;
    } else if (m->kind == CONTROL_REFUSE) {
        fprintf(stderr, "bench peers: refused: %s\n", m->u.refuse.text);
        exit(6);
    }
}

static bool has_message(void *socket)
{
    int events = 0;
    size_t size = sizeof(events);
    return socket != NULL && zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN) != 0;
}

static void receive_on(struct peers *world, struct peer *p, bool is_data)
{
    while (has_message(is_data ? p->data : p->ctrl)) {
        zmq_msg_t message;
        struct control_message m;
        char why[CONTROL_WHY_BYTES];
        (void)zmq_msg_init(&message);
        if (zmq_msg_recv(&message, is_data ? p->data : p->ctrl, ZMQ_DONTWAIT) < 0) {
            fail("receiving");
        }
        if (!control_decode(world->arena, zmq_msg_data(&message), zmq_msg_size(&message), &m,
                            why)) {
            fprintf(stderr, "bench peers: %s\n", why);
            exit(6);
        }
        obey(world, p, &m);
        (void)zmq_msg_close(&message);
    }
}

void peer_receive(struct peers *world, struct peer *p)
{
    receive_on(world, p, false);
    receive_on(world, p, true);
}

/* --- what it does --- */

static void step_is_done(struct peers *world, struct peer *p)
{
    p->is_step_done = true;
    say_progress(world, p);
}

static void play_first_stage(struct peers *world, struct peer *p)
{
    peer_acquire(world, p);
    if (p->bound >= p->go.client_limit && p->pending_count == 0 && !p->is_step_done) {
        step_is_done(world, p);
    }
}

static uint64_t stream_share(const struct peers *world, const struct peer *p)
{
    uint64_t agents = world->options->agents;
    return world->options->events / agents + (p->index < world->options->events % agents);
}

/* All it can send on its credit. */
static void stream(struct peers *world, struct peer *p)
{
    uint64_t share = stream_share(world, p);
    for (unsigned i = 0; i < FLUSHES_PER_TICK; i++) {
        uint64_t left = share - p->streamed;
        size_t room = CONTROL_BATCH_EVENTS_MAX - p->pending_count;
        peer_renew(world, p, left < room ? (size_t)left : room);
        if (!peer_flush(world, p)) {
            return;
        }
    }
}

static void tell_little(struct peers *world, struct peer *p)
{
    if (world->now_ns >= p->batch_at_ns && !p->is_step_done) {
        peer_renew(world, p, TELLS_LITTLE);
        (void)peer_flush(world, p);
        say_progress(world, p); /* something has changed */
        p->batch_at_ns = world->now_ns + BATCH_EVERY_NS;
    }
}

static void play_last_stage(struct peers *world, struct peer *p)
{
    if (world->options->events > 0) {
        stream(world, p);
    } else {
        tell_little(world, p);
    }
    if (world->now_ns >= p->snapshot_at_ns) {
        peer_snapshot(world, p, false);
        p->snapshot_at_ns = world->now_ns + SNAPSHOT_EVERY_NS;
    }
    if (world->may_end && !p->is_step_done && peer_flush(world, p)) {
        step_is_done(world, p);
    }
}

static void finish(struct peers *world, struct peer *p)
{
    if (!peer_flush(world, p)) {
        return;
    }
    peer_snapshot(world, p, true);
    struct control_message m = {.kind = CONTROL_DONE};
    m.u.done = (struct control_done){.last_batch_seq = p->seq,
                                     .event_count = p->counters.counter[COUNTER_events]};
    (void)peer_say(world, p, &m);
    p->phase = PEER_FINAL;
}

void peer_tick(struct peers *world, struct peer *p)
{
    if (p->phase == PEER_CALLING && world->now_ns >= p->hello_at_ns) {
        say_hello(world, p);
        p->hello_at_ns = world->now_ns + HELLO_EVERY_NS;
    }
    if (p->phase == PEER_CALLING || p->phase == PEER_OVER) {
        return;
    }
    if (world->now_ns >= p->beat_at_ns) {
        say_beat(world, p);
    }
    if (!p->has_credit && world->now_ns >= p->data_hello_at_ns) {
        say_data_hello(world, p);
    }
    if (p->is_draining && p->phase == PEER_RUNNING) {
        finish(world, p);
    } else if (p->phase == PEER_RUNNING) {
        if (p->is_in_last_stage) {
            play_last_stage(world, p);
        } else {
            play_first_stage(world, p);
        }
        if (world->now_ns >= p->progress_at_ns) {
            say_progress(world, p);
        }
    }
}
