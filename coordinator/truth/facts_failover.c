/* SPDX-License-Identifier: MIT */
/* Facts of a pair: what became of the clients of a server that did not answer. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/truth/facts.h"
#include "coordinator/truth/truth_state.h"

enum { FEW = 10 };

/* Waited past T2 and was not answered before the lease had ended. */
static uint64_t lost_waiting(const struct result_outage_half *h)
{
    uint64_t late = h->waited > h->in_time ? h->waited - h->in_time : 0;
    return late < h->group.expired ? late : h->group.expired;
}

/* "b: 2490 renewals reached T2 unanswered, ..." */
static void say_half(const struct result_outage_half *h, size_t server, struct facts *f)
{
    char first[64] = "", median[64] = "";
    if (isfinite(h->first_answer_s)) {
        (void)snprintf(first, sizeof(first), "; first answer after %.1f s", h->first_answer_s);
    }
    if (isfinite(h->median_answer_s)) {
        (void)snprintf(median, sizeof(median), ", median %.1f s", h->median_answer_s);
    }
    facts_say_of(f, server, WORD_half_words,
                 "%s: %" PRIu64 " renewals reached T2 unanswered, %" PRIu64
                 " of the clients had an ACK before expiry, %" PRIu64 " never%s%s",
                 h->server, h->waited, h->in_time, h->unanswered, first, median);
}

static void tell_halves(const struct result *r, struct facts *f)
{
    for (size_t i = 0; i < r->outage.half_count; i++) {
        const struct result_outage_half *h = &r->outage.halves[i];
        for (size_t k = 0; k < f->server_count; k++) {
            if (strcmp(h->server, f->server[k].name) != 0) {
                continue;
            }
            facts_count_of(f, k, FACT_half_waited, h->waited);
            facts_count_of(f, k, FACT_half_lost, lost_waiting(h));
            if (lost_waiting(h) > 0) {
                say_half(h, k, f);
            }
        }
    }
}

/* What `check` said of the time between T2 and expiry, and whether it came true. */
static void tell_prediction(const struct truth *t, struct facts *f)
{
    double detection_s = (double)t->scenario->detection_ns / 1e9;
    double window_s = (double)forecast_rebind_window_ns(t->scenario) / 1e9;
    bool is_given = detection_s > 0 && window_s > 0;
    bool is_predicted = is_given && window_s < detection_s;
    facts_count(f, FACT_detection_predicted, is_predicted);
    if (is_predicted) {
        facts_say(f, WORD_prediction,
                  "expect.detection is %.4g s, and from T2 to expiry there are only %.4g s",
                  detection_s, window_s);
    } else if (is_given) {
        facts_say(f, WORD_prediction,
                  "not predicted: expect.detection is %.4g s, and there are %.4g s from T2 to "
                  "expiry",
                  detection_s, window_s);
    } else {
        facts_say(f, WORD_prediction,
                  "no prediction: expect.detection or expect.lease is not given");
    }
}

/* ACKs another server gave to clients that had waited for their own. */
static uint64_t taken_over(const struct result *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->outage.half_count; i++) {
        const struct result_outage_half *h = &r->outage.halves[i];
        for (size_t k = 0; k < r->server_count; k++) {
            bool is_other = strcmp(r->servers[k].name, h->server) != 0;
            sum += is_other && h->server[0] != '\0' ? h->answered_by[k] : 0;
        }
    }
    return sum;
}

static void tell_wave(const struct result *r, struct facts *f)
{
    const struct result_lease_times *l = &r->lease_times;
    const struct result_lease_wave *largest = NULL;
    for (size_t i = 0; i < l->wave_count; i++) {
        bool is_larger = largest == NULL || l->waves[i].acks > largest->acks;
        largest = is_larger && l->waves[i].acks >= FEW ? &l->waves[i] : largest;
    }
    facts_count(f, FACT_waves, l->wave_count);
    facts_count(f, FACT_taken_over, taken_over(r));
    facts_set(f, FACT_renewals_peak, r->renewals.is_known ? r->renewals.begun_peak_per_s : NAN);
    facts_set(f, FACT_renewals_peak_at, r->renewals.is_known ? r->renewals.begun_peak_at_s : NAN);
    if (largest == NULL) {
        return;
    }
    facts_count(f, FACT_wave_acks, largest->acks);
    facts_set(f, FACT_wave_first, largest->first_s);
    facts_set(f, FACT_wave_last, largest->last_s);
    facts_set(f, FACT_wave_shortest, largest->shortest_s);
    facts_set(f, FACT_wave_times, (double)l->expect_lease_s / largest->shortest_s);
    facts_say(f, WORD_wave_server, "%s", largest->server[0] == '\0' ? "?" : largest->server);
    if (largest->shortest_s == largest->longest_s) {
        facts_say(f, WORD_wave_leases, "%" PRIu32 " s", largest->shortest_s);
    } else {
        facts_say(f, WORD_wave_leases, "%" PRIu32 " to %" PRIu32 " s", largest->shortest_s,
                  largest->longest_s);
    }
}

void facts_gather_failover(const struct truth *t, const struct result *r, struct facts *out)
{
    tell_halves(r, out);
    tell_prediction(t, out);
    tell_wave(r, out);
}
