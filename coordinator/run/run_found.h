/* SPDX-License-Identifier: MIT */
/*
 * What a directory that somebody named holds of a run, for the commands that look at runs
 * which are over: stop, report, resume, audit, cleanup. Whether the run is still played is
 * not asked here: run_owner_find() in run_lock.h says it. Edge.
 */
#pragma once

enum run_found {
    RUN_FOUND_NONE,     /* no run's directory */
    RUN_FOUND_UNBEGUN,  /* no report, and no load had begun */
    RUN_FOUND_CUT_OFF,  /* no report, though load had begun */
    RUN_FOUND_REPORTED, /* it came to its end */
    RUN_FOUND_UNKNOWN   /* no report, and what its ledger holds cannot be told */
};

/* Reads the ledger up to the first stage of load at most. */
enum run_found run_found(const char *run_dir);
