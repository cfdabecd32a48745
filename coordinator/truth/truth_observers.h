/* SPDX-License-Identifier: MIT */
/*
 * The way of observers into truth, beside truth.h: who watches which server, and what was seen.
 * Without memory for figures there is a gap in them, and no other harm. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/control.h"
#include "proto/observation.h"

struct truth;

/* The next observer: its index is how many there were. False: it cannot be taken. */
NODISCARD bool truth_observer(struct truth *truth, const char *name,
                              const struct control_observer_hello *hello);
/* A frame at the run time of its at_ns. False: there is no such observer. */
NODISCARD bool truth_observation(struct truth *truth, size_t observer, int64_t run_us,
                                 uint64_t uncertainty_us, const struct observation *frame);
