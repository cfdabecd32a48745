/* SPDX-License-Identifier: MIT */
/*
 * What `leaseherd check` says about a lost agent and a lost coordinator: one sentence a line.
 *
 * Pure.
 */
#pragma once

#include <stddef.h>

#include "coordinator/plan/scenario.h"

/* Cut when `size` is too small for it; 512 bytes are enough. */
void forecast_losses_text(const struct scenario *s, char *out, size_t size);
