/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/statistics.h"

#include <math.h>

const double statistics_percent[RESULT_PERCENTILES] = {50, 90, 99, 99.9};
const char *const statistics_percent_name[RESULT_PERCENTILES] = {"p50", "p90", "p99", "p999"};

uint64_t statistics_samples_needed(double percent)
{
    /* In thousandths of a percent, so that 99.9 is exact: 10 / 0.001 is 10,000, not 10,001. */
    uint64_t rest = 100000 - (uint64_t)llround(percent * 1000);
    return (10 * 100000 + rest - 1) / rest;
}

uint64_t statistics_us(uint64_t ns)
{
    return ns / 1000 + (ns % 1000 != 0);
}

/*
 * Weights of the binomial distribution relative to that of its mode, to both
 * sides of it: products of ratios, so that nothing over- or underflows.
 */
struct walk {
    double n, p;
};

static double weight_below(const struct walk *w, double k) /* of k - 1, relative to k */
{
    return k * (1 - w->p) / ((w->n - k + 1) * w->p);
}

static double weight_above(const struct walk *w, double k) /* of k + 1, relative to k */
{
    return (w->n - k) * w->p / ((k + 1) * (1 - w->p));
}

/* Sum of all weights on one side of the mode, itself left out. */
static double side_of(const struct walk *w, double mode, bool is_below)
{
    static const double nothing = 1e-18;
    double sum = 0, weight = 1;
    for (double k = mode; is_below ? k > 0 : k < w->n; k += is_below ? -1 : 1) {
        weight *= is_below ? weight_below(w, k) : weight_above(w, k);
        sum += weight;
        if (weight < nothing) {
            break;
        }
    }
    return sum;
}

/*
 * The rank-th smallest of n samples lies above the true percentile as often as
 * a binomial variable B(n, p) stays below rank. Exact for every n: about
 * 17 sqrt(n p (1-p)) steps, 300,000 for a billion samples, so no approximation
 * is needed. Checked in tests/support/percentiles.py with whole numbers.
 */
void statistics_ranks(uint64_t n, double percent, uint64_t *out_low, uint64_t *out_high)
{
    static const double tail = 0.025;
    const struct walk w = {.n = (double)n, .p = percent / 100};
    double mode = floor((w.n + 1) * w.p);
    mode = mode > w.n ? w.n : mode;
    double below = side_of(&w, mode, true), above = side_of(&w, mode, false);
    double total = below + 1 + above;
    /* P(B < low), for low = mode at first; a rank of 0: below the smallest sample. */
    double low = mode, weight = 1;
    while (low > 0 && below > tail * total) {
        weight *= weight_below(&w, low);
        below -= weight;
        low--;
    }
    /* P(B >= high), for high = mode + 1 at first; n + 1: above the largest. */
    double high = mode + 1;
    weight = 1;
    while (high <= w.n && above > tail * total) {
        weight *= weight_above(&w, high - 1);
        above -= weight;
        high++;
    }
    *out_low = (uint64_t)low;
    *out_high = (uint64_t)high;
}

/* Bucket bound above the sample with this rank (from 1) of `total`; UINT64_MAX: unfinished. */
static uint64_t rank_ns(const struct histogram *h, uint64_t rank, uint64_t total)
{
    if (rank > total) {
        return UINT64_MAX;
    }
    /* Half a rank lower, so that rounding in the percentage cannot reach the next sample. */
    return histogram_percentile_of_total_ns(h, 100 * ((double)rank - 0.5) / (double)total, total);
}

/* An interval may be too wide but not too narrow: its ends are rounded outwards. */
static void interval(const struct histogram *h, uint64_t total, unsigned i,
                     struct result_latency *out)
{
    uint64_t low, high;
    statistics_ranks(total, statistics_percent[i], &low, &high);
    uint64_t low_ns = low == 0 ? 0 : rank_ns(h, low, total);
    uint64_t high_ns = rank_ns(h, high, total);
    if (low_ns != UINT64_MAX) {
        unsigned bucket = histogram_bucket_of(low_ns);
        low_ns = low == 0 || bucket == 0 ? 0 : histogram_upper_ns(bucket - 1);
        low_ns = low_ns < h->min_ns && low > 0 ? h->min_ns : low_ns;
    }
    out->low_us[i] = low_ns == UINT64_MAX ? RESULT_UNKNOWN : low_ns / 1000;
    out->high_us[i] = high_ns == UINT64_MAX ? RESULT_UNKNOWN : statistics_us(high_ns);
}

static uint64_t bound_of(const struct histogram *h, unsigned bucket)
{
    uint64_t ns = histogram_upper_ns(bucket);
    return ns > h->max_ns ? h->max_ns : ns;
}

/* Askings that had to wait longer than `than_ns`: of a sample v those of v, v - pace, v - 2 pace
 * ... down to one pace. */
static double waited_longer(const struct histogram *h, uint64_t pace_ns, uint64_t than_ns)
{
    double sum = 0;
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        uint64_t ns = bound_of(h, b);
        if (h->bucket[b] == 0 || ns <= than_ns) {
            continue;
        }
        uint64_t all = ns / pace_ns > 0 ? ns / pace_ns : 1;
        uint64_t above = (ns - than_ns - 1) / pace_ns + 1;
        sum += (double)h->bucket[b] * (double)(above < all ? above : all);
    }
    return sum;
}

uint64_t statistics_paced_ns(const struct histogram *h, uint64_t pace_ns, double percent)
{
    double may_wait_longer = waited_longer(h, pace_ns, 0) * (1 - percent / 100);
    unsigned low = 0, high = HISTOGRAM_BUCKETS - 1;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (waited_longer(h, pace_ns, bound_of(h, middle)) > may_wait_longer) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return bound_of(h, low);
}

void statistics_latency(const struct histogram *h, uint64_t unfinished, struct result_latency *out)
{
    *out = (struct result_latency){.count = h->count, .unfinished = unfinished};
    out->min_us = out->mean_us = out->max_us = RESULT_UNKNOWN;
    if (h->count > 0) {
        out->min_us = statistics_us(h->min_ns);
        out->mean_us = statistics_us(h->sum_ns / h->count);
        out->max_us = statistics_us(h->max_ns);
    }
    uint64_t total = h->count + unfinished;
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        out->percentile_us[i] = out->low_us[i] = out->high_us[i] = RESULT_UNKNOWN;
        if (total < statistics_samples_needed(statistics_percent[i])) {
            continue;
        }
        uint64_t ns = histogram_percentile_of_total_ns(h, statistics_percent[i], total);
        out->is_infinite[i] = ns == UINT64_MAX;
        out->percentile_us[i] = out->is_infinite[i] ? RESULT_UNKNOWN : statistics_us(ns);
        interval(h, total, i, out);
    }
}
