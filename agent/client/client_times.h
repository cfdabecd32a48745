/* SPDX-License-Identifier: MIT */
/*
 * Instants of a client's record: those of its exchange are kept as spans from the intended
 * instant, those of its lease as spans from the lease's start. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/client/client.h"

/* When the current message was first sent: intended -> transmission, saturated. */
static inline uint32_t client_message_sent_us(const struct client *c)
{
    return c->state == LEASE_REQUESTING ? c->request_sent_us : c->first_sent_us;
}

/* Span from the intended instant, saturated; 0 for an instant before it. */
static inline uint32_t client_span_us(const struct client *c, uint64_t at_ns)
{
    uint64_t us = at_ns <= c->intended_ns ? 0 : (at_ns - c->intended_ns) / NS_PER_US;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* The first transmission of a message, at `at_ns`, is the exchange's first when `is_first`. */
static inline void client_note_sent(struct client *c, uint64_t at_ns, bool is_first)
{
    uint32_t span_us = client_span_us(c, at_ns);
    if (c->state == LEASE_REQUESTING) {
        c->request_sent_us = span_us;
    }
    if (is_first) {
        c->first_sent_us = span_us;
    }
}

static inline uint64_t client_at_us(const struct client *c, uint32_t span_us)
{
    return c->intended_ns + (uint64_t)span_us * NS_PER_US;
}

static inline uint64_t client_retry_ns(const struct client *c)
{
    return c->retry_ms == UINT32_MAX ? UINT64_MAX
                                     : c->intended_ns + (uint64_t)c->retry_ms * NS_PER_MS;
}

/* Rounds up: a retransmission never leaves before its time. */
static inline void client_set_retry(struct client *c, uint64_t at_ns)
{
    uint64_t ns = at_ns <= c->intended_ns ? 0 : at_ns - c->intended_ns;
    uint64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
    c->retry_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* Absolute deadline of the lease; UINT64_MAX: never. */
static inline uint64_t client_lease_at_ns(const struct client *c, uint32_t span_ms)
{
    return span_ms == UINT32_MAX ? UINT64_MAX : c->lease_ns + (uint64_t)span_ms * NS_PER_MS;
}
