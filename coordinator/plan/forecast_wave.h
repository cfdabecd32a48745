/* SPDX-License-Identifier: MIT */
/*
 * The waves of renewals that follow from how the leases are acquired: who is
 * acquired in a burst renews in one. To be held against what a run measures.
 *
 * Model: acquisitions at an even pace, T1 and T2 of each lease moved evenly by at
 * most clients.fuzz, as agents do. Times count from the begin of the first
 * acquire stage.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/plan/scenario.h"

struct forecast_wave {
    double first_s, last_s; /* the first and the last of the wave */
    double peak_per_s;      /* exchanges started per second at its height */
};

struct forecast_waves {
    bool is_known;       /* false: no acquire stage, or the lease time is not given */
    bool is_upper_bound; /* closed model: the servers decide; heights are the most there can be */
    double acquire_s;    /* the acquisitions; at least, where is_upper_bound */
    double steady_per_s; /* renewals in the long run: clients / T1 */
    struct forecast_wave t1; /* first RENEW of every client */
    bool has_partner;        /* false: `t2` is zero, since there is one server only */
    double orphans;          /* clients of one dead server out of all, evenly shared */
    struct forecast_wave t2; /* their REBINDs, if that server is dead before their T1 */
    double t2_packets_per_s; /* a REBIND goes to every server of its relay */
};

void forecast_waves_make(const struct scenario *s, struct forecast_waves *out);

/* In sentences, each on a line of its own. Always ends in NUL; cut when `size` is too small. */
void forecast_waves_text(const struct scenario *s, char *out, size_t size);

/*
 * Which periodic jobs of the servers fall into a measured window of this run, so that a
 * percentile of ten minutes is not taken for one of a day. Defaults of Kea and dhcpd, which
 * is said. Same form.
 */
void forecast_housekeeping(const struct scenario *s, char *out, size_t size);

/* The search: steps, time, packets, leases held at once; empty without one. Same form. */
void forecast_search_text(const struct scenario *s, char *out, size_t size);
