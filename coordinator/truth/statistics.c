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

/* Value of the sample with this rank (1-based) among `total`; UINT64_MAX: an unfinished one. */
static uint64_t rank_us(const struct histogram *h, double rank, uint64_t total)
{
    rank = rank < 1 ? 1 : rank;
    if (rank > (double)total) {
        return RESULT_UNKNOWN;
    }
    /* Half a rank lower, so that rounding in the percentage cannot reach the next sample. */
    uint64_t ns = histogram_percentile_of_total_ns(h, 100 * (rank - 0.5) / (double)total, total);
    return ns == UINT64_MAX ? RESULT_UNKNOWN : statistics_us(ns);
}

/*
 * The k-th smallest sample is below the true percentile as often as a binomial
 * variable with (n, p) reaches k: ranks n p -+ 1.96 sqrt(n p (1-p)).
 */
static void interval(const struct histogram *h, uint64_t total, unsigned i,
                     struct result_latency *out)
{
    double n = (double)total, p = statistics_percent[i] / 100;
    double half = 1.96 * sqrt(n * p * (1 - p));
    out->low_us[i] = rank_us(h, floor(n * p - half), total);
    out->high_us[i] = rank_us(h, ceil(n * p + half) + 1, total);
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
