/* SPDX-License-Identifier: MIT */
/* Facts of what the tester itself did: DESIGN section 8. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "coordinator/truth/agent_self.h"
#include "coordinator/truth/facts.h"
#include "coordinator/truth/judge.h"
#include "coordinator/truth/truth_state.h"
#include "proto/dhcp4.h"

/* Of a core per lane; what was spun away while nothing was due is no work. */
static double work_percent(const struct result_agent *a)
{
    if (!a->self.is_known || !isfinite(a->self.spin_percent)) {
        return a->cpu_percent;
    }
    return a->cpu_percent / (double)a->self.lanes - a->self.spin_percent;
}

static void count_agents(const struct truth *t, const struct result *r, struct facts *f)
{
    uint64_t moved = 0, lost = 0;
    double cpu = NAN;
    for (size_t i = 0; i < t->agent_count; i++) {
        moved += t->moved[i];
        lost += t->is_lost[i];
    }
    for (size_t i = 0; i < r->agent_count; i++) {
        cpu = fmax(cpu, work_percent(&r->agents[i])); /* fmax() leaves out NAN */
    }
    facts_count(f, FACT_agents_lost, lost);
    facts_count(f, FACT_clients_lost, r->accounting.lost_with_agent);
    facts_count(f, FACT_clients_moved, moved);
    facts_say(f, WORD_lost_agents, "%s", t->lost_text);
    facts_set(f, FACT_agent_cpu, cpu);
    facts_count(f, FACT_expired_in_pause, merge_total(t->merge, COUNTER_expired_in_pause));
    facts_set(f, FACT_paused, (double)merge_total(t->merge, COUNTER_paused_ns) / 1e9);
    facts_count(f, FACT_folded, r->accounting.folded);
    facts_count(f, FACT_strange_events, t->evidence.strange_events);
}

static void explain(const struct result_agent *a, bool is_drop, struct facts *f, enum word_id why,
                    enum word_id figures)
{
    char text[AGENT_SELF_TEXT_BYTES];
    facts_say(f, why, "%s", agent_self_cause(a, is_drop, text));
    facts_say(f, figures, "%s", agent_self_figures(a, text));
}

/*
 * RcvbufErrors are of a network namespace, which several agents may share: what all of them
 * dropped is taken off, so that what is left was nobody's of this run.
 */
static void tell_drops(const struct truth *t, const struct result *r, struct facts *f)
{
    uint64_t own = merge_total(t->merge, COUNTER_rx_drops), errors = RESULT_UNKNOWN;
    const struct result_agent *worst = NULL;
    for (size_t i = 0; i < r->agent_count; i++) {
        const struct result_agent *a = &r->agents[i];
        if (a->rx_drops > 0 && (worst == NULL || a->rx_drops > worst->rx_drops)) {
            worst = a;
        }
        bool is_more = a->self.rcvbuf_errors != RESULT_UNKNOWN &&
                       (errors == RESULT_UNKNOWN || a->self.rcvbuf_errors > errors);
        if (is_more) {
            errors = a->self.rcvbuf_errors;
            facts_say(f, WORD_rcvbuf_agent, "%s", a->name);
        }
    }
    facts_count(f, FACT_own_drops, own);
    facts_count(f, FACT_rcvbuf_errors, errors);
    if (errors != RESULT_UNKNOWN) {
        facts_count(f, FACT_rcvbuf_others, errors > own ? errors - own : 0);
    }
    if (worst != NULL) {
        explain(worst, true, f, WORD_own_drops_why, WORD_own_drops_figures);
    }
}

/* The agent whose sends of that stage were latest. */
static void explain_lag(const struct truth *t, const struct result *r, uint32_t stage,
                        struct facts *f)
{
    uint64_t worst_ns = 0;
    const struct result_agent *worst = NULL;
    for (size_t i = 0; i < r->agent_count; i++) {
        struct merge_query query = {
            .metric = LATENCY_SEND_LAG, .clock = LATENCY_INTENDED, .stage = stage, .agent = i};
        struct histogram h;
        merge_latency(t->merge, &query, &h);
        uint64_t lag_ns = histogram_percentile_ns(&h, 99);
        if (h.count > 0 && (worst == NULL || lag_ns > worst_ns)) {
            worst_ns = lag_ns;
            worst = &r->agents[i];
        }
    }
    if (worst != NULL) {
        explain(worst, false, f, WORD_send_lag_why, WORD_send_lag_figures);
    }
}

/* The stage that is furthest beyond what is allowed there. */
static void tell_send_lag(const struct truth *t, const struct result *r, struct facts *f)
{
    enum { SAMPLES_MIN = 100 };
    double worst = -1;
    uint32_t worst_stage = 0;
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        if (t->plan->stages[i].kind == PLAN_LOAD) {
            continue; /* each step of a search is judged by itself: search_steps.c */
        }
        uint64_t judged_ns = judge_smallest_latency_ns(t->scenario, (uint8_t)i);
        uint64_t limit_ns = judged_ns == 0 ? 100 * NS_PER_MS : judged_ns / 10;
        struct merge_query query = {
            .metric = LATENCY_SEND_LAG, .clock = LATENCY_INTENDED, .stage = i, .agent = SIZE_MAX};
        struct histogram h;
        merge_latency(t->merge, &query, &h);
        if (h.count < SAMPLES_MIN) {
            continue;
        }
        double lag_ns = (double)histogram_percentile_ns(&h, 99);
        double beyond = lag_ns / fmax((double)limit_ns, 1);
        if (beyond > worst) {
            worst = beyond;
            worst_stage = i;
            facts_set(f, FACT_send_lag, lag_ns / 1e6);
            facts_set(f, FACT_send_lag_limit, (double)limit_ns / 1e6);
            facts_count(f, FACT_send_lag_samples, h.count);
            facts_say(f, WORD_send_lag_stage, "%s", t->stages[i].name);
            facts_say(f, WORD_send_lag_basis, "%s",
                      judged_ns == 0 ? "no latency is judged"
                                     : "a tenth of the smallest judgement");
        }
    }
    if (worst > 1) {
        explain_lag(t, r, worst_stage, f);
    }
}

/* The agent furthest behind its schedule, at the end or for some seconds. */
static const struct result_agent *most_behind(const struct truth *t, const struct result *r)
{
    const struct result_agent *worst = NULL;
    uint64_t behind_most = 0;
    for (size_t i = 0; i < r->agent_count; i++) {
        const struct truth_agent_state *a = &t->agents[i];
        uint64_t behind =
            a->planned_starts > a->actual_starts ? a->planned_starts - a->actual_starts : 0;
        if (behind > behind_most) {
            behind_most = behind;
            worst = &r->agents[i];
        }
    }
    if (worst == NULL && t->evidence.shortfall_agents > 0) {
        worst = &r->agents[t->evidence.worst_shortfall_agent]; /* it has caught up since */
    }
    return worst;
}

/* Only where a schedule was to be kept to its end. */
static void count_starts(const struct truth *t, const struct result *r, struct facts *f)
{
    if (r->rates.is_closed_model || t->outcome != OUTCOME_COMPLETED) {
        return;
    }
    facts_count(f, FACT_starts_planned, r->rates.planned_starts);
    facts_count(f, FACT_starts_actual, r->rates.actual_starts);
    facts_count(f, FACT_agents_behind, t->evidence.shortfall_agents);
    facts_set(f, FACT_behind_worst, t->evidence.worst_shortfall_percent);
    const struct result_agent *worst = most_behind(t, r);
    if (worst != NULL) {
        explain(worst, false, f, WORD_rate_missed_why, WORD_rate_missed_figures);
    }
}

static const char *hint_of(uint32_t error)
{
    switch (error) {
    case EPERM:
        return "a firewall or NAT rule on the agent's host refuses them: look at nft list ruleset "
               "and at conntrack -S (insert_failed)";
    case EACCES:
        return "the agent's host forbids this destination";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "the agent's host has no route, or no neighbour answers: look at ip route get";
    case ENOBUFS:
    case EAGAIN:
        return "the interface's queue was full: lower the rate, or raise net.core.wmem_max";
    case EADDRNOTAVAIL:
    case EINVAL:
        return "the carrying address has gone from the agent's host";
    default:
        return "see the agent's log";
    }
}

/*
 * Preflight tries renewals on paths that may not exist here (a source address the
 * host has no route from): failed sends of those are its answer, not a fault.
 */
static bool is_of_tried_path(const struct truth *t, const struct result *out, size_t agent,
                             const struct snapshot_send_error *e)
{
    enum { TRIES_MAX = 4 }; /* transmissions per renewal that is tried */
    uint64_t tried = 0, failed = 0;
    for (size_t i = 0; i < t->preflight_count; i++) {
        const struct result_preflight_relay *p = &t->preflight[i];
        for (uint32_t k = 0; k < p->path_count; k++) {
            bool is_used =
                out->path_is_known && strcmp(p->path[k].name, plan_path_name(out->path)) == 0;
            bool is_this = !is_used && p->path[k].send_errno == e->error &&
                           strcmp(p->agent, t->agents[agent].name) == 0;
            tried += is_this ? p->path[k].renew_sent : 0;
        }
    }
    const struct snapshot *s = merge_latest(t->merge, agent);
    for (uint32_t k = 0; k < s->send_error_count; k++) {
        bool is_alike =
            s->send_error[k].error == e->error && s->send_error[k].message == e->message;
        failed += is_alike ? s->send_error[k].count : 0;
    }
    return e->message == DHCP4_RENEW && failed <= TRIES_MAX * tried;
}

/* The commonest kind of failed send: errno, message and destination belong together. */
static const struct snapshot_send_error *worst_send_error(const struct truth *t,
                                                          const struct result *out,
                                                          size_t *out_agent,
                                                          uint64_t *out_explained)
{
    *out_explained = 0;
    const struct snapshot_send_error *worst = NULL;
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct snapshot *s = merge_latest(t->merge, i);
        for (uint32_t k = 0; s != NULL && k < s->send_error_count; k++) {
            if (is_of_tried_path(t, out, i, &s->send_error[k])) {
                *out_explained += s->send_error[k].count;
            } else if (worst == NULL || s->send_error[k].count > worst->count) {
                worst = &s->send_error[k];
                *out_agent = i;
            }
        }
    }
    return worst;
}

static void tell_send_errors(const struct truth *t, const struct result *r, struct facts *f)
{
    size_t agent = 0;
    uint64_t explained = 0, counted = merge_total(t->merge, COUNTER_send_errors);
    const struct snapshot_send_error *worst = worst_send_error(t, r, &agent, &explained);
    facts_count(f, FACT_send_errors, counted > explained ? counted - explained : 0);
    if (worst == NULL) {
        facts_say(f, WORD_send_error_hint, "see the agents' logs");
        return;
    }
    char destination[IPV4_TEXT_BYTES];
    const char *name = strerrorname_np((int)worst->error);
    facts_count(f, FACT_send_errors_worst, worst->count);
    facts_say(
        f, WORD_send_error, "%s for %s to %s at agent %s", name == NULL ? "an unknown error" : name,
        worst->message < DHCP4_INTENT_COUNT ? dhcp4_intent_name((enum dhcp4_intent)worst->message)
                                            : "a packet",
        inet_text(worst->destination, destination), t->agents[agent].name);
    facts_say(f, WORD_send_error_hint, "%s", hint_of(worst->error));
}

static void tell_clocks(const struct truth *t, struct facts *f)
{
    uint32_t breaks = 0;
    uint64_t uncertain_us = 0;
    bool is_any = false;
    for (size_t i = 0; i < t->agent_count; i++) {
        const struct truth_agent_state *a = &t->agents[i];
        is_any |= a->has_clock;
        if (a->has_clock && a->clock.breaks > breaks) {
            breaks = a->clock.breaks;
            facts_say(f, WORD_clock_agent, "%s", a->name);
        }
        if (a->has_clock && a->clock.uncertainty_us > uncertain_us) {
            uncertain_us = a->clock.uncertainty_us;
            facts_say(f, WORD_clock_vague_agent, "%s", a->name);
        }
    }
    if (is_any) {
        facts_count(f, FACT_clock_breaks, breaks);
        facts_set(f, FACT_clock_uncertain, (double)uncertain_us / 1e3);
    }
}

void facts_gather_tester(const struct truth *t, const struct result *r, struct facts *out)
{
    count_agents(t, r, out);
    tell_drops(t, r, out);
    tell_send_lag(t, r, out);
    count_starts(t, r, out);
    tell_send_errors(t, r, out);
    tell_clocks(t, out);
}
