/* SPDX-License-Identifier: MIT */
/* What observers*.c share; nobody else includes it. Pure. */
#pragma once

#include "coordinator/report/result_observers.h"
#include "coordinator/truth/observers.h"

/* A span of the band as it is being drawn. */
struct observers_band {
    struct result_failover_span span[OBSERVERS_SPANS];
    size_t count, left_out; /* left out: frames, once there were too many spans */
    double seen_s;          /* the frame before; NAN: none */
};

struct observers_metric {
    double *value; /* by row: COUNTER: growth since its first figure; NAN: none */
    double *peak;  /* by row, of what is no COUNTER: the largest of what was joined in it */
    uint8_t availability;
    uint64_t figures;          /* frames with one */
    double first, last, total; /* raw; total: growth, or the sum of a GAUGE */
    double smallest, largest;
};

struct observers_one {
    char name[PLAN_NAME_BYTES], host[PLAN_NAME_BYTES], program[PLAN_NAME_BYTES];
    char build[PLAN_NAME_BYTES];
    size_t server;

    double *at_s; /* by row */
    size_t rows, room;
    uint32_t stride, joined; /* frames per row, and in the last one */
    uint64_t frames;
    uint64_t uncertainty_us; /* the largest */
    struct observers_metric metric[OBSERVER_METRIC_COUNT];
    struct observers_band band;
    char note[NOTE_KIND_COUNT][NOTE_BYTES + 1];
    uint64_t instance, last_instance; /* 0: not running; the latest that ran */
    uint64_t restarts;
    uint32_t rival_frames; /* in a row, with a rival */
    bool is_rival_told;
    uint32_t news; /* told so far; one that flaps does not fill the time axis */
};

struct observers {
    const struct plan *plan;
    struct observers_one *one[OBSERVERS_MAX];
    size_t count;
};

/*
 * Another that has sent frames and claims the same server, but tells of another process; NULL:
 * nobody. Who is not on a host cannot know which process has that server's address there.
 */
const struct observers_one *observers_rival(const struct observers *o,
                                            const struct observers_one *of);
/* Whoever answers for a server; NULL: nobody, or two claim it. */
const struct observers_one *observers_of(const struct observers *o, size_t server);
/* The latest row at that instant that has a figure; SIZE_MAX: none. */
size_t observers_row_at(const struct observers_one *one, enum observer_metric m, double at_s);
