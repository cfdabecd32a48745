/* SPDX-License-Identifier: MIT */
#include "coordinator/run/clock_map.h"

#include <stddef.h>

/* 36 years: no clock runs so far ahead, and no sum of offsets and times can overflow. */
#define CLOCK_OFFSET_MAX_NS (INT64_MAX / 8)

bool clock_map_add(struct clock_map *map, uint64_t t1_ns, uint64_t t2_ns, uint64_t t3_ns,
                   uint64_t t4_ns)
{
    if (t4_ns < t1_ns || t3_ns < t2_ns || t3_ns - t2_ns > t4_ns - t1_ns) {
        return false;
    }
    uint64_t delay_ns = (t4_ns - t1_ns) - (t3_ns - t2_ns);
    /* ((t2 - t1) + (t3 - t4)) / 2, by differences so that no sum can overflow. */
    int64_t there_ns = (int64_t)(t2_ns - t1_ns);
    if (there_ns > CLOCK_OFFSET_MAX_NS || there_ns < -CLOCK_OFFSET_MAX_NS) {
        return false;
    }
    struct clock_sample *s = &map->sample[map->count % CLOCK_MAP_SAMPLES];
    s->offset_ns = there_ns - (int64_t)(delay_ns / 2);
    s->delay_ns = delay_ns;
    map->count++;
    return true;
}

static const struct clock_sample *best_of(const struct clock_map *map)
{
    uint64_t have = map->count < CLOCK_MAP_SAMPLES ? map->count : CLOCK_MAP_SAMPLES;
    const struct clock_sample *best = NULL;
    for (uint64_t i = 0; i < have; i++) {
        if (best == NULL || map->sample[i].delay_ns < best->delay_ns) {
            best = &map->sample[i];
        }
    }
    return best;
}

bool clock_map_is_usable(const struct clock_map *map)
{
    return map->count >= CLOCK_MAP_SAMPLES / 2;
}

int64_t clock_map_offset_ns(const struct clock_map *map)
{
    const struct clock_sample *best = best_of(map);
    return best == NULL ? 0 : best->offset_ns;
}

uint64_t clock_map_uncertainty_ns(const struct clock_map *map)
{
    const struct clock_sample *best = best_of(map);
    return best == NULL ? UINT64_MAX : best->delay_ns / 2 + 1;
}

uint64_t clock_map_delay_ns(const struct clock_map *map)
{
    const struct clock_sample *best = best_of(map);
    return best == NULL ? 0 : best->delay_ns;
}

uint64_t clock_map_to_agent_ns(const struct clock_map *map, uint64_t coordinator_ns)
{
    return coordinator_ns + (uint64_t)clock_map_offset_ns(map);
}

int64_t clock_map_to_coordinator_ns(const struct clock_map *map, uint64_t agent_ns)
{
    return (int64_t)(agent_ns - (uint64_t)clock_map_offset_ns(map));
}
