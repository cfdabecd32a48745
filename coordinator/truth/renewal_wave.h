/* SPDX-License-Identifier: MIT */
/*
 * The renewals that the ACKs foretell, beside those that were begun. An ACK says
 * when its client will renew: lease start + T1, moved by the scenario's fuzz. What
 * is stored is when leases of which length started, not the forecast itself, so
 * that T1 can be learned first: from clients that renew for the first time, of
 * which the table of live leases knows the start and the length. T1 is half of the
 * lease (RFC 2131 4.4.5) unless their median says otherwise by more than the fuzz;
 * later renewals teach nothing, because 16 bytes per lease do not hold its length.
 *
 * A RENEW counts when its exchange ends, at the instant it began: one still open
 * when the run ends, or whose event cannot tell its beginning (71 minutes and
 * more), is missing among the measured ones.
 *
 * Run time in microseconds; buckets of one second, joined in pairs when a run
 * outgrows them. The first RENEWAL_WAVE_LEASES lease times have a row each, later
 * ones join the nearest. Pure; 32 KB per row in use; sticky `is_out_of_memory`. A
 * zeroed one is valid; renewal_wave_fini().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/truth/live_addresses.h"

enum { RENEWAL_WAVE_BUCKETS = 4096, RENEWAL_WAVE_LEASES = 8 };
enum { RENEWAL_WAVE_LEFT = 4096, RENEWAL_WAVE_SHARES = 4096 };

struct renewal_wave_row {
    uint32_t lease_s;
    uint64_t acks;
    int32_t *starts; /* leases that started, by bucket */
    uint32_t *t1;    /* seen at first renewals, by RENEWAL_WAVE_SHARES-th of the lease */
    uint64_t t1_count;
};

struct renewal_wave {
    double fuzz; /* reach of the jitter as a share of T1: 0.05 */
    int64_t interval_us;
    size_t used; /* buckets */
    struct renewal_wave_row row[RENEWAL_WAVE_LEASES];
    size_t row_count;
    uint32_t *begun; /* by bucket */
    uint64_t begun_total;
    /* How long the lease still had when its client began to renew. */
    uint32_t left[RENEWAL_WAVE_LEFT];
    int64_t left_bin_us;
    bool is_out_of_memory;
};

/* An ACK that counts from `start_us`. Infinite leases foretell nothing. */
void renewal_wave_lease(struct renewal_wave *w, uint32_t lease_s, int64_t start_us);
/*
 * The lease that ends at `until_us` was ended or replaced at `run_us`; what it
 * foretold for later is void. `lease_s`: its length, 0: take the most frequent.
 */
void renewal_wave_void(struct renewal_wave *w, uint32_t lease_s, int64_t until_us, int64_t run_us);
/* A client began to renew its lease by itself; `held` NULL: nothing is known of it. */
void renewal_wave_begun(struct renewal_wave *w, int64_t begun_us, const struct live_lease *held);

/* T1 of leases of this length, in microseconds, and whether renewals have shown it. */
int64_t renewal_wave_t1_us(const struct renewal_wave *w, uint32_t lease_s, bool *out_is_learned);
/* The length most ACKs had; 0: none yet. */
uint32_t renewal_wave_usual_lease_s(const struct renewal_wave *w);

struct renewal_wave_figures {
    double forecast_total, forecast_peak_per_s, forecast_peak_at_s;
    double begun_total, begun_peak_per_s, begun_peak_at_s;
    double difference_per_s, difference_at_s; /* measured - forecast, the largest either way */
    double in_time; /* of the begun ones: within the fuzz (and a second) of their T1 */
};
/*
 * Compares both up to `until_us`. `out_forecast` and `out_begun` get renewals per
 * second by bucket of `interval_us`, w->used of them at most; returns how many.
 */
size_t renewal_wave_compare(const struct renewal_wave *w, int64_t until_us,
                            double out_forecast[RENEWAL_WAVE_BUCKETS],
                            double out_begun[RENEWAL_WAVE_BUCKETS],
                            struct renewal_wave_figures *out);
void renewal_wave_fini(struct renewal_wave *w);
