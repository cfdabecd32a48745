/* SPDX-License-Identifier: MIT */
/*
 * coordinator.log and the report against each other and against the files of the run: the chain
 * is whole, the report's value is in it, the plan is the one that was signed and that every
 * agent said it was ready for. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/audit/audit_notes.h"

struct audit_log_facts {
    const char *text;
    size_t size;
    const char *chain;         /* the report's value; NULL: there is no report, or none in it */
    const char *plan_hash;     /* of plan.bin */
    const char *ledger_hash;   /* of ledger.db; NULL: it cannot be read */
    const char *scenario_hash; /* of scenario.yaml; NULL: it cannot be read */
};

/* Returns the number of lines looked at. */
uint64_t audit_log(const struct audit_log_facts *facts, struct audit_notes *notes);
