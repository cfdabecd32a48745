/* SPDX-License-Identifier: MIT */
#include "agent/client/population.h"

#include <stdlib.h>
#include <string.h>

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Near the golden section of count: successive multiples spread most evenly. */
static uint32_t stride_for(uint32_t count)
{
    uint32_t stride = (uint32_t)((double)count * 0.6180339887);
    stride = stride == 0 ? 1 : stride;
    while (gcd(stride, count) != 1) {
        stride++;
    }
    return stride;
}

static int by_global_order(const void *a, const void *b)
{
    const struct population_share *x = a, *y = b;
    return (x->first_global > y->first_global) - (x->first_global < y->first_global);
}

/* Zeroed: nobody has started. */
static struct client *records_new(uint32_t count)
{
    size_t bytes = ((size_t)count + 1) * sizeof(struct client);
    struct client *clients = aligned_alloc(sizeof(struct client), bytes);
    if (clients != NULL) {
        memset(clients, 0, bytes);
    }
    return clients;
}

bool population_init(struct population *p, const struct control_share *shares, size_t share_count)
{
    memset(p, 0, sizeof(*p));
    p->shares = calloc(share_count + 1, sizeof(*p->shares));
    p->by_global = calloc(share_count + 1, sizeof(*p->by_global));
    if (p->shares == NULL || p->by_global == NULL) {
        population_fini(p);
        return false;
    }
    for (size_t i = 0; i < share_count; i++) {
        p->shares[i] = (struct population_share){shares[i].relay, shares[i].first_client, p->count,
                                                 shares[i].client_count};
        p->count += shares[i].client_count;
    }
    p->share_count = share_count;
    memcpy(p->by_global, p->shares, share_count * sizeof(*p->shares));
    qsort(p->by_global, share_count, sizeof(*p->by_global), by_global_order);
    p->stride = stride_for(p->count == 0 ? 1 : p->count);
    p->clients = records_new(p->count);
    p->room = p->count;
    if (p->clients == NULL) {
        population_fini(p);
        return false;
    }
    return true;
}

/* Memory first, so that what fails has changed nothing. */
static bool make_room(struct population *p, uint32_t count, size_t share_count)
{
    struct population_share *shares = realloc(p->shares, (share_count + 1) * sizeof(*shares));
    p->shares = shares != NULL ? shares : p->shares;
    struct population_share *by_global =
        realloc(p->by_global, (share_count + 1) * sizeof(*by_global));
    p->by_global = by_global != NULL ? by_global : p->by_global;
    if (shares == NULL || by_global == NULL) {
        return false;
    }
    if (count <= p->room) {
        return true;
    }
    /* Half as much again: a loss that comes in many pieces does not copy everything each time. */
    uint64_t generous = (uint64_t)p->room + p->room / 2;
    uint32_t room = generous > count && generous < PLAN_CLIENTS_MAX ? (uint32_t)generous : count;
    struct client *clients = records_new(room);
    if (clients == NULL) {
        return false;
    }
    memcpy(clients, p->clients, (size_t)p->count * sizeof(*clients));
    free(p->clients);
    p->clients = clients;
    p->room = room;
    return true;
}

/* Whether any of the range is here: by_global is sorted, and its shares do not overlap. */
static bool has_any(const struct population *p, uint32_t first, uint32_t count)
{
    for (size_t i = 0; i < p->share_count; i++) {
        const struct population_share *s = &p->by_global[i];
        if (first < s->first_global ? s->first_global - first < count
                                    : first - s->first_global < s->count) {
            return true;
        }
    }
    return false;
}

bool population_grow(struct population *p, const struct control_take_share *shares,
                     size_t share_count)
{
    uint64_t count = p->count;
    for (size_t i = 0; i < share_count; i++) {
        count += shares[i].client_count;
        if (has_any(p, shares[i].first_client, shares[i].client_count)) {
            return false;
        }
    }
    if (count > PLAN_CLIENTS_MAX || !make_room(p, (uint32_t)count, p->share_count + share_count)) {
        return false;
    }
    for (size_t i = 0; i < share_count; i++) {
        p->shares[p->share_count++] = (struct population_share){
            shares[i].via_relay, shares[i].first_client, p->count, shares[i].client_count};
        p->count += shares[i].client_count;
    }
    memcpy(p->by_global, p->shares, p->share_count * sizeof(*p->shares));
    qsort(p->by_global, p->share_count, sizeof(*p->by_global), by_global_order);
    p->stride = stride_for(p->count == 0 ? 1 : p->count);
    return true;
}

void population_fini(struct population *p)
{
    free(p->clients);
    free(p->shares);
    free(p->by_global);
    memset(p, 0, sizeof(*p));
}

size_t population_share_of(const struct population *p, uint32_t local)
{
    if (p->share_count < 2 || p->count == 0) {
        return 0;
    }
    /* Right at once where the shares are of one size. */
    size_t guess = (size_t)((uint64_t)local * p->share_count / p->count);
    if (local - p->shares[guess].first_local < p->shares[guess].count) {
        return guess;
    }
    size_t low = 0, high = p->share_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (p->shares[middle].first_local <= local) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t population_global(const struct population *p, uint32_t local)
{
    const struct population_share *s = &p->shares[population_share_of(p, local)];
    return s->first_global + (local - s->first_local);
}

bool population_local(const struct population *p, uint32_t global, uint32_t *out_local)
{
    size_t low = 0, high = p->share_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (p->by_global[middle].first_global <= global) {
            low = middle;
        } else {
            high = middle;
        }
    }
    if (p->share_count == 0) {
        return false;
    }
    const struct population_share *s = &p->by_global[low];
    if (global < s->first_global || global - s->first_global >= s->count) {
        return false;
    }
    *out_local = s->first_local + (global - s->first_global);
    return true;
}

uint32_t population_order(const struct population *p, uint32_t k)
{
    return (uint32_t)((uint64_t)k * p->stride % p->count);
}
