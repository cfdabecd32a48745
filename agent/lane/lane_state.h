/* SPDX-License-Identifier: MIT */
/*
 * What a lane is made of. Only the files of agent/lane include it, by way of
 * lane_internal.h. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/client/client.h"
#include "agent/client/client_times.h"
#include "agent/client/population.h"
#include "agent/lane/due.h"
#include "agent/lane/lane.h"
#include "agent/lane/lane_parts.h"
#include "agent/lane/mix.h"
#include "agent/lane/pacer.h"
#include "agent/lane/ready.h"
#include "agent/lane/results.h"
#include "agent/lane/tx_gate.h"
#include "agent/relay/relay.h"
#include "common/timer_wheel.h"

/* What the counters of final states, and of open exchanges, are kept from. */
enum client_class { CLASS_NEVER_STARTED, CLASS_BOUND, CLASS_RELEASED, CLASS_EXPIRED, CLASS_FAILED };

/* Arrivals of one kind: which of them is to start next, and when. */
struct demand {
    uint64_t number; /* among its kind */
    uint64_t place;  /* among all; not below stage.arrivals: none is left */
    struct pacer pacer;
};

struct stage {
    uint64_t round;
    uint32_t index, step;
    enum plan_stage_kind kind;
    bool is_begun, is_last_step;
    uint64_t start_ns, end_ns; /* hold: when it is over */
    uint32_t client_limit;     /* at most population.count */
    uint32_t asked_limit;      /* as GO said it */
    uint32_t started, finished;
    uint32_t started_before; /* of `started`: in earlier steps */
    uint32_t cursor;         /* position in population_order() */
    uint32_t passes_left;    /* rounds over the population that may still find somebody */
    bool found_later;        /* this round met clients that were busy */
    struct pacer pacer;

    /* lane_load.c: not clients decide what begins, but arrivals. */
    bool is_by_arrival;
    bool is_closed;    /* of the step: nothing more will be started */
    uint64_t arrivals; /* of the step */
    struct mix mix;
    struct demand demand[MIX_KIND_COUNT];
};

/* Queries are told apart by the low bits of their number; so many may be open, with room. */
enum { LANE_QUERY_RING = 65536, LANE_QUERIES_OPEN_MAX = LANE_QUERY_RING / 2 };

/* DRAIN: open exchanges finish, the others are abandoned, leases are released. */
enum drain_phase { DRAIN_NOT_ASKED, DRAIN_FINISHING, DRAIN_ABANDONING, DRAIN_RELEASING };

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

    struct due due;  /* clients whose packet is to be sent */
    struct due held; /* their message waits until more than renewals may be sent */

    struct lane_out *out;
    size_t out_count;

    struct stage stage;
    struct ready ready; /* allocated where the plan may want it */
    struct preflight preflight;
    uint64_t assignment_epoch; /* 1, and one more with each lane_take() */
    struct comeback comeback;

    uint32_t *queries; /* LANE_QUERY_RING: who asked with that number; NULL: nobody will */
    uint32_t query_number;

    bool is_stopped, is_drained;
    enum drain_phase drain;
    uint64_t drain_until_ns;
    uint64_t release_milli_per_s;
    uint32_t drain_cursor; /* clients below it were abandoned, or released */
    struct pacer release_pacer;

    enum lane_right right;
    bool was_granted;
    uint64_t paused_at_ns; /* 0: sending is allowed, or never was */
    uint64_t back_at_ns;   /* when it came back; what was due before waited for that */
    uint64_t alone_at_ns;  /* LANE_MAY_RENEW: since when */
    uint64_t now_ns;
    struct ipv4 foreign_addr, foreign_server;
    size_t memory_bytes;
};

static inline struct client *lane_client(struct lane *lane, uint32_t local)
{
    return &lane->population.clients[local];
}

/* The server that granted or offered the client its address; zero: none. */
static inline struct ipv4 lane_server_of(const struct lane *lane, const struct client *c)
{
    return c->server == 0 ? (struct ipv4){0} : lane->plan->servers[c->server - 1].address;
}

/* No exchange begins any more but renewals. */
static inline bool lane_is_ending(const struct lane *lane)
{
    return lane->drain != DRAIN_NOT_ASKED || lane->is_stopped;
}

/* New exchanges may begin, besides renewals. */
static inline bool lane_may_start(const struct lane *lane)
{
    return lane->right == LANE_MAY_SEND;
}

/* Nobody acquires but on demand. */
static inline bool lane_is_by_arrival(const struct lane *lane)
{
    return lane->stage.is_begun && lane->stage.is_by_arrival;
}

static inline uint8_t lane_stage_index(const struct lane *lane)
{
    return lane->stage.is_begun ? (uint8_t)lane->stage.index : 0;
}
