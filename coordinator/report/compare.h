/* SPDX-License-Identifier: MIT */
/*
 * Two sets of runs against each other, from their report.json: worse, better,
 * or no difference seen and the smallest that could have been.
 *
 * Reports are read as strangers' text: every type and range is checked. With
 * three runs or more on both sides the interval of the difference of medians
 * is bootstrapped; with fewer it comes from the intervals inside the reports,
 * which know nothing of how much runs differ among themselves. Repeats of a
 * capacity search inside a run count like runs, for the capacity. One that found even the
 * lowest rate bad is a capacity less than any found, one that found the highest good a
 * greater: they are ordered, without a figure.
 *
 * Pure; fixed size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"

enum {
    COMPARE_RUNS_MAX = 64, /* on one side */
    COMPARE_SAMPLES_MAX = 256,
    COMPARE_WHY_BYTES = 400,
    COMPARE_SHAPE_BYTES = 4096,
    /* A week of windows is a tenth of it; jansson needs twenty times as much for the worst. */
    COMPARE_JSON_BYTES_MAX = 16 * 1024 * 1024
};

enum compare_measure {
    COMPARE_CAPACITY, /* exchanges/s, middle of the bracket; more is better, less of the others */
    COMPARE_ACQUIRE_P50,
    COMPARE_ACQUIRE_P99,
    COMPARE_RENEW_P50,
    COMPARE_RENEW_P99,
    COMPARE_FAILED,
    COMPARE_EXPIRED,
    COMPARE_OUTAGE,
    COMPARE_MEASURE_COUNT
};

/* Latencies in us, COMPARE_GIVE_UP_US: beyond the give-up. NAN: not in the report. */
#define COMPARE_GIVE_UP_US 1e12
/* Capacities: beyond the highest rate asked for, and, negative, below the lowest. */
#define COMPARE_OPEN_PER_S 1e12

struct compare_value {
    double value, low, high; /* low, high: 95 % by the report alone; NAN: it says none */
};

struct compare_run {
    enum verdict verdict;
    char identity[16];
    /* What two runs must have in common, a line per item: "clients: 20000". */
    char shape[COMPARE_SHAPE_BYTES];
    struct compare_value of[COMPARE_MEASURE_COUNT];
    bool is_searched;
    /* The search's repeats: middles of brackets, and +-COMPARE_OPEN_PER_S. */
    double capacity[COMPARE_SAMPLES_MAX];
    /* What each was seen to be on which side of: the middle, the lowest rate, the highest. */
    double capacity_at[COMPARE_SAMPLES_MAX];
    size_t capacity_count;
};

/* False: `why` is one sentence without the file's name. */
NODISCARD bool compare_read(const char *json, size_t bytes, struct compare_run *out,
                            char why[COMPARE_WHY_BYTES]);

/* Runs that may be compared at all. False: `why` names the first difference. */
NODISCARD bool compare_is_alike(const struct compare_run *a, const struct compare_run *b,
                                char why[COMPARE_WHY_BYTES]);
/* Judged runs only: PASS and FAIL. */
bool compare_is_usable(const struct compare_run *run);

enum compare_outcome { COMPARE_SAME, COMPARE_WORSE, COMPARE_BETTER, COMPARE_UNKNOWN };

struct compare_row {
    bool is_there; /* either side has the figure */
    enum compare_outcome outcome;
    double a, b;                       /* medians; NAN */
    double change, percent;            /* b - a, of a; NAN where a is 0 or unknown */
    double low, high;                  /* interval of b - a; NAN: none */
    unsigned interval_percent;         /* of all cases in which it holds the true difference */
    double smallest, smallest_percent; /* that could have been seen; NAN: no telling */
    bool is_bootstrap;
    bool is_unordered; /* searches between rates so different that they tell nothing */
    size_t a_count, b_count;
    size_t a_below, a_above, b_below, b_above; /* of these, capacities without a figure */
};

struct compare_result {
    struct compare_row row[COMPARE_MEASURE_COUNT];
    size_t a_runs, b_runs;
    bool is_worse;            /* any row */
    bool is_capacity_unknown; /* searched for, and no telling whether B's is less */
};

/* 1..COMPARE_RUNS_MAX runs on either side, all alike. */
void compare_decide(const struct compare_run *a, size_t a_count, const struct compare_run *b,
                    size_t b_count, uint64_t seed, struct compare_result *out);

/* Onto a stream; 0 or -errno. `a`, `b`: names to print. */
NODISCARD int compare_write_text(const struct compare_result *r, const char *a, const char *b,
                                 FILE *out);
NODISCARD int compare_write_json(const struct compare_result *r, const char *a, const char *b,
                                 FILE *out);

struct compare_measure_info {
    const char *name, *unit;
    bool is_more_better;
};
/* Beyond the give-up or the rates asked for, or a median or difference with such a value in it. */
bool compare_is_open(enum compare_measure m, double value);
const struct compare_measure_info *compare_measure_info(enum compare_measure m);
