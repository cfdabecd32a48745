/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/evidence_spread.h"

#include <math.h>

#include "common/attrs.h"

#define REACH 1.15

struct wire_times evidence_times(const struct histogram *h)
{
    struct wire_times out = {.samples = h->count};
    if (h->count > 0) {
        out.p50_us = (double)histogram_percentile_ns(h, 50) / NS_PER_US;
        out.p90_us = (double)histogram_percentile_ns(h, 90) / NS_PER_US;
    }
    return out;
}

/* Smallest value a bucket holds. */
static double lower_ns(unsigned bucket)
{
    return bucket == 0 ? 1 : (double)histogram_upper_ns(bucket - 1) + 1;
}

struct wire_mode evidence_mode(const struct histogram *h, double least_us)
{
    struct wire_mode out = {.samples = h->count};
    unsigned first = histogram_bucket_of((uint64_t)(least_us * NS_PER_US));
    unsigned end = first;
    uint64_t inside = 0, best = 0;
    unsigned best_first = first;
    for (; first < HISTOGRAM_BUCKETS - 1; first++) {
        double last_ns = lower_ns(first) * REACH * REACH;
        for (; end < HISTOGRAM_BUCKETS - 1 && lower_ns(end) <= last_ns; end++) {
            inside += h->bucket[end];
        }
        if (inside > best) {
            best = inside;
            best_first = first;
        }
        inside -= first < end ? h->bucket[first] : 0;
    }
    if (best == 0) {
        return out;
    }
    /* The interval begins at its first value; its centre is the median of what it holds. */
    uint64_t passed = 0;
    unsigned middle = best_first;
    for (; middle < HISTOGRAM_BUCKETS - 1; middle++) {
        passed += h->bucket[middle];
        if (2 * passed >= best) {
            break;
        }
    }
    out.near = best;
    out.value_us = sqrt(lower_ns(middle) * (double)histogram_upper_ns(middle)) / NS_PER_US;
    return out;
}
