/* SPDX-License-Identifier: MIT */
/*
 * Medians and their intervals over repeats, by percentile bootstrap: resample
 * with replacement, take the median, keep the middle 95 % of those medians.
 *
 * With few repeats the interval is from the smallest to the largest value and
 * covers the true median less often than 95 %: bootstrap_coverage_percent()
 * says how often. Seeded, so that a report comes out the same twice. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { BOOTSTRAP_VALUES_MAX = 256, BOOTSTRAP_RESAMPLES = 4000 };

struct bootstrap_interval {
    double low, high;
};

/* 1..BOOTSTRAP_VALUES_MAX finite values, in any order. */
double bootstrap_median(const double *values, size_t count);
struct bootstrap_interval bootstrap_median_interval(const double *values, size_t count,
                                                    uint64_t seed);
/* Of median(b) - median(a). */
struct bootstrap_interval bootstrap_difference(const double *a, size_t a_count, const double *b,
                                               size_t b_count, uint64_t seed);
/* How often such an interval holds the true median: 95, less below six values. */
double bootstrap_coverage_percent(size_t count);
