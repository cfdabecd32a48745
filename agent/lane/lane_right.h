/* SPDX-License-Identifier: MIT */
/*
 * The part of lane.h that is about other agents and the coordinator: what of a lost agent goes
 * on here, and the right to send. Included by it.
 *
 * Pure. The lane's own thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/control.h"

struct lane;

/*
 * Clients of a lost agent, from now on this lane's. Nothing happens when the epoch does not
 * follow the lane's, or the run is ending. Takes memory. False: there is none, or what is asked
 * for is no relay or client that can be taken; the lane is as it was.
 */
NODISCARD bool lane_take(struct lane *lane, const struct control_take *command, uint64_t now_ns);

/*
 * The run lease. While it is gone lane_turn() produces no packet, or only renewals of leases that
 * are held; due sends wait. Afterwards overdue sends go out at most at the stage's planned rate.
 * `since_ns`: when the right changed, which may have been noticed late.
 */
enum lane_right { LANE_MAY_NOTHING, LANE_MAY_RENEW, LANE_MAY_SEND };
void lane_set_right(struct lane *lane, enum lane_right right, uint64_t since_ns, uint64_t now_ns);

static inline void lane_set_may_send(struct lane *lane, bool may_send, uint64_t now_ns)
{
    lane_set_right(lane, may_send ? LANE_MAY_SEND : LANE_MAY_NOTHING, now_ns, now_ns);
}

/* Those from `first` on did not leave and will not: what they say is said again, when it may be. */
void lane_outbox_withdraw(struct lane *lane, size_t first);
