/* SPDX-License-Identifier: MIT */
/*
 * One finished exchange or lease transition: the row of the ledger.
 *
 * Times: t_us is the agent's CLOCK_MONOTONIC; spans are in microseconds,
 * EVENT_SPAN_NONE where they do not apply, saturated at EVENT_SPAN_MAX.
 *
 * Pure. Batches are packed by proto/control.c as columns.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/inet.h"

enum event_kind {
    EVENT_ACQUIRE, /* DISCOVER .. ACK, or what became of it */
    EVENT_RENEW,
    EVENT_REBIND,
    EVENT_REBOOT,
    EVENT_INFORM,
    EVENT_RELEASE,
    EVENT_DECLINE,
    EVENT_EXPIRE,
    EVENT_QUERY, /* DHCPLEASEQUERY by address (RFC 4388) */
    EVENT_KIND_COUNT
};

enum event_result {
    EVENT_ACK,
    EVENT_NAK,
    EVENT_GAVE_UP,    /* acquire: one stage of tries or the deadline ended without a lease;
                         renew: T2 came; rebind: expiry came */
    EVENT_SENT,       /* release, decline: no answer is defined */
    EVENT_CHANGED,    /* ACK of a renewal that named another address */
    EVENT_ENDED,      /* expire: the lease ended */
    EVENT_LEASED,     /* query: DHCPLEASEACTIVE */
    EVENT_UNASSIGNED, /* query: DHCPLEASEUNASSIGNED */
    EVENT_UNKNOWN,    /* query: DHCPLEASEUNKNOWN */
    EVENT_RESULT_COUNT
};

enum event_flag {
    EVENT_FIRST_LEASE = 1 << 0,    /* acquire/ack: this client's first */
    EVENT_LATE_BOUND = 1 << 1,     /* acquire/ack after `failed` was counted */
    EVENT_DEADLINE = 1 << 2,       /* acquire/gave_up: the client became `failed` (once each) */
    EVENT_OFFER_SEEN = 1 << 3,     /* at least one usable OFFER arrived */
    EVENT_FOREIGN_OFFER = 1 << 4,  /* an OFFER that must not be requested arrived */
    EVENT_IN_PAUSE = 1 << 5,       /* ended while the run lease was gone */
    EVENT_OUTSIDE_SUBNET = 1 << 6, /* ACK for an address outside the relay's subnet */
    EVENT_SHORT_LEASE = 1 << 7,    /* ACK whose lease time is neither expected nor in mclt..lease */
    EVENT_ADDRESS_CHANGED = 1 << 8,
    EVENT_WRONG_PORT = 1 << 9, /* the ACK's source port was not 67 */
    EVENT_PREFLIGHT = 1 << 10,
    EVENT_CLEANUP = 1 << 11, /* released by the clean-up */
    EVENT_MASK_CHANGED = 1 << 12,
    EVENT_EARLY = 1 << 13, /* renew: demanded by a PLAN_LOAD stage, before T1 */
    EVENT_VOID = 1 << 14,  /* the coordinator's: a lost agent says that something came to nothing
                              of a client that had gone on elsewhere; it counts nowhere */
    EVENT_FLAGS_ALL = (1 << 15) - 1
};

#define EVENT_SPAN_NONE UINT32_MAX
#define EVENT_SPAN_MAX  (UINT32_MAX - 1)

struct event {
    uint64_t t_us;      /* when it ended; expire: when the lease ended */
    uint32_t client;    /* global index */
    uint32_t xid;       /* host order, as tshark prints it; 0 for expire */
    uint32_t lease_s;   /* of the ACK; query/leased: what is left of it; 0: none */
    uint32_t offer_us;  /* acquire: first DISCOVER to OFFER; rebind/ack: since the first
                           unanswered RENEW */
    uint32_t took_us;   /* from the first transmission of the exchange */
    uint32_t wait_us;   /* from the intended instant (pacer slot, T1, T2) */
    struct ipv4 addr;   /* the lease, or the one asked for; 0: none */
    struct ipv4 server; /* option 54 of the answer, or whom we asked; 0: none */
    uint16_t tries;     /* transmissions in this exchange, all message types; for a release that
                           could not be sent: 0 */
    uint16_t flags;
    uint8_t kind;
    uint8_t result;
    uint8_t stage; /* index of the plan's stage */
};

const char *event_kind_name(enum event_kind kind);
const char *event_result_name(enum event_result result);
/* Kind, result and flags are within their tables and make sense together. */
bool event_is_valid(const struct event *e);
