/* SPDX-License-Identifier: MIT */
/*
 * One simulated client: a record of one cache line, timer and place in a queue
 * included, so that a million of them are 64 MB and an answer touches one line.
 * Who the client is (MAC, relay) is not stored: it follows from its index.
 *
 * Times of the open exchange are spans from its intended instant, in
 * microseconds (saturated) or milliseconds, because an exchange is short; only
 * the intended instant and the start of the lease are absolute. Fields that are
 * never wanted at the same time share their place.
 *
 * Pure. A zeroed record is a client that has not started.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "common/timer_wheel.h"
#include "proto/lease_names.h"
#include "proto/plan.h"

enum client_flag {
    CLIENT_STARTED = 1 << 0, /* its first acquisition was begun */
    CLIENT_HAD_LEASE = 1 << 1,
    CLIENT_FAILED_COUNTED = 1 << 2, /* `failed` was counted: at most once */
    CLIENT_IN_STAGE = 1 << 3,       /* its open exchange is one of the stage's starts */
    CLIENT_STAGE_DONE = 1 << 4,     /* it had its turn in this stage */
    CLIENT_QUEUED = 1 << 5,         /* waits in the due queue for its packet to be sent */
    CLIENT_WAITING = 1 << 6,        /* an exchange is open: an answer is awaited */
    CLIENT_ANSWERED = 1 << 7,       /* the exchange of this xid had its final answer */
    CLIENT_OFFER_SEEN = 1 << 8,
    CLIENT_FOREIGN_SEEN = 1 << 9, /* an OFFER that must not be requested came */
    CLIENT_INFORMING = 1 << 10,   /* BOUND, and an INFORM is open */
    CLIENT_PREFLIGHT = 1 << 11,   /* played by lane_preflight just now */
    CLIENT_SILENT_COUNTED = 1 << 12,
    CLIENT_PAUSED = 1 << 13,   /* a deadline of the open exchange passed in a pause */
    CLIENT_SINGLE = 1 << 14,   /* its open or last exchange: a load's, every message sent once */
    CLIENT_QUERYING = 1 << 15, /* BOUND or RELEASED, and a DHCPLEASEQUERY is open */
};

struct client {
    uint64_t intended_ns;    /* of the open or last exchange: pacer slot, T1, T2, or now */
    uint64_t lease_ns;       /* lease start: first transmission of the answered REQUEST */
    struct timer_link timer; /* the lane's wheel's */
    uint32_t first_sent_us;  /* intended -> first transmission of the exchange */
    union {
        uint32_t retry_ms; /* intended -> next retransmission or end of a pause */
        uint32_t next_due; /* CLIENT_QUEUED: who is sent after it; lane_due.h */
    };
    union {
        uint32_t t1_ms;           /* lease start -> deadline; UINT32_MAX: never */
        uint32_t request_sent_us; /* REQUESTING: intended -> first transmission of the REQUEST */
    };
    union {
        uint32_t t2_ms;    /* as t1_ms */
        uint32_t offer_us; /* REQUESTING, and what an acquisition that ends there tells: intended
                              -> OFFER; REBINDING, where T2 is over: first RENEW -> intended */
    };
    uint32_t expiry_ms; /* as t1_ms */
    struct ipv4 addr;   /* leased, or offered */
    uint32_t xid;
    uint16_t flags;
    uint16_t secs;       /* of the last message, host order */
    uint8_t state : 4;   /* enum lease_state */
    uint8_t naks : 4;    /* in a row in this acquisition, saturated */
    uint8_t attempt;     /* transmissions of the current message */
    uint8_t tries;       /* transmissions in this exchange, all messages */
    uint8_t lease_count; /* of leases this client has had, saturated: varies the fuzz; 0 and
                            bound: it is of an earlier run */
    uint8_t server;      /* that granted or offered it: 1 + its index in the plan; 0: none */
};

static_assert(sizeof(struct client) == 64, "a client with its timer is one cache line");
static_assert(PLAN_SERVERS_MAX < UINT8_MAX, "a server is one byte");
static_assert(LEASE_STATE_COUNT <= 16, "a state is four bits");

enum { CLIENT_NAKS_MAX = 15 };

static inline bool client_has(const struct client *c, enum client_flag flag)
{
    return (c->flags & (unsigned)flag) != 0;
}

static inline void client_set_state(struct client *c, enum lease_state state)
{
    c->state = (uint8_t)((unsigned)state & 0xfU);
}

static inline void client_set_naks(struct client *c, unsigned naks)
{
    c->naks = (uint8_t)((naks < CLIENT_NAKS_MAX ? naks : CLIENT_NAKS_MAX) & 0xfU);
}

static inline void client_set(struct client *c, enum client_flag flag)
{
    c->flags = (uint16_t)(c->flags | (unsigned)flag);
}

static inline void client_clear(struct client *c, enum client_flag flag)
{
    c->flags = (uint16_t)(c->flags & ~(unsigned)flag);
}

/* A lease is held, whatever exchange goes on about it. */
static inline bool client_is_bound(const struct client *c)
{
    return c->state == LEASE_BOUND || c->state == LEASE_RENEWING || c->state == LEASE_REBINDING ||
           c->state == LEASE_INIT_REBOOT || c->state == LEASE_REBOOTING;
}

/* Its lease is of an earlier run: to be released, asked about or renewed on demand. */
static inline bool client_is_adopted(const struct client *c)
{
    return client_is_bound(c) && c->lease_count == 0;
}
