/* SPDX-License-Identifier: MIT */
/*
 * The capacity search inside truth: one step's exchanges gathered from the
 * events, judged, handed to the controller (search.h) and kept for the report.
 *
 * The run module's turn:
 *
 *     order = truth_search_next(truth)
 *     STEP:  GO(round, LOAD stage, rate, arrivals), then
 *            truth_search_step_begin(); events flow in by truth_event();
 *            when truth_search_step_is_settled(), or step + within + 5 s are over,
 *            truth_search_step_close(); then the release round, and again
 *     RESET: run the hook, then truth_search_reset_done()
 *     DONE:  drain
 *
 * An exchange belongs to the step in which it was intended (run time - wait_us).
 * Between the end of a step and the begin of the next must lie at least two
 * TRUTH_SEARCH_SLACK_US, for the uncertainty of agents' clocks.
 *
 * Times are run time in microseconds. Pure. Memory lives in the truth.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/report/result_search.h"
#include "coordinator/truth/search.h"
#include "coordinator/truth/truth.h"

enum { TRUTH_SEARCH_SLACK_US = 200000 };

/* DONE where the scenario has no search. */
struct search_order truth_search_next(const struct truth *truth);

struct truth_search_start {
    uint64_t round;
    uint64_t rate_milli_per_s; /* planned, over the fleet */
    int64_t begin_us;          /* the instant of the first intended exchange */
    const uint64_t *planned;   /* arrivals told to each agent, in the order of truth_new() */
};

/*
 * A step begins; measured from begin + warm-up to begin + step, as the scenario says.
 * False when out of memory. Events of it that came before this call are lost: call it
 * before, or in the same turn as, the GO.
 */
NODISCARD bool truth_search_step_begin(struct truth *truth, const struct truth_search_start *start);

/*
 * Whether waiting longer could not change what the step came to: all its exchanges have
 * ended, or every living agent told all its events up to the latest end an exchange can have.
 */
bool truth_search_step_is_settled(const struct truth *truth);

/*
 * Judges the step and tells the controller. `out`: a copy, for the log; may be NULL.
 * Where the step is not settled it is invalid.
 */
void truth_search_step_close(struct truth *truth, struct result_search_step *out);

/* The reset hook ran, or there is none: the next repeat may begin. */
void truth_search_reset_done(struct truth *truth);

/* A lease of the server's own count at the start of the run; RESULT_UNKNOWN where unknown. */
void truth_start_state(struct truth *truth, uint32_t server, uint64_t active, uint64_t expired,
                       uint64_t free_addresses, const char *how);

/* --- for truth.c, truth_event.c and truth_finish.c --- */

void truth_search_event(struct truth *truth, size_t agent, const struct event *e, int64_t run_us);
/* Fills out->search and out->start_state; false when out of memory. */
NODISCARD bool truth_search_finish(const struct truth *truth, struct result *out);
void truth_search_free(struct truth *truth);
