/* SPDX-License-Identifier: MIT */
/* The capacity search and the servers' start state in report.json. */
#include "coordinator/report/json_parts.h"

#include <math.h>

static json_t *json_search_latency(const struct result_search_latency *l, bool *ok)
{
    json_t *one = json_object();
    json_put(one, "answered", json_count(l->answered), ok);
    json_put(one, "p50", json_count(l->p50_us), ok);
    json_put(one, "p99", json_count(l->p99_us), ok);
    json_put(one, "from_send_p50", json_count(l->send_p50_us), ok);
    json_put(one, "from_send_p99", json_count(l->send_p99_us), ok);
    return one;
}

static json_t *json_search_step(const struct result_search_step *s, bool *ok)
{
    json_t *one = json_object();
    json_put(one, "round", json_count(s->round), ok);
    json_put(one, "rate_per_s", json_seconds(s->rate_per_s), ok);
    json_put(one, "begin_s", json_seconds(s->begin_s), ok);
    json_put(one, "end_s", json_seconds(s->end_s), ok);
    json_put(one, "measured_s", json_seconds(s->measured_s), ok);
    json_put(one, "planned_whole_step", json_count(s->planned_all), ok);
    json_put(one, "sent_whole_step", json_count(s->sent_all), ok);
    json_put(one, "planned", json_count(s->planned), ok);
    json_put(one, "sent", json_count(s->sent), ok);
    json_put(one, "in_time", json_count(s->in_time), ok);
    json_put(one, "late", json_count(s->late), ok);
    json_put(one, "nak", json_count(s->nak), ok);
    json_put(one, "lost", json_count(s->lost), ok);
    json_put(one, "in_time_percent", json_seconds(s->in_time_percent), ok);
    json_put(one, "answered_per_s", json_seconds(s->answered_per_s), ok);
    json_put(one, "answered_error_per_s", json_seconds(s->answered_error_per_s), ok);
    json_put(one, "acquire_us", json_search_latency(&s->acquire, ok), ok);
    json_put(one, "renew_us", json_search_latency(&s->renew, ok), ok);
    json_put(one, "send_lag_p99_us", json_count(s->send_lag_p99_us), ok);
    json_put(one, "rx_drops", json_count(s->rx_drops), ok);
    json_put(one, "cached_renewals", json_count(s->cached_renewals), ok);
    json_put(one, "natural_renewals", json_count(s->natural_renewals), ok);
    json_put(one, "flag", json_string(search_flag_name(s->flag)), ok);
    json_put(one, "reason", json_string(s->reason), ok);
    return one;
}

static json_t *json_search_repeat(const struct result_search_repeat *r, bool *ok)
{
    json_t *one = json_object(), *steps = json_array();
    for (size_t i = 0; i < r->step_count; i++) {
        json_push(steps, json_search_step(&r->steps[i], ok), ok);
    }
    json_put(one, "limit", json_string(search_limit_name(r->limit)), ok);
    json_put(one, "low_per_s", json_seconds(r->low_per_s), ok);
    json_put(one, "high_per_s", json_seconds(r->high_per_s), ok);
    json_put(one, "tester_per_s", json_seconds(r->tester_per_s), ok);
    json_put(one, "steps", steps, ok);
    return one;
}

static json_t *json_search_units(const struct result_search_units *u, bool *ok)
{
    json_t *one = json_object();
    json_put(one, "exchanges_per_s", json_seconds(u->exchanges_per_s), ok);
    json_put(one, "dora_per_s", json_seconds(u->dora_per_s), ok);
    json_put(one, "renewals_per_s", json_seconds(u->renewals_per_s), ok);
    json_put(one, "clients", json_number(floor(u->clients)), ok);
    return one;
}

static json_t *json_search_terms(const struct result_search *s, bool *ok)
{
    json_t *one = json_object();
    json_put(one, "mix_acquire", json_count(s->acquire_weight), ok);
    json_put(one, "mix_renew", json_count(s->renew_weight), ok);
    json_put(one, "within_s", json_seconds(s->within_s), ok);
    json_put(one, "answered_percent", json_seconds(s->answered_percent), ok);
    json_put(one, "resolution_percent", json_seconds(s->resolution_percent), ok);
    json_put(one, "step_s", json_seconds(s->step_s), ok);
    json_put(one, "warmup_s", json_seconds(s->warmup_s), ok);
    json_put(one, "t1_s", json_seconds(s->t1_s), ok);
    json_put(one, "repeat", json_count(s->repeats_planned), ok);
    return one;
}

json_t *json_search(const struct result *r, bool *ok)
{
    const struct result_search *s = &r->search;
    if (!s->was_run) {
        return json_null();
    }
    json_t *search = json_object(), *repeats = json_array(), *interval = json_object();
    for (size_t i = 0; i < s->repeat_count; i++) {
        json_push(repeats, json_search_repeat(&s->repeats[i], ok), ok);
    }
    json_put(interval, "low_per_s", json_seconds(s->interval_low_per_s), ok);
    json_put(interval, "high_per_s", json_seconds(s->interval_high_per_s), ok);
    json_put(interval, "percent", json_seconds(s->interval_percent), ok);
    json_put(search, "terms", json_search_terms(s, ok), ok);
    json_put(search, "limit", json_string(search_limit_name(s->limit)), ok);
    json_put(search, "low", json_search_units(&s->low, ok), ok);
    json_put(search, "high", json_search_units(&s->high, ok), ok);
    json_put(search, "low_is_open", json_boolean(s->is_low_open), ok);
    json_put(search, "high_is_open", json_boolean(s->is_high_open), ok);
    json_put(search, "median_per_s", json_seconds(s->median_per_s), ok);
    json_put(search, "interval", interval, ok);
    json_put(search, "spread_percent", json_seconds(s->spread_percent), ok);
    json_put(search, "sentence", json_string(s->sentence), ok);
    json_put(search, "repeats", repeats, ok);
    return search;
}

json_t *json_start_state(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->server_count && i < PLAN_SERVERS_MAX; i++) {
        const struct result_start_state *s = &r->start_state[i];
        json_t *one = json_object();
        json_put(one, "server", json_string(s->server), ok);
        json_put(one, "active", json_count(s->active), ok);
        json_put(one, "expired", json_count(s->expired), ok);
        json_put(one, "free", json_count(s->free), ok);
        json_put(one, "how", json_string(s->how), ok);
        json_push(all, one, ok);
    }
    return all;
}
