/* SPDX-License-Identifier: MIT */
/* Clients of a lost agent: only what lies inside the plan, the policy and this agent's relays. */
#include "agent/edge/session_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/permit.h"
#include "common/log.h"

static void send_refusal(struct session *s)
{
    struct control_message m = {.kind = CONTROL_REFUSE, .u.refuse = s->assignment->refused};
    (void)session_send(s, &m); /* lost: it asks again */
}

/*
 * The run goes on here as it was; the coordinator finds another home for them. It may do so as
 * soon as it hears of this: a TAKE of this epoch that comes again is never accepted here.
 */
static void refuse(struct session *s, uint64_t epoch, enum control_refusal code, const char *why)
{
    struct control_refuse *refused = &s->assignment->refused;
    *refused = (struct control_refuse){.code = code, .assignment_epoch = epoch};
    control_set_text(refused->text, why);
    if (session_may_tell(s, NEWS_PLAN_REFUSED)) {
        log_warn("what=take_refused code=%s why=\"%s\" continuing", control_refusal_name(code),
                 why);
    }
    send_refusal(s);
}

static bool is_same_net(struct ipv4_net a, struct ipv4_net b)
{
    return a.prefix_bits == b.prefix_bits && inet_equal(a.base, b.base);
}

static bool carries(const struct assignment *a, uint32_t relay)
{
    for (size_t i = 0; i < a->dealt_count; i++) {
        if (a->shares[i].relay == relay) {
            return true;
        }
    }
    return false;
}

static bool check_homes(const struct assignment *a, const struct control_take *take,
                        char why[CONTROL_TEXT_BYTES])
{
    for (size_t i = 0; i < take->share_count; i++) {
        const struct control_take_share *share = &take->shares[i];
        if (share->relay >= a->plan.relay_count || !carries(a, share->via_relay)) {
            (void)snprintf(why, CONTROL_TEXT_BYTES,
                           "take: relay %" PRIu32 " is not in the plan, or relay %" PRIu32
                           " is not carried here",
                           share->relay, share->via_relay);
            return false;
        }
        if (!is_same_net(a->plan.relays[share->relay].subnet,
                         a->plan.relays[share->via_relay].subnet)) {
            (void)snprintf(why, CONTROL_TEXT_BYTES,
                           "take: relay %.60s is in another subnet than relay %.60s, whose clients "
                           "it was to carry",
                           a->plan.relays[share->via_relay].name,
                           a->plan.relays[share->relay].name);
            return false;
        }
    }
    return true;
}

static bool is_server(const struct plan *plan, struct ipv4 address)
{
    for (uint32_t i = 0; i < plan->server_count; i++) {
        if (inet_equal(plan->servers[i].address, address)) {
            return true;
        }
    }
    return false;
}

static bool check_leases(const struct assignment *a, const struct control_take *take,
                         char why[CONTROL_TEXT_BYTES])
{
    for (size_t i = 0; i < take->client_count; i++) {
        const struct control_taken *c = &take->clients[i];
        if (c->lease_ms > 0 &&
            (!inet_net_contains(a->plan.block, c->addr) || !is_server(&a->plan, c->server))) {
            char addr[IPV4_TEXT_BYTES], server[IPV4_TEXT_BYTES];
            (void)snprintf(why, CONTROL_TEXT_BYTES,
                           "take: the lease of %s of client %" PRIu32
                           " lies outside the plan's block, or its server %s is not in the plan",
                           inet_text(c->addr, addr), c->client, inet_text(c->server, server));
            return false;
        }
    }
    return true;
}

/* All shares as they would be: against the plan (nobody twice) and against the policy's caps. */
static enum control_refusal check_all(struct session *s, const struct control_share *shares,
                                      size_t count, uint64_t packets_per_s_max,
                                      char why[CONTROL_TEXT_BYTES])
{
    const struct control_prepare whole = {
        .shares = shares, .share_count = count, .packets_per_s_max = packets_per_s_max};
    if (!assignment_is_inside(&s->assignment->plan, &whole, why)) {
        return REFUSAL_PLAN;
    }
    return policy_check_caps(s->setup->policy, &s->assignment->plan, &whole, why)
               ? REFUSAL_UNSPECIFIED
               : REFUSAL_POLICY;
}

/* Cuts its numbers to what was signed: after a loss the fleet's fall to fewer agents. */
static enum control_refusal check(struct session *s, struct control_take *take,
                                  char why[CONTROL_TEXT_BYTES])
{
    struct assignment *a = s->assignment;
    if (!check_homes(a, take, why) || !check_leases(a, take, why)) {
        return REFUSAL_PLAN;
    }
    if (take->has_go && !permit_go(&a->plan, &take->go, why)) {
        return REFUSAL_PLAN;
    }
    size_t count = a->share_count + take->share_count;
    struct control_share *shares = realloc(a->shares, (count + 1) * sizeof(*shares));
    if (shares == NULL) {
        (void)snprintf(why, CONTROL_TEXT_BYTES, "no memory for %zu shares", count);
        return REFUSAL_RESOURCES;
    }
    a->shares = shares;
    for (size_t i = 0; i < take->share_count; i++) {
        shares[a->share_count + i] =
            (struct control_share){.relay = take->shares[i].relay,
                                   .first_client = take->shares[i].first_client,
                                   .client_count = take->shares[i].client_count};
    }
    uint64_t most = policy_packets_per_s(s->setup->policy, &a->plan, shares, count);
    take->packets_per_s_max = take->packets_per_s_max < most ? take->packets_per_s_max : most;
    return check_all(s, shares, count, take->packets_per_s_max, why);
}

void session_take(struct session *s, const struct control_take *take)
{
    struct assignment *a = s->assignment;
    char why[CONTROL_TEXT_BYTES] = "no memory for the clients; use more agents";
    if (a->phase != PHASE_RUNNING) {
        session_complain(s, "take", "the run has not begun, or is ending");
        return;
    }
    if (a->is_taking || take->assignment_epoch <= a->assignment_epoch) {
        return; /* said again: PROGRESS tells when it is done */
    }
    if (take->assignment_epoch == a->refused.assignment_epoch) {
        send_refusal(s);
        return;
    }
    if (take->assignment_epoch != a->assignment_epoch + 1) {
        session_complain(s, "take", "the one before it is missing");
        return;
    }
    struct control_take mine = *take;
    enum control_refusal refusal = check(s, &mine, why);
    if (refusal == REFUSAL_UNSPECIFIED && !lane_thread_take(a->lane, &mine)) {
        refusal = REFUSAL_RESOURCES;
        (void)snprintf(why, sizeof(why), "no memory for the clients; use more agents");
    }
    if (refusal != REFUSAL_UNSPECIFIED) {
        refuse(s, take->assignment_epoch, refusal, why);
        return;
    }
    a->is_taking = true;
    a->taken_before = a->share_count;
    a->share_count += take->share_count;
}

void session_take_tick(struct session *s)
{
    struct assignment *a = s->assignment;
    bool was_taken = false;
    if (!a->is_taking || !lane_thread_take_done(a->lane, &was_taken)) {
        return;
    }
    a->is_taking = false;
    if (was_taken) {
        a->assignment_epoch++;
        log_info("what=clients_taken epoch=%" PRIu64 " shares=%zu", a->assignment_epoch,
                 a->share_count);
        return;
    }
    a->share_count = a->taken_before;
    refuse(s, a->assignment_epoch + 1, REFUSAL_RESOURCES,
           "no memory for the clients of the lost agent; use more agents");
}
