/* SPDX-License-Identifier: MIT */
/* The compression statement: DESIGN section 7a.6. */
#include "coordinator/plan/forecast.h"

#include "coordinator/plan/plan_text.h"

static void say_load(const struct scenario *s, struct plan_text *t)
{
    char lease[SPAN_TEXT_BYTES], t1[SPAN_TEXT_BYTES], production[SPAN_TEXT_BYTES];
    char clients[COUNT_TEXT_BYTES], equal[COUNT_TEXT_BYTES];
    double count = (double)scenario_client_count(s);
    double renewals_per_s = count / ((double)s->lease_ns / 2 / (double)NS_PER_S);

    (void)plan_span_text(s->lease_ns, lease);
    (void)plan_span_text(s->lease_ns / 2, t1);
    (void)plan_span_text(s->production_lease_ns, production);
    (void)plan_count_text(count, clients);
    plan_text_say(t, "In a hold, %s clients with leases of %s renew every %s: %.1f renewals/s.\n",
                  clients, lease, t1, renewals_per_s);
    if (s->production_lease_ns == 0) {
        plan_text_say(
            t, "What this equals in production cannot be said: expect.production_lease is not "
               "given.\n");
        return;
    }
    double factor = (double)s->production_lease_ns / (double)s->lease_ns;
    plan_text_say(
        t, "At the production lease of %s that is the load of %s clients (%.4g times as many).\n",
        production, plan_count_text(count * factor, equal), factor);
}

static void say_detection(const struct scenario *s, struct plan_text *t)
{
    char window[SPAN_TEXT_BYTES], detection[SPAN_TEXT_BYTES], production[SPAN_TEXT_BYTES];
    uint64_t window_ns = forecast_rebind_window_ns(s);
    (void)plan_span_text(window_ns, window);
    (void)plan_span_text(s->detection_ns, detection);
    (void)plan_span_text(s->production_lease_ns / 8, production);

    if (s->detection_ns == 0) {
        plan_text_say(
            t,
            "- failover detection: not given (expect.detection). If the pair takes longer than "
            "%s (from T2 to expiry) to notice a dead partner, leases expire before.",
            window);
    } else if (window_ns < s->detection_ns) {
        plan_text_say(
            t,
            "- failover detection: %s. WARNING: from T2 to expiry there are only %s, so leases "
            "of a dead server's clients expire before its partner takes over (Kea with "
            "max-unacked-clients above 0 waits for that many clients to retry).",
            detection, window);
    } else {
        plan_text_say(
            t,
            "- failover detection: %s, and %s from T2 to expiry: the partner can take over in "
            "time.",
            detection, window);
    }
    if (s->production_lease_ns > 0) {
        plan_text_say(t, " With the production lease that window is %s.", production);
    }
    plan_text_say(t, "\n");
}

static void say_mclt(const struct scenario *s, struct plan_text *t)
{
    char mclt[SPAN_TEXT_BYTES], lease[SPAN_TEXT_BYTES];
    (void)plan_span_text(s->mclt_ns, mclt);
    (void)plan_span_text(s->lease_ns, lease);
    if (s->mclt_ns == 0) {
        plan_text_say(
            t,
            "- MCLT: not given (expect.mclt). A pair that has lost its partner extends leases by "
            "no more than that.\n");
    } else if (s->lease_ns <= s->mclt_ns) {
        plan_text_say(
            t,
            "- MCLT: %s. WARNING: the lease of %s is not longer, so the shorter leases and the "
            "extra renewals after the loss of a partner do not show in this test.\n",
            mclt, lease);
    } else {
        plan_text_say(
            t,
            "- MCLT: %s. A pair that has lost its partner extends leases by no more than that.\n",
            mclt);
    }
}

void forecast_compression(const struct scenario *s, char *out, size_t size)
{
    struct plan_text t = plan_text_in(out, size);
    if (s->lease_ns == 0) {
        plan_text_say(
            &t, "The lease time of the test is not given (expect.lease): neither its renewals nor "
                "what they equal in production can be computed.\n");
        return;
    }
    say_load(s, &t);
    plan_text_say(&t, "What does not shrink with the lease:\n");
    say_detection(s, &t);
    say_mclt(s, &t);
    plan_text_say(
        &t,
        "- lease cache (dhcpd dhcp-cache-threshold, Kea cache-threshold and cache-max-age): who "
        "asks again early is answered without a write; renewals at T1 are written unless the "
        "threshold reaches 50 %%.\n");
    plan_text_say(
        &t,
        "- reclaim of expired leases: so many per second whatever the lease (Kea: 100 every 10 s "
        "by default, kept for an hour after).\n");
    plan_text_say(&t,
                  "- rewriting of the lease file (Kea's LFC, dhcpd: every hour by default): once "
                  "an hour whatever the lease, ");
    if (s->production_lease_ns > 0) {
        plan_text_say(&t, "so each time it finds %.4g times as many entries per client.\n",
                      (double)s->production_lease_ns / (double)s->lease_ns);
    } else {
        plan_text_say(&t, "so each time it finds more entries per client than in production.\n");
    }
}
