/* SPDX-License-Identifier: MIT */
/*
 * One line of a server's log, as dhcpd 4.4 and Kea 2.x write them, with or
 * without syslog's heading. The patterns are one table in log_line.c. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/observer/parse/failover.h"
#include "proto/observation.h"

enum log_program { LOG_UNKNOWN, LOG_DHCPD, LOG_KEA };

enum log_event {
    LOG_NOTHING,
    LOG_ACK,
    LOG_SEND_REFUSED,
    LOG_NO_FREE_LEASES,
    LOG_PEER_HOLDS,
    LOG_ABANDONED,
    LOG_NAK,
    LOG_LOAD_BALANCED,
    LOG_REUSED,
    LOG_OTHER_ERROR,
    LOG_FAILOVER, /* a change of state: log_line_failover() */
    LOG_POOL,     /* what a pool has: log_pools_take() */
    LOG_EVENT_COUNT
};

struct log_counts {
    uint64_t of[LOG_EVENT_COUNT];
    char last_refused[NOTE_BYTES + 1], last_starved[NOTE_BYTES + 1]; /* as they stand in the log */
};

enum log_event log_line_event(enum log_program program, const char *line, size_t size);
/* Does a line of this program tell of it whenever it happens? Then counting
 * none is a figure. */
bool log_line_can_tell(enum log_program program, enum log_event event);
/* Counts it and keeps it where it is wanted. */
enum log_event log_counts_take(struct log_counts *c, enum log_program program, const char *line,
                               size_t size);
/* For a line that is LOG_FAILOVER. */
void log_line_failover(enum log_program program, const char *line, size_t size,
                       struct failover *out);

/*
 * The pools of dhcpd in failover, as of their last balancing. Its log names the
 * addresses of the primary "free" and those of the secondary "backup", and says
 * which of the two it is by the sign of what it means to send.
 */
enum { LOG_POOLS_MAX = 1024 };
enum log_role { LOG_ROLE_UNKNOWN, LOG_ROLE_PRIMARY, LOG_ROLE_SECONDARY };

struct log_pools {
    enum log_role role;
    struct log_pool {
        uint64_t id;
        uint32_t total, free, backup;
    } pool[LOG_POOLS_MAX];
    size_t count;
    uint64_t total, free, backup; /* of all */
    bool is_overfull;             /* there are more pools: the sums are too small */
};

/* For a line that is LOG_POOL. */
void log_pools_take(struct log_pools *p, const char *line, size_t size);
