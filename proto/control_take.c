/* SPDX-License-Identifier: MIT */
/* TAKE: clients of a lost agent for another one. */
#include <inttypes.h>
#include <stdlib.h>

#include "proto/control_wire.h"
#include "proto/wire.h"

enum { SHARE_COLUMNS = 4, CLIENT_COLUMNS = 5 };

static void put_shares(const struct control_take *from, Leaseherd__Take *body, uint32_t *columns)
{
    size_t rows = from->share_count;

    CONTROL_COLUMN(share_relay, rows, columns);
    CONTROL_COLUMN(share_first_client, rows, columns + rows);
    CONTROL_COLUMN(share_client_count, rows, columns + 2 * rows);
    CONTROL_COLUMN(share_via_relay, rows, columns + 3 * rows);
    for (size_t i = 0; i < rows; i++) {
        body->share_relay[i] = from->shares[i].relay;
        body->share_first_client[i] = from->shares[i].first_client;
        body->share_client_count[i] = from->shares[i].client_count;
        body->share_via_relay[i] = from->shares[i].via_relay;
    }
}

static void put_clients(const struct control_take *from, Leaseherd__Take *body, uint32_t *columns)
{
    size_t rows = from->client_count;

    CONTROL_COLUMN(client, rows, columns);
    CONTROL_COLUMN(flags, rows, columns + rows);
    CONTROL_COLUMN(addr, rows, columns + 2 * rows);
    CONTROL_COLUMN(server, rows, columns + 3 * rows);
    CONTROL_COLUMN(lease_ms, rows, columns + 4 * rows);
    for (size_t i = 0; i < rows; i++) {
        const struct control_taken *c = &from->clients[i];
        body->client[i] = c->client;
        body->flags[i] = c->flags;
        body->addr[i] = inet_host(c->addr);
        body->server[i] = inet_host(c->server);
        body->lease_ms[i] = c->lease_ms;
    }
}

bool control_put_take(const struct control_take *from, struct control_take_scratch *to)
{
    Leaseherd__Take *body = &to->body;
    size_t share_cells = SHARE_COLUMNS * from->share_count;
    size_t client_cells = CLIENT_COLUMNS * from->client_count;

    to->columns = calloc(share_cells + client_cells, sizeof(*to->columns));
    if (to->columns == NULL) {
        return false;
    }
    leaseherd__take__init(body);
    body->assignment_epoch = from->assignment_epoch;
    body->at_ns = from->at_ns;
    body->packets_per_s_max = from->packets_per_s_max;
    if (from->has_go) {
        control_put_go(&from->go, &to->go);
        body->go = &to->go;
    }
    put_shares(from, body, to->columns);
    put_clients(from, body, to->columns + share_cells);
    return true;
}

static bool columns_match(const Leaseherd__Take *from, char *why)
{
    const size_t shares[] = {from->n_share_first_client, from->n_share_client_count,
                             from->n_share_via_relay};
    const size_t clients[] = {from->n_flags, from->n_addr, from->n_server, from->n_lease_ms};

    if (from->n_share_relay > CONTROL_TAKE_SHARES_MAX ||
        from->n_client > CONTROL_TAKE_CLIENTS_MAX) {
        return wire_refuse(why, "take: %zu shares and %zu clients; at most %d and %d are possible",
                           from->n_share_relay, from->n_client, CONTROL_TAKE_SHARES_MAX,
                           CONTROL_TAKE_CLIENTS_MAX);
    }
    return control_columns_match(shares, ARRAY_LEN(shares), from->n_share_relay, "take", why) &&
           control_columns_match(clients, ARRAY_LEN(clients), from->n_client, "take", why);
}

bool control_take_take(struct control_arena *arena, const Leaseherd__Take *from,
                       struct control_take *out, char *why)
{
    if (!columns_match(from, why)) {
        return false;
    }
    struct control_take_share *shares =
        control_arena_take(arena, from->n_share_relay, sizeof(*shares));
    struct control_taken *clients = control_arena_take(arena, from->n_client, sizeof(*clients));

    if (shares == NULL || clients == NULL) {
        return control_no_memory("take", why);
    }
    for (size_t i = 0; i < from->n_share_relay; i++) {
        shares[i] = (struct control_take_share){.relay = from->share_relay[i],
                                                .first_client = from->share_first_client[i],
                                                .client_count = from->share_client_count[i],
                                                .via_relay = from->share_via_relay[i]};
    }
    for (size_t i = 0; i < from->n_client; i++) {
        clients[i] = (struct control_taken){.client = from->client[i],
                                            .flags = from->flags[i],
                                            .addr = inet_from_host(from->addr[i]),
                                            .server = inet_from_host(from->server[i]),
                                            .lease_ms = from->lease_ms[i]};
    }
    out->assignment_epoch = from->assignment_epoch;
    out->at_ns = from->at_ns;
    out->packets_per_s_max = from->packets_per_s_max;
    out->shares = shares;
    out->share_count = from->n_share_relay;
    out->clients = clients;
    out->client_count = from->n_client;
    out->has_go = from->go != NULL;
    if (from->go != NULL) {
        control_take_go(from->go, &out->go);
    }
    return true;
}

/* --- the rules --- */

static bool shares_are_valid(const struct control_take *t, char *why)
{
    uint64_t end = 0, total = 0;

    if (t->share_count < 1 || t->share_count > CONTROL_TAKE_SHARES_MAX) {
        return wire_refuse(why, "take: %zu shares; 1 to %d are possible", t->share_count,
                           CONTROL_TAKE_SHARES_MAX);
    }
    for (size_t i = 0; i < t->share_count; i++) {
        const struct control_take_share *share = &t->shares[i];
        if (share->relay >= PLAN_RELAYS_MAX || share->via_relay >= PLAN_RELAYS_MAX) {
            return wire_refuse(why, "take: share %zu is of relay %" PRIu32 " by relay %" PRIu32, i,
                               share->relay, share->via_relay);
        }
        if (share->client_count == 0 || share->first_client < end) {
            return wire_refuse(
                why, "take: share %zu is empty, or begins inside or before the one before it", i);
        }
        end = (uint64_t)share->first_client + share->client_count;
        total += share->client_count;
        if (end > PLAN_CLIENTS_MAX || total > CONTROL_TAKE_CLIENTS_MAX) {
            return wire_refuse(why,
                               "take: share %zu ends beyond client %d, or all of them have more "
                               "than %d",
                               i, PLAN_CLIENTS_MAX, CONTROL_TAKE_CLIENTS_MAX);
        }
    }
    return true;
}

/* The share of this client, looked for from `*at` on: both are ascending. */
static bool is_shared(const struct control_take *t, uint32_t client, size_t *at)
{
    while (*at < t->share_count && client >= t->shares[*at].first_client &&
           client - t->shares[*at].first_client >= t->shares[*at].client_count) {
        (*at)++;
    }
    return *at < t->share_count && client >= t->shares[*at].first_client;
}

static bool clients_are_valid(const struct control_take *t, char *why)
{
    size_t share = 0;

    if (t->client_count > CONTROL_TAKE_CLIENTS_MAX) {
        return wire_refuse(why, "take: %zu clients; at most %d are possible", t->client_count,
                           CONTROL_TAKE_CLIENTS_MAX);
    }
    for (size_t i = 0; i < t->client_count; i++) {
        const struct control_taken *c = &t->clients[i];
        bool has_lease = c->lease_ms > 0;
        if (i > 0 && c->client <= t->clients[i - 1].client) {
            return wire_refuse(why, "take: client %" PRIu32 " does not stand in its order",
                               c->client);
        }
        if (!is_shared(t, c->client, &share)) {
            return wire_refuse(why, "take: client %" PRIu32 " is in none of the shares", c->client);
        }
        if ((c->flags & ~(uint32_t)TAKEN_FLAGS_ALL) != 0 ||
            (has_lease && (c->flags & TAKEN_HAD_LEASE) == 0) ||
            (has_lease && (c->flags & TAKEN_RELEASED) != 0)) {
            return wire_refuse(why, "take: the flags of client %" PRIu32 " do not make sense",
                               c->client);
        }
        if (has_lease ? !wire_is_unicast(c->addr) || !wire_is_unicast(c->server)
                      : !inet_is_zero(c->addr) || !inet_is_zero(c->server)) {
            return wire_refuse(why,
                               "take: client %" PRIu32 " has a lease without an address, or an "
                               "address without a lease",
                               c->client);
        }
    }
    return true;
}

bool control_take_is_valid(const struct control_take *t, char *why)
{
    if (t->assignment_epoch < 2) {
        return wire_refuse(why, "take: the epoch %" PRIu64 " is PREPARE's or none",
                           t->assignment_epoch);
    }
    if (t->at_ns == 0) {
        return wire_refuse(why, "take: the instant that leases count from is 0");
    }
    return shares_are_valid(t, why) && clients_are_valid(t, why) &&
           (!t->has_go || control_go_is_valid(&t->go, why));
}
