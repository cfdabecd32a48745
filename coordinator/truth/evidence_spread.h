/* SPDX-License-Identifier: MIT */
/* What a histogram of spans says in a few figures. Pure. */
#pragma once

#include <stdint.h>

#include "common/histogram.h"
#include "coordinator/truth/evidence_wire.h"

struct wire_times evidence_times(const struct histogram *h);
/*
 * Of the values of `least_us` and more, the fullest interval whose ends are 15 % from its
 * centre; `samples` are all values, also those below.
 */
struct wire_mode evidence_mode(const struct histogram *h, double least_us);
