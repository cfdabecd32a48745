/* SPDX-License-Identifier: MIT */
/* Renewals that were lost: which, whose, and what the server made of them. */
#include <stdlib.h>

#include "coordinator/truth/evidence.h"
#include "coordinator/truth/truth_parts.h"

enum {
    REUSE_SHARE =
        4 /* dhcpd extends a lease anew only after a quarter of it, dhcp-cache-threshold */
};
#define SLACK_US         1500000 /* lease times are whole seconds, rounded by both sides */
#define SHORTEST_WAIT_US 1800000

bool evidence_set_has(const struct evidence_set *set, uint32_t client)
{
    return set->bits != NULL && (set->bits[client / 64] >> (client % 64) & 1) != 0;
}

bool evidence_set_add(struct evidence *v, struct evidence_set *set, uint32_t client)
{
    if (set->bits == NULL) {
        set->bits = calloc((size_t)v->plan->client_count / 64 + 1, sizeof(*set->bits));
        if (set->bits == NULL) {
            v->is_out_of_memory = true;
            return false;
        }
    }
    if (evidence_set_has(set, client)) {
        return false;
    }
    set->bits[client / 64] |= UINT64_C(1) << (client % 64);
    set->count++;
    return true;
}

void evidence_set_remove(struct evidence_set *set, uint32_t client)
{
    if (evidence_set_has(set, client)) {
        set->bits[client / 64] &= ~(UINT64_C(1) << (client % 64));
        set->count--;
    }
}

/* What the server gives when nothing shortens it. */
static uint32_t full_lease_s(const struct evidence *v, const struct evidence_case *c, size_t server)
{
    return v->plan->expect_lease_s > 0
               ? v->plan->expect_lease_s
               : evidence_link_of(&v->silence, c->agent, server)->longest_lease_s;
}

static void note_tries(struct evidence *v, const struct evidence_case *c)
{
    struct evidence_server *s = &v->servers[c->server];
    const struct event *e = c->e;
    bool is_answered = e->result != EVENT_GAVE_UP;
    bool is_lost = !is_answered || e->tries > 1;
    bool had_lost = evidence_set_has(&s->lost, e->client);
    bool had_won = evidence_set_has(&s->won, e->client);
    s->renew_first_acked += !is_lost;
    s->renew_lost_first += is_lost;
    s->renew_retry_acked += is_answered && is_lost;
    s->renew_retries += e->tries - 1U;
    s->renew_gave_up += !is_answered;
    s->after_loss += had_lost;
    s->lost_again += had_lost && is_lost;
    s->after_win += !had_lost && had_won;
    s->lost_newly += !had_lost && had_won && is_lost;
    (void)evidence_set_add(v, is_lost ? &s->lost : &s->won, e->client);
}

/* Both were granted, perhaps, and the lease began with the later one. */
void evidence_repeated(struct evidence *v, const struct evidence_case *c)
{
    unsigned once = c->e->kind == EVENT_ACQUIRE ? 2 : 1; /* DISCOVER and REQUEST */
    if (c->e->tries > once) {
        (void)evidence_set_add(v, &v->repeated, c->e->client);
    } else {
        evidence_set_remove(&v->repeated, c->e->client);
    }
}

/* A lease given again, not extended: it ends when the old one did. */
static void note_cached(struct evidence *v, const struct evidence_case *c)
{
    struct evidence_server *s = &v->servers[c->server];
    uint32_t full_s = full_lease_s(v, c, c->server);
    if (c->held == NULL || c->e->tries != 1 || full_s == 0 || c->held->server != c->server) {
        return;
    }
    s->renewals_timed++;
    int64_t until_us = truth_lease_start_us(c->e, c->run_us) + (int64_t)c->e->lease_s * 1000000;
    int64_t apart_us = until_us - c->held->until_us;
    /* A cache serves young leases. One of a second ends about when the one before did, too. */
    bool is_short = c->e->lease_s + 2 <= full_s && c->e->lease_s >= full_s / 2;
    bool is_same = apart_us <= SLACK_US || evidence_set_has(&v->repeated, c->e->client);
    if (is_short && is_same && apart_us >= -SLACK_US) {
        double age = 1 - (double)c->e->lease_s / full_s;
        s->renewals_cached++;
        s->cached_ages += age;
    }
}

/* Only where a NAT was seen: a path without one needs no such account. */
static void note_window(struct evidence *v, const struct evidence_case *c)
{
    if (!evidence_link_of(&v->silence, c->agent, c->server)->is_natted) {
        return;
    }
    struct table_entry *entry = table_put(&v->renewed, c->e->client + 1);
    if (entry == NULL) {
        v->is_out_of_memory = true;
        return;
    }
    /* Before the start instant by an hour at most: a word is never 0. */
    int64_t at_ms = c->run_us / 1000;
    bool is_known = entry->word != 0 && entry->value == (uint32_t)c->server;
    evidence_windows_add(&v->servers[c->server].windows, at_ms,
                         is_known ? (int64_t)entry->word + INT32_MIN : EVIDENCE_NEVER_MS);
    entry->value = (uint32_t)c->server;
    entry->word = (uint64_t)(at_ms - INT32_MIN);
}

/* How a lease time differs from a full one, after a request that went unanswered `waited_us` ago.
 */
enum shortfall {
    SHORTFALL_UNKNOWN,
    SHORTFALL_BY_WAIT,  /* the server had extended the lease at that request */
    SHORTFALL_LESS,     /* at a later one */
    SHORTFALL_FULL,     /* at none: it would have given what was left of it */
    SHORTFALL_FULL_LATE /* it extends anew after so long a time, whatever it had seen */
};

static enum shortfall shortfall_of(const struct evidence *v, const struct evidence_case *c,
                                   int64_t waited_us)
{
    int64_t full_us = (int64_t)full_lease_s(v, c, c->server) * 1000000;
    int64_t short_us = full_us - (int64_t)c->e->lease_s * 1000000;
    bool is_mclt = v->plan->expect_mclt_s > 0 && c->e->lease_s == v->plan->expect_mclt_s;
    if (full_us == 0 || is_mclt || short_us < 0 || waited_us < SHORTEST_WAIT_US) {
        return SHORTFALL_UNKNOWN;
    }
    if (short_us > SLACK_US) {
        int64_t apart_us = short_us - waited_us;
        return apart_us > SLACK_US    ? SHORTFALL_UNKNOWN
               : apart_us < -SLACK_US ? SHORTFALL_LESS
                                      : SHORTFALL_BY_WAIT;
    }
    if (short_us > 0) {
        return SHORTFALL_UNKNOWN; /* a second is too little to tell */
    }
    return waited_us + 1000000 < full_us / REUSE_SHARE ? SHORTFALL_FULL : SHORTFALL_FULL_LATE;
}

static void note_shortfall(struct evidence *v, const struct evidence_case *c)
{
    struct evidence_server *s = &v->servers[c->server];
    enum shortfall shortfall = shortfall_of(v, c, c->e->offer_us);
    s->rebind_short_by_wait += shortfall == SHORTFALL_BY_WAIT;
    s->rebind_short_less += shortfall == SHORTFALL_LESS;
    s->rebind_full += shortfall == SHORTFALL_FULL;
    s->rebind_full_late += shortfall == SHORTFALL_FULL_LATE;
}

/* Answered at a retransmission. */
static void note_retry(struct evidence *v, const struct evidence_case *c)
{
    struct evidence_server *s = &v->servers[c->server];
    if (c->e->tries > 1 && c->e->took_us < EVENT_SPAN_MAX) {
        enum shortfall shortfall = shortfall_of(v, c, c->e->took_us);
        s->retry_short += shortfall == SHORTFALL_BY_WAIT || shortfall == SHORTFALL_LESS;
        s->retry_full += shortfall == SHORTFALL_FULL;
    }
}

void evidence_renewal(struct evidence *v, const struct evidence_case *c)
{
    if (c->server == SIZE_MAX || c->e->tries == 0) {
        return;
    }
    if (c->has_lease) {
        note_window(v, c);
    }
    if ((c->e->flags & EVENT_PREFLIGHT) != 0) {
        return;
    }
    if ((c->e->flags & EVENT_EARLY) == 0 && c->e->result != EVENT_NAK) {
        note_tries(v, c);
    }
    if (c->has_lease) {
        note_cached(v, c);
        note_retry(v, c);
    }
}

/* A server that had been silent is back, but the one that took over has let go of its clients. */
static void note_handed_back(struct evidence *v, const struct evidence_case *c)
{
    size_t other = c->held->server;
    const struct evidence_link *own = evidence_link_of(&v->silence, c->agent, c->server);
    const struct evidence_link *survivor = evidence_link_of(&v->silence, c->agent, other);
    bool answers_others =
        survivor->has_ack && survivor->last_ack_us > c->run_us - (int64_t)c->e->offer_us;
    v->servers[c->server].handed_back += own->has_returned && answers_others &&
                                         evidence_set_has(&v->servers[c->server].own, c->e->client);
}

void evidence_rebind(struct evidence *v, const struct evidence_case *c)
{
    const struct event *e = c->e;
    if (e->result == EVENT_GAVE_UP) {
        if (c->server != SIZE_MAX) {
            v->servers[c->server].rebind_gave_up++;
        }
        return;
    }
    bool is_timed = e->offer_us > 0 && e->offer_us < EVENT_SPAN_MAX;
    if (!c->has_lease || c->server == SIZE_MAX || c->held == NULL || !is_timed ||
        c->held->server >= v->plan->server_count) {
        return;
    }
    struct evidence_server *asked = &v->servers[c->held->server];
    asked->rebind_acked++;
    if (c->held->server == c->server) {
        note_shortfall(v, c);
    } else {
        asked->rebind_by_other++;
        note_handed_back(v, c);
    }
}

void evidence_query(struct evidence *v, const struct evidence_case *c)
{
    enum { SLACKS = 2 };
    if (c->server == SIZE_MAX || c->held == NULL || c->e->result != EVENT_LEASED ||
        c->e->lease_s == 0) {
        return;
    }
    struct evidence_server *s = &v->servers[c->server];
    int64_t ahead_us = c->run_us + (int64_t)c->e->lease_s * 1000000 - c->held->until_us;
    s->query_ahead += ahead_us > SLACKS * SLACK_US;
    s->query_behind += ahead_us < -SLACKS * SLACK_US;
    s->query_same += ahead_us >= -SLACKS * SLACK_US && ahead_us <= SLACKS * SLACK_US;
}

void evidence_relay_event(struct evidence *v, const struct event *e)
{
    struct evidence_relay *r = &v->relays[plan_relay_of(v->plan, e->client)];
    bool is_moved = e->result == EVENT_CHANGED || (e->flags & EVENT_ADDRESS_CHANGED) != 0;
    if (e->kind == EVENT_RENEW) {
        r->renew_acked += e->result == EVENT_ACK && !is_moved;
        r->renew_nak += e->result == EVENT_NAK;
        r->renew_gave_up += e->result == EVENT_GAVE_UP;
        r->renew_moved += is_moved;
    } else if (e->kind == EVENT_REBIND) {
        r->rebind_acked += e->result == EVENT_ACK && !is_moved;
        r->rebind_moved += is_moved;
    }
}
