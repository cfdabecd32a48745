/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/bootstrap.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sort_and_take_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    double upper = values[count / 2];
    return count % 2 == 1 ? upper : (values[count / 2 - 1] + upper) / 2;
}

double bootstrap_median(const double *values, size_t count)
{
    assert(count >= 1 && count <= BOOTSTRAP_VALUES_MAX);
    double copy[BOOTSTRAP_VALUES_MAX];
    memcpy(copy, values, count * sizeof(*copy));
    return sort_and_take_median(copy, count);
}

static double resampled_median(const double *values, size_t count, struct prng *random)
{
    double sample[BOOTSTRAP_VALUES_MAX];
    for (size_t i = 0; i < count; i++) {
        sample[i] = values[prng_below(random, count)];
    }
    return sort_and_take_median(sample, count);
}

/* The middle 95 %. */
static struct bootstrap_interval middle_of(double *medians)
{
    enum { CUT = BOOTSTRAP_RESAMPLES / 40 }; /* 2.5 % on either side */
    qsort(medians, BOOTSTRAP_RESAMPLES, sizeof(*medians), by_value);
    return (struct bootstrap_interval){medians[CUT], medians[BOOTSTRAP_RESAMPLES - 1 - CUT]};
}

struct bootstrap_interval bootstrap_median_interval(const double *values, size_t count,
                                                    uint64_t seed)
{
    assert(count >= 1 && count <= BOOTSTRAP_VALUES_MAX);
    double medians[BOOTSTRAP_RESAMPLES];
    struct prng random = prng_seeded(seed);
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++) {
        medians[i] = resampled_median(values, count, &random);
    }
    return middle_of(medians);
}

struct bootstrap_interval bootstrap_difference(const double *a, size_t a_count, const double *b,
                                               size_t b_count, uint64_t seed)
{
    assert(a_count >= 1 && a_count <= BOOTSTRAP_VALUES_MAX);
    assert(b_count >= 1 && b_count <= BOOTSTRAP_VALUES_MAX);
    double differences[BOOTSTRAP_RESAMPLES];
    struct prng random = prng_seeded(seed);
    for (size_t i = 0; i < BOOTSTRAP_RESAMPLES; i++) {
        double from = resampled_median(a, a_count, &random);
        double to = resampled_median(b, b_count, &random);
        differences[i] = to - from;
    }
    return middle_of(differences);
}

/* From the smallest to the largest of n: all n are on one side of the median 2 times in 2^n. */
double bootstrap_coverage_percent(size_t count)
{
    return fmin(95, 100 * (1 - pow(2, 1 - (double)count)));
}
