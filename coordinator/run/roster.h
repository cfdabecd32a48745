/* SPDX-License-Identifier: MIT */
/*
 * The agents of one run: who joined, what each has reported, when it was last
 * heard, whether it is lost. Names come from ZAP; what an agent says about itself
 * never identifies it.
 *
 * Pure: sockets and clocks are the caller's. A roster has a fixed capacity;
 * it owns the copies of addresses and the hands dealt to its agents.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/deal.h"
#include "coordinator/run/clock_map.h"
#include "proto/control.h"

enum { ROSTER_AGENTS_MAX = 1024, ROSTER_ROUTE_BYTES = 32 };

/* Where messages for an agent go: a copy of the link's route, refreshed with each message. */
struct roster_route {
    uint8_t bytes[ROSTER_ROUTE_BYTES];
    size_t size;
};

struct roster_agent {
    char name[PLAN_NAME_BYTES];
    char host[PLAN_NAME_BYTES];
    char build[PLAN_NAME_BYTES];
    uint32_t cores;
    struct ipv4 *addresses;
    size_t address_count;

    uint64_t session, epoch;
    struct roster_route ctrl, data;
    struct clock_map clock;
    uint64_t last_heard_ns, last_grant_ns;
    uint64_t clock_asked_ns, clock_id;

    struct deal_hand hand;
    bool is_ready, is_armed, is_preflighted, is_done, is_lost;
    bool has_final;                       /* final snapshot arrived */
    uint64_t last_batch_seq, event_count; /* from DONE */
    uint64_t final_batch_seq;             /* from the final snapshot */
    uint64_t acked_seq;                   /* last ACK sent */
    struct control_progress progress;
    struct {
        uint64_t round;
        uint32_t stage, step;
    } asked; /* by the latest GO; PROGRESS of anything else says nothing about it */
    uint64_t received_at_stage_start;
    uint64_t last_event_us; /* agent's clock: newest event received */
};

struct roster {
    struct roster_agent *agents; /* sorted by arrival until roster_seal, then by name */
    size_t count, wanted;
};

/* False when out of memory; 1 <= wanted <= ROSTER_AGENTS_MAX. */
NODISCARD bool roster_init(struct roster *r, size_t wanted);
void roster_fini(struct roster *r);

enum roster_answer {
    ROSTER_WELCOME,   /* new, or the same process again */
    ROSTER_DUPLICATE, /* another live process uses this name */
    ROSTER_BUSY,      /* not (or no longer) part of this run */
    ROSTER_NO_MEMORY
};

/*
 * Decides about a HELLO. On ROSTER_WELCOME `*out` is the entry, its session is
 * `new_session`, its hello data are copied. `is_gathering` says whether newcomers may join.
 */
enum roster_answer roster_hello(struct roster *r, const char *name,
                                const struct control_hello *hello, bool is_gathering,
                                uint64_t new_session, uint64_t now_ns, struct roster_agent **out);

/*
 * The agent that says HELLO once more over the connection it already has: its
 * WELCOME was still on the way. NULL when this HELLO is news.
 */
struct roster_agent *roster_repeated_hello(struct roster *r, const char *name, uint64_t epoch,
                                           const void *route, size_t route_bytes);

/* The agent of this name if `session` is its current one; NULL otherwise. */
struct roster_agent *roster_find(struct roster *r, const char *name, uint64_t session);

/* Whether this client, or clients of this relay, were dealt to the agent. */
bool roster_plays(const struct roster_agent *a, uint32_t client);
bool roster_carries(const struct roster_agent *a, uint32_t relay);

/* Sorts by name, so that dealing and indices do not depend on who came first. */
void roster_seal(struct roster *r);
size_t roster_index(const struct roster *r, const struct roster_agent *agent);

/* --- questions about all agents that are not lost --- */

size_t roster_live_count(const struct roster *r);
typedef bool roster_question(const struct roster_agent *agent);
bool roster_all(const struct roster *r, roster_question *question); /* false when none is live */

bool roster_is_ready(const struct roster_agent *a);
bool roster_is_armed(const struct roster_agent *a);
bool roster_is_preflighted(const struct roster_agent *a);
bool roster_is_done(const struct roster_agent *a);
bool roster_has_clock(const struct roster_agent *a);
bool roster_has_session_route(const struct roster_agent *a);

/* Notes what a GO asks for, and whether every live agent has done what it was last asked. */
void roster_ask(struct roster_agent *a, const struct control_go *go);
bool roster_step_is_done(const struct roster *r);
/* Sums of the latest PROGRESS of all agents. */
struct control_progress roster_sum(const struct roster *r);
/*
 * Consecutive silent exchanges over the fleet; 0 as soon as one live agent that
 * has clients waiting has had any reply since.
 */
uint64_t roster_silent_streak(const struct roster *r);
uint64_t roster_slowest_delay_ns(const struct roster *r);
