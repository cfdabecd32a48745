/* SPDX-License-Identifier: MIT */
/*
 * From a histogram to the figures that are printed: percentiles only where the
 * samples carry them (n >= 10/(1-p)), each with its 95 % order-statistic
 * interval. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/histogram.h"
#include "coordinator/report/result.h"

/* The percentiles of struct result_latency, in its order. */
extern const double statistics_percent[RESULT_PERCENTILES];
extern const char *const statistics_percent_name[RESULT_PERCENTILES]; /* "p50" ... */

/* Samples a percentile (0 < percent < 100) needs. */
uint64_t statistics_samples_needed(double percent);

/* Microseconds, rounded up: a latency is never flattered. */
uint64_t statistics_us(uint64_t ns);

/*
 * Ranks, from 1, of the samples between which the true percentile lies in 95 %
 * of all cases or more (order statistics, distribution-free). Low 0: below all of
 * them; high n + 1: above. n > 0.
 */
void statistics_ranks(uint64_t n, double percent, uint64_t *out_low, uint64_t *out_high);

/*
 * The percentile as an even pace would have met it: as if during each exchange
 * its slot had gone on asking every `pace_ns`, and all of these had been answered
 * when it was. What a closed model never asks while its servers stand still is so
 * taken into account (the usual correction for coordinated omission). `h` is not
 * empty, pace_ns > 0. Bound of a bucket, at most the largest sample.
 */
uint64_t statistics_paced_ns(const struct histogram *h, uint64_t pace_ns, double percent);

/* `unfinished` starts never ended: they count as infinitely long. */
void statistics_latency(const struct histogram *h, uint64_t unfinished, struct result_latency *out);
