/* SPDX-License-Identifier: MIT */
/*
 * What a server itself says about its leases: address, whose, in which state.
 * Read from ISC dhcpd's lease file, from Kea's memfile CSV or from the answer to
 * Kea's lease4-get-all. Later entries win, as the servers themselves read them.
 *
 * Text comes from outside and may be cut, huge or hostile: lines that are not
 * understood are counted, never trusted. Pure; the caller reads the file. A
 * zeroed book is valid and empty; owns its memory: lease_book_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "coordinator/truth/table.h"

enum book_state {
    BOOK_FREE,     /* free, released, handed to the partner */
    BOOK_EXPIRED,  /* its time is over, and nobody has had it since */
    BOOK_ACTIVE,   /* leased, and its time is not over */
    BOOK_DECLINED, /* abandoned after a DECLINE or an answered ping */
    BOOK_UNCLEAR,  /* its latest entry was not understood, or is active and names no MAC */
    BOOK_STATES
};

struct lease_book {
    struct table leases; /* key: address in host order; value: enum book_state; word: MAC */
    uint64_t strange;    /* entries not understood: what the book does not name may be in them */
    bool is_out_of_memory;
};

struct book_lease {
    struct ipv4 addr;
    struct mac mac; /* zero: not said */
    enum book_state state;
};

/*
 * `now_s`: UTC seconds; what ended before is BOOK_EXPIRED. Adds to the book. False:
 * nothing in it is what that server writes into its file even before the first
 * lease, so that an address that is not in it is not thereby free.
 */
NODISCARD bool lease_book_dhcpd(struct lease_book *book, const char *text, size_t bytes,
                                uint64_t now_s);
NODISCARD bool lease_book_kea_csv(struct lease_book *book, const char *text, size_t bytes,
                                  uint64_t now_s);
/*
 * False: not an answer of one server to lease4-get-all, or one that reports an error or
 * success without a list; `why`: one sentence.
 */
enum { LEASE_BOOK_WHY_BYTES = 200 };
NODISCARD bool lease_book_kea_json(struct lease_book *book, const char *text, size_t bytes,
                                   uint64_t now_s, char why[LEASE_BOOK_WHY_BYTES]);

/* False: the server does not know the address. */
bool lease_book_find(const struct lease_book *book, struct ipv4 addr, struct book_lease *out);
/* The next entry from *cursor (begin with 0) on; false: no more. In no order. */
bool lease_book_next(const struct lease_book *book, size_t *cursor, struct book_lease *out);

void lease_book_fini(struct lease_book *book);
