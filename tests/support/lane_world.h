/* SPDX-License-Identifier: MIT */
/*
 * A lane in virtual time, between model servers: what the agent's edge and the
 * network do for a real one. Packets travel for `latency_ns` in each direction;
 * all events, and a line for every packet the lane sent, are kept.
 *
 * lane_world_init() makes a plan that the test may change; lane_world_start()
 * makes the lane. lane_world_check() is the accounting every run must satisfy;
 * call it at the end of each. Asserts: what is wrong here is wrong in the lane
 * or in the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lane/lane.h"
#include "tests/support/model_server.h"

enum { LANE_WORLD_SERVERS_MAX = 4, LANE_WORLD_RELAYS_MAX = 4 };

/* Not a multiple of a second: a lane must not depend on where the clock began. */
#define LANE_WORLD_BEGIN_NS UINT64_C(1000000123000)

struct lane_world_sent {
    uint64_t at_ns;
    size_t carrier;
    enum lane_port port;
    enum dhcp4_intent intent;
    struct ipv4 source, destination;
    uint32_t client; /* the lane's number */
    bool is_first;
    int error;
    uint64_t hash;            /* of the bytes */
    struct model_query query; /* without relay_info, which pointed into the bytes */
};

struct lane_world_flight; /* a packet under way */

struct lane_world {
    struct plan plan;
    struct control_share shares[LANE_WORLD_RELAYS_MAX];
    struct plan_relay relays[LANE_WORLD_RELAYS_MAX];
    struct model_pool pools[LANE_WORLD_RELAYS_MAX];
    struct model_server servers[LANE_WORLD_SERVERS_MAX];
    struct lane *lane;
    uint64_t packets_per_s_max; /* of the lane; 0: not limited */
    uint32_t relays_elsewhere;  /* the first so many are another agent's */
    uint32_t clients_elsewhere; /* now: those of them that this lane has not taken */

    uint64_t now_ns;
    uint64_t latency_ns;                /* one way; set 1 ms by init */
    bool turns_only_when_asked;         /* at lane_next_ns(), instead of every millisecond */
    uint64_t loses_every;               /* n: every n-th packet from a server is lost */
    bool holds_events, holds_sends;     /* the edge does not take events, or packets, now */
    int send_error[DHCP4_INTENT_COUNT]; /* errno the kernel refuses an intent with */

    uint64_t turns, turns_at_once, most_turns_at_once; /* at one instant: a lane that spins */
    uint64_t arrived, lost, replies_sent, flights_begun;
    struct event *events;
    size_t event_count, event_room;
    struct lane_world_sent *sent;
    size_t sent_count, sent_room;
    struct lane_world_flight *flights; /* a heap by arrival */
    size_t flight_count, flight_room;
};

/* Relays 172.16.8.3, 172.16.9.3 ...: subnets of 10.10.0.0/16; servers 192.168.1.12, .2.12 ... */
void lane_world_init(struct lane_world *w, uint32_t relays, uint32_t clients_per_relay,
                     uint32_t servers);
void lane_world_add_stage(struct lane_world *w, enum plan_stage_kind kind, uint64_t duration_ns);
/* Makes the lane, armed for `egress`, with a run lease. */
void lane_world_start(struct lane_world *w);
void lane_world_fini(struct lane_world *w);

/* One whole step for all clients, starting now. */
void lane_world_go(struct lane_world *w, uint32_t stage, uint32_t batch, uint64_t rate_milli_per_s);
/* A step of a stage by arrivals, starting now. */
void lane_world_go_arrivals(struct lane_world *w, uint64_t round, uint32_t stage,
                            uint64_t rate_milli_per_s, uint64_t arrivals);
void lane_world_drain(struct lane_world *w, enum control_drain_mode mode,
                      uint64_t release_milli_per_s);

void lane_world_run(struct lane_world *w, uint64_t span_ns);
/* Until the step is done (true) or the time is over. */
bool lane_world_run_step(struct lane_world *w, uint64_t longest_ns);
bool lane_world_run_drained(struct lane_world *w, uint64_t longest_ns);
/* The owner's turn, at the present instant: turn, send, take events. */
void lane_world_turn(struct lane_world *w);
/* Hands bytes to the lane as if they had just arrived at the relay's address. */
void lane_world_inject(struct lane_world *w, size_t carrier, enum lane_port port,
                       uint16_t source_port, const uint8_t *bytes, size_t size);
/* What the client sent last; it must have sent something. */
const struct lane_world_sent *lane_world_last(const struct lane_world *w, uint32_t client);

void lane_world_check(const struct lane_world *w);

uint64_t lane_world_counter(const struct lane_world *w, enum snapshot_counter c);
size_t lane_world_count_events(const struct lane_world *w, enum event_kind kind,
                               enum event_result result);
size_t lane_world_count_sent(const struct lane_world *w, enum dhcp4_intent intent);
/* The n-th packet (0, 1, ...) of that intent a client sent to any server; NULL: there is none. */
const struct lane_world_sent *lane_world_nth(const struct lane_world *w, uint32_t client,
                                             enum dhcp4_intent intent, size_t n);
/* The n-th event of that kind of a client (global = local here). */
const struct event *lane_world_event(const struct lane_world *w, uint32_t client,
                                     enum event_kind kind, size_t n);
/* Most packets in any second that begins with one. */
uint64_t lane_world_peak_per_s(const struct lane_world *w, uint64_t from_ns);
