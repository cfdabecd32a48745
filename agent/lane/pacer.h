/* SPDX-License-Identifier: MIT */
/*
 * When the next exchange of a stage may begin.
 *
 * Closed model (`batch`): a window of exchanges in flight, opened linearly over
 * the first second, because servers lose what arrives in one burst (measured);
 * a start's intended instant is when its slot opened. Open model (`rate`):
 * arrivals on a fixed schedule, uniform or Poisson, that a slow server cannot
 * slow; a start's intended instant is its arrival.
 *
 * Pure: time is an argument, arrivals are a function of (seed, stage, number).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pacer {
    uint32_t batch;            /* 0: open model */
    uint64_t rate_milli_per_s; /* 0 and batch 0: everything at once */
    bool is_poisson;
    uint64_t seed;
    uint64_t start_ns;
    uint64_t arrivals;   /* open model: how many were taken */
    uint64_t arrival_ns; /* open model: instant of the next one */
    double arrival_at;   /* Poisson: the same in seconds since start */
};

enum { PACER_OPENING_MS = 1000 };

void pacer_begin(struct pacer *p, uint32_t batch, uint64_t rate_milli_per_s, bool is_poisson,
                 uint64_t seed, uint64_t start_ns);
/* May one more begin, with `open` exchanges in flight? `out_intended_ns` is set if so. */
bool pacer_may_start(const struct pacer *p, uint32_t open, uint64_t now_ns,
                     uint64_t *out_intended_ns);
void pacer_started(struct pacer *p);
/* Open model: the next arrival is the one with this number (0, 1, ...), not below those taken. */
void pacer_skip_to(struct pacer *p, uint64_t arrival);
/* When it can become true; UINT64_MAX: only when an exchange ends. */
uint64_t pacer_next_ns(const struct pacer *p, uint32_t open, uint64_t now_ns);
/* Open model: arrivals the schedule has called for until now, at most `limit`. */
uint64_t pacer_planned(const struct pacer *p, uint64_t limit, uint64_t now_ns);
