/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/steady.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/truth/statistics.h"

enum { THIRDS = 3, RATE_PERCENT = 5, TREND_PERCENT = 10, TREND_US = 1000, CLIENTS_SLACK = 2 };

bool steady_init(struct steady *s, int64_t lease_us)
{
    *s = (struct steady){0};
    s->slots = calloc(STEADY_SLOTS, sizeof(*s->slots));
    if (s->slots == NULL) {
        return false;
    }
    s->slot_us = lease_us / STEADY_SLOTS_PER_LEASE > 0 ? lease_us / STEADY_SLOTS_PER_LEASE : 1;
    for (size_t i = 0; i < STEADY_SLOTS; i++) {
        s->slots[i].index = -1;
    }
    return true;
}

void steady_fini(struct steady *s)
{
    free(s->slots);
    *s = (struct steady){0};
}

void steady_renewal(struct steady *s, int64_t begun_us, uint64_t wait_us)
{
    if (s->slots == NULL || begun_us < 0) {
        return;
    }
    int64_t index = begun_us / s->slot_us;
    struct steady_slot *slot = &s->slots[index % STEADY_SLOTS];
    if (index < slot->index) {
        return; /* older than the ring remembers */
    }
    if (index > slot->index) {
        *slot = (struct steady_slot){.index = index};
    }
    slot->begun++;
    if (wait_us == UINT64_MAX) {
        slot->unanswered++;
    } else {
        histogram_record(&slot->answered, wait_us * NS_PER_US);
    }
}

/* What slots first..last-1 hold, added up. */
static struct steady_slot sum_of(const struct steady *s, int64_t first, int64_t last)
{
    struct steady_slot sum = {0};
    for (int64_t i = first < 0 ? 0 : first; i < last; i++) {
        const struct steady_slot *slot = &s->slots[i % STEADY_SLOTS];
        if (slot->index == i) {
            sum.begun += slot->begun;
            sum.unanswered += slot->unanswered;
            histogram_merge(&sum.answered, &slot->answered);
        }
    }
    return sum;
}

static bool PRINTF_LIKE(3, 4) say(char *why, bool answer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, STEADY_WHY_BYTES, format, args);
    va_end(args);
    return answer;
}

/* Whether the medians of two spans differ, and by more than matters. */
static bool has_moved(const struct steady_slot *before, const struct steady_slot *now, char *why)
{
    struct result_latency a, b;
    statistics_latency(&before->answered, before->unanswered, &a);
    statistics_latency(&now->answered, now->unanswered, &b);
    if (before->begun < statistics_samples_needed(50) ||
        now->begun < statistics_samples_needed(50)) {
        return false; /* too few for a median: as in a third where nobody's turn is */
    }
    double from = a.is_infinite[0] ? INFINITY : (double)a.percentile_us[0];
    double to = b.is_infinite[0] ? INFINITY : (double)b.percentile_us[0];
    double low_a = (double)a.low_us[0], high_a = (double)a.high_us[0]; /* unknown: largest */
    double low_b = (double)b.low_us[0], high_b = (double)b.high_us[0];
    bool do_meet = low_a <= high_b && low_b <= high_a;
    bool is_much = fabs(to - from) > fmax(from * TREND_PERCENT / 100, TREND_US);
    if (do_meet || !is_much) {
        return false;
    }
    return say(why, true, "p50(renew) went from %.3f ms to %.3f ms within one T1", from / 1e3,
               to / 1e3);
}

static double clump_of(const struct steady *s, int64_t first, int64_t last, uint64_t begun)
{
    uint64_t most = 0;
    for (int64_t i = first; i < last; i++) {
        const struct steady_slot *slot = &s->slots[i % STEADY_SLOTS];
        most = slot->index == i && slot->begun > most ? slot->begun : most;
    }
    return (double)most * (double)(last - first) / (double)begun;
}

bool steady_reached(const struct steady *s, const struct steady_question *q,
                    char why[STEADY_WHY_BYTES])
{
    if (s->slots == NULL || q->t1_us <= 0 || q->bound == 0) {
        return say(why, false, "no client holds a lease whose T1 is known");
    }
    int64_t span = (q->t1_us + s->slot_us / 2) / s->slot_us; /* slots of one T1 */
    int64_t last = (q->run_us - STEADY_SETTLE_US) / s->slot_us, first = last - span;
    double t1_s = (double)q->t1_us / 1e6;
    if (span < THIRDS || 2 * span > STEADY_SLOTS) {
        return say(why, false, "T1 of %.1f s is none of the leases the run began with", t1_s);
    }
    if (first * s->slot_us < q->since_us) {
        return say(why, false, "the stage has not lasted one T1 of %.1f s yet", t1_s);
    }
    struct steady_slot now = sum_of(s, first, last);
    double expected = (double)q->bound * (double)(span * s->slot_us) / (double)q->t1_us;
    double off = fabs((double)now.begun - expected);
    double span_s = (double)(span * s->slot_us) / 1e6;
    if (off > fmax(expected * RATE_PERCENT / 100, CLIENTS_SLACK)) {
        return say(why, false,
                   "%.1f renewals/s over the last T1, %.1f expected (N/T1 = %" PRIu64
                   " clients / %.1f s): %.1f %% off",
                   (double)now.begun / span_s, expected / span_s, q->bound, t1_s,
                   100 * off / expected);
    }
    for (int64_t i = 0; i < THIRDS; i++) {
        int64_t begin = i * span / THIRDS, end = (i + 1) * span / THIRDS;
        struct steady_slot before = sum_of(s, first - span + begin, first - span + end);
        struct steady_slot after = sum_of(s, first + begin, first + end);
        if (after.begun > 0 && before.begun * 2 < after.begun) {
            return say(why, false, "renewals have not gone on for two T1 of %.1f s yet", t1_s);
        }
        if (has_moved(&before, &after, why)) {
            return false;
        }
    }
    struct result_latency all;
    statistics_latency(&now.answered, now.unanswered, &all);
    if (all.is_infinite[0]) {
        return say(why, false, "more than half of the renewals of the last T1 had no answer");
    }
    char p50[48] = "too few renewals for a p50";
    if (all.percentile_us[0] != RESULT_UNKNOWN) {
        (void)snprintf(p50, sizeof(p50), "p50(renew) %.3f ms without a trend",
                       (double)all.percentile_us[0] / 1e3);
    }
    return say(why, true,
               "%.1f renewals/s (N/T1 = %.1f), %s; the busiest part of a T1 has %.1f times the "
               "mean",
               (double)now.begun / span_s, expected / span_s, p50,
               clump_of(s, first, last, now.begun));
}
