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

/* `unfinished` starts never ended: they count as infinitely long. */
void statistics_latency(const struct histogram *h, uint64_t unfinished, struct result_latency *out);
