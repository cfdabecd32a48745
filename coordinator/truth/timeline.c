/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/timeline.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/result.h"

enum kind { COUNT, GAUGE, MEAN };

static const struct {
    const char *name, *unit;
    enum kind kind;
} fixed[TIMELINE_FIXED_COUNT] = {
#define X(name, unit, kind) [TIMELINE_##name] = {#name, unit, kind},
    TIMELINE_SERIES(X)
#undef X
};

struct bucket {
    double sum;
    uint32_t count; /* what went in; 0: empty */
};

struct timeline {
    const struct plan *plan;
    int64_t interval_us;
    size_t series_count;
    size_t used; /* buckets touched so far */
    struct bucket (*series)[TIMELINE_BUCKETS];
};

struct timeline *timeline_new(const struct plan *plan)
{
    struct timeline *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    t->plan = plan;
    t->interval_us = 1000000;
    t->series_count = TIMELINE_FIXED_COUNT + 2 * (size_t)plan->server_count;
    t->series = calloc(t->series_count, sizeof(*t->series));
    if (t->series == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

void timeline_free(struct timeline *t)
{
    if (t != NULL) {
        free(t->series);
        free(t);
    }
}

static enum kind kind_of(size_t series)
{
    return series < TIMELINE_FIXED_COUNT ? fixed[series].kind : COUNT;
}

static void join(struct bucket *into, const struct bucket *later, enum kind kind)
{
    if (later->count == 0) {
        return;
    }
    if (kind == GAUGE) {
        *into = *later;
    } else {
        into->sum += later->sum;
        into->count += later->count;
    }
}

static void double_interval(struct timeline *t)
{
    for (size_t s = 0; s < t->series_count; s++) {
        struct bucket *b = t->series[s];
        for (size_t i = 0; i < TIMELINE_BUCKETS / 2; i++) {
            struct bucket joined = b[2 * i];
            join(&joined, &b[2 * i + 1], kind_of(s));
            b[i] = joined;
        }
        memset(&b[TIMELINE_BUCKETS / 2], 0, TIMELINE_BUCKETS / 2 * sizeof(*b));
    }
    t->interval_us *= 2;
    t->used = (t->used + 1) / 2;
}

static struct bucket *bucket_at(struct timeline *t, size_t series, int64_t run_us)
{
    assert(series < t->series_count);
    if (run_us < 0) {
        return NULL;
    }
    while (run_us / t->interval_us >= TIMELINE_BUCKETS) {
        double_interval(t);
    }
    size_t at = (size_t)(run_us / t->interval_us);
    t->used = at >= t->used ? at + 1 : t->used;
    return &t->series[series][at];
}

static void add(struct bucket *b, double amount)
{
    if (b != NULL) {
        b->sum += amount;
        b->count++;
    }
}

void timeline_count(struct timeline *t, enum timeline_series series, int64_t run_us, double amount)
{
    add(bucket_at(t, series, run_us), amount);
}

void timeline_sample(struct timeline *t, enum timeline_series series, int64_t run_us, double value)
{
    add(bucket_at(t, series, run_us), value);
}

void timeline_ack(struct timeline *t, uint32_t server, int64_t run_us)
{
    add(bucket_at(t, TIMELINE_FIXED_COUNT + server, run_us), 1);
}

void timeline_short_ack(struct timeline *t, uint32_t server, int64_t run_us)
{
    add(bucket_at(t, TIMELINE_FIXED_COUNT + t->plan->server_count + server, run_us), 1);
}

void timeline_gauge(struct timeline *t, enum timeline_series series, int64_t run_us, double value)
{
    struct bucket *b = bucket_at(t, series, run_us);
    if (b != NULL) {
        *b = (struct bucket){.sum = value, .count = 1};
    }
}

void timeline_spread(struct timeline *t, enum timeline_series series, int64_t from_us,
                     int64_t until_us, double amount)
{
    if (until_us <= from_us) {
        timeline_count(t, series, until_us, amount);
        return;
    }
    double per_us = amount / (double)(until_us - from_us);
    (void)bucket_at(t, series, until_us); /* settles the interval */
    for (int64_t at = from_us < 0 ? 0 : from_us; at < until_us;) {
        int64_t next = (at / t->interval_us + 1) * t->interval_us;
        next = next < until_us ? next : until_us;
        add(bucket_at(t, series, at), per_us * (double)(next - at));
        at = next;
    }
}

double timeline_peak_per_s(const struct timeline *t, enum timeline_series series)
{
    double peak = 0;
    for (size_t i = 0; i < t->used; i++) {
        peak = fmax(peak, t->series[series][i].sum);
    }
    return peak > 0 ? peak * 1e6 / (double)t->interval_us : NAN;
}

static bool is_empty(const struct timeline *t, size_t series)
{
    for (size_t i = 0; i < t->used; i++) {
        if (t->series[series][i].count > 0) {
            return false;
        }
    }
    return true;
}

static void copy_values(const struct timeline *t, size_t series, size_t count, double *out)
{
    double last = NAN;
    for (size_t i = 0; i < count; i++) {
        const struct bucket *b = &t->series[series][i];
        switch (kind_of(series)) {
        case COUNT:
            out[i] = b->sum * 1e6 / (double)t->interval_us;
            break;
        case GAUGE:
            last = b->count > 0 ? b->sum : last;
            out[i] = last;
            break;
        case MEAN:
            out[i] = b->count > 0 ? b->sum / b->count : NAN;
            break;
        }
    }
}

static bool fill_series(const struct timeline *t, size_t series, size_t count,
                        struct result_series *out)
{
    if (series < TIMELINE_FIXED_COUNT) {
        (void)snprintf(out->name, sizeof(out->name), "%s", fixed[series].name);
        out->unit = fixed[series].unit;
    } else {
        size_t at = series - TIMELINE_FIXED_COUNT, servers = t->plan->server_count;
        (void)snprintf(out->name, sizeof(out->name), at < servers ? "acks_%s" : "acks_short_%s",
                       t->plan->servers[at % servers].name);
        out->unit = "1/s";
    }
    out->values = malloc((count + 1) * sizeof(*out->values));
    if (out->values == NULL) {
        return false;
    }
    copy_values(t, series, count, out->values);
    return true;
}

bool timeline_fill(const struct timeline *t, int64_t until_us, struct result_timeline *out)
{
    size_t count = until_us <= 0 ? 0 : (size_t)((until_us - 1) / t->interval_us) + 1;
    count = count < t->used ? count : t->used;
    out->interval_s = (double)t->interval_us / 1e6;
    out->t0_s = 0;
    out->count = count;
    out->series = calloc(t->series_count + TIMELINE_MORE, sizeof(*out->series));
    if (out->series == NULL) {
        return false;
    }
    for (size_t i = 0; i < t->series_count; i++) {
        bool is_server =
            i >= TIMELINE_FIXED_COUNT && i < TIMELINE_FIXED_COUNT + t->plan->server_count;
        if (is_empty(t, i) && !is_server) {
            continue;
        }
        if (!fill_series(t, i, count, &out->series[out->series_count])) {
            return false;
        }
        out->series_count++;
    }
    return true;
}
