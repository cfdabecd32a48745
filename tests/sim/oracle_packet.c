/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/oracle.h"
#include "tests/sim/plot.h"
#include "tests/sim/os.h"
#include "tests/support/model_server.h"

enum { CLIENTS_MAX = 4096, OWNERS_MAX = 16 };

/* Who has played a client, in order: a life of an agent never comes back. */
struct owners {
    struct mac mac;
    uint64_t run;
    struct {
        const struct world_agent *agent;
        unsigned life;
    } owner[OWNERS_MAX];
    size_t count;
};

/* Packets that left, as a bucket that runs empty at the rate allowed. */
struct meter {
    double level;
    uint64_t at_ns;
};

static struct owners clients[CLIENTS_MAX];
static size_t client_count;
static struct meter fleet;
static struct {
    struct oracle_count *log;
    size_t count, room;
    uint64_t lanes;
} book[WORLD_AGENTS_MAX];

/* --- counts --- */

static size_t index_of(const struct world_agent *agent)
{
    return (size_t)(agent - world.agents);
}

void oracle_lane_begins(struct world_agent *agent)
{
    book[index_of(agent)].count = 0;
    book[index_of(agent)].lanes++;
}

/* Different for every run an agent has played. */
static uint64_t lane_of(const struct world_agent *agent)
{
    return index_of(agent) << 32 | book[index_of(agent)].lanes;
}

static struct oracle_count *count_now(const struct world_agent *agent)
{
    size_t i = index_of(agent);
    uint64_t at_ns = sim_host_monotonic(agent->part);
    struct oracle_count *log = book[i].log;
    size_t count = book[i].count;
    if (count > 0 && log[count - 1].at_ns == at_ns) {
        return &log[count - 1];
    }
    if (count == book[i].room) {
        book[i].room = count == 0 ? 1024 : 2 * count;
        book[i].log = log = realloc(log, book[i].room * sizeof(*log));
        assert(log != NULL);
    }
    log[count] = count > 0 ? log[count - 1] : (struct oracle_count){0};
    log[count].at_ns = at_ns;
    book[i].count++;
    return &log[count];
}

struct oracle_count oracle_count_at(const struct world_agent *agent, uint64_t at_ns)
{
    size_t i = index_of(agent), low = 0, high = book[i].count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (book[i].log[middle].at_ns <= at_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? (struct oracle_count){0} : book[i].log[low - 1];
}

void oracle_packet_read(struct world_agent *agent, const struct lane_packet *packet)
{
    count_now(agent)->read++;
    oracle_lease_answered(packet, lane_of(agent));
}

/* --- who plays whom --- */

static struct owners *owners_of(struct mac mac, uint64_t run)
{
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i].run == run && memcmp(&clients[i].mac, &mac, sizeof(mac)) == 0) {
            return &clients[i];
        }
    }
    assert(client_count < CLIENTS_MAX);
    clients[client_count].mac = mac;
    clients[client_count].run = run;
    return &clients[client_count++];
}

static void check_owner(const struct world_agent *agent, const struct model_query *q)
{
    struct owners *o = owners_of(q->chaddr, oracle_run_of(agent));
    size_t i = 0;
    while (i < o->count && (o->owner[i].agent != agent || o->owner[i].life != agent->lives)) {
        i++;
    }
    if (i == o->count && o->count < OWNERS_MAX) {
        o->owner[o->count].agent = agent;
        o->owner[o->count++].life = agent->lives;
    } else if (i + 1 < o->count) {
        oracle_violation(PROMISE_ONE_AGENT_PER_CLIENT,
                         "%s sends for a client that %s has taken over", agent->name,
                         o->owner[o->count - 1].agent->name);
    }
}

/* --- may it be sent --- */

/* Without the coordinator leases are kept for as long as the scenario says, nothing else. */
static void check_lease(const struct world_agent *agent, const struct model_query *q)
{
    uint64_t now_ns = sim_host_boottime(agent->part), until_ns = oracle_granted_until_ns(agent);
    bool is_renewal = q->type == DHCP4_TYPE_REQUEST && !inet_is_zero(q->ciaddr);
    if (is_renewal && until_ns != 0) {
        until_ns += plot.alone_s * NS_PER_S;
    }
    if (now_ns >= until_ns) {
        oracle_violation(PROMISE_RUN_LEASE, "%s sends %.6f s after its run lease ended",
                         agent->name, (double)(now_ns - until_ns) / 1e9);
    }
}

static bool is_listed(const struct schema_array *servers, struct ipv4 address)
{
    const struct ipv4 *list = servers->items;
    for (size_t i = 0; i < servers->count; i++) {
        if (inet_equal(list[i], address)) {
            return true;
        }
    }
    return false;
}

static bool is_own(const struct world_agent *agent, struct ipv4 address)
{
    for (size_t i = 0; i < agent->address_count; i++) {
        if (inet_equal(agent->address[i], address)) {
            return true;
        }
    }
    return false;
}

static void check_policy(const struct world_agent *agent, const struct lane_out *out,
                         struct ipv4 source, const struct model_query *q)
{
    bool is_routed = !inet_is_zero(out->source);
    bool may_speak = is_routed ? inet_net_contains(plot.block, source) : is_own(agent, source);
    if (!is_listed(&agent->policy.servers, out->destination)) {
        oracle_violation(PROMISE_POLICY, "%s sends to a server its policy does not list",
                         agent->name);
    }
    if (!may_speak || (!inet_is_zero(q->giaddr) && !is_own(agent, q->giaddr))) {
        oracle_violation(PROMISE_POLICY, "%s sends from an address, or as a relay, it does not own",
                         agent->name);
    }
    if ((q->flags & 0x8000U) != 0 && inet_is_zero(q->giaddr)) {
        oracle_violation(PROMISE_POLICY, "%s asks for a broadcast answer without a relay",
                         agent->name);
    }
}

static void check_block(const struct world_agent *agent, const struct model_query *q)
{
    bool is_outside = (q->has_requested && !inet_net_contains(plot.block, q->requested)) ||
                      (!inet_is_zero(q->ciaddr) && !inet_net_contains(plot.block, q->ciaddr));
    if (is_outside) {
        oracle_violation(PROMISE_INSIDE_BLOCK, "%s names an address outside the block",
                         agent->name);
    }
    if (q->type == DHCP4_TYPE_REQUEST && q->has_server_id &&
        plot_server_at(q->server_id) == SIZE_MAX) {
        oracle_violation(PROMISE_INSIDE_BLOCK, "%s requests a lease of a foreign server",
                         agent->name);
    }
}

/*
 * A bucket of 10 ms and one packet per server and agent, as agent/lane/tx_gate.h has it; and
 * once more what an agent that begins anew, or whose clock goes a little fast, has.
 */
static void check_rate(void)
{
    double per_s = (double)plot.packets_per_s;
    double depth = per_s * 0.012 + (double)(world.agent_count * (2 * plot.server_count + 2) + 1);
    double gone = (double)(sim_now() - fleet.at_ns) / 1e9 * per_s * 1.001;
    fleet.level = (fleet.level > gone ? fleet.level - gone : 0) + 1;
    fleet.at_ns = sim_now();
    if (fleet.level > depth) {
        oracle_violation(PROMISE_POLICY, "the fleet sends faster than %.0f packets/s", per_s);
        fleet.level = 0;
    }
}

void oracle_packet_sent(struct world_agent *agent, const struct lane_out *out, struct ipv4 source,
                        int error)
{
    struct model_query q;
    struct oracle_count *count = count_now(agent);
    bool is_message = model_query_parse(out->bytes, out->size, &q);
    assert(is_message);
    check_lease(agent, &q);
    check_policy(agent, out, source, &q);
    check_block(agent, &q);
    bool is_for_now = error == EAGAIN || error == ENOBUFS;
    count->refused += error != 0 && !is_for_now;
    count->maybe_refused += is_for_now;
    count->sent += error == 0;
    if (error != 0) {
        return;
    }
    check_rate();
    if (q.type != DHCP4_TYPE_LEASEQUERY) { /* it asks about an address, and names no client */
        check_owner(agent, &q);
    }
    bool is_renewal = q.type == DHCP4_TYPE_REQUEST && !q.has_server_id;
    if (is_renewal || q.type == DHCP4_TYPE_INFORM || q.type == DHCP4_TYPE_RELEASE) {
        oracle_lease_used(&q, q.has_requested ? q.requested : q.ciaddr);
    }
    if (q.type == DHCP4_TYPE_REQUEST) {
        oracle_lease_asked(&q, lane_of(agent));
    } else if (q.type == DHCP4_TYPE_RELEASE || q.type == DHCP4_TYPE_DECLINE) {
        oracle_lease_ended(&q);
    }
}
