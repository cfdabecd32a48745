/* SPDX-License-Identifier: MIT */
/* What the clients of a server went through when it did not answer, and what its partner gave them.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/truth/findings.h"

enum { FEW = 10 };

/* Waited past T2 and was not answered before the lease had ended. */
static uint64_t lost_waiting(const struct result_outage_half *h)
{
    uint64_t late = h->waited > h->in_time ? h->waited - h->in_time : 0;
    return late < h->group.expired ? late : h->group.expired;
}

/* "b: 2,490 renewals reached T2 unanswered, ..." */
static void say_half(const struct result_outage_half *h, char *text, size_t size)
{
    size_t at = strlen(text);
    findings_say(text + at, size - at,
                 "%s%s: %" PRIu64 " renewals reached T2 unanswered, %" PRIu64
                 " of the clients had an ACK before expiry, %" PRIu64 " never",
                 at == 0 ? "" : "; ", h->server, h->waited, h->in_time, h->unanswered);
    at = strlen(text);
    if (isfinite(h->first_answer_s)) {
        findings_say(text + at, size - at, "; first answer after %.1f s", h->first_answer_s);
        at = strlen(text);
    }
    if (isfinite(h->median_answer_s)) {
        findings_say(text + at, size - at, ", median %.1f s", h->median_answer_s);
    }
}

/* What `check` said of the time between T2 and expiry, and whether it came true. */
static bool say_prediction(const struct truth *t, char *text, size_t size)
{
    double detection_s = (double)t->scenario->detection_ns / 1e9;
    double window_s = (double)forecast_rebind_window_ns(t->scenario) / 1e9;
    bool is_given = detection_s > 0 && window_s > 0;
    bool is_predicted = is_given && window_s < detection_s;
    if (is_predicted) {
        findings_say(text, size,
                     "expect.detection is %.4g s, and from T2 to expiry there are only %.4g s",
                     detection_s, window_s);
    } else if (is_given) {
        findings_say(text, size,
                     "not predicted: expect.detection is %.4g s, and there are %.4g s from T2 to "
                     "expiry",
                     detection_s, window_s);
    } else {
        findings_say(text, size, "no prediction: expect.detection or expect.lease is not given");
    }
    return is_predicted;
}

static void rule_half_unanswered(const struct truth *t, struct result *out)
{
    enum { PERCENT_FEW = 1 };
    const struct result_outage_half *worst = NULL;
    char halves[2 * RESULT_TEXT_BYTES] = "", prediction[RESULT_TEXT_BYTES];
    uint64_t lost = 0, waited = 0;
    for (size_t i = 0; i < out->outage.half_count; i++) {
        const struct result_outage_half *h = &out->outage.halves[i];
        if (h->server[0] == '\0' || lost_waiting(h) == 0) {
            continue;
        }
        say_half(h, halves, sizeof(halves));
        lost += lost_waiting(h);
        waited += h->waited;
        worst = worst == NULL || lost_waiting(h) > lost_waiting(worst) ? h : worst;
    }
    /* Where the bed keeps answers back, silence proves nothing of the servers. */
    if (worst == NULL || findings_get(out, "no-reply-path") != NULL) {
        return;
    }
    bool is_few = lost < FEW && lost * 100 < waited * PERCENT_FEW;
    struct result_finding *f =
        findings_add(out, "half-unanswered", is_few ? "info" : "warning", "server");
    if (f == NULL) {
        return;
    }
    bool is_predicted = say_prediction(t, prediction, sizeof(prediction));
    SUMMARY(f,
            "%" PRIu64 " clients with leases of server %s lost them before any server answered%s",
            lost_waiting(worst), worst->server, is_predicted ? ", as predicted by check" : "");
    EVIDENCE(f, "%s; %s", prediction, halves);
    if (is_predicted) {
        REMEDY(f, "the compressed lease shows it, not necessarily production: compare with the "
                  "window at the production lease; to see a takeover in time, lengthen the lease "
                  "of the test or let the partner decide sooner (Kea: max-unacked-clients, "
                  "max-response-delay; dhcpd: max-response-delay, partner-down)");
    } else {
        REMEDY(f, "see in the partner's log when it noticed the loss and what state it took "
                  "(Kea: PARTNER-DOWN; dhcpd: communications-interrupted, partner-down), and "
                  "whether rebinds reach it through the relays");
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

static void rule_mclt_wave(struct result *out)
{
    const struct result_lease_times *l = &out->lease_times;
    const struct result_lease_wave *largest = NULL;
    for (size_t i = 0; i < l->wave_count; i++) {
        bool is_larger = largest == NULL || l->waves[i].acks > largest->acks;
        largest = is_larger && l->waves[i].acks >= FEW ? &l->waves[i] : largest;
    }
    /* Without expect.mclt the same ACKs are a lease time nobody expected, and told as such. */
    if (l->expect_mclt_s == 0 || l->expect_mclt_s >= l->expect_lease_s) {
        return;
    }
    if (largest == NULL && (l->wave_count > 0 || taken_over(out) < FEW)) {
        return;
    }
    struct result_finding *f =
        findings_add(out, largest == NULL ? "mclt-wave-missing" : "mclt-wave", "info", "server");
    if (f == NULL) {
        return;
    }
    if (largest == NULL) {
        SUMMARY(f,
                "another server took over %" PRIu64 " clients and gave them no lease shorter than "
                "%" PRIu32 " s, although expect.mclt is %" PRIu32 " s",
                taken_over(out), l->expect_lease_s, l->expect_mclt_s);
        EVIDENCE(f, "no ACK to a client that had a lease before was shorter than expected");
        REMEDY(f, "as it should be for Kea, which has no MCLT, and for a dhcpd in partner-down; "
                  "then leave expect.mclt out");
        return;
    }
    char lease[48];
    if (largest->shortest_s == largest->longest_s) {
        findings_say(lease, sizeof(lease), "%" PRIu32 " s", largest->shortest_s);
    } else {
        findings_say(lease, sizeof(lease), "%" PRIu32 " to %" PRIu32 " s", largest->shortest_s,
                     largest->longest_s);
    }
    SUMMARY(f,
            "%" PRIu64 " ACKs of server %s between %.1f s and %.1f s, to clients that had a lease "
            "before, carried %s instead of %" PRIu32 " s: the MCLT wave",
            largest->acks, largest->server[0] == '\0' ? "?" : largest->server, largest->first_s,
            largest->last_s, lease, l->expect_lease_s);
    EVIDENCE(f,
             "expect.mclt is %" PRIu32 " s; leases so short are renewed up to %.3g times as often; "
             "largest rate of renewals begun: %.1f/s at %.0f s",
             l->expect_mclt_s, (double)l->expect_lease_s / largest->shortest_s,
             out->renewals.begun_peak_per_s, out->renewals.begun_peak_at_s);
    REMEDY(f,
           "as it should be for a server that has lost its partner (and for leases begun anew): it "
           "must carry the additional renewals until it is told partner-down");
}

void findings_of_failover(const struct truth *t, struct result *out)
{
    rule_half_unanswered(t, out);
    rule_mclt_wave(out);
}
