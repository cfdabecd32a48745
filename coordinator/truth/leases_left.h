/* SPDX-License-Identifier: MIT */
/*
 * Which leases a run has left behind at the servers: what its ledger says, and
 * what the servers' own books say about it.
 *
 * A RELEASE has no answer: a lease for which one was sent counts as left until
 * a server's book says otherwise. Renewals and releases of the ledger may be
 * older than the run's end (a killed run): the books decide.
 *
 * Pure. Owns its memory: leases_left_fini(). A zeroed one is valid and empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/truth/lease_book.h"
#include "proto/event.h"
#include "proto/plan.h"

enum left_state {
    LEFT_HELD,     /* no RELEASE was sent */
    LEFT_RELEASED, /* one was sent; RFC 2131 knows no answer */
    LEFT_FOUND     /* the ledger does not know it, a server's book does */
};

enum left_proof {
    LEFT_UNCONFIRMED, /* the granting server's book is not known, or not all of it understood */
    LEFT_FREE,        /* it says that the lease is not active, and no other book contradicts */
    LEFT_ACTIVE       /* a book says that this client still has it */
};

struct left_lease {
    uint32_t client;
    struct ipv4 addr, server; /* server: that granted it */
    enum left_state state;
    enum left_proof proof;
    struct ipv4 active_at; /* LEFT_ACTIVE: the server whose book says so */
};

struct leases_left {
    struct table by_client; /* key: client + 1; value: enum left_state; word: addr, server */
    struct table declined;  /* key: address; value: client */
    struct left_lease *list;
    size_t count, capacity;
    bool is_out_of_memory;
};

/* The ledger's rows, oldest first. */
void leases_left_event(struct leases_left *left, const struct event *e);
/* After the last event: fills `list`, ascending by client. False when out of memory. */
NODISCARD bool leases_left_close(struct leases_left *left);

/* What one server says now; `book` NULL: nothing is known of it. */
struct left_book {
    struct ipv4 server;
    const struct lease_book *book;
};

/*
 * Sets the proof of every lease, and adds to `list` what the books know of the
 * run's clients and the ledger does not. False when out of memory.
 */
NODISCARD bool leases_left_check(struct leases_left *left, const struct plan *plan,
                                 const struct left_book *books, size_t book_count);

struct left_tally {
    uint64_t held, released, found, confirmed, unconfirmed, active;
};
struct left_tally leases_left_tally(const struct leases_left *left);

/* The answer to a DHCPLEASEQUERY about a client's address. */
void leases_left_asked(struct leases_left *left, uint32_t client, struct ipv4 addr,
                       enum left_proof proof);

void leases_left_fini(struct leases_left *left);
