/* SPDX-License-Identifier: MIT */
/*
 * A coordinator alone in its process, for tests of `resume`: its clocks and its confinement are
 * the test's (these), its sockets too (lone_sockets.h), and the agents (lone_agents.h).
 *
 * What is defined here stands in for common/clock.c, confine_calls.c, coordinator/run/hub.c and
 * confinement.c, which the linker then does not take from the libraries: include it in one file
 * of a program.
 */
#pragma once

#include "common/attrs.h"
#include "common/clock.h"
#include "common/confine.h"
#include "coordinator/run/confinement.h"

static struct {
    uint64_t mono_ns, wall_ns;
    uint64_t stops_ns, stops_for_ns; /* the process stands still; 0: never */
} lone_time;

uint64_t clock_monotonic_ns(void)
{
    return lone_time.mono_ns;
}

uint64_t clock_boottime_ns(void)
{
    return lone_time.mono_ns;
}

uint64_t clock_realtime_ns(void)
{
    return lone_time.wall_ns;
}

int confinement_drop_capabilities(const char *run_dir, const char *keys_dir,
                                  char why[CONFINEMENT_WHY_BYTES])
{
    (void)run_dir;
    (void)keys_dir;
    (void)why;
    return 0;
}

int confinement_keep_reading(const char *run_dir, const struct scenario *books, bool is_local,
                             char why[CONFINEMENT_WHY_BYTES])
{
    (void)run_dir;
    (void)books;
    (void)is_local;
    (void)why;
    return 0;
}

int confine_system_calls(enum confine_role role, char why[CONFINE_WHY_BYTES])
{
    (void)role;
    (void)why;
    return 0;
}
