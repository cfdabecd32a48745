/* SPDX-License-Identifier: MIT */
/*
 * Which connections of port 67 the kernel tracks, and how many of the 511
 * source ports it has left for replies that are sent to one address by DNAT.
 * Walking the table costs 10 to 30 ms of CPU, hence only when replies were
 * refused or connections not taken in since the last walk, and then every 2 s
 * at most, or every 10 s. Needs CAP_NET_ADMIN, and the server's network
 * namespace must be ours. Where there is no conntrack, the kernel is not asked:
 * asking would load it. Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/observer/parse/conntrack_entry.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

struct conntrack_dump {
    int fd; /* -1: none */
    enum availability available;
    bool is_wanted, is_suspicious, is_walking;
    uint32_t seq;
    uint64_t walked_at_ns, next_at_ns;
    double last_insert_failed, last_out_discards; /* -1: not known yet */
    struct conntrack_tally walking, told;         /* of the walk under way, of the last one */
};

void conntrack_dump_open(struct conntrack_dump *c);
void conntrack_dump_close(struct conntrack_dump *c);
void conntrack_dump_look(struct conntrack_dump *c, uint64_t now_ns);
/* The metrics ct_dhcp_*; reads ct_insert_failed and ip_out_discards of `out`.
 */
void conntrack_dump_observe(struct conntrack_dump *c, const struct observer_target *target,
                            struct observation *out);
