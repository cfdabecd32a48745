/* SPDX-License-Identifier: MIT */
#include "coordinator/report/compare.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/truth/bootstrap.h"

enum { RUNS_FOR_BOOTSTRAP = 3 };

/* Two neighbouring steps of the histogram, one of either side: less is no difference. */
#define LATENCY_STEP_PERCENT 1.6

const struct compare_measure_info *compare_measure_info(enum compare_measure m)
{
    static const struct compare_measure_info infos[COMPARE_MEASURE_COUNT] = {
        [COMPARE_CAPACITY] = {"capacity", "exchanges/s", true},
        [COMPARE_ACQUIRE_P50] = {"acquire p50", "us", false},
        [COMPARE_ACQUIRE_P99] = {"acquire p99", "us", false},
        [COMPARE_RENEW_P50] = {"renew p50", "us", false},
        [COMPARE_RENEW_P99] = {"renew p99", "us", false},
        [COMPARE_FAILED] = {"clients failed", "", false},
        [COMPARE_EXPIRED] = {"leases expired", "", false},
        [COMPARE_OUTAGE] = {"outage", "client-seconds", false},
    };
    assert((unsigned)m < COMPARE_MEASURE_COUNT);
    return &infos[m];
}

bool compare_is_open(enum compare_measure m, double value)
{
    enum { PARTS = 8 }; /* a median of two halves it, and half of an interval does again */
    bool can_be = m == COMPARE_CAPACITY || strcmp(compare_measure_info(m)->unit, "us") == 0;
    double open = m == COMPARE_CAPACITY ? COMPARE_OPEN_PER_S : COMPARE_GIVE_UP_US;
    return can_be && fabs(value) >= open / PARTS;
}

bool compare_is_usable(const struct compare_run *run)
{
    return run->verdict == VERDICT_PASS || run->verdict == VERDICT_FAIL;
}

bool compare_is_alike(const struct compare_run *a, const struct compare_run *b,
                      char why[COMPARE_WHY_BYTES])
{
    if (strcmp(a->identity, b->identity) != 0) {
        (void)snprintf(why, COMPARE_WHY_BYTES,
                       "the identities are %s and %s: a server treats clients it has met in "
                       "another way than new ones",
                       a->identity, b->identity);
        return false;
    }
    const char *x = a->shape, *y = b->shape;
    while (*x != '\0' || *y != '\0') {
        size_t x_bytes = strcspn(x, "\n"), y_bytes = strcspn(y, "\n");
        if (x_bytes != y_bytes || memcmp(x, y, x_bytes) != 0) {
            (void)snprintf(why, COMPARE_WHY_BYTES,
                           "the scenarios differ: \"%.*s\" and \"%.*s\"; compare runs that differ "
                           "in one thing only, the server",
                           (int)x_bytes, x, (int)y_bytes, y);
            return false;
        }
        x += x_bytes + (x[x_bytes] == '\n');
        y += y_bytes + (y[y_bytes] == '\n');
    }
    return true;
}

/* One side of one measure. */
struct side {
    double value[COMPARE_SAMPLES_MAX], at[COMPARE_SAMPLES_MAX]; /* at: of capacities */
    size_t count, below, above;
    bool is_searched;
    double median, low, high; /* low, high: of the reports themselves, all runs together */
};

static void add_sample(struct side *s, double value, double at)
{
    if (isfinite(value) && s->count < COMPARE_SAMPLES_MAX) {
        s->at[s->count] = at;
        s->value[s->count++] = value;
    }
}

static void add_capacities(struct side *s, const struct compare_run *run)
{
    s->is_searched = s->is_searched || run->is_searched;
    for (size_t k = 0; k < run->capacity_count && s->count < COMPARE_SAMPLES_MAX; k++) {
        double value = run->capacity[k];
        add_sample(s, value, run->capacity_at[k]);
        s->below += value <= -COMPARE_OPEN_PER_S;
        s->above += value >= COMPARE_OPEN_PER_S;
    }
}

/*
 * "Less than 20,000/s" is not less than 10,000/s. Between the same two rates all are in order;
 * some slack, because the lower end of a bracket is measured.
 */
static bool is_ordered(const struct side *a, const struct side *b)
{
    const double slack = 1.05;
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            bool is_open =
                fabs(a->value[i]) >= COMPARE_OPEN_PER_S || fabs(b->value[k]) >= COMPARE_OPEN_PER_S;
            bool is_le = a->value[i] <= b->value[k], is_ge = a->value[i] >= b->value[k];
            if (is_open && ((is_le && a->at[i] > b->at[k] * slack) ||
                            (is_ge && b->at[k] > a->at[i] * slack))) {
                return false;
            }
        }
    }
    return true;
}

static void collect(const struct compare_run *runs, size_t count, enum compare_measure m,
                    struct side *out)
{
    *out = (struct side){.median = NAN, .low = NAN, .high = NAN};
    bool is_any_without = false;
    for (size_t i = 0; i < count; i++) {
        const struct compare_value *v = &runs[i].of[m];
        if (m == COMPARE_CAPACITY) {
            add_capacities(out, &runs[i]);
        } else {
            add_sample(out, v->value, NAN);
        }
        is_any_without = is_any_without || isnan(v->low) || isnan(v->high);
        out->low = fmin(out->low, v->low); /* fmin() and fmax() pass over a NAN */
        out->high = fmax(out->high, v->high);
    }
    if (is_any_without) {
        out->low = out->high = NAN;
    }
    if (out->count > 0) {
        out->median = bootstrap_median(out->value, out->count);
    }
}

/*
 * A bootstrap of medians is too sure of itself with few runs: simulated with normal and
 * exponential runs it holds the truth in 89 to 92 % of all cases with 3 or 4 on a side,
 * in 95 to 96 % from 5 on both.
 */
static unsigned bootstrap_percent(size_t a_count, size_t b_count)
{
    enum { RUNS_FOR_95 = 5 };
    return a_count < RUNS_FOR_95 || b_count < RUNS_FOR_95 ? 90 : 95;
}

static void find_interval(const struct side *a, const struct side *b, uint64_t seed,
                          struct compare_row *row)
{
    row->is_bootstrap = a->count >= RUNS_FOR_BOOTSTRAP && b->count >= RUNS_FOR_BOOTSTRAP;
    row->interval_percent = row->is_bootstrap ? bootstrap_percent(a->count, b->count) : 95;
    if (row->is_bootstrap) {
        struct bootstrap_interval i =
            bootstrap_difference(a->value, a->count, b->value, b->count, seed);
        row->low = i.low;
        row->high = i.high;
    } else {
        row->low = b->low - a->high;
        row->high = b->high - a->low;
    }
}

static enum compare_outcome outcome_of(const struct compare_row *row, enum compare_measure m)
{
    if (isnan(row->low) || isnan(row->high)) {
        return COMPARE_UNKNOWN;
    }
    bool is_latency = strcmp(compare_measure_info(m)->unit, "us") == 0;
    bool is_within_step = is_latency && !(fabs(row->percent) > LATENCY_STEP_PERCENT);
    if (is_within_step || (row->low <= 0 && row->high >= 0)) {
        /* That a server may have sunk below every rate asked for is no "no difference". */
        bool may_be_far_less = m == COMPARE_CAPACITY && compare_is_open(m, row->low);
        return may_be_far_less ? COMPARE_UNKNOWN : COMPARE_SAME;
    }
    bool is_more = row->low > 0;
    return is_more == compare_measure_info(m)->is_more_better ? COMPARE_BETTER : COMPARE_WORSE;
}

/* All below the same lowest rate, or all beyond the same highest. */
static bool is_same_open_end(const struct side *a, const struct side *b)
{
    return (a->below == a->count && b->below == b->count) ||
           (a->above == a->count && b->above == b->count);
}

static struct compare_row decide(const struct side *a, const struct side *b, uint64_t seed,
                                 enum compare_measure m)
{
    struct compare_row row = {.is_there = a->count > 0 || b->count > 0 || a->is_searched,
                              .outcome = COMPARE_UNKNOWN,
                              .a = a->median,
                              .b = b->median,
                              .change = b->median - a->median,
                              .percent = NAN,
                              .low = NAN,
                              .high = NAN,
                              .smallest = NAN,
                              .smallest_percent = NAN,
                              .a_count = a->count,
                              .a_below = a->below,
                              .a_above = a->above,
                              .b_count = b->count,
                              .b_below = b->below,
                              .b_above = b->above};
    row.is_unordered = m == COMPARE_CAPACITY && !is_ordered(a, b);
    if (a->count == 0 || b->count == 0 || row.is_unordered) {
        return row;
    }
    row.percent = a->median > 0 ? 100 * row.change / a->median : NAN;
    find_interval(a, b, seed, &row);
    row.outcome = is_same_open_end(a, b) ? COMPARE_SAME : outcome_of(&row, m);
    if (row.outcome == COMPARE_SAME) {
        double step = strcmp(compare_measure_info(m)->unit, "us") == 0
                          ? a->median * LATENCY_STEP_PERCENT / 100
                          : 0;
        row.smallest = fmax((row.high - row.low) / 2, step);
        row.smallest_percent = a->median > 0 ? 100 * row.smallest / a->median : NAN;
    }
    return row;
}

void compare_decide(const struct compare_run *a, size_t a_count, const struct compare_run *b,
                    size_t b_count, uint64_t seed, struct compare_result *out)
{
    assert(a_count >= 1 && b_count >= 1);
    *out = (struct compare_result){.a_runs = a_count, .b_runs = b_count};
    for (int m = 0; m < COMPARE_MEASURE_COUNT; m++) {
        struct side of_a, of_b;
        collect(a, a_count, (enum compare_measure)m, &of_a);
        collect(b, b_count, (enum compare_measure)m, &of_b);
        out->row[m] = decide(&of_a, &of_b, seed, (enum compare_measure)m);
        out->is_worse = out->is_worse || out->row[m].outcome == COMPARE_WORSE;
    }
    const struct compare_row *capacity = &out->row[COMPARE_CAPACITY];
    out->is_capacity_unknown = capacity->is_there && capacity->outcome == COMPARE_UNKNOWN;
}
