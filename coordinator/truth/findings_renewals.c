/* SPDX-License-Identifier: MIT */
/* Renewals nobody answered in time, and what was still open when the run ended. */
#include <inttypes.h>
#include <string.h>

#include "coordinator/truth/findings.h"

/* One server's part of a list: "s2 198 (its last ACK at 21.3 s)". */
static void say_server(const struct truth *t, size_t server, uint64_t count, char *text,
                       size_t size)
{
    size_t at = strlen(text);
    findings_say(text + at, size - at, "%s%s %" PRIu64, at == 0 ? "" : ", ",
                 t->plan->servers[server].name, count);
    at = strlen(text);
    if (t->servers[server].last_ack_us == INT64_MIN) {
        findings_say(text + at, size - at, " (it sent no ACK at all)");
    } else {
        findings_say(text + at, size - at, " (its last ACK at %.1f s)",
                     (double)t->servers[server].last_ack_us / 1e6);
    }
}

static void rule_lost_renewals(const struct truth *t, struct result *out)
{
    enum { FEW = 10, PERCENT_FEW = 1 };
    uint64_t lost = out->renew_gave_up;
    uint64_t ended = lost + out->leases.renewed;
    if (lost == 0 || findings_get(out, "no-reply-path") != NULL) {
        return;
    }
    bool is_few = lost < FEW || lost * 100 < ended * PERCENT_FEW;
    struct result_finding *f =
        findings_add(out, "unanswered-renewals", is_few ? "info" : "warning", "unknown");
    if (f == NULL) {
        return;
    }
    char servers[2 * RESULT_TEXT_BYTES] = "";
    for (size_t i = 0; i < t->plan->server_count; i++) {
        if (t->servers[i].renew_gave_up > 0) {
            say_server(t, i, t->servers[i].renew_gave_up, servers, sizeof(servers));
        }
    }
    SUMMARY(f,
            "%" PRIu64 " renewals reached T2 without an answer, and their clients had to rebind: "
            "%.1f %% of all renewals",
            lost, 100 * (double)lost / (double)ended);
    EVIDENCE(f,
             "by the server asked: %s; %" PRIu64 " rebinds were acknowledged, %" PRIu64
             " leases ran out",
             servers[0] == '\0' ? "unknown" : servers, out->leases.rebound, out->leases.expired);
    REMEDY(f,
           "as it should be for a server that was down; otherwise look whether it was overloaded "
           "(ss -uampn, nstat UdpRcvbufErrors) and whether its ACKs find the way to the agents; "
           "problems.log has every client");
}

static void rule_retried_renewals(struct result *out)
{
    if (out->renew_retried == RESULT_UNKNOWN || out->renew_retried == 0) {
        return;
    }
    struct result_finding *f = findings_add(out, "retried-renewals", "info", "unknown");
    if (f != NULL) {
        SUMMARY(f, "%" PRIu64 " renewals were answered only after a retransmission",
                out->renew_retried);
        EVIDENCE(f, "of %" PRIu64 " renewals that were answered", out->leases.renewed);
        REMEDY(f, "harmless when few; otherwise compare with the servers' receive queues "
                  "(ss -uampn, nstat UdpRcvbufErrors)");
    }
}

static void rule_unanswered_at_end(const struct truth *t, struct result *out)
{
    enum { FEW = 10 };
    const struct truth_unanswered *u = &t->unanswered;
    if (!u->is_known || u->total == 0) {
        return;
    }
    struct result_finding *f =
        findings_add(out, "unanswered-at-end", u->total < FEW ? "info" : "warning", "unknown");
    if (f == NULL) {
        return;
    }
    char servers[2 * RESULT_TEXT_BYTES] = "";
    size_t most = 0;
    for (size_t i = 0; i < t->plan->server_count; i++) {
        if (u->by_server[i] > 0) {
            say_server(t, i, u->by_server[i], servers, sizeof(servers));
        }
        most = u->by_server[i] > u->by_server[most] ? i : most;
    }
    if (u->by_server[most] > 0) {
        SUMMARY(f,
                "%" PRIu64 " exchanges were still without an answer when the run ended, %" PRIu64
                " of them with leases of server %s",
                u->total, u->by_server[most], t->plan->servers[most].name);
        EVIDENCE(f, "by the leases that were longest without renewal: %s", servers);
    } else {
        SUMMARY(f, "%" PRIu64 " exchanges were still without an answer when the run ended",
                u->total);
        EVIDENCE(f, "their clients held no lease");
    }
    REMEDY(f, "see whether that server is alive and whether its ACKs find the way to the agents; "
              "the leases had not run out yet: a hold beyond T2 and expiry would show whether "
              "another server takes over");
}

void findings_of_renewals(const struct truth *t, struct result *out)
{
    rule_lost_renewals(t, out);
    rule_unanswered_at_end(t, out);
    rule_retried_renewals(out);
}
