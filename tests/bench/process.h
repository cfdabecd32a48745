/* SPDX-License-Identifier: MIT */
/* What another process has used, from /proc. Edge. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* CPU time of all its threads that live, in ns; 0 when it cannot be read. */
uint64_t process_cpu_ns(int pid);
/* Resident memory; 0 when it cannot be read. */
uint64_t process_rss_bytes(int pid);

/* A straight line through (x, y), by least squares. */
struct slope {
    double n, x, y, xx, xy;
    double first_y, last_y, most_y;
};
void slope_add(struct slope *s, double x, double y);
double slope_value(const struct slope *s); /* y per x; 0 of fewer than two points */
