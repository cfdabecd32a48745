/* SPDX-License-Identifier: MIT */
/*
 * Leases of an earlier run: taken over without an exchange, and asked about with
 * DHCPLEASEQUERY by address (RFC 4388). An answer names the holder of the address, who
 * may be somebody else or nobody: it is told by its xid, which counts the queries.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lane/lane_internal.h"
#include "common/prng.h"

enum { PURPOSE_QUERY = 0x5155, XID_BITS = 24, RING_MASK = LANE_QUERY_RING - 1 };
static_assert((LANE_QUERY_RING & RING_MASK) == 0, "a place of the ring is a mask of the number");

/* --- taking over --- */

static bool adopt(struct lane *lane, const struct control_adopted *lease)
{
    uint32_t local;
    if (!population_local(&lane->population, lease->client, &local) ||
        !inet_net_contains(lane->plan->block, lease->addr) ||
        lane_server_index(lane, lease->server) == SNAPSHOT_NO_SERVER) {
        return false;
    }
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    if (client_has(c, CLIENT_PREFLIGHT) || lane_step(c, LEASE_ADOPT) == LEASE_UNEXPECTED) {
        return false; /* it has a lease: a client has one */
    }
    c->addr = lease->addr;
    lane_set_server(lane, c, lease->server);
    c->lease_ns = lane->now_ns;
    c->t1_ms = c->t2_ms = c->expiry_ms = UINT32_MAX;
    results_count(&lane->results, COUNTER_leases_adopted);
    lane_recount(lane, before, false, c);
    return true;
}

size_t lane_adopt(struct lane *lane, const struct control_adopt *command, uint64_t now_ns)
{
    size_t adopted = 0;
    lane->now_ns = now_ns > lane->now_ns ? now_ns : lane->now_ns;
    if (lane->stage.is_begun || lane_is_ending(lane)) {
        return 0;
    }
    for (size_t i = 0; i < command->lease_count; i++) {
        adopted += adopt(lane, &command->leases[i]);
    }
    return adopted;
}

/* --- asking --- */

bool lane_query_init(struct lane *lane)
{
    bool asks = false;
    for (uint32_t i = 0; i < lane->plan->stage_count; i++) {
        asks = asks || lane->plan->stages[i].kind == PLAN_QUERY;
    }
    if (!asks) {
        return true;
    }
    lane->queries = malloc(LANE_QUERY_RING * sizeof(*lane->queries));
    if (lane->queries == NULL) {
        return false;
    }
    memset(lane->queries, 0xff, LANE_QUERY_RING * sizeof(*lane->queries));
    /* Another lane, or another run, numbers from elsewhere. */
    lane->query_number = (uint32_t)prng_mix(lane->plan->identity_seed,
                                            population_global(&lane->population, 0), PURPOSE_QUERY);
    return true;
}

void lane_query_opened(struct lane *lane, uint32_t local)
{
    assert(lane->queries != NULL);
    struct client *c = lane_client(lane, local);
    uint32_t mask = (UINT32_C(1) << XID_BITS) - 1;
    lane->query_number = (lane->query_number + 1) & mask;
    c->xid = (c->xid & ~mask) | lane->query_number;
    lane->queries[lane->query_number & RING_MASK] = local;
    client_set(c, CLIENT_QUERYING);
}

/* --- being answered --- */

bool lane_query_answers(const struct lane *lane, const struct dhcp4_reply *r)
{
    return lane->queries != NULL && r->type >= DHCP4_TYPE_LEASEUNASSIGNED &&
           r->type <= DHCP4_TYPE_LEASEACTIVE;
}

/* Leased to somebody else means for us: not leased. */
static enum event_result result_of(const struct lane *lane, uint32_t local,
                                   const struct dhcp4_reply *r)
{
    uint32_t global = population_global(&lane->population, local);
    struct mac own = plan_client_mac(lane->plan, global);
    if (r->type == DHCP4_TYPE_LEASEUNKNOWN) {
        return EVENT_UNKNOWN;
    }
    return r->type == DHCP4_TYPE_LEASEACTIVE && memcmp(&own, &r->chaddr, sizeof(own)) == 0
               ? EVENT_LEASED
               : EVENT_UNASSIGNED;
}

static void answered(struct lane *lane, uint32_t local, const struct dhcp4_reply *r, uint64_t at_ns)
{
    struct client *c = lane_client(lane, local);
    enum client_class before = lane_class_of(c);
    enum event_result result = result_of(lane, local, r);
    struct event e = lane_event(lane, local, EVENT_QUERY, result, at_ns);
    e.server = r->has_server_id ? r->server_id : lane_server_of(lane, c);
    e.lease_s = result == EVENT_LEASED && r->has_lease ? r->lease_s : 0;
    results_event(&lane->results, &e);
    if (result == EVENT_LEASED && c->state == LEASE_RELEASED) {
        /* The RELEASE was lost. What is left to do about it is to release it again. */
        enum lease_action action = lane_step(c, LEASE_STILL_HELD);
        assert(action == LEASE_KEEP);
        (void)action;
        c->t1_ms = c->t2_ms = c->expiry_ms = UINT32_MAX;
        c->lease_count = 0;
    }
    client_set(c, CLIENT_ANSWERED);
    lane_close_exchange(lane, c);
    lane_arm_timer(lane, local);
    lane_recount(lane, before, true, c);
}

enum snapshot_counter lane_query_receive(struct lane *lane, const struct dhcp4_reply *r,
                                         const struct lane_packet *packet)
{
    uint32_t local = lane->queries[r->xid & RING_MASK];
    lane->results.counter[COUNTER_silent_streak] = 0;
    if (local == UINT32_MAX || lane_client(lane, local)->xid != r->xid) {
        return COUNTER_fate_late;
    }
    const struct client *c = lane_client(lane, local);
    if (!lane_came_the_right_way(lane, local, packet, r)) {
        return COUNTER_fate_misrouted;
    }
    if (!client_has(c, CLIENT_WAITING) || !client_has(c, CLIENT_QUERYING)) {
        return client_has(c, CLIENT_ANSWERED) ? COUNTER_fate_duplicate : COUNTER_fate_late;
    }
    if (r->type == DHCP4_TYPE_LEASEACTIVE && !inet_equal(r->ciaddr, c->addr)) {
        return COUNTER_fate_late; /* of an address we did not ask about */
    }
    answered(lane, local, r, packet->at_ns);
    return COUNTER_fate_answer;
}
