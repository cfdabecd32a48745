/* SPDX-License-Identifier: MIT */
/*
 * The agent's life from its flags to its exit code: keys, policy, lock,
 * privileges, signals, then one session. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"

enum { AGENT_PORT = 6767, AGENT_HOST_BYTES = 256, AGENT_WHY_BYTES = 400 };

enum agent_exit {
    AGENT_STOPPED = 0,
    AGENT_USAGE = 2,   /* flag, key or policy */
    AGENT_REFUSED = 3, /* for good */
    AGENT_INTERNAL = 6
};

struct agent_options {
    char host[AGENT_HOST_BYTES];
    uint16_t port;
    const char *server_key_file, *key_file, *policy_file;
    const char *state_dir; /* NULL: none */
    bool is_once;
    bool is_observer;
    /* An observer's, NULL: not given. Its files are then found from the process. */
    const char *process;
    const char *log_file, *lease_file, *config_file, *kea_socket;
};

/* "HOST", "HOST:PORT", "[V6]:PORT"; `why`: one sentence. */
NODISCARD bool agent_parse_coordinator(const char *text, struct agent_options *out,
                                       char why[AGENT_WHY_BYTES]);

/* Says on stderr what went wrong. */
NODISCARD enum agent_exit agent_run(const struct agent_options *options);

/* The same as an observer (agent/observer): no policy, no state directory. */
NODISCARD enum agent_exit agent_observe(const struct agent_options *options);

/* Makes a key pair in `path` and prints its public half on stdout. */
NODISCARD enum agent_exit agent_make_key(const char *path);
