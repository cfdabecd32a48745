/* SPDX-License-Identifier: MIT */
#include "agent/client/lease_timing.h"

#include <assert.h>

#include "common/attrs.h"
#include "common/prng.h"

enum { PURPOSE_T1 = 0x5431, PURPOSE_T2 = 0x5432, PURPOSE_BACKOFF = 0x424f };
enum { MS_PER_S = 1000, SHORTEST_MS = LEASE_SHORTEST_S * MS_PER_S };
/* 24 days: what spans in milliseconds can hold with room to spare. Longer leases never end here. */
enum { LONGEST_S = 2000000 };

static uint64_t occasion_of(uint64_t client, uint64_t occasion)
{
    return client << 16 ^ occasion;
}

/* `ms` moved by at most fuzz_permille in either direction. */
static uint64_t fuzzed_ms(uint64_t ms, uint32_t fuzz_permille, uint64_t random)
{
    double shift = (2 * prng_unit(random) - 1) * fuzz_permille / 1000.0;
    return (uint64_t)((double)ms * (1 + shift));
}

/*
 * T1 and T2 as the server means them, or RFC 2131's halves and eighths where it
 * says nothing or nothing that makes sense: a T1 behind T2 would rebind at once.
 */
static void meant_ms(const struct lease_terms *terms, uint64_t expiry_ms, uint64_t *out_t1_ms,
                     uint64_t *out_t2_ms)
{
    uint64_t t2_ms = terms->has_t2 ? (uint64_t)terms->t2_s * MS_PER_S : 0;
    if (t2_ms == 0 || t2_ms >= expiry_ms) {
        t2_ms = expiry_ms / 8 * 7;
    }
    uint64_t t1_ms = terms->has_t1 ? (uint64_t)terms->t1_s * MS_PER_S : expiry_ms / 2;
    if (t1_ms == 0 || t1_ms >= t2_ms) {
        t1_ms = t2_ms / 7 * 4;
    }
    *out_t1_ms = t1_ms;
    *out_t2_ms = t2_ms;
}

struct lease_spans lease_spans_of(const struct lease_terms *terms, uint32_t fuzz_permille,
                                  uint64_t seed, uint64_t client, uint64_t occasion)
{
    bool has_near_t1 = terms->has_t1 && terms->t1_s > 0 && terms->t1_s <= LONGEST_S;
    if (terms->lease_s > LONGEST_S && !has_near_t1) {
        return (struct lease_spans){UINT32_MAX, UINT32_MAX, UINT32_MAX};
    }
    uint64_t lease_s = terms->lease_s > LONGEST_S ? LONGEST_S : terms->lease_s;
    uint64_t expiry_ms = lease_s * MS_PER_S < SHORTEST_MS ? SHORTEST_MS : lease_s * MS_PER_S;
    uint64_t t1_ms, t2_ms;
    meant_ms(terms, expiry_ms, &t1_ms, &t2_ms);
    uint64_t who = occasion_of(client, occasion);
    t1_ms = fuzzed_ms(t1_ms, fuzz_permille, prng_mix(seed, who, PURPOSE_T1));
    t2_ms = fuzzed_ms(t2_ms, fuzz_permille, prng_mix(seed, who, PURPOSE_T2));
    /* The jitter may have moved them past each other. */
    if (t2_ms >= expiry_ms) {
        t2_ms = expiry_ms - 1;
    }
    if (t1_ms >= t2_ms) {
        t1_ms = t2_ms - 1;
    }
    assert(t1_ms < t2_ms && t2_ms < expiry_ms);
    return (struct lease_spans){(uint32_t)t1_ms, (uint32_t)t2_ms, (uint32_t)expiry_ms};
}

uint64_t lease_backoff_ns(uint32_t attempt, uint64_t seed, uint64_t client, uint64_t occasion)
{
    uint32_t doublings = attempt == 0 ? 0 : attempt - 1;
    uint64_t wait_ns = (UINT64_C(4) << (doublings > 4 ? 4 : doublings)) * NS_PER_S;
    uint64_t random = prng_mix(seed, occasion_of(client, occasion), PURPOSE_BACKOFF + attempt);
    return wait_ns - NS_PER_S + (uint64_t)(prng_unit(random) * 2e9);
}

uint64_t lease_renew_wait_ns(uint64_t left_ns, uint64_t fixed_ns)
{
    if (fixed_ns != 0) {
        return fixed_ns;
    }
    return left_ns / 2 > 60 * NS_PER_S ? left_ns / 2 : 60 * NS_PER_S;
}

uint16_t lease_secs(uint64_t since_ns, uint64_t now_ns)
{
    uint64_t s = now_ns <= since_ns ? 0 : (now_ns - since_ns) / NS_PER_S;
    return s < UINT16_MAX ? (uint16_t)s : UINT16_MAX;
}
