/* SPDX-License-Identifier: MIT */
/*
 * Everything that can go wrong, at random and at once: no assert of the lane
 * fails, the accounting holds after every step, and the drain comes to an end.
 * The seed of a failing round is printed.
 */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "tests/support/lane_world.h"

enum { ROUNDS = 80, STEPS = 120, CLIENTS = 30 };

static struct lane_world world;
static struct prng prng;

static bool one_in(uint64_t n)
{
    return prng_below(&prng, n) == 0;
}

static void mistreat_server(struct model_server *s)
{
    static const uint32_t times[] = {0, 1, 2, 5, 10, 60, 600, 86400, UINT32_MAX};
    s->is_silent = one_in(5);
    s->is_silent_to_renewals = one_in(5);
    s->ignores_requests = one_in(8);
    s->naks_requests = one_in(8);
    s->naks_renewals = one_in(8);
    s->offers_nothing = one_in(8);
    s->answers_for_partner = one_in(4);
    s->answers_twice = one_in(4);
    s->foreign_address = inet_from_host(one_in(8) ? 0xc0000201 : 0);
    s->foreign_server_id = inet_from_host(one_in(10) ? 0xc0a80163 : 0);
    s->drops_every = one_in(3) ? 1 + (uint32_t)prng_below(&prng, 5) : 0;
    s->garbles_every = one_in(4) ? 1 + (uint32_t)prng_below(&prng, 5) : 0;
    s->answers_from_port = one_in(4) ? 1 : 0;
    s->changes_address = one_in(8);
    s->changes_mask = one_in(4);
    s->ignores_queries = one_in(4);
    s->loses_releases = one_in(4);
    s->lease_s = times[prng_below(&prng, 9)];
    s->has_t1 = one_in(3);
    s->has_t2 = one_in(3);
    s->t1_s = times[prng_below(&prng, 9)];
    s->t2_s = times[prng_below(&prng, 9)];
}

/* Mostly the next one; now and then a later round begins any of them anew. */
static void next_stage(uint32_t *stage)
{
    static uint64_t round;
    if (one_in(3)) {
        *stage = (uint32_t)prng_below(&prng, world.plan.stage_count);
        round++;
    }
    if (*stage < world.plan.stage_count) {
        struct control_go go = {
            .round = round,
            .arrivals = one_in(3) ? 0 : prng_below(&prng, 3 * CLIENTS),
            .stage = (*stage)++,
            .start_at_ns = world.now_ns + prng_below(&prng, NS_PER_S),
            .client_limit = (uint32_t)prng_below(&prng, 2 * CLIENTS),
            .batch = one_in(2) ? 1 + (uint32_t)prng_below(&prng, CLIENTS) : 0,
            .rate_milli_per_s = prng_below(&prng, 100000),
            .is_last_step = true,
        };
        lane_go(world.lane, &go, world.now_ns);
    }
}

static void adopt_some(void)
{
    struct control_adopted leases[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        uint32_t client = (uint32_t)prng_below(&prng, CLIENTS + 2);
        struct model_pool *pool = &world.pools[client / (CLIENTS / 2) % 2];
        leases[i] = (struct control_adopted){
            client,
            model_pool_grant(pool, plan_client_mac(&world.plan, client % CLIENTS),
                             world.now_ns + prng_below(&prng, 600 * NS_PER_S)),
            world.servers[prng_below(&prng, 2)].address};
    }
    struct control_adopt command = {leases, CLIENTS};
    (void)lane_adopt(world.lane, &command, world.now_ns);
}

static void inject_noise(void)
{
    uint8_t bytes[400];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)prng_next(&prng);
    }
    lane_world_inject(&world, prng_below(&prng, 3), (enum lane_port)prng_below(&prng, 2), 67, bytes,
                      prng_below(&prng, sizeof(bytes)));
}

static void step(uint32_t *stage)
{
    switch (prng_below(&prng, 10)) {
    case 0:
    case 1:
        mistreat_server(&world.servers[prng_below(&prng, 2)]);
        break;
    case 2:
        lane_set_may_send(world.lane, !one_in(3), world.now_ns);
        break;
    case 3:
        lane_set_pressure(world.lane, one_in(3) ? (uint32_t)prng_below(&prng, 1001) : 0);
        break;
    case 4:
        world.send_error[prng_below(&prng, DHCP4_INTENT_COUNT)] = one_in(2) ? EPERM : 0;
        break;
    case 5:
        world.holds_events = one_in(3);
        break;
    case 6:
        world.holds_sends = one_in(3);
        break;
    case 7:
        next_stage(stage);
        break;
    case 8:
        inject_noise();
        break;
    default:
        world.loses_every = one_in(2) ? 1 + prng_below(&prng, 6) : 0;
        break;
    }
    lane_world_run(&world, prng_below(&prng, one_in(8) ? 40 * NS_PER_S : 2 * NS_PER_S));
}

static void set_up_round(uint64_t seed)
{
    static const struct control_preflight paths = {
        .path = {PLAN_PATH_ROUTED, PLAN_PATH_EGRESS, PLAN_PATH_RELAYED}, .path_count = 3};
    prng = prng_seeded(seed);
    lane_world_init(&world, 2, CLIENTS / 2, 2);
    world.turns_only_when_asked = one_in(2);
    world.latency_ns = prng_below(&prng, 20 * NS_PER_MS);
    world.packets_per_s_max = one_in(3) ? 1 + prng_below(&prng, 200) : 0;
    world.plan.fuzz_permille = (uint32_t)prng_below(&prng, 501);
    world.plan.acquire_tries = 1 + (uint32_t)prng_below(&prng, 6);
    world.plan.acquire_deadline_ns = 1 + prng_below(&prng, 60 * NS_PER_S);
    world.plan.renew_retry_ns = one_in(2) ? NS_PER_S : 0;
    for (unsigned i = 0; i < 12; i++) {
        enum plan_stage_kind kind = (enum plan_stage_kind)prng_below(&prng, PLAN_STAGE_KIND_COUNT);
        lane_world_add_stage(&world, i % 2 == 0 ? PLAN_ACQUIRE : kind,
                             kind == PLAN_HOLD && i % 2 != 0 ? 10 * NS_PER_S : 0);
        struct plan_stage *added = &world.plan.stages[i];
        if (added->kind == PLAN_LOAD) {
            added->rate_milli_per_s = 1 + prng_below(&prng, 100000);
            added->acquire_weight = (uint32_t)prng_below(&prng, 4);
            added->renew_weight = 1 + (uint32_t)prng_below(&prng, 4);
            added->is_poisson = one_in(2);
        }
    }
    lane_world_start(&world);
    lane_arm(world.lane, (enum plan_path)prng_below(&prng, PLAN_PATH_COUNT));
    if (one_in(4)) {
        adopt_some();
    }
    if (one_in(2)) {
        lane_preflight(world.lane, &paths, world.now_ns);
        lane_world_run(&world, prng_below(&prng, 20 * NS_PER_S));
    }
}

static void end_round(void)
{
    lane_world_drain(&world, DRAIN_GRACEFUL, one_in(2) ? 5000 : 0);
    lane_world_run(&world, prng_below(&prng, 12 * NS_PER_S));
    lane_set_may_send(world.lane, true, world.now_ns);
    world.holds_events = world.holds_sends = false;
    bool is_drained = lane_world_run_drained(&world, 200 * NS_PER_S);
    lane_world_check(&world);
    assert_true(is_drained);
    assert_true(lane_next_ns(world.lane) == UINT64_MAX);
    assert_int_equal(lane_world_counter(&world, COUNTER_exchanges_open), 0);
    uint64_t events = lane_world_counter(&world, COUNTER_events);
    lane_world_run(&world, 100 * NS_PER_S);
    assert_int_equal(lane_world_counter(&world, COUNTER_events), events);
}

static void whatever_happens_the_accounting_holds_and_the_run_ends(void **state)
{
    (void)state;
    uint64_t requests = 0, renewals = 0, queries = 0, adopted = 0;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        set_up_round(seed);
        uint32_t stage = 0;
        for (unsigned i = 0; i < STEPS; i++) {
            step(&stage);
            lane_world_check(&world);
        }
        end_round();
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(world.servers[i].requests_of_foreign, 0);
            requests += world.servers[i].requests;
            renewals += world.servers[i].renewals;
            queries += world.servers[i].queries;
        }
        adopted += lane_world_counter(&world, COUNTER_leases_adopted);
        lane_world_fini(&world);
    }
    assert_true(queries > 50 && adopted > 50);
    assert_true(requests > 1000 && renewals > 1000); /* and it was not for want of life */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_the_accounting_holds_and_the_run_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
