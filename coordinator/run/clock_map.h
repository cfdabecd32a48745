/* SPDX-License-Identifier: MIT */
/*
 * One agent's clock seen from the coordinator's: where it stood, how fast it runs,
 * and how wrong that can be.
 *
 * An exchange t1..t4 proves two things: when the agent read t2 its clock was ahead
 * by at most t2 - t1, when it read t3 by at least t3 - t4. No two clocks part by more than
 * CLOCK_RATE_MAX_PPB, so each bound holds, widened by that, at every other instant, too.
 * What the samples prove together is the interval kept with each of them; the truth is
 * inside it whatever the queues on the way did. The estimate is a line through the least
 * delayed samples, cut off at that interval; the uncertainty is the distance to its
 * farther end. Past instants are answered from the samples around them.
 *
 * A clock that did what none may do (a suspended machine, a wild slew) contradicts its own
 * samples: that is a break. Samples of the two sides are never mixed, and an instant
 * between them is as uncertain as the jump is large.
 *
 * Both clocks are CLOCK_MONOTONIC in nanoseconds, possibly days apart. Pure, one thread.
 * A zeroed map is a valid one without samples.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLOCK_MAP_SAMPLES = 256, /* a minute at 4/s; older instants are answered less and less surely */
    CLOCK_MAP_FIRST = 8      /* samples before the map is relied on */
};

/* Linux lets NTP bend a clock by 500 ppm; two of them may part by 1000, and a little more. */
#define CLOCK_RATE_MAX_PPB 1002000

struct clock_sample {
    uint64_t at_ns;             /* agent's clock */
    int64_t middle_ns;          /* agent minus coordinator if both ways took equally long */
    uint64_t delay_ns;          /* round trip without the agent's own time */
    int64_t lowest_ns, most_ns; /* agent minus coordinator: proven, by all samples of the piece */
    int64_t best_ns;            /* and where the line passed when this sample came */
    uint32_t piece;             /* breaks before it */
};

struct clock_map {
    struct clock_sample sample[CLOCK_MAP_SAMPLES];
    uint64_t count;     /* of all samples ever taken */
    double rate;        /* growth of (agent minus coordinator) per agent's time */
    bool rate_is_known; /* the samples of the piece span long enough */
    uint32_t breaks;
};

struct clock_reading {
    int64_t offset_ns;       /* agent minus coordinator */
    uint64_t uncertainty_ns; /* the truth is no farther away; UINT64_MAX: no sample */
};

/*
 * t1: request left the coordinator, t2: arrived at the agent, t3: answer left
 * it, t4: arrived here. A sample that contradicts itself (t4 < t1, t3 < t2, or the
 * agent held it longer than the whole round trip) is refused, as is a clock that is
 * decades away. A clock that went back is another clock: the map begins anew.
 */
bool clock_map_add(struct clock_map *map, uint64_t t1_ns, uint64_t t2_ns, uint64_t t3_ns,
                   uint64_t t4_ns);

bool clock_map_is_usable(const struct clock_map *map);

/* At that instant of the agent's clock, past or to come. */
struct clock_reading clock_map_at(const struct clock_map *map, uint64_t agent_ns);
/* At the newest sample. */
struct clock_reading clock_map_latest(const struct clock_map *map);

/* How much faster the agent's clock runs than ours; NAN while unknown. */
double clock_map_rate_ppm(const struct clock_map *map);
/* Round trip of the least delayed of the last samples; 0 without any. */
uint64_t clock_map_delay_ns(const struct clock_map *map);

uint64_t clock_map_to_agent_ns(const struct clock_map *map, uint64_t coordinator_ns);
/* May be negative: before the coordinator's clock began. */
int64_t clock_map_to_coordinator_ns(const struct clock_map *map, uint64_t agent_ns);
