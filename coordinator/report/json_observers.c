/* SPDX-License-Identifier: MIT */
/* observers[] of report.json. */
#include <math.h>

#include "coordinator/report/json_parts.h"

/* Counters beyond a million are whole, the rest is good to a thousandth. */
static json_t *json_figure(double value)
{
    return json_number(fabs(value) < 1e6 ? round(value * 1e3) / 1e3 : round(value));
}

static json_t *json_metric(const struct result_observer_metric *from, enum observer_metric m,
                           bool *ok)
{
    static const char *const kinds[] = {
        [OBSERVER_COUNTER] = "counter", [OBSERVER_GAUGE] = "gauge", [OBSERVER_STATE] = "state"};
    bool is_state = observer_metric_kind(m) == OBSERVER_STATE; /* which `failover` tells */
    json_t *one = json_object();
    json_put(one, "name", json_string(observer_metric_name(m)), ok);
    json_put(one, "unit", json_string(observer_metric_unit(m)), ok);
    json_put(one, "kind", json_string(kinds[observer_metric_kind(m)]), ok);
    json_put(one, "availability", json_string(availability_name(from->availability)), ok);
    json_put(one, "available_percent", json_figure(from->available_percent), ok);
    json_put(one, "first", is_state ? json_null() : json_figure(from->first), ok);
    json_put(one, "last", is_state ? json_null() : json_figure(from->last), ok);
    json_put(one, "difference", json_figure(from->difference), ok);
    json_put(one, "mean", json_figure(from->mean), ok);
    json_put(one, "min", json_figure(from->min), ok);
    json_put(one, "max", json_figure(from->max), ok);
    return one;
}

static json_t *json_state(bool is_known, enum failover_state state)
{
    return is_known ? json_string(failover_state_name(state)) : json_null();
}

static json_t *json_band(const struct result_observer *o, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < o->band_count; i++) {
        const struct result_failover_span *s = &o->band[i];
        json_t *one = json_object();
        json_put(one, "from_s", json_seconds(s->from_s), ok);
        json_put(one, "until_s", json_seconds(s->until_s), ok);
        json_put(one, "running", json_boolean(s->is_running), ok);
        json_put(one, "own", json_state(s->is_own_known, s->own), ok);
        json_put(one, "partner", json_state(s->is_partner_known, s->partner), ok);
        json_push(all, one, ok);
    }
    return all;
}

static json_t *json_observer(const struct result_observer *o, bool *ok)
{
    json_t *one = json_object(), *metrics = json_array(), *notes = json_object();
    json_put(one, "name", json_string(o->name), ok);
    json_put(one, "host", json_string(o->host), ok);
    json_put(one, "program", json_string(o->program), ok);
    json_put(one, "build", json_string(o->build), ok);
    json_put(one, "server", o->server[0] == '\0' ? json_null() : json_string(o->server), ok);
    json_put(one, "frames", json_count(o->frames), ok);
    json_put(one, "clock_uncertainty_us",
             json_count(o->frames == 0 ? RESULT_UNKNOWN : o->clock_uncertainty_us), ok);
    json_put(one, "first_s", json_seconds(o->first_s), ok);
    json_put(one, "last_s", json_seconds(o->last_s), ok);
    json_put(one, "lost", json_boolean(o->is_lost), ok);
    json_put(one, "server_restarts", json_count(o->restarts), ok);
    json_put(one, "self_cpu_percent", json_figure(o->self_cpu_percent), ok);
    for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
        json_push(metrics, json_metric(&o->metric[m], (enum observer_metric)m, ok), ok);
    }
    for (int k = 0; k < NOTE_KIND_COUNT; k++) {
        if (o->note[k][0] != '\0') {
            json_put(notes, observer_note_name((enum observer_note_kind)k), json_string(o->note[k]),
                     ok);
        }
    }
    json_put(one, "metrics", metrics, ok);
    json_put(one, "notes", notes, ok);
    json_put(one, "failover", json_band(o, ok), ok);
    json_put(one, "failover_frames_left_out", json_count(o->band_left_out), ok);
    return one;
}

json_t *json_observers(const struct result *r, bool *ok)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->observer_count; i++) {
        json_push(all, json_observer(&r->observers[i], ok), ok);
    }
    return all;
}
