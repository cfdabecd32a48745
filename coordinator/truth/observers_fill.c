/* SPDX-License-Identifier: MIT */
/* Into the result: what each observer came to, and its series on the timeline. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/result.h"
#include "coordinator/truth/observers_state.h"

#define LOST_S        5.5 /* silent for so long when the run ended */
#define ROW_GAP_MAX_S 5   /* rows farther apart are not joined by a line */

static struct result_observer_metric metric_of(const struct observers_one *one,
                                               enum observer_metric m)
{
    const struct observers_metric *from = &one->metric[m];
    struct result_observer_metric out = {.availability = (enum availability)from->availability,
                                         .is_any = from->figures > 0,
                                         .first = NAN,
                                         .last = NAN,
                                         .difference = NAN,
                                         .mean = NAN,
                                         .min = NAN,
                                         .max = NAN};
    enum observer_metric_kind kind = observer_metric_kind(m);
    out.available_percent =
        one->frames == 0 ? 0 : 100 * (double)from->figures / (double)one->frames;
    if (from->figures == 0) {
        return out;
    }
    out.first = from->first;
    out.last = from->last;
    if (kind == OBSERVER_COUNTER && from->figures > 1) {
        out.difference = from->total;
    } else if (kind == OBSERVER_GAUGE) {
        out.mean = from->total / (double)from->figures;
        out.min = from->smallest;
        out.max = from->largest;
    }
    return out;
}

static bool fill_band(const struct observers_one *one, struct result_observer *out)
{
    out->band = calloc(one->band.count + 1, sizeof(*out->band));
    if (out->band == NULL) {
        return false;
    }
    memcpy(out->band, one->band.span, one->band.count * sizeof(*out->band));
    out->band_count = one->band.count;
    out->band_left_out = one->band.left_out;
    return true;
}

static bool fill_one(const struct observers *o, const struct observers_one *one, double run_end_s,
                     struct result_observer *out)
{
    memcpy(out->name, one->name, sizeof(out->name));
    memcpy(out->host, one->host, sizeof(out->host));
    memcpy(out->program, one->program, sizeof(out->program));
    memcpy(out->build, one->build, sizeof(out->build));
    if (one->server < o->plan->server_count) {
        memcpy(out->server, o->plan->servers[one->server].name, sizeof(out->server));
    }
    out->frames = one->frames;
    out->clock_uncertainty_us = one->uncertainty_us;
    out->first_s = one->rows == 0 ? NAN : one->at_s[0];
    out->last_s = one->rows == 0 ? NAN : one->at_s[one->rows - 1];
    out->is_lost = one->rows == 0 || run_end_s - out->last_s > LOST_S;
    out->restarts = one->restarts;
    for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
        out->metric[m] = metric_of(one, (enum observer_metric)m);
    }
    double self_us = out->metric[OBSERVER_self_cpu].difference;
    double lasted_s = out->last_s - out->first_s;
    out->self_cpu_percent = lasted_s > 0 ? self_us / lasted_s / 1e4 : NAN;
    memcpy(out->note, one->note, sizeof(out->note));
    return fill_band(one, out);
}

/* --- series --- */

/* Growth up to an instant, on the line between the rows around it; NAN outside, or in a gap. */
static double growth_at(const struct observers_one *one, const double *value, size_t *row,
                        double at_s, double gap_s)
{
    while (*row + 1 < one->rows && one->at_s[*row + 1] < at_s) {
        (*row)++;
    }
    if (one->at_s[*row] > at_s || *row + 1 == one->rows) {
        return NAN;
    }
    double from_s = one->at_s[*row], until_s = one->at_s[*row + 1];
    if (until_s - from_s > gap_s) {
        return NAN;
    }
    double share = (at_s - from_s) / (until_s - from_s);
    return value[*row] + share * (value[*row + 1] - value[*row]);
}

static void rates_of(const struct observers_one *one, const double *value,
                     const struct result_timeline *t, double *out)
{
    double gap_s = ROW_GAP_MAX_S * fmax(one->stride, 1);
    size_t row = 0;
    double before = growth_at(one, value, &row, t->t0_s, gap_s);
    for (size_t i = 0; i < t->count; i++) {
        double until_s = t->t0_s + (double)(i + 1) * t->interval_s;
        double after = growth_at(one, value, &row, until_s, gap_s);
        out[i] = (after - before) / t->interval_s;
        before = after;
    }
}

/* The latest figure of each interval, or of shortly before it. */
static void gauges_of(const struct observers_one *one, const double *value,
                      const struct result_timeline *t, double *out)
{
    size_t row = 0;
    for (size_t i = 0; i < t->count; i++) {
        double until_s = t->t0_s + (double)(i + 1) * t->interval_s;
        while (row + 1 < one->rows && one->at_s[row + 1] <= until_s) {
            row++;
        }
        double age_s = until_s - one->at_s[row];
        bool is_of_it = age_s >= 0 && age_s <= t->interval_s + 1.5 * one->stride;
        out[i] = is_of_it ? value[row] : NAN;
    }
}

static const char *rate_unit(enum observer_metric m)
{
    const char *unit = observer_metric_unit(m);
    if (strcmp(unit, "us") == 0) {
        return "us/s";
    }
    return strcmp(unit, "bytes") == 0 ? "bytes/s" : "1/s";
}

/* What never changed is told by its first and last figure; states are the band. */
static bool has_series(const struct observers_one *one, enum observer_metric m)
{
    const struct observers_metric *metric = &one->metric[m];
    return metric->figures > 1 && metric->smallest < metric->largest &&
           observer_metric_kind(m) != OBSERVER_STATE;
}

static bool add_series(const struct observers_one *one, enum observer_metric m,
                       struct result_timeline *t)
{
    struct result_series *s = &t->series[t->series_count];
    bool is_counter = observer_metric_kind(m) == OBSERVER_COUNTER;
    s->values = malloc((t->count + 1) * sizeof(*s->values));
    if (s->values == NULL) {
        return false;
    }
    (void)snprintf(s->name, sizeof(s->name), "observer.%.31s.%s", one->name,
                   observer_metric_name(m));
    s->unit = is_counter ? rate_unit(m) : observer_metric_unit(m);
    t->series_count++;
    if (is_counter) {
        rates_of(one, one->metric[m].value, t, s->values);
    } else {
        gauges_of(one, one->metric[m].value, t, s->values);
    }
    return true;
}

static bool fill_series(const struct observers *o, struct result_timeline *t)
{
    size_t more = o->count * OBSERVER_METRIC_COUNT;
    struct result_series *grown = realloc(t->series, (t->series_count + more + 1) * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    t->series = grown;
    for (size_t i = 0; i < o->count; i++) {
        for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
            if (has_series(o->one[i], (enum observer_metric)m) &&
                !add_series(o->one[i], (enum observer_metric)m, t)) {
                return false;
            }
        }
    }
    return true;
}

bool observers_fill(const struct observers *o, double run_end_s, struct result *out)
{
    out->observers = calloc(o->count + 1, sizeof(*out->observers));
    if (out->observers == NULL) {
        return false;
    }
    for (size_t i = 0; i < o->count; i++) {
        out->observer_count++;
        if (!fill_one(o, o->one[i], run_end_s, &out->observers[i])) {
            return false;
        }
    }
    return fill_series(o, &out->timeline);
}
