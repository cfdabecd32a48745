/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/ramp.h"

#include <stddef.h>

#include "common/attrs.h"

void ramp_add(struct ramp *ramp, int64_t stage_us, int64_t begun_us, bool is_repeated)
{
    int64_t at = (begun_us - stage_us) / RAMP_SLOT_US;
    at = at < 0 ? 0 : at; /* the very first may be mapped to just before its stage */
    ramp->last_us = begun_us > ramp->last_us ? begun_us : ramp->last_us;
    if (at >= RAMP_SLOTS) {
        ramp->later++;
        ramp->later_repeated += is_repeated;
        return;
    }
    if (ramp->slot[at].begun == 0 || begun_us < ramp->slot[at].first_us) {
        ramp->slot[at].first_us = begun_us;
    }
    ramp->slot[at].begun++;
    ramp->slot[at].repeated += is_repeated;
}

uint64_t ramp_canaries(uint64_t client_count)
{
    static const uint64_t steps[] = {3, 3 + 30, 3 + 30 + 300};
    uint64_t canaries = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps) && steps[i] < client_count; i++) {
        canaries = steps[i];
    }
    return canaries;
}

bool ramp_find_burst(const struct ramp *ramp, uint64_t canaries, struct ramp_burst *out)
{
    uint64_t sum = 0;
    unsigned first = 0;
    while (first < RAMP_SLOTS && sum + ramp->slot[first].begun <= canaries) {
        sum += ramp->slot[first++].begun;
    }
    *out = (struct ramp_burst){.later = ramp->later, .later_repeated = ramp->later_repeated};
    if (first == RAMP_SLOTS) {
        return false;
    }
    out->begin_us = ramp->slot[first].first_us;
    out->last_us = ramp->last_us;
    for (unsigned i = first; i < RAMP_SLOTS; i++) {
        bool is_burst = i < first + RAMP_BURST_US / RAMP_SLOT_US;
        *(is_burst ? &out->begun : &out->later) += ramp->slot[i].begun;
        *(is_burst ? &out->repeated : &out->later_repeated) += ramp->slot[i].repeated;
    }
    return true;
}
