/* SPDX-License-Identifier: MIT */
#include "coordinator/run/clock_map.h"

#include <math.h>
#include <string.h>

/* 36 years: no clock runs so far ahead, and no sum of offsets and times can overflow. */
#define CLOCK_OFFSET_MAX_NS (INT64_MAX / 8)

/* A line through samples closer together than this would follow their noise. */
#define FIT_SPAN_LEAST_NS 1000000000.0
#define FIT_SLACK_NS      20000

enum { FIT_SAMPLES = 32, DELAY_SAMPLES = 16 };

/* The farthest two clocks can have parted; rounded up, and without overflow for any distance. */
static int64_t drift_ns(uint64_t distance_ns)
{
    return (int64_t)(distance_ns / 1000000000 * CLOCK_RATE_MAX_PPB +
                     distance_ns % 1000000000 * CLOCK_RATE_MAX_PPB / 1000000000 + 1);
}

static uint64_t kept(const struct clock_map *map)
{
    return map->count < CLOCK_MAP_SAMPLES ? map->count : CLOCK_MAP_SAMPLES;
}

/* 0: the newest; age < kept(). */
static struct clock_sample *aged(struct clock_map *map, uint64_t age)
{
    return &map->sample[(map->count - 1 - age) % CLOCK_MAP_SAMPLES];
}

static const struct clock_sample *aged_const(const struct clock_map *map, uint64_t age)
{
    return &map->sample[(map->count - 1 - age) % CLOCK_MAP_SAMPLES];
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t clamped(int64_t value, int64_t low, int64_t high)
{
    return smaller(larger(value, low), high);
}

/* --- what the samples prove --- */

/* Before the newest one: what it proves about them. Ends where it says nothing new. */
static void tighten_backwards(struct clock_map *map)
{
    for (uint64_t age = 1; age < kept(map); age++) {
        const struct clock_sample *next = aged_const(map, age - 1);
        struct clock_sample *s = aged(map, age);
        if (s->piece != next->piece) {
            return;
        }
        int64_t slack_ns = drift_ns(next->at_ns - s->at_ns);
        int64_t lowest_ns = larger(s->lowest_ns, next->lowest_ns - slack_ns);
        int64_t most_ns = smaller(s->most_ns, next->most_ns + slack_ns);
        if (lowest_ns == s->lowest_ns && most_ns == s->most_ns) {
            return;
        }
        s->lowest_ns = lowest_ns;
        s->most_ns = most_ns;
    }
}

/* The newest in the light of the one before it; a contradiction begins a new piece. */
static void join(struct clock_map *map, struct clock_sample *s, const struct clock_sample *before)
{
    int64_t slack_ns = drift_ns(s->at_ns - before->at_ns);
    int64_t lowest_ns = larger(s->lowest_ns, before->lowest_ns - slack_ns);
    int64_t most_ns = smaller(s->most_ns, before->most_ns + slack_ns);
    if (lowest_ns > most_ns) {
        map->breaks++;
        map->rate = 0;
        map->rate_is_known = false;
    } else {
        s->lowest_ns = lowest_ns;
        s->most_ns = most_ns;
    }
    s->piece = map->breaks;
}

/* --- the line --- */

/* The last samples of the piece that were hardly delayed; returns how many may be looked at. */
static uint64_t fit_range(const struct clock_map *map, uint64_t *out_delay_most_ns)
{
    uint64_t delay_ns = UINT64_MAX;
    uint64_t n = 0;
    while (n < kept(map) && n < FIT_SAMPLES &&
           aged_const(map, n)->piece == aged_const(map, 0)->piece) {
        uint64_t d = aged_const(map, n)->delay_ns;
        delay_ns = d < delay_ns ? d : delay_ns;
        n++;
    }
    *out_delay_most_ns = delay_ns > UINT64_MAX / 4 ? delay_ns : 2 * delay_ns + FIT_SLACK_NS;
    return n;
}

/* Weighted least squares; the less delayed a sample, the more its middle says. */
static void fit(struct clock_map *map)
{
    struct clock_sample *newest = aged(map, 0);
    uint64_t delay_most_ns;
    uint64_t n = fit_range(map, &delay_most_ns);
    double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0, span_ns = 0;
    for (uint64_t age = 0; age < n; age++) {
        const struct clock_sample *s = aged_const(map, age);
        if (s->delay_ns > delay_most_ns) {
            continue;
        }
        double x = -(double)(newest->at_ns - s->at_ns);
        double y = (double)(s->middle_ns - newest->middle_ns);
        double weight = 1 / (((double)s->delay_ns + 1000) * ((double)s->delay_ns + 1000));
        span_ns = -x;
        w += weight;
        wx += weight * x;
        wy += weight * y;
        wxx += weight * x * x;
        wxy += weight * x * y;
    }
    double spread = w * wxx - wx * wx;
    if (span_ns >= FIT_SPAN_LEAST_NS && spread > 0) {
        double limit = CLOCK_RATE_MAX_PPB / 1e9;
        double rate = (w * wxy - wx * wy) / spread;
        map->rate = fmin(fmax(rate, -limit), limit);
        map->rate_is_known = true;
    }
    double at_newest = (wy - map->rate * wx) / w;
    newest->best_ns =
        clamped(newest->middle_ns + (int64_t)at_newest, newest->lowest_ns, newest->most_ns);
}

/* --- samples in --- */

/* U and L of the header, both brought to the middle of the agent's own time. */
static void prove(struct clock_sample *s, uint64_t t1_ns, uint64_t t2_ns, uint64_t t3_ns,
                  uint64_t t4_ns)
{
    int64_t slack_ns = drift_ns((t3_ns - t2_ns + 1) / 2);
    s->most_ns = (int64_t)(t2_ns - t1_ns) + slack_ns;
    s->lowest_ns = (int64_t)(t3_ns - t4_ns) - slack_ns;
}

bool clock_map_add(struct clock_map *map, uint64_t t1_ns, uint64_t t2_ns, uint64_t t3_ns,
                   uint64_t t4_ns)
{
    if (t4_ns < t1_ns || t3_ns < t2_ns || t3_ns - t2_ns > t4_ns - t1_ns) {
        return false;
    }
    int64_t there_ns = (int64_t)(t2_ns - t1_ns);
    if (there_ns > CLOCK_OFFSET_MAX_NS || there_ns < -CLOCK_OFFSET_MAX_NS ||
        t4_ns - t1_ns > (uint64_t)CLOCK_OFFSET_MAX_NS) {
        return false;
    }
    struct clock_sample s = {
        .at_ns = t2_ns + (t3_ns - t2_ns) / 2,
        .delay_ns = (t4_ns - t1_ns) - (t3_ns - t2_ns),
    };
    s.middle_ns = there_ns - (int64_t)(s.delay_ns / 2);
    prove(&s, t1_ns, t2_ns, t3_ns, t4_ns);
    if (map->count > 0 && s.at_ns <= aged(map, 0)->at_ns) {
        uint32_t breaks = map->breaks + 1;
        memset(map, 0, sizeof(*map));
        map->breaks = breaks;
    }
    s.piece = map->breaks;
    if (map->count > 0) {
        join(map, &s, aged(map, 0));
    }
    map->sample[map->count % CLOCK_MAP_SAMPLES] = s;
    map->count++;
    tighten_backwards(map);
    fit(map);
    return true;
}

bool clock_map_is_usable(const struct clock_map *map)
{
    return map->count >= CLOCK_MAP_FIRST;
}

/* --- questions --- */

struct bounds {
    int64_t lowest_ns, most_ns;
};

static struct bounds bounds_from(const struct clock_sample *s, uint64_t at_ns)
{
    int64_t slack_ns = drift_ns(at_ns > s->at_ns ? at_ns - s->at_ns : s->at_ns - at_ns);
    return (struct bounds){s->lowest_ns - slack_ns, s->most_ns + slack_ns};
}

static struct clock_reading reading(int64_t estimate_ns, struct bounds b)
{
    int64_t offset_ns = clamped(estimate_ns, b.lowest_ns, b.most_ns);
    int64_t off_ns = larger(b.most_ns - offset_ns, offset_ns - b.lowest_ns);
    return (struct clock_reading){offset_ns, (uint64_t)off_ns + 1};
}

/* Beyond the oldest or the newest sample: along the line. */
static struct clock_reading beyond(const struct clock_map *map, const struct clock_sample *s,
                                   uint64_t at_ns)
{
    double away_ns = at_ns > s->at_ns ? (double)(at_ns - s->at_ns) : -(double)(s->at_ns - at_ns);
    return reading(s->best_ns + (int64_t)(map->rate * away_ns), bounds_from(s, at_ns));
}

static struct clock_reading between(const struct clock_sample *a, const struct clock_sample *b,
                                    uint64_t at_ns)
{
    struct bounds left = bounds_from(a, at_ns), right = bounds_from(b, at_ns);
    if (a->piece != b->piece) {
        struct bounds either = {smaller(left.lowest_ns, right.lowest_ns),
                                larger(left.most_ns, right.most_ns)};
        return reading(either.lowest_ns + (either.most_ns - either.lowest_ns) / 2, either);
    }
    struct bounds both = {larger(left.lowest_ns, right.lowest_ns),
                          smaller(left.most_ns, right.most_ns)};
    double share = (double)(at_ns - a->at_ns) / (double)(b->at_ns - a->at_ns);
    return reading(a->best_ns + (int64_t)(share * (double)(b->best_ns - a->best_ns)), both);
}

struct clock_reading clock_map_at(const struct clock_map *map, uint64_t agent_ns)
{
    if (map->count == 0) {
        return (struct clock_reading){0, UINT64_MAX};
    }
    const struct clock_sample *newest = aged_const(map, 0);
    if (agent_ns >= newest->at_ns) {
        return beyond(map, newest, agent_ns);
    }
    uint64_t after = 0, before = kept(map) - 1; /* ages */
    if (agent_ns <= aged_const(map, before)->at_ns) {
        return beyond(map, aged_const(map, before), agent_ns);
    }
    while (before - after > 1) {
        uint64_t middle = after + (before - after) / 2;
        if (aged_const(map, middle)->at_ns > agent_ns) {
            after = middle;
        } else {
            before = middle;
        }
    }
    return between(aged_const(map, before), aged_const(map, after), agent_ns);
}

struct clock_reading clock_map_latest(const struct clock_map *map)
{
    return clock_map_at(map, map->count == 0 ? 0 : aged_const(map, 0)->at_ns);
}

double clock_map_rate_ppm(const struct clock_map *map)
{
    /* rate is per agent's time; of ours it is rate / (1 - rate). */
    return map->rate_is_known ? 1e6 * map->rate / (1 - map->rate) : NAN;
}

uint64_t clock_map_delay_ns(const struct clock_map *map)
{
    uint64_t least_ns = UINT64_MAX;
    for (uint64_t age = 0; age < kept(map) && age < DELAY_SAMPLES; age++) {
        uint64_t d = aged_const(map, age)->delay_ns;
        least_ns = d < least_ns ? d : least_ns;
    }
    return map->count == 0 ? 0 : least_ns;
}

uint64_t clock_map_to_agent_ns(const struct clock_map *map, uint64_t coordinator_ns)
{
    /* The map is by the agent's time; two steps are exact to 1e-6 of how far it is away. */
    uint64_t agent_ns = coordinator_ns + (uint64_t)clock_map_latest(map).offset_ns;
    for (unsigned i = 0; i < 2; i++) {
        agent_ns = coordinator_ns + (uint64_t)clock_map_at(map, agent_ns).offset_ns;
    }
    return agent_ns;
}

int64_t clock_map_to_coordinator_ns(const struct clock_map *map, uint64_t agent_ns)
{
    return (int64_t)(agent_ns - (uint64_t)clock_map_at(map, agent_ns).offset_ns);
}
