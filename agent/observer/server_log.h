/* SPDX-License-Identifier: MIT */
/* The server's log, a file: counts what parse/log_line.h knows. Begins at the
 * end. Edge. */
#pragma once

#include "agent/observer/follow.h"
#include "agent/observer/parse/failover.h"
#include "agent/observer/parse/log_line.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

struct server_log {
    struct follow follow;
    enum log_program program;
    struct log_counts counts;
    struct log_pools pools;
    struct failover *failover; /* the caller's */
};

void server_log_open(struct server_log *l, struct failover *failover);
void server_log_close(struct server_log *l);
/* Another process has other pools. */
void server_log_forget_pools(struct server_log *l);
/* The metrics log_*, pool_* of dhcpd, and the notes NOTE_LAST_*. `path`: "":
 * not known, and `lack` says why. */
void server_log_observe(struct server_log *l, const struct observer_target *target,
                        const char *path, enum availability lack, struct observation *out);
