/* SPDX-License-Identifier: MIT */
/*
 * One run from GATHER to the verdict: the coordinator's only loop. Edge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/scenario.h"

struct run_options {
    const struct scenario *scenario;
    const char *scenario_path; /* for messages */
    const char *run_dir;       /* NULL: runs/<UTC>-<scenario> */
    const char *keys;          /* directory; unused with local agents */
    const char *listen_host;
    uint16_t listen_port;
    size_t agents;
    bool is_local;      /* agents are children of this process */
    uint64_t gather_ns; /* how long to wait for the agents */
};

/* Runs it, prints and writes the report, and returns the exit code (DESIGN section 7). */
int run_execute(const struct run_options *options);
