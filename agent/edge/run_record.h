/* SPDX-License-Identifier: MIT */
/*
 * Which plans this agent has played: {run id, plan hash, open, begun or closed, end of
 * validity}, kept in STATE-DIR/runs so that a signed plan is played once, whoever brings it
 * again and however often the agent was restarted. An open run may be prepared again (the
 * agent was restarted before it was armed); one that has begun, a closed one, or the same run
 * with another plan, may not: its packets and its time would be counted from nothing.
 *
 * An entry is forgotten when its plan has expired; from then on nothing that was to end
 * before it is taken, even if this host's clock is set back. The file is replaced
 * atomically and synced before anything is sent; a damaged one is refused, not repaired.
 *
 * Edge. One thread. Times are seconds of CLOCK_REALTIME, the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/plan.h"

enum { RUN_RECORD_MAX = 1024, RUN_RECORD_WHY_BYTES = 400 };

struct run_record;

/* 0 or -errno with one sentence in `why`. No file yet: nothing was played. */
NODISCARD int run_record_load(const char *state_dir, struct run_record **out,
                              char why[RUN_RECORD_WHY_BYTES]);
void run_record_free(struct run_record *record); /* NULL is fine */

/* Whether the plan may be played, as far as the past goes. */
NODISCARD bool run_record_allows(const struct run_record *record,
                                 const uint8_t run_id[PLAN_RUN_ID_BYTES],
                                 const uint8_t plan_hash[PLAN_HASH_BYTES], uint64_t not_after_s,
                                 char why[RUN_RECORD_WHY_BYTES]);

/*
 * Notes an allowed plan as open, closes every other run and forgets those that have
 * expired. On success it is on disk. 0 or -errno with a sentence; the plan must not be
 * played then.
 */
NODISCARD int run_record_open(struct run_record *record, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                              const uint8_t plan_hash[PLAN_HASH_BYTES], uint64_t not_after_s,
                              uint64_t now_s, char why[RUN_RECORD_WHY_BYTES]);

/*
 * It is about to send; does nothing where it has begun already. On success that is on disk.
 * 0 or -errno with a sentence; it must not begin then.
 */
NODISCARD int run_record_begin(struct run_record *record, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                               char why[RUN_RECORD_WHY_BYTES]);

/*
 * The run is over; does nothing where it is not known or closed already. -errno with a
 * sentence when that did not reach the disk: it stays closed for this process, and is
 * written with the next change.
 */
NODISCARD int run_record_close(struct run_record *record, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                               char why[RUN_RECORD_WHY_BYTES]);
