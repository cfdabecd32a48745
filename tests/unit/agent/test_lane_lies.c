/* SPDX-License-Identifier: MIT */
/* Servers that are not ours, and servers that lie. */
#include "tests/support/testing.h"

#include <string.h>

#include "tests/support/lane_world.h"

static struct lane_world world;

static int tear_down(void **state)
{
    (void)state;
    lane_world_check(&world);
    lane_world_fini(&world);
    return 0;
}

static uint64_t counter(enum snapshot_counter c)
{
    return lane_world_counter(&world, c);
}

static void begin(uint32_t clients, uint32_t servers)
{
    lane_world_init(&world, 1, clients, servers);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 600 * NS_PER_S);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
}

static void go(void)
{
    lane_world_start(&world);
    lane_world_go(&world, 0, 1000, 0);
}

static void bind_all(void)
{
    go();
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_bound), world.plan.client_count);
}

/* --- the OFFER rule --- */

static void an_offer_outside_the_block_is_never_requested(void **state)
{
    (void)state;
    begin(5, 1);
    world.servers[0].foreign_address = inet_from_host(0xc0000201);
    go();
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_REQUEST), 0);
    assert_int_equal(world.servers[0].requests, 0);
    for (size_t i = 0; i < world.sent_count; i++) {
        assert_false(world.sent[i].query.has_requested);
    }
    assert_int_equal(counter(COUNTER_foreign_offers), counter(COUNTER_received_offer));
    struct control_progress progress;
    lane_progress(world.lane, &progress);
    assert_int_equal(progress.foreign_offers, counter(COUNTER_foreign_offers));
    assert_int_equal(inet_host(progress.foreign_offer_addr), 0xc0000201);
    assert_true(inet_equal(progress.foreign_offer_server, world.servers[0].address));
}

static void an_offer_from_a_server_nobody_named_is_never_requested(void **state)
{
    (void)state;
    begin(5, 1);
    world.servers[0].foreign_server_id = inet_from_host(0xc0a80163);
    go();
    lane_world_run(&world, 70 * NS_PER_S);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_REQUEST), 0);
    assert_true(counter(COUNTER_foreign_offers) >= 20);
    assert_true(lane_world_event(&world, 0, EVENT_ACQUIRE, 0)->flags & EVENT_FOREIGN_OFFER);
}

static void beside_a_foreign_offer_the_good_one_is_taken(void **state)
{
    (void)state;
    begin(20, 2);
    world.servers[0].foreign_address = inet_from_host(0xc0000201);
    bind_all();
    assert_true(counter(COUNTER_foreign_offers) > 0);
    assert_int_equal(world.servers[0].requests_of_foreign + world.servers[1].requests_of_foreign,
                     0);
    for (size_t i = 0; i < world.sent_count; i++) {
        assert_true(!world.sent[i].query.has_requested ||
                    inet_net_contains(world.plan.block, world.sent[i].query.requested));
    }
}

/* An ACK that renews into foreign addresses is as little taken as an OFFER of one. */
static void a_foreign_ack_binds_nobody(void **state)
{
    (void)state;
    begin(1, 1);
    bind_all();
    struct model_query q = lane_world_last(&world, 0)->query;
    world.servers[0].is_silent = true;
    lane_world_run(&world, 31 * NS_PER_S);
    q = lane_world_last(&world, 0)->query;
    struct model_reply reply;
    model_server_write(&world.servers[0], &q, DHCP4_TYPE_ACK, inet_from_host(0xc0000201), &reply);
    lane_world_inject(&world, 0, LANE_PORT_CLIENT, 67, reply.bytes, reply.size);
    assert_int_equal(counter(COUNTER_foreign_offers), 1);
    assert_int_equal(counter(COUNTER_leases_renewed), 0);
}

/* --- lies --- */

static void no_lease_time_a_server_may_name_breaks_a_client(void **state)
{
    (void)state;
    static const struct {
        uint32_t lease_s, t1_s, t2_s;
        bool has_t1, has_t2;
    } table[] = {
        {0, 0, 0, false, false},
        {1, 0, 0, false, false},
        {UINT32_MAX, 0, 0, false, false},
        {60, 0, 0, true, true},
        {60, 50, 40, true, true},
        {10, 100, 200, true, true},
        {UINT32_MAX, 1, 0, true, false},
        {60, UINT32_MAX, UINT32_MAX, true, true},
        {2, 1, 1, true, true},
        {4294968, 4294968, 1, true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (i > 0) {
            tear_down(state);
        }
        begin(10, 2);
        world.plan.expect_lease_s = 60;
        for (unsigned k = 0; k < 2; k++) {
            world.servers[k].lease_s = table[i].lease_s;
            world.servers[k].t1_s = table[i].t1_s;
            world.servers[k].t2_s = table[i].t2_s;
            world.servers[k].has_t1 = table[i].has_t1;
            world.servers[k].has_t2 = table[i].has_t2;
        }
        go();
        lane_world_run(&world, 20 * NS_PER_S);
        assert_int_equal(counter(COUNTER_clients_bound), 10);
        assert_true(counter(COUNTER_sent_renew) <= 10 * 20 * 4); /* no storm */
        bool is_odd =
            (lane_world_event(&world, 0, EVENT_ACQUIRE, 0)->flags & EVENT_SHORT_LEASE) != 0;
        assert_int_equal(is_odd, table[i].lease_s != 60);
    }
}

static void a_lease_between_mclt_and_what_is_expected_is_in_order(void **state)
{
    (void)state;
    begin(1, 1);
    world.plan.expect_lease_s = 60;
    world.plan.expect_mclt_s = 30;
    world.servers[0].lease_s = 30;
    bind_all();
    assert_int_equal(lane_world_event(&world, 0, EVENT_ACQUIRE, 0)->flags & EVENT_SHORT_LEASE, 0);
    world.servers[0].lease_s = 29;
    lane_world_run(&world, 16 * NS_PER_S);
    assert_int_not_equal(lane_world_event(&world, 0, EVENT_RENEW, 0)->flags & EVENT_SHORT_LEASE, 0);
    world.servers[0].lease_s = 61;
    lane_world_run(&world, 16 * NS_PER_S);
    assert_int_not_equal(lane_world_event(&world, 0, EVENT_RENEW, 1)->flags & EVENT_SHORT_LEASE, 0);
}

static void an_address_changed_on_renewal_is_told_and_kept(void **state)
{
    (void)state;
    begin(3, 1);
    bind_all();
    world.servers[0].changes_address = true;
    lane_world_run(&world, 31 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_CHANGED), 3);
    const struct event *e = lane_world_event(&world, 1, EVENT_RENEW, 0);
    const struct event *acquire = lane_world_event(&world, 1, EVENT_ACQUIRE, 0);
    assert_int_not_equal(e->flags & EVENT_ADDRESS_CHANGED, 0);
    assert_int_equal(inet_host(e->addr), inet_host(acquire->addr) + 1);
    assert_int_equal(counter(COUNTER_leases_renewed), 3);
}

static void a_mask_that_changes_and_a_wrong_source_port_are_marked(void **state)
{
    (void)state;
    begin(20, 1);
    world.servers[0].changes_mask = true;
    world.servers[0].answers_from_port = 511;
    bind_all();
    size_t masks = 0;
    for (uint32_t client = 0; client < 20; client++) {
        const struct event *e = lane_world_event(&world, client, EVENT_ACQUIRE, 0);
        masks += (e->flags & EVENT_MASK_CHANGED) != 0;
        assert_int_not_equal(e->flags & EVENT_WRONG_PORT, 0);
    }
    assert_in_range(masks, 1, 19);
    assert_int_equal(counter(COUNTER_wrong_source_port), world.arrived);
}

static void an_address_outside_the_relays_subnet_is_taken_and_marked(void **state)
{
    (void)state;
    begin(1, 1);
    world.pools[0].first = inet_from_host(0x0a0af001); /* in the block, in no relay's subnet */
    bind_all();
    assert_int_not_equal(
        lane_world_event(&world, 0, EVENT_ACQUIRE, 0)->flags & EVENT_OUTSIDE_SUBNET, 0);
}

static void option_82_goes_out_with_what_the_relay_forwards_and_its_echo_is_no_harm(void **state)
{
    (void)state;
    begin(10, 2);
    world.relays[0].circuit_id_bytes = 4;
    memcpy(world.relays[0].circuit_id, "eth0", 4);
    bind_all();
    lane_world_run(&world, 40 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_renewed), 10);
    assert_int_equal(counter(COUNTER_fate_malformed), 0);
}

static void a_server_that_answers_twice_makes_duplicates_not_leases(void **state)
{
    (void)state;
    begin(30, 1);
    world.servers[0].answers_twice = true;
    bind_all();
    lane_world_run(&world, 31 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_acquired), 30);
    assert_int_equal(counter(COUNTER_leases_renewed), 30);
    assert_int_equal(counter(COUNTER_fate_duplicate), 90);
    assert_int_equal(counter(COUNTER_fate_answer), 90);
    assert_int_equal(counter(COUNTER_unexpected), 90);
}

static void garbled_answers_are_malformed_and_asked_for_again(void **state)
{
    (void)state;
    begin(100, 1);
    world.servers[0].garbles_every = 10;
    bind_all();
    assert_true(counter(COUNTER_fate_malformed) > 10);
    assert_int_equal(counter(COUNTER_fate_malformed), counter(COUNTER_received_malformed));
    assert_int_equal(counter(COUNTER_leases_acquired), 100);
}

/* An empty pool: who came first renews, the others wait in vain and are told apart from silence. */
static void an_exhausted_pool_leaves_the_rest_without_and_is_no_silence(void **state)
{
    (void)state;
    begin(40, 1);
    world.pools[0].count = 30;
    go();
    lane_world_run(&world, 70 * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_bound), 30);
    assert_int_equal(counter(COUNTER_leases_failed), 10);
    assert_int_equal(lane_world_count_events(&world, EVENT_ACQUIRE, EVENT_GAVE_UP), 20);
    assert_true(counter(COUNTER_leases_renewed) >= 60);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_offer_outside_the_block_is_never_requested),
        TEST(an_offer_from_a_server_nobody_named_is_never_requested),
        TEST(beside_a_foreign_offer_the_good_one_is_taken),
        TEST(a_foreign_ack_binds_nobody),
        TEST(no_lease_time_a_server_may_name_breaks_a_client),
        TEST(a_lease_between_mclt_and_what_is_expected_is_in_order),
        TEST(an_address_changed_on_renewal_is_told_and_kept),
        TEST(a_mask_that_changes_and_a_wrong_source_port_are_marked),
        TEST(an_address_outside_the_relays_subnet_is_taken_and_marked),
        TEST(option_82_goes_out_with_what_the_relay_forwards_and_its_echo_is_no_harm),
        TEST(a_server_that_answers_twice_makes_duplicates_not_leases),
        TEST(garbled_answers_are_malformed_and_asked_for_again),
        TEST(an_exhausted_pool_leaves_the_rest_without_and_is_no_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
