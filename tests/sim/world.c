/* SPDX-License-Identifier: MIT */
#include "tests/sim/world.h"

#include <assert.h>
#include <string.h>

struct world world;

const struct sim_part *world_any_part(void)
{
    if (world.coordinator != NULL) {
        return world.coordinator;
    }
    static const struct sim_part nobody = {.name = "nobody"};
    return &nobody;
}

struct world_agent *world_agent_of(const struct sim_part *part)
{
    for (size_t i = 0; i < world.agent_count; i++) {
        if (world.agents[i].part == part) {
            return &world.agents[i];
        }
    }
    return NULL;
}

struct world_agent *world_agent_named(const char *name)
{
    for (size_t i = 0; i < world.agent_count; i++) {
        if (strcmp(world.agents[i].name, name) == 0) {
            return &world.agents[i];
        }
    }
    return NULL;
}

void world_wire_init(struct world_wire *w, uint64_t seed, uint64_t base_ns)
{
    memset(w, 0, sizeof(*w));
    w->prng = prng_seeded(seed);
    w->base_ns = base_ns;
    w->jitter_ns = base_ns / 4 + 1;
}

bool world_wire_chance(struct world_wire *w, uint32_t permille)
{
    return prng_below(&w->prng, 1000) < permille;
}

uint64_t world_wire_delay_ns(struct world_wire *w)
{
    return w->base_ns + prng_below(&w->prng, w->jitter_ns + 1);
}
