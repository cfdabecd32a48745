/* SPDX-License-Identifier: MIT */
/*
 * From figures to findings: what is wrong, on whose side (tester, bed, server,
 * unknown), what shows it, what to do. Gathers the facts (facts.h), asks the rules
 * (rules.h), and adds what the run itself has known.
 *
 * What a finding means for the verdict follows from two of its fields: an error
 * of the server is a FAIL, an error of the tester or the bed makes the run INVALID.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"

struct truth;

/*
 * Fills out->findings: those the run itself knew, then the rules' own, worst
 * first; out->not_evaluated and out->facts. Everything else of `out` but the
 * verdict is already there. False when out of memory.
 */
NODISCARD bool findings_make(const struct truth *t, struct result *out);

/* For the rules: a fresh finding, or NULL when there is one of this id or no room. */
struct result_finding *findings_add(struct result *out, const char *id, const char *severity,
                                    const char *side);
const struct result_finding *findings_get(const struct result *r, const char *id);

/* What the run itself brings and no rule has; the last has no id. */
struct finding_own {
    const char *id, *side;
};
extern const struct finding_own findings_own[];
/* Of a rule or of the run's own; NULL: there is no such finding. */
const char *findings_side(const char *id);
