/* SPDX-License-Identifier: MIT */
/* What truth keeps of a pair of servers: who waited for whom, lease times, renewals to come. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/truth/truth_state.h"

bool truth_failover_init(struct truth *t)
{
    t->lease_times.expect_lease_s = t->plan->expect_lease_s;
    t->lease_times.expect_mclt_s = t->plan->expect_mclt_s;
    t->renewals.fuzz = t->plan->fuzz_permille / 1000.0;
    const struct scenario_stage *stages = t->scenario->stages.items;
    bool is_awaited = false;
    for (size_t i = 0; i < t->scenario->stages.count; i++) {
        is_awaited = is_awaited || stages[i].is_until_steady;
    }
    int64_t lease_us = (int64_t)t->plan->expect_lease_s * 1000000;
    if (is_awaited && lease_us > 0 && !steady_init(&t->steady, lease_us)) {
        return false;
    }
    return outage_by_relay(&t->outage, t->plan);
}

void truth_failover_fini(struct truth *t)
{
    outage_fini(&t->outage);
    lease_times_fini(&t->lease_times);
    renewal_wave_fini(&t->renewals);
    steady_fini(&t->steady);
}

bool truth_failover_has_memory(const struct truth *t)
{
    return !t->outage.is_out_of_memory && !t->lease_times.is_out_of_memory &&
           !t->renewals.is_out_of_memory;
}

static bool is_lease_kind(const struct event *e)
{
    return e->kind == EVENT_ACQUIRE || e->kind == EVENT_RENEW || e->kind == EVENT_REBIND ||
           e->kind == EVENT_REBOOT;
}

static bool has_lease(const struct event *e)
{
    return is_lease_kind(e) && (e->result == EVENT_ACK || e->result == EVENT_CHANGED);
}

/* Spans of 71 minutes and more do not fit into an event. */
static bool is_span_known(uint32_t span_us)
{
    return span_us < EVENT_SPAN_MAX;
}

static uint8_t server_of(const struct truth *t, struct ipv4 address)
{
    size_t server = truth_server_of(t, address);
    return server == SIZE_MAX ? LIVE_NO_SERVER : (uint8_t)server;
}

/*
 * The server that granted the client's latest lease. Events without an answer
 * name it too, which helps where the table has the address at a later holder.
 */
static uint8_t half_of(const struct truth *t, const struct event *e, const struct live_lease *held)
{
    if (held != NULL) {
        return held->server;
    }
    bool is_lease_lost =
        e->kind == EVENT_EXPIRE ||
        (e->result == EVENT_GAVE_UP && (e->kind == EVENT_RENEW || e->kind == EVENT_REBIND));
    return is_lease_lost ? server_of(t, e->server) : OUTAGE_NO_HALF;
}

/* A renewal the client began by itself at T1; what a load stage demands says nothing of leases. */
static bool is_own_renewal(const struct event *e)
{
    return e->kind == EVENT_RENEW && (e->flags & EVENT_EARLY) == 0;
}

static void track_ack(struct truth *t, const struct event *e, struct outage_who who, int64_t run_us)
{
    bool is_retried = is_own_renewal(e) && e->tries > 1 && is_span_known(e->took_us);
    bool knows_wait = e->kind == EVENT_REBIND && is_span_known(e->offer_us);
    if (is_retried) {
        outage_retried(&t->outage, who.half, e->took_us);
    }
    outage_end(&t->outage, who, server_of(t, e->server), run_us, knows_wait ? e->offer_us : 0);
}

static void track_outage(struct truth *t, const struct event *e, int64_t run_us,
                         const struct live_lease *held)
{
    struct outage_who who = {.client = e->client, .half = half_of(t, e, held)};
    bool is_held_nak = e->result == EVENT_NAK && is_lease_kind(e) && e->kind != EVENT_ACQUIRE;
    bool is_past_renew = is_own_renewal(e) && e->result == EVENT_GAVE_UP;
    if (is_past_renew || e->kind == EVENT_REBIND) {
        outage_at_risk(&t->outage, who);
    }
    if (is_past_renew && e->tries > 0) {
        outage_wait(&t->outage, who,
                    is_span_known(e->took_us) ? run_us - e->took_us : OUTAGE_UNKNOWN_US);
    }
    if (e->kind == EVENT_EXPIRE) {
        outage_expired(&t->outage, who);
    }
    if (has_lease(e)) {
        track_ack(t, e, who, run_us);
    } else if (e->kind == EVENT_EXPIRE || is_held_nak || (e->flags & EVENT_DEADLINE) != 0) {
        outage_begin(&t->outage, who, run_us);
    } else if (e->kind == EVENT_RELEASE || e->kind == EVENT_DECLINE) {
        outage_leave(&t->outage, e->client);
    }
}

static void track_lease_time(struct truth *t, const struct event *e, int64_t run_us)
{
    if (!has_lease(e)) {
        return;
    }
    uint8_t server = server_of(t, e->server);
    bool is_first = (e->flags & EVENT_FIRST_LEASE) != 0;
    lease_times_ack(&t->lease_times, server, e->lease_s, run_us, is_first);
    if (lease_times_is_short(&t->lease_times, e->lease_s)) {
        timeline_count(t->timeline, TIMELINE_acks_short_lease, run_us, 1);
        if (server != LIVE_NO_SERVER) {
            timeline_short_ack(t->timeline, server, run_us);
        }
    }
}

static void track_renewals(struct truth *t, const struct event *e, int64_t run_us,
                           const struct live_lease *held)
{
    bool is_replaced = has_lease(e) && (e->kind == EVENT_REBOOT || (e->flags & EVENT_EARLY) != 0);
    bool is_given_back = e->kind == EVENT_RELEASE || e->kind == EVENT_DECLINE;
    if (held != NULL && (is_replaced || is_given_back)) {
        renewal_wave_void(&t->renewals, e->lease_s, held->until_us, run_us);
    }
    if (is_own_renewal(e) && e->tries > 0 && is_span_known(e->took_us)) {
        int64_t begun_us = run_us - e->took_us;
        bool is_answered = e->result != EVENT_GAVE_UP && is_span_known(e->wait_us);
        renewal_wave_begun(&t->renewals, begun_us, held);
        steady_renewal(&t->steady, begun_us, is_answered ? e->wait_us : UINT64_MAX);
    }
    if (has_lease(e)) {
        renewal_wave_lease(&t->renewals, e->lease_s, truth_lease_start_us(e, run_us));
    }
}

void truth_failover_event(struct truth *t, const struct event *e, int64_t run_us,
                          const struct live_lease *held)
{
    track_outage(t, e, run_us, held);
    track_lease_time(t, e, run_us);
    track_renewals(t, e, run_us, held);
}

bool truth_is_steady(const struct truth *t, uint32_t stage, int64_t run_us, char *why, size_t size)
{
    assert(stage < t->plan->stage_count);
    bool is_learned;
    char text[STEADY_WHY_BYTES];
    uint32_t lease_s = renewal_wave_usual_lease_s(&t->renewals);
    const struct steady_question q = {
        .run_us = run_us,
        .since_us = (int64_t)(t->stages[stage].begin_s * 1e6),
        .t1_us = renewal_wave_t1_us(&t->renewals, lease_s, &is_learned),
        .bound = t->bound_total,
    };
    bool is_steady = t->stages[stage].was_begun && steady_reached(&t->steady, &q, text);
    (void)snprintf(why, size, "%s", t->stages[stage].was_begun ? text : "the stage was not begun");
    return is_steady;
}
