/* SPDX-License-Identifier: MIT */
/*
 * What the server's network counts: Udp, Ip, Icmp, interfaces, connection tracking; and of the
 * whole host what was dropped for want of CPU. Without privileges, and without entering the
 * server's network namespace, but for the limits of connection tracking. Edge.
 */
#pragma once

#include "agent/observer/target.h"
#include "proto/observation.h"

/* The metrics udp_*, ip_*, icmp_*, link_drops, softnet_drops and, without dhcp, ct_*. */
void network_observe(const struct observer_target *target, struct observation *out);
