/* SPDX-License-Identifier: MIT */
/* For run_resume.c alone: what the ledger knows, brought back into a struct run. Edge. */
#pragma once

#include "coordinator/run/run_internal.h"

/* The roster as it was sealed, with hands; the plan is there. 0, -EBADMSG (not ours), -errno. */
NODISCARD int run_replay_fleet(struct run *run);
/*
 * Events and decisions, to run->truth and into the run's state; phase and start_ns stay as
 * they are where no load had begun. `out_last_us`: the latest run time anything is known of.
 */
NODISCARD int run_replay_ledger(struct run *run, int64_t *out_last_us);
/* Whether a run of this plan can have had that time. */
bool run_replay_is_time(const struct run *run, int64_t run_us);
