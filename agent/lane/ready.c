/* SPDX-License-Identifier: MIT */
#include "agent/lane/ready.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool ready_init(struct ready *r, uint32_t client_count)
{
    size_t entries = (size_t)client_count + READY_KIND_COUNT;
    memset(r, 0, sizeof(*r));
    r->client_count = client_count;
    r->next = calloc(entries, sizeof(*r->next));
    r->before = calloc(entries, sizeof(*r->before));
    r->where = calloc(entries, sizeof(*r->where));
    if (r->next == NULL || r->before == NULL || r->where == NULL) {
        ready_fini(r);
        return false;
    }
    ready_clear(r);
    return true;
}

void ready_fini(struct ready *r)
{
    free(r->next);
    free(r->before);
    free(r->where);
    memset(r, 0, sizeof(*r));
}

size_t ready_memory_bytes(const struct ready *r)
{
    size_t entries = (size_t)r->client_count + READY_KIND_COUNT;
    return r->where == NULL ? 0
                            : entries * (sizeof(*r->next) + sizeof(*r->before) + sizeof(*r->where));
}

/* The entry of the ring that is no client. */
static uint32_t anchor(const struct ready *r, enum ready_kind kind)
{
    return r->client_count + (uint32_t)kind;
}

void ready_clear(struct ready *r)
{
    memset(r->where, READY_NOT, r->client_count);
    for (int kind = 0; kind < READY_KIND_COUNT; kind++) {
        uint32_t a = anchor(r, (enum ready_kind)kind);
        r->next[a] = r->before[a] = a;
        r->count[kind] = 0;
    }
}

static void take_out(struct ready *r, uint32_t client)
{
    r->next[r->before[client]] = r->next[client];
    r->before[r->next[client]] = r->before[client];
}

static void append(struct ready *r, uint32_t client, enum ready_kind kind)
{
    uint32_t a = anchor(r, kind);
    uint32_t last = r->before[a];
    r->next[last] = client;
    r->before[client] = last;
    r->next[client] = a;
    r->before[a] = client;
}

void ready_put(struct ready *r, uint32_t client, enum ready_kind kind)
{
    assert(client < r->client_count);
    enum ready_kind former = (enum ready_kind)r->where[client];
    if (former == kind) {
        return;
    }
    if (former != READY_NOT) {
        take_out(r, client);
        r->count[former]--;
    }
    if (kind != READY_NOT) {
        append(r, client, kind);
        r->count[kind]++;
    }
    r->where[client] = (uint8_t)kind;
}

uint32_t ready_first(const struct ready *r, enum ready_kind kind)
{
    return r->count[kind] == 0 ? READY_NOBODY : r->next[anchor(r, kind)];
}

void ready_postpone_first(struct ready *r, enum ready_kind kind)
{
    uint32_t first = ready_first(r, kind);
    if (first != READY_NOBODY) {
        take_out(r, first);
        append(r, first, kind);
    }
}
