/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <string.h>

#include "tests/support/lane_world.h"

enum { RELAYS = 3, EACH = 10, PROBES = RELAYS * LANE_PREFLIGHT_CLIENTS };

static struct lane_world world;
static const struct control_preflight all_paths = {
    .path = {PLAN_PATH_ROUTED, PLAN_PATH_EGRESS, PLAN_PATH_RELAYED}, .path_count = 3};

static uint64_t counter(enum snapshot_counter c)
{
    return lane_world_counter(&world, c);
}

static int tear_down(void **state)
{
    (void)state;
    lane_world_check(&world);
    lane_world_fini(&world);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    lane_world_init(&world, RELAYS, EACH, 2);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    return 0;
}

/* True when it is over within the time. */
static bool preflight(uint64_t longest_ns)
{
    lane_world_start(&world);
    lane_preflight(world.lane, &all_paths, world.now_ns);
    uint64_t until_ns = world.now_ns + longest_ns;
    while (!lane_preflight_is_done(world.lane) && world.now_ns < until_ns) {
        lane_world_run(&world, NS_PER_MS);
    }
    return lane_preflight_is_done(world.lane);
}

static const struct control_preflight_relay *report(uint32_t relay)
{
    const struct control_preflight_relay *relays;
    assert_int_equal(lane_preflight_relays(world.lane, &relays), RELAYS);
    return &relays[relay];
}

static uint32_t acked(uint32_t relay, enum plan_path path)
{
    for (uint32_t i = 0; i < report(relay)->path_count; i++) {
        if (report(relay)->path[i].path == path) {
            return report(relay)->path[i].renew_acked;
        }
    }
    return 0;
}

/* Nothing of preflight may stay behind: the run begins with clients nobody has touched. */
static void check_untouched(void)
{
    assert_int_equal(counter(COUNTER_clients_never_started), RELAYS * EACH);
    assert_int_equal(counter(COUNTER_leases_acquired) + counter(COUNTER_leases_released) +
                         counter(COUNTER_leases_renewed) + counter(COUNTER_leases_nak) +
                         counter(COUNTER_leases_failed),
                     0);
    assert_int_equal(counter(COUNTER_exchanges_open) + counter(COUNTER_silent_streak), 0);
    assert_int_equal(counter(COUNTER_preflight_events), world.event_count);
    assert_int_equal(counter(COUNTER_preflight_sent), world.sent_count);
    for (size_t i = 0; i < lane_histogram_count(world.lane); i++) {
        struct histogram_key key;
        uint64_t version;
        assert_int_equal(lane_histogram(world.lane, i, &key, &version)->count, 0);
    }
    for (size_t i = 0; i < world.event_count; i++) {
        assert_int_equal(world.events[i].stage, SNAPSHOT_STAGE_PREFLIGHT);
        assert_int_not_equal(world.events[i].flags & EVENT_PREFLIGHT, 0);
    }
}

static void with_silent_servers_it_is_over_within_ten_seconds(void **state)
{
    (void)state;
    world.servers[0].is_silent = world.servers[1].is_silent = true;
    assert_true(preflight(10 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(report(i)->clients, 3);
        assert_int_equal(report(i)->offered + report(i)->bound + report(i)->servers_answered, 0);
    }
    assert_int_equal(world.sent_count, PROBES * 3 * 2); /* three tries, two servers */
    assert_int_equal(counter(COUNTER_preflight_received), 0);
    check_untouched();
}

static void servers_that_refuse_are_told_apart_from_silent_ones(void **state)
{
    (void)state;
    world.servers[0].naks_requests = world.servers[1].naks_requests = true;
    assert_true(preflight(10 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(report(i)->offered, 3);
        assert_int_equal(report(i)->naks, 3);
        assert_int_equal(report(i)->bound, 0);
    }
    assert_int_equal(lane_world_count_events(&world, EVENT_ACQUIRE, EVENT_NAK), PROBES);
    check_untouched();
}

static void a_renewal_refused_ends_the_probe(void **state)
{
    (void)state;
    world.servers[0].naks_renewals = world.servers[1].naks_renewals = true;
    assert_true(preflight(10 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(report(i)->bound, 3);
        assert_int_equal(report(i)->naks, 3);
        assert_int_equal(acked(i, PLAN_PATH_ROUTED), 0);
    }
    check_untouched();
}

static void an_address_outside_the_relays_subnet_is_told(void **state)
{
    (void)state;
    struct ipv4_net subnet = world.relays[1].subnet;
    assert_true(inet_parse_net("10.10.224.0/19", &world.relays[1].subnet));
    assert_true(preflight(20 * NS_PER_S));
    assert_true(inet_is_zero(report(0)->outside_addr));
    assert_int_equal(report(1)->bound, 3);
    assert_true(inet_net_contains(subnet, report(1)->outside_addr));
    check_untouched();
}

static void a_foreign_offer_is_reported_and_not_requested(void **state)
{
    (void)state;
    world.servers[0].foreign_address = inet_from_host(0xc0000201);
    world.servers[1].is_silent = true;
    assert_true(preflight(10 * NS_PER_S));
    assert_int_equal(lane_world_count_sent(&world, DHCP4_REQUEST), 0);
    assert_true(report(0)->foreign_offers >= 3);
    assert_int_equal(report(0)->offered, 0);
    struct control_progress progress;
    lane_progress(world.lane, &progress);
    assert_int_equal(progress.foreign_offers, counter(COUNTER_foreign_offers));
    assert_int_equal(inet_host(progress.foreign_offer_addr), 0xc0000201);
    check_untouched();
}

static void what_cannot_be_sent_is_in_the_report(void **state)
{
    (void)state;
    world.send_error[DHCP4_RENEW] = EADDRNOTAVAIL;
    assert_true(preflight(20 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(report(i)->send_errno, 0);
        for (uint32_t k = 0; k < 3; k++) {
            assert_int_equal(report(i)->path[k].send_errno, EADDRNOTAVAIL);
            assert_int_equal(report(i)->path[k].renew_acked, 0);
        }
    }
}

static void a_discover_that_cannot_be_sent_is_in_the_report(void **state)
{
    (void)state;
    world.send_error[DHCP4_DISCOVER] = ENETUNREACH;
    assert_true(preflight(10 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(report(i)->send_errno, ENETUNREACH);
        assert_int_equal(report(i)->path[0].send_errno, 0);
    }
}

static void a_path_whose_acks_are_lost_is_tried_twice_and_the_next_one_taken(void **state)
{
    (void)state;
    world.servers[0].is_silent_to_renewals = world.servers[1].is_silent_to_renewals = true;
    assert_true(preflight(20 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(acked(i, PLAN_PATH_ROUTED) + acked(i, PLAN_PATH_EGRESS), 0);
        assert_int_equal(acked(i, PLAN_PATH_RELAYED), 3); /* with giaddr, the model answers */
    }
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RENEW), PROBES * (2 + 2 + 1));
    check_untouched();
}

static void on_healthy_paths_each_probe_leases_renews_on_each_and_releases(void **state)
{
    (void)state;
    assert_true(preflight(10 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        const struct control_preflight_relay *r = report(i);
        assert_int_equal(r->relay, i);
        assert_int_equal(r->clients, 3);
        assert_int_equal(r->offered, 3);
        assert_int_equal(r->bound, 3);
        assert_int_equal(r->naks + r->foreign_offers + r->send_errno, 0);
        assert_int_not_equal(r->servers_answered, 0);
        assert_int_equal(r->path_count, 3);
        for (uint32_t k = 0; k < 3; k++) {
            assert_int_equal(r->path[k].path, all_paths.path[k]);
            assert_int_equal(r->path[k].renew_sent, 3);
            assert_int_equal(r->path[k].renew_acked, 3);
            assert_int_equal(r->path[k].wrong_port, 0);
        }
        assert_int_equal(model_pool_live(&world.pools[i], world.now_ns), 0);
    }
    /* Per probe: acquired, renewed on three paths, released. */
    assert_int_equal(world.event_count, PROBES * 5);
    assert_int_equal(counter(COUNTER_sent_release), PROBES);
    check_untouched();
}

static void each_path_renews_in_its_own_way(void **state)
{
    (void)state;
    assert_true(preflight(10 * NS_PER_S));
    const struct lane_world_sent *routed = lane_world_nth(&world, 0, DHCP4_RENEW, 0);
    const struct lane_world_sent *egress = lane_world_nth(&world, 0, DHCP4_RENEW, 1);
    const struct lane_world_sent *relayed = lane_world_nth(&world, 0, DHCP4_RENEW, 2);
    assert_true(inet_equal(routed->source, routed->query.ciaddr));
    assert_int_equal(routed->port, LANE_PORT_CLIENT);
    assert_true(inet_is_zero(egress->source) && inet_is_zero(egress->query.giaddr));
    assert_int_equal(egress->port, LANE_PORT_CLIENT);
    assert_true(inet_equal(relayed->query.giaddr, world.relays[0].giaddr));
    assert_int_equal(relayed->port, LANE_PORT_SERVER);
}

static void renewals_from_a_wrong_port_are_counted_per_path(void **state)
{
    (void)state;
    world.servers[0].answers_from_port = world.servers[1].answers_from_port = 402;
    assert_true(preflight(10 * NS_PER_S));
    assert_int_equal(report(1)->path[0].wrong_port, 3);
    assert_int_equal(report(1)->path[0].last_wrong_port, 402);
}

static void a_second_preflight_of_the_run_does_nothing(void **state)
{
    (void)state;
    assert_true(preflight(10 * NS_PER_S));
    size_t sent = world.sent_count;
    lane_preflight(world.lane, &all_paths, world.now_ns);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
    assert_true(lane_preflight_is_done(world.lane));
}

static void after_preflight_the_run_begins_as_if_there_had_been_none(void **state)
{
    (void)state;
    assert_true(preflight(10 * NS_PER_S));
    uint64_t preflight_sent = world.sent_count;
    lane_world_go(&world, 0, 10, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), RELAYS * EACH);
    assert_int_equal(counter(COUNTER_preflight_sent), preflight_sent);
    assert_int_equal(counter(COUNTER_preflight_events), PROBES * 5);
    for (uint32_t client = 0; client < 3; client++) {
        /* Not the xid of the probe's DISCOVER: a late reply to that answers nobody. */
        assert_int_not_equal(lane_world_nth(&world, client, DHCP4_DISCOVER, 1)->query.xid,
                             lane_world_nth(&world, client, DHCP4_DISCOVER, 0)->query.xid);
    }
}

static void without_a_run_lease_nothing_is_sent(void **state)
{
    (void)state;
    lane_world_start(&world);
    lane_set_may_send(world.lane, false, world.now_ns);
    lane_preflight(world.lane, &all_paths, world.now_ns);
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(world.sent_count, 0);
    assert_false(lane_preflight_is_done(world.lane));
}

/* The coordinator does not do that; the counters must not suffer if it does. */
static void a_stage_that_begins_too_early_ends_the_preflight(void **state)
{
    (void)state;
    world.servers[0].is_silent_to_renewals = world.servers[1].is_silent_to_renewals = true;
    assert_false(preflight(NS_PER_S));
    lane_world_go(&world, 0, 10, 0);
    assert_true(lane_preflight_is_done(world.lane));
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), RELAYS * EACH);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
}

static void a_drain_in_the_middle_leaves_no_lease_behind(void **state)
{
    (void)state;
    world.servers[0].is_silent_to_renewals = world.servers[1].is_silent_to_renewals = true;
    assert_false(preflight(NS_PER_S)); /* bound, waiting for the renewal */
    assert_int_equal(model_pool_live(&world.pools[0], world.now_ns), 3);
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_true(lane_world_run_drained(&world, 5 * NS_PER_S));
    lane_world_run(&world, 10 * NS_PER_MS);
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(model_pool_live(&world.pools[i], world.now_ns), 0);
    }
    check_untouched();
}

static void a_relay_with_fewer_than_three_clients_probes_with_those_it_has(void **state)
{
    (void)state;
    lane_world_fini(&world);
    lane_world_init(&world, RELAYS, 2, 1);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    assert_true(preflight(10 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(report(i)->clients, 2);
        assert_int_equal(report(i)->bound, 2);
    }
}

static void a_preflight_without_paths_still_leases_and_releases(void **state)
{
    (void)state;
    struct control_preflight none = {.path_count = 0};
    lane_world_start(&world);
    lane_preflight(world.lane, &none, world.now_ns);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_true(lane_preflight_is_done(world.lane));
    assert_int_equal(report(0)->bound, 3);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RENEW), 0);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RELEASE), PROBES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- the stranger --- */

static bool preflight_with_stranger(uint64_t longest_ns)
{
    struct control_preflight command = all_paths;
    command.asks_unmarked = true;
    lane_world_start(&world);
    lane_preflight(world.lane, &command, world.now_ns);
    uint64_t until_ns = world.now_ns + longest_ns;
    while (!lane_preflight_is_done(world.lane) && world.now_ns < until_ns) {
        lane_world_run(&world, NS_PER_MS);
    }
    return lane_preflight_is_done(world.lane);
}

/* Packets in a stranger's name; none may be anything but a DISCOVER of its relay. */
static size_t of_strangers(void)
{
    size_t count = 0;
    for (size_t i = 0; i < world.sent_count; i++) {
        const struct lane_world_sent *s = &world.sent[i];
        if (preflight_is_unmarked(s->query.chaddr)) {
            count++;
            assert_int_equal(s->intent, DHCP4_DISCOVER);
            assert_int_equal(s->port, LANE_PORT_SERVER);
            assert_false(s->query.has_vendor_class || s->query.has_client_id);
            assert_int_equal(s->query.chaddr.byte[5], s->carrier);
            assert_int_equal(s->query.xid >> 24, world.plan.relays[s->carrier].xid_slot);
            assert_int_equal(s->query.giaddr.be, world.plan.relays[s->carrier].giaddr.be);
        }
    }
    return count;
}

static void a_stranger_that_is_offered_a_test_address_asks_for_nothing(void **state)
{
    (void)state;
    assert_true(preflight_with_stranger(10 * NS_PER_S));
    assert_int_equal(of_strangers(), RELAYS * 2); /* once to each server */
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_true(report(i)->was_unmarked_asked);
        assert_int_not_equal(report(i)->unmarked_offers, 0);
        assert_true(inet_net_contains(world.plan.block, report(i)->unmarked_addr));
        assert_int_equal(report(i)->bound, 3);
    }
    assert_int_equal(counter(COUNTER_fate_alien), 0);
    check_untouched();
}

static void a_stranger_that_nobody_answers_gives_up_soon(void **state)
{
    (void)state;
    world.servers[0].is_silent = world.servers[1].is_silent = true;
    assert_true(preflight_with_stranger(5 * NS_PER_S));
    assert_int_equal(of_strangers(), RELAYS * 2 * 2); /* twice */
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_true(report(i)->was_unmarked_asked);
        assert_int_equal(report(i)->unmarked_offers, 0);
    }
    check_untouched();
}

static void a_stranger_that_gets_another_address_is_no_news(void **state)
{
    (void)state;
    world.servers[0].foreign_address = inet_from_host(0xc0000201);
    world.servers[1].is_silent = true;
    assert_true(preflight_with_stranger(10 * NS_PER_S));
    assert_true(of_strangers() > 0);
    assert_int_equal(report(0)->unmarked_offers, 0);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_REQUEST), 0);
    check_untouched();
}

static void a_stranger_ends_with_a_drain(void **state)
{
    (void)state;
    struct control_preflight command = all_paths;
    command.asks_unmarked = true;
    world.servers[0].is_silent = world.servers[1].is_silent = true;
    lane_world_start(&world);
    lane_preflight(world.lane, &command, world.now_ns);
    lane_world_run(&world, 100 * NS_PER_MS);
    size_t before = of_strangers();
    assert_true(before > 0);
    lane_world_drain(&world, DRAIN_NOW, 0);
    assert_true(lane_world_run_drained(&world, NS_PER_S));
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(of_strangers(), before);
}

/* --- what the leases and renewals were like --- */

static void terms_of_the_leases_are_in_the_report(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world.servers[i].lease_s = 120;
        world.servers[i].has_t1 = world.servers[i].has_t2 = true;
        world.servers[i].t1_s = 50;
        world.servers[i].t2_s = 90;
    }
    assert_true(preflight(10 * NS_PER_S));
    for (uint32_t i = 0; i < RELAYS; i++) {
        assert_int_equal(report(i)->lease_least_s, 120);
        assert_int_equal(report(i)->lease_most_s, 120);
        assert_int_equal(report(i)->t1_s, 50);
        assert_int_equal(report(i)->t2_s, 90);
        assert_false(report(i)->was_unmarked_asked);
    }
}

/* Renewals by way of each server: as many as its clients, on every path. */
static void ports_of_the_renewals_are_told_per_server(void **state)
{
    (void)state;
    static const struct {
        uint16_t port;
        uint32_t low, other;
    } cases[] = {{0, 0, 0}, {300, 3, 0}, {511, 3, 0}, {512, 0, 3}, {5000, 0, 3}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        lane_world_fini(&world);
        set_up(NULL);
        world.servers[1].is_silent = true;
        world.servers[0].answers_from_port = cases[i].port;
        assert_true(preflight(10 * NS_PER_S));
        const struct control_preflight_relay *r = report(0);
        assert_int_equal(r->way_count, 3);
        for (uint32_t k = 0; k < r->way_count; k++) {
            assert_int_equal(r->way[k].server, 0);
            assert_int_equal(r->way[k].sent, 3);
            assert_int_equal(r->way[k].acked, 3);
            assert_int_equal(r->way[k].low_ports, cases[i].low);
            assert_int_equal(r->way[k].other_ports, cases[i].other);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(with_silent_servers_it_is_over_within_ten_seconds),
        TEST(servers_that_refuse_are_told_apart_from_silent_ones),
        TEST(a_renewal_refused_ends_the_probe),
        TEST(an_address_outside_the_relays_subnet_is_told),
        TEST(a_foreign_offer_is_reported_and_not_requested),
        TEST(what_cannot_be_sent_is_in_the_report),
        TEST(a_discover_that_cannot_be_sent_is_in_the_report),
        TEST(a_path_whose_acks_are_lost_is_tried_twice_and_the_next_one_taken),
        TEST(without_a_run_lease_nothing_is_sent),
        TEST(on_healthy_paths_each_probe_leases_renews_on_each_and_releases),
        TEST(each_path_renews_in_its_own_way),
        TEST(renewals_from_a_wrong_port_are_counted_per_path),
        TEST(a_second_preflight_of_the_run_does_nothing),
        TEST(after_preflight_the_run_begins_as_if_there_had_been_none),
        TEST(a_stage_that_begins_too_early_ends_the_preflight),
        TEST(a_drain_in_the_middle_leaves_no_lease_behind),
        TEST(a_relay_with_fewer_than_three_clients_probes_with_those_it_has),
        TEST(a_preflight_without_paths_still_leases_and_releases),
        cmocka_unit_test_setup_teardown(a_stranger_that_is_offered_a_test_address_asks_for_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stranger_that_nobody_answers_gives_up_soon, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stranger_that_gets_another_address_is_no_news, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stranger_ends_with_a_drain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(terms_of_the_leases_are_in_the_report, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ports_of_the_renewals_are_told_per_server, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
