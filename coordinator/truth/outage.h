/* SPDX-License-Identifier: MIT */
/*
 * Time in which a client that wanted an address had no valid lease, and time a
 * client with an unanswered RENEW waited for its next ACK: over all, per relay,
 * and per *server half*, the server that had granted the client's latest lease.
 *
 * An outage begins at expiry, at a NAK of a held lease, or when the acquire
 * deadline passed, and ends at the client's next ACK or when the last stage ends:
 * what happens while the run drains is nobody's outage. A wait begins with a
 * RENEW that reached T2 unanswered and ends at the client's next ACK, whoever
 * sends it; a RENEW answered after a retransmission is counted apart, because one
 * lost packet is no failover. Both go to the half at their beginning.
 *
 * Memory: one table entry (16 bytes) per client that waits or has no lease it
 * wants, holding both instants (45 bits of microseconds, over a year) and the
 * half; two bitmaps per half and two of all; one histogram per half (two) and per
 * relay that had an outage. Nothing else is per client.
 *
 * Run time in microseconds. Pure; allocates when tables grow; sticky
 * `is_out_of_memory`. A zeroed one is valid; outage_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/histogram.h"
#include "coordinator/truth/live_addresses.h"
#include "coordinator/truth/sparse_bitmap.h"
#include "coordinator/truth/table.h"
#include "proto/plan.h"

enum { OUTAGE_HALVES = LIVE_SERVERS, OUTAGE_NO_HALF = LIVE_NO_SERVER };
#define OUTAGE_UNKNOWN_US INT64_MIN

struct outage_who {
    uint32_t client;
    uint8_t half; /* index of the server, or OUTAGE_NO_HALF: never had a lease */
};

struct outage_span {
    struct outage_who who;
    int64_t begin_us, end_us;
};

/* Spans are recorded as microseconds in place of nanoseconds: outages outlast 2^40 ns. */
struct outage_group {
    uint64_t clients, at_risk; /* distinct */
    uint64_t expired;          /* leases that ran out */
    uint64_t total_us, longest_us;
    struct histogram *spans; /* NULL: no outage */
};

struct outage_half {
    struct outage_group group;
    struct sparse_bitmap clients, at_risk;
    uint64_t waited;           /* RENEWs that reached T2 without an answer */
    uint64_t unanswered;       /* of these: no ACK until the end, or until the client left */
    uint64_t in_time;          /* of these: an ACK before the lease had ended */
    uint64_t untimed;          /* of these: an ACK, but the RENEW began too long ago to be timed */
    struct histogram *answers; /* RENEW to ACK, as microseconds; NULL: none */
    uint64_t answered_by[OUTAGE_HALVES];
    uint64_t retried, retried_longest_us; /* RENEWs answered after a retransmission */
};

struct outage {
    struct table open; /* key: client + 1; half, lost and asked instant packed */
    struct sparse_bitmap clients, at_risk;
    struct outage_group all;
    struct outage_half half[OUTAGE_HALVES];
    const struct plan *plan;
    struct outage_group *relays; /* of the plan; NULL: not asked for */
    uint64_t first_answer_us;    /* smallest over all halves; 0: none yet */
    bool is_stage_running;
    int64_t last_stage_end_us;
    /* Ended after the last stage's end: part of the drain, unless another stage begins. */
    struct outage_span *late;
    size_t late_count, late_capacity;
    bool is_out_of_memory;
};

/* Figures by relay of this plan too, which must outlive it. False when out of memory. */
NODISCARD bool outage_by_relay(struct outage *o, const struct plan *plan);

/* The lease ran out: only counted; outage_begin() follows. */
void outage_expired(struct outage *o, struct outage_who who);
void outage_begin(struct outage *o, struct outage_who who, int64_t run_us);
/* The client is past T2. */
void outage_at_risk(struct outage *o, struct outage_who who);
/* A RENEW begun then has reached T2; OUTAGE_UNKNOWN_US where its event cannot tell when. */
void outage_wait(struct outage *o, struct outage_who who, int64_t begun_us);
/* A RENEW of that half was answered, but not at once. */
void outage_retried(struct outage *o, uint8_t half, uint64_t span_us);
/*
 * An ACK by `server`. `waited_us`: since the first unanswered RENEW as the event
 * itself tells it; 0: it does not.
 */
void outage_end(struct outage *o, struct outage_who who, uint8_t server, int64_t run_us,
                uint64_t waited_us);
/* The client released or declined its address: it waits for nothing any more. */
void outage_leave(struct outage *o, uint32_t client);
void outage_stage_begin(struct outage *o);
void outage_stage_end(struct outage *o, int64_t run_us);

/* The run is over: closes what is open at the end of the last stage. Call once. */
void outage_finish(struct outage *o, int64_t run_us);
void outage_fini(struct outage *o);
