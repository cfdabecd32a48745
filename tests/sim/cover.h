/* SPDX-License-Identifier: MIT */
/*
 * What was reached: rows of the two state machines, kinds of faults, pairs of
 * them. A row is what the machine itself says is one, asked for each (state, event);
 * what cannot be reached is listed with its reason, and must not be reached.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/run/run_fsm.h"
#include "proto/lease_names.h"
#include "tests/sim/faults.h"

struct cover {
    uint32_t lease[LEASE_STATE_COUNT][LEASE_EVENT_COUNT];
    uint32_t run[RUN_PHASE_COUNT][RUN_EVENT_COUNT];
    uint32_t pairs[FAULT_COUNT][FAULT_COUNT];
};

extern struct cover cover; /* of this process */

void cover_note_faults(uint64_t effective);
void cover_add(struct cover *to, const struct cover *more);
/* Prints the tables; `demands_all`: false when something was not reached. */
bool cover_print(const struct cover *c, bool demands_all);
