/* SPDX-License-Identifier: MIT */
/*
 * Which lease times the servers gave, and when. A pair that has lost its partner
 * extends leases by the MCLT only: until it is told that the partner is down,
 * ACKs are shorter than expected and renewals come the more often. dhcpd then
 * gives many different times between MCLT and lease, so each server has a table of
 * the first LEASE_TIMES_MAX distinct ones, the rest in one row, four classes and a
 * histogram: bounded, whatever a server does.
 *
 * A *wave* is a time in which a server gave short leases to clients that had a
 * lease before; it is over when none comes for as long as the longest of them
 * lasts, because by then each of these clients must have come back. Short first
 * leases are counted apart: a healthy dhcpd pair begins every lease with them.
 *
 * Run time in microseconds. Pure; one histogram per server that gave a lease;
 * sticky `is_out_of_memory`. A zeroed one knows no expectation and is valid;
 * lease_times_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/histogram.h"
#include "coordinator/truth/live_addresses.h"

enum { LEASE_TIMES_MAX = 24, LEASE_WAVES_MAX = 8 };

enum lease_class {
    LEASE_AS_EXPECTED, /* within a second */
    LEASE_AS_MCLT,     /* within a second */
    LEASE_BETWEEN,
    LEASE_OTHER, /* longer than expected, shorter than the MCLT, or no expectation to compare with
                  */
    LEASE_CLASS_COUNT
};

struct lease_count {
    uint64_t acks;
    int64_t first_us, last_us; /* valid when acks > 0 */
};

struct lease_time {
    uint32_t lease_s;
    struct lease_count count;
};

struct lease_wave {
    struct lease_count count;
    uint32_t shortest_s, longest_s;
};

struct lease_times_server {
    struct lease_time time[LEASE_TIMES_MAX];
    size_t time_count;
    struct lease_count rest, short_rest; /* of times that found no row */
    struct lease_count of[LEASE_CLASS_COUNT];
    struct lease_count short_first; /* first leases of clients, shorter than expected */
    struct lease_wave wave[LEASE_WAVES_MAX];
    size_t wave_count;
    struct histogram *spread; /* of lease times, milliseconds in place of nanoseconds */
};

struct lease_times {
    uint32_t expect_lease_s, expect_mclt_s; /* 0: not given */
    struct lease_times_server server[LIVE_SERVERS];
    bool is_out_of_memory;
};

enum lease_class lease_times_class(const struct lease_times *t, uint32_t lease_s);
/* Shorter than expected by more than a second. */
bool lease_times_is_short(const struct lease_times *t, uint32_t lease_s);

/* An ACK of a server (LIVE_NO_SERVER: unknown); `is_first`: the client's first lease. */
void lease_times_ack(struct lease_times *t, size_t server, uint32_t lease_s, int64_t run_us,
                     bool is_first);
void lease_times_fini(struct lease_times *t);
