/* SPDX-License-Identifier: MIT */
/* What truth kept of a pair of servers, as the result has it. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/statistics.h"
#include "coordinator/truth/truth_state.h"

static void *array_of(size_t count, size_t size)
{
    return calloc(count + 1, size); /* never zero bytes, so that NULL means out of memory */
}

/* Percentile of a histogram whose unit is so many to the second; NAN: too few samples. */
static double percentile_s(const struct histogram *h, double percent, double per_s)
{
    if (h == NULL || h->count < statistics_samples_needed(percent)) {
        return NAN;
    }
    return (double)histogram_percentile_ns(h, percent) / per_s;
}

static void name_server(const struct truth *t, size_t server, char name[PLAN_NAME_BYTES])
{
    (void)snprintf(name, PLAN_NAME_BYTES, "%s",
                   server < t->plan->server_count ? t->plan->servers[server].name : "");
}

/* --- outage --- */

static struct result_outage_group group_of(const struct outage_group *g)
{
    return (struct result_outage_group){
        .clients = g->clients,
        .at_risk = g->at_risk,
        .expired = g->expired,
        .client_seconds = (double)g->total_us / 1e6,
        .longest_s = (double)g->longest_us / 1e6,
        .p50_s = percentile_s(g->spans, 50, 1e6),
        .p99_s = percentile_s(g->spans, 99, 1e6),
    };
}

static bool is_any(const struct outage_group *g)
{
    return g->clients > 0 || g->at_risk > 0 || g->expired > 0;
}

static void fill_half(const struct truth *t, size_t server, struct result_outage_half *out)
{
    const struct outage_half *h = &t->outage.half[server];
    *out = (struct result_outage_half){
        .group = group_of(&h->group),
        .waited = h->waited,
        .in_time = h->in_time,
        .unanswered = h->unanswered,
        .untimed = h->untimed,
        .first_answer_s = NAN,
        .median_answer_s = percentile_s(h->answers, 50, 1e6),
        .last_answer_s = NAN,
        .retried = h->retried,
        .retried_longest_s = h->retried == 0 ? NAN : (double)h->retried_longest_us / 1e6,
    };
    name_server(t, server, out->server);
    if (h->answers != NULL) {
        out->first_answer_s = (double)h->answers->min_ns / 1e6;
        out->last_answer_s = (double)h->answers->max_ns / 1e6;
    }
    memcpy(out->answered_by, h->answered_by, sizeof(out->answered_by));
}

static bool fill_outage(struct truth *t, const struct truth_closing *closing, struct result *out)
{
    struct outage *o = &t->outage;
    outage_finish(o, closing->run_us);
    struct result_outage_group all = group_of(&o->all);
    out->outage.clients = all.clients;
    out->outage.at_risk = all.at_risk;
    out->outage.client_seconds = all.client_seconds;
    out->outage.longest_s = all.longest_s;
    out->outage.p50_s = all.p50_s;
    out->outage.p99_s = all.p99_s;
    out->outage.first_answer_s = o->first_answer_us == 0 ? NAN : (double)o->first_answer_us / 1e6;
    out->outage.halves = array_of(OUTAGE_HALVES, sizeof(*out->outage.halves));
    out->outage.relays = array_of(t->plan->relay_count, sizeof(*out->outage.relays));
    if (out->outage.halves == NULL || out->outage.relays == NULL) {
        return false;
    }
    for (size_t i = 0; i < OUTAGE_HALVES; i++) {
        bool is_known_server = i < t->plan->server_count;
        if (is_known_server || is_any(&o->half[i].group)) {
            fill_half(t, i, &out->outage.halves[out->outage.half_count++]);
        }
    }
    for (uint32_t i = 0; i < t->plan->relay_count; i++) {
        if (is_any(&o->relays[i])) {
            struct result_outage_relay *r = &out->outage.relays[out->outage.relay_count++];
            (void)snprintf(r->relay, sizeof(r->relay), "%s", t->plan->relays[i].name);
            r->group = group_of(&o->relays[i]);
        }
    }
    return true;
}

/* --- lease times --- */

static const char *const class_names[LEASE_CLASS_COUNT] = {
    [LEASE_AS_EXPECTED] = "expected",
    [LEASE_AS_MCLT] = "mclt",
    [LEASE_BETWEEN] = "between",
    [LEASE_OTHER] = "other",
};

static void add_time(const struct truth *t, size_t server, const struct lease_count *count,
                     const struct result_lease_time *about, struct result_lease_times *out)
{
    if (count->acks == 0) {
        return;
    }
    struct result_lease_time *row = &out->times[out->time_count++];
    *row = *about;
    name_server(t, server, row->server);
    row->acks = count->acks;
    row->first_s = (double)count->first_us / 1e6;
    row->last_s = (double)count->last_us / 1e6;
}

static void fill_times(const struct truth *t, size_t server, struct result_lease_times *out)
{
    const struct lease_times_server *s = &t->lease_times.server[server];
    for (size_t i = 0; i < s->time_count; i++) {
        uint32_t lease_s = s->time[i].lease_s;
        const struct result_lease_time about = {
            .lease_s = lease_s,
            .class_ = class_names[lease_times_class(&t->lease_times, lease_s)],
            .is_short = lease_times_is_short(&t->lease_times, lease_s)};
        add_time(t, server, &s->time[i].count, &about, out);
    }
    const struct result_lease_time rest = {.is_rest = true, .class_ = class_names[LEASE_OTHER]};
    const struct result_lease_time short_rest = {
        .is_rest = true, .class_ = class_names[LEASE_OTHER], .is_short = true};
    add_time(t, server, &s->rest, &rest, out);
    add_time(t, server, &s->short_rest, &short_rest, out);
}

static void fill_spread(const struct truth *t, size_t server, struct result_lease_times *out)
{
    const struct lease_times_server *s = &t->lease_times.server[server];
    if (s->spread == NULL) {
        return;
    }
    struct result_lease_spread *row = &out->servers[out->server_count++];
    *row = (struct result_lease_spread){
        .acks = s->spread->count,
        .expected = s->of[LEASE_AS_EXPECTED].acks,
        .mclt = s->of[LEASE_AS_MCLT].acks,
        .between = s->of[LEASE_BETWEEN].acks,
        .other = s->of[LEASE_OTHER].acks,
        .short_first = s->short_first.acks,
        .min_s = (double)s->spread->min_ns / 1e3,
        .p10_s = percentile_s(s->spread, 10, 1e3),
        .p50_s = percentile_s(s->spread, 50, 1e3),
        .p90_s = percentile_s(s->spread, 90, 1e3),
        .max_s = (double)s->spread->max_ns / 1e3,
    };
    name_server(t, server, row->server);
}

static bool fill_lease_times(const struct truth *t, struct result *out)
{
    struct result_lease_times *to = &out->lease_times;
    to->expect_lease_s = t->lease_times.expect_lease_s;
    to->expect_mclt_s = t->lease_times.expect_mclt_s;
    to->times = array_of((size_t)LIVE_SERVERS * (LEASE_TIMES_MAX + 2), sizeof(*to->times));
    to->servers = array_of(LIVE_SERVERS, sizeof(*to->servers));
    to->waves = array_of((size_t)LIVE_SERVERS * LEASE_WAVES_MAX, sizeof(*to->waves));
    if (to->times == NULL || to->servers == NULL || to->waves == NULL) {
        return false;
    }
    for (size_t i = 0; i < LIVE_SERVERS; i++) {
        const struct lease_times_server *s = &t->lease_times.server[i];
        fill_times(t, i, to);
        fill_spread(t, i, to);
        for (size_t k = 0; k < s->wave_count; k++) {
            struct result_lease_wave *w = &to->waves[to->wave_count++];
            *w = (struct result_lease_wave){.acks = s->wave[k].count.acks,
                                            .shortest_s = s->wave[k].shortest_s,
                                            .longest_s = s->wave[k].longest_s,
                                            .first_s = (double)s->wave[k].count.first_us / 1e6,
                                            .last_s = (double)s->wave[k].count.last_us / 1e6};
            name_server(t, i, w->server);
        }
    }
    return true;
}

/* --- renewals --- */

struct renewal_series {
    double forecast[RENEWAL_WAVE_BUCKETS], begun[RENEWAL_WAVE_BUCKETS];
};

static int64_t end_of_stages_us(const struct truth *t, int64_t run_us)
{
    return t->outage.is_stage_running ? run_us : t->outage.last_stage_end_us;
}

static void fill_renewals(const struct truth *t, const struct truth_closing *closing,
                          struct renewal_series *scratch, struct result *out)
{
    const struct renewal_wave *w = &t->renewals;
    struct result_renewals *r = &out->renewals;
    struct renewal_wave_figures f;
    (void)renewal_wave_compare(w, end_of_stages_us(t, closing->run_us), scratch->forecast,
                               scratch->begun, &f);
    static_assert((int)RESULT_T1_MAX >= (int)RENEWAL_WAVE_LEASES, "a row of the result for each");
    *r = (struct result_renewals){
        .is_known = f.forecast_total > 0,
        .t1_count = w->row_count,
        .fuzz_percent = 100 * w->fuzz,
        .interval_s = (double)w->interval_us / 1e6,
        .forecast_total = f.forecast_total,
        .begun_total = f.begun_total,
        /* A client at the very end may have begun before its mean forecast. */
        .in_time_percent =
            f.forecast_total > 0 ? fmin(100, 100 * f.in_time / f.forecast_total) : NAN,
        .forecast_peak_per_s = f.forecast_peak_per_s,
        .forecast_peak_at_s = f.forecast_peak_at_s,
        .begun_peak_per_s = f.begun_peak_per_s,
        .begun_peak_at_s = f.begun_peak_at_s,
        .difference_per_s = f.difference_per_s,
        .difference_at_s = f.difference_at_s,
    };
    for (size_t i = 0; i < w->row_count; i++) {
        uint32_t lease_s = w->row[i].lease_s;
        r->t1[i].lease_s = lease_s;
        r->t1[i].acks = w->row[i].acks;
        r->t1[i].t1_s = (double)renewal_wave_t1_us(w, lease_s, &r->t1[i].is_learned) / 1e6;
    }
}

bool truth_failover_fill(struct truth *t, const struct truth_closing *closing, struct result *out)
{
    struct renewal_series *scratch = malloc(sizeof(*scratch));
    if (scratch == NULL) {
        return false;
    }
    bool is_good = fill_outage(t, closing, out) && fill_lease_times(t, out);
    fill_renewals(t, closing, scratch, out);
    free(scratch);
    return is_good;
}

/* Mean of `values` (of buckets of `own_us`) over a span; what lies beyond them is 0. */
static double mean_over(const double *values, size_t count, int64_t own_us, int64_t from_us,
                        int64_t until_us)
{
    double sum = 0;
    for (int64_t at = from_us; at < until_us;) {
        int64_t next = (at / own_us + 1) * own_us;
        next = next < until_us ? next : until_us;
        size_t bucket = (size_t)(at / own_us);
        sum += bucket < count ? values[bucket] * (double)(next - at) : 0;
        at = next;
    }
    return sum / (double)(until_us - from_us);
}

static bool add_series(struct result_timeline *out, const char *name, const double *values,
                       size_t count, int64_t own_us)
{
    struct result_series *s = &out->series[out->series_count];
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    s->unit = "1/s";
    s->values = malloc((out->count + 1) * sizeof(*s->values));
    if (s->values == NULL) {
        return false;
    }
    int64_t interval_us = (int64_t)llround(out->interval_s * 1e6);
    for (size_t i = 0; i < out->count; i++) {
        s->values[i] = mean_over(values, count, own_us, (int64_t)i * interval_us,
                                 ((int64_t)i + 1) * interval_us);
    }
    out->series_count++;
    return true;
}

bool truth_failover_series(const struct truth *t, struct result_timeline *out)
{
    const struct renewal_wave *w = &t->renewals;
    struct renewal_wave_figures f;
    struct renewal_series *all = malloc(sizeof(*all));
    if (all == NULL) {
        return false;
    }
    int64_t end_us = (int64_t)llround((double)out->count * out->interval_s * 1e6);
    size_t count = renewal_wave_compare(w, end_us, all->forecast, all->begun, &f);
    bool is_good = true;
    if (f.forecast_total > 0 || f.begun_total > 0) {
        is_good = add_series(out, "renew_forecast", all->forecast, count, w->interval_us) &&
                  add_series(out, "renew_started", all->begun, count, w->interval_us);
    }
    free(all);
    return is_good;
}
