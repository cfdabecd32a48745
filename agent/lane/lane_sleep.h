/* SPDX-License-Identifier: MIT */
/*
 * The host was suspended: leases went on to run out at the servers, while
 * CLOCK_MONOTONIC, which the lane lives by, stood still. Pure.
 */
#pragma once

#include <stdint.h>

struct lane;

/*
 * CLOCK_MONOTONIC stood still for `span_ns` since the last turn. What clients hold or ask for
 * began so much earlier; deadlines that have passed meanwhile are taken in the next lane_turn().
 */
void lane_slept(struct lane *lane, uint64_t span_ns);
