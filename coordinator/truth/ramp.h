/* SPDX-License-Identifier: MIT */
/*
 * When the clients of the first acquire stage were begun, and which of them had
 * to repeat a message: in tenths of a second, so that the burst after the canaries
 * can be found although events arrive in the order in which exchanges ended.
 *
 * Times are run time in microseconds. Pure, fixed size. A zeroed one is valid.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { RAMP_SLOTS = 1200, RAMP_SLOT_US = 100000, RAMP_BURST_US = 2000000 };

struct ramp {
    struct {
        uint32_t begun, repeated;
        int64_t first_us; /* the earliest of them */
    } slot[RAMP_SLOTS];
    uint64_t later, later_repeated; /* begun after the last slot */
    int64_t last_us;
};

/* A client begun at `begun_us` got its first lease; `stage_us`: begin of the stage. */
void ramp_add(struct ramp *ramp, int64_t stage_us, int64_t begun_us, bool is_repeated);

/* Canaries among so many clients: DESIGN section 4. */
uint64_t ramp_canaries(uint64_t client_count);

/* The first two seconds after the canaries, and what was begun after them. */
struct ramp_burst {
    uint64_t begun, repeated, later, later_repeated;
    int64_t begin_us, last_us; /* its first begin; the last begin of all */
};
/* False: nothing but canaries was begun. */
bool ramp_find_burst(const struct ramp *ramp, uint64_t canaries, struct ramp_burst *out);
