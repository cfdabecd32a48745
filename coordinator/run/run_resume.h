/* SPDX-License-Identifier: MIT */
/*
 * Goes on with a run whose coordinator died: the ledger's events and journal bring truth and
 * the run's phase to where they were, the agents find the same address again, and what they have
 * not got acknowledged comes once more. Agents keep sending for the rest of their run lease
 * only; the time without a coordinator is a mark in the report. Edge.
 *
 * What cannot go on ends in order with the report of what is known: a run on local agents (they
 * died with their parent), and a capacity search (its rounds were the dead coordinator's).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"

struct run_resume_options {
    const char *run_dir;
    const struct scenario *scenario; /* RUN/scenario.yaml */
    const char *keys;                /* directory; NULL: the one the run was begun with */
    const char *listen_host;         /* NULL: host and port the run was begun with */
    uint16_t listen_port;
    uint64_t wait_ns;    /* for each agent to be heard again; then it is lost */
    bool allows_actions; /* the scenario's commands may be run on this host */
};

/*
 * The run's exit code (DESIGN section 7); 2: there is nothing to go on with; 6: there is, but not
 * now, as another plays it, or its keys or address are not to be had.
 */
int run_resume_execute(const struct run_resume_options *options);
