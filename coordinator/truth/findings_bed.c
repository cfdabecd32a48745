/* SPDX-License-Identifier: MIT */
/* What lies between tester and servers. */
#include <inttypes.h>

#include "coordinator/truth/findings.h"

static void rule_foreign_offer(const struct truth *t, struct result *out)
{
    uint64_t offers = merge_total(t->merge, COUNTER_foreign_offers);
    struct result_finding *f =
        offers == 0 ? NULL : findings_add(out, "foreign-offer", "warning", "bed");
    if (f != NULL) {
        SUMMARY(f, "addresses outside the test block, or from a server that is not in `servers`, "
                   "were offered; none was requested");
        EVIDENCE(f, "%" PRIu64 " foreign OFFERs", offers);
        REMEDY(f, "correct network.block and servers, or keep that pool away from the test "
                  "relays");
    }
}

/*
 * Someone rewrites the servers' source port: NAT with connection tracking. Ports
 * below 512 are searched in 1..511 only, so no more than 511 addresses (per
 * server and tracking timeout) can be answered; the next sendto() fails with
 * EPERM although the server has logged the ACK.
 */
static void rule_wrong_port(const struct truth *t, struct result *out)
{
    enum { NAT_CEILING = 511, NAT_CEILING_LEAST = 424 /* for ports 600..1023 */ };
    uint64_t packets = out->messages.is_known ? out->messages.wrong_source_port : 0;
    uint32_t preflight_packets = 0;
    for (size_t i = 0; i < t->preflight_count; i++) {
        for (uint32_t k = 0; k < t->preflight[i].path_count; k++) {
            preflight_packets += t->preflight[i].path[k].wrong_port;
        }
    }
    if (packets == 0 && preflight_packets == 0) {
        return;
    }
    /* Below the ceiling renewals may be lost for other reasons. */
    bool is_losing =
        t->evidence.renew_gave_up > 0 && packets > 0 && out->addresses.distinct > NAT_CEILING_LEAST;
    struct result_finding *f =
        findings_add(out, "wrong-source-port", is_losing ? "error" : "warning", "bed");
    if (f == NULL) {
        return;
    }
    SUMMARY(f,
            "servers' answers arrived from ports other than 67: NAT with connection tracking "
            "rewrites them, and can do so for at most %d addresses at a time",
            NAT_CEILING);
    EVIDENCE(f,
             "%" PRIu64 " packets in all, %" PRIu32 " in preflight; %" PRIu64
             " renewals reached T2 without an answer. Beyond %d addresses per server and conntrack "
             "timeout the server's send fails with EPERM, after it has logged the ACK",
             packets, preflight_packets, t->evidence.renew_gave_up, NAT_CEILING);
    REMEDY(f, "replace the DNAT rule on the servers by the stateless one of `leaseherd testbed` "
              "(client_path: egress), or let the agents use client_path: relayed; a "
              "nf_conntrack_udp_timeout of 1 s only raises the ceiling to 511 renewals/s/server");
}

static void rule_no_reply_path(const struct truth *t, struct result *out)
{
    enum { CERTAIN = 10 };
    uint64_t ignored = 0; /* a server that is down answers nobody: that is no missing path */
    for (size_t i = 0; i < t->plan->server_count; i++) {
        ignored += t->servers[i].renew_ignored;
    }
    if (out->leases.renewed > 0 || out->leases.rebound < CERTAIN || ignored < CERTAIN) {
        return;
    }
    struct result_finding *f = findings_add(out, "no-reply-path", "error", "bed");
    if (f != NULL) {
        SUMMARY(f, "no renewal was answered, but rebinding through the relay was: replies to the "
                   "clients' own addresses do not come back");
        EVIDENCE(f,
                 "%" PRIu64 " renewals reached T2, %" PRIu64
                 " of them while the server they asked acknowledged other requests; %" PRIu64
                 " rebinds were acknowledged",
                 t->evidence.renew_gave_up, ignored, out->leases.rebound);
        REMEDY(f, "bring replies for the block to the agents (`leaseherd testbed S.yaml show`), or "
                  "use client_path: relayed");
    }
}

static void rule_misrouted(const struct truth *t, struct result *out)
{
    (void)t;
    if (!out->messages.is_known) {
        return;
    }
    struct result_finding *f = NULL;
    if (out->messages.fate_misrouted > 0 &&
        (f = findings_add(out, "misrouted", "warning", "bed")) != NULL) {
        SUMMARY(f, "%" PRIu64 " answers arrived at an agent or relay that does not play the client",
                out->messages.fate_misrouted);
        REMEDY(f, "check the routes to the relays' addresses and the rules that rewrite replies");
    }
    if (out->messages.fate_alien > 0 && (f = findings_add(out, "alien", "info", "bed")) != NULL) {
        SUMMARY(f, "%" PRIu64 " packets were meant for clients that are not of this run",
                out->messages.fate_alien);
        REMEDY(f, "another run's late answers, or other clients behind the same relay address");
    }
}

static void rule_stage_timeout(const struct truth *t, struct result *out)
{
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        const struct result_stage *stage = &t->stages[i];
        struct result_finding *f =
            stage->timed_out ? findings_add(out, "stage-timeout", "warning", "unknown") : NULL;
        if (f != NULL) {
            SUMMARY(f, "stage %s was ended by its timeout, before all clients had finished",
                    stage->name);
            EVIDENCE(f, "%.1f s after its begin", stage->end_s - stage->begin_s);
            REMEDY(f, "give the stage a longer timeout, or find out why clients did not finish "
                      "(problems.log)");
        }
    }
}

void findings_of_bed(const struct truth *t, struct result *out)
{
    rule_foreign_offer(t, out);
    rule_wrong_port(t, out);
    rule_no_reply_path(t, out);
    rule_misrouted(t, out);
    rule_stage_timeout(t, out);
}
