/* SPDX-License-Identifier: MIT */
/*
 * What the agents counted: the latest snapshot and the latest histograms of
 * each (cumulative, latest wins), and their sums.
 *
 * A histogram is kept as the range of buckets it uses, made when it first
 * arrives, so that a thousand agents cost megabytes, not gigabytes. Pure. Owns
 * its memory: merge_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/histogram.h"
#include "proto/control.h"
#include "proto/snapshot.h"

enum { MERGE_ANY = 256 }; /* any agent's, server's or stage's histograms */

struct merge;

NODISCARD struct merge *merge_new(size_t agent_count);
void merge_free(struct merge *m); /* NULL is fine */

/* False: older than what is there, ignored. */
bool merge_snapshot(struct merge *m, size_t agent, const struct snapshot *s);
/* False when out of memory. */
NODISCARD bool merge_histogram(struct merge *m, size_t agent, const struct control_histogram *h);

/* NULL: none yet. */
const struct snapshot *merge_latest(const struct merge *m, size_t agent);
uint64_t merge_counter(const struct merge *m, size_t agent, enum snapshot_counter c);
uint64_t merge_total(const struct merge *m, enum snapshot_counter c);
struct snapshot_server merge_server(const struct merge *m, uint32_t server);

/* Which histograms to add up; MERGE_ANY stage means all stages but preflight. */
struct merge_query {
    enum latency_metric metric;
    enum latency_clock clock;
    uint32_t stage;
    size_t agent; /* SIZE_MAX: all */
};
void merge_latency(const struct merge *m, const struct merge_query *query, struct histogram *out);
