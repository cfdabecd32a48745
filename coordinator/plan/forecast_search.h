/* SPDX-License-Identifier: MIT */
/*
 * What a capacity search will take: steps, time, packets, clients. Upper bounds,
 * since how many steps there are depends on what the servers answer: `rates`
 * are all tried, the last one twice; `between` doubles up to the highest rate
 * and then bisects, and every bad step is tried once more.
 *
 * Pure. All may be asked of any scenario with `has_search`, also while it is
 * being checked; what the file has wrong counts as zero then.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"

/* Beyond `within`, what the coordinator waits for a step to end. */
#define FORECAST_STEP_GRACE_NS (5 * NS_PER_S)

/* The lowest and the highest rate of a step; 0: none is given. */
uint64_t forecast_search_lowest(const struct scenario *s);
uint64_t forecast_search_highest(const struct scenario *s);

/* Of all exchanges, those that are acquisitions: 0..1. */
double forecast_search_acquire_share(const struct scenario *s);
/* Of one step of the highest rate. */
double forecast_search_exchanges(const struct scenario *s);
/* Clients one step of the highest rate needs: bound, and one per acquisition. */
uint64_t forecast_search_clients(const struct scenario *s);

/* Steps of one search, and the time of all `repeat` searches, at most. */
uint64_t forecast_search_steps_max(const struct scenario *s);
uint64_t forecast_search_time_max_ns(const struct scenario *s);

/* What the releases between two steps may take: all leases, at half of the lowest rate. */
uint64_t forecast_search_release_timeout_ns(const struct scenario *s);

/* In the highest step, first transmissions; its releases come after it and are slower. */
double forecast_search_packets_per_s(const struct scenario *s);
/* In all steps of all repeats, at most. */
uint64_t forecast_search_packets_max(const struct scenario *s);
