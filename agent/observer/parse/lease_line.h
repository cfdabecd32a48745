/* SPDX-License-Identifier: MIT */
/*
 * Lines of a lease file as they are appended: dhcpd's blocks, and Kea's CSV.
 * What counts is that a lease was written, and dhcpd's failover states. Pure. A
 * zeroed state is at a file's beginning.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/observer/parse/failover.h"

struct lease_lines {
    bool is_in_failover; /* between `failover peer "x" state {` and its } */
    char name[FAILOVER_NAME_BYTES];
};

/* True when this line begins a lease: `lease 10.10.0.1 {`. */
bool lease_line_dhcpd(struct lease_lines *s, const char *line, size_t size, struct failover *out);
/* True for a row with a lease in it: its first field is an IPv4 address. */
bool lease_line_kea(const char *line, size_t size);
