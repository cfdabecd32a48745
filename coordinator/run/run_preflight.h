/* SPDX-License-Identifier: MIT */
/*
 * Preflight as a phase of a run: what the agents tell of their hosts (in PREPARE) and of their
 * first clients, judged at once by preflight_checks.h. Nothing outside coordinator/run includes
 * it. Edge.
 */
#pragma once

#include "coordinator/run/run_internal.h"

void run_preflight(struct run *run);
void run_judge_preflight(struct run *run);
void run_take_preflight(struct run *run, struct roster_agent *a,
                        const struct control_preflight_report *report);
/* A refusal of the plan for what the agent's host lacks: kept, and judged with the others'. */
NODISCARD bool run_preflight_refused(struct run *run, const struct roster_agent *a,
                                     const struct control_refuse *refuse);
/* In PREPARE, while run->refused_until_ns is set. */
void run_preflight_prepare_tick(struct run *run);
