/* SPDX-License-Identifier: MIT */
/*
 * `run --local N`: N agents as children of the coordinator, on this host, with
 * keys, policy and log in RUN/local-N. They die with the parent. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attrs.h"
#include "common/keys.h"
#include "common/sign.h"
#include "coordinator/plan/scenario.h"

enum { LOCAL_AGENTS_MAX = 64, LOCAL_WHY_BYTES = 1400 };

struct local_agents {
    pid_t pid[LOCAL_AGENTS_MAX];
    size_t count;
    bool are_waiting; /* for the port, which comes by the pipe */
    int port_fd;
};

/*
 * Makes coordinator keys and one pair per agent ("local-1", ...), and for each the policy
 * that follows from the scenario and names this operator; the agents' public halves are in
 * `allowed` (caller frees). 0 or -errno.
 */
NODISCARD int local_agents_prepare(const char *run_dir, size_t count, const struct scenario *s,
                                   const uint8_t operator_key[SIGN_PUBLIC_BYTES],
                                   struct key_pair *out_own, struct key_list *out_allowed,
                                   char why[LOCAL_WHY_BYTES]);
/*
 * Makes the processes, while this one still has the privileges that theirs come from and no
 * threads; they wait for local_agents_start(). 0 or -errno.
 */
NODISCARD int local_agents_fork(struct local_agents *agents, const char *run_dir, size_t count,
                                char why[LOCAL_WHY_BYTES]);
/* Sends them to 127.0.0.1:port. 0 or -errno. */
NODISCARD int local_agents_start(struct local_agents *agents, uint16_t port,
                                 char why[LOCAL_WHY_BYTES]);
/* SIGTERM, a second of patience, SIGKILL; reaps. */
void local_agents_stop(struct local_agents *agents);
/* Number of the first child that has ended (1-based), 0 if all live; reaps it. */
size_t local_agents_ended(struct local_agents *agents);
