/* SPDX-License-Identifier: MIT */
/*
 * Clients that go on at another agent: whose they are now, and what the one that takes them over
 * has to know of each. Two bytes per client, in runs that may reassign only.
 */
#include <assert.h>
#include <stdlib.h>

#include "coordinator/truth/truth_state.h"

enum {
    PAST_STARTED = 1 << 0,
    PAST_HAD_LEASE = 1 << 1,
    PAST_FAILED = 1 << 2,
    PAST_RELEASED = 1 << 3,
    PAST_MOVED = 1 << 4,
    PAST_CONFIRMED = 1 << 5, /* the agent it was moved to has told of it */
    PAST_AGENT_SHIFT = 6,
    PAST_FLAGS = (1 << PAST_AGENT_SHIFT) - 1,
    PAST_AGENTS_MAX = 1 << (16 - PAST_AGENT_SHIFT)
};

bool truth_moves_init(struct truth *t)
{
    t->lost_agent = TRUTH_NO_AGENT;
    t->moved = calloc(t->agent_count + 1, sizeof(*t->moved));
    if (t->scenario->on_agent_loss == AGENT_LOSS_REASSIGN) {
        assert(t->agent_count <= PAST_AGENTS_MAX);
        t->past = calloc((size_t)t->plan->client_count + 1, sizeof(*t->past));
        return t->moved != NULL && t->past != NULL;
    }
    return t->moved != NULL;
}

void truth_moves_fini(struct truth *t)
{
    free(t->moved);
    free(t->past);
}

static size_t agent_of(uint16_t past)
{
    return (size_t)past >> PAST_AGENT_SHIFT;
}

bool truth_is_history(const struct truth *t, size_t agent, uint32_t client)
{
    if (t->past == NULL || client >= t->plan->client_count) {
        return false;
    }
    uint16_t past = t->past[client];
    return (past & PAST_MOVED) != 0 && agent_of(past) != agent;
}

bool truth_is_void(const struct truth *t, size_t agent, const struct event *e)
{
    bool came_to_nothing = e->result == EVENT_GAVE_UP || e->result == EVENT_ENDED;
    return came_to_nothing && (e->flags & EVENT_IN_PAUSE) != 0 &&
           truth_is_history(t, agent, e->client);
}

uint32_t truth_moved_to(const struct truth *t, uint32_t client)
{
    if (t->past == NULL || client >= t->plan->client_count || (t->past[client] & PAST_MOVED) == 0) {
        return TRUTH_NO_AGENT;
    }
    /* Until its new agent has told of it nobody knows what the lost one did last. */
    bool is_known = (t->past[client] & PAST_CONFIRMED) != 0 || t->lost_agent == TRUTH_NO_AGENT;
    return is_known ? (uint32_t)agent_of(t->past[client]) : t->lost_agent;
}

static unsigned flags_of(const struct event *e)
{
    bool is_lease = e->kind == EVENT_ACQUIRE || e->kind == EVENT_RENEW || e->kind == EVENT_REBIND ||
                    e->kind == EVENT_REBOOT;
    bool is_ack = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
    unsigned flags = PAST_STARTED | PAST_CONFIRMED;
    flags |= is_lease && is_ack ? PAST_HAD_LEASE : 0;
    flags |= (e->flags & EVENT_DEADLINE) != 0 ? PAST_FAILED : 0;
    flags |= e->kind == EVENT_RELEASE && e->tries > 0 ? PAST_RELEASED : 0;
    return flags;
}

void truth_moves_event(struct truth *t, const struct event *e)
{
    if (t->past == NULL || (e->flags & EVENT_PREFLIGHT) != 0) {
        return;
    }
    unsigned flags = flags_of(e), past = t->past[e->client];
    if (e->kind == EVENT_ACQUIRE || (flags & PAST_HAD_LEASE) != 0) {
        past &= ~(unsigned)PAST_RELEASED;
    }
    t->past[e->client] = (uint16_t)(past | flags);
}

void truth_moved(struct truth *t, size_t to, uint32_t first, uint32_t count)
{
    assert(to < t->agent_count && t->past != NULL && count <= t->plan->client_count &&
           first <= t->plan->client_count - count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned flags = t->past[first + i] & PAST_FLAGS & ~(unsigned)PAST_CONFIRMED;
        t->past[first + i] = (uint16_t)(flags | PAST_MOVED | to << PAST_AGENT_SHIFT);
    }
}

void truth_taken(struct truth *t, size_t from, size_t to, uint64_t count)
{
    assert(from < t->agent_count && to < t->agent_count);
    if (count > t->clients[from]) {
        return; /* not ours to say */
    }
    t->clients[from] -= count;
    t->clients[to] += count;
    t->moved[from] += count;
}

static struct control_taken row_of(const struct truth *t, uint32_t client,
                                   const struct live_held *held, int64_t run_us)
{
    unsigned past = t->past[client];
    struct control_taken row = {.client = client};
    row.flags |= (past & PAST_HAD_LEASE) != 0 ? TAKEN_HAD_LEASE : 0;
    row.flags |= (past & PAST_FAILED) != 0 ? TAKEN_FAILED : 0;
    bool is_held = held->until_us > run_us && held->server < t->plan->server_count &&
                   (past & PAST_HAD_LEASE) != 0 && (past & PAST_RELEASED) == 0;
    if (is_held) {
        int64_t left_ms = (held->until_us - run_us) / 1000;
        row.addr = held->address;
        row.server = t->plan->servers[held->server].address;
        row.lease_ms = left_ms < 1 ? 1 : left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX - 1;
    } else if ((past & PAST_RELEASED) != 0) {
        row.flags |= TAKEN_RELEASED;
    }
    return row;
}

static size_t list_spans(const struct truth *t, const struct control_take_share *shares,
                         size_t share_count, struct live_span *spans)
{
    size_t clients = 0;
    for (size_t i = 0; i < share_count; i++) {
        uint32_t first = shares[i].first_client, count = shares[i].client_count;
        assert(count <= t->plan->client_count && first <= t->plan->client_count - count);
        spans[i] = (struct live_span){.first = first, .count = count, .at = clients};
        clients += count;
    }
    return clients;
}

static size_t list_past(const struct truth *t, const struct live_span *span,
                        const struct live_held *held, int64_t run_us, struct control_taken *out)
{
    size_t rows = 0;
    for (uint32_t i = 0; i < span->count; i++) {
        if ((t->past[span->first + i] & PAST_STARTED) != 0) {
            out[rows++] = row_of(t, span->first + i, &held[span->at + i], run_us);
        }
    }
    return rows;
}

size_t truth_past(struct truth *t, const struct control_take_share *shares, size_t share_count,
                  int64_t run_us, struct control_taken *out)
{
    assert(t->past != NULL);
    size_t rows = 0;
    struct live_held *held = NULL;
    struct live_span *spans = calloc(share_count + 1, sizeof(*spans));
    if (spans != NULL) {
        held = calloc(list_spans(t, shares, share_count, spans) + 1, sizeof(*held));
    }
    if (held == NULL) {
        t->is_out_of_memory = true;
        free(spans);
        return 0;
    }
    live_addresses_held(t->live, spans, share_count, held);
    for (size_t i = 0; i < share_count; i++) {
        rows += list_past(t, &spans[i], held, run_us, out + rows);
    }
    free(held);
    free(spans);
    return rows;
}
