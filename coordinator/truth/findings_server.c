/* SPDX-License-Identifier: MIT */
/* What the servers did wrong, or at least did. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "coordinator/truth/findings.h"

static void remove_finding(struct result *out, const char *id)
{
    for (size_t i = 0; i < out->finding_count; i++) {
        if (strcmp(out->findings[i].id, id) == 0) {
            memmove(&out->findings[i], &out->findings[i + 1],
                    (out->finding_count - i - 1) * sizeof(out->findings[i]));
            out->finding_count--;
            return;
        }
    }
}

static void rule_duplicates(const struct truth *t, struct result *out)
{
    struct live_figures figures = live_addresses_figures(t->live);
    if (figures.duplicates > 0) {
        struct result_finding *f = findings_add(out, "duplicate-address", "error", "server");
        if (f != NULL && figures.example_count > 0) {
            const struct live_duplicate *d = &figures.examples[0];
            char address[IPV4_TEXT_BYTES];
            SUMMARY(f, "%" PRIu64 " addresses were leased to two clients at the same time",
                    figures.duplicates);
            EVIDENCE(f,
                     "for example %s: client %" PRIu32 " still held it when client %" PRIu32
                     " got it at %.3f s (overlap %.3f s, clock uncertainty taken off)",
                     inet_text(d->address, address), d->first_client, d->second_client,
                     (double)d->at_us / 1e6, (double)d->overlap_us / 1e6);
            REMEDY(f, "compare the servers' lease files for that address; in a failover pair look "
                      "for a partner-down state on both sides or a clock difference");
        }
    }
    if (figures.undecided > 0) {
        struct result_finding *f = findings_add(out, "overlaps-undecided", "info", "unknown");
        if (f != NULL) {
            SUMMARY(f, "%" PRIu64 " overlaps of address leases could not be decided",
                    figures.undecided);
            EVIDENCE(f, "the earlier holder's agent was lost, or the client had moved to another "
                        "address");
            REMEDY(f, "repeat the run without losing an agent to be sure");
        }
    }
}

static void rule_naks(const struct truth *t, struct result *out)
{
    enum { CERTAIN = 10 };
    const struct truth_evidence *v = &t->evidence;
    uint64_t kept = out->leases.renewed + out->leases.rebound;
    bool is_held = v->held_naks >= CERTAIN || v->held_naks * 100 > kept + v->held_naks;
    bool is_acquire = v->acquire_naks >= 3 && v->acquire_naks * 10 >= v->acquire_acks;
    if (v->held_naks == 0 && v->acquire_naks == 0) {
        return;
    }
    struct result_finding *f =
        findings_add(out, "server-naks",
                     (v->held_naks > 0 && is_held) || is_acquire ? "error" : "warning", "server");
    if (f == NULL) {
        return;
    }
    if (v->held_naks > 0) {
        SUMMARY(f, "servers refused clients the leases they held: %" PRIu64 " NAKs", v->held_naks);
    } else {
        SUMMARY(f, "servers answered REQUEST with NAK after having offered: %" PRIu64 " times",
                v->acquire_naks);
    }
    EVIDENCE(f,
             "%" PRIu64 " NAKs in renewing, rebinding or rebooting, %" PRIu64
             " in acquiring; %" PRIu64 " renewals and rebinds were acknowledged",
             v->held_naks, v->acquire_naks, kept);
    REMEDY(f, "look for the NAKs in the servers' logs (problems.log has MAC, xid and time): a "
              "changed pool, a lost lease file, or partners that do not agree");
}

/*
 * DISCOVERs go unanswered although the servers have answered others, and nobody
 * who came later got an address. A dead server looks alike, but answers nobody
 * any more and leaves REQUESTs and renewals unanswered too.
 */
static bool is_pool_exhausted(const struct truth *t, const struct result *out)
{
    enum { STARVED_MIN = 3, RACE_US = 1000000 };
    const struct truth_evidence *v = &t->evidence;
    uint64_t empty_handed = v->starved - v->starved_overtaken;
    if (empty_handed < STARVED_MIN || v->acquire_acks == 0 || empty_handed * 10 < v->starved * 9) {
        return false;
    }
    uint64_t lost = v->gave_up_with_offer + v->renew_gave_up + v->rebind_gave_up;
    return v->last_answer_us > v->first_starved_begin_us + RACE_US ||
           (lost == 0 && out->leases.expired == 0);
}

static void rule_pool(const struct truth *t, struct result *out)
{
    const struct truth_evidence *v = &t->evidence;
    if (!is_pool_exhausted(t, out)) {
        return;
    }
    /* The run stopped on silence; who was silent is known better now. */
    remove_finding(out, "server-silent");
    struct result_finding *f = findings_add(out, "pool-exhausted", "error", "server");
    if (f == NULL) {
        return;
    }
    SUMMARY(f,
            "no free addresses: %" PRIu64
            " attempts got no OFFER at all after the servers had answered others",
            v->starved);
    EVIDENCE(f,
             "%" PRIu64 " distinct addresses were leased, %" PRIu64
             " clients got their first lease; %" PRIu64 " REQUESTs after an OFFER and %" PRIu64
             " renewals stayed unanswered",
             out->addresses.distinct, out->leases.acquired, v->gave_up_with_offer,
             v->renew_gave_up);
    REMEDY(f, "give the servers at least as many free addresses as there are clients (in failover "
              "each server owns only its share of the free ones), or use fewer clients");
}

static void rule_share(const struct truth *t, struct result *out)
{
    enum { ACKS_MIN = 1000, PERCENT_MIN = 20 };
    uint64_t total = 0;
    for (size_t i = 0; i < out->server_count; i++) {
        total += t->servers[i].acks;
    }
    for (size_t i = 0; i < out->server_count && out->server_count > 1; i++) {
        if (total < ACKS_MIN || t->servers[i].acks * 100 >= total * PERCENT_MIN) {
            continue;
        }
        struct result_finding *f = findings_add(out, "server-share", "info", "server");
        if (f != NULL) {
            SUMMARY(f, "server %s answered only %.1f %% of the exchanges", out->servers[i].name,
                    out->servers[i].share_percent);
            EVIDENCE(f, "%" PRIu64 " of %" PRIu64 " answered ACKs", t->servers[i].acks, total);
            REMEDY(f, "as it should be for a hot standby or after a failure; otherwise look at the "
                      "load balancing between the servers");
        }
    }
}

/* The start of the ramp, when the whole window opens at once. */
static void rule_first_burst(const struct truth *t, struct result *out)
{
    struct ramp_burst burst;
    bool is_any = truth_burst(t, &burst) && burst.repeated > 0;
    struct result_finding *f =
        is_any ? findings_add(out, "first-burst-loss", "info", "server") : NULL;
    if (f == NULL) {
        return;
    }
    SUMMARY(
        f, "the first burst overflowed an input queue: %" PRIu64 " clients had to repeat a message",
        burst.repeated);
    char later[96] = "";
    if (burst.later > 0) {
        findings_say(later, sizeof(later), "; of %" PRIu64 " later ones %" PRIu64, burst.later,
                     burst.later_repeated);
    }
    EVIDENCE(f,
             "%" PRIu64 " of the %" PRIu64
             " clients that began in the first two seconds after the canaries (from %.1f s on)%s",
             burst.repeated, burst.begun, (double)burst.begin_us / 1e6, later);
    REMEDY(f, "a real morning peak does the same: enlarge the server's input queue (dhcpd: "
              "net.core.rmem_default, 208 KiB as delivered; Kea: packet-queue-size), or, to spare "
              "the server in the test, use a smaller batch or a rate");
}

static void rule_lease_time(const struct truth *t, struct result *out)
{
    const struct truth_evidence *v = &t->evidence;
    struct result_finding *f =
        v->off_lease == 0 ? NULL : findings_add(out, "lease-time", "warning", "server");
    if (f == NULL) {
        return;
    }
    char times[2 * RESULT_TEXT_BYTES] = "";
    uint64_t listed = 0;
    for (size_t i = 0; i < TRUTH_LEASE_TIMES && v->off_times[i].acks > 0; i++) {
        size_t at = strlen(times);
        findings_say(times + at, sizeof(times) - at, "%s%" PRIu32 " s at %" PRIu64 " ACKs",
                     i == 0 ? "" : ", ", v->off_times[i].lease_s, v->off_times[i].acks);
        listed += v->off_times[i].acks;
    }
    if (listed < v->off_lease) {
        size_t at = strlen(times);
        findings_say(times + at, sizeof(times) - at, ", other times at %" PRIu64 " ACKs",
                     v->off_lease - listed);
    }
    SUMMARY(f, "%" PRIu64 " ACKs carried a lease time other than the expected", v->off_lease);
    if (t->plan->expect_mclt_s > 0) {
        EVIDENCE(f, "%s; expected %" PRIu32 " s, or down to the MCLT of %" PRIu32 " s", times,
                 t->plan->expect_lease_s, t->plan->expect_mclt_s);
    } else {
        EVIDENCE(f, "%s; expected %" PRIu32 " s", times, t->plan->expect_lease_s);
    }
    REMEDY(f, "set expect: {lease: ..., mclt: ...} to what the servers are configured for; servers "
              "in failover grant the MCLT first");
}

static void rule_conformance(const struct truth *t, struct result *out)
{
    (void)t;
    struct result_finding *f = NULL;
    if (out->addresses.outside_subnet > 0 &&
        (f = findings_add(out, "address-outside-subnet", "error", "server")) != NULL) {
        SUMMARY(f, "%" PRIu64 " ACKs named an address outside the relay's subnet",
                out->addresses.outside_subnet);
        REMEDY(f, "check the servers' subnet for that giaddr, and the relay's subnet in the "
                  "scenario");
    }
    if (out->addresses.changed_on_renew > 0 &&
        (f = findings_add(out, "address-changed", "warning", "server")) != NULL) {
        SUMMARY(f, "%" PRIu64 " renewals were acknowledged with another address",
                out->addresses.changed_on_renew);
        REMEDY(f, "a server must extend the lease it gave or refuse; look at its log");
    }
    if (out->messages.is_known && out->messages.received_malformed > 0 &&
        (f = findings_add(out, "malformed", "warning", "server")) != NULL) {
        SUMMARY(f, "%" PRIu64 " packets were no DHCP messages a client could accept",
                out->messages.received_malformed);
        REMEDY(f, "capture port 67 at the agents and look at them");
    }
}

void findings_of_servers(const struct truth *t, struct result *out)
{
    rule_duplicates(t, out);
    rule_naks(t, out);
    rule_pool(t, out);
    rule_conformance(t, out);
    rule_lease_time(t, out);
    rule_share(t, out);
    rule_first_burst(t, out);
}
