/* SPDX-License-Identifier: MIT */
#include "coordinator/report/json_parts.h"

#include <math.h>
#include <string.h>

#include "common/attrs.h"

struct count_row {
    const char *key;
    uint64_t value;
};

static void put_counts(json_t *object, const struct count_row *rows, size_t count, bool is_known,
                       bool *ok)
{
    for (size_t i = 0; i < count; i++) {
        json_put(object, rows[i].key, is_known ? json_count(rows[i].value) : json_null(), ok);
    }
}

json_t *json_accounting(const struct result *r, bool *ok)
{
    bool known = r->accounting.is_known;
    json_t *a = json_object(), *checks = json_array();
    json_put(a, "assigned", json_count(r->accounting.assigned), ok);
    const struct count_row rows[] = {
        {"bound", r->accounting.bound},
        {"released", r->accounting.released},
        {"expired", r->accounting.expired},
        {"failed", r->accounting.failed},
        {"never_started", r->accounting.never_started},
        {"lost_with_agent", r->accounting.lost_with_agent},
        {"agent_events", r->accounting.agent_events},
    };
    put_counts(a, rows, ARRAY_LEN(rows), known, ok);
    json_put(a, "ledger_events", json_count(r->accounting.ledger_events), ok);
    json_put(a, "duplicates_dropped", json_count(r->accounting.duplicates_dropped), ok);
    json_put(a, "missing", known ? json_count(r->accounting.missing) : json_null(), ok);
    json_put(a, "folded", known ? json_count(r->accounting.folded) : json_null(), ok);
    for (size_t i = 0; i < r->accounting.check_count; i++) {
        json_t *check = json_object();
        json_put(check, "name", json_string(r->accounting.checks[i].name), ok);
        json_put(check, "passed", json_boolean(r->accounting.checks[i].is_passed), ok);
        json_put(check, "text", json_string(r->accounting.checks[i].text), ok);
        json_push(checks, check, ok);
    }
    json_put(a, "checks", checks, ok);
    return a;
}

json_t *json_messages(const struct result *r, bool *ok)
{
    json_t *m = json_object(), *sent = json_object(), *received = json_object(),
           *fate = json_object();
    bool known = r->messages.is_known;
    const struct count_row sent_rows[] = {
        {"discover", r->messages.sent_discover}, {"request", r->messages.sent_request},
        {"renew", r->messages.sent_renew},       {"rebind", r->messages.sent_rebind},
        {"reboot", r->messages.sent_reboot},     {"decline", r->messages.sent_decline},
        {"release", r->messages.sent_release},   {"inform", r->messages.sent_inform},
        {"query", r->messages.sent_query},
    };
    const struct count_row received_rows[] = {
        {"offer", r->messages.received_offer},
        {"ack", r->messages.received_ack},
        {"nak", r->messages.received_nak},
        {"other", r->messages.received_other},
        {"malformed", r->messages.received_malformed},
    };
    const struct count_row fate_rows[] = {
        {"answer", r->messages.fate_answer},       {"late", r->messages.fate_late},
        {"duplicate", r->messages.fate_duplicate}, {"alien", r->messages.fate_alien},
        {"misrouted", r->messages.fate_misrouted}, {"malformed", r->messages.fate_malformed},
    };
    put_counts(sent, sent_rows, ARRAY_LEN(sent_rows), known, ok);
    put_counts(received, received_rows, ARRAY_LEN(received_rows), known, ok);
    put_counts(fate, fate_rows, ARRAY_LEN(fate_rows), known, ok);
    json_put(m, "sent", sent, ok);
    json_put(m, "received", received, ok);
    json_put(m, "fate", fate, ok);
    json_put(m, "wrong_source_port",
             known ? json_count(r->messages.wrong_source_port) : json_null(), ok);
    return m;
}

json_t *json_leases(const struct result *r, bool *ok)
{
    json_t *leases = json_object();
    const struct count_row rows[] = {
        {"acquired", r->leases.acquired},
        {"reacquired", r->leases.reacquired},
        {"late_bound", r->leases.late_bound},
        {"renewed", r->leases.renewed},
        {"rebound", r->leases.rebound},
        {"expired", r->leases.expired},
        {"released", r->leases.released},
        {"failed", r->leases.failed},
        {"nak", r->leases.nak},
        {"renew_retried", r->renew_retried},
        {"renew_gave_up", r->renew_gave_up},
        {"unanswered_at_end", r->unanswered_at_end},
    };
    put_counts(leases, rows, ARRAY_LEN(rows), true, ok);
    return leases;
}

json_t *json_outage(const struct result *r, bool *ok)
{
    json_t *o = json_object();
    json_put(o, "clients", json_count(r->outage.clients), ok);
    json_put(o, "client_seconds", json_seconds(r->outage.client_seconds), ok);
    json_put(o, "longest_s", json_seconds(r->outage.longest_s), ok);
    json_put(o, "p50_s", json_seconds(r->outage.p50_s), ok);
    json_put(o, "p99_s", json_seconds(r->outage.p99_s), ok);
    json_put(o, "at_risk", json_count(r->outage.at_risk), ok);
    json_put(o, "first_answer_s", json_seconds(r->outage.first_answer_s), ok);
    json_put(o, "by_server", json_outage_by_server(r, ok), ok);
    json_put(o, "by_relay", json_outage_by_relay(r, ok), ok);
    return o;
}

static json_t *json_latency(const struct result_latency *l, bool *ok)
{
    static const char *const names[RESULT_PERCENTILES] = {"p50", "p90", "p99", "p999"};
    json_t *one = json_object(), *intervals = json_object();
    json_put(one, "count", json_count(l->count), ok);
    json_put(one, "min", json_count(l->min_us), ok);
    json_put(one, "mean", json_count(l->mean_us), ok);
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        bool is_known = l->percentile_us[i] != RESULT_UNKNOWN;
        json_put(one, names[i], json_count(l->percentile_us[i]), ok);
        if (is_known) {
            json_t *interval = json_array();
            json_push(interval, json_count(l->low_us[i]), ok);
            json_push(interval, json_count(l->high_us[i]), ok);
            json_put(intervals, names[i], interval, ok);
        }
    }
    json_put(one, "max", json_count(l->max_us), ok);
    json_put(one, "unfinished", json_count(l->unfinished), ok);
    json_put(one, "ci95", intervals, ok);
    return one;
}

json_t *json_latencies(const struct result *r, enum latency_clock clock, bool *ok)
{
    json_t *all = json_object();
    for (int metric = LATENCY_DISCOVER_OFFER; metric <= LATENCY_INFORM; metric++) {
        json_put(all, latency_metric_name((enum latency_metric)metric),
                 json_latency(&r->latency[clock][metric], ok), ok);
    }
    return all;
}

json_t *json_success_latencies(const struct result *r, bool *ok)
{
    json_t *all = json_object();
    for (int metric = LATENCY_DISCOVER_OFFER; metric <= LATENCY_INFORM; metric++) {
        json_put(all, latency_metric_name((enum latency_metric)metric),
                 json_latency(&r->latency_success[metric], ok), ok);
    }
    return all;
}

/* By metric, of those with figures: closed-model stages only. */
json_t *json_paced(const struct result *r, bool *ok)
{
    static const char *const names[RESULT_PERCENTILES] = {"p50", "p90", "p99", "p999"};
    json_t *all = json_object();
    for (int metric = LATENCY_ACQUIRE; metric <= LATENCY_INFORM; metric++) {
        const uint64_t *us = r->paced_us[metric];
        if (!r->is_any_paced[metric]) {
            continue;
        }
        json_t *one = json_object();
        for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
            json_put(one, names[i], json_count(us[i]), ok);
        }
        json_put(all, latency_metric_name((enum latency_metric)metric), one, ok);
    }
    return all;
}

/* Exchanges only: DISCOVER to OFFER and REQUEST to ACK are parts of one. */
json_t *json_tries(const struct result *r, bool *ok)
{
    json_t *all = json_object();
    for (int metric = LATENCY_ACQUIRE; metric <= LATENCY_INFORM; metric++) {
        const struct result_tries *t = &r->tries[metric];
        json_t *one = json_object();
        const struct count_row rows[] = {
            {"answered_at_1", t->answered[0]}, {"answered_at_2", t->answered[1]},
            {"answered_at_3", t->answered[2]}, {"answered_at_4_or_more", t->answered[3]},
            {"gave_up", t->gave_up},
        };
        put_counts(one, rows, ARRAY_LEN(rows), true, ok);
        json_put(one, "first_try_percent", json_seconds(result_first_try_percent(t)), ok);
        json_put(all, latency_metric_name((enum latency_metric)metric), one, ok);
    }
    return all;
}

json_t *json_rates(const struct result *r, bool *ok)
{
    json_t *rates = json_object();
    json_put(rates, "planned_per_s", json_seconds(r->rates.planned_per_s), ok);
    json_put(rates, "sent_per_s", json_seconds(r->rates.sent_per_s), ok);
    json_put(rates, "acquired_per_s_mean", json_seconds(r->rates.acquired_per_s_mean), ok);
    json_put(rates, "acquired_per_s_peak", json_seconds(r->rates.acquired_per_s_peak), ok);
    json_put(rates, "planned", json_count(r->rates.planned_starts), ok);
    json_put(rates, "sent", json_count(r->rates.actual_starts), ok);
    json_put(rates, "model", json_string(r->rates.is_closed_model ? "closed" : "open"), ok);
    json_put(rates, "retransmission_wait_percent",
             json_seconds(r->rates.retransmission_wait_percent), ok);
    return rates;
}

json_t *json_addresses(const struct result *r, bool *ok)
{
    json_t *addresses = json_object();
    const struct count_row rows[] = {
        {"distinct", r->addresses.distinct},
        {"duplicate", r->addresses.duplicate},
        {"outside_subnet", r->addresses.outside_subnet},
        {"changed_on_renew", r->addresses.changed_on_renew},
    };
    put_counts(addresses, rows, ARRAY_LEN(rows), true, ok);
    return addresses;
}

json_t *json_servers(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->server_count; i++) {
        const struct result_server *s = &r->servers[i];
        json_t *one = json_object();
        json_put(one, "name", json_string(s->name), ok);
        json_put(one, "server_id", json_address(s->server_id), ok);
        const struct count_row rows[] = {
            {"offers", s->offers}, {"acks", s->acks}, {"naks", s->naks}};
        put_counts(one, rows, ARRAY_LEN(rows), r->messages.is_known, ok);
        json_put(one, "share_percent", json_seconds(s->share_percent), ok);
        json_push(all, one, ok);
    }
    return all;
}

json_t *json_relays(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->relay_count; i++) {
        const struct result_relay *relay = &r->relays[i];
        char subnet[IPV4_NET_TEXT_BYTES];
        json_t *one = json_object();
        json_put(one, "name", json_string(relay->name), ok);
        json_put(one, "giaddr", json_address(relay->giaddr), ok);
        json_put(one, "via", json_address(relay->via), ok);
        json_put(one, "subnet", json_string(inet_net_text(relay->subnet, subnet)), ok);
        json_put(one, "agent", relay->agent[0] == '\0' ? json_null() : json_string(relay->agent),
                 ok);
        const struct count_row rows[] = {
            {"clients", relay->clients}, {"acquired", relay->acquired}, {"renewed", relay->renewed},
            {"rebound", relay->rebound}, {"expired", relay->expired},   {"failed", relay->failed},
            {"nak", relay->naks},
        };
        put_counts(one, rows, ARRAY_LEN(rows), true, ok);
        json_push(all, one, ok);
    }
    return all;
}

/* What the agent knows of itself. */
static json_t *json_self(const struct result_self *s, bool *ok)
{
    json_t *self = json_object();
    const struct count_row rows[] = {
        {"lanes", s->lanes}, {"turns", s->turns}, {"involuntary_switches", s->switches}};
    put_counts(self, rows, ARRAY_LEN(rows), s->is_known, ok);
    json_put(self, "cpu_percent", json_seconds(s->cpu_percent), ok);
    json_put(self, "cpu_peak_percent", json_seconds(s->cpu_peak_percent), ok);
    json_put(self, "spin_percent", json_seconds(s->spin_percent), ok);
    json_put(self, "cpu_waited_s", json_seconds(s->waited_s), ok);
    json_put(self, "cpu_waited_peak_percent", json_seconds(s->waited_peak_percent), ok);
    json_put(self, "absence_longest_s", json_seconds(s->absence_s), ok);
    json_put(self, "rcvbuf_errors", json_count(s->rcvbuf_errors), ok);
    json_put(self, "rx_truncated", json_count(s->rx_truncated), ok);
    json_put(self, "receive_buffer_bytes", json_count(s->rx_buffer_bytes), ok);
    json_put(self, "receive_buffer_wanted_bytes", json_count(s->rx_buffer_wanted_bytes), ok);
    return self;
}

json_t *json_agents(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->agent_count; i++) {
        const struct result_agent *a = &r->agents[i];
        json_t *one = json_object();
        json_put(one, "name", json_string(a->name), ok);
        json_put(one, "lost", json_boolean(a->is_lost), ok);
        json_put(one, "clients", json_count(a->clients), ok);
        const struct count_row rows[] = {
            {"sent", a->sent},
            {"received", a->received},
            {"send_errors", a->send_errors},
            {"rx_drops", a->rx_drops},
            {"rx_stamps_replaced", a->rx_stamps_replaced},
            {"clients_taken", a->clients_taken},
            {"pauses", a->pauses},
        };
        put_counts(one, rows, ARRAY_LEN(rows), a->has_snapshot, ok);
        json_put(one, "clients_moved", json_count(a->clients_moved), ok);
        json_put(one, "paused_s", json_seconds(a->has_snapshot ? a->paused_s : NAN), ok);
        json_put(one, "alone_s", json_seconds(a->has_snapshot ? a->alone_s : NAN), ok);
        json_put(one, "send_lag_us", json_count(a->send_lag_us), ok);
        json_put(one, "clock_offset_us",
                 a->has_clock ? json_integer(a->clock_offset_us) : json_null(), ok);
        json_put(one, "clock_uncertainty_us",
                 a->has_clock ? json_count(a->clock_uncertainty_us) : json_null(), ok);
        json_put(one, "clock_rate_ppm", json_seconds(a->clock_rate_ppm), ok);
        json_put(one, "clock_breaks", a->has_clock ? json_count(a->clock_breaks) : json_null(), ok);
        json_put(one, "start_lateness_us", json_count(a->start_lateness_us), ok);
        json_put(one, "cpu_percent", json_seconds(a->cpu_percent), ok);
        json_put(one, "self", json_self(&a->self, ok), ok);
        json_push(all, one, ok);
    }
    return all;
}

json_t *json_timeline(const struct result *r, bool *ok)
{
    json_t *timeline = json_object(), *all = json_object(), *marks = json_array();
    json_put(timeline, "interval_s", json_seconds(r->timeline.interval_s), ok);
    json_put(timeline, "t0", json_seconds(r->timeline.t0_s), ok);
    for (size_t i = 0; i < r->timeline.series_count; i++) {
        const struct result_series *s = &r->timeline.series[i];
        json_t *one = json_object(), *values = json_array();
        json_put(one, "unit", json_string(s->unit), ok);
        for (size_t k = 0; k < r->timeline.count; k++) {
            json_push(values, json_number(round(s->values[k] * 1e3) / 1e3), ok);
        }
        json_put(one, "values", values, ok);
        json_put(all, s->name, one, ok);
    }
    for (size_t i = 0; i < r->timeline.mark_count; i++) {
        json_t *mark = json_object();
        json_put(mark, "at_s", json_seconds(r->timeline.marks[i].at_s), ok);
        json_put(mark, "kind", json_string(result_mark_kind_name(r->timeline.marks[i].kind)), ok);
        json_put(mark, "text", json_string(r->timeline.marks[i].text), ok);
        json_push(marks, mark, ok);
    }
    json_put(timeline, "series", all, ok);
    json_put(timeline, "marks", marks, ok);
    return timeline;
}

static json_t *json_preflight_relay(const struct result_preflight_relay *p, bool *ok)
{
    json_t *one = json_object(), *paths = json_array();
    json_put(one, "relay", json_string(p->relay), ok);
    json_put(one, "agent", json_string(p->agent), ok);
    const struct count_row rows[] = {
        {"clients", p->clients}, {"offered", p->offered},
        {"bound", p->bound},     {"foreign_offers", p->foreign_offers},
        {"naks", p->naks},       {"send_errno", p->send_errno},
    };
    put_counts(one, rows, ARRAY_LEN(rows), true, ok);
    for (uint32_t i = 0; i < p->path_count; i++) {
        json_t *path = json_object();
        json_put(path, "path", json_string(p->path[i].name), ok);
        const struct count_row path_rows[] = {
            {"renew_sent", p->path[i].renew_sent},
            {"renew_acked", p->path[i].renew_acked},
            {"wrong_port", p->path[i].wrong_port},
            {"send_errno", p->path[i].send_errno},
        };
        put_counts(path, path_rows, ARRAY_LEN(path_rows), true, ok);
        json_push(paths, path, ok);
    }
    json_put(one, "paths", paths, ok);
    return one;
}

static json_t *json_preflight_checks(const struct result *r, bool *ok)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < r->preflight.check_count; i++) {
        const struct result_preflight_check *c = &r->preflight.checks[i];
        json_t *one = json_object();
        json_put(one, "id", json_string(c->id), ok);
        json_put(one, "result", json_string(c->result), ok);
        json_put(one, "where", json_string(c->where), ok);
        json_put(one, "text", json_string(c->text), ok);
        json_put(one, "remedy", json_string(c->remedy), ok);
        json_push(checks, one, ok);
    }
    return checks;
}

json_t *json_preflight(const struct result *r, bool *ok)
{
    json_t *preflight = json_object(), *relays = json_array();
    json_put(preflight, "run", json_boolean(r->preflight.was_run), ok);
    json_put(preflight, "sent", json_count(r->preflight.sent), ok);
    json_put(preflight, "received", json_count(r->preflight.received), ok);
    json_put(preflight, "events", json_count(r->preflight.events), ok);
    for (size_t i = 0; i < r->preflight.relay_count; i++) {
        json_push(relays, json_preflight_relay(&r->preflight.relays[i], ok), ok);
    }
    json_put(preflight, "relays", relays, ok);
    json_put(preflight, "checks", json_preflight_checks(r, ok), ok);
    return preflight;
}
