/* SPDX-License-Identifier: MIT */
/*
 * How a stage is let loose: the first acquire stage in steps of 3, 30 and 300
 * clients over the whole fleet (the canaries), then all; every other stage in
 * one. Fleet-wide numbers are split over the agents exactly.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/plan.h"

enum { STEPS_MAX = 4 };

/* Clients that may have started after step `step`, over the fleet. */
uint64_t steps_client_limit(const struct plan *plan, uint32_t stage, uint32_t step);
uint32_t steps_count(const struct plan *plan, uint32_t stage);
/* The first acquire stage's steps before the last. */
bool steps_is_canary(const struct plan *plan, uint32_t stage, uint32_t step);
