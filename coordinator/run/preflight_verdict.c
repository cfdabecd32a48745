/* SPDX-License-Identifier: MIT */
#include "coordinator/run/preflight_verdict.h"

#include <stdio.h>
#include <string.h>

#include "common/inet.h"

uint32_t preflight_candidates(const struct scenario *s, bool subnets_are_whole,
                              uint32_t out[PLAN_PATH_COUNT])
{
    uint32_t count = 0;
    switch (s->client_path) {
    case SCENARIO_PATH_AUTO:
        if (subnets_are_whole) {
            out[count++] = PLAN_PATH_ROUTED;
        }
        out[count++] = PLAN_PATH_EGRESS;
        out[count++] = PLAN_PATH_RELAYED;
        break;
    case SCENARIO_PATH_ROUTED:
        out[count++] = PLAN_PATH_ROUTED;
        break;
    case SCENARIO_PATH_EGRESS:
    case SCENARIO_PATH_DNAT: /* the agent cannot tell them apart, and need not */
        out[count++] = PLAN_PATH_EGRESS;
        break;
    case SCENARIO_PATH_RELAYED:
        out[count++] = PLAN_PATH_RELAYED;
        break;
    }
    return count;
}

static void refuse(struct preflight_verdict *v, const char *finding, const char *remedy)
{
    v->result = PREFLIGHT_REFUSED;
    v->finding = finding;
    v->remedy = remedy;
}

/* No server sent this relay an OFFER; `unusable`: packets that came all the same. */
static void explain_no_offer(const struct plan_relay *relay,
                             const struct control_preflight_relay *r, uint64_t unusable,
                             struct preflight_verdict *v)
{
    char giaddr[IPV4_TEXT_BYTES];
    inet_text(relay->giaddr, giaddr);
    if (unusable > 0) {
        refuse(v, "no-usable-answer", "capture udp port 67 there and see who sends them");
        snprintf(v->reason, sizeof(v->reason),
                 "relay %s (giaddr %s): %llu packets came back, none of them an answer that a DHCP "
                 "client may accept",
                 relay->name, giaddr, (unsigned long long)unusable);
        return;
    }
    refuse(v, "server-silent",
           "check that a server is up, knows a subnet for this giaddr and has free addresses, and "
           "that port 67 can be reached both ways");
    snprintf(v->reason, sizeof(v->reason),
             "relay %s (giaddr %s): no server answered %u DISCOVERs and their repetitions",
             relay->name, giaddr, (unsigned)r->clients);
}

/*
 * Everything that must hold before paths are compared; false when the relay already fails.
 * `unusable`: packets that came although no relay of the fleet was answered.
 */
static bool relay_acquires(const struct plan *plan, const struct control_preflight_relay *r,
                           uint64_t unusable, struct preflight_verdict *v)
{
    const struct plan_relay *relay = &plan->relays[r->relay];
    char giaddr[IPV4_TEXT_BYTES];
    inet_text(relay->giaddr, giaddr);
    if (r->foreign_offers > 0 && r->bound < r->clients) {
        refuse(v, "foreign-offer",
               "correct network.block and servers, or keep production pools away from the test "
               "relays");
        v->result = PREFLIGHT_FOREIGN_OFFER;
        snprintf(v->reason, sizeof(v->reason),
                 "relay %s was offered addresses outside the block or by a server that is not in "
                 "`servers`; nothing was requested",
                 relay->name);
        return false;
    }
    if (r->bound == r->clients) {
        return true;
    }
    if (r->send_errno != 0) {
        refuse(v, "send-errors", "check routes, firewall and policy on its agent's host");
        snprintf(v->reason, sizeof(v->reason), "relay %s (giaddr %s) could not send: %s",
                 relay->name, giaddr, strerror((int)r->send_errno));
    } else if (r->offered == 0 && r->naks == 0) {
        explain_no_offer(relay, r, unusable, v);
    } else if (r->naks > 0) {
        refuse(v, "server-naks", "look at the server's log for the reason");
        snprintf(v->reason, sizeof(v->reason),
                 "relay %s (giaddr %s): the server refused (NAK) %u of %u clients", relay->name,
                 giaddr, (unsigned)r->naks, (unsigned)r->clients);
    } else {
        refuse(v, "server-silent", "look at the server's log for their REQUESTs");
        snprintf(v->reason, sizeof(v->reason),
                 "relay %s (giaddr %s): %u of %u clients got an OFFER but only %u an ACK",
                 relay->name, giaddr, (unsigned)r->offered, (unsigned)r->clients,
                 (unsigned)r->bound);
    }
    return false;
}

static bool is_any_answered(const struct control_preflight_relay *reports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (reports[i].offered > 0 || reports[i].naks > 0 || reports[i].foreign_offers > 0) {
            return true;
        }
    }
    return false;
}

bool preflight_relay_acquires(const struct plan *plan,
                              const struct control_preflight_relay *reports, size_t count,
                              size_t index, uint64_t received, struct preflight_verdict *out)
{
    return relay_acquires(plan, &reports[index], is_any_answered(reports, count) ? 0 : received,
                          out);
}

static const struct control_preflight_path *path_of(const struct control_preflight_relay *r,
                                                    uint32_t path)
{
    for (uint32_t i = 0; i < r->path_count; i++) {
        if (r->path[i].path == path) {
            return &r->path[i];
        }
    }
    return NULL;
}

static bool path_works(const struct control_preflight_relay *reports, size_t count, uint32_t path)
{
    for (size_t i = 0; i < count; i++) {
        const struct control_preflight_path *p = path_of(&reports[i], path);
        if (p == NULL || p->renew_acked < reports[i].bound) {
            return false;
        }
    }
    return true;
}

static bool is_by_relay(const struct control_preflight_path *p)
{
    return p->path == PLAN_PATH_RELAYED;
}

/* From each server all came back on this path, or nothing: chance and ceilings take some of it. */
static bool is_all_or_nothing(const struct control_preflight_relay *r,
                              const struct control_preflight_path *p)
{
    uint64_t told = 0;
    for (uint32_t i = 0; i < r->way_count; i++) {
        const struct control_preflight_way *w = &r->way[i];
        if (w->path == p->path && w->acked != 0 && w->acked != w->sent) {
            return false;
        }
        told += w->path == p->path ? w->sent : 0;
    }
    return p->renew_acked == 0 || told == p->renew_sent;
}

/*
 * Nothing came back where clients ask themselves, though the servers answer relays. Where the relay
 * adds option 82, which such a renewal lacks, silence may also be the server's own.
 */
static bool is_way_back_missing(const struct plan *plan,
                                const struct control_preflight_relay *reports, size_t count)
{
    bool is_seen = false;
    for (size_t i = 0; i < count; i++) {
        const struct control_preflight_relay *r = &reports[i];
        const struct plan_relay *relay = &plan->relays[r->relay];
        bool has_option82 = relay->circuit_id_bytes > 0 || relay->remote_id_bytes > 0;
        for (uint32_t k = 0; k < r->path_count; k++) {
            const struct control_preflight_path *p = &r->path[k];
            if (p->renew_acked >= r->bound || (!is_by_relay(p) && p->send_errno != 0)) {
                continue;
            }
            if (is_by_relay(p) || r->naks > 0 || has_option82 || !is_all_or_nothing(r, p)) {
                return false;
            }
            is_seen = is_seen || p->renew_sent > 0;
        }
    }
    return is_seen;
}

bool preflight_is_outside(const struct plan *plan, const struct control_preflight_relay *r,
                          char *out, size_t size)
{
    const struct plan_relay *relay = &plan->relays[r->relay];
    char got[IPV4_TEXT_BYTES], giaddr[IPV4_TEXT_BYTES], wanted[IPV4_NET_TEXT_BYTES];
    if (inet_is_zero(r->outside_addr)) {
        return false;
    }
    (void)snprintf(out, size,
                   "relay %s (giaddr %s): the servers lease %s, the scenario's subnet is %s",
                   relay->name, inet_text(relay->giaddr, giaddr), inet_text(r->outside_addr, got),
                   inet_net_text(relay->subnet, wanted));
    return true;
}

static bool explain_wrong_subnet(const struct plan *plan,
                                 const struct control_preflight_relay *reports, size_t count,
                                 struct preflight_verdict *v)
{
    char what[PREFLIGHT_OUTSIDE_BYTES];
    size_t i = 0;
    while (i < count && !preflight_is_outside(plan, &reports[i], what, sizeof(what))) {
        i++;
    }
    if (i < count) {
        refuse(v, "wrong-subnet",
               "correct subnet: of the relay, or the servers' subnet for this giaddr");
        (void)snprintf(v->reason, sizeof(v->reason),
                       "%s, so that replies to its clients do not come back", what);
    }
    return i < count;
}

static void explain_no_path(const struct plan *plan, const struct control_preflight_relay *reports,
                            size_t count, struct preflight_verdict *v)
{
    bool is_way_back = is_way_back_missing(plan, reports, count);
    const char *separator = "";
    v->is_of_path = true;
    if (explain_wrong_subnet(plan, reports, count, v)) {
        return;
    }
    refuse(v, is_way_back ? "no-return-path" : "no-client-path",
           "apply the rules of `leaseherd testbed`, and see by its `check` that they work, or set "
           "client_path: relayed");
    int at = snprintf(v->reason, sizeof(v->reason), "%s",
                      is_way_back ? "the servers answer the relays, but their replies to the "
                                    "clients' own addresses do not come back:"
                                  : "renewals are not answered on any path that was allowed:");
    for (size_t i = 0; i < count && at > 0 && (size_t)at < sizeof(v->reason); i++) {
        for (uint32_t k = 0; k < reports[i].path_count; k++) {
            const struct control_preflight_path *p = &reports[i].path[k];
            if (p->renew_acked >= reports[i].bound || (size_t)at >= sizeof(v->reason)) {
                continue;
            }
            at += snprintf(v->reason + at, sizeof(v->reason) - (size_t)at, "%s %s by %s %u of %u",
                           separator, plan->relays[reports[i].relay].name, plan_path_name(p->path),
                           (unsigned)p->renew_acked, (unsigned)reports[i].bound);
            separator = ";";
        }
    }
}

void preflight_judge(const struct plan *plan, const struct control_preflight_relay *reports,
                     size_t report_count, uint64_t received, struct preflight_verdict *out)
{
    static const enum plan_path preference[] = {PLAN_PATH_ROUTED, PLAN_PATH_EGRESS,
                                                PLAN_PATH_RELAYED};
    memset(out, 0, sizeof(*out));
    uint64_t unusable = is_any_answered(reports, report_count) ? 0 : received;
    /* A foreign offer anywhere outweighs every other complaint. */
    for (size_t i = 0; i < report_count; i++) {
        struct preflight_verdict v = {0};
        if (!relay_acquires(plan, &reports[i], unusable, &v) &&
            (out->finding == NULL || v.result == PREFLIGHT_FOREIGN_OFFER)) {
            *out = v;
        }
    }
    if (out->finding != NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(preference); i++) {
        if (path_works(reports, report_count, preference[i])) {
            out->result = PREFLIGHT_PASSED;
            out->path = preference[i];
            return;
        }
    }
    explain_no_path(plan, reports, report_count, out);
}
