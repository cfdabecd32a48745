/* SPDX-License-Identifier: MIT */
/* The way of one event into everything that counts it. */
#include <assert.h>

#include "coordinator/truth/search_steps.h"
#include "coordinator/truth/truth_state.h"

static bool is_lease_kind(const struct event *e)
{
    return e->kind == EVENT_ACQUIRE || e->kind == EVENT_RENEW || e->kind == EVENT_REBIND ||
           e->kind == EVENT_REBOOT;
}

static bool has_lease(const struct event *e)
{
    return is_lease_kind(e) && (e->result == EVENT_ACK || e->result == EVENT_CHANGED);
}

/* One that a load stage demanded ends without an answer after seconds, not at T2. */
static bool is_given_up_at_t2(const struct event *e)
{
    return e->kind == EVENT_RENEW && e->result == EVENT_GAVE_UP && (e->flags & EVENT_EARLY) == 0;
}

static int64_t span_us(uint32_t span)
{
    return span == EVENT_SPAN_NONE ? 0 : span;
}

/* When the first packet of the exchange left. */
static int64_t begin_us(const struct event *e, int64_t run_us)
{
    return run_us - span_us(e->took_us);
}

/* A lease counts from the REQUEST that was answered, RFC 2131 4.4.1. */
int64_t truth_lease_start_us(const struct event *e, int64_t run_us)
{
    int64_t requested_us = begin_us(e, run_us);
    if (e->kind == EVENT_ACQUIRE) {
        requested_us += span_us(e->offer_us);
    }
    return requested_us > run_us ? run_us : requested_us;
}

static int64_t lease_until_us(const struct event *e, int64_t run_us)
{
    return truth_lease_start_us(e, run_us) + (int64_t)e->lease_s * 1000000;
}

static void track_address(struct truth *t, uint32_t agent, const struct event *e, int64_t run_us,
                          uint64_t uncertainty_us)
{
    live_addresses_uncertainty(t->live, agent, uncertainty_us);
    if (has_lease(e)) {
        size_t server = truth_server_of(t, e->server);
        struct live_holder who = {.client = e->client,
                                  .agent = agent,
                                  .server = server == SIZE_MAX ? LIVE_NO_SERVER : (uint8_t)server,
                                  .is_preflight = (e->flags & EVENT_PREFLIGHT) != 0};
        live_addresses_lease(t->live, e->addr, who, run_us, lease_until_us(e, run_us));
        if ((e->flags & EVENT_ADDRESS_CHANGED) != 0) {
            live_addresses_moved(t->live, e->client);
        }
        return;
    }
    bool is_over = e->kind == EVENT_RELEASE || e->kind == EVENT_DECLINE ||
                   e->kind == EVENT_EXPIRE || (is_lease_kind(e) && e->result == EVENT_NAK);
    if (is_over) {
        live_addresses_end(t->live, e->addr, e->client, run_us);
    }
}

static void track_relay(struct truth_relay *r, uint32_t agent, const struct result_leases *amount)
{
    r->agent = agent;
    r->acquired += amount->acquired;
    r->renewed += amount->renewed;
    r->rebound += amount->rebound;
    r->expired += amount->expired;
    r->failed += amount->failed;
    r->naks += amount->nak;
}

/*
 * DISCOVERs nobody answered. From an empty pool nobody who comes later gets an
 * address either; a lossy or slow server serves later clients before earlier ones.
 */
static void note_starved(struct truth_evidence *v, const struct event *e, int64_t run_us)
{
    enum { RACE_US = 1000000, TRIES_MIN = 3 };
    if (e->tries < TRIES_MIN || (e->flags & EVENT_DEADLINE) != 0) {
        return; /* the deadline's event is followed by that of the exchange */
    }
    int64_t begun_us = begin_us(e, run_us);
    v->starved++;
    if (v->last_acquired_begin_us > begun_us + RACE_US) {
        v->starved_overtaken++;
    } else if (begun_us < v->first_starved_begin_us) {
        v->first_starved_begin_us = begun_us;
    }
}

static bool is_first_acquire(const struct plan *plan, uint32_t stage)
{
    uint32_t first = 0;
    while (first < plan->stage_count && plan->stages[first].kind != PLAN_ACQUIRE) {
        first++;
    }
    return stage == first;
}

static void note_ramp(struct truth *t, const struct event *e, int64_t run_us)
{
    enum { TRIES_WITHOUT_LOSS = 2 };
    const struct result_stage *stage = &t->stages[e->stage];
    if (stage->was_begun && is_first_acquire(t->plan, e->stage)) {
        ramp_add(&t->evidence.ramp, (int64_t)(stage->begin_s * 1e6), begin_us(e, run_us),
                 e->tries > TRIES_WITHOUT_LOSS);
    }
}

bool truth_burst(const struct truth *t, struct ramp_burst *out)
{
    return ramp_find_burst(&t->evidence.ramp, ramp_canaries(t->plan->client_count), out);
}

static void note_lease_time(struct truth *t, const struct event *e)
{
    struct truth_evidence *v = &t->evidence;
    if (!accounting_lease_is_off(t->plan, e)) {
        return;
    }
    v->off_lease++;
    for (size_t i = 0; i < TRUTH_LEASE_TIMES; i++) {
        if (v->off_times[i].acks == 0 || v->off_times[i].lease_s == e->lease_s) {
            v->off_times[i].lease_s = e->lease_s;
            v->off_times[i].acks++;
            return;
        }
    }
}

static void note_server(struct truth *t, const struct event *e, int64_t run_us)
{
    size_t server = truth_server_of(t, e->server);
    if (server == SIZE_MAX) {
        return;
    }
    struct truth_server *s = &t->servers[server];
    if (has_lease(e)) {
        s->acks++;
        s->last_ack_us = run_us > s->last_ack_us ? run_us : s->last_ack_us;
        timeline_ack(t->timeline, (uint32_t)server, run_us);
    }
    s->renewed += e->kind == EVENT_RENEW && has_lease(e);
    s->renew_gave_up += is_given_up_at_t2(e);
    s->renew_ignored += is_given_up_at_t2(e) && s->last_ack_us > begin_us(e, run_us);
}

static void note_evidence(struct truth *t, const struct event *e, int64_t run_us)
{
    struct truth_evidence *v = &t->evidence;
    bool is_answer = e->result == EVENT_ACK || e->result == EVENT_CHANGED || e->result == EVENT_NAK;
    if (is_answer && run_us > v->last_answer_us) {
        v->last_answer_us = run_us;
    }
    v->wrong_port_acks += is_answer && (e->flags & EVENT_WRONG_PORT) != 0;
    if (e->kind == EVENT_ACQUIRE) {
        v->acquire_acks += has_lease(e);
        if (has_lease(e) && begin_us(e, run_us) > v->last_acquired_begin_us) {
            v->last_acquired_begin_us = begin_us(e, run_us);
        }
        v->acquire_naks += e->result == EVENT_NAK;
        if (has_lease(e) && (e->flags & EVENT_FIRST_LEASE) != 0) {
            note_ramp(t, e, run_us);
        }
        if (e->result == EVENT_GAVE_UP && (e->flags & EVENT_OFFER_SEEN) == 0) {
            note_starved(v, e, run_us);
        } else if (e->result == EVENT_GAVE_UP && (e->flags & EVENT_DEADLINE) == 0) {
            v->gave_up_with_offer++;
        }
        return;
    }
    v->held_naks += is_lease_kind(e) && e->result == EVENT_NAK;
    v->renew_gave_up += is_given_up_at_t2(e);
    v->rebind_gave_up += e->kind == EVENT_REBIND && e->result == EVENT_GAVE_UP;
}

static void draw_mean(struct truth *t, const struct event *e, int64_t run_us)
{
    if (!has_lease(e) || e->wait_us == EVENT_SPAN_NONE) {
        return;
    }
    if (e->kind == EVENT_ACQUIRE) {
        timeline_sample(t->timeline, TIMELINE_acquire_mean, run_us, e->wait_us);
    } else if (e->kind == EVENT_RENEW) {
        timeline_sample(t->timeline, TIMELINE_renew_mean, run_us, e->wait_us);
    }
}

static void draw(struct truth *t, const struct event *e, int64_t run_us,
                 const struct result_leases *amount)
{
    const struct {
        enum timeline_series series;
        uint64_t amount;
    } counts[] = {
        {TIMELINE_acquired, amount->acquired},
        {TIMELINE_reacquired, amount->reacquired},
        {TIMELINE_renewed, amount->renewed},
        {TIMELINE_rebound, amount->rebound},
        {TIMELINE_released, amount->released},
        {TIMELINE_expired, amount->expired},
        {TIMELINE_failed, amount->failed},
        {TIMELINE_nak, amount->nak},
        {TIMELINE_retried, e->kind == EVENT_RENEW && has_lease(e) && e->tries > 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        if (counts[i].amount > 0) {
            timeline_count(t->timeline, counts[i].series, run_us, (double)counts[i].amount);
        }
    }
    draw_mean(t, e, run_us);
}

static void note_rate(struct truth *t, int64_t run_us, const struct result_leases *amount)
{
    if (run_us < 0) {
        return;
    }
    int64_t second = run_us / 1000000;
    size_t slot = (size_t)(second % TRUTH_RATE_SECONDS);
    if (t->rate[slot].second != second) {
        t->rate[slot].second = second;
        t->rate[slot].acquired = t->rate[slot].renewed = 0;
    }
    t->rate[slot].acquired += amount->acquired + amount->reacquired;
    t->rate[slot].renewed += amount->renewed + amount->rebound;
}

/* Due after its stage's warm-up; always where there is none. */
static bool is_in_window(const struct truth *t, const struct event *e, int64_t run_us)
{
    if (e->stage >= t->plan->stage_count) {
        return false;
    }
    int64_t due_us = run_us - span_us(e->wait_us);
    return t->plan->stages[e->stage].warmup_ns == 0 || due_us >= t->measured_from_us[e->stage];
}

void truth_event(struct truth *t, size_t agent, const struct event *e, int64_t run_us,
                 uint64_t uncertainty_us)
{
    assert(agent < t->agent_count);
    bool is_judged = is_in_window(t, e, run_us);
    accounting_event(&t->accounting, agent, e, is_judged);
    if ((e->flags & EVENT_VOID) != 0) {
        return;
    }
    struct truth_agent_state *a = &t->agents[agent];
    a->has_offset = true;
    a->offset_us = run_us - (int64_t)e->t_us;
    if (uncertainty_us > a->event_uncertainty_us) {
        a->event_uncertainty_us = uncertainty_us;
    }

    bool is_preflight = (e->flags & EVENT_PREFLIGHT) != 0;
    if (e->client >= t->plan->client_count || (!is_preflight && e->stage >= t->plan->stage_count)) {
        t->evidence.strange_events++;
        return;
    }
    struct truth_relay *relay = &t->relays[plan_relay_of(t->plan, e->client)];
    struct result_leases amount;
    bool is_counted = accounting_leases_of(e, &amount);
    track_relay(relay, (uint32_t)agent, &amount);
    struct live_lease held; /* what it was before this event */
    bool is_held = live_addresses_find(t->live, e->addr, e->client, &held);
    bool is_history = truth_is_history(t, agent, e->client);
    if (!is_history) {
        truth_moves_event(t, e);
        track_address(t, (uint32_t)agent, e, run_us, uncertainty_us);
        evidence_event(&t->wire, agent, e, run_us, is_held ? &held : NULL);
    }
    truth_search_event(t, agent, e, run_us);
    if (!is_counted) {
        return;
    }
    if (is_judged && t->plan->stages[e->stage].warmup_ns > 0) {
        window_event(&t->window, e);
    }
    if (is_judged) {
        tries_event(&t->tries, e, t->plan->stages[e->stage].kind == PLAN_LOAD);
        truth_judge_event(t, e, run_us);
    }
    if (!is_history) {
        truth_failover_event(t, e, run_us, is_held ? &held : NULL);
    }
    note_evidence(t, e, run_us);
    note_lease_time(t, e);
    note_server(t, e, run_us);
    draw(t, e, run_us, &amount);
    note_rate(t, run_us, &amount);
}
