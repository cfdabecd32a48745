/* SPDX-License-Identifier: MIT */
/*
 * A server of known capacity in virtual time, for tests of the capacity search:
 * a token bucket in front of a FIFO queue, whose work becomes visible with the
 * next commit. Offers exchanges evenly and tells each one's end as an event.
 */
#pragma once

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/prng.h"
#include "coordinator/truth/search_gather.h"

struct capacity_model {
    double capacity_per_s;
    double burst;     /* tokens beyond the next one */
    uint64_t queue;   /* exchanges that may wait; 0: without bound */
    double commit_s;  /* answers leave at multiples of it; 0: at once */
    double jitter;    /* of a service time: uniform in 1 +- jitter */
    double path_s;    /* there and back, the least */
    double lag_s;     /* of the tester's sends, the most */
    double load_loss; /* share of the exchanges the tester never begins */
    struct prng random;
};

enum { CAPACITY_MODEL_LOST = 4000000 };

static inline double capacity_model_unit(struct capacity_model *m)
{
    return prng_unit(prng_next(&m->random));
}

static inline void capacity_model_tell(struct search_gather *g, double begin_s, double lag_s,
                                       double end_s, bool is_lost)
{
    double took_s = is_lost ? CAPACITY_MODEL_LOST / 1e6 : end_s - begin_s - lag_s;
    struct event e = {.kind = EVENT_ACQUIRE,
                      .result = is_lost ? EVENT_GAVE_UP : EVENT_ACK,
                      .took_us = (uint32_t)llround(took_s * 1e6),
                      .wait_us = (uint32_t)llround((took_s + lag_s) * 1e6),
                      .tries = 1};
    (void)search_gather_event(g, &e, llround((begin_s + lag_s + took_s) * 1e6));
}

/* Offers `rate_per_s` for `step_s` from run time `begin_s` on; returns how many were to be sent. */
static inline uint64_t capacity_model_play(struct capacity_model *m, struct search_gather *g,
                                           double begin_s, double rate_per_s, double step_s)
{
    uint64_t count = (uint64_t)llround(rate_per_s * step_s);
    double *start_s = calloc(count + 1, sizeof(*start_s)); /* when each was taken from the queue */
    assert(start_s != NULL);
    uint64_t oldest = 0, taken = 0; /* those that wait are start_s[oldest..taken) */
    double ready_s = 0;             /* theoretical arrival of the next conforming one */
    for (uint64_t i = 0; i < count; i++) {
        double intended_s = begin_s + (double)i / rate_per_s;
        if (capacity_model_unit(m) < m->load_loss) {
            continue;
        }
        double lag_s = m->lag_s * capacity_model_unit(m);
        double at_s = intended_s + lag_s + m->path_s / 2;
        while (oldest < taken && start_s[oldest] <= at_s) {
            oldest++;
        }
        if (m->queue > 0 && taken - oldest >= m->queue) {
            capacity_model_tell(g, intended_s, lag_s, 0, true);
            continue;
        }
        double work_s = (1 + m->jitter * (2 * capacity_model_unit(m) - 1)) / m->capacity_per_s;
        double served_s = fmax(at_s, ready_s - m->burst / m->capacity_per_s);
        ready_s = fmax(ready_s, at_s) + work_s;
        start_s[taken++] = served_s;
        double done_s =
            m->commit_s > 0 ? ceil(served_s / m->commit_s) * m->commit_s : served_s + work_s;
        capacity_model_tell(g, intended_s, lag_s, done_s + m->path_s / 2, false);
    }
    free(start_s);
    return count;
}
