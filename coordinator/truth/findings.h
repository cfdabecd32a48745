/* SPDX-License-Identifier: MIT */
/*
 * Rules that turn figures into findings: what is wrong, on whose side (tester,
 * bed, server, unknown), what shows it, what to do. A rule speaks only when its
 * figures leave no harmless reading; below that it stays an "info".
 *
 * What a finding means for the verdict follows from two of its fields: an error
 * of the server is a FAIL, an error of the tester or the bed makes the run INVALID.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"
#include "coordinator/truth/truth_state.h"

/*
 * Fills out->findings: those the run itself knew, then the rules' own, worst
 * first. Everything else of `out` but judgements and verdict is already there.
 * False when out of memory.
 */
NODISCARD bool findings_make(const struct truth *t, struct result *out);

/* For the rule files: a fresh finding, or NULL when there is one of this id or no room. */
struct result_finding *findings_add(struct result *out, const char *id, const char *severity,
                                    const char *side);
void findings_say(char *field, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
const struct result_finding *findings_get(const struct result *r, const char *id);

void findings_of_servers(const struct truth *t, struct result *out);
void findings_of_failover(const struct truth *t, struct result *out);
void findings_of_renewals(const struct truth *t, struct result *out);
void findings_of_bed(const struct truth *t, struct result *out);
void findings_of_tester(const struct truth *t, struct result *out);

#define SUMMARY(f, ...)  findings_say((f)->summary, sizeof((f)->summary), __VA_ARGS__)
#define EVIDENCE(f, ...) findings_say((f)->evidence, sizeof((f)->evidence), __VA_ARGS__)
#define REMEDY(f, ...)   findings_say((f)->remedy, sizeof((f)->remedy), __VA_ARGS__)
