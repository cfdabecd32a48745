/* SPDX-License-Identifier: MIT */
/*
 * What the repeats of a capacity search come to together: bracket, median,
 * interval, units and the sentence an operator reads. Pure.
 */
#pragma once

#include <stdint.h>

#include "coordinator/report/result_search.h"

/*
 * From out->repeats and the search's own figures (weights, t1_s, repeats_planned), all
 * filled, to the rest. `seed`: of the bootstrap.
 */
void search_conclude(struct result_search *out, uint64_t seed);

/* "9,870" and, below 100, "87.5". Returns `cell`. */
enum { SEARCH_CELL_BYTES = 40 };
const char *search_rate_text(double per_s, char cell[SEARCH_CELL_BYTES]);
