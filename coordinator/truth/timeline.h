/* SPDX-License-Identifier: MIT */
/*
 * The run over time: a fixed list of series and two per server (all its ACKs, those
 * with a lease shorter than expected), in buckets of
 * one second from the start instant on. When a run outgrows TIMELINE_BUCKETS,
 * neighbours are joined and the interval doubles, so memory does not grow with
 * the length of a run.
 *
 * Pure. Owns its memory: timeline_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/plan.h"

enum { TIMELINE_BUCKETS = 4096 };

/* X(name, unit, kind): COUNT is divided by time, GAUGE keeps its last value, MEAN averages. */
#define TIMELINE_SERIES(X)                                                                         \
    X(acquired, "1/s", COUNT)                                                                      \
    X(reacquired, "1/s", COUNT)                                                                    \
    X(renewed, "1/s", COUNT)                                                                       \
    X(rebound, "1/s", COUNT)                                                                       \
    X(released, "1/s", COUNT)                                                                      \
    X(expired, "1/s", COUNT)                                                                       \
    X(failed, "1/s", COUNT)                                                                        \
    X(nak, "1/s", COUNT)                                                                           \
    X(retried, "1/s", COUNT)                                                                       \
    X(acks_short_lease, "1/s", COUNT)                                                              \
    X(sent, "1/s", COUNT)                                                                          \
    X(received, "1/s", COUNT)                                                                      \
    X(bound, "clients", GAUGE)                                                                     \
    X(open, "exchanges", GAUGE)                                                                    \
    X(acquire_mean, "us", MEAN)                                                                    \
    X(renew_mean, "us", MEAN)

enum timeline_series {
#define X(name, unit, kind) TIMELINE_##name,
    TIMELINE_SERIES(X)
#undef X
        TIMELINE_FIXED_COUNT
};

struct timeline;
struct result_timeline; /* coordinator/report/result.h */

/* NULL when out of memory. `plan` names the servers and must outlive it. */
NODISCARD struct timeline *timeline_new(const struct plan *plan);
void timeline_free(struct timeline *t); /* NULL is fine */

/* What lies before the start instant (preflight) is left out. */
void timeline_count(struct timeline *t, enum timeline_series series, int64_t run_us, double amount);
/* An amount that came about evenly between two instants. */
void timeline_spread(struct timeline *t, enum timeline_series series, int64_t from_us,
                     int64_t until_us, double amount);
void timeline_gauge(struct timeline *t, enum timeline_series series, int64_t run_us, double value);
void timeline_sample(struct timeline *t, enum timeline_series series, int64_t run_us, double value);
/* An answered ACK of a server. */
void timeline_ack(struct timeline *t, uint32_t server, int64_t run_us);
/* One whose lease is shorter than expected; besides timeline_ack(). */
void timeline_short_ack(struct timeline *t, uint32_t server, int64_t run_us);

/* Largest rate of a COUNT series in any one interval; NAN: nothing counted. */
double timeline_peak_per_s(const struct timeline *t, enum timeline_series series);

/*
 * Copies all series that are not empty, up to `until_us`, and leaves room for
 * TIMELINE_MORE of the caller's own. False when out of memory.
 */
enum { TIMELINE_MORE = 2 };
NODISCARD bool timeline_fill(const struct timeline *t, int64_t until_us,
                             struct result_timeline *out);
