/* SPDX-License-Identifier: MIT */
/*
 * Echo requests this host received and echo replies it sent, as its kernel counts them
 * since boot: a host that answers for the test block makes a server with ping-check
 * abandon every address. One network namespace; needs no privilege.
 *
 * Edge; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"

struct host_icmp {
    uint64_t echo_in, echo_out;
};

/* False: not there or not understood; `out` is untouched. */
NODISCARD bool host_icmp_read(struct host_icmp *out);
/* The text of /proc/net/snmp. */
NODISCARD bool host_icmp_parse(const char *text, struct host_icmp *out);
