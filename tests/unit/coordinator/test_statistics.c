/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/prng.h"
#include "coordinator/truth/statistics.h"

static void a_percentile_needs_ten_samples_beyond_it(void **state)
{
    (void)state;
    assert_int_equal(statistics_samples_needed(50), 20);
    assert_int_equal(statistics_samples_needed(90), 100);
    assert_int_equal(statistics_samples_needed(99), 1000);
    assert_int_equal(statistics_samples_needed(99.9), 10000);
}

static void an_empty_histogram_has_no_figures(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    statistics_latency(&h, 0, &l);
    assert_int_equal(l.count, 0);
    assert_true(l.min_us == RESULT_UNKNOWN);
    assert_true(l.mean_us == RESULT_UNKNOWN);
    assert_true(l.max_us == RESULT_UNKNOWN);
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        assert_true(l.percentile_us[i] == RESULT_UNKNOWN);
        assert_false(l.is_infinite[i]);
    }
}

static void too_few_samples_give_no_percentile(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    for (unsigned i = 1; i <= 99; i++) {
        histogram_record(&h, i * NS_PER_MS);
    }
    statistics_latency(&h, 0, &l);
    assert_true(l.percentile_us[0] >= 50000 && l.percentile_us[0] <= 50500);
    assert_true(l.percentile_us[1] == RESULT_UNKNOWN); /* 99 < 100 */
    assert_int_equal(l.min_us, 1000);
    assert_int_equal(l.mean_us, 50000);
    assert_int_equal(l.max_us, 99000);
    histogram_record(&h, 100 * NS_PER_MS);
    statistics_latency(&h, 0, &l);
    assert_true(l.percentile_us[1] >= 90000 && l.percentile_us[1] <= 91000);
}

static void a_percentile_lies_in_its_interval(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    for (unsigned i = 1; i <= 10000; i++) {
        histogram_record(&h, i * NS_PER_US * 10);
    }
    statistics_latency(&h, 0, &l);
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        assert_true(l.percentile_us[i] != RESULT_UNKNOWN);
        assert_true(l.low_us[i] <= l.percentile_us[i]);
        assert_true(l.high_us[i] >= l.percentile_us[i]);
    }
    /* p50: ranks 4902 and 5100 of 10000, 10 us apart each; the ends are rounded outwards. */
    assert_in_range(l.low_us[0], 48600, 49020);
    assert_in_range(l.high_us[0], 51000, 51420);
}

static void what_never_finished_counts_as_infinite(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    for (unsigned i = 0; i < 980; i++) {
        histogram_record(&h, NS_PER_MS);
    }
    statistics_latency(&h, 20, &l); /* 2 % unfinished: p99 is among them, p90 is not */
    assert_int_equal(l.count, 980);
    assert_int_equal(l.unfinished, 20);
    assert_false(l.is_infinite[1]);
    assert_true(l.percentile_us[1] != RESULT_UNKNOWN);
    assert_true(l.is_infinite[2]);
    assert_true(l.percentile_us[2] == RESULT_UNKNOWN);
}

static void only_unfinished_starts_are_all_infinite(void **state)
{
    (void)state;
    static struct histogram h;
    struct result_latency l;
    h = (struct histogram){0};
    statistics_latency(&h, 1000, &l);
    assert_true(l.is_infinite[0]);
    assert_true(l.is_infinite[2]);
    assert_true(l.max_us == RESULT_UNKNOWN);
}

static void microseconds_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(statistics_us(0), 0);
    assert_int_equal(statistics_us(1), 1);
    assert_int_equal(statistics_us(1000), 1);
    assert_int_equal(statistics_us(1001), 2);
}

/* --- against known distributions, and another calculation --- */

/* Uniform in (0, 1). */
static double uniform(struct prng *r)
{
    return ((double)(prng_next(r) >> 11) + 0.5) / 9007199254740992.0;
}

enum shape { UNIFORM, EXPONENTIAL, STALLED, CONSTANT, SHAPES };

/* Nanoseconds around a millisecond; STALLED: 3 in 100 wait for up to five seconds. */
static uint64_t draw(struct prng *r, enum shape shape)
{
    double u = uniform(r);
    switch (shape) {
    case UNIFORM:
        return 1000 + (uint64_t)(u * 2e6);
    case EXPONENTIAL:
        return (uint64_t)(-log(u) * 1e6);
    case STALLED:
        return uniform(r) < 0.03 ? (uint64_t)(u * 5e9) : (uint64_t)(-log(u) * 1e6);
    case CONSTANT:
    case SHAPES:
        break;
    }
    return 1234567;
}

/* What percentiles.py prints. */
struct exact {
    bool is_known;
    uint64_t rank_low, rank_high, value_ns, low_ns, high_ns; /* UINT64_MAX: infinite */
};

static uint64_t number(const char *word)
{
    return strcmp(word, "inf") == 0 ? UINT64_MAX : strtoull(word, NULL, 10);
}

enum { SAMPLES_MAX = 10000 };

/* So many samples of a shape, and so many exchanges that never ended. */
struct sampling {
    enum shape shape;
    size_t count;
    uint64_t unfinished;
};

/* Always the same ones. */
static void take_samples(const struct sampling *c, uint64_t samples[SAMPLES_MAX])
{
    struct prng r = prng_seeded(20120501 + c->count);
    for (size_t i = 0; i < c->count; i++) {
        samples[i] = draw(&r, c->shape);
    }
}

/* All cases in one go: starting Python takes longer than its work. */
static FILE *calculate(const struct sampling *cases, size_t count)
{
    static uint64_t samples[SAMPLES_MAX];
    char path[] = "/tmp/leaseherd-samples-XXXXXX", command[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        take_samples(&cases[i], samples);
        (void)fprintf(file, "case %" PRIu64 "\n", cases[i].unfinished);
        for (size_t k = 0; k < cases[i].count; k++) {
            (void)fprintf(file, "%" PRIu64 "\n", samples[k]);
        }
    }
    assert_int_equal(fclose(file), 0);
    (void)snprintf(command, sizeof(command), "python3 %s/tests/support/percentiles.py <%s && rm %s",
                   SOURCE_DIR, path, path);
    FILE *python = popen(command, "r");
    assert_non_null(python);
    return python;
}

static void read_exact(FILE *python, struct exact out[RESULT_PERCENTILES])
{
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        char line[160] = "", value[32], low[32], high[32];
        assert_non_null(fgets(line, sizeof(line), python));
        out[i].is_known = sscanf(line, "%" SCNu64 " %" SCNu64 " %31s %31s %31s", &out[i].rank_low,
                                 &out[i].rank_high, value, low, high) == 5;
        assert_true(out[i].is_known || strcmp(line, "-\n") == 0);
        if (out[i].is_known) {
            out[i].value_ns = number(value);
            out[i].low_ns = number(low);
            out[i].high_ns = number(high);
        }
    }
}

/* `us` is `ns`, rounded up to the end of its bucket and its microsecond. */
static void assert_rounded_up(uint64_t us, uint64_t ns)
{
    if (ns == UINT64_MAX) {
        assert_true(us == RESULT_UNKNOWN);
        return;
    }
    assert_true(us * 1000 >= ns);
    assert_true((double)us * 1000 <= (double)ns * (1 + 1.0 / 128) + 2048);
}

static void assert_rounded_down(uint64_t us, uint64_t ns)
{
    if (ns == UINT64_MAX) {
        assert_true(us == RESULT_UNKNOWN);
        return;
    }
    assert_true(us * 1000 <= ns);
    assert_true((double)us * 1000 + 2048 >= (double)ns * (1 - 1.0 / 128));
}

static void compare(const struct sampling *c, const struct exact exact[RESULT_PERCENTILES])
{
    static struct histogram h;
    static uint64_t samples[SAMPLES_MAX];
    struct result_latency l;
    h = (struct histogram){0};
    take_samples(c, samples);
    for (size_t i = 0; i < c->count; i++) {
        histogram_record(&h, samples[i]);
    }
    statistics_latency(&h, c->unfinished, &l);
    for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
        bool is_printed = l.is_infinite[i] || l.percentile_us[i] != RESULT_UNKNOWN;
        assert_int_equal(is_printed, exact[i].is_known);
        if (!is_printed) {
            continue;
        }
        uint64_t low, high;
        statistics_ranks(c->count + c->unfinished, statistics_percent[i], &low, &high);
        assert_int_equal(low, exact[i].rank_low);
        assert_int_equal(high, exact[i].rank_high);
        assert_int_equal(l.is_infinite[i], exact[i].value_ns == UINT64_MAX);
        assert_rounded_up(l.percentile_us[i], exact[i].value_ns);
        assert_rounded_down(l.low_us[i], exact[i].low_ns);
        assert_rounded_up(l.high_us[i], exact[i].high_ns);
    }
}

static void another_calculation_comes_to_the_same(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 19, 20, 99, 100, 101, 333, 999, 1000, 2500, 9999, 10000};
    struct sampling cases[2 * ARRAY_LEN(counts) + 1];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        enum shape shape = (enum shape)(i % SHAPES);
        cases[count++] = (struct sampling){shape, counts[i], 0};
        cases[count++] = (struct sampling){shape, counts[i], counts[i] / 97 + i % 2};
    }
    cases[count++] = (struct sampling){UNIFORM, 10, 30}; /* even p50 is infinite */
    FILE *python = calculate(cases, count);
    for (size_t i = 0; i < count; i++) {
        struct exact exact[RESULT_PERCENTILES];
        read_exact(python, exact);
        compare(&cases[i], exact);
    }
    assert_int_equal(pclose(python), 0);
}

static void the_interval_holds_the_truth_in_95_of_100_runs(void **state)
{
    (void)state;
    enum { RUNS = 600, SAMPLES = 1100 };
    static struct histogram h;
    /* -ln(1 - p) milliseconds: the true percentiles of the exponential distribution. */
    const double truth_us[] = {693.147, 2302.585, 4605.170};
    unsigned hits[3] = {0};
    for (unsigned run = 0; run < RUNS; run++) {
        struct prng r = prng_seeded(run);
        struct result_latency l;
        h = (struct histogram){0};
        for (unsigned i = 0; i < SAMPLES; i++) {
            histogram_record(&h, draw(&r, EXPONENTIAL));
        }
        statistics_latency(&h, 0, &l);
        for (unsigned i = 0; i < 3; i++) {
            hits[i] += (double)l.low_us[i] <= truth_us[i] && truth_us[i] <= (double)l.high_us[i];
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        /* 95 % or a little more: ranks are whole numbers; minus 3 sigma of 600 runs. */
        double percent = 100.0 * hits[i] / RUNS;
        print_message("%s: %.1f %% of %d runs\n", statistics_percent_name[i], percent, RUNS);
        assert_true(percent >= 95 - 2.7 && percent <= 99.5);
    }
}

static void ranks_of_large_samples_are_those_of_the_normal_distribution(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1000000, 1000000000};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        for (unsigned k = 0; k < RESULT_PERCENTILES; k++) {
            double n = (double)counts[i], p = statistics_percent[k] / 100;
            double half = 1.959964 * sqrt(n * p * (1 - p));
            uint64_t low, high;
            statistics_ranks(counts[i], statistics_percent[k], &low, &high);
            assert_true(fabs((double)low - (n * p - half)) < 3);
            assert_true(fabs((double)high - (n * p + half)) < 3);
        }
    }
}

static void the_smallest_samples_have_open_intervals(void **state)
{
    (void)state;
    uint64_t low, high;
    statistics_ranks(1, 50, &low, &high);
    assert_int_equal(low, 0);
    assert_int_equal(high, 2);
    statistics_ranks(6, 50, &low, &high); /* 1/64 on either side: the textbook's case */
    assert_int_equal(low, 1);
    assert_int_equal(high, 6);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Every asking of a slot at an even pace, one by one. */
static uint64_t paced_one_by_one(const uint64_t *samples, size_t count, uint64_t pace_ns,
                                 double percent)
{
    static uint64_t all[400000];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t wait_ns = samples[i];
        do {
            assert_true(n < ARRAY_LEN(all));
            all[n++] = wait_ns;
            wait_ns -= wait_ns < pace_ns ? wait_ns : pace_ns;
        } while (wait_ns >= pace_ns);
    }
    qsort(all, n, sizeof(*all), by_size);
    return all[(size_t)ceil(percent / 100 * (double)n) - 1];
}

static void an_even_pace_is_that_of_every_asking_one_by_one(void **state)
{
    (void)state;
    static struct histogram h;
    static uint64_t samples[5000];
    struct prng r = prng_seeded(5);
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        h = (struct histogram){0};
        for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
            samples[i] = draw(&r, (enum shape)shape);
            histogram_record(&h, samples[i]);
        }
        static const uint64_t paces_ns[] = {997001, 3000017, 70000001};
        for (size_t i = 0; i < ARRAY_LEN(paces_ns); i++) {
            for (unsigned k = 0; k < RESULT_PERCENTILES; k++) {
                double exact = (double)paced_one_by_one(samples, ARRAY_LEN(samples), paces_ns[i],
                                                        statistics_percent[k]);
                double paced = (double)statistics_paced_ns(&h, paces_ns[i], statistics_percent[k]);
                /* A waiting of v is known to v/128, and so is all that began during it. */
                double error = (double)h.max_ns / 128 + exact / 64 + 2048;
                if (fabs(paced - exact) > error) {
                    print_message("shape %u pace %" PRIu64 " %s: %.0f, not %.0f\n", shape,
                                  paces_ns[i], statistics_percent_name[k], paced, exact);
                }
                assert_true(fabs(paced - exact) <= error);
            }
        }
    }
    h = (struct histogram){0};
    histogram_record(&h, 5 * NS_PER_S);
    assert_in_range(statistics_paced_ns(&h, NS_PER_S, 50), 3 * NS_PER_S, 303 * NS_PER_S / 100);
    assert_int_equal(statistics_paced_ns(&h, NS_PER_S, 99), 5 * NS_PER_S);
    assert_int_equal(statistics_paced_ns(&h, 60 * NS_PER_S, 50), 5 * NS_PER_S); /* one asking */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_percentile_needs_ten_samples_beyond_it),
        cmocka_unit_test(an_empty_histogram_has_no_figures),
        cmocka_unit_test(too_few_samples_give_no_percentile),
        cmocka_unit_test(a_percentile_lies_in_its_interval),
        cmocka_unit_test(what_never_finished_counts_as_infinite),
        cmocka_unit_test(only_unfinished_starts_are_all_infinite),
        cmocka_unit_test(microseconds_are_rounded_up),
        cmocka_unit_test(the_smallest_samples_have_open_intervals),
        cmocka_unit_test(ranks_of_large_samples_are_those_of_the_normal_distribution),
        cmocka_unit_test(another_calculation_comes_to_the_same),
        cmocka_unit_test(an_even_pace_is_that_of_every_asking_one_by_one),
        cmocka_unit_test(the_interval_holds_the_truth_in_95_of_100_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
