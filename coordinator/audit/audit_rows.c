/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "coordinator/truth/accounting.h"

enum { CAPACITY_FIRST = 1024 };

bool audit_rows_init(struct audit_rows *rows, const struct plan *plan, size_t agent_count,
                     uint64_t salt)
{
    assert(agent_count <= AUDIT_AGENTS_MAX);
    *rows = (struct audit_rows){.plan = plan,
                                .agent_count = agent_count,
                                .salt = salt,
                                .first_ms = INT32_MAX,
                                .last_ms = INT32_MIN};
    rows->agents = calloc(agent_count + 1, sizeof(*rows->agents));
    return rows->agents != NULL;
}

void audit_rows_fini(struct audit_rows *rows)
{
    free(rows->agents);
    free(rows->slots);
    free(rows->moved_to);
    *rows = (struct audit_rows){0};
}

const char *audit_who(const struct plan *plan, uint32_t client, uint32_t xid, struct ipv4 addr,
                      char out[AUDIT_WHO_BYTES])
{
    char mac[MAC_TEXT_BYTES], ip[IPV4_TEXT_BYTES];
    (void)snprintf(out, AUDIT_WHO_BYTES, "client %" PRIu32 " (%s), xid 0x%08" PRIx32 ", %s", client,
                   mac_text(plan_client_mac(plan, client), mac), xid, inet_text(addr, ip));
    return out;
}

/* --- the table: linear probing, at most 3/4 full, nothing is ever removed --- */

static size_t place_of(const struct audit_rows *rows, uint32_t client, uint32_t xid)
{
    return (size_t)prng_mix(rows->salt, client, xid) & (rows->capacity - 1);
}

static void put(struct audit_rows *rows, const struct audit_row *row)
{
    size_t at = place_of(rows, row->client_1 - 1, row->xid);
    while (rows->slots[at].client_1 != 0) {
        at = (at + 1) & (rows->capacity - 1);
    }
    rows->slots[at] = *row;
}

static bool make_room(struct audit_rows *rows)
{
    if (rows->count + 1 <= rows->capacity / 4 * 3) {
        return true;
    }
    struct audit_row *old = rows->slots;
    size_t old_capacity = rows->capacity;
    size_t capacity = old_capacity == 0 ? CAPACITY_FIRST : 2 * old_capacity;
    struct audit_row *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    rows->slots = slots;
    rows->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].client_1 != 0) {
            put(rows, &old[i]);
        }
    }
    free(old);
    return true;
}

struct audit_row *audit_rows_next(const struct audit_rows *rows, uint32_t client, uint32_t xid,
                                  size_t *at)
{
    if (rows->capacity == 0) {
        return NULL;
    }
    size_t i = *at == SIZE_MAX ? place_of(rows, client, xid) : (*at + 1) & (rows->capacity - 1);
    for (; rows->slots[i].client_1 != 0; i = (i + 1) & (rows->capacity - 1)) {
        if (rows->slots[i].client_1 == client + 1 && rows->slots[i].xid == xid) {
            *at = i;
            return &rows->slots[i];
        }
    }
    return NULL;
}

/* --- what is added --- */

static uint8_t server_index(const struct plan *plan, struct ipv4 server)
{
    for (uint32_t i = 0; i < plan->server_count; i++) {
        if (inet_equal(plan->servers[i].address, server)) {
            return (uint8_t)i;
        }
    }
    return AUDIT_NO_SERVER;
}

static bool is_possible(const struct audit_rows *rows, uint32_t agent, const struct event *e)
{
    bool is_preflight = (e->flags & EVENT_PREFLIGHT) != 0;
    return agent < rows->agent_count && event_is_valid(e) && e->client < rows->plan->client_count &&
           (is_preflight || e->stage < rows->plan->stage_count);
}

/* Some exchange has a few; a file that holds more of one than this is made to keep us busy. */
enum { SAME_XID_MAX = 1000 };

static bool stands_already(const struct audit_rows *rows, const struct audit_row *row,
                           size_t *out_same)
{
    size_t at = SIZE_MAX;
    const struct audit_row *other;
    for (*out_same = 0; *out_same < SAME_XID_MAX &&
                        (other = audit_rows_next(rows, row->client_1 - 1, row->xid, &at)) != NULL;
         ++*out_same) {
        if (other->kind == row->kind && other->result == row->result &&
            other->t_us_low == row->t_us_low && other->agent == row->agent &&
            other->is_deadline == row->is_deadline && inet_equal(other->addr, row->addr)) {
            return true;
        }
    }
    return false;
}

static void add_leases(struct result_leases *to, const struct result_leases *amount)
{
    to->acquired += amount->acquired;
    to->reacquired += amount->reacquired;
    to->late_bound += amount->late_bound;
    to->renewed += amount->renewed;
    to->rebound += amount->rebound;
    to->expired += amount->expired;
    to->released += amount->released;
    to->failed += amount->failed;
    to->nak += amount->nak;
}

bool audit_rows_move(struct audit_rows *rows, uint32_t first_client, uint32_t count, uint64_t to)
{
    uint32_t clients = rows->plan->client_count;
    if (to >= rows->agent_count || first_client >= clients || count > clients - first_client) {
        return true;
    }
    if (rows->moved_to == NULL) {
        rows->moved_to = calloc(clients, sizeof(*rows->moved_to));
    }
    for (uint32_t i = 0; rows->moved_to != NULL && i < count; i++) {
        rows->moved_to[first_client + i] = (uint16_t)(to + 1);
    }
    return rows->moved_to != NULL;
}

bool audit_rows_is_history(const struct audit_rows *rows, uint32_t agent, uint32_t client)
{
    return rows->moved_to != NULL && client < rows->plan->client_count &&
           rows->moved_to[client] != 0 && rows->moved_to[client] != agent + 1;
}

/* A lost agent's clients come to nothing there once others play them: the report leaves it out. */
static bool is_void(const struct audit_rows *rows, uint32_t agent, const struct event *e)
{
    bool came_to_nothing = e->result == EVENT_GAVE_UP || e->result == EVENT_ENDED;
    return came_to_nothing && (e->flags & EVENT_IN_PAUSE) != 0 &&
           audit_rows_is_history(rows, agent, e->client);
}

static void count(struct audit_rows *rows, uint32_t agent, const struct event *e,
                  const struct audit_row *row)
{
    struct audit_tally *tally = &rows->agents[agent];
    struct result_leases amount;
    tally->rows++;
    if ((e->flags & EVENT_PREFLIGHT) != 0) {
        tally->preflight_rows++;
        return;
    }
    if (accounting_leases_of(e, &amount)) {
        add_leases(&tally->leases, &amount);
        if (!is_void(rows, agent, e)) {
            add_leases(&rows->leases, &amount);
        }
    }
    if (row->server < PLAN_SERVERS_MAX && audit_row_is_ack(row)) {
        tally->server_acks[row->server]++;
    }
    if (row->server < PLAN_SERVERS_MAX && row->result == EVENT_NAK) {
        tally->server_naks[row->server]++;
    }
    tally->offers_seen += (e->flags & EVENT_OFFER_SEEN) != 0 && (e->flags & EVENT_DEADLINE) == 0;
}

static int32_t run_ms_of(int64_t run_us)
{
    int64_t ms = run_us / 1000;
    return (int32_t)(ms > INT32_MAX ? INT32_MAX : ms < INT32_MIN ? INT32_MIN : ms);
}

static void note_impossible(struct audit_rows *rows, uint32_t agent, const struct event *e)
{
    if (rows->impossible++ == 0) {
        (void)snprintf(rows->first_impossible, sizeof(rows->first_impossible),
                       "agent %" PRIu32 ", client %" PRIu32 ", xid 0x%08" PRIx32, agent, e->client,
                       e->xid);
    }
}

static struct audit_row row_of(const struct audit_rows *rows, uint32_t agent, const struct event *e,
                               int64_t run_us)
{
    return (struct audit_row){
        .client_1 = e->client + 1,
        /* The end of a lease is no exchange: only its time tells one from the next. */
        .xid = e->kind == EVENT_EXPIRE ? (uint32_t)e->t_us : e->xid,
        .addr = e->addr,
        .t_us_low = (uint32_t)e->t_us,
        .run_ms = run_ms_of(run_us),
        .agent = agent & 0x3ffU,
        .kind = e->kind & 0xfU,
        .result = e->result & 0xfU,
        .server = server_index(rows->plan, e->server) & 0x1fU,
        .has_offer = (e->flags & EVENT_OFFER_SEEN) != 0,
        .is_preflight = (e->flags & EVENT_PREFLIGHT) != 0,
        /* The run's end closes an exchange and its client's deadline: two rows of one instant. */
        .is_deadline = (e->flags & EVENT_DEADLINE) != 0,
    };
}

bool audit_rows_add(struct audit_rows *rows, uint32_t agent, const struct event *e, int64_t run_us)
{
    char who[AUDIT_WHO_BYTES];
    rows->total++;
    if (!is_possible(rows, agent, e)) {
        note_impossible(rows, agent, e);
        return true;
    }
    struct audit_row row = row_of(rows, agent, e, run_us);
    size_t same = 0;
    count(rows, agent, e, &row);
    if (audit_row_is_ack(&row)) {
        rows->first_ms = row.run_ms < rows->first_ms ? row.run_ms : rows->first_ms;
        rows->last_ms = row.run_ms > rows->last_ms ? row.run_ms : rows->last_ms;
    }
    if (stands_already(rows, &row, &same)) {
        if (rows->twice++ == 0) {
            (void)snprintf(rows->first_twice, sizeof(rows->first_twice), "%s %s, %s",
                           event_kind_name((enum event_kind)e->kind),
                           event_result_name((enum event_result)e->result),
                           audit_who(rows->plan, e->client, e->xid, e->addr, who));
        }
        return true;
    }
    if (same == SAME_XID_MAX) {
        note_impossible(rows, agent, e);
        return true;
    }
    if (!make_room(rows)) {
        return false;
    }
    put(rows, &row);
    rows->count++;
    return true;
}
