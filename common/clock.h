/* SPDX-License-Identifier: MIT */
/* The only clock_gettime() of the tree. Edge. Thread-safe. */
#pragma once

#include <stdint.h>

uint64_t clock_monotonic_ns(void); /* every duration and deadline */
uint64_t clock_boottime_ns(void);  /* the run lease only: it also passes while suspended */
uint64_t clock_realtime_ns(void);  /* names and headings of reports only */
