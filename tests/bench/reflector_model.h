/* SPDX-License-Identifier: MIT */
/*
 * leaseherd-reflector as a server of known capacity: tests/support/paced_server says when each
 * answer leaves, this file receives, waits and sends. A message counts from the instant the
 * kernel received it, so that a descheduled reflector is no smaller server.
 */
#pragma once

#include <signal.h>

#include "common/attrs.h"
#include "tests/bench/reflector_answer.h"
#include "tests/support/paced_server.h"

struct reflector_model {
    struct paced_options capacity;
    double discover_cost, release_cost; /* in commits; a REQUEST costs 1, an INFORM nothing */
    uint64_t stall_at_ns;               /* after the first message; 0: at SIGUSR1 only */
    uint64_t stall_for_ns;              /* 0: never */
};

struct reflector_signals {
    volatile sig_atomic_t stopped, stall;
};

/* Until signals->stopped. 0 or -errno; the model's counters are in *m, which the caller ends. */
NODISCARD int reflector_model_serve(int fd, const struct reflector_config *config,
                                    const struct reflector_model *model,
                                    struct reflector_signals *signals,
                                    struct reflector_totals *totals, struct paced_server *m);
