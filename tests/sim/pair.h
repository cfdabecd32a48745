/* SPDX-License-Identifier: MIT */
/*
 * A pair of DHCP servers with one book of leases (each knows its partner's bindings),
 * as RFC 2131 has them: offers held for a while, renewals, rebinding by either,
 * NAK for what is not the client's, releases, expiry, addresses given to others when
 * they are free again. Either may be down. And they may lie, in the ways below.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/inet.h"
#include "common/prng.h"

enum pair_lie {
    LIE_NONE,
    LIE_FOREIGN_OFFER,  /* an address outside the block */
    LIE_FOREIGN_ID,     /* a server identifier that is not in the plan */
    LIE_SAME_ADDRESS,   /* of somebody who has it */
    LIE_T1_AFTER_T2,    /* and T2 after the lease's end */
    LIE_LEASE_ZERO,     /* a lease that is over when it begins */
    LIE_NAK_STORM,      /* to whatever is requested */
    LIE_WRONG_XID,      /* answers to questions nobody asked */
    LIE_OTHER_ADDRESS,  /* a renewal names another one */
    LIE_TWICE,          /* every answer two times */
    LIE_GARBLED,        /* cut short, or bytes that make no sense */
    LIE_WRONG_PORT,     /* not from port 67 */
    LIE_LEASE_FOR_EVER, /* an infinite lease */
    LIE_COUNT
};

const char *pair_lie_name(enum pair_lie lie);

void pair_init(struct prng p, uint32_t lease_s);
/* A message that arrived at the server; its answers leave after its service time. */
void pair_take(size_t server, struct ipv4 source, const uint8_t *bytes, size_t size);
void pair_set_down(size_t server, bool is_down);
void pair_set_lie(size_t server, enum pair_lie lie);

struct pair_counts {
    uint64_t taken, answered, acks, naks, lies, while_down, expired_reused;
};
const struct pair_counts *pair_counts(void);
