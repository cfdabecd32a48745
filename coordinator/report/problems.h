/* SPDX-License-Identifier: MIT */
/*
 * problems.log: one line per client that missed a step. The caller writes the
 * first PROBLEMS_LINES_MAX lines, counts the rest and ends with
 * problems_format_rest(). Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/event.h"
#include "proto/plan.h"

enum { PROBLEMS_LINES_MAX = 10000, PROBLEMS_LINE_BYTES = 512 };

struct problems_context {
    const struct plan *plan;
    const char *agent;
    int64_t run_us;        /* of the event */
    uint64_t started_at_s; /* wall clock of the start instant; 0: not known yet */
};

/*
 * A line with its newline, e.g.
 * "2025-01-31T10:00:12.345Z +12.345s agent=a1 relay=bldg-1 mac=... client=17
 * xid=0x01abcdef state=RENEWING missed=renew: ...". Returns its bytes (bounded
 * by size, always terminated); 0: the event is no problem, nothing is written.
 */
size_t problems_format(const struct problems_context *context, const struct event *e, char *out,
                       size_t size);
/* "... and N more": what the caller no longer wrote; 0 when N is 0. */
size_t problems_format_rest(uint64_t not_written, char *out, size_t size);
