/* SPDX-License-Identifier: MIT */
/*
 * Seeded random numbers. prng_mix() is a pure hash of its inputs: a client's
 * jitter is prng_mix(seed, client, purpose), so a run repeats on any number of
 * agents. struct prng is a sequence, for simulations and tests.
 *
 * Pure; not for secrets.
 */
#pragma once

#include <stdint.h>

struct prng {
    uint64_t state;
};

uint64_t prng_mix(uint64_t seed, uint64_t a, uint64_t b);

struct prng prng_seeded(uint64_t seed);
uint64_t prng_next(struct prng *p);
/* Uniform in [0, bound); bound > 0. */
uint64_t prng_below(struct prng *p, uint64_t bound);
/* Maps 64 random bits to [0, 1). */
double prng_unit(uint64_t bits);
