/* SPDX-License-Identifier: MIT */
/*
 * One with an observer's key. Mode `honest` does what an observer does; the others begin like it
 * and then lie, flood, or ask for what is not theirs.
 */
#include "tests/support/hostile.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/prng.h"
#include "proto/control.h"

enum { FRAME_BYTES = 64 * 1024, TICK_MS = 5, FLOOD_PER_TICK = 20 };

struct observer {
    const struct hostile_options *o;
    struct link_context *context;
    struct link_socket *ctrl;
    struct control_arena *arena;
    struct prng prng;
    uint8_t bytes[FRAME_BYTES];
    uint64_t session, epoch, seq, frame_at_ns, hello_at_ns, frames;
    uint64_t welcomes, refusals, clocks;
};

static bool has_mode(const struct observer *p, const char *mode)
{
    return strcmp(p->o->mode, mode) == 0;
}

static void say(struct observer *p, struct control_message *m, bool is_damaged)
{
    m->session = p->session;
    size_t size = control_encode(m, p->bytes, sizeof(p->bytes));
    for (int i = 0; is_damaged && size > 0 && i < 4; i++) {
        p->bytes[prng_below(&p->prng, size)] = (uint8_t)prng_below(&p->prng, 256);
    }
    if (size > 0 && size <= sizeof(p->bytes)) {
        (void)!link_send(p->ctrl, NULL, p->bytes, size); /* full: the other side is slow */
    }
}

static void greet(struct observer *p)
{
    struct ipv4 addresses[2] = {{0}, inet_from_host(0x0a000001 + (uint32_t)p->welcomes)};
    struct control_message m = {.kind = CONTROL_OBSERVER_HELLO};
    if (has_mode(p, "addresses") || !inet_parse(p->o->address, &addresses[0])) {
        addresses[0] = addresses[1];
    }
    if (has_mode(p, "agent")) {
        m.kind = CONTROL_HELLO;
        m.u.hello = (struct control_hello){.proto_min = CONTROL_PROTO,
                                           .proto_max = CONTROL_PROTO,
                                           .build = "hostile",
                                           .host = "h",
                                           .cores = 1,
                                           .epoch = p->epoch,
                                           .addresses = addresses,
                                           .address_count = 1};
    } else {
        m.u.observer_hello = (struct control_observer_hello){.proto_min = CONTROL_PROTO,
                                                             .proto_max = CONTROL_PROTO,
                                                             .build = "hostile",
                                                             .host = "hostile",
                                                             .program = "dhcpd",
                                                             .epoch = p->epoch,
                                                             .addresses = addresses,
                                                             .address_count = 2};
    }
    p->session = CONTROL_SESSION_UNKNOWN;
    say(p, &m, false);
}

/* What an observer would see of a server that gives 10 leases a second. */
static void observe(struct observer *p)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct observation frame = {
        .seq = ++p->seq, .at_ns = now_ns, .instance = 4711, .process_id = 1};
    struct control_message m = {.kind = CONTROL_OBSERVATION};
    enum failover_state own = FAILOVER_NORMAL;
    p->frames++;
    observation_set(&frame, OBSERVER_log_acks, 10 * (double)(now_ns / NS_PER_MS) / 1e3);
    observation_set(&frame, OBSERVER_threads, 1);
    observation_lacks(&frame, OBSERVER_wait_fsync, AVAILABLE_NO_PERMISSION);
    observation_set_note(&frame, NOTE_PROGRAM, p->seq == 1 ? "dhcpd 4.4.3-P1" : "");
    if (has_mode(p, "future")) {
        frame.at_ns = now_ns + (1 + prng_below(&p->prng, 100000)) * NS_PER_S;
    } else if (has_mode(p, "past")) {
        frame.at_ns = 1 + prng_below(&p->prng, now_ns);
    } else if (has_mode(p, "flap")) {
        own = (enum failover_state)(p->seq % FAILOVER_STATE_COUNT);
        frame.instance = p->seq;
    } else if (has_mode(p, "wild")) {
        for (int i = 0; i < OBSERVER_METRIC_COUNT; i++) {
            bool is_state = observer_metric_kind((enum observer_metric)i) == OBSERVER_STATE;
            observation_set(&frame, (enum observer_metric)i,
                            is_state ? 0 : pow(10, (double)prng_below(&p->prng, 18)));
        }
    }
    if (has_mode(p, "liar")) { /* of a server it is not on: findings, if it were believed */
        frame.instance = 666;
        observation_set(&frame, OBSERVER_wait_samples, 100 * (double)p->seq);
        observation_set(&frame, OBSERVER_wait_fsync, 100 * (double)p->seq);
        observation_set(&frame, OBSERVER_log_peer_holds, 100 * (double)p->seq);
    }
    observation_set(&frame, OBSERVER_failover_own, own);
    m.u.observation = &frame;
    say(p, &m, has_mode(p, "damaged"));
}

/* What only an agent may say. */
static void play_agent(struct observer *p)
{
    struct control_message m = {.kind = CONTROL_BEAT};
    m.u.beat.boottime_ns = clock_boottime_ns();
    say(p, &m, false);
    m = (struct control_message){.kind = CONTROL_PROGRESS};
    m.u.progress.foreign_offers = 1;
    m.u.progress.foreign_offer_addr = inet_from_host(0x0a000001);
    say(p, &m, false);
    m = (struct control_message){.kind = CONTROL_REFUSE};
    m.u.refuse.code = REFUSAL_POLICY;
    control_set_text(m.u.refuse.text, "no");
    say(p, &m, false);
    m = (struct control_message){.kind = CONTROL_DONE};
    say(p, &m, false);
}

static void obey(struct observer *p, const struct control_message *m, uint64_t received_ns)
{
    if (m->kind == CONTROL_WELCOME) {
        p->session = m->u.welcome.session;
        p->welcomes++;
    } else if (m->kind == CONTROL_REFUSE) {
        p->refusals++;
    } else if (m->kind == CONTROL_BYE) {
        p->session = CONTROL_SESSION_UNKNOWN;
    } else if (m->kind == CONTROL_CLOCK_REQUEST) {
        struct control_message reply = {.kind = CONTROL_CLOCK_REPLY};
        reply.u.clock_reply = (struct control_clock_reply){.id = m->u.clock_request.id,
                                                           .t1_ns = m->u.clock_request.t1_ns,
                                                           .t2_ns = received_ns,
                                                           .t3_ns = clock_monotonic_ns()};
        p->clocks++;
        say(p, &reply, false);
    }
}

static void hear(struct observer *p)
{
    const uint8_t *bytes;
    struct link_peer from;
    size_t size;
    while (link_receive(p->ctrl, &from, &bytes, &size) > 0) {
        struct control_message m;
        char why[CONTROL_WHY_BYTES];
        uint64_t now_ns = clock_monotonic_ns();
        if (control_decode(p->arena, bytes, size, &m, why)) {
            obey(p, &m, now_ns);
        }
    }
}

static void turn(struct observer *p)
{
    uint64_t now_ns = clock_monotonic_ns();
    bool is_new_each_time = has_mode(p, "addresses") && p->frames % 3 == 2;
    if (is_new_each_time && p->session != 0) {
        p->epoch++;
        p->seq = 0;
        p->frames++;
        greet(p);
    }
    if (p->session == CONTROL_SESSION_UNKNOWN && now_ns >= p->hello_at_ns) {
        p->hello_at_ns = now_ns + NS_PER_S;
        greet(p);
    }
    bool is_flood = has_mode(p, "flood") || has_mode(p, "damaged");
    for (int i = 0; p->session != 0 && i < FLOOD_PER_TICK && (is_flood || i == 0); i++) {
        if (is_flood || now_ns >= p->frame_at_ns) {
            p->frame_at_ns = now_ns + NS_PER_S;
            observe(p);
        }
    }
    if (has_mode(p, "impostor") && p->session != 0) {
        play_agent(p);
    }
}

int hostile_observer(const struct hostile_options *o)
{
    struct observer *p = calloc(1, sizeof(*p));
    char why[LINK_WHY_BYTES] = "";
    if (p == NULL) {
        return 2;
    }
    p->o = o;
    p->prng = prng_seeded(4711);
    p->epoch = randombytes_random() | 1;
    p->arena = control_arena_new(CONTROL_ARENA_DOWN_BYTES);
    if (p->arena == NULL || link_context_new(&p->context) < 0 ||
        link_client_open(p->context, LINK_CTRL, o->host, o->port, o->other, &o->own, &p->ctrl,
                         why) < 0) {
        fprintf(stderr, "cannot call the coordinator: %s\n", why);
        return 2;
    }
    uint64_t until_ns = clock_monotonic_ns() + o->seconds * NS_PER_S;
    while (clock_monotonic_ns() < until_ns) {
        if (link_poll(&p->ctrl, 1, NULL, 0, TICK_MS) < 0) {
            break;
        }
        hear(p);
        turn(p);
    }
    bool is_unwanted = has_mode(p, "agent") || has_mode(p, "twin") || has_mode(p, "key-of-agent");
    bool is_as_wished =
        is_unwanted ? p->welcomes == 0 && p->refusals > 0 : p->welcomes > 0 && p->clocks > 0;
    printf("%s observer, mode %s: welcomes=%llu refusals=%llu clocks=%llu frames=%llu\n",
           is_as_wished ? "ok" : "FAIL", o->mode, (unsigned long long)p->welcomes,
           (unsigned long long)p->refusals, (unsigned long long)p->clocks,
           (unsigned long long)p->frames);
    link_close(p->ctrl);
    link_context_free(p->context);
    control_arena_free(p->arena);
    free(p);
    return is_as_wished ? 0 : 1;
}
