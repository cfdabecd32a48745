/* SPDX-License-Identifier: MIT */
/* Outage by half and relay, lease times, renewals foretold and begun. */
#include <math.h>

#include "common/attrs.h"
#include "coordinator/report/json_parts.h"

static json_t *json_name(const char *name)
{
    return name[0] == '\0' ? json_null() : json_string(name);
}

static void put_group(json_t *one, const struct result_outage_group *g, bool *ok)
{
    json_put(one, "clients", json_count(g->clients), ok);
    json_put(one, "client_seconds", json_seconds(g->client_seconds), ok);
    json_put(one, "longest_s", json_seconds(g->longest_s), ok);
    json_put(one, "p50_s", json_seconds(g->p50_s), ok);
    json_put(one, "p99_s", json_seconds(g->p99_s), ok);
    json_put(one, "at_risk", json_count(g->at_risk), ok);
    json_put(one, "expired", json_count(g->expired), ok);
}

static json_t *json_answered_by(const struct result *r, const struct result_outage_half *h,
                                bool *ok)
{
    json_t *by = json_object();
    for (size_t i = 0; i < r->server_count; i++) {
        json_put(by, r->servers[i].name, json_count(h->answered_by[i]), ok);
    }
    return by;
}

json_t *json_outage_by_server(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->outage.half_count; i++) {
        const struct result_outage_half *h = &r->outage.halves[i];
        json_t *one = json_object();
        json_put(one, "server", json_name(h->server), ok);
        put_group(one, &h->group, ok);
        json_put(one, "waited", json_count(h->waited), ok);
        json_put(one, "answered_in_time", json_count(h->in_time), ok);
        json_put(one, "unanswered", json_count(h->unanswered), ok);
        json_put(one, "untimed", json_count(h->untimed), ok);
        json_put(one, "first_answer_s", json_seconds(h->first_answer_s), ok);
        json_put(one, "median_answer_s", json_seconds(h->median_answer_s), ok);
        json_put(one, "last_answer_s", json_seconds(h->last_answer_s), ok);
        json_put(one, "answered_by", json_answered_by(r, h, ok), ok);
        json_put(one, "retried", json_count(h->retried), ok);
        json_put(one, "retried_longest_s", json_seconds(h->retried_longest_s), ok);
        json_push(all, one, ok);
    }
    return all;
}

json_t *json_outage_by_relay(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->outage.relay_count; i++) {
        json_t *one = json_object();
        json_put(one, "relay", json_string(r->outage.relays[i].relay), ok);
        put_group(one, &r->outage.relays[i].group, ok);
        json_push(all, one, ok);
    }
    return all;
}

json_t *json_lease_times(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->lease_times.time_count; i++) {
        const struct result_lease_time *l = &r->lease_times.times[i];
        json_t *one = json_object();
        json_put(one, "server", json_name(l->server), ok);
        json_put(one, "lease_s", l->is_rest ? json_null() : json_count(l->lease_s), ok);
        json_put(one, "class", json_string(l->class_), ok);
        json_put(one, "is_short", json_boolean(l->is_short), ok);
        json_put(one, "acks", json_count(l->acks), ok);
        json_put(one, "first_s", json_seconds(l->first_s), ok);
        json_put(one, "last_s", json_seconds(l->last_s), ok);
        json_push(all, one, ok);
    }
    return all;
}

static json_t *json_spreads(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->lease_times.server_count; i++) {
        const struct result_lease_spread *s = &r->lease_times.servers[i];
        json_t *one = json_object();
        json_put(one, "server", json_name(s->server), ok);
        json_put(one, "acks", json_count(s->acks), ok);
        json_put(one, "expected", json_count(s->expected), ok);
        json_put(one, "mclt", json_count(s->mclt), ok);
        json_put(one, "between", json_count(s->between), ok);
        json_put(one, "other", json_count(s->other), ok);
        json_put(one, "short_first_leases", json_count(s->short_first), ok);
        json_put(one, "min_s", json_seconds(s->min_s), ok);
        json_put(one, "p10_s", json_seconds(s->p10_s), ok);
        json_put(one, "p50_s", json_seconds(s->p50_s), ok);
        json_put(one, "p90_s", json_seconds(s->p90_s), ok);
        json_put(one, "max_s", json_seconds(s->max_s), ok);
        json_push(all, one, ok);
    }
    return all;
}

json_t *json_mclt(const struct result *r, bool *ok)
{
    const struct result_lease_times *l = &r->lease_times;
    json_t *mclt = json_object(), *waves = json_array();
    json_put(mclt, "expected_lease_s",
             l->expect_lease_s == 0 ? json_null() : json_count(l->expect_lease_s), ok);
    json_put(mclt, "expected_mclt_s",
             l->expect_mclt_s == 0 ? json_null() : json_count(l->expect_mclt_s), ok);
    json_put(mclt, "by_server", json_spreads(r, ok), ok);
    for (size_t i = 0; i < l->wave_count; i++) {
        const struct result_lease_wave *w = &l->waves[i];
        json_t *one = json_object();
        json_put(one, "server", json_name(w->server), ok);
        json_put(one, "acks", json_count(w->acks), ok);
        json_put(one, "shortest_s", json_count(w->shortest_s), ok);
        json_put(one, "longest_s", json_count(w->longest_s), ok);
        json_put(one, "first_s", json_seconds(w->first_s), ok);
        json_put(one, "last_s", json_seconds(w->last_s), ok);
        json_push(waves, one, ok);
    }
    json_put(mclt, "waves", waves, ok);
    return mclt;
}

json_t *json_renewals(const struct result *r, bool *ok)
{
    const struct result_renewals *n = &r->renewals;
    json_t *out = json_object(), *t1 = json_array();
    for (size_t i = 0; i < n->t1_count; i++) {
        json_t *one = json_object();
        json_put(one, "lease_s", json_count(n->t1[i].lease_s), ok);
        json_put(one, "t1_s", json_seconds(n->t1[i].t1_s), ok);
        json_put(one, "t1_is_learned", json_boolean(n->t1[i].is_learned), ok);
        json_put(one, "acks", json_count(n->t1[i].acks), ok);
        json_push(t1, one, ok);
    }
    json_put(out, "t1", t1, ok);
    const struct {
        const char *key;
        double value;
    } rows[] = {
        {"fuzz_percent", n->fuzz_percent},
        {"interval_s", n->interval_s},
        {"forecast", n->forecast_total},
        {"started", n->begun_total},
        {"in_time_percent", n->in_time_percent},
        {"forecast_peak_per_s", n->forecast_peak_per_s},
        {"forecast_peak_at_s", n->forecast_peak_at_s},
        {"started_peak_per_s", n->begun_peak_per_s},
        {"started_peak_at_s", n->begun_peak_at_s},
        {"largest_difference_per_s", n->difference_per_s},
        {"largest_difference_at_s", n->difference_at_s},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_put(out, rows[i].key, json_seconds(n->is_known ? rows[i].value : NAN), ok);
    }
    return out;
}
