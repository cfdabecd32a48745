/* SPDX-License-Identifier: MIT */
#include "tests/support/hostile_plans.h"

#include <string.h>

#include "common/attrs.h"
#include "tests/support/control_samples.h"

#define SERVER UINT32_C(0xc0a8010c) /* 192.168.1.12 */

void hostile_good_plan(struct plan *plan, uint8_t run, struct ipv4 own)
{
    sample_plan(plan);
    memset(plan->run_id, run, PLAN_RUN_ID_BYTES);
    plan->client_count = HOSTILE_CLIENTS;
    plan->server_count = plan->relay_count = 1;
    plan->relays[0].giaddr = plan->relays[0].via = own;
    plan->relays[0].subnet = plan->block;
    plan->relays[0].client_count = HOSTILE_CLIENTS;
    plan->relays[0].to_count = 1;
    plan->relays[0].to[0] = 0;
    plan->stages[0].warmup_ns = 0;
    plan->acquire_tries = 2;
    plan->acquire_deadline_ns = 10 * NS_PER_S;
    plan->packets_per_s_max = 200;
    plan->run_time_max_ns = 20 * NS_PER_S;
    plan->renewals_alone_ns = 0;
}

bool hostile_plan_is_allowed(const struct plan *plan, uint8_t run, struct ipv4 own)
{
    struct ipv4_net around = {sample_ipv4(inet_host(own) & 0xffffff00), 24};
    struct ipv4_net block = {sample_ipv4(0x0a0a0000), 16};
    const struct plan_relay *r = &plan->relays[0];
    return inet_host(plan->servers[0].address) == SERVER && plan->client_count <= 50 &&
           plan->run_time_max_ns <= 30 * NS_PER_S && inet_net_covers(block, plan->block) &&
           inet_net_contains(around, r->giaddr) && inet_net_contains(around, r->via) &&
           plan->run_id[0] == run;
}

static void another_server(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->servers[0].address = sample_ipv4(SERVER + 1);
}

static void a_second_server(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->server_count = 2; /* not even used by the relay */
}

static void broadcast_server(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->servers[0].address = sample_ipv4(0xc0a801ff);
}

static void own_broadcast(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->servers[0].address = sample_ipv4(0x0a0affff);
}

static void foreign_block(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->block = plan->relays[0].subnet = (struct ipv4_net){sample_ipv4(0x08080000), 16};
}

static void wide_block(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->block = (struct ipv4_net){sample_ipv4(0x0a000000), 8};
}

static void foreign_via(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->relays[0].via = sample_ipv4(0xac10c803);
}

static void foreign_giaddr(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->relays[0].giaddr = sample_ipv4(0xac10c803);
}

static void absent_via(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->relays[0].via = sample_ipv4(inet_host(plan->relays[0].via) + 40);
}

static void many_clients(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->client_count = plan->relays[0].client_count = 51;
}

static void long_run(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->run_time_max_ns = 31 * NS_PER_S;
}

static void another_run(struct plan *plan, struct control_prepare *prepare)
{
    (void)prepare;
    plan->run_id[3] ^= 1;
}

static void many_packets(struct plan *plan, struct control_prepare *prepare)
{
    (void)plan;
    prepare->packets_per_s_max = 201;
}

static void endless_packets(struct plan *plan, struct control_prepare *prepare)
{
    (void)plan;
    prepare->packets_per_s_max = UINT64_MAX;
}

static void strange_share(struct plan *plan, struct control_prepare *prepare)
{
    static const struct control_share share = {.relay = 1, .first_client = 0, .client_count = 1};
    (void)plan;
    prepare->shares = &share;
}

static void wide_share(struct plan *plan, struct control_prepare *prepare)
{
    static const struct control_share share = {.client_count = HOSTILE_CLIENTS + 1};
    (void)plan;
    prepare->shares = &share;
}

static void wrong_hash(struct plan *plan, struct control_prepare *prepare)
{
    (void)plan;
    prepare->plan_hash[PLAN_HASH_BYTES - 1] ^= 1;
}

const struct hostile_plan hostile_plans[] = {
    {"a server that is not allowed", true, another_server},
    {"a second server that is not allowed", true, a_second_server},
    {"a directed broadcast", true, broadcast_server},
    {"the broadcast of an own prefix", true, own_broadcast},
    {"a block of others", true, foreign_block},
    {"a block wider than its own", true, wide_block},
    {"a carrying address of others", true, foreign_via},
    {"a giaddr of others", true, foreign_giaddr},
    {"an address this host has not", true, absent_via},
    {"too many clients", true, many_clients},
    {"too long a run", true, long_run},
    {"the plan of another run", true, another_run},
    {"too many packets", false, many_packets},
    {"endless packets", false, endless_packets},
    {"a relay that is not in the plan", false, strange_share},
    {"clients that are not in the plan", false, wide_share},
    {"a wrong hash", false, wrong_hash}};
const size_t hostile_plan_count = ARRAY_LEN(hostile_plans);
