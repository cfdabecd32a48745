/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong, when, and whether it did: drawn from the seed, two kinds
 * that the seed's number gives (so that every pair is tried), and more by chance.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/prng.h"
#include "tests/sim/world.h"

/* X(name, text) */
#define FAULT_KINDS(X)                                                                             \
    X(LOSS, "loss")                                                                                \
    X(DUPLICATION, "duplication")                                                                  \
    X(REORDER, "reorder")                                                                          \
    X(DELAY, "delay")                                                                              \
    X(CONTROL_CUT, "control cut")                                                                  \
    X(DATA_CUT, "data cut")                                                                        \
    X(SERVER_CUT, "server cut")                                                                    \
    X(RESET, "reset")                                                                              \
    X(PAUSE_COORDINATOR, "pause op")                                                               \
    X(PAUSE_AGENT, "pause agent")                                                                  \
    X(KILL_COORDINATOR, "kill op")                                                                 \
    X(KILL_AGENT, "kill agent")                                                                    \
    X(DISK, "disk")                                                                                \
    X(CLOCK_STEP, "clock step")                                                                    \
    X(LIE, "lie")                                                                                  \
    X(SERVER_DOWN, "server down")                                                                  \
    X(OPERATOR, "operator")                                                                        \
    X(SEND_ERROR, "send error")                                                                    \
    X(FULL_SOCKET, "full socket")

enum fault_kind {
#define X(name, text) FAULT_##name,
    FAULT_KINDS(X)
#undef X
        FAULT_COUNT
};
const char *fault_name(enum fault_kind kind);

/* Draws the schedule; `is_calm`: nothing goes wrong. */
void faults_draw(struct prng *p, uint64_t number, bool is_calm);
void faults_draw_host(struct sim_host *out, const char *name);

/* Kinds that really did something, as bits; and that were tried. */
uint64_t faults_effective(void);
uint64_t faults_tried(void);
bool faults_happened(void);
/* Of this schedule: an agent may have been given up without having been killed. */
bool faults_may_lose_agents(void);
bool faults_may_hold_results(void);
bool faults_may_clean_up(void);
/* Whether a killed coordinator is resumed, or another run is begun. A draw each time. */
bool faults_resumes(void);
/* The run has come to this phase (enum run_phase): some faults wait for one. */
void faults_at_phase(unsigned phase);
