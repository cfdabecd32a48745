/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/search_gather.h"

#include <assert.h>
#include <math.h>

#include "coordinator/truth/statistics.h"

enum { NS_IN_US = 1000 };

void search_gather_begin(struct search_gather *g, const struct search_gather_plan *plan)
{
    assert(plan->step_us > plan->warmup_us);
    *g = (struct search_gather){
        .begin_us = plan->begin_us,
        .measured_us = plan->begin_us + (int64_t)plan->warmup_us,
        .end_us = plan->begin_us + (int64_t)plan->step_us,
        .slack_us = plan->slack_us,
        .within_us = plan->within_us,
        .rate_per_s = plan->rate_per_s,
        .lease_s = plan->lease_s,
        .mclt_s = plan->mclt_s,
    };
    /* From then on as many answers are on their way as at the end; half the step must remain. */
    uint64_t settle_us = plan->within_us < plan->step_us / 2 ? plan->within_us : plan->step_us / 2;
    int64_t settled_us = plan->begin_us + (int64_t)settle_us;
    g->pace_from_us = settled_us > g->measured_us ? settled_us : g->measured_us;
}

static void note_pace(struct search_gather *g, int64_t run_us)
{
    if (run_us < g->pace_from_us || run_us >= g->end_us) {
        return;
    }
    uint64_t at = (uint64_t)(run_us - g->pace_from_us);
    uint64_t span = (uint64_t)(g->end_us - g->pace_from_us);
    g->pace[at * SEARCH_PACE_SLOTS / span]++;
}

/*
 * A server that caches leases (dhcpd: dhcp-cache-threshold, Kea: cache-threshold) answers an early
 * renewal with the rest of the lease and writes nothing. Servers in failover give the MCLT.
 */
static bool is_cached(const struct search_gather *g, const struct event *e)
{
    bool is_mclt = g->mclt_s > 0 && e->lease_s + 1 >= g->mclt_s && e->lease_s <= g->mclt_s + 1;
    return e->kind == EVENT_RENEW && e->lease_s + 1 < g->lease_s && !is_mclt;
}

static void note_measured(struct search_gather *g, const struct event *e)
{
    struct search_gather_kind *kind = e->kind == EVENT_RENEW ? &g->renew : &g->acquire;
    bool is_answered = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
    g->measured++;
    kind->measured++;
    g->nak += e->result == EVENT_NAK;
    g->lost += !is_answered && e->result != EVENT_NAK;
    if (e->took_us != EVENT_SPAN_NONE) {
        uint32_t lag_us = e->wait_us > e->took_us ? e->wait_us - e->took_us : 0;
        histogram_record(&g->send_lag, (uint64_t)lag_us * NS_IN_US);
    }
    if (!is_answered) {
        return;
    }
    g->cached += is_cached(g, e);
    g->in_time += e->wait_us <= g->within_us;
    g->late += e->wait_us > g->within_us;
    histogram_record(&kind->intended, (uint64_t)e->wait_us * NS_IN_US);
    if (e->took_us != EVENT_SPAN_NONE) {
        histogram_record(&kind->from_send, (uint64_t)e->took_us * NS_IN_US);
    }
}

bool search_gather_event(struct search_gather *g, const struct event *e, int64_t run_us)
{
    bool is_renewal = e->kind == EVENT_RENEW || e->kind == EVENT_REBIND;
    bool is_natural = is_renewal && (e->flags & EVENT_EARLY) == 0;
    bool is_asked = e->kind == EVENT_ACQUIRE || (e->kind == EVENT_RENEW && !is_natural);
    /* The event of a client's deadline is followed by that of its exchange. */
    bool is_exchange = is_asked && (e->flags & (EVENT_DEADLINE | EVENT_PREFLIGHT)) == 0;
    if (g->end_us == 0 || e->wait_us == EVENT_SPAN_NONE || !(is_exchange || is_natural)) {
        return false;
    }
    int64_t intended_us = run_us - (int64_t)e->wait_us;
    if (intended_us < g->begin_us - g->slack_us || intended_us >= g->end_us + g->slack_us) {
        return false;
    }
    if (is_natural) {
        g->natural_renewals++;
        return false;
    }
    g->all++;
    if (e->result == EVENT_ACK || e->result == EVENT_CHANGED) {
        note_pace(g, run_us);
    }
    if (intended_us >= g->measured_us && intended_us < g->end_us) {
        note_measured(g, e);
    }
    return true;
}

/*
 * Slope of the running count of answers over time, by least squares, and how far it may be off:
 * answers that come at random make the count a random walk. Its distance from the line, averaged
 * over tenths of the time, has a standard deviation of sqrt(1/15 - 1/60) per sqrt(time) of the
 * walk; the slope one of sqrt(6/5). Two of the latter are taken, because one walk tells its step
 * but roughly. The averages leave out what comes and goes within a tenth: batches.
 */
static void pace_of(const struct search_gather *g, struct result_search_step *out)
{
    enum { SLOTS = SEARCH_PACE_SLOTS, BLOCKS = 10 };
    const double errors = 2 * sqrt(6.0 / 5) / sqrt(1.0 / 15 - 1.0 / 60);
    double seconds = (double)(g->end_us - g->pace_from_us) / 1e6, slot_s = seconds / SLOTS;
    double y[SLOTS], sum_y = 0, sum_xx = 0, sum_xy = 0, count = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        double x = (i - (SLOTS - 1) / 2.0) * slot_s;
        count += (double)g->pace[i];
        y[i] = count;
        sum_y += count;
        sum_xx += x * x;
        sum_xy += x * count;
    }
    double slope = sum_xy / sum_xx, squares = 0;
    for (unsigned b = 0; b < BLOCKS; b++) {
        double rest = 0;
        for (unsigned i = b * SLOTS / BLOCKS; i < (b + 1) * SLOTS / BLOCKS; i++) {
            rest += y[i] - sum_y / SLOTS - slope * (i - (SLOTS - 1) / 2.0) * slot_s;
        }
        rest /= (double)SLOTS / BLOCKS;
        squares += rest * rest;
    }
    out->answered_per_s = slope;
    out->answered_error_per_s = errors * sqrt(squares / BLOCKS) / seconds;
}

static uint64_t percentile_us(const struct histogram *h, double percent, uint64_t total)
{
    if (total < statistics_samples_needed(percent)) {
        return RESULT_UNKNOWN;
    }
    uint64_t ns = histogram_percentile_of_total_ns(h, percent, total);
    return ns == UINT64_MAX ? RESULT_UNKNOWN : statistics_us(ns);
}

/* What was not answered counts as infinitely long, on either clock. */
static void latency_of(const struct search_gather_kind *kind, struct result_search_latency *out)
{
    out->answered = kind->intended.count;
    out->p50_us = percentile_us(&kind->intended, 50, kind->measured);
    out->p99_us = percentile_us(&kind->intended, 99, kind->measured);
    out->send_p50_us = percentile_us(&kind->from_send, 50, kind->measured);
    out->send_p99_us = percentile_us(&kind->from_send, 99, kind->measured);
}

void search_gather_close(const struct search_gather *g, uint64_t planned, uint64_t open,
                         uint64_t agents, struct result_search_step *out)
{
    double step_us = (double)(g->end_us - g->begin_us);
    double measured_us = (double)(g->end_us - g->measured_us);
    uint64_t missing = planned > g->all ? planned - g->all : 0;
    uint64_t open_here = open < missing ? open : missing;
    *out = (struct result_search_step){
        .rate_per_s = g->rate_per_s,
        .begin_s = (double)g->begin_us / 1e6,
        .end_s = (double)g->end_us / 1e6,
        .measured_s = measured_us / 1e6,
        .planned_all = planned,
        .sent_all = g->all + open_here,
        .planned = (uint64_t)llround((double)planned * measured_us / step_us),
        .in_time = g->in_time,
        .late = g->late,
        .nak = g->nak,
        .natural_renewals = g->natural_renewals,
        .cached_renewals = g->cached,
        /* The tester's own health is asked of few samples too: what is late is late. */
        .send_lag_p99_us = g->send_lag.count == 0
                               ? RESULT_UNKNOWN
                               : statistics_us(histogram_percentile_ns(&g->send_lag, 99)),
    };
    pace_of(g, out);
    /* Which of those without an end were of the measured part is unknown: all, at worst. */
    out->sent = g->measured + open_here;
    out->lost = g->lost + open_here;
    /* Every agent has a share in whole exchanges, which begins and ends somewhere. */
    bool is_rounding = out->sent + agents >= out->planned && out->sent < out->planned + agents;
    out->planned = is_rounding ? out->sent : out->planned;
    out->in_time_percent =
        out->planned == 0 ? 0 : 100 * (double)out->in_time / (double)out->planned;
    latency_of(&g->acquire, &out->acquire);
    latency_of(&g->renew, &out->renew);
}
