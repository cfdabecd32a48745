/* SPDX-License-Identifier: MIT */
/* Two agents of few words. The coordinator's turns last 5 ms, and so does every answer. */
#pragma once

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/run/hub.h"
#include "tests/support/lone_process.h"

enum { LONE_AGENTS = 2, LONE_QUEUE = 64 };
#define LONE_TURN_NS (5 * NS_PER_MS)

/* No step is ever done: a stage lasts as long as it may. */
struct lone_agent {
    const char *name;
    uint64_t epoch;
    uint64_t successor;       /* who says HELLO: it delivers what that one has kept; 0: itself */
    uint64_t comes_ns;        /* by the coordinator's clock; UINT64_MAX: never */
    uint64_t ahead_ns;        /* its clock minus the coordinator's, modulo 2^64 */
    const struct event *kept; /* delivered as its second batch */
    size_t kept_count;
    bool never_drains;
    uint64_t
        tells_time_ns; /* no answers to clock requests before then, by the coordinator's clock */

    struct control_progress progress; /* said from assignment_epoch 1 on */

    uint64_t session, greeted_ns, begged_ns;
    bool has_data;
    struct snapshot final;
    /* what it was told */
    struct control_go go;
    uint64_t gos, byes, drained_ns, acked;
};

static struct {
    struct lone_agent agent[LONE_AGENTS];
    struct {
        enum hub_socket socket;
        struct lone_agent *from;
        struct control_message m;
    } queue[LONE_QUEUE];
    size_t queued;
} lone;

/* --- the agents --- */

static void lone_say(struct lone_agent *a, enum hub_socket socket, struct control_message m)
{
    assert(lone.queued < LONE_QUEUE);
    m.session = a->session;
    lone.queue[lone.queued].socket = socket;
    lone.queue[lone.queued].from = a;
    lone.queue[lone.queued++].m = m;
}

static void lone_greet(struct lone_agent *a)
{
    struct control_message m = {.kind = CONTROL_HELLO};
    m.u.hello = (struct control_hello){
        .proto_min = CONTROL_PROTO, .proto_max = CONTROL_PROTO, .epoch = a->epoch};
    if (a->successor != 0) {
        m.u.hello.epoch = a->successor;
        m.u.hello.former[0] = m.u.hello.kept_epoch = a->epoch;
        m.u.hello.former_count = 1;
        m.u.hello.kept_run_id[0] = 1;
        m.u.hello.kept_last_seq = 2;
    }
    a->greeted_ns = lone_time.mono_ns;
    lone_say(a, HUB_CTRL, m);
}

static void lone_turn(struct lone_agent *a)
{
    if (lone_time.mono_ns < a->comes_ns) {
        return;
    }
    if (a->session != 0 && !a->has_data) { /* whenever it may be heard, it asks */
        lone_say(a, HUB_DATA, (struct control_message){.kind = CONTROL_DATA_HELLO});
    }
    if (a->session == 0 && lone_time.mono_ns - a->greeted_ns >= NS_PER_S) {
        lone_greet(a);
    } else if (a->session != 0 && lone_time.mono_ns - a->begged_ns >= NS_PER_S / 2) {
        a->begged_ns = lone_time.mono_ns;
        lone_say(a, HUB_CTRL, (struct control_message){.kind = CONTROL_BEAT});
        if (a->progress.assignment_epoch > 0) {
            struct control_message m = {.kind = CONTROL_PROGRESS, .u.progress = a->progress};
            lone_say(a, HUB_CTRL, m);
        }
    }
}

static void lone_acked(struct lone_agent *a, uint64_t committed)
{
    struct control_message m = {.kind = CONTROL_BATCH};
    m.u.batch = (struct control_batch){
        .epoch = a->epoch, .seq = 2, .events = a->kept, .event_count = a->kept_count};
    if (!a->has_data && a->kept_count > 0) {
        lone_say(a, HUB_DATA, m);
    }
    a->has_data = true;
    a->acked = committed;
}

static void lone_drain(struct lone_agent *a)
{
    struct control_message done = {.kind = CONTROL_DONE};
    struct control_message last = {.kind = CONTROL_SNAPSHOT, .u.snapshot = &a->final};
    a->drained_ns = a->drained_ns == 0 ? lone_time.mono_ns : a->drained_ns;
    if (a->never_drains) {
        return;
    }
    a->final.is_final = true;
    a->final.seq++;
    a->final.at_ns = lone_time.mono_ns + a->ahead_ns;
    done.u.done.last_batch_seq = a->final.last_batch_seq = a->kept_count > 0 ? 2 : 1;
    lone_say(a, HUB_DATA, last);
    lone_say(a, HUB_CTRL, done);
}

static void lone_hear(struct lone_agent *a, const struct control_message *m)
{
    struct control_message reply = {.kind = CONTROL_CLOCK_REPLY};
    if (m->kind == CONTROL_WELCOME) {
        a->session = m->u.welcome.session;
    } else if (m->kind == CONTROL_CLOCK_REQUEST && lone_time.mono_ns >= a->tells_time_ns) {
        uint64_t now_ns = lone_time.mono_ns + LONE_TURN_NS / 2 + a->ahead_ns; /* half way */
        reply.u.clock_reply = (struct control_clock_reply){
            m->u.clock_request.id, m->u.clock_request.t1_ns, now_ns, now_ns};
        lone_say(a, HUB_CTRL, reply);
    } else if (m->kind == CONTROL_GO) {
        a->go = m->u.go;
        a->gos++;
    } else if (m->kind == CONTROL_ACK) {
        lone_acked(a, m->u.ack.committed_seq);
    } else if (m->kind == CONTROL_DRAIN) {
        lone_drain(a);
    } else if (m->kind == CONTROL_BYE) {
        a->byes++;
    }
}
