/* SPDX-License-Identifier: MIT */
/*
 * When a client acts by itself: T1, T2, expiry (RFC 2131 4.4.5) and the waits
 * before retransmissions (4.1, 4.4.5). Jitter is a pure function of (seed,
 * client, occasion), so a run repeats on any number of agents.
 *
 * What a server says is never trusted: T1 < T2 < expiry holds for every input.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lease_spans {
    uint32_t t1_ms, t2_ms, expiry_ms; /* from the lease's start; UINT32_MAX: never */
};

struct lease_terms {
    uint32_t lease_s; /* option 51; UINT32_MAX: infinite */
    uint32_t t1_s, t2_s;
    bool has_t1, has_t2; /* options 58, 59 */
};

/*
 * `fuzz_permille` (0..500) of T1 and T2 is the jitter's reach in either direction.
 * A T1 or T2 of 0, or out of order, counts as not given. A lease of less than LEASE_SHORTEST_S
 * seconds is played as if it had that many.
 */
enum { LEASE_SHORTEST_S = 1 };
struct lease_spans lease_spans_of(const struct lease_terms *terms, uint32_t fuzz_permille,
                                  uint64_t seed, uint64_t client, uint64_t occasion);

/* Wait after the attempt-th transmission (1, 2, ...): 4, 8, 16, 32, 64 s, each +-1 s. */
uint64_t lease_backoff_ns(uint32_t attempt, uint64_t seed, uint64_t client, uint64_t occasion);

/*
 * Wait in RENEWING (until T2) and REBINDING (until expiry): half of the time
 * that is left, at least 60 s; `fixed_ns` instead when it is not 0.
 */
uint64_t lease_renew_wait_ns(uint64_t left_ns, uint64_t fixed_ns);

/* Whole seconds since `since_ns`, as option `secs` wants them: 0..65535. */
uint16_t lease_secs(uint64_t since_ns, uint64_t now_ns);
