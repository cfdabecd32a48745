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
#include "common/keys.h"
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

    uint64_t session;
    uint64_t epoch;         /* of its result stream */
    uint64_t process_epoch; /* of who said HELLO last: a successor delivers an ended one's stream */
    uint8_t key[KEY_BYTES]; /* its session began with */
    struct roster_route ctrl, data;
    struct clock_map clock;
    uint64_t last_heard_ns, last_grant_ns;
    uint64_t clock_asked_ns, clock_id;

    struct deal_hand hand;
    /* run_reassign.h: the latest TAKE carried out (0 or 1: PREPARE's), and the latest meant. */
    uint64_t assignment_epoch, dealt_epoch, take_sent_ns;
    uint64_t fence_ns;            /* lost: from then on it sends nothing; 0: not known yet */
    bool takes_none, is_dealt_on; /* refused clients; lost, and its own are dealt to others */
    bool is_ready, is_armed, is_preflighted, is_done, is_lost;
    bool is_returned;      /* lost, and here again to deliver; roster_is_there() is true */
    bool is_barred;        /* it said what no agent of ours would: its results are not taken */
    uint64_t delivered_ns; /* when its stream last moved on; of a returned one */
    bool is_owed_word;     /* came back after a resume: what it was last told, once more */
    bool has_final;        /* final snapshot arrived */
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
    bool is_sealed;
    uint8_t run_id[PLAN_RUN_ID_BYTES]; /* the caller's to set before the first HELLO */
};

/* False when out of memory; 1 <= wanted <= ROSTER_AGENTS_MAX. */
NODISCARD bool roster_init(struct roster *r, size_t wanted);
void roster_fini(struct roster *r);

enum roster_answer {
    ROSTER_WELCOME,   /* new, or the same process again */
    ROSTER_DUPLICATE, /* another live process uses this name */
    ROSTER_BUSY,      /* not (or no longer) part of this run */
    ROSTER_RETURNED,  /* its clients are gone with it, but it has kept results of this run */
    ROSTER_NO_MEMORY
};

/*
 * Decides about a HELLO. On ROSTER_WELCOME `*out` is the entry, its session is
 * `new_session`, its hello data are copied. `is_gathering` says whether newcomers may join.
 *
 * A process that names the one we know among those that have ended takes its place while we
 * gather; later its clients are gone. ROSTER_RETURNED: `*out` has the new session, `epoch` is still
 * the ended one's; the caller declares it lost. ROSTER_BUSY with `*out`: it ended and left nothing.
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

/* One more share, in its place. False when out of memory. */
NODISCARD bool roster_give(struct roster_agent *a, const struct control_share *share);
/* The share that begins with this client is the agent's no longer. */
void roster_take_back(struct roster_agent *a, uint32_t first_client);

/* Sorts by name, so that dealing and indices do not depend on who came first. */
void roster_seal(struct roster *r);
size_t roster_index(const struct roster *r, const struct roster_agent *agent);

/* --- questions about all agents that are not lost --- */

size_t roster_live_count(const struct roster *r);
typedef bool roster_question(const struct roster_agent *agent);
bool roster_all(const struct roster *r, roster_question *question); /* false when none is live */

bool roster_is_there(const struct roster_agent *a);
/* A returned agent is on its way with results: not longer than `patience_ns` without a batch. */
bool roster_is_delivering(const struct roster *r, uint64_t now_ns, uint64_t patience_ns);
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
