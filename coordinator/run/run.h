/* SPDX-License-Identifier: MIT */
/*
 * One run from GATHER to the verdict: the coordinator's only loop. Edge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/sign.h"
#include "coordinator/plan/scenario.h"
#include "proto/control.h"

/* Leases of an earlier run that this run's clients take over, see struct control_adopted. */
struct run_adoption {
    const struct control_adopted *leases; /* ascending by client */
    size_t count;
};

struct run_options {
    const struct scenario *scenario;
    const char *scenario_path; /* for messages */
    const char *run_dir;       /* NULL: runs/<UTC>-<scenario> */
    const char *keys;          /* directory; unused with local agents */
    struct sign_key *signer;   /* the operator's; NULL with local agents */
    bool forgets_signer;       /* the secret is wiped once the plan is signed */
    const char *listen_host;
    uint16_t listen_port;
    size_t agents;
    bool is_local;                       /* agents are children of this process */
    bool allows_actions;                 /* the scenario's commands may be run on this host */
    const struct run_adoption *adoption; /* NULL: none; else there is no preflight */
    uint32_t skipped_checks;             /* bit per enum preflight_check_id, or all */
    bool is_quiet;                       /* the report goes to the run directory only */
    uint64_t gather_ns;                  /* how long to wait for the agents */
};

/* Runs it, prints and writes the report, and returns the exit code (DESIGN section 7). */
int run_execute(const struct run_options *options);
