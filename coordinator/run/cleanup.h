/* SPDX-License-Identifier: MIT */
/*
 * Gives back what a run has left at the servers. The ledger says what it holds,
 * the servers' books what of it is true; RELEASEs go out in rounds, each a small
 * run of its own (RUN/cleanup-1, -2, ...), first through the server that granted
 * the lease, then through its partner, from the third round on renewed before,
 * until the books say that nothing is left or six rounds have been played. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/run/run.h"

struct cleanup_options {
    const char *run_dir;             /* of the run that left them */
    const struct scenario *scenario; /* its own, RUN/scenario.yaml */
    struct run_options fleet;        /* who plays: agents, listen, keys */
    uint64_t rate_milli_per_s;       /* of RELEASEs over the fleet */
    bool is_dry;                     /* only says what is left */
};

/*
 * Prints and writes RUN/cleanup.txt and RUN/cleanup.json. Exit codes: 0 nothing
 * is left, and books confirm it; 1 leases are still active; 2 usage; 3 some
 * could not be confirmed; 4, 6 as a run's.
 */
int cleanup_execute(const struct cleanup_options *options);
