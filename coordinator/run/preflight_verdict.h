/* SPDX-License-Identifier: MIT */
/*
 * What the agents' preflight reports mean: which client path to use, or why
 * the run is refused. DESIGN section 3 (`client_path`) and section 6.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"
#include "proto/control.h"

/* Paths to try, best first, for this scenario; `subnets_are_whole` see deal.h. Returns how many. */
uint32_t preflight_candidates(const struct scenario *s, bool subnets_are_whole,
                              uint32_t out[PLAN_PATH_COUNT]);

enum preflight_result { PREFLIGHT_PASSED, PREFLIGHT_REFUSED, PREFLIGHT_FOREIGN_OFFER };

struct preflight_verdict {
    enum preflight_result result;
    enum plan_path path; /* passed */
    bool is_of_path;     /* refused: all got their leases, and no path works */
    const char *finding; /* refused: id of the finding */
    char reason[400];    /* refused: what, where */
    const char *remedy;  /* refused: what to do */
};

/* Whether the clients of reports[index] got their leases; false: `out` says why not. */
NODISCARD bool preflight_relay_acquires(const struct plan *plan,
                                        const struct control_preflight_relay *reports, size_t count,
                                        size_t index, uint64_t received,
                                        struct preflight_verdict *out);

/* Whether this relay's clients were given addresses outside its subnet; `out` says so. */
enum { PREFLIGHT_OUTSIDE_BYTES = 200 };
NODISCARD bool preflight_is_outside(const struct plan *plan,
                                    const struct control_preflight_relay *report, char *out,
                                    size_t size);

/*
 * `reports` of all relays of the plan, in any order; `received`: packets of any kind that the
 * fleet has got so far, so that silence and answers of no use are told apart.
 */
void preflight_judge(const struct plan *plan, const struct control_preflight_relay *reports,
                     size_t report_count, uint64_t received, struct preflight_verdict *out);
