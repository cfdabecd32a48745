/* SPDX-License-Identifier: MIT */
/*
 * One agent's clock seen from the coordinator's: offset by the exchange with
 * the least delay among the last CLOCK_MAP_SAMPLES, half of that delay being the
 * honest bound (NTP's argument: the asymmetry of the way is unknown).
 *
 * Both clocks are CLOCK_MONOTONIC in nanoseconds, possibly days apart.
 * Pure. A zeroed map is a valid one without samples.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_MAP_SAMPLES = 16 };

struct clock_sample {
    int64_t offset_ns; /* agent minus coordinator */
    uint64_t delay_ns; /* round trip without the agent's own time */
};

struct clock_map {
    struct clock_sample sample[CLOCK_MAP_SAMPLES];
    uint64_t count; /* of all samples ever taken */
};

/*
 * t1: request left the coordinator, t2: arrived at the agent, t3: answer left
 * it, t4: arrived here. A sample that contradicts itself (t4 < t1, t3 < t2, or the
 * agent held it longer than the whole round trip) is refused, as is a clock that is
 * decades away.
 */
bool clock_map_add(struct clock_map *map, uint64_t t1_ns, uint64_t t2_ns, uint64_t t3_ns,
                   uint64_t t4_ns);
bool clock_map_is_usable(const struct clock_map *map); /* at least half the samples are there */
int64_t clock_map_offset_ns(const struct clock_map *map);
uint64_t clock_map_uncertainty_ns(const struct clock_map *map);
uint64_t clock_map_delay_ns(const struct clock_map *map); /* of the best sample */

uint64_t clock_map_to_agent_ns(const struct clock_map *map, uint64_t coordinator_ns);
/* May be negative: before the coordinator's clock began. */
int64_t clock_map_to_coordinator_ns(const struct clock_map *map, uint64_t agent_ns);
