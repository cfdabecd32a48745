/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of the calling thread's CPU. Edge; by the lane's own thread. How long it
 * waited for a CPU needs a kernel with CONFIG_SCHED_INFO; nothing needs a privilege.
 */
#pragma once

#include "agent/lane/lane_watch.h"

/* A descriptor of this thread's scheduler statistics; -1: they cannot be had. The caller closes. */
int lane_usage_open(void);
void lane_usage_read(int fd, struct lane_usage *out);
