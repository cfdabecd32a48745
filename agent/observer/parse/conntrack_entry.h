/* SPDX-License-Identifier: MIT */
/* Bytes of ctnetlink: what a dump of tracked connections says of port 67. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONNTRACK_LOW_PORTS = 511 };

struct conntrack_tally {
    uint64_t dhcp_entries; /* UDP, begun from port 67 or to it */
    /*
     * Ports 1..511 that answers to connections begun from port 67 must go to:
     * what stands for 67 outside. Without NAT that is 67 alone.
     */
    bool is_low_port_used[CONNTRACK_LOW_PORTS + 1];
    uint32_t low_ports;
};

enum conntrack_bytes {
    CONNTRACK_MORE,  /* the dump goes on */
    CONNTRACK_DONE,  /* it is complete */
    CONNTRACK_ERROR, /* the kernel says no: *out_error, an -errno */
    CONNTRACK_GARBLED
};

/* What one recv() gave; messages of another `seq` are passed over. */
enum conntrack_bytes conntrack_take(const void *bytes, size_t size, uint32_t seq,
                                    struct conntrack_tally *tally, int *out_error);
