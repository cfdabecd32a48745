/* SPDX-License-Identifier: MIT */
/*
 * No address may be live at two clients at the same time, across relays,
 * agents and servers. One table entry (16 bytes) per live lease holds the
 * latest holder and its window; windows end at expiry, RELEASE, NAK, DECLINE.
 *
 * Streams of different agents arrive in any order, so an overlap is first a
 * suspect. It is decided when both holders' streams have passed the overlap's
 * begin by more than the clock uncertainty: if the earlier window turned out to
 * end by then, nothing happened; otherwise the address is a duplicate. What a
 * lost agent took with it cannot be decided and is only counted.
 *
 * Times are run time in microseconds, kept as milliseconds from an hour before
 * the start instant up to 49 days after it. Pure; allocates when tables grow;
 * sticky `is_out_of_memory`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "proto/plan.h"

enum {
    LIVE_EXAMPLES_MAX = 5,
    LIVE_SUSPECTS_MAX = 16384,
    LIVE_SERVERS = PLAN_SERVERS_MAX + 1,
    LIVE_NO_SERVER = PLAN_SERVERS_MAX
};

struct live_addresses;

/* A client as the table must know it: who it is, and whose stream tells of it. */
struct live_holder {
    uint32_t client;
    uint32_t agent;
    uint8_t server;    /* that gave the lease: index in the plan, or LIVE_NO_SERVER */
    bool is_preflight; /* the address is not one of the run's `distinct` */
};

struct live_duplicate {
    struct ipv4 address;
    uint32_t first_client, second_client;
    int64_t at_us, overlap_us; /* begin and length of the overlap */
};

struct live_figures {
    uint64_t live_now;
    uint64_t distinct;   /* addresses ever leased, preflight left out */
    uint64_t duplicates; /* addresses found live at two clients */
    uint64_t undecided;  /* overlaps that could not be decided */
    const struct live_duplicate *examples;
    size_t example_count;
    bool is_out_of_memory;
};

/* `agent_of(context, client)`: index of the agent that plays a client. NULL when out of memory. */
NODISCARD struct live_addresses *
live_addresses_new(size_t agent_count, uint32_t (*agent_of)(const void *context, uint32_t client),
                   const void *context);
void live_addresses_free(struct live_addresses *live); /* NULL is fine */

/* An ACK: `who` holds the address from `from_us` until `until_us`, renewing or anew. */
void live_addresses_lease(struct live_addresses *live, struct ipv4 address, struct live_holder who,
                          int64_t from_us, int64_t until_us);
/* RELEASE, NAK, DECLINE, expiry: `client` has it no longer. */
void live_addresses_end(struct live_addresses *live, struct ipv4 address, uint32_t client,
                        int64_t at_us);
/* The client left its address for another without a word about the old one. */
void live_addresses_moved(struct live_addresses *live, uint32_t client);

/* How well an agent's clock is known (the largest value counts). */
void live_addresses_uncertainty(struct live_addresses *live, uint32_t agent,
                                uint64_t uncertainty_us);
/* The agent's stream is complete up to this time. */
void live_addresses_watermark(struct live_addresses *live, uint32_t agent, int64_t run_us);
void live_addresses_agent_lost(struct live_addresses *live, uint32_t agent);
/* What is known of the lease a client holds: since when it has had the address, and until when. */
struct live_lease {
    int64_t from_us, until_us; /* to the millisecond */
    uint8_t server;            /* that gave it last, or LIVE_NO_SERVER */
};
/* False: the client does not hold that address. */
bool live_addresses_find(const struct live_addresses *live, struct ipv4 address, uint32_t client,
                         struct live_lease *out);
/* What one client holds; until_us INT64_MIN: nothing. */
struct live_held {
    struct ipv4 address;
    int64_t from_us, until_us;
    uint8_t server; /* or LIVE_NO_SERVER */
};
/*
 * Clients `first` .. `first` + `count` - 1 of each span, one span's behind the other's in `out`.
 * Spans ascend and do not overlap. One pass over the table, however many there are.
 */
struct live_span {
    uint32_t first, count;
    size_t at; /* of the first one in `out` */
};
void live_addresses_held(const struct live_addresses *live, const struct live_span *spans,
                         size_t span_count, struct live_held *out);
/*
 * Of the `count` leases that end soonest, how many each server gave: with a
 * server that no longer extends them, they are its own. One pass over the table.
 */
void live_addresses_oldest(const struct live_addresses *live, uint64_t count,
                           uint64_t out_by_server[LIVE_SERVERS]);
/* All streams are complete: decides every suspect. */
void live_addresses_decide_all(struct live_addresses *live);

struct live_figures live_addresses_figures(const struct live_addresses *live);
