/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/truth.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/search_steps.h"
#include "coordinator/truth/statistics.h"
#include "coordinator/truth/truth_state.h"

/* 0 in the plan: the stage has none. */
static double or_nan(double value)
{
    return value > 0 ? value : NAN;
}

static void init_stages(struct truth *t)
{
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        struct result_stage *stage = &t->stages[i];
        (void)snprintf(stage->name, sizeof(stage->name), "%s", t->plan->stages[i].name);
        stage->kind = t->plan->stages[i].kind;
        stage->batch = t->plan->stages[i].batch;
        stage->rate_per_s = or_nan((double)t->plan->stages[i].rate_milli_per_s / 1e3);
        stage->duration_s = or_nan((double)t->plan->stages[i].duration_ns / 1e9);
    }
}

struct truth *truth_new(const struct scenario *scenario, const struct plan *plan,
                        const struct truth_agent *agents, size_t agent_count)
{
    struct truth *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    t->scenario = scenario;
    t->plan = plan;
    t->agent_count = agent_count;
    t->agents = calloc(agent_count + 1, sizeof(*t->agents));
    t->clients = calloc(agent_count + 1, sizeof(*t->clients));
    t->is_lost = calloc(agent_count + 1, sizeof(*t->is_lost));
    t->relays = calloc(plan->relay_count + 1, sizeof(*t->relays));
    t->merge = merge_new(agent_count);
    t->live = live_addresses_new(agent_count, truth_agent_of, t);
    t->timeline = timeline_new(plan);
    if (!accounting_init(&t->accounting, agent_count) || t->agents == NULL || t->clients == NULL ||
        t->is_lost == NULL || t->relays == NULL || t->merge == NULL || t->live == NULL ||
        t->timeline == NULL || !truth_judge_init(t) || !truth_failover_init(t) ||
        !truth_moves_init(t) || !evidence_init(&t->wire, plan, agent_count)) {
        truth_free(t);
        return NULL;
    }
    for (size_t i = 0; i < agent_count; i++) {
        (void)snprintf(t->agents[i].name, sizeof(t->agents[i].name), "%s", agents[i].name);
        t->clients[i] = agents[i].clients;
    }
    for (uint32_t i = 0; i < plan->relay_count; i++) {
        t->relays[i].agent = TRUTH_NO_AGENT;
    }
    init_stages(t);
    t->evidence.last_answer_us = t->evidence.last_acquired_begin_us = INT64_MIN;
    t->evidence.first_starved_begin_us = INT64_MAX;
    for (size_t i = 0; i < PLAN_SERVERS_MAX; i++) {
        t->servers[i].last_ack_us = INT64_MIN;
    }
    return t;
}

void truth_free(struct truth *t)
{
    if (t == NULL) {
        return;
    }
    merge_free(t->merge);
    accounting_fini(&t->accounting);
    live_addresses_free(t->live);
    truth_failover_fini(t);
    truth_moves_fini(t);
    evidence_fini(&t->wire);
    observers_free(t->observers);
    timeline_free(t->timeline);
    window_fini(&t->window);
    truth_judge_fini(t);
    free(t->agents);
    free(t->clients);
    free(t->is_lost);
    free(t->relays);
    free(t->preflight);
    free(t->preflight_checks);
    free(t->marks);
    truth_search_free(t);
    free(t);
}

uint32_t truth_agent_of(const void *truth, uint32_t client)
{
    const struct truth *t = truth;
    uint32_t moved = truth_moved_to(t, client);
    if (moved != TRUTH_NO_AGENT) {
        return moved;
    }
    uint32_t agent = t->relays[plan_relay_of(t->plan, client)].agent;
    return agent == TRUTH_NO_AGENT ? 0 : agent;
}

size_t truth_server_of(const struct truth *t, struct ipv4 address)
{
    for (uint32_t i = 0; i < t->plan->server_count; i++) {
        if (inet_equal(t->plan->servers[i].address, address)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* --- snapshots --- */

static uint64_t sum_counters(const struct snapshot *s, enum snapshot_counter first,
                             enum snapshot_counter last)
{
    uint64_t sum = 0;
    for (unsigned c = first; c <= (unsigned)last; c++) {
        sum += s->counter[c];
    }
    return sum;
}

static uint64_t sent_of(const struct snapshot *s)
{
    return sum_counters(s, COUNTER_sent_discover, COUNTER_sent_inform) +
           s->counter[COUNTER_sent_query];
}

static uint64_t received_of(const struct snapshot *s)
{
    return sum_counters(s, COUNTER_received_offer, COUNTER_received_malformed);
}

uint64_t truth_sent_total(const struct truth *t)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct snapshot *s = merge_latest(t->merge, i);
        sum += s == NULL ? 0 : sent_of(s);
    }
    return sum;
}

uint64_t truth_received_total(const struct truth *t)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct snapshot *s = merge_latest(t->merge, i);
        sum += s == NULL ? 0 : received_of(s);
    }
    return sum;
}

/*
 * An open-model agent more than 1 % behind its schedule for three seconds is
 * not the load that was asked for, even when it catches up later.
 */
static void watch_schedule(struct truth *t, size_t agent, const struct snapshot *s)
{
    enum { STARTS_MIN = 1000, SNAPSHOTS_IN_A_ROW = 3 };
    struct truth_agent_state *a = &t->agents[agent];
    uint64_t planned = s->counter[COUNTER_planned_starts];
    uint64_t actual = s->counter[COUNTER_actual_starts];
    if (t->is_any_stage_begun && t->plan->stages[t->stage].kind == PLAN_LOAD) {
        return;
    }
    a->planned_starts = planned;
    a->actual_starts = actual;
    bool is_open = t->is_any_stage_begun && t->plan->stages[t->stage].rate_milli_per_s > 0;
    bool is_behind = is_open && planned >= STARTS_MIN && actual * 100 < planned * 99;
    if (!is_behind) {
        a->shortfall_streak = 0;
        return;
    }
    a->shortfall_streak++;
    double percent = 100 * (double)(planned - actual) / (double)planned;
    if (a->shortfall_streak >= SNAPSHOTS_IN_A_ROW) {
        t->evidence.shortfall_agents += a->shortfall_streak == SNAPSHOTS_IN_A_ROW;
        if (percent > t->evidence.worst_shortfall_percent) {
            t->evidence.worst_shortfall_percent = percent;
            t->evidence.worst_shortfall_agent = agent;
        }
    }
}

static void take_totals(struct truth *t, size_t agent, const struct snapshot *s)
{
    struct truth_agent_state *a = &t->agents[agent];
    uint64_t bound = t->is_lost[agent] ? 0 : s->counter[COUNTER_clients_bound];
    uint64_t open = t->is_lost[agent] ? 0 : s->counter[COUNTER_exchanges_open];
    t->bound_total += bound - a->bound;
    t->open_total += open - a->open;
    a->bound = bound;
    a->open = open;
}

/*
 * The drain waits ten seconds for open exchanges and then abandons them without
 * a word: a renewal that saw neither T2 nor its lease's end has no event. What is
 * open shortly before that has had no answer. Settled once, when all agents have
 * told, and before the clean-up's RELEASEs empty the table of leases.
 */
static void watch_drain(struct truth *t, size_t agent, const struct snapshot *s, int64_t run_us)
{
    enum { BEGUN_US = 1000000, LATE_US = 8000000 };
    struct truth_agent_state *a = &t->agents[agent];
    int64_t end_us = (int64_t)(t->stages[t->stage].end_s * 1e6);
    if (!t->is_any_stage_begun || !t->stages[t->stage].has_ended || t->unanswered.is_known) {
        return;
    }
    uint64_t open = s->counter[COUNTER_exchanges_open];
    bool is_late = run_us >= end_us + LATE_US;
    a->has_drain_figures = s->is_final || is_late || (open == 0 && run_us >= end_us + BEGUN_US);
    /* Open at an earlier end: cut off by a hard stop, which proves nothing. */
    a->unanswered = is_late ? open : 0;
    uint64_t total = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        if (!t->agents[i].has_drain_figures && !t->is_lost[i]) {
            return;
        }
        total += t->is_lost[i] ? 0 : t->agents[i].unanswered;
    }
    t->unanswered.is_known = true;
    t->unanswered.total = total;
    if (total > 0) {
        live_addresses_oldest(t->live, total, t->unanswered.by_server);
    }
}

void truth_snapshot(struct truth *t, size_t agent, const struct snapshot *s)
{
    assert(agent < t->agent_count);
    struct truth_agent_state *a = &t->agents[agent];
    if (!merge_snapshot(t->merge, agent, s)) {
        return;
    }
    watch_schedule(t, agent, s);
    take_totals(t, agent, s);
    if (!a->has_offset) {
        return; /* no event has shown this agent's clock yet: nothing to draw */
    }
    int64_t run_us = (int64_t)(s->at_ns / NS_PER_US) + a->offset_us;
    uint64_t sent = sent_of(s), received = received_of(s);
    int64_t from_us = a->has_snapshot_time ? a->snapshot_at_us : 0;
    if (!a->has_snapshot_time) { /* what was sent before the start instant is not on this axis */
        a->snapshot_sent = s->counter[COUNTER_preflight_sent];
        a->snapshot_received = s->counter[COUNTER_preflight_received];
    }
    timeline_spread(t->timeline, TIMELINE_sent, from_us, run_us, (double)(sent - a->snapshot_sent));
    timeline_spread(t->timeline, TIMELINE_received, from_us, run_us,
                    (double)(received - a->snapshot_received));
    timeline_gauge(t->timeline, TIMELINE_bound, run_us, (double)t->bound_total);
    timeline_gauge(t->timeline, TIMELINE_open, run_us, (double)t->open_total);
    watch_drain(t, agent, s, run_us);
    truth_pauses_snapshot(t, agent, s, run_us);
    a->has_snapshot_time = true;
    a->snapshot_at_us = run_us;
    a->snapshot_sent = sent;
    a->snapshot_received = received;
}

const struct snapshot *truth_latest(const struct truth *t, size_t agent)
{
    return merge_latest(t->merge, agent);
}

void truth_histogram(struct truth *t, size_t agent, const struct control_histogram *h)
{
    assert(agent < t->agent_count);
    if (!merge_histogram(t->merge, agent, h)) {
        t->is_out_of_memory = true;
    }
}

void truth_latency(const struct truth *t, const struct merge_query *query, struct histogram *out)
{
    if (query->agent != SIZE_MAX || query->metric >= LATENCY_SEND_LAG) {
        merge_latency(t->merge, query, out);
        return;
    }
    *out = (struct histogram){0};
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        if (query->stage != MERGE_ANY && query->stage != i) {
            continue;
        }
        if (t->plan->stages[i].warmup_ns > 0) {
            window_add(&t->window, i, query->metric, query->clock, out);
            continue;
        }
        struct merge_query of_stage = *query;
        struct histogram h;
        of_stage.stage = i;
        merge_latency(t->merge, &of_stage, &h);
        histogram_merge(out, &h);
    }
}

void truth_watermark(struct truth *t, size_t agent, int64_t run_us)
{
    assert(agent < t->agent_count);
    live_addresses_watermark(t->live, (uint32_t)agent, run_us);
    truth_judge_watermark(t, agent, run_us);
}

/* --- what the run tells --- */

static void copy_path(struct result_preflight_relay *to, const struct control_preflight_relay *r)
{
    to->path_count = r->path_count < PLAN_PATH_COUNT ? r->path_count : PLAN_PATH_COUNT;
    for (uint32_t i = 0; i < to->path_count; i++) {
        const struct control_preflight_path *path = &r->path[i];
        to->path[i].name =
            path->path < PLAN_PATH_COUNT ? plan_path_name((enum plan_path)path->path) : "unknown";
        to->path[i].renew_sent = path->renew_sent;
        to->path[i].renew_acked = path->renew_acked;
        to->path[i].wrong_port = path->wrong_port;
        to->path[i].send_errno = path->send_errno;
    }
}

void truth_preflight(struct truth *t, size_t agent, const struct control_preflight_relay *r)
{
    assert(agent < t->agent_count);
    if (r->relay >= t->plan->relay_count) {
        return;
    }
    if (t->preflight_count == t->preflight_capacity) {
        size_t capacity = t->preflight_capacity == 0 ? 16 : 2 * t->preflight_capacity;
        void *grown = realloc(t->preflight, capacity * sizeof(*t->preflight));
        if (grown == NULL) {
            t->is_out_of_memory = true;
            return;
        }
        t->preflight = grown;
        t->preflight_capacity = capacity;
    }
    t->relays[r->relay].agent = (uint32_t)agent;
    struct result_preflight_relay *to = &t->preflight[t->preflight_count++];
    *to = (struct result_preflight_relay){
        .clients = r->clients,
        .offered = r->offered,
        .bound = r->bound,
        .foreign_offers = r->foreign_offers,
        .naks = r->naks,
        .send_errno = r->send_errno,
    };
    (void)snprintf(to->relay, sizeof(to->relay), "%s", t->plan->relays[r->relay].name);
    (void)snprintf(to->agent, sizeof(to->agent), "%s", t->agents[agent].name);
    copy_path(to, r);
}

void truth_agent_lost(struct truth *t, size_t agent, int64_t run_us)
{
    assert(agent < t->agent_count);
    if (t->is_lost[agent]) {
        return;
    }
    t->is_lost[agent] = true;
    t->lost_agent = (uint32_t)agent;
    t->bound_total -= t->agents[agent].bound;
    t->open_total -= t->agents[agent].open;
    t->agents[agent].bound = t->agents[agent].open = 0;
    live_addresses_agent_lost(t->live, (uint32_t)agent);
    truth_judge_watermark(t, agent, INT64_MAX);
    size_t at = strlen(t->lost_text);
    (void)snprintf(t->lost_text + at, sizeof(t->lost_text) - at, "%s%s at %.1f s",
                   at == 0 ? "" : ", ", t->agents[agent].name, (double)run_us / 1e6);
    char text[PLAN_NAME_BYTES + 16];
    (void)snprintf(text, sizeof(text), "agent %s lost", t->agents[agent].name);
    truth_mark_as(t, run_us, MARK_AGENT, text);
}

void truth_agent_clock(struct truth *t, size_t agent, const struct truth_clock *clock)
{
    assert(agent < t->agent_count);
    t->agents[agent].has_clock = true;
    t->agents[agent].clock = *clock;
}

void truth_stage_begin(struct truth *t, uint32_t stage, int64_t run_us)
{
    assert(stage < t->plan->stage_count);
    struct result_stage *s = &t->stages[stage];
    if (s->was_begun) {
        return; /* the next step of the same stage */
    }
    s->was_begun = true;
    s->begin_s = (double)run_us / 1e6;
    t->stage = stage;
    t->is_any_stage_begun = true;
    t->unanswered = (struct truth_unanswered){0};
    for (size_t i = 0; i < t->agent_count; i++) {
        t->agents[i].has_drain_figures = false;
    }
    truth_judge_stage_begin(t, stage,
                            run_us + (int64_t)(t->plan->stages[stage].warmup_ns / NS_PER_US));
    outage_stage_begin(&t->outage);
}

void truth_stage_end(struct truth *t, uint32_t stage, int64_t run_us, bool timed_out)
{
    assert(stage < t->plan->stage_count);
    struct result_stage *s = &t->stages[stage];
    s->has_ended = true;
    s->timed_out = timed_out;
    s->end_s = (double)run_us / 1e6;
    truth_judge_stage_end(t, stage, run_us);
    outage_stage_end(&t->outage, run_us);
}

void truth_mark_as(struct truth *t, int64_t run_us, enum result_mark_kind kind, const char *text)
{
    if (t->mark_count == t->mark_capacity) {
        size_t capacity = t->mark_capacity == 0 ? 16 : 2 * t->mark_capacity;
        void *grown = realloc(t->marks, capacity * sizeof(*t->marks));
        if (grown == NULL) {
            t->is_out_of_memory = true;
            return;
        }
        t->marks = grown;
        t->mark_capacity = capacity;
    }
    struct result_mark *mark = &t->marks[t->mark_count++];
    mark->at_s = (double)run_us / 1e6;
    mark->kind = kind;
    (void)snprintf(mark->text, sizeof(mark->text), "%s", text);
}

void truth_mark(struct truth *t, int64_t run_us, const char *text)
{
    truth_mark_as(t, run_us, MARK_RUN, text);
}

void truth_outcome(struct truth *t, enum run_outcome outcome, const char *reason)
{
    t->outcome = outcome > t->outcome ? outcome : t->outcome;
    if (reason != NULL && reason[0] != '\0' && t->reason_count < RESULT_RUN_REASONS_MAX) {
        (void)snprintf(t->reasons[t->reason_count++], RESULT_TEXT_BYTES, "%s", reason);
    }
}

void truth_finding(struct truth *t, const char *id, const char *severity, const char *summary,
                   const char *evidence, const char *remedy)
{
    if (t->finding_count == RESULT_FINDINGS_MAX) {
        return;
    }
    struct result_finding *f = &t->findings[t->finding_count++];
    *f = (struct result_finding){0};
    (void)snprintf(f->id, sizeof(f->id), "%s", id);
    (void)snprintf(f->severity, sizeof(f->severity), "%s", severity);
    (void)snprintf(f->summary, sizeof(f->summary), "%s", summary);
    (void)snprintf(f->evidence, sizeof(f->evidence), "%s", evidence == NULL ? "" : evidence);
    (void)snprintf(f->remedy, sizeof(f->remedy), "%s", remedy == NULL ? "" : remedy);
}

/* --- live figures --- */

static void recent_rates(const struct truth *t, int64_t run_us, struct truth_now *out)
{
    enum { WINDOW_S = 5 };
    int64_t second = run_us / 1000000;
    for (size_t i = 0; i < TRUTH_RATE_SECONDS; i++) {
        /* Only whole seconds: the running one has not been told of completely. */
        if (t->rate[i].second < second && t->rate[i].second >= second - WINDOW_S) {
            out->acquired_per_s += (double)t->rate[i].acquired / WINDOW_S;
            out->renewed_per_s += (double)t->rate[i].renewed / WINDOW_S;
        }
    }
}

static void running_latency(const struct truth *t, struct truth_now *out)
{
    static const enum latency_metric main_metric[PLAN_STAGE_KIND_COUNT] = {
        [PLAN_ACQUIRE] = LATENCY_ACQUIRE,      [PLAN_HOLD] = LATENCY_RENEW,
        [PLAN_REBOOT] = LATENCY_REBOOT,        [PLAN_INFORM] = LATENCY_INFORM,
        [PLAN_RELEASE] = LATENCY_METRIC_COUNT, [PLAN_DECLINE] = LATENCY_METRIC_COUNT,
        [PLAN_LOAD] = LATENCY_ACQUIRE,         [PLAN_QUERY] = LATENCY_METRIC_COUNT,
        [PLAN_RENEW] = LATENCY_RENEW,
    };
    if (!t->is_any_stage_begun) {
        return;
    }
    enum latency_metric metric = main_metric[t->plan->stages[t->stage].kind];
    if (metric == LATENCY_METRIC_COUNT) {
        return;
    }
    struct merge_query query = {
        .metric = metric, .clock = LATENCY_INTENDED, .stage = t->stage, .agent = SIZE_MAX};
    struct histogram h;
    merge_latency(t->merge, &query, &h);
    if (h.count >= statistics_samples_needed(50)) {
        bool is_enough = h.count >= statistics_samples_needed(99);
        out->latency = latency_metric_name(metric);
        out->p50_us = statistics_us(histogram_percentile_ns(&h, 50));
        out->p99_us = is_enough ? statistics_us(histogram_percentile_ns(&h, 99)) : RESULT_UNKNOWN;
    }
}

void truth_now(const struct truth *t, int64_t run_us, struct truth_now *out)
{
    const struct result_leases *leases = &t->accounting.total;
    *out = (struct truth_now){
        .bound = t->bound_total,
        .open = t->open_total,
        .failed = leases->failed,
        .acquired = leases->acquired,
        .renewed = leases->renewed,
        .rebound = leases->rebound,
        .expired = leases->expired,
        .sent = truth_sent_total(t),
        .received = truth_received_total(t),
    };
    for (size_t i = 0; i < t->agent_count; i++) {
        out->events += t->accounting.agents[i].events;
    }
    recent_rates(t, run_us, out);
    running_latency(t, out);
}
