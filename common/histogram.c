/* SPDX-License-Identifier: MIT */
#include "common/histogram.h"

#include <assert.h>
#include <math.h>

enum { STEP_BITS = 7, LAST_BUCKET = HISTOGRAM_BUCKETS - 1 };

static_assert(HISTOGRAM_STEPS == 1 << STEP_BITS, "a step is a shift");

unsigned histogram_bucket_of(uint64_t value_ns)
{
    if (value_ns >> HISTOGRAM_LOW_POWER == 0) {
        return 0;
    }
    if (value_ns >> HISTOGRAM_HIGH_POWER != 0) {
        return LAST_BUCKET;
    }
    unsigned power = 63U - (unsigned)__builtin_clzll(value_ns);
    unsigned step = (unsigned)(value_ns >> (power - STEP_BITS)) - HISTOGRAM_STEPS;
    return 1 + (power - HISTOGRAM_LOW_POWER) * HISTOGRAM_STEPS + step;
}

uint64_t histogram_upper_ns(unsigned bucket)
{
    assert(bucket < HISTOGRAM_BUCKETS);
    if (bucket == 0) {
        return (UINT64_C(1) << HISTOGRAM_LOW_POWER) - 1;
    }
    if (bucket == LAST_BUCKET) {
        return UINT64_MAX;
    }
    unsigned power = HISTOGRAM_LOW_POWER + (bucket - 1) / HISTOGRAM_STEPS;
    uint64_t step = (bucket - 1) % HISTOGRAM_STEPS;
    return ((HISTOGRAM_STEPS + step + 1) << (power - STEP_BITS)) - 1;
}

static void add_to_bucket(struct histogram *h, unsigned bucket, uint32_t count)
{
    if (__builtin_add_overflow(h->bucket[bucket], count, &h->bucket[bucket])) {
        h->bucket[bucket] = UINT32_MAX;
        h->is_saturated = true;
    }
}

static void add_to_sum(struct histogram *h, uint64_t value_ns)
{
    if (__builtin_add_overflow(h->sum_ns, value_ns, &h->sum_ns)) {
        h->sum_ns = UINT64_MAX;
        h->is_saturated = true;
    }
}

void histogram_record(struct histogram *h, uint64_t value_ns)
{
    if (h->count == 0 || value_ns < h->min_ns) {
        h->min_ns = value_ns;
    }
    if (value_ns > h->max_ns) {
        h->max_ns = value_ns;
    }
    h->count++;
    add_to_sum(h, value_ns);
    add_to_bucket(h, histogram_bucket_of(value_ns), 1);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0) {
        return;
    }
    if (into->count == 0 || from->min_ns < into->min_ns) {
        into->min_ns = from->min_ns;
    }
    if (from->max_ns > into->max_ns) {
        into->max_ns = from->max_ns;
    }
    into->count += from->count;
    into->is_saturated |= from->is_saturated;
    add_to_sum(into, from->sum_ns);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        add_to_bucket(into, i, from->bucket[i]);
    }
}

/* How many samples make up `percent` of `total`. */
static uint64_t rank_of(double percent, uint64_t total)
{
    assert(percent > 0 && percent <= 100);
    /* 7 % of 100 is 7, although 0.07 * 100 rounds to a little more. */
    double exact = percent * (double)total / 100 * (1 - 0x1p-50);
    double rank = ceil(exact);
    if (rank >= (double)total) {
        return total;
    }
    return rank < 1 ? 1 : (uint64_t)rank;
}

static uint64_t value_of_rank(const struct histogram *h, uint64_t rank)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank) {
            uint64_t upper_ns = histogram_upper_ns(i);
            return upper_ns < h->max_ns ? upper_ns : h->max_ns;
        }
    }
    return h->max_ns; /* a bucket is saturated: what it lost may be anywhere */
}

uint64_t histogram_percentile_ns(const struct histogram *h, double percent)
{
    return h->count == 0 ? 0 : value_of_rank(h, rank_of(percent, h->count));
}

uint64_t histogram_percentile_of_total_ns(const struct histogram *h, double percent, uint64_t total)
{
    if (total <= h->count) {
        return histogram_percentile_ns(h, percent);
    }
    uint64_t rank = rank_of(percent, total);
    return rank > h->count ? UINT64_MAX : value_of_rank(h, rank);
}
