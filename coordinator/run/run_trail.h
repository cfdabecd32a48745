/* SPDX-License-Identifier: MIT */
/*
 * What coordinator.log says for the record: who started what, which plan was signed by whom, who
 * acknowledged it, who stopped the run, and how it ended. Nothing outside coordinator/run
 * includes it. Edge.
 */
#pragma once

#include <sys/signalfd.h>

#include "coordinator/run/run_internal.h"

/* Opens the log: a new one, or that of the coordinator whose run is taken over. An exit code. */
NODISCARD int run_trail_open(struct run *run, const char *what);
/* The effective scenario, as it stands in the run directory. */
void run_trail_scenario(const struct run *run, const void *text, size_t size);
/* The plan as it went out. */
void run_trail_sealed(const struct run *run);
void run_trail_ready(const struct run *run, const struct roster_agent *a, uint64_t memory_bytes);
void run_trail_signal(const struct signalfd_siginfo *info, bool is_at_once);
/* The ledger as it will stay: nothing is written into it any more. */
void run_trail_ledger(const struct run *run);
/* Before the report is written: it names the value of this line. */
void run_trail_verdict(struct result *result, int exit_code);
