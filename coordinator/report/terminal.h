/* SPDX-License-Identifier: MIT */
/*
 * Progress while a run goes on: one live block, redrawn, on a terminal;
 * elsewhere a key=value line every 5 s of run time and at each new phase. Edge.
 * Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attrs.h"
#include "coordinator/truth/truth.h"

struct terminal;

struct terminal_agent {
    const char *name;
    const char *state; /* one word: "ready", "running", "silent", "lost" */
    uint64_t clients, bound;
    uint64_t received; /* packets since READY */
};

/* NULL when out of memory. `out` is borrowed. */
NODISCARD struct terminal *terminal_new(FILE *out, bool is_tty);
/* Whether terminal_update() would draw now: what it is to be told need not be gathered before. */
bool terminal_is_due(const struct terminal *terminal, const char *phase);
/*
 * Call as often as you like; it draws at most 4 times a second (tty) or every
 * 5 s, and at a new phase. Nothing is drawn for the phase "over".
 */
void terminal_update(struct terminal *terminal, const struct truth_now *now, const char *phase,
                     const struct terminal_agent *agents, size_t agent_count, double run_s);
/*
 * Before anything else is printed to the same stream: takes the block off the
 * screen; the next update draws it again, below what was printed. NULL is fine.
 */
void terminal_clear(struct terminal *terminal);
/* Leaves the last block standing, and frees. NULL is fine. */
void terminal_done(struct terminal *terminal);
