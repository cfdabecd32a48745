/* SPDX-License-Identifier: MIT */
#include "common/prng.h"

#include <assert.h>

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static const uint64_t golden_gamma = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t finish(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t prng_mix(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t hash = finish(seed + golden_gamma);
    hash = finish((hash ^ a) + golden_gamma);
    return finish((hash ^ b) + golden_gamma);
}

struct prng prng_seeded(uint64_t seed)
{
    return (struct prng){.state = seed};
}

uint64_t prng_next(struct prng *p)
{
    p->state += golden_gamma;
    return finish(p->state);
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
    assert(bound > 0);
    /* 2^64 mod bound: draws below it would make small results likelier. */
    uint64_t excess = (UINT64_MAX - bound + 1) % bound;
    uint64_t draw;
    do {
        draw = prng_next(p);
    } while (draw < excess);
    return draw % bound;
}

double prng_unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}
