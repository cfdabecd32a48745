/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/renewal_wave.h"

#include <math.h>
#include <stdlib.h>

enum { S_US = 1000000, FIRST_LEFT_BINS = RENEWAL_WAVE_LEFT / 2 };

/* --- buckets --- */

static void double_interval(struct renewal_wave *w)
{
    for (size_t i = 0; i < RENEWAL_WAVE_BUCKETS; i++) {
        bool is_kept = i < RENEWAL_WAVE_BUCKETS / 2;
        for (size_t r = 0; r < w->row_count; r++) {
            int32_t *n = w->row[r].starts;
            n[i] = is_kept ? n[2 * i] + n[2 * i + 1] : 0;
        }
        if (w->begun != NULL) {
            w->begun[i] = is_kept ? w->begun[2 * i] + w->begun[2 * i + 1] : 0;
        }
    }
    w->interval_us *= 2;
    w->used = (w->used + 1) / 2;
}

/* SIZE_MAX: before the start instant. */
static size_t bucket_of(struct renewal_wave *w, int64_t run_us)
{
    if (run_us < 0) {
        return SIZE_MAX;
    }
    w->interval_us = w->interval_us == 0 ? S_US : w->interval_us;
    while (run_us / w->interval_us >= RENEWAL_WAVE_BUCKETS) {
        double_interval(w);
    }
    size_t at = (size_t)(run_us / w->interval_us);
    w->used = at >= w->used ? at + 1 : w->used;
    return at;
}

/* --- rows --- */

/* Index of the row with the nearest lease time, by ratio; SIZE_MAX: there is none. */
static size_t row_near(const struct renewal_wave *w, uint32_t lease_s)
{
    size_t nearest = SIZE_MAX;
    double best = INFINITY;
    for (size_t i = 0; i < w->row_count; i++) {
        double off = fabs(log((double)lease_s / w->row[i].lease_s));
        if (off < best) {
            best = off;
            nearest = i;
        }
    }
    return nearest;
}

/* The row of this lease time, or the nearest when all are taken; NULL when out of memory. */
static struct renewal_wave_row *row_of(struct renewal_wave *w, uint32_t lease_s)
{
    size_t near = row_near(w, lease_s);
    bool is_full = w->row_count == RENEWAL_WAVE_LEASES;
    if (near != SIZE_MAX && (w->row[near].lease_s == lease_s || is_full)) {
        return &w->row[near];
    }
    struct renewal_wave_row *row = &w->row[w->row_count];
    row->starts = calloc(RENEWAL_WAVE_BUCKETS, sizeof(*row->starts));
    row->t1 = calloc(RENEWAL_WAVE_SHARES, sizeof(*row->t1));
    row->lease_s = lease_s;
    if (row->starts == NULL || row->t1 == NULL) {
        free(row->starts);
        free(row->t1);
        *row = (struct renewal_wave_row){0};
        w->is_out_of_memory = true;
        return NULL;
    }
    w->row_count++;
    return row;
}

void renewal_wave_lease(struct renewal_wave *w, uint32_t lease_s, int64_t start_us)
{
    if (lease_s == 0 || lease_s == UINT32_MAX) {
        return;
    }
    size_t at = bucket_of(w, start_us);
    struct renewal_wave_row *row = row_of(w, lease_s);
    if (row != NULL) {
        row->acks++;
    }
    if (row != NULL && at != SIZE_MAX) {
        row->starts[at]++;
    }
}

uint32_t renewal_wave_usual_lease_s(const struct renewal_wave *w)
{
    const struct renewal_wave_row *most = NULL;
    for (size_t i = 0; i < w->row_count; i++) {
        most = most == NULL || w->row[i].acks > most->acks ? &w->row[i] : most;
    }
    return most == NULL ? 0 : most->lease_s;
}

void renewal_wave_void(struct renewal_wave *w, uint32_t lease_s, int64_t until_us, int64_t run_us)
{
    lease_s = lease_s == 0 ? renewal_wave_usual_lease_s(w) : lease_s;
    size_t near = lease_s == 0 ? SIZE_MAX : row_near(w, lease_s);
    if (near == SIZE_MAX) {
        return;
    }
    bool is_learned;
    struct renewal_wave_row *row = &w->row[near];
    int64_t start_us = until_us - (int64_t)row->lease_s * S_US;
    if (start_us < 0 || start_us + renewal_wave_t1_us(w, row->lease_s, &is_learned) <= run_us) {
        return; /* begun already, or not on this axis */
    }
    row->starts[bucket_of(w, start_us)]--;
}

/* --- what was begun --- */

static void note_left(struct renewal_wave *w, int64_t left_us)
{
    if (w->left_bin_us == 0) {
        int64_t lease_us = (int64_t)renewal_wave_usual_lease_s(w) * S_US;
        w->left_bin_us = lease_us / FIRST_LEFT_BINS > 0 ? lease_us / FIRST_LEFT_BINS : 1;
    }
    while (left_us / w->left_bin_us >= RENEWAL_WAVE_LEFT) {
        for (size_t i = 0; i < RENEWAL_WAVE_LEFT; i++) {
            bool is_kept = i < RENEWAL_WAVE_LEFT / 2;
            w->left[i] = is_kept ? w->left[2 * i] + w->left[2 * i + 1] : 0;
        }
        w->left_bin_us *= 2;
    }
    w->left[left_us / w->left_bin_us]++;
}

/*
 * The first renewal of an address by its client: what the table holds spans one
 * lease, from its ACK to its end, which is its length less the wait for the ACK.
 */
static void learn_t1(struct renewal_wave *w, int64_t begun_us, const struct live_lease *held)
{
    enum { LATENCY_MAX_US = S_US, ROUNDING_US = 2000 };
    int64_t span_us = held->until_us - held->from_us;
    for (size_t i = 0; i < w->row_count; i++) {
        struct renewal_wave_row *row = &w->row[i];
        int64_t lease_us = (int64_t)row->lease_s * S_US;
        int64_t latency_us = lease_us - span_us;
        int64_t t1_us = begun_us - (held->until_us - lease_us);
        bool is_first = latency_us >= -ROUNDING_US && latency_us < LATENCY_MAX_US;
        if (is_first && t1_us >= 0 && t1_us < lease_us) {
            row->t1[t1_us * RENEWAL_WAVE_SHARES / lease_us]++;
            row->t1_count++;
            return;
        }
    }
}

void renewal_wave_begun(struct renewal_wave *w, int64_t begun_us, const struct live_lease *held)
{
    if (w->begun == NULL) {
        w->begun = calloc(RENEWAL_WAVE_BUCKETS, sizeof(*w->begun));
    }
    size_t at = bucket_of(w, begun_us);
    if (w->begun == NULL || at == SIZE_MAX) {
        w->is_out_of_memory = w->is_out_of_memory || w->begun == NULL;
        return;
    }
    w->begun[at]++;
    w->begun_total++;
    if (held != NULL && held->until_us > begun_us) {
        note_left(w, held->until_us - begun_us);
        learn_t1(w, begun_us, held);
    }
}

/* --- T1 --- */

int64_t renewal_wave_t1_us(const struct renewal_wave *w, uint32_t lease_s, bool *out_is_learned)
{
    enum { SAMPLES_MIN = 20 };
    int64_t lease_us = (int64_t)lease_s * S_US;
    size_t near = lease_s == 0 ? SIZE_MAX : row_near(w, lease_s);
    *out_is_learned =
        near != SIZE_MAX && w->row[near].lease_s == lease_s && w->row[near].t1_count >= SAMPLES_MIN;
    if (!*out_is_learned) {
        return lease_us / 2;
    }
    const struct renewal_wave_row *row = &w->row[near];
    uint64_t sum = 0;
    size_t at = 0;
    while (at < RENEWAL_WAVE_SHARES && (sum += row->t1[at]) * 2 < row->t1_count) {
        at++;
    }
    double share = ((double)at + 0.5) / RENEWAL_WAVE_SHARES;
    /* The clients with the shortest T1 are seen first: a half run looks like a shorter T1. */
    if (fabs(share - 0.5) <= 0.5 * (w->fuzz + 0.01)) {
        return lease_us / 2;
    }
    /* Option 58 has whole seconds. */
    int64_t t1_us = (int64_t)llround(share * (double)lease_s) * S_US;
    return t1_us > 0 && t1_us < lease_us ? t1_us : lease_us / 2;
}

/* --- comparison --- */

/*
 * `slope` holds, at each bucket, by how much its content differs from the one
 * before: an even rise and fall are two entries each, whatever lies between.
 */
static void add_edge(double *slope, size_t count, double at, double height)
{
    if (at >= (double)count) {
        return;
    }
    size_t bucket = at < 0 ? 0 : (size_t)at;
    double inside = at < 0 ? 1 : 1 - (at - (double)bucket);
    slope[bucket] += height * inside;
    slope[bucket + 1] += height * (1 - inside);
}

/*
 * Leases that started anywhere in a bucket renew anywhere in as wide a span T1
 * later, and the fuzz widens it to both sides; drawn as a box, whose edges are in
 * truth up to one bucket softer.
 */
static void forecast_row(const struct renewal_wave *w, const struct renewal_wave_row *row,
                         size_t count, double *slope)
{
    bool is_learned;
    double interval_us = (double)w->interval_us;
    double t1 = (double)renewal_wave_t1_us(w, row->lease_s, &is_learned) / interval_us;
    double reach = t1 * w->fuzz;
    for (size_t i = 0; i < w->used; i++) {
        double height = row->starts[i] / (1 + 2 * reach);
        if (row->starts[i] > 0) {
            add_edge(slope, count, (double)i + t1 - reach, height);
            add_edge(slope, count, (double)i + 1 + t1 + reach, -height);
        }
    }
}

static double begun_in_time(const struct renewal_wave *w)
{
    double sum = 0;
    for (size_t i = 0; i < RENEWAL_WAVE_LEFT && w->left_bin_us > 0; i++) {
        double left_us = ((double)i + 0.5) * (double)w->left_bin_us;
        bool is_in_time = false;
        for (size_t r = 0; w->left[i] > 0 && r < w->row_count && !is_in_time; r++) {
            bool is_learned;
            double lease_us = (double)w->row[r].lease_s * S_US;
            double t1_us = (double)renewal_wave_t1_us(w, w->row[r].lease_s, &is_learned);
            double reach_us = t1_us * w->fuzz + S_US + (double)w->left_bin_us;
            is_in_time = fabs(lease_us - t1_us - left_us) <= reach_us;
        }
        sum += is_in_time ? w->left[i] : 0;
    }
    return sum;
}

size_t renewal_wave_compare(const struct renewal_wave *w, int64_t until_us,
                            double out_forecast[RENEWAL_WAVE_BUCKETS],
                            double out_begun[RENEWAL_WAVE_BUCKETS],
                            struct renewal_wave_figures *out)
{
    *out = (struct renewal_wave_figures){0};
    if (w->interval_us == 0 || until_us < w->interval_us) {
        return 0;
    }
    double slope[RENEWAL_WAVE_BUCKETS + 1] = {0};
    size_t count = (size_t)(until_us / w->interval_us); /* whole buckets only */
    count = count < RENEWAL_WAVE_BUCKETS ? count : RENEWAL_WAVE_BUCKETS;
    for (size_t r = 0; r < w->row_count; r++) {
        forecast_row(w, &w->row[r], count, slope);
    }
    double content = 0, per_s = 1e6 / (double)w->interval_us;
    for (size_t i = 0; i < count; i++) {
        content += slope[i];
        double at_s = (double)i / per_s;
        out_forecast[i] = content < 1e-9 ? 0 : content * per_s; /* what rounding leaves */
        out_begun[i] = w->begun == NULL ? 0 : w->begun[i] * per_s;
        out->forecast_total += out_forecast[i] / per_s;
        out->begun_total += out_begun[i] / per_s;
        if (out_forecast[i] > out->forecast_peak_per_s) {
            out->forecast_peak_per_s = out_forecast[i];
            out->forecast_peak_at_s = at_s;
        }
        if (out_begun[i] > out->begun_peak_per_s) {
            out->begun_peak_per_s = out_begun[i];
            out->begun_peak_at_s = at_s;
        }
        if (fabs(out_begun[i] - out_forecast[i]) > fabs(out->difference_per_s)) {
            out->difference_per_s = out_begun[i] - out_forecast[i];
            out->difference_at_s = at_s;
        }
    }
    out->in_time = begun_in_time(w);
    return count;
}

void renewal_wave_fini(struct renewal_wave *w)
{
    for (size_t i = 0; i < w->row_count; i++) {
        free(w->row[i].starts);
        free(w->row[i].t1);
    }
    free(w->begun);
    *w = (struct renewal_wave){0};
}
