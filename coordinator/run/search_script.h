/* SPDX-License-Identifier: MIT */
/*
 * The order of the rounds of a capacity search. Which rate comes next is decided in
 * truth/search.h; here is what has to happen around a step, so that every step finds the
 * servers in the same state: first canaries, where no acquire stage has played them; after
 * each step the leases beyond `bound` are given back; between two repeats all of them are,
 * the reset is run, and `bound` clients get a lease again.
 *
 * Pure: the run plays a move, then asks for the next one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"
#include "coordinator/truth/search.h"
#include "proto/plan.h"

enum search_move_kind {
    SEARCH_MOVE_CANARY,        /* a tiny LOAD round outside the search */
    SEARCH_MOVE_STEP,          /* a LOAD round that is measured */
    SEARCH_MOVE_RELEASE,       /* a RELEASE round: all leases but `keep` */
    SEARCH_MOVE_RESET,         /* the hook */
    SEARCH_MOVE_REFILL,        /* an ACQUIRE round: `keep` clients */
    SEARCH_MOVE_RESET_DONE,    /* the search may go on; nothing to play */
    SEARCH_MOVE_DONE,          /* the search is over; nothing to play */
    SEARCH_MOVE_CANARY_FAILED, /* `keep` leases were due, fewer are there */
    SEARCH_MOVE_REFILL_FAILED  /* likewise */
};

struct search_move {
    enum search_move_kind kind;
    uint32_t stage;            /* of the round */
    uint64_t rate_milli_per_s; /* over the fleet; REFILL: as its stage says */
    uint64_t arrivals;         /* CANARY, STEP: over the fleet */
    uint64_t keep;             /* leases that are to be there afterwards */
    uint64_t longest_ns;       /* from its start instant; then it is over whatever it came to */
};

enum search_part {
    SEARCH_PART_CANARIES,
    SEARCH_PART_TRIM,
    SEARCH_PART_STEP,
    SEARCH_PART_EMPTY,
    SEARCH_PART_HOOK,
    SEARCH_PART_REFILL,
    SEARCH_PART_FILLED
};

struct search_script {
    const struct scenario_search *config; /* must outlive it */
    const struct plan *plan;              /* likewise */
    enum search_part part;
    unsigned canary, canary_tries;
    uint32_t load, release, refill; /* stages; refill: stage_count where there is none */
    uint64_t good_milli_per_s, bad_milli_per_s; /* of the steps so far; 0: none */
};

/* Index of the plan's LOAD stage; stage_count where there is none. */
uint32_t search_script_stage(const struct plan *plan);

void search_script_init(struct search_script *s, const struct scenario_search *config,
                        const struct plan *plan);
/*
 * The next move, after the last one is over. `order`: what truth_search_next() says now;
 * `bound`: leases the fleet holds now.
 */
struct search_move search_script_next(struct search_script *s, struct search_order order,
                                      uint64_t bound);
/* How the step just closed came out: releases are paced by it. */
void search_script_learn(struct search_script *s, uint64_t rate_milli_per_s, enum search_flag flag);
