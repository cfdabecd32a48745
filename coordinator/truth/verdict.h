/* SPDX-License-Identifier: MIT */
/*
 * One word for the whole run, and why: internal > aborted > preflight > invalid
 * > fail > pass. INVALID outranks FAIL because a generator, bed or accounting at
 * its limit proves nothing about the server; but judgements that could not be
 * judged because the run was cut short by a failure do not hide that failure.
 *
 * Pure.
 */
#pragma once

#include "coordinator/report/result.h"
#include "coordinator/truth/truth_state.h"

/* Fills out->verdict; accounting, findings and judgements are already there. */
void verdict_decide(const struct truth *t, struct result *out);
