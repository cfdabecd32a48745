/* SPDX-License-Identifier: MIT */
/*
 * The observers of one run, beside its agents: who may send frames, how many of them are kept,
 * and what run time follows for them. They come and go as they like, in any phase; nothing a run
 * does waits for one, and nothing one says decides how a run ends.
 *
 * Names and keys come from ZAP. What a frame says about its own time is believed only as far as
 * the observer's clock is known. Frames wait here, the latest OBSERVER_HELD_MAX of each observer,
 * until run time and its clock are known.
 *
 * Pure: sockets and clocks are the caller's. A zeroed gate is a valid empty one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/keys.h"
#include "coordinator/run/clock_map.h"
#include "coordinator/run/roster.h"
#include "proto/control.h"

enum { OBSERVER_GATE_MAX = PLAN_SERVERS_MAX, OBSERVER_HELD_MAX = 64, OBSERVER_MARKS_MAX = 16 };

struct observer_held {
    uint64_t heard_ns;
    struct observation frame;
};

struct observer_guest {
    char name[PLAN_NAME_BYTES];
    uint8_t key[KEY_BYTES];
    /* As it said first: who it watches does not change during a run. */
    struct control_observer_hello hello;
    struct ipv4 addresses[CONTROL_OBSERVER_ADDRESSES_MAX];

    uint64_t session; /* 0: it has none (not called yet after a resume, or shut out) */
    uint64_t epoch;
    struct roster_route route;
    uint64_t last_heard_ns;
    struct clock_map clock;
    uint64_t clock_asked_ns, clock_id;

    uint64_t last_seq;          /* of this epoch */
    uint64_t budget_at_ns;      /* frames that may be kept are counted from here */
    double budget;              /* frames */
    uint64_t turned_away;       /* frames beyond it */
    struct observer_held *held; /* oldest first; malloc'd */
    size_t held_count;

    bool is_noted;  /* truth and journal know it, by its place in the gate */
    bool is_silent; /* marked on the time axis */
    uint32_t marks; /* so many, for one that comes and goes */
    uint32_t joins; /* in the log, likewise */
};

struct observer_gate {
    struct observer_guest *guest[OBSERVER_GATE_MAX];
    size_t count;
};

void observer_gate_fini(struct observer_gate *gate);

enum observer_answer {
    OBSERVER_WELCOME,
    OBSERVER_DUPLICATE, /* another process of this name was heard a moment ago */
    OBSERVER_FULL,      /* there are OBSERVER_GATE_MAX */
    OBSERVER_NO_MEMORY
};
/*
 * Decides about an OBSERVER_HELLO. The same process over the same route keeps its session, anybody
 * else who is welcome gets `new_session`.
 */
enum observer_answer observer_gate_hello(struct observer_gate *gate, const char *name,
                                         const struct control_observer_hello *hello,
                                         const void *route, size_t route_bytes,
                                         uint64_t new_session, uint64_t now_ns,
                                         struct observer_guest **out);

/* One that is in the journal of a run taken over; false when there is no room. */
NODISCARD bool observer_gate_recall(struct observer_gate *gate, const char *name,
                                    const struct control_observer_hello *hello);

/* The observer of this name if `session` is its current one; NULL otherwise. */
struct observer_guest *observer_gate_find(struct observer_gate *gate, const char *name,
                                          uint64_t session);

/* Keeps the frame for later; false: said before, too many of them, or out of memory. */
bool observer_guest_hold(struct observer_guest *guest, const struct observation *frame,
                         uint64_t now_ns);
/*
 * When a held frame was made, by the coordinator's clock, and how wrong that can be. False: it
 * cannot have been made then, since it was heard long after or before.
 */
bool observer_guest_date(const struct observer_guest *guest, const struct observer_held *held,
                         int64_t *out_ns, uint64_t *out_uncertainty_ns);
