/* SPDX-License-Identifier: MIT */
/*
 * The agent's side of the protocol: finds the coordinator, obeys it as far as
 * the policy allows, brings the results back. Edge; runs in the caller's
 * thread and starts one more per run (lane_thread.h).
 *
 * It serves run after run. A broken connection does not end a run: the session
 * says HELLO again and, if the same run answers, goes on with what is not
 * committed yet. The right to send ends by itself meanwhile (run lease). With a state
 * directory, what a killed agent had not delivered is delivered by its successor, and so is
 * what an agent has that the coordinator had given up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/edge/state_dir.h"
#include "agent/policy.h"
#include "common/attrs.h"
#include "common/keys.h"
#include "common/link.h"

/* What the process exits with. */
enum session_end {
    SESSION_STOPPED = 0, /* asked to, or one run was served and no more are wanted */
    SESSION_REFUSED = 3, /* for good: version, or another agent has this name */
    SESSION_INTERNAL = 6
};

struct run_record;

struct session_setup {
    struct link_context *context;
    const char *host;
    uint16_t port;
    uint8_t server_key[KEY_BYTES];
    const struct key_pair *own;
    const struct policy *policy;
    struct run_record *records; /* of plans played here; NULL: the policy names no operators */
    const struct state_dir *state_dir; /* NULL: results are kept in memory only */
    int stop_fd;  /* readable: stop sending and return; a signalfd in the agent */
    bool is_once; /* return after one run */
};

/* Everything in `setup` must outlive the call. Returns when there is nothing left to do. */
NODISCARD enum session_end session_run(const struct session_setup *setup);
