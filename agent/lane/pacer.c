/* SPDX-License-Identifier: MIT */
#include "agent/lane/pacer.h"

#include <math.h>
#include <string.h>

#include "common/attrs.h"
#include "common/prng.h"

enum { PURPOSE_ARRIVAL = 0x4152 };

static double per_s(const struct pacer *p)
{
    return (double)p->rate_milli_per_s / 1000;
}

/* Exact: after a million arrivals there is still no rounding error. */
static uint64_t uniform_ns(const struct pacer *p)
{
    uint64_t thousands = p->arrivals * 1000;
    return thousands / p->rate_milli_per_s * NS_PER_S +
           thousands % p->rate_milli_per_s * NS_PER_S / p->rate_milli_per_s;
}

static void schedule(struct pacer *p)
{
    if (p->rate_milli_per_s == 0) {
        p->arrival_ns = p->start_ns;
    } else if (p->is_poisson) {
        double u = prng_unit(prng_mix(p->seed, PURPOSE_ARRIVAL, p->arrivals));
        p->arrival_at -= log1p(-u) / per_s(p);
        p->arrival_ns = p->start_ns + (uint64_t)(p->arrival_at * (double)NS_PER_S);
    } else {
        p->arrival_ns = p->start_ns + uniform_ns(p);
    }
}

void pacer_begin(struct pacer *p, uint32_t batch, uint64_t rate_milli_per_s, bool is_poisson,
                 uint64_t seed, uint64_t start_ns)
{
    memset(p, 0, sizeof(*p));
    p->batch = batch;
    p->rate_milli_per_s = batch > 0 ? 0 : rate_milli_per_s;
    p->is_poisson = is_poisson;
    p->seed = seed;
    p->start_ns = start_ns;
    schedule(p);
}

static uint32_t window(const struct pacer *p, uint64_t now_ns)
{
    uint64_t opened_ms = (now_ns - p->start_ns) / NS_PER_MS;
    if (opened_ms >= PACER_OPENING_MS) {
        return p->batch;
    }
    return 1 + (uint32_t)((uint64_t)(p->batch - 1) * opened_ms / PACER_OPENING_MS);
}

bool pacer_may_start(const struct pacer *p, uint32_t open, uint64_t now_ns,
                     uint64_t *out_intended_ns)
{
    if (now_ns < p->start_ns) {
        return false;
    }
    if (p->batch > 0) {
        *out_intended_ns = now_ns;
        return open < window(p, now_ns);
    }
    *out_intended_ns = p->arrival_ns;
    return p->arrival_ns <= now_ns;
}

void pacer_started(struct pacer *p)
{
    p->arrivals++;
    if (p->batch == 0) {
        schedule(p);
    }
}

void pacer_skip_to(struct pacer *p, uint64_t arrival)
{
    if (!p->is_poisson && p->arrivals < arrival) {
        p->arrivals = arrival;
        schedule(p);
    }
    while (p->arrivals < arrival) {
        pacer_started(p);
    }
}

uint64_t pacer_next_ns(const struct pacer *p, uint32_t open, uint64_t now_ns)
{
    if (now_ns < p->start_ns) {
        return p->start_ns;
    }
    if (p->batch == 0) {
        return p->arrival_ns;
    }
    if (open < window(p, now_ns)) {
        return now_ns;
    }
    /* While the window opens, the next slot appears within this many milliseconds. */
    uint64_t opened_ms = (now_ns - p->start_ns) / NS_PER_MS;
    if (opened_ms >= PACER_OPENING_MS || p->batch == 1) {
        return UINT64_MAX;
    }
    uint64_t slot_ms = ((uint64_t)open * PACER_OPENING_MS + p->batch - 2) / (p->batch - 1);
    return p->start_ns + (slot_ms > opened_ms ? slot_ms : opened_ms + 1) * NS_PER_MS;
}

uint64_t pacer_planned(const struct pacer *p, uint64_t limit, uint64_t now_ns)
{
    if (p->batch > 0 || p->rate_milli_per_s == 0 || now_ns < p->arrival_ns) {
        return p->arrivals;
    }
    /* Arrivals that are due and were not taken: at the mean rate from the first of them on. */
    double late_s = (double)(now_ns - p->arrival_ns) / (double)NS_PER_S;
    uint64_t planned = p->arrivals + 1 + (uint64_t)(late_s * per_s(p));
    return planned < limit ? planned : limit;
}
