/* SPDX-License-Identifier: MIT */
/*
 * `run --local N`: N agents as children of the coordinator, on this host, with
 * keys, policy and log in RUN/local-N. They die with the parent. Edge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attrs.h"
#include "common/keys.h"
#include "coordinator/plan/scenario.h"

enum { LOCAL_AGENTS_MAX = 64, LOCAL_WHY_BYTES = 1400 };

struct local_agents {
    pid_t pid[LOCAL_AGENTS_MAX];
    size_t count;
};

/*
 * Makes coordinator keys and one pair per agent ("local-1", ...); the agents'
 * public halves are in `allowed` (caller frees). 0 or -errno.
 */
NODISCARD int local_agents_prepare(const char *run_dir, size_t count, const struct scenario *s,
                                   struct key_pair *out_own, struct key_list *out_allowed,
                                   char why[LOCAL_WHY_BYTES]);
/* Starts them towards 127.0.0.1:port. */
NODISCARD int local_agents_start(struct local_agents *agents, const char *run_dir, size_t count,
                                 uint16_t port, char why[LOCAL_WHY_BYTES]);
/* SIGTERM, a second of patience, SIGKILL; reaps. */
void local_agents_stop(struct local_agents *agents);
/* Number of the first child that has ended (1-based), 0 if all live; reaps it. */
size_t local_agents_ended(struct local_agents *agents);
