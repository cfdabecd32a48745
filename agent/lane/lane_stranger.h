/* SPDX-License-Identifier: MIT */
/*
 * Preflight's stranger, see lane_stranger.c: what lane_preflight.c and lane_receive.c ask of it.
 * Nothing outside agent/lane includes it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lane/lane.h"
#include "proto/dhcp4.h"

void lane_stranger_begin(struct lane *lane, size_t share, uint64_t due_ns);
void lane_stranger_turn(struct lane *lane);
/* UINT64_MAX: none has anything to do any more. */
uint64_t lane_stranger_next_ns(const struct lane *lane);
bool lane_stranger_is_done(const struct lane *lane);
void lane_stranger_stop(struct lane *lane);
/* True: it answers a stranger of ours, with this fate. */
bool lane_stranger_receive(struct lane *lane, const struct dhcp4_reply *r,
                           const struct lane_packet *packet, enum snapshot_counter *out_fate);
