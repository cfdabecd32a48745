/* SPDX-License-Identifier: MIT */
/* The checks of what the first clients met, see preflight_checks.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/run/preflight_checks.h"

static const char *relay_name(const struct preflight_bed *bed, size_t report)
{
    return bed->plan->relays[bed->reports[report].relay].name;
}

/* --- answers, client path --- */

/* What refuses has a finding of its own, finer than the check. */
static void say_refused(const struct preflight_verdict *v, enum preflight_check_id id,
                        const char *where, struct preflight_checks *out)
{
    struct preflight_check *check =
        preflight_say(out, id, CHECK_FAILED, where, v->remedy, "%s", v->reason);
    if (check != NULL) {
        check->finding = v->finding;
    }
}

static void check_answers(const struct preflight_bed *bed, struct preflight_checks *out)
{
    for (size_t i = 0; i < bed->report_count; i++) {
        struct preflight_verdict v = {0};
        if (!preflight_relay_acquires(bed->plan, bed->reports, bed->report_count, i, bed->received,
                                      &v)) {
            say_refused(&v, CHECK_ANSWERS, relay_name(bed, i), out);
        }
    }
    if (preflight_is_silent(out, CHECK_ANSWERS)) {
        preflight_say(out, CHECK_ANSWERS, CHECK_PASSED, "", "",
                      "the first clients of every relay got their leases");
    }
}

static void check_client_path(const struct preflight_verdict *v, struct preflight_checks *out)
{
    if (v->result == PREFLIGHT_PASSED) {
        preflight_say(out, CHECK_CLIENT_PATH, CHECK_PASSED, "", "",
                      "renewals are answered by client_path %s", plan_path_name(v->path));
    } else if (v->is_of_path) {
        say_refused(v, CHECK_CLIENT_PATH, "", out);
    } else {
        preflight_say(out, CHECK_CLIENT_PATH, CHECK_NOT_KNOWN, "", "",
                      "not tried: not all of the first clients got their leases");
    }
}

/* --- which way a server's ACKs take --- */

struct way_sum {
    uint64_t sent, acked, low, other;
};

static struct way_sum sum_way(const struct preflight_bed *bed, uint32_t server, uint32_t path)
{
    struct way_sum sum = {0};
    for (size_t i = 0; i < bed->report_count; i++) {
        for (uint32_t k = 0; k < bed->reports[i].way_count; k++) {
            const struct control_preflight_way *w = &bed->reports[i].way[k];
            if (w->server == server && w->path == path) {
                sum.sent += w->sent;
                sum.acked += w->acked;
                sum.low += w->low_ports;
                sum.other += w->other_ports;
            }
        }
    }
    return sum;
}

/* What ACKs to the agents' own address tell: testbed rules, by their source ports. */
static void name_rewritten(const char *name, const struct way_sum *w, struct preflight_checks *out)
{
    static const char remedy[] =
        "replace the DNAT rule by the stateless one of `leaseherd testbed` (client_path: egress), "
        "or "
        "use client_path: relayed; at most 511 addresses per server and conntrack timeout are "
        "answered as it is";
    uint64_t kept = w->acked - w->low - w->other;
    if (w->low > 0 && kept == 0) {
        preflight_say(out, CHECK_SERVER_PATH, CHECK_WARNED, name, remedy,
                      "%s: DNAT with connection tracking: all %" PRIu64
                      " ACKs came from ports below 512 instead of 67",
                      name, w->acked);
    } else if (w->low > 0) {
        preflight_say(out, CHECK_SERVER_PATH, CHECK_WARNED, name, remedy,
                      "%s: DNAT with NOTRACK in PREROUTING: %" PRIu64 " of %" PRIu64
                      " ACKs came from ports below 512, the others from 67",
                      name, w->low, w->acked);
    } else if (w->other > 0) {
        preflight_say(out, CHECK_SERVER_PATH, CHECK_WARNED, name, remedy,
                      "%s: something rewrites source ports: %" PRIu64 " of %" PRIu64
                      " ACKs came from ports of 512 and above",
                      name, w->other, w->acked);
    } else if (w->acked == 1) {
        preflight_say(out, CHECK_SERVER_PATH, CHECK_PASSED, name, "",
                      "%s: egress, port 67 kept; with a single client of this server it could "
                      "also be the first one of a DNAT with NOTRACK",
                      name);
    } else {
        preflight_say(out, CHECK_SERVER_PATH, CHECK_PASSED, name, "",
                      "%s: egress: ACKs are turned to the agents, port 67 kept", name);
    }
}

static void check_server_path(const struct preflight_bed *bed, struct preflight_checks *out)
{
    for (uint32_t i = 0; i < bed->plan->server_count; i++) {
        const char *name = bed->plan->servers[i].name;
        struct way_sum routed = sum_way(bed, i, PLAN_PATH_ROUTED);
        struct way_sum egress = sum_way(bed, i, PLAN_PATH_EGRESS);
        if (routed.sent > 0 && routed.acked == routed.sent) {
            preflight_say(out, CHECK_SERVER_PATH, CHECK_PASSED, name, "",
                          "%s: routed: ACKs come to the leased addresses themselves", name);
        } else if (egress.acked > 0) {
            name_rewritten(name, &egress, out);
        } else if (egress.sent + routed.sent > 0) {
            preflight_say(out, CHECK_SERVER_PATH, CHECK_PASSED, name, "",
                          "%s: none: no ACK of a renewal that a client sends itself comes back "
                          "(no route to the block, no rule, or a NAT rule that is never asked)",
                          name);
        } else {
            preflight_say(out, CHECK_SERVER_PATH, CHECK_NOT_KNOWN, name, "",
                          "%s: not tried: it leased to none of the first clients, or the path is "
                          "relayed",
                          name);
        }
    }
}

/* --- pool, lease time, subnet --- */

static void check_pool(const struct preflight_bed *bed, struct preflight_checks *out)
{
    uint64_t pool = bed->scenario->pool_addresses, clients = bed->plan->client_count;
    if (pool == 0) {
        preflight_say(out, CHECK_POOL_SIZE, CHECK_NOT_KNOWN, "", "",
                      "servers do not tell how large their pools are; say it with `expect: {pool: "
                      "N}`");
    } else if (clients > pool) {
        preflight_say(
            out, CHECK_POOL_SIZE, CHECK_FAILED, "", "enlarge the pool, or play fewer clients",
            "the plan has %" PRIu64 " clients and the pool %" PRIu64 " addresses", clients, pool);
    } else if (bed->plan->server_count > 1 && clients > pool / 2) {
        preflight_say(
            out, CHECK_POOL_SIZE, CHECK_WARNED, "",
            "give the pool twice as many addresses as there are clients",
            "the plan has %" PRIu64 " clients and the pool %" PRIu64
            " addresses: of a failover pair each peer hands out only its half of them, so "
            "that one alone runs out",
            clients, pool);
    } else {
        preflight_say(out, CHECK_POOL_SIZE, CHECK_PASSED, "", "",
                      "%" PRIu64 " clients, %" PRIu64 " addresses", clients, pool);
    }
}

/*
 * An ACK between mclt and lease passes. A server may grant what is left of a lease it gave shortly
 * before: three quarters at least.
 */
static bool lease_is_wrong(const struct plan *plan, const struct control_preflight_relay *r)
{
    uint32_t mclt_s = plan->expect_mclt_s, lease_s = plan->expect_lease_s;
    uint64_t least_s = mclt_s > 0 && mclt_s < lease_s ? mclt_s : lease_s;
    return r->lease_most_s > (uint64_t)lease_s + 1 || r->lease_least_s * UINT64_C(4) < least_s * 3;
}

static void say_lease_is_wrong(const struct plan *plan, const struct control_preflight_relay *r,
                               struct preflight_checks *out)
{
    const char *name = plan->relays[r->relay].name;
    char span[32];
    (void)snprintf(span, sizeof(span), "%" PRIu32 " to %" PRIu32, r->lease_least_s,
                   r->lease_most_s);
    if (r->lease_least_s == r->lease_most_s) {
        (void)snprintf(span, sizeof(span), "%" PRIu32, r->lease_least_s);
    }
    preflight_say(
        out, CHECK_LEASE_TIME, CHECK_FAILED, name,
        "set expect.lease (and expect.mclt of a failover pair) to what the servers grant, "
        "or the servers to it",
        "relay %s: leases of %s s are granted, the scenario expects %" PRIu32 " s", name, span,
        plan->expect_lease_s);
}

static void check_timers(const char *name, const struct control_preflight_relay *r,
                         struct preflight_checks *out)
{
    bool is_odd =
        (r->t1_s > 0 && r->t2_s > 0 && r->t1_s >= r->t2_s) ||
        (r->lease_most_s > 0 && (r->t1_s >= r->lease_most_s || r->t2_s >= r->lease_most_s));
    if (is_odd) {
        preflight_say(out, CHECK_LEASE_TIME, CHECK_WARNED, name,
                      "give the servers T1 < T2 < lease time, or none of the two",
                      "relay %s: a lease of %" PRIu32 " s comes with T1 %" PRIu32
                      " s and T2 %" PRIu32 " s: clients cannot renew, then rebind, in time",
                      name, r->lease_most_s, r->t1_s, r->t2_s);
    }
}

static void check_lease_time(const struct preflight_bed *bed, struct preflight_checks *out)
{
    uint32_t expect_s = bed->plan->expect_lease_s, seen_s = 0;
    for (size_t i = 0; i < bed->report_count; i++) {
        const struct control_preflight_relay *r = &bed->reports[i];
        seen_s = r->lease_most_s > 0 ? r->lease_most_s : seen_s;
        if (r->lease_most_s > 0 && expect_s > 0 && lease_is_wrong(bed->plan, r)) {
            say_lease_is_wrong(bed->plan, r, out);
        } else {
            check_timers(relay_name(bed, i), r, out);
        }
    }
    if (preflight_is_silent(out, CHECK_LEASE_TIME) && seen_s > 0 && expect_s > 0) {
        preflight_say(out, CHECK_LEASE_TIME, CHECK_PASSED, "", "",
                      "leases are as long as expected (%" PRIu32 " s)", seen_s);
    } else if (preflight_is_silent(out, CHECK_LEASE_TIME) && seen_s > 0) {
        preflight_say(out, CHECK_LEASE_TIME, CHECK_NOT_KNOWN, "", "",
                      "leases of %" PRIu32
                      " s are granted, and there is no expect.lease to compare "
                      "with",
                      seen_s);
    } else if (preflight_is_silent(out, CHECK_LEASE_TIME)) {
        preflight_say(out, CHECK_LEASE_TIME, CHECK_NOT_KNOWN, "", "", "no lease was granted");
    }
}

/* Where no path works for that reason, it was said there. */
static void check_addresses(const struct preflight_bed *bed,
                            const struct preflight_verdict *verdict, struct preflight_checks *out)
{
    for (size_t i = 0; i < bed->report_count; i++) {
        char what[PREFLIGHT_OUTSIDE_BYTES];
        if (verdict->is_of_path ||
            !preflight_is_outside(bed->plan, &bed->reports[i], what, sizeof(what))) {
            continue;
        }
        struct preflight_check *check = preflight_say(
            out, CHECK_SUBNET, CHECK_FAILED, relay_name(bed, i),
            "correct subnet: of the relay, or the servers' subnet for its giaddr", "%s", what);
        if (check != NULL) {
            check->finding = "wrong-subnet";
        }
    }
}

static void check_subnet(const struct preflight_bed *bed, const struct preflight_verdict *verdict,
                         struct preflight_checks *out)
{
    size_t seen = 0;
    check_addresses(bed, verdict, out);
    for (size_t i = 0; i < bed->report_count; i++) {
        const struct control_preflight_relay *r = &bed->reports[i];
        const struct plan_relay *relay = &bed->plan->relays[r->relay];
        char got[IPV4_TEXT_BYTES], wanted[IPV4_NET_TEXT_BYTES];
        inet_net_text(relay->subnet, wanted);
        seen += !inet_is_zero(r->mask) || !inet_is_zero(r->router);
        if (!inet_is_zero(r->mask) && !inet_equal(r->mask, inet_net_mask(relay->subnet))) {
            preflight_say(out, CHECK_SUBNET, CHECK_WARNED, relay->name,
                          "correct subnet: of the relay, or the servers' subnet",
                          "relay %s: the servers send subnet mask %s, the scenario's subnet is %s",
                          relay->name, inet_text(r->mask, got), wanted);
        }
        if (!inet_is_zero(r->router) && !inet_net_contains(relay->subnet, r->router)) {
            preflight_say(out, CHECK_SUBNET, CHECK_WARNED, relay->name,
                          "correct the servers' routers option",
                          "relay %s: the servers send router %s, outside the subnet %s",
                          relay->name, inet_text(r->router, got), wanted);
        }
    }
    if (preflight_is_silent(out, CHECK_SUBNET)) {
        preflight_say(out, CHECK_SUBNET, seen > 0 ? CHECK_PASSED : CHECK_NOT_KNOWN, "", "",
                      seen > 0 ? "subnet masks and routers fit the scenario's subnets"
                               : "the servers send neither subnet mask nor router");
    }
}

/* --- strangers --- */

static uint32_t first_server(uint32_t bits)
{
    uint32_t i = 0;
    while ((bits >> i & 1) == 0) {
        i++;
    }
    return i;
}

#define APART "keep them apart with the classes of `leaseherd setup SCENARIO --for isc-dhcpd|kea`"

static void check_unmarked(const struct preflight_bed *bed, struct preflight_checks *out)
{
    bool is_guarded = bed->scenario->is_pool_guarded;
    size_t asked = 0, known = 0;
    for (size_t i = 0; i < bed->report_count; i++) {
        const struct control_preflight_relay *r = &bed->reports[i];
        uint32_t servers = r->unmarked_offers & ((UINT32_C(1) << bed->plan->server_count) - 1);
        asked += r->was_unmarked_asked;
        known += r->was_unmarked_asked && r->bound > 0;
        if (servers == 0) {
            continue;
        }
        char address[IPV4_TEXT_BYTES];
        preflight_say(
            out, CHECK_UNMARKED, is_guarded ? CHECK_FAILED : CHECK_WARNED, relay_name(bed, i),
            is_guarded ? APART : APART "; `expect: {guarded: true}` makes this refuse the run",
            "relay %s: server %s offered %s, a test address, to a client without the "
            "run's marks: clients of the real network can get it, too",
            relay_name(bed, i), bed->plan->servers[first_server(servers)].name,
            inet_text(r->unmarked_addr, address));
    }
    if (preflight_is_silent(out, CHECK_UNMARKED)) {
        bool is_known = asked > 0 && known == bed->report_count;
        preflight_say(out, CHECK_UNMARKED, is_known ? CHECK_PASSED : CHECK_NOT_KNOWN, "", "",
                      is_known ? "no test address is offered to a client without the run's marks"
                               : "no server was asked that answers");
    }
}

void preflight_check_bed(const struct preflight_bed *bed, const struct preflight_verdict *verdict,
                         struct preflight_checks *out)
{
    check_answers(bed, out);
    check_client_path(verdict, out);
    check_server_path(bed, out);
    check_pool(bed, out);
    check_lease_time(bed, out);
    check_subnet(bed, verdict, out);
    check_unmarked(bed, out);
}
