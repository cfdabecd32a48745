/* SPDX-License-Identifier: MIT */
/*
 * The state of a lane, shared by lane.c (life, commands, queries), lane_send.c,
 * lane_receive.c, lane_client.c (what happens to one client), lane_stage.c and
 * lane_preflight.c. Nothing outside agent/lane includes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/client/client.h"
#include "agent/client/lease_fsm.h"
#include "agent/client/population.h"
#include "agent/lane/lane.h"
#include "agent/lane/pacer.h"
#include "agent/lane/results.h"
#include "agent/lane/tx_gate.h"
#include "agent/relay/relay.h"
#include "common/timer_wheel.h"

/* What the counters of final states, and of open exchanges, are kept from. */
enum client_class { CLASS_NEVER_STARTED, CLASS_BOUND, CLASS_RELEASED, CLASS_EXPIRED, CLASS_FAILED };

struct stage {
    uint32_t index, step;
    enum plan_stage_kind kind;
    bool is_begun, is_last_step;
    uint64_t start_ns, end_ns; /* hold: when it is over */
    uint32_t client_limit;
    uint32_t started, finished;
    uint32_t started_before; /* of `started`: in earlier steps */
    uint32_t cursor;         /* position in population_order() */
    uint32_t passes_left;    /* rounds over the population that may still find somebody */
    bool found_later;        /* this round met clients that were busy */
    struct pacer pacer;
};

/* One preflight client: three per relay, each with a tiny program of its own. */
enum probe_phase { PROBE_DISCOVER, PROBE_REQUEST, PROBE_RENEW, PROBE_RELEASE, PROBE_OVER };

struct probe {
    uint32_t local;
    uint32_t report; /* index into reports */
    enum probe_phase phase;
    uint32_t path_index; /* of the command's paths, in PROBE_RENEW */
    uint32_t tries;
    uint64_t due_ns;
    bool is_waiting;
};

struct preflight {
    struct control_preflight command;
    struct probe *probes;
    size_t probe_count, over_count;
    struct control_preflight_relay *reports;
    bool is_running;
};

struct lane {
    const struct plan *plan;
    struct population population;
    struct relay *relays; /* one per share */
    struct relay_common common;
    struct ipv4 *carriers;
    size_t carrier_count;
    struct timer_wheel *wheel;
    struct results results;
    struct tx_gate gate;
    enum plan_path path;
    uint32_t typical_t1_ms; /* of the latest lease: planned rate of renewals */

    /* Clients whose packet is to be sent, first come first served. */
    uint32_t *due;
    uint32_t due_head, due_count;

    struct lane_out *out;
    size_t out_count;

    struct stage stage;
    struct preflight preflight;

    bool is_draining, is_stopped, is_releasing, is_drained;
    uint64_t drain_until_ns;
    uint64_t release_milli_per_s;
    uint32_t release_cursor;
    struct pacer release_pacer;

    bool was_granted;
    uint64_t paused_at_ns; /* 0: sending is allowed, or never was */
    uint64_t now_ns;
    struct ipv4 foreign_addr, foreign_server;
    size_t memory_bytes;
};

static inline struct client *lane_client(struct lane *lane, uint32_t local)
{
    return &lane->population.clients[local];
}

static inline uint8_t lane_stage_index(const struct lane *lane)
{
    return lane->stage.is_begun ? (uint8_t)lane->stage.index : 0;
}

/* --- lane_send.c --- */

/* Queues the message the client's state calls for; at most once. */
void lane_queue(struct lane *lane, uint32_t local);
void lane_send_due(struct lane *lane);
/* Room in the outbox for one message of a relay to all of its servers? */
bool lane_has_room(const struct lane *lane, const struct relay *relay);
/* Puts one message into the outbox, a copy per server. */
void lane_put(struct lane *lane, uint32_t local, enum dhcp4_intent intent, enum plan_path path);
struct relay *lane_relay_of(struct lane *lane, uint32_t local);
void lane_new_xid(struct lane *lane, uint32_t local);
uint8_t lane_server_index(const struct lane *lane, struct ipv4 server);

/* --- lane_client.c: everything that changes a client --- */

void lane_start_acquire(struct lane *lane, uint32_t local, uint64_t intended_ns, bool in_stage);
void lane_start_exchange(struct lane *lane, uint32_t local, enum lease_event event,
                         uint64_t intended_ns);
void lane_release(struct lane *lane, uint32_t local, uint64_t intended_ns);
void lane_timer_fired(struct lane *lane, uint32_t local);
void lane_offered(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns);
void lane_acked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                const struct lane_packet *packet);
void lane_nakked(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns);
/* The open exchange ends without an answer (drain). */
void lane_abandon(struct lane *lane, uint32_t local);
void lane_arm_timer(struct lane *lane, uint32_t local);
enum client_class lane_class_of(const struct client *c);
void lane_recount(struct lane *lane, enum client_class before, bool was_waiting,
                  const struct client *c);
struct event lane_event(const struct lane *lane, uint32_t local, enum event_kind kind,
                        enum event_result result, uint64_t at_ns);

/* --- lane_stage.c --- */

void lane_stage_turn(struct lane *lane);
uint64_t lane_stage_next_ns(const struct lane *lane);
/* One of the stage's starts has ended. */
void lane_stage_finished(struct lane *lane, struct client *c);
bool lane_stage_is_done(const struct lane *lane);
/* Starts the schedule of the step that runs has called for. */
uint64_t lane_stage_planned(const struct lane *lane);
void lane_drain_turn(struct lane *lane);
uint64_t lane_drain_next_ns(const struct lane *lane);

/* --- lane_preflight.c --- */

NODISCARD bool lane_preflight_init(struct lane *lane);
void lane_preflight_fini(struct lane *lane);
void lane_preflight_turn(struct lane *lane);
uint64_t lane_preflight_next_ns(const struct lane *lane);
/* An answer for a preflight client: true when it answered what is open. */
bool lane_preflight_receive(struct lane *lane, uint32_t local, const struct dhcp4_reply *r,
                            const struct lane_packet *packet);
