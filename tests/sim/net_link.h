/* SPDX-License-Identifier: MIT */
/*
 * The network between coordinator and agents: what common/link.c has libzmq
 * do, as connections that keep their order, lose time, break with a part of what was on its
 * way, are noticed by each end in its own time, and leave messages behind that are
 * read after a new connection stands. Linked in place of common/link.c.
 */
#pragma once

#include "tests/sim/world.h"

/* RST: every connection of the agent breaks, some of what was on its way arrives still. */
void net_link_reset(struct world_agent *agent);
/* SIGKILL of a part: its sockets close as the kernel closes them. */
void net_link_part_died(struct sim_part *part);
/* Messages that a break has lost so far, and that arrived of a connection that was no more. */
uint64_t net_link_lost(void);
uint64_t net_link_leftovers(void);
