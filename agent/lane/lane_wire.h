/* SPDX-License-Identifier: MIT */
/* Packets by server: what lane_send.c and lane_receive.c tell lane_wire.c. Pure. */
#pragma once

#include <stdint.h>

#include "agent/lane/lane.h"

#define LANE_NOBODY UINT32_MAX /* a client of the run, but not one of the lane's */

/* A packet was handed to the kernel. */
void lane_wire_sent(struct lane *lane, const struct lane_out *out);
/* A reply for a client of the run, before it does anything. */
void lane_wire_received(struct lane *lane, uint32_t local, const struct lane_packet *packet,
                        const struct dhcp4_reply *r);
