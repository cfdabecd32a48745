/* SPDX-License-Identifier: MIT */
/* The only clock_gettime() and clock_nanosleep() of the tree. Edge. Thread-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_monotonic_ns(void); /* every duration and deadline */
uint64_t clock_boottime_ns(void);  /* the run lease only: it also passes while suspended */
uint64_t clock_realtime_ns(void);  /* names and headings of reports only */

/* Until CLOCK_MONOTONIC is there: asleep, or, where `spins`, to the fraction of a microsecond. */
void clock_wait_until_ns(uint64_t monotonic_ns, bool spins);
