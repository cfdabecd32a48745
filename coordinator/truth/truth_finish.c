/* SPDX-License-Identifier: MIT */
/* From everything gathered to one struct result. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_wave.h"
#include "coordinator/truth/agent_self.h"
#include "coordinator/truth/findings.h"
#include "coordinator/truth/judge.h"
#include "coordinator/truth/search_steps.h"
#include "coordinator/truth/statistics.h"
#include "coordinator/truth/truth_state.h"
#include "coordinator/truth/verdict.h"
#include "proto/lease_names.h"

static void *array_of(size_t count, size_t size)
{
    return calloc(count + 1, size); /* never zero bytes, so that NULL means out of memory */
}

static uint64_t total_or_unknown(const struct truth *t, enum snapshot_counter c)
{
    for (size_t i = 0; i < t->agent_count; i++) {
        if (merge_latest(t->merge, i) != NULL) {
            return merge_total(t->merge, c);
        }
    }
    return RESULT_UNKNOWN;
}

/* What is judged of each stage: from the end of its warm-up to its own. */
static void fill_measured(const struct truth *t, const struct truth_closing *closing,
                          struct result *out)
{
    for (size_t i = 0; i < out->run.stage_count; i++) {
        struct result_stage *s = &out->run.stages[i];
        double from_s = (double)t->measured_from_us[i] / 1e6;
        double until_s = s->has_ended ? s->end_s : (double)closing->run_us / 1e6;
        bool is_any = s->was_begun && until_s > from_s;
        s->measured_from_s = is_any ? from_s : NAN;
        s->measured_until_s = is_any ? until_s : NAN;
    }
}

static bool fill_run(const struct truth *t, const struct truth_closing *closing, struct result *out)
{
    (void)snprintf(out->run.id, sizeof(out->run.id), "%s", t->plan->run_name);
    (void)snprintf(out->run.scenario, sizeof(out->run.scenario), "%s", t->plan->scenario);
    out->run.seed = t->plan->seed;
    static const char *const identities[] = {
        [IDENTITY_FRESH] = "fresh", [IDENTITY_FIXED] = "fixed", [IDENTITY_RETURNING] = "returning"};
    out->run.identity = identities[t->scenario->identity];
    out->run.version = LEASEHERD_VERSION;
    out->run.is_spin_off = t->scenario->is_spin_off;
    out->run.started_at_s = closing->started_at_s;
    out->run.duration_s = (double)closing->run_us / 1e6;
    out->run.lease_s = t->scenario->lease_ns == 0 ? NAN : (double)t->scenario->lease_ns / 1e9;
    out->run.production_lease_s = t->scenario->production_lease_ns == 0
                                      ? NAN
                                      : (double)t->scenario->production_lease_ns / 1e9;
    out->run.stages = array_of(t->plan->stage_count, sizeof(*out->run.stages));
    if (out->run.stages == NULL) {
        return false;
    }
    out->run.stage_count = t->plan->stage_count;
    memcpy(out->run.stages, t->stages, t->plan->stage_count * sizeof(*out->run.stages));
    fill_measured(t, closing, out);
    out->path = closing->path;
    out->path_is_known = closing->path_is_known;
    out->path_is_dnat = t->scenario->client_path == SCENARIO_PATH_DNAT;
    forecast_compression(t->scenario, out->compression, sizeof(out->compression));
    truth_fill_paced(t, out);
    truth_say_window_limited(t, out);
    forecast_housekeeping(t->scenario, out->housekeeping, sizeof(out->housekeeping));
    return true;
}

static void fill_messages(const struct truth *t, struct result *out)
{
    out->messages.is_known = total_or_unknown(t, COUNTER_sent_discover) != RESULT_UNKNOWN;
#define TAKE(name) out->messages.name = total_or_unknown(t, COUNTER_##name)
    TAKE(sent_discover);
    TAKE(sent_request);
    TAKE(sent_renew);
    TAKE(sent_rebind);
    TAKE(sent_reboot);
    TAKE(sent_decline);
    TAKE(sent_release);
    TAKE(sent_inform);
    TAKE(sent_query);
    TAKE(received_offer);
    TAKE(received_ack);
    TAKE(received_nak);
    TAKE(received_other);
    TAKE(received_malformed);
    TAKE(fate_answer);
    TAKE(fate_late);
    TAKE(fate_duplicate);
    TAKE(fate_alien);
    TAKE(fate_misrouted);
    TAKE(fate_malformed);
    TAKE(wrong_source_port);
#undef TAKE
    out->leases = t->accounting.total;
    out->renew_retried = total_or_unknown(t, COUNTER_renew_retried);
    out->renew_gave_up = t->evidence.renew_gave_up;
    out->unanswered_at_end = t->unanswered.is_known ? t->unanswered.total : RESULT_UNKNOWN;
}

struct starts {
    uint64_t planned, actual;
};

static struct starts starts_of(const struct truth *t)
{
    struct starts sum = {0, 0};
    for (size_t i = 0; i < t->agent_count; i++) {
        sum.planned += t->agents[i].planned_starts;
        sum.actual += t->agents[i].actual_starts;
    }
    return sum;
}

uint64_t truth_unfinished(const struct truth *t, uint8_t stage)
{
    if (stage != JUDGE_ALL_STAGES) {
        return tries_of(&t->tries, stage, LATENCY_ACQUIRE).gave_up;
    }
    uint64_t by_events = 0, by_counters = 0;
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        by_events += truth_unfinished(t, (uint8_t)i);
    }
    for (size_t i = 0; i < t->agent_count; i++) {
        by_counters += t->is_lost[i] ? 0 : merge_counter(t->merge, i, COUNTER_clients_failed);
    }
    /* Clients the end of the run cut off have no event of their own. */
    uint64_t unfinished = by_events > by_counters ? by_events : by_counters;
    struct starts starts = starts_of(t);
    return unfinished + (starts.planned > starts.actual ? starts.planned - starts.actual : 0);
}

uint64_t truth_gave_up(const struct truth *t, enum latency_metric metric, uint8_t stage)
{
    if (metric == LATENCY_ACQUIRE) {
        return truth_unfinished(t, stage);
    }
    unsigned of = stage == JUDGE_ALL_STAGES ? PLAN_STAGES_MAX : stage;
    return tries_of(&t->tries, of, metric).gave_up;
}

static void fill_latencies(const struct truth *t, struct result *out)
{
    for (unsigned clock = 0; clock < LATENCY_CLOCK_COUNT; clock++) {
        for (unsigned metric = 0; metric < LATENCY_METRIC_COUNT; metric++) {
            struct merge_query query = {.metric = (enum latency_metric)metric,
                                        .clock = (enum latency_clock)clock,
                                        .stage = MERGE_ANY,
                                        .agent = SIZE_MAX};
            struct histogram h;
            truth_latency(t, &query, &h);
            uint64_t unfinished =
                clock == LATENCY_INTENDED ? truth_gave_up(t, query.metric, JUDGE_ALL_STAGES) : 0;
            statistics_latency(&h, unfinished, &out->latency[clock][metric]);
            if (clock == LATENCY_INTENDED) {
                statistics_latency(&h, 0, &out->latency_success[metric]);
            }
        }
    }
    for (unsigned metric = 0; metric < LATENCY_METRIC_COUNT; metric++) {
        out->tries[metric] = tries_of(&t->tries, PLAN_STAGES_MAX, (enum latency_metric)metric);
        out->tries[metric].gave_up =
            truth_gave_up(t, (enum latency_metric)metric, JUDGE_ALL_STAGES);
    }
}

static double stage_seconds(const struct result_stage *s, const struct truth_closing *closing)
{
    if (!s->was_begun) {
        return 0;
    }
    double end_s = s->has_ended ? s->end_s : (double)closing->run_us / 1e6;
    return end_s > s->begin_s ? end_s - s->begin_s : 0;
}

/* Starts per second as the plan has them, over all begun stages of the open model; NAN: none. */
static double planned_per_s(const struct truth *t)
{
    double starts = 0, seconds = 0;
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        double per_s = (double)t->plan->stages[i].rate_milli_per_s / 1000;
        bool is_search = t->plan->stages[i].kind == PLAN_LOAD;
        if (t->stages[i].was_begun && per_s > 0 && !is_search) {
            starts += t->plan->client_count;
            seconds += t->plan->client_count / per_s;
        }
    }
    return seconds > 0 ? starts / seconds : NAN;
}

/*
 * Starts per second as they were. A single open-model acquire stage is measured
 * from its schedule's first start to its last: the canaries before and the
 * waiting for answers behind are no part of the rate.
 */
static double sent_per_s(const struct truth *t, uint32_t paced_stages, double paced_s,
                         uint64_t starts)
{
    enum { STARTS_MIN = 100 };
    struct ramp_burst burst;
    if (starts == RESULT_UNKNOWN || paced_s <= 0) {
        return NAN;
    }
    bool is_open = !isnan(planned_per_s(t));
    if (is_open && paced_stages == 1 && truth_burst(t, &burst)) {
        uint64_t begun = burst.begun + burst.later;
        double seconds = (double)(burst.last_us - burst.begin_us) / 1e6;
        if (begun >= STARTS_MIN && seconds > 0) {
            return (double)(begun - 1) / seconds;
        }
    }
    return (double)starts / paced_s;
}

/* Of the stages before a search: that one has a rate for each of its steps. */
static void fill_rates(const struct truth *t, const struct truth_closing *closing,
                       struct result *out)
{
    double acquire_s = 0, paced_s = 0, slot_s = 0;
    uint64_t acquired = 0;
    uint32_t paced_stages = 0;
    out->rates.is_closed_model = t->plan->stages[0].kind != PLAN_LOAD;
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        const struct plan_stage *stage = &t->plan->stages[i];
        if (stage->kind == PLAN_LOAD) {
            break;
        }
        double seconds = stage_seconds(&t->stages[i], closing);
        if (stage->kind == PLAN_ACQUIRE) {
            acquire_s += seconds;
            acquired += t->accounting.stage[i].acquired;
        }
        if (stage->kind != PLAN_HOLD && t->stages[i].was_begun) {
            paced_s += seconds;
            paced_stages++;
        }
        slot_s += seconds * stage->batch;
        out->rates.is_closed_model = out->rates.is_closed_model && stage->rate_milli_per_s == 0;
    }
    uint64_t waited_ns = merge_total(t->merge, COUNTER_slot_wait_ns);
    bool is_known = total_or_unknown(t, COUNTER_planned_starts) != RESULT_UNKNOWN;
    out->rates.planned_starts = is_known ? starts_of(t).planned : RESULT_UNKNOWN;
    out->rates.actual_starts = is_known ? starts_of(t).actual : RESULT_UNKNOWN;
    out->rates.planned_per_s = planned_per_s(t);
    out->rates.sent_per_s = sent_per_s(t, paced_stages, paced_s, out->rates.actual_starts);
    out->rates.acquired_per_s_mean = acquire_s > 0 ? (double)acquired / acquire_s : NAN;
    out->rates.acquired_per_s_peak = timeline_peak_per_s(t->timeline, TIMELINE_acquired);
    out->rates.retransmission_wait_percent =
        slot_s > 0 ? 100 * (double)waited_ns / 1e9 / slot_s : NAN;
}

static void fill_addresses(const struct truth *t, struct result *out)
{
    live_addresses_decide_all(t->live);
    struct live_figures figures = live_addresses_figures(t->live);
    out->addresses.distinct = figures.distinct;
    out->addresses.duplicate = figures.duplicates;
    out->addresses.outside_subnet = t->accounting.outside_subnet;
    out->addresses.changed_on_renew = t->accounting.changed_on_renew;
}

static bool fill_servers(const struct truth *t, struct result *out)
{
    out->servers = array_of(t->plan->server_count, sizeof(*out->servers));
    if (out->servers == NULL) {
        return false;
    }
    out->server_count = t->plan->server_count;
    uint64_t answered = 0;
    for (size_t i = 0; i < out->server_count; i++) {
        answered += t->servers[i].acks;
    }
    for (uint32_t i = 0; i < t->plan->server_count; i++) {
        struct result_server *s = &out->servers[i];
        struct snapshot_server counted = merge_server(t->merge, i);
        (void)snprintf(s->name, sizeof(s->name), "%s", t->plan->servers[i].name);
        s->server_id = t->plan->servers[i].address;
        s->offers = counted.offers;
        s->acks = counted.acks;
        s->naks = counted.naks;
        s->share_percent =
            answered == 0 ? NAN : 100 * (double)t->servers[i].acks / (double)answered;
    }
    return true;
}

static bool fill_relays(const struct truth *t, struct result *out)
{
    out->relays = array_of(t->plan->relay_count, sizeof(*out->relays));
    if (out->relays == NULL) {
        return false;
    }
    out->relay_count = t->plan->relay_count;
    for (uint32_t i = 0; i < t->plan->relay_count; i++) {
        const struct plan_relay *from = &t->plan->relays[i];
        const struct truth_relay *seen = &t->relays[i];
        struct result_relay *r = &out->relays[i];
        *r = (struct result_relay){
            .giaddr = from->giaddr,
            .via = from->via,
            .subnet = from->subnet,
            .clients = from->client_count,
            .acquired = seen->acquired,
            .renewed = seen->renewed,
            .rebound = seen->rebound,
            .expired = seen->expired,
            .failed = seen->failed,
            .naks = seen->naks,
        };
        (void)snprintf(r->name, sizeof(r->name), "%s", from->name);
        if (seen->agent != TRUTH_NO_AGENT) {
            (void)snprintf(r->agent, sizeof(r->agent), "%s", t->agents[seen->agent].name);
        }
    }
    return true;
}

static uint64_t agent_latency_us(const struct truth *t, size_t agent, enum latency_metric metric,
                                 double percent)
{
    struct merge_query query = {
        .metric = metric, .clock = LATENCY_INTENDED, .stage = MERGE_ANY, .agent = agent};
    struct histogram h;
    merge_latency(t->merge, &query, &h);
    return h.count == 0 ? RESULT_UNKNOWN : statistics_us(histogram_percentile_ns(&h, percent));
}

static void fill_agent(const struct truth *t, size_t i, struct result_agent *out)
{
    const struct truth_agent_state *a = &t->agents[i];
    const struct snapshot *s = merge_latest(t->merge, i);
    (void)snprintf(out->name, sizeof(out->name), "%s", a->name);
    out->is_lost = t->is_lost[i];
    out->clients = t->clients[i];
    out->clients_moved = t->moved[i];
    out->has_clock = a->has_clock;
    out->clock_offset_us = a->clock.offset_us;
    out->clock_uncertainty_us = a->clock.uncertainty_us > a->event_uncertainty_us
                                    ? a->clock.uncertainty_us
                                    : a->event_uncertainty_us;
    out->clock_rate_ppm = a->has_clock ? a->clock.rate_ppm : NAN;
    out->clock_breaks = a->clock.breaks;
    out->send_lag_us = agent_latency_us(t, i, LATENCY_SEND_LAG, 99);
    out->start_lateness_us = agent_latency_us(t, i, LATENCY_START_LATENESS, 100);
    out->cpu_percent = NAN;
    out->has_snapshot = s != NULL;
    agent_self_fill(s, &out->self);
    if (s == NULL) {
        return;
    }
    for (unsigned c = COUNTER_sent_discover; c <= COUNTER_sent_inform; c++) {
        out->sent += s->counter[c];
    }
    out->sent += s->counter[COUNTER_sent_query];
    for (unsigned c = COUNTER_received_offer; c <= COUNTER_received_malformed; c++) {
        out->received += s->counter[c];
    }
    out->send_errors = s->counter[COUNTER_send_errors];
    out->rx_drops = s->counter[COUNTER_rx_drops];
    out->rx_stamps_replaced = s->counter[COUNTER_rx_stamp_replaced];
    out->clients_taken = s->counter[COUNTER_clients_taken];
    out->pauses = s->counter[COUNTER_pauses];
    out->paused_s = (double)s->counter[COUNTER_paused_ns] / 1e9;
    out->alone_s = (double)s->counter[COUNTER_alone_ns] / 1e9;
    if (s->counter[COUNTER_elapsed_ns] > 0) {
        out->cpu_percent =
            100 * (double)s->counter[COUNTER_cpu_ns] / (double)s->counter[COUNTER_elapsed_ns];
    }
}

static bool fill_agents(const struct truth *t, struct result *out)
{
    out->agents = array_of(t->agent_count, sizeof(*out->agents));
    if (out->agents == NULL) {
        return false;
    }
    out->agent_count = t->agent_count;
    for (size_t i = 0; i < t->agent_count; i++) {
        fill_agent(t, i, &out->agents[i]);
    }
    return true;
}

static bool fill_unexpected(const struct truth *t, struct result *out)
{
    uint64_t counts[LEASE_STATE_COUNT][LEASE_EVENT_COUNT] = {0};
    size_t pairs = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct snapshot *s = merge_latest(t->merge, i);
        for (uint32_t k = 0; s != NULL && k < s->unexpected_count; k++) {
            const struct snapshot_unexpected *u = &s->unexpected[k];
            if (u->state < LEASE_STATE_COUNT && u->event < LEASE_EVENT_COUNT) {
                pairs += counts[u->state][u->event] == 0 && u->count > 0;
                counts[u->state][u->event] += u->count;
            }
        }
    }
    out->unexpected = array_of(pairs, sizeof(*out->unexpected));
    if (out->unexpected == NULL) {
        return false;
    }
    for (int state = 0; state < LEASE_STATE_COUNT; state++) {
        for (int event = 0; event < LEASE_EVENT_COUNT; event++) {
            if (counts[state][event] > 0) {
                out->unexpected[out->unexpected_count++] =
                    (struct result_unexpected){.state = lease_state_name((enum lease_state)state),
                                               .event = lease_event_name((enum lease_event)event),
                                               .count = counts[state][event]};
            }
        }
    }
    return true;
}

static bool fill_preflight(const struct truth *t, struct result *out)
{
    out->preflight.relays = array_of(t->preflight_count, sizeof(*out->preflight.relays));
    if (out->preflight.relays == NULL) {
        return false;
    }
    out->preflight.relay_count = t->preflight_count;
    if (t->preflight_count > 0) {
        memcpy(out->preflight.relays, t->preflight, t->preflight_count * sizeof(*t->preflight));
    }
    if (!truth_fill_preflight_checks(t, out)) {
        return false;
    }
    out->preflight.was_run = t->preflight_count > 0;
    out->preflight.sent = total_or_unknown(t, COUNTER_preflight_sent);
    out->preflight.received = total_or_unknown(t, COUNTER_preflight_received);
    out->preflight.events = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        out->preflight.events += t->accounting.agents[i].preflight_events;
    }
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct result_mark *x = a, *y = b;
    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

static bool fill_timeline(const struct truth *t, const struct truth_closing *closing,
                          struct result *out)
{
    out->timeline.marks = array_of(t->mark_count, sizeof(*out->timeline.marks));
    if (out->timeline.marks == NULL) {
        return false;
    }
    out->timeline.mark_count = t->mark_count;
    if (t->mark_count > 0) {
        memcpy(out->timeline.marks, t->marks, t->mark_count * sizeof(*t->marks));
        qsort(out->timeline.marks, t->mark_count, sizeof(*t->marks), by_time);
    }
    return timeline_fill(t->timeline, closing->run_us, &out->timeline) &&
           truth_failover_series(t, &out->timeline) &&
           (t->observers == NULL || observers_fill(t->observers, out->run.duration_s, out));
}

static void fill_accounting(const struct truth *t, const struct truth_closing *closing,
                            struct result *out)
{
    const struct accounting_facts facts = {
        .merge = t->merge,
        .clients = t->clients,
        .is_lost = t->is_lost,
        .client_count = t->plan->client_count,
        .ledger_events = closing->ledger_events,
        .duplicates_dropped = closing->duplicates_dropped,
        .missing_batches = closing->missing_batches,
    };
    (void)accounting_prove(&t->accounting, &facts, out); /* the verdict reads the checks */
}

bool truth_finish(struct truth *t, const struct truth_closing *closing, struct result *out)
{
    *out = (struct result){0};
    truth_pauses_finish(t);
    fill_accounting(t, closing, out);
    fill_messages(t, out);
    fill_latencies(t, out);
    fill_rates(t, closing, out);
    fill_addresses(t, out);
    bool is_good = truth_failover_fill(t, closing, out) && fill_run(t, closing, out) &&
                   fill_servers(t, out) && fill_relays(t, out) && fill_agents(t, out) &&
                   fill_unexpected(t, out) && fill_preflight(t, out) &&
                   fill_timeline(t, closing, out) && truth_search_finish(t, out) &&
                   truth_fill_judgements(t, closing, out) && findings_make(t, out);
    is_good = is_good && !t->is_out_of_memory && !t->window.is_out_of_memory &&
              !t->wire.is_out_of_memory && truth_failover_has_memory(t) &&
              !live_addresses_figures(t->live).is_out_of_memory;
    if (!is_good) {
        result_free(out);
        return false;
    }
    verdict_decide(t, out);
    return true;
}
