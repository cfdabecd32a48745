/* SPDX-License-Identifier: MIT */
/*
 * Which arrivals of a load stage are acquisitions and which are renewals: spread
 * evenly and exactly. After n arrivals floor(n * acquire / (acquire + renew)) of
 * them were acquisitions, whatever n is (Bresenham's line).
 *
 * Pure.
 */
#pragma once

#include <stdint.h>

enum mix_kind { MIX_ACQUIRE, MIX_RENEW, MIX_KIND_COUNT };

struct mix {
    uint32_t weight[MIX_KIND_COUNT]; /* their sum is 1..10000 */
};

/*
 * The place (0, 1, ...) among all arrivals of the n-th (0, 1, ...) of its kind; UINT64_MAX: there
 * is none. n <= PLAN_CLIENTS_MAX.
 */
static inline uint64_t mix_place(struct mix m, enum mix_kind kind, uint64_t n)
{
    uint64_t all = (uint64_t)m.weight[MIX_ACQUIRE] + m.weight[MIX_RENEW];
    uint64_t own = m.weight[kind];
    if (own == 0) {
        return UINT64_MAX;
    }
    return kind == MIX_ACQUIRE ? ((n + 1) * all + own - 1) / own - 1 : n * all / own;
}
