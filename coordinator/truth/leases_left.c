/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/leases_left.h"

#include <stdlib.h>
#include <string.h>

static uint64_t word_of(struct ipv4 addr, struct ipv4 server)
{
    return (uint64_t)inet_host(addr) << 32 | inet_host(server);
}

static void put(struct leases_left *left, const struct event *e, enum left_state state)
{
    struct table_entry *entry = table_put(&left->by_client, e->client + 1);
    if (entry == NULL) {
        left->is_out_of_memory = true;
        return;
    }
    entry->value = (uint32_t)state;
    entry->word = word_of(e->addr, e->server);
}

static void decline(struct leases_left *left, const struct event *e)
{
    table_remove(&left->by_client, e->client + 1);
    struct table_entry *entry =
        inet_is_zero(e->addr) ? NULL : table_put(&left->declined, inet_host(e->addr));
    if (entry != NULL) {
        entry->value = e->client;
    } else {
        left->is_out_of_memory = left->is_out_of_memory || !inet_is_zero(e->addr);
    }
}

void leases_left_event(struct leases_left *left, const struct event *e)
{
    bool is_lease = e->kind == EVENT_ACQUIRE || e->kind == EVENT_RENEW || e->kind == EVENT_REBIND ||
                    e->kind == EVENT_REBOOT;
    bool is_ack = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
    if (e->client >= PLAN_CLIENTS_MAX || (e->flags & EVENT_VOID) != 0) {
        return;
    }
    if (is_lease && is_ack) {
        put(left, e, LEFT_HELD);
    } else if (e->kind == EVENT_DECLINE && e->tries > 0) {
        decline(left, e);
    } else if (e->kind == EVENT_RELEASE && e->tries > 0) {
        struct table_entry *entry = table_find(&left->by_client, e->client + 1);
        if (entry != NULL) {
            entry->value = LEFT_RELEASED;
        }
    } else if (e->kind == EVENT_EXPIRE ||
               (is_lease && e->kind != EVENT_ACQUIRE && e->result == EVENT_NAK)) {
        table_remove(&left->by_client, e->client + 1);
    }
}

static bool add(struct leases_left *left, const struct left_lease *lease)
{
    if (left->count == left->capacity) {
        size_t capacity = left->capacity == 0 ? 1024 : 2 * left->capacity;
        struct left_lease *grown = realloc(left->list, capacity * sizeof(*grown));
        if (grown == NULL) {
            left->is_out_of_memory = true;
            return false;
        }
        left->list = grown;
        left->capacity = capacity;
    }
    left->list[left->count++] = *lease;
    return true;
}

static int by_client_and_address(const void *a, const void *b)
{
    const struct left_lease *x = a, *y = b;
    if (x->client != y->client) {
        return x->client < y->client ? -1 : 1;
    }
    uint32_t p = inet_host(x->addr), q = inet_host(y->addr);
    return p == q ? 0 : p < q ? -1 : 1;
}

static void sort(struct leases_left *left)
{
    if (left->count > 1) {
        qsort(left->list, left->count, sizeof(*left->list), by_client_and_address);
    }
}

bool leases_left_close(struct leases_left *left)
{
    const struct table_entry *entry;
    for (size_t cursor = 0; (entry = table_next(&left->by_client, &cursor)) != NULL;) {
        const struct left_lease lease = {.client = entry->key - 1,
                                         .addr = inet_from_host((uint32_t)(entry->word >> 32)),
                                         .server = inet_from_host((uint32_t)entry->word),
                                         .state = (enum left_state)entry->value};
        if (!add(left, &lease)) {
            return false;
        }
    }
    sort(left);
    return !left->is_out_of_memory;
}

static bool is_active_there(const struct lease_book *book, const struct left_lease *lease,
                            struct mac mac)
{
    struct book_lease found;
    return lease_book_find(book, lease->addr, &found) && found.state == BOOK_ACTIVE &&
           memcmp(found.mac.byte, mac.byte, MAC_BYTES) == 0;
}

/* Once it is not active there: an entry that was not understood may be this lease's latest. */
static bool is_free_there(const struct lease_book *book, const struct left_lease *lease)
{
    struct book_lease found;
    bool is_unclear = lease_book_find(book, lease->addr, &found) && found.state == BOOK_UNCLEAR;
    return book->strange == 0 && !is_unclear;
}

static enum left_proof proof_of(const struct plan *plan, struct left_lease *lease,
                                const struct left_book *books, size_t book_count)
{
    if (lease->client >= plan->client_count) {
        return LEFT_UNCONFIRMED;
    }
    struct mac mac = plan_client_mac(plan, lease->client);
    enum left_proof proof = LEFT_UNCONFIRMED;
    for (size_t i = 0; i < book_count; i++) {
        if (books[i].book == NULL) {
            continue;
        }
        if (is_active_there(books[i].book, lease, mac)) {
            lease->active_at = books[i].server;
            return LEFT_ACTIVE;
        }
        if (inet_equal(books[i].server, lease->server) && is_free_there(books[i].book, lease)) {
            proof = LEFT_FREE;
        }
    }
    return proof;
}

static bool is_listed(const struct leases_left *left, size_t count, const struct left_lease *lease)
{
    return count > 0 &&
           bsearch(lease, left->list, count, sizeof(*left->list), by_client_and_address) != NULL;
}

/* Active in a book, of one of our clients, and not in the first `known` of the list. */
static bool add_found(struct leases_left *left, const struct plan *plan,
                      const struct left_book *book, size_t known)
{
    struct book_lease found;
    for (size_t cursor = 0; lease_book_next(book->book, &cursor, &found);) {
        struct left_lease lease = {.addr = found.addr,
                                   .server = book->server,
                                   .state = LEFT_FOUND,
                                   .proof = LEFT_ACTIVE,
                                   .active_at = book->server};
        if (found.state != BOOK_ACTIVE || !inet_net_contains(plan->block, found.addr) ||
            !plan_client_of(plan, found.mac, &lease.client) || is_listed(left, known, &lease)) {
            continue;
        }
        if (!add(left, &lease)) {
            return false;
        }
    }
    return true;
}

bool leases_left_check(struct leases_left *left, const struct plan *plan,
                       const struct left_book *books, size_t book_count)
{
    for (size_t i = 0; i < left->count; i++) {
        left->list[i].proof = proof_of(plan, &left->list[i], books, book_count);
    }
    for (size_t i = 0; i < book_count; i++) {
        size_t known = left->count;
        if (books[i].book != NULL && !add_found(left, plan, &books[i], known)) {
            return false;
        }
        sort(left); /* what the next book knows of as well is listed by then */
    }
    return true;
}

struct left_tally leases_left_tally(const struct leases_left *left)
{
    struct left_tally tally = {0};
    for (size_t i = 0; i < left->count; i++) {
        const struct left_lease *lease = &left->list[i];
        tally.held += lease->state == LEFT_HELD;
        tally.released += lease->state == LEFT_RELEASED;
        tally.found += lease->state == LEFT_FOUND;
        tally.confirmed += lease->proof == LEFT_FREE;
        tally.unconfirmed += lease->proof == LEFT_UNCONFIRMED;
        tally.active += lease->proof == LEFT_ACTIVE;
    }
    return tally;
}

void leases_left_asked(struct leases_left *left, uint32_t client, struct ipv4 addr,
                       enum left_proof proof)
{
    const struct left_lease key = {.client = client, .addr = addr};
    struct left_lease *lease =
        left->count == 0
            ? NULL
            : bsearch(&key, left->list, left->count, sizeof(*left->list), by_client_and_address);
    if (lease != NULL) {
        lease->proof = proof;
        lease->active_at = lease->server;
    }
}

void leases_left_fini(struct leases_left *left)
{
    table_fini(&left->by_client);
    table_fini(&left->declined);
    free(left->list);
    *left = (struct leases_left){0};
}
