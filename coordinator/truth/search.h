/* SPDX-License-Identifier: MIT */
/*
 * The capacity search (DESIGN section 7a.5): says which rate to try next, from
 * what the steps before came to. It knows nothing of clients, agents or time.
 *
 * `rates`: ascending until the first bad one. `between`: from `low`, doubling,
 * at most `high`, until a step is bad; then the geometric mean of last good and
 * first bad, until the bracket is as narrow as `resolution` asks. A bad step
 * counts when a second one at the same rate is bad too. A step that was not
 * valid (the tester's own load fell short) is tried once more; then the search
 * ends there. A finished repeat is followed by SEARCH_ORDER_RESET, until there
 * are `repeat` of them.
 *
 * The bracket of a repeat: its lower end is what the last good step *answered*
 * per second, less what that may be off; its upper end the planned rate of the
 * lowest bad step. See search_judge() for why the truth lies between.
 *
 * Rates are exchanges per second; orders in thousandths. Pure; no memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"
#include "coordinator/report/result_search.h"

enum { SEARCH_STEPS_MAX = 200 }; /* of one repeat; a search never comes near it */

/* Of planned; by so much may the answers of a good step stay behind. */
#define SEARCH_SHORT_PERCENT 1.0
/* A good step's rate proves at most the rate less this: what it may stay behind, and luck. */
#define SEARCH_LOW_PERCENT 1.5

enum search_order_kind { SEARCH_ORDER_STEP, SEARCH_ORDER_RESET, SEARCH_ORDER_DONE };

struct search_order {
    enum search_order_kind kind;
    uint64_t rate_milli_per_s; /* STEP */
};

struct search {
    const struct scenario_search *config; /* must outlive it */
    struct result_search_repeat repeat;   /* of the repeat under way; its steps are the caller's */
    uint64_t repeats_done;
    bool is_repeat_done, is_done;
    size_t at, steps;          /* `rates`: position in the list; steps of this repeat */
    uint64_t rate_milli_per_s; /* of the next step */
    uint64_t good_milli_per_s, bad_milli_per_s; /* 0: none yet */
    double good_low_per_s;
    unsigned bad_tries, invalid_tries; /* of the rate */
};

void search_init(struct search *s, const struct scenario_search *config);

/* What to do now; the same answer until search_step_done() or search_reset_done(). */
struct search_order search_next(const struct search *s);

/*
 * How the step ordered came out. True: it ended a repeat, which is now in
 * s->repeat (bracket and limit, without steps).
 */
bool search_step_done(struct search *s, const struct result_search_step *step);
/* The servers are as they were: the next repeat begins. */
void search_reset_done(struct search *s);

/* The lower end of a bracket with this as its last good step. */
double search_low_per_s(const struct result_search_step *step);

/*
 * Sets step->flag and step->reason from its counts. `invalid_why`: a sentence that says
 * how the tester itself fell short; empty: it did not.
 */
void search_judge(const struct scenario_search *config, const char *invalid_why,
                  struct result_search_step *step);
