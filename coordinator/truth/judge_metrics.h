/* SPDX-License-Identifier: MIT */
/*
 * The table of everything that can be judged. A figure of struct result needs
 * one row here, and a line in the manual; what depends on a stage or a window
 * comes from events and needs a judge_source of its own. Pure.
 */
#pragma once

#include <stdbool.h>

#include "common/attrs.h"
#include "coordinator/truth/judge_terms.h"

/* Fills metric, source, unit, offset, figure, percent, latency of `out`. */
NODISCARD bool judge_metrics_find(const char *word, struct judge_term *out);

/* `why`: that there is no such metric, and the nearest one. */
void judge_metrics_suggest(const char *word, char why[JUDGE_WHY_BYTES]);

/* Known by stage, window and filter, because it is counted from events. */
bool judge_source_takes_stage(enum judge_source source);
