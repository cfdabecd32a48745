/* SPDX-License-Identifier: MIT */
/*
 * A queue of clients whose message is to be sent, first come first served. It leads through the
 * clients' own records, so it has room for all of them and costs nothing. Who is in it has
 * CLIENT_QUEUED, and is in one such queue only. Pure.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "agent/client/client.h"

struct due {
    uint32_t first, last; /* of no meaning while it is empty */
    uint32_t count;
};

static inline void due_push(struct due *d, struct client *clients, uint32_t local)
{
    if (d->count++ == 0) {
        d->first = local;
    } else {
        clients[d->last].next_due = local;
    }
    d->last = local;
}

/* The first one leaves; nothing of its message was sent yet, so there is nothing to repeat. */
static inline uint32_t due_pop(struct due *d, struct client *clients)
{
    assert(d->count > 0);
    uint32_t local = d->first;
    d->first = clients[local].next_due;
    d->count--;
    clients[local].retry_ms = UINT32_MAX;
    return local;
}
