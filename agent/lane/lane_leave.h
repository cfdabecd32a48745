/* SPDX-License-Identifier: MIT */
/*
 * What the right to send lets out of the outbox, at the moment of the call that sends it: the right
 * may have changed since the lane made it. Pure.
 */
#pragma once

#include <stddef.h>

#include "agent/lane/lane.h"

/* How many of out[0..count) may leave in one call: those before the first that has no right to. */
size_t lane_may_leave(enum lane_right right, const struct lane_out *out, size_t count);
