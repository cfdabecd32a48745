/* SPDX-License-Identifier: MIT */
/*
 * How many addresses one server acknowledged in windows of 1, 30 and 120 s. With NAT
 * before it no window as long as the tracking timeout can hold more than 511.
 *
 * Windows of one length lie side by side, in several phases: what comes in one clump is
 * whole in at least one of them. The caller says when the client was acknowledged before:
 * nothing is kept per client here. Windows are folded half an hour after they began (1 s:
 * a quarter); what comes later is late. Run time in milliseconds. Pure; fixed memory
 * (62 KB). A zeroed one is valid.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/truth/evidence_wire.h"

enum { EVIDENCE_PHASES = 5, EVIDENCE_WINDOWS_OPEN = 1024 };

struct evidence_window {
    bool is_begun;
    int64_t oldest; /* number of the first open window */
    uint32_t count[EVIDENCE_WINDOWS_OPEN];
    uint64_t run; /* windows at the ceiling up to the oldest, in a row */
    struct wire_window folded;
};

struct evidence_windows {
    struct evidence_window of[WIRE_WINDOWS][EVIDENCE_PHASES];
    uint64_t late;
};

#define EVIDENCE_NEVER_MS INT64_MIN

/* An address was acknowledged at `at_ms`; `before_ms`: the time before that, or NEVER. */
void evidence_windows_add(struct evidence_windows *w, int64_t at_ms, int64_t before_ms);
/* Of each length the phase that was at the ceiling most often, else with the fullest window. */
void evidence_windows_figures(const struct evidence_windows *w,
                              struct wire_window out[WIRE_WINDOWS]);
