/* SPDX-License-Identifier: MIT */
/* From the operator's scenario to the plan that every agent gets. */
#include "coordinator/plan/scenario.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_search.h"

enum { SLOT_COUNT = 255, ACQUIRE_TRIES = 4 };
#define ACQUIRE_DEADLINE_NS (60 * NS_PER_S)

static uint64_t word_of(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (size_t i = 0; i < sizeof(word); i++) {
        word = word << 8 | bytes[i];
    }
    return word;
}

/* fresh: no server has met the clients of this run before. */
static uint64_t identity_seed(const struct scenario *s, const uint8_t run_id[PLAN_RUN_ID_BYTES])
{
    if (s->identity == IDENTITY_FIXED) {
        return s->seed;
    }
    return prng_mix(s->seed, word_of(run_id), word_of(run_id + sizeof(uint64_t)));
}

static void put_servers(const struct scenario *s, struct plan *plan)
{
    const struct scenario_server *from = s->servers.items;
    assert(s->servers.count <= PLAN_SERVERS_MAX);
    for (size_t i = 0; i < s->servers.count; i++) {
        memcpy(plan->servers[i].name, from[i].name, sizeof(plan->servers[i].name));
        plan->servers[i].address = from[i].address;
    }
    plan->server_count = (uint32_t)s->servers.count;
}

static uint8_t server_index(const struct plan *plan, const char *name)
{
    uint8_t i = 0;
    while (i < plan->server_count && strcmp(plan->servers[i].name, name) != 0) {
        i++;
    }
    assert(i < plan->server_count);
    return i;
}

static void put_targets(const struct scenario_relay *from, const struct plan *plan,
                        struct plan_relay *to)
{
    const char(*names)[PLAN_NAME_BYTES] = from->to.items;
    if (from->to.count == 0) {
        for (uint32_t i = 0; i < plan->server_count; i++) {
            to->to[i] = (uint8_t)i;
        }
        to->to_count = (uint8_t)plan->server_count;
        return;
    }
    for (size_t i = 0; i < from->to.count; i++) {
        to->to[i] = server_index(plan, names[i]);
    }
    to->to_count = (uint8_t)from->to.count;
}

static uint8_t put_option82(const char *text, uint8_t out[PLAN_OPTION82_BYTES])
{
    size_t bytes = strlen(text);
    assert(bytes <= PLAN_OPTION82_BYTES);
    memcpy(out, text, bytes);
    return (uint8_t)bytes;
}

static void put_relays(const struct scenario *s, struct plan *plan)
{
    const struct scenario_relay *from = s->relays.items;
    uint32_t first = 0;
    for (size_t i = 0; i < s->relays.count; i++) {
        struct plan_relay *to = &plan->relays[i];
        memcpy(to->name, from[i].name, sizeof(to->name));
        to->giaddr = from[i].giaddr;
        to->via = from[i].via;
        to->subnet = from[i].subnet;
        to->first_client = first;
        to->client_count = (uint32_t)from[i].clients;
        to->xid_slot = (uint8_t)(1 + i % SLOT_COUNT);
        to->circuit_id_bytes = put_option82(from[i].circuit_id, to->circuit_id);
        to->remote_id_bytes = put_option82(from[i].remote_id, to->remote_id);
        put_targets(&from[i], plan, to);
        first += to->client_count;
    }
    plan->relay_count = (uint32_t)s->relays.count;
    plan->client_count = first;
}

/* The stage of the load is there already; behind it comes the one of its releases. */
static void put_search(const struct scenario *s, struct plan *plan)
{
    assert(plan->stage_count > 0 && plan->stage_count < PLAN_STAGES_MAX);
    struct plan_stage *load = &plan->stages[plan->stage_count - 1];
    struct plan_stage *release = &plan->stages[plan->stage_count];
    assert(load->kind == PLAN_LOAD);

    load->acquire_weight = s->search.acquire_weight;
    load->renew_weight = s->search.renew_weight;

    uint64_t half_milli_per_s = forecast_search_highest(s) / 2;
    *release = (struct plan_stage){
        .kind = PLAN_RELEASE,
        .rate_milli_per_s = half_milli_per_s > 0 ? half_milli_per_s : 1,
        .timeout_ns = forecast_search_release_timeout_ns(s),
    };
    size_t bytes = strlen(load->name);
    assert(bytes + sizeof(SCENARIO_RELEASE_SUFFIX) <= sizeof(release->name));
    memcpy(release->name, load->name, bytes);
    memcpy(release->name + bytes, SCENARIO_RELEASE_SUFFIX, sizeof(SCENARIO_RELEASE_SUFFIX));
    plan->stage_count++;
}

static void put_stages(const struct scenario *s, struct plan *plan)
{
    const struct scenario_stage *from = s->stages.items;
    assert(s->stages.count <= PLAN_STAGES_MAX);
    /* A search that is the only stage acquires too. */
    plan->acquire_tries = ACQUIRE_TRIES;
    plan->acquire_deadline_ns = ACQUIRE_DEADLINE_NS;
    for (size_t i = 0; i < s->stages.count; i++) {
        struct plan_stage *to = &plan->stages[i];
        memcpy(to->name, from[i].name, sizeof(to->name));
        to->kind = from[i].kind;
        to->batch = (uint32_t)from[i].batch;
        to->rate_milli_per_s = from[i].rate_milli_per_s;
        to->is_poisson = from[i].is_poisson;
        to->duration_ns = from[i].duration_ns;
        to->warmup_ns = from[i].warmup_ns;
        to->timeout_ns = from[i].timeout_ns;
        if (from[i].kind == PLAN_ACQUIRE) {
            /* The same in all acquire stages: scenario_check() saw to it. */
            plan->acquire_tries = from[i].tries > 0 ? (uint32_t)from[i].tries : ACQUIRE_TRIES;
            plan->acquire_deadline_ns = from[i].deadline_ns;
        }
    }
    plan->stage_count = (uint32_t)s->stages.count;
    if (s->has_search) {
        put_search(s, plan);
    }
}

bool scenario_return_identity(const struct plan *old, struct plan *plan, char why[PLAN_WHY_BYTES])
{
    for (uint32_t i = 0; i < plan->relay_count; i++) {
        const struct plan_relay *now = &plan->relays[i];
        const struct plan_relay *then = i < old->relay_count ? &old->relays[i] : NULL;
        char subnet[IPV4_NET_TEXT_BYTES];
        (void)inet_net_text(now->subnet, subnet);
        if (then == NULL || then->first_client != now->first_client ||
            then->client_count < now->client_count) {
            (void)snprintf(why, PLAN_WHY_BYTES,
                           "that run did not have the clients of relay %.40s; keep its relays in "
                           "their order, each with as many clients as there",
                           now->name);
            return false;
        }
        if (then->subnet.prefix_bits != now->subnet.prefix_bits ||
            !inet_equal(then->subnet.base, now->subnet.base)) {
            (void)snprintf(why, PLAN_WHY_BYTES,
                           "relay %.40s was in another subnet than %s in that run; put the relays "
                           "in the same order",
                           now->name, subnet);
            return false;
        }
    }
    plan->identity_seed = old->identity_seed;
    return true;
}

bool scenario_to_plan(const struct scenario *s, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                      const char *run_name, struct plan *out)
{
    struct plan_relay *relays = calloc(s->relays.count + 1, sizeof(*relays));
    if (relays == NULL) {
        return false;
    }
    *out = (struct plan){
        .seed = s->seed,
        .identity_seed = identity_seed(s, run_id),
        .block = s->block,
        .relays = relays,
        .renew_retry_ns = s->renew_retry_ns,
        .fuzz_permille = (uint32_t)(s->fuzz_percent * 10 + 0.5),
        .expect_lease_s = (uint32_t)(s->lease_ns / NS_PER_S),
        .expect_mclt_s = (uint32_t)(s->mclt_ns / NS_PER_S),
        .packets_per_s_max = s->packets_milli_per_s / 1000,
        .run_time_max_ns = s->time_ns,
        .renewals_alone_ns = s->renewals_alone_ns,
        .is_spin_off = s->is_spin_off,
    };
    memcpy(out->run_id, run_id, PLAN_RUN_ID_BYTES);
    (void)snprintf(out->run_name, sizeof(out->run_name), "%s", run_name);
    memcpy(out->scenario, s->name, sizeof(out->scenario));
    memcpy(out->vendor_class, s->vendor_class, sizeof(out->vendor_class));
    put_servers(s, out);
    put_relays(s, out);
    put_stages(s, out);
    return true;
}
