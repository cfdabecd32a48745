/* SPDX-License-Identifier: MIT */
/* Leases of an earlier run that a coordinator hands over: only what could be this agent's. */
#include "agent/edge/session_internal.h"

#include <stdio.h>

static bool owns_client(const struct assignment *a, uint32_t client)
{
    size_t low = 0, high = a->share_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (a->shares[middle].first_client <= client) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct control_share *share = &a->shares[low];
    return client >= share->first_client && client - share->first_client < share->client_count;
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

/* What may be released or asked about: our clients, inside the block, at the plan's servers. */
static bool may_adopt(const struct assignment *a, const struct control_adopted *lease,
                      char why[CONTROL_TEXT_BYTES])
{
    char addr[IPV4_TEXT_BYTES], server[IPV4_TEXT_BYTES];
    (void)inet_text(lease->addr, addr);
    (void)inet_text(lease->server, server);
    if (!owns_client(a, lease->client)) {
        (void)snprintf(why, CONTROL_TEXT_BYTES,
                       "adopt: the lease of %s is of client %u, which is another agent's", addr,
                       lease->client);
        return false;
    }
    if (!inet_net_contains(a->plan.block, lease->addr)) {
        (void)snprintf(why, CONTROL_TEXT_BYTES,
                       "adopt: the lease of %s of client %u lies outside the plan's block", addr,
                       lease->client);
        return false;
    }
    if (!is_server(&a->plan, lease->server)) {
        (void)snprintf(why, CONTROL_TEXT_BYTES,
                       "adopt: the lease of %s is of server %s, which is not in the plan", addr,
                       server);
        return false;
    }
    return true;
}

void session_adopt(struct session *s, const struct control_adopt *adopt)
{
    struct assignment *a = s->assignment;
    char why[CONTROL_TEXT_BYTES];
    if (a->phase > PHASE_ARMED) {
        session_complain(s, "adopt", "the run has begun");
        return;
    }
    if (a->phase == PHASE_PREFLIGHT && a->preflight == NULL) {
        session_refuse_run(s, REFUSAL_PLAN, "leases were to be adopted while preflight is running");
        return;
    }
    for (size_t i = 0; i < adopt->lease_count; i++) {
        if (!may_adopt(a, &adopt->leases[i], why)) {
            session_refuse_run(s, REFUSAL_PLAN, why);
            return;
        }
    }
    if (!lane_thread_adopt(a->lane, adopt)) {
        session_refuse_run(s, REFUSAL_RESOURCES,
                           "no memory for the leases that were to be adopted");
        return;
    }
    a->has_adopted = true;
}
