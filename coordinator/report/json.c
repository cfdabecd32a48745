/* SPDX-License-Identifier: MIT */
#include "coordinator/report/report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "coordinator/report/json_parts.h"

void json_put(json_t *object, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(object, key, value) < 0) {
        *ok = false;
    }
}

void json_push(json_t *array, json_t *value, bool *ok)
{
    if (json_array_append_new(array, value) < 0) {
        *ok = false;
    }
}

json_t *json_count(uint64_t value)
{
    return value == RESULT_UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Microsecond digits are plenty, and 0.1 is to stay 0.1. */
json_t *json_seconds(double value)
{
    return json_number(round(value * 1e6) / 1e6);
}

json_t *json_address(struct ipv4 address)
{
    char text[IPV4_TEXT_BYTES];
    return json_string(inet_text(address, text));
}

static json_t *json_wall_time(uint64_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm parts;
    char text[32];
    if (at_s == 0 || gmtime_r(&at, &parts) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return json_null();
    }
    return json_string(text);
}

static json_t *json_run(const struct result *r, bool *ok)
{
    json_t *run = json_object(), *stages = json_array();
    json_put(run, "id", json_string(r->run.id), ok);
    json_put(run, "scenario", json_string(r->run.scenario), ok);
    /* JSON integers are signed here: a seed beyond that is written as text. */
    char seed[24];
    (void)snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->run.seed);
    json_put(run, "seed",
             r->run.seed > INT64_MAX ? json_string(seed) : json_integer((json_int_t)r->run.seed),
             ok);
    json_put(run, "identity", r->run.identity == NULL ? json_null() : json_string(r->run.identity),
             ok);
    json_put(run, "spin", json_string(r->run.is_spin_off ? "off" : "on"), ok);
    json_put(run, "started_at", json_wall_time(r->run.started_at_s), ok);
    json_put(run, "duration_s", json_seconds(r->run.duration_s), ok);
    json_put(run, "lease_s", json_seconds(r->run.lease_s), ok);
    json_put(run, "production_lease_s", json_seconds(r->run.production_lease_s), ok);
    json_put(run, "version", r->run.version == NULL ? json_null() : json_string(r->run.version),
             ok);
    json_put(run, "client_path",
             !r->path_is_known ? json_null()
                               : json_string(r->path_is_dnat ? "dnat" : plan_path_name(r->path)),
             ok);
    for (size_t i = 0; i < r->run.stage_count; i++) {
        const struct result_stage *s = &r->run.stages[i];
        json_t *stage = json_object();
        json_put(stage, "name", json_string(s->name), ok);
        json_put(stage, "kind", json_string(plan_stage_kind_name(s->kind)), ok);
        json_put(stage, "begin_s", json_seconds(s->was_begun ? s->begin_s : NAN), ok);
        json_put(stage, "end_s", json_seconds(s->has_ended ? s->end_s : NAN), ok);
        json_put(stage, "timed_out", json_boolean(s->timed_out), ok);
        json_put(stage, "batch", json_count(s->batch), ok);
        json_put(stage, "rate_per_s", json_seconds(s->rate_per_s), ok);
        json_put(stage, "duration_s", json_seconds(s->duration_s), ok);
        json_put(stage, "measured_from_s", json_seconds(s->measured_from_s), ok);
        json_put(stage, "measured_until_s", json_seconds(s->measured_until_s), ok);
        json_push(stages, stage, ok);
    }
    json_put(run, "stages", stages, ok);
    return run;
}

static json_t *json_verdict(const struct result *r, bool *ok)
{
    json_t *verdict = json_object(), *reasons = json_array();
    json_put(verdict, "result", json_string(verdict_name(r->verdict.result)), ok);
    json_put(verdict, "exit_code", json_integer(verdict_exit_code(r->verdict.result)), ok);
    for (size_t i = 0; i < r->verdict.reason_count; i++) {
        json_push(reasons, json_string(r->verdict.reasons[i]), ok);
    }
    json_put(verdict, "reasons", reasons, ok);
    return verdict;
}

static json_t *json_windows(const struct result_judgement *j, bool *ok)
{
    if (!j->has_windows) {
        return json_null();
    }
    json_t *windows = json_object();
    json_put(windows, "count", json_count(j->windows), ok);
    json_put(windows, "missed", json_count(j->windows_missed), ok);
    json_put(windows, "too_few_samples", json_count(j->windows_too_few), ok);
    json_put(windows, "worst_from_s", json_seconds(j->window_begin_s), ok);
    json_put(windows, "worst_until_s", json_seconds(j->window_end_s), ok);
    return windows;
}

static json_t *json_judgements(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->judgement_count; i++) {
        const struct result_judgement *j = &r->judgements[i];
        json_t *one = json_object();
        json_put(one, "expression", json_string(j->expression), ok);
        json_put(one, "value", json_number(j->value), ok);
        json_put(one, "limit", json_number(j->limit), ok);
        json_put(one, "unit", json_string(j->unit == NULL ? "" : j->unit), ok);
        json_put(one, "windows", json_windows(j, ok), ok);
        json_put(one, "result", json_string(judgement_result_name(j->result)), ok);
        json_put(one, "note", json_string(j->note), ok);
        json_push(all, one, ok);
    }
    return all;
}

static json_t *json_findings(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->finding_count; i++) {
        const struct result_finding *f = &r->findings[i];
        json_t *one = json_object();
        json_put(one, "id", json_string(f->id), ok);
        json_put(one, "severity", json_string(f->severity), ok);
        json_put(one, "side", json_string(f->side), ok);
        json_put(one, "summary", json_string(f->summary), ok);
        json_put(one, "evidence", json_string(f->evidence), ok);
        json_put(one, "remedy", json_string(f->remedy), ok);
        json_put(one, "servers", json_finding_servers(r, f, ok), ok);
        json_push(all, one, ok);
    }
    return all;
}

static json_t *json_unexpected(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->unexpected_count; i++) {
        json_t *one = json_object();
        json_put(one, "state", json_string(r->unexpected[i].state), ok);
        json_put(one, "event", json_string(r->unexpected[i].event), ok);
        json_put(one, "count", json_count(r->unexpected[i].count), ok);
        json_push(all, one, ok);
    }
    return all;
}

static json_t *json_report(const struct result *r, bool *ok)
{
    json_t *root = json_object();
    json_put(root, "schema", json_string("leaseherd.report/1"), ok);
    json_put(root, "run", json_run(r, ok), ok);
    json_put(root, "verdict", json_verdict(r, ok), ok);
    json_put(root, "log_chain", r->log_chain[0] == '\0' ? json_null() : json_string(r->log_chain),
             ok);
    json_put(root, "accounting", json_accounting(r, ok), ok);
    json_put(root, "messages", json_messages(r, ok), ok);
    json_put(root, "leases", json_leases(r, ok), ok);
    json_put(root, "outage", json_outage(r, ok), ok);
    json_put(root, "lease_times", json_lease_times(r, ok), ok);
    json_put(root, "mclt", json_mclt(r, ok), ok);
    json_put(root, "renewal_wave", json_renewals(r, ok), ok);
    json_put(root, "latency_us", json_latencies(r, LATENCY_INTENDED, ok), ok);
    json_put(root, "latency_from_send_us", json_latencies(r, LATENCY_FROM_SEND, ok), ok);
    json_put(root, "latency_success_us", json_success_latencies(r, ok), ok);
    json_put(root, "latency_paced_us", json_paced(r, ok), ok);
    json_put(root, "tries", json_tries(r, ok), ok);
    json_put(root, "rates", json_rates(r, ok), ok);
    json_put(root, "addresses", json_addresses(r, ok), ok);
    json_put(root, "servers", json_servers(r, ok), ok);
    json_put(root, "relays", json_relays(r, ok), ok);
    json_put(root, "agents", json_agents(r, ok), ok);
    json_put(root, "observers", json_observers(r, ok), ok);
    json_put(root, "timeline", json_timeline(r, ok), ok);
    json_put(root, "judgements", json_judgements(r, ok), ok);
    json_put(root, "findings", json_findings(r, ok), ok);
    json_put(root, "findings_not_evaluated", json_not_evaluated(r, ok), ok);
    json_put(root, "facts", json_facts(r, ok), ok);
    json_put(root, "unexpected", json_unexpected(r, ok), ok);
    json_put(root, "preflight", json_preflight(r, ok), ok);
    json_put(root, "start_state", json_start_state(r, ok), ok);
    json_put(root, "search", json_search(r, ok), ok);
    json_put(root, "compression",
             r->compression[0] == '\0' ? json_null() : json_string(r->compression), ok);
    json_put(root, "housekeeping",
             r->housekeeping[0] == '\0' ? json_null() : json_string(r->housekeeping), ok);
    json_put(root, "window_limited",
             r->window_limited[0] == '\0' ? json_null() : json_string(r->window_limited), ok);
    return root;
}

int report_write_json(const struct result *r, FILE *out)
{
    bool ok = true;
    json_t *root = json_report(r, &ok);
    if (!ok) {
        json_decref(root);
        return -ENOMEM;
    }
    errno = 0;
    int rc = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    if (rc == 0 && (fputc('\n', out) == EOF || fflush(out) != 0 || ferror(out))) {
        rc = -1;
    }
    int error = rc == 0 ? 0 : -(errno == 0 ? EIO : errno);
    json_decref(root);
    return error;
}
