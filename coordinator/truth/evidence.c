/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/evidence.h"

#include <stdlib.h>

#include "coordinator/truth/evidence_spread.h"
#include "coordinator/truth/truth_parts.h"

#define FIRST_RETRY_US 3000000 /* RFC 2131 4.1: 4 s +- 1 s */

bool evidence_init(struct evidence *v, const struct plan *plan, size_t agent_count)
{
    *v = (struct evidence){.plan = plan};
    v->servers = calloc(plan->server_count + 1U, sizeof(*v->servers));
    v->relays = calloc(plan->relay_count + 1U, sizeof(*v->relays));
    bool has_silence = evidence_silence_init(&v->silence, agent_count, plan->server_count);
    if (v->servers == NULL || v->relays == NULL || !has_silence) {
        evidence_fini(v);
        return false;
    }
    return true;
}

void evidence_fini(struct evidence *v)
{
    for (uint32_t i = 0; v->servers != NULL && i < v->plan->server_count; i++) {
        struct evidence_server *s = &v->servers[i];
        struct evidence_set *sets[] = {&s->lost, &s->won, &s->own, &s->left, &s->back};
        for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
            free(sets[k]->bits);
        }
    }
    free(v->repeated.bits);
    free(v->servers);
    free(v->relays);
    evidence_silence_fini(&v->silence);
    table_fini(&v->renewed);
    *v = (struct evidence){0};
}

size_t evidence_server_of(const struct evidence *v, struct ipv4 address)
{
    for (uint32_t i = 0; i < v->plan->server_count; i++) {
        if (inet_equal(v->plan->servers[i].address, address)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool is_timed(uint32_t span_us)
{
    return span_us < EVENT_SPAN_MAX;
}

/* --- answers: how long, behind what --- */

/* An acquisition of which every message was sent once. */
static bool is_smooth(const struct event *e)
{
    return e->kind == EVENT_ACQUIRE && e->tries == 2 && is_timed(e->offer_us) &&
           is_timed(e->took_us) && e->took_us >= e->offer_us;
}

/* Span of the message that this ACK answers; false: it was sent more than once, or is unknown. */
static bool ack_span(const struct event *e, uint32_t *out_us)
{
    if (is_smooth(e)) {
        *out_us = e->took_us - e->offer_us;
        return true;
    }
    *out_us = e->took_us;
    return e->kind != EVENT_ACQUIRE && e->tries == 1 && is_timed(e->took_us);
}

static void record(struct histogram *h, int64_t us)
{
    histogram_record(h, us > 0 ? (uint64_t)us * NS_PER_US : 0);
}

static void note_offer(struct evidence_server *s, const struct event *e)
{
    enum { ABOUT_1S_FROM_US = 950000, ABOUT_1S_TO_US = 1100000 };
    record(&s->offer, e->offer_us);
    s->offers_about_1s += e->offer_us >= ABOUT_1S_FROM_US && e->offer_us <= ABOUT_1S_TO_US;
}

static void note_alone(struct evidence_server *s, const struct event *e, uint32_t span_us)
{
    if (e->kind == EVENT_ACQUIRE) {
        record(&s->alone_offer, e->offer_us);
        record(&s->alone_ack, span_us);
        record(&s->alone_gap, (int64_t)span_us - (int64_t)e->offer_us);
    } else if (e->kind == EVENT_RENEW) {
        record(&s->alone_renew, span_us);
    }
}

/* Against the ACK before it, as this agent saw them come. */
static void note_answer(struct evidence *v, const struct evidence_case *c)
{
    struct evidence_server *s = &v->servers[c->server];
    const struct evidence_link *link = evidence_link_of(&v->silence, c->agent, c->server);
    bool is_preflight = (c->e->flags & EVENT_PREFLIGHT) != 0;
    uint32_t span_us;
    if (is_smooth(c->e) && !is_preflight) {
        note_offer(s, c->e);
    }
    bool is_spanned = ack_span(c->e, &span_us);
    bool has_waited =
        is_spanned && link->has_ack && link->last_ack_us > c->run_us - (int64_t)span_us;
    /* Since its DISCOVER: an OFFER waits behind another one's commit, too. */
    bool is_alone = is_spanned && is_timed(c->e->took_us) &&
                    !(link->has_ack && link->last_ack_us > c->run_us - (int64_t)c->e->took_us);
    if (is_alone) {
        note_alone(s, c->e, span_us);
    }
    if (is_preflight) {
        return;
    }
    evidence_slots_add(&s->slots, c->run_us, EVIDENCE_ACKS);
    if (!is_spanned) {
        evidence_slots_add(&s->slots, c->run_us, EVIDENCE_RETRIED);
    }
    if (has_waited) {
        evidence_slots_add(&s->slots, c->run_us, EVIDENCE_WAITED);
        record(&s->loaded_ack, span_us);
        record(&s->spacing, c->run_us - link->last_ack_us);
    }
}

/* --- first tries on the time axis --- */

static void note_try(struct evidence *v, size_t server, int64_t at_us, bool is_lost, bool is_mended)
{
    struct evidence_slots *slots = &v->servers[server].slots;
    evidence_slots_add(slots, at_us, EVIDENCE_TRIES);
    if (is_lost) {
        evidence_slots_add(slots, at_us, EVIDENCE_LOST);
    }
    if (is_lost && is_mended) {
        evidence_slots_add(slots, at_us, EVIDENCE_MENDED);
    }
}

/* DISCOVER and REQUEST are two; which of them had to be sent again the OFFER's time tells. */
static void note_acquire_tries(struct evidence *v, const struct evidence_case *c, size_t server)
{
    enum { MENDED_TRIES = 3 };
    const struct event *e = c->e;
    int64_t begun_us = c->run_us - e->took_us;
    bool is_sent_once = (e->flags & EVENT_DEADLINE) == 0 && e->tries <= 2 && c->has_lease;
    bool has_offer = is_timed(e->offer_us);
    bool is_mended = c->has_lease && e->tries == MENDED_TRIES;
    bool is_lost = !is_sent_once && (!has_offer || e->offer_us >= FIRST_RETRY_US);
    note_try(v, server, begun_us, is_lost, is_mended);
    if (has_offer) {
        bool is_late = e->took_us >= e->offer_us + FIRST_RETRY_US;
        bool is_again = !is_sent_once && (is_late || !c->has_lease);
        note_try(v, server, begun_us + e->offer_us, is_again, is_mended);
    }
}

static void note_tries(struct evidence *v, const struct evidence_case *c)
{
    const struct event *e = c->e;
    size_t server = c->server;
    if (server == SIZE_MAX) {
        /* Nobody answered: known where there was only one to ask. */
        const struct plan_relay *r = &v->plan->relays[plan_relay_of(v->plan, e->client)];
        server = r->to_count == 1 ? r->to[0] : SIZE_MAX;
    }
    if (server == SIZE_MAX || e->tries == 0 || !is_timed(e->took_us)) {
        return;
    }
    if (e->kind == EVENT_ACQUIRE) {
        note_acquire_tries(v, c, server);
        return;
    }
    bool is_lost = e->tries > 1 || e->result == EVENT_GAVE_UP;
    note_try(v, server, c->run_us - e->took_us, is_lost, c->has_lease && e->tries == 2);
}

/* --- which server a client has to do with --- */

static void note_home(struct evidence *v, const struct evidence_case *c)
{
    struct evidence_server *s = &v->servers[c->server];
    if ((c->e->flags & EVENT_FIRST_LEASE) != 0) {
        (void)evidence_set_add(v, &s->own, c->e->client);
        return;
    }
    if (evidence_set_has(&s->own, c->e->client)) {
        if (evidence_set_has(&s->left, c->e->client)) {
            (void)evidence_set_add(v, &s->back, c->e->client);
        }
        return;
    }
    for (uint32_t i = 0; i < v->plan->server_count; i++) {
        if (evidence_set_has(&v->servers[i].own, c->e->client)) {
            (void)evidence_set_add(v, &v->servers[i].left, c->e->client);
        }
    }
}

static void note_discover(struct evidence *v, const struct evidence_case *c)
{
    const struct event *e = c->e;
    const struct plan_relay *r = &v->plan->relays[plan_relay_of(v->plan, e->client)];
    struct evidence_discover d = {
        .agent = c->agent,
        .bucket = evidence_bucket_of_client(plan_client_mac(v->plan, e->client),
                                            dhcp4_profile_dhclient.sends_client_id),
        .begin_us = c->run_us - e->took_us,
        .offer_us = is_timed(e->offer_us) ? (int64_t)e->offer_us : -1,
        .to = r->to,
        .to_count = r->to_count,
    };
    if (r->to_count > 1 && is_timed(e->took_us) && e->tries > 0) {
        evidence_silence_discover(&v->silence, &d);
    }
}

static void note_lease(struct evidence *v, const struct evidence_case *c)
{
    struct evidence_link *link = evidence_link_of(&v->silence, c->agent, c->server);
    bool is_infinite = c->e->lease_s == UINT32_MAX;
    if (!is_infinite && c->e->lease_s > link->longest_lease_s) {
        link->longest_lease_s = c->e->lease_s;
    }
    link->is_natted = link->is_natted || (c->e->flags & EVENT_WRONG_PORT) != 0;
    note_answer(v, c);
    if ((c->e->flags & EVENT_PREFLIGHT) == 0) {
        note_home(v, c);
    }
    evidence_silence_ack(&v->silence, c->agent, c->server, c->run_us);
}

/* The deadline's event is followed by that of the exchange: one of them is enough. */
static bool is_whole(const struct event *e)
{
    return (e->flags & (EVENT_DEADLINE | EVENT_IN_PAUSE)) == 0;
}

void evidence_event(struct evidence *v, size_t agent, const struct event *e, int64_t run_us,
                    const struct live_lease *held)
{
    bool is_lease_kind = e->kind == EVENT_ACQUIRE || e->kind == EVENT_RENEW ||
                         e->kind == EVENT_REBIND || e->kind == EVENT_REBOOT;
    struct evidence_case c = {
        .agent = agent,
        .server = evidence_server_of(v, e->server),
        .e = e,
        .run_us = run_us,
        .held = held,
        .has_lease = is_lease_kind && (e->result == EVENT_ACK || e->result == EVENT_CHANGED),
    };
    bool is_preflight = (e->flags & EVENT_PREFLIGHT) != 0;
    if (!is_whole(e)) {
        return;
    }
    if (e->kind == EVENT_QUERY) {
        evidence_query(v, &c);
    }
    if (!is_lease_kind) {
        return;
    }
    if (c.has_lease && c.server != SIZE_MAX) {
        note_lease(v, &c);
    }
    if (e->kind == EVENT_RENEW) {
        evidence_renewal(v, &c);
    }
    if (c.has_lease) {
        evidence_repeated(v, &c);
    }
    if (is_preflight) {
        return;
    }
    if (e->result != EVENT_NAK) {
        note_tries(v, &c);
    }
    if (e->kind == EVENT_ACQUIRE) {
        note_discover(v, &c);
    } else if (e->kind == EVENT_REBIND) {
        evidence_rebind(v, &c);
    }
    evidence_relay_event(v, e);
}
