/* SPDX-License-Identifier: MIT */
/*
 * Latency histogram of fixed size with lossless merging.
 *
 * Nanoseconds. Every power of two from 2^10 to 2^40 is cut into 128 equal
 * steps, so a reported value is at most 1/128 (0.8 %) above the recorded one.
 * Values below 2^10 share the first bucket, values of 2^40 (18 min) and more the
 * last one; min, max and sum are exact. Merging adds bucket by bucket: the
 * coordinator gets the same percentiles whether one agent or fifty recorded.
 *
 * Pure: no I/O, no clock, no allocation. Not thread-safe. A zeroed histogram
 * is a valid empty one; there is nothing to free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    HISTOGRAM_STEPS = 128,     /* per power of two */
    HISTOGRAM_LOW_POWER = 10,  /* 2^10 ns = 1.024 us */
    HISTOGRAM_HIGH_POWER = 40, /* 2^40 ns = 1099.5 s */
    HISTOGRAM_BUCKETS = (HISTOGRAM_HIGH_POWER - HISTOGRAM_LOW_POWER) * HISTOGRAM_STEPS + 2
};

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns; /* valid when count > 0 */
    uint64_t max_ns;
    uint32_t bucket[HISTOGRAM_BUCKETS]; /* saturates at UINT32_MAX; then is_saturated */
    bool is_saturated;
};

void histogram_record(struct histogram *h, uint64_t value_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Bucket a value falls into, and the largest value of a bucket (UINT64_MAX for the last). */
unsigned histogram_bucket_of(uint64_t value_ns);
uint64_t histogram_upper_ns(unsigned bucket);

/*
 * Smallest bucket bound that at least `percent` of the samples do not exceed,
 * clamped to [min, max]. Rounds up: a latency is never flattered.
 * Requires 0 < percent <= 100. Returns 0 if empty.
 */
uint64_t histogram_percentile_ns(const struct histogram *h, double percent);

/*
 * The same over `total` intended samples of which only h->count arrived: the
 * missing ones are infinite. UINT64_MAX when the percentile lies among them.
 */
uint64_t histogram_percentile_of_total_ns(const struct histogram *h, double percent,
                                          uint64_t total);
