/* SPDX-License-Identifier: MIT */
/* Leases of an earlier run: taken over, released, asked about. */
#include "tests/support/testing.h"

#include <string.h>

#include "tests/support/lane_world.h"

enum { CLIENTS = 40, ACQUIRE = 0, RELEASE, QUERY, REBOOT, LOAD, RENEW };

static struct lane_world world;

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

static void begin(void)
{
    lane_world_init(&world, 2, CLIENTS / 2, 2);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_RELEASE, 0);
    lane_world_add_stage(&world, PLAN_QUERY, 0);
    lane_world_add_stage(&world, PLAN_REBOOT, 0);
    lane_world_add_stage(&world, PLAN_LOAD, 0);
    lane_world_add_stage(&world, PLAN_RENEW, 0);
    world.plan.stages[LOAD].rate_milli_per_s = 1000000;
    world.plan.stages[LOAD].renew_weight = 1;
    lane_world_start(&world);
}

/* What the earlier run left in the servers' books: each client its address, by turns on a and b. */
static struct control_adopted left(uint32_t client)
{
    struct model_pool *pool = &world.pools[client / (CLIENTS / 2)];
    struct mac mac = plan_client_mac(&world.plan, client);
    struct ipv4 addr = model_pool_grant(pool, mac, world.now_ns + 86400 * NS_PER_S);
    return (struct control_adopted){client, addr, world.servers[client % 2].address};
}

static size_t adopt_rows(const struct control_adopted *rows, size_t count)
{
    struct control_adopt command = {rows, count};
    return lane_adopt(world.lane, &command, world.now_ns);
}

static void adopt(uint32_t count)
{
    struct control_adopted rows[CLIENTS];
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = left(i);
    }
    assert_int_equal(adopt_rows(rows, count), count);
}

/* The model's books are by MAC; what the clean-up must bring about is that nobody has a lease. */
static uint32_t live(void)
{
    return model_pool_live(&world.pools[0], world.now_ns) +
           model_pool_live(&world.pools[1], world.now_ns);
}

static void release_by_books(void)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        world.pools[i / (CLIENTS / 2)].leases[i % (CLIENTS / 2)].until_ns = 0;
    }
}

static bool play(uint64_t round, uint32_t stage)
{
    struct control_go go = {.round = round,
                            .stage = stage,
                            .start_at_ns = world.now_ns,
                            .client_limit = CLIENTS,
                            .rate_milli_per_s = 1000000,
                            .is_last_step = true};
    lane_go(world.lane, &go, world.now_ns);
    bool is_done = lane_world_run_step(&world, 60 * NS_PER_S);
    lane_world_run(&world, 10 * NS_PER_MS);
    return is_done;
}

static size_t results(enum event_result result)
{
    return lane_world_count_events(&world, EVENT_QUERY, result);
}

/* --- taking over --- */

static void what_is_not_ours_is_not_taken_over(void **state)
{
    (void)state;
    begin();
    struct control_adopted good = left(3);
    struct control_adopted rows[4] = {good, good, good, good};
    rows[0].client = CLIENTS;
    rows[1].addr = inet_from_host(0x0b000001);
    rows[2].server = inet_from_host(0x0b000001);
    rows[3].client = UINT32_MAX;
    assert_int_equal(adopt_rows(rows, 4), 0);
    assert_int_equal(counter(COUNTER_clients_never_started), CLIENTS);
    assert_int_equal(counter(COUNTER_leases_adopted), 0);
}

static void a_client_takes_over_one_lease(void **state)
{
    (void)state;
    begin();
    struct control_adopted rows[3] = {left(3), left(3), left(5)};
    rows[1].addr = inet_from_host(inet_host(rows[0].addr) + 9);
    assert_int_equal(adopt_rows(rows, 3), 2);
    assert_int_equal(adopt_rows(rows, 3), 0);
    assert_int_equal(counter(COUNTER_leases_adopted), 2);
    assert_int_equal(counter(COUNTER_clients_bound), 2);
    assert_true(play(1, RELEASE));
    assert_true(inet_equal(lane_world_event(&world, 3, EVENT_RELEASE, 0)->addr, rows[0].addr));
}

static void nothing_is_taken_over_once_the_run_goes(void **state)
{
    (void)state;
    begin();
    struct control_adopted row = left(3);
    assert_true(play(1, QUERY));
    assert_int_equal(adopt_rows(&row, 1), 0);
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_int_equal(adopt_rows(&row, 1), 0);
    assert_int_equal(counter(COUNTER_clients_bound), 0);
}

static void a_client_of_the_preflight_has_its_own_lease(void **state)
{
    (void)state;
    begin();
    struct control_preflight preflight = {.path = {PLAN_PATH_EGRESS}, .path_count = 1};
    struct control_adopted rows[2] = {left(0), left(4)};
    lane_preflight(world.lane, &preflight, world.now_ns);
    assert_int_equal(adopt_rows(rows, 2), 1);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_bound), 1);
}

static void there_is_no_preflight_with_adopted_leases(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    struct control_preflight preflight = {.path = {PLAN_PATH_EGRESS}, .path_count = 1};
    lane_preflight(world.lane, &preflight, world.now_ns);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(world.sent_count, 0);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
}

static void an_adopted_lease_is_neither_renewed_nor_rebooted_nor_acquired(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    lane_world_run(&world, 4000 * NS_PER_S);
    assert_true(play(1, ACQUIRE));
    assert_true(play(1, REBOOT));
    uint64_t planned = counter(COUNTER_planned_starts);
    lane_world_go_arrivals(&world, 2, LOAD, 1000000, 30);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(world.sent_count, 0);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    assert_int_equal(counter(COUNTER_planned_starts) - planned, 30);
    assert_int_equal(counter(COUNTER_actual_starts), 0);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
}

static void drain_and_both_kinds_of_release_release_them(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    assert_int_equal(live(), CLIENTS);
    lane_world_go_arrivals(&world, 1, RELEASE, 1000000, 10);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    lane_world_run(&world, 10 * NS_PER_MS);
    assert_int_equal(live(), CLIENTS - 10);
    struct control_go go = {
        .round = 2, .stage = RELEASE, .start_at_ns = world.now_ns, .client_limit = 10};
    lane_go(world.lane, &go, world.now_ns);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS - 20);
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_true(lane_world_run_drained(&world, 30 * NS_PER_S));
    lane_world_run(&world, 10 * NS_PER_MS);
    assert_int_equal(live(), 0);
    assert_int_equal(counter(COUNTER_clients_released), CLIENTS);
    assert_int_equal(counter(COUNTER_leases_released), CLIENTS);
    /* Each through the server that granted it. */
    assert_int_equal(world.servers[0].releases, CLIENTS / 2);
    assert_int_equal(world.servers[1].releases, CLIENTS / 2);
}

/* Taken once more from who granted it; who gets no answer still has its lease to give back. */
static void an_adopted_lease_is_renewed_once_when_told_to(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    world.servers[1].is_silent = true;
    assert_true(play(1, RENEW));
    assert_int_equal(counter(COUNTER_sent_renew), CLIENTS);
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_ACK), CLIENTS / 2);
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_GAVE_UP), CLIENTS / 2);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    world.servers[1].is_silent = false;
    assert_true(play(2, RELEASE));
    assert_int_equal(world.servers[0].releases, CLIENTS / 2);
    assert_int_equal(world.servers[1].releases, CLIENTS / 2);
    assert_int_equal(live(), 0);
}

/* --- asking --- */

static void a_query_is_the_relays_own_and_goes_to_the_server_that_granted(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    assert_true(play(1, QUERY));
    assert_int_equal(results(EVENT_LEASED), CLIENTS);
    assert_int_equal(counter(COUNTER_sent_query), CLIENTS);
    assert_int_equal(counter(COUNTER_received_other), CLIENTS);
    assert_int_equal(counter(COUNTER_fate_answer), CLIENTS);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    for (size_t i = 0; i < world.sent_count; i++) {
        const struct lane_world_sent *s = &world.sent[i];
        static const struct mac none;
        assert_int_equal(s->intent, DHCP4_QUERY);
        assert_int_equal(s->port, LANE_PORT_SERVER);
        assert_int_equal(s->query.type, DHCP4_TYPE_LEASEQUERY);
        assert_true(inet_equal(s->query.giaddr, world.relays[s->client / (CLIENTS / 2)].giaddr));
        assert_true(inet_equal(s->query.ciaddr, left(s->client).addr));
        assert_true(inet_equal(s->destination, left(s->client).server));
        assert_memory_equal(&s->query.chaddr, &none, sizeof(none));
        assert_false(s->query.has_client_id);
        assert_false(s->query.has_vendor_class);
        assert_true(s->query.has_parameters);
        assert_int_equal(s->query.xid >> 24, world.relays[s->client / (CLIENTS / 2)].xid_slot);
        const struct event *e = lane_world_event(&world, s->client, EVENT_QUERY, 0);
        assert_true(inet_equal(e->server, s->destination));
        assert_true(inet_equal(e->addr, s->query.ciaddr));
        assert_int_equal(e->xid, s->query.xid);
        assert_int_equal(e->tries, 1);
        assert_int_equal(e->took_us, 2000);
    }
}

static void what_nobody_or_somebody_else_holds_is_not_ours(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    release_by_books();
    world.pools[0].leases[7].until_ns = UINT64_MAX;
    world.pools[0].leases[7].mac = (struct mac){{2, 1, 2, 3, 4, 5}};
    world.pools[1].count = 5; /* the other fifteen addresses are not in its configuration */
    assert_true(play(1, QUERY));
    assert_int_equal(results(EVENT_UNASSIGNED), CLIENTS - 15);
    assert_int_equal(results(EVENT_UNKNOWN), 15);
    assert_int_equal(lane_world_event(&world, 7, EVENT_QUERY, 0)->result, EVENT_UNASSIGNED);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    world.pools[1].count = 16000;
}

static void a_query_is_asked_twice_two_seconds_apart_and_given_up(void **state)
{
    (void)state;
    begin();
    adopt(3);
    world.servers[0].ignores_queries = world.servers[1].ignores_queries = true;
    uint64_t from_ns = world.now_ns;
    assert_true(play(1, QUERY));
    assert_in_range(world.now_ns - from_ns, 4 * NS_PER_S, 4100 * NS_PER_MS);
    assert_int_equal(counter(COUNTER_sent_query), 6);
    assert_int_equal(results(EVENT_GAVE_UP), 3);
    const struct lane_world_sent *first = lane_world_nth(&world, 1, DHCP4_QUERY, 0);
    const struct lane_world_sent *second = lane_world_nth(&world, 1, DHCP4_QUERY, 1);
    assert_int_equal(second->at_ns - first->at_ns, 2 * NS_PER_S);
    assert_int_equal(second->query.xid, first->query.xid);
    assert_int_equal(counter(COUNTER_silent_streak), 0);
    assert_int_equal(counter(COUNTER_clients_bound), 3);
    /* Released ones are asked about as well, and stay released. */
    assert_true(play(2, RELEASE));
    assert_true(play(3, QUERY));
    assert_int_equal(results(EVENT_GAVE_UP), 6);
    assert_int_equal(counter(COUNTER_sent_query), 12);
    assert_int_equal(counter(COUNTER_clients_released), 3);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
}

/* A storm of RELEASEs that nobody read: found by asking, repeated, and then it holds. */
static void a_lost_release_is_found_and_repeated(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    world.servers[0].loses_releases = true;
    assert_true(play(1, RELEASE));
    assert_int_equal(counter(COUNTER_clients_released), CLIENTS);
    assert_int_equal(live(), CLIENTS / 2);
    assert_true(play(1, QUERY));
    assert_int_equal(results(EVENT_LEASED), CLIENTS / 2);
    assert_int_equal(results(EVENT_UNASSIGNED), CLIENTS / 2);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS / 2);
    assert_int_equal(counter(COUNTER_clients_released), CLIENTS / 2);
    lane_world_run(&world, 4000 * NS_PER_S); /* nothing about it renews or expires */
    assert_int_equal(counter(COUNTER_sent_renew), 0);
    world.servers[0].loses_releases = false;
    assert_true(play(2, RELEASE));
    assert_int_equal(counter(COUNTER_leases_released), CLIENTS + CLIENTS / 2);
    assert_true(play(2, QUERY));
    assert_int_equal(results(EVENT_UNASSIGNED), CLIENTS / 2 + CLIENTS);
    assert_int_equal(counter(COUNTER_clients_released), CLIENTS);
    assert_int_equal(live(), 0);
}

/* The same for leases of this very run: T1 of a lease that was released is nobody's. */
static void a_lease_of_this_run_that_is_still_held_is_not_renewed(void **state)
{
    (void)state;
    begin();
    lane_world_go(&world, ACQUIRE, 100, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    world.servers[0].loses_releases = world.servers[1].loses_releases = true;
    assert_true(play(0, RELEASE));
    assert_true(play(0, QUERY));
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    lane_world_run(&world, 200 * NS_PER_S);
    assert_int_equal(counter(COUNTER_sent_renew), 0);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
}

/* --- answers that are none --- */

static void an_answer_is_told_by_its_number(void **state)
{
    (void)state;
    begin();
    adopt(2);
    world.servers[0].answers_twice = world.servers[1].answers_twice = true;
    assert_true(play(1, QUERY));
    assert_int_equal(counter(COUNTER_fate_duplicate), 2);
    /* Numbers nobody asked with, an older exchange's, and one about another address. */
    const struct lane_world_sent *asked = lane_world_nth(&world, 1, DHCP4_QUERY, 0);
    struct model_query q = asked->query;
    struct model_reply r;
    q.xid += 1000;
    model_server_write(&world.servers[1], &q, DHCP4_TYPE_LEASEUNKNOWN, (struct ipv4){0}, &r);
    lane_world_inject(&world, 0, LANE_PORT_SERVER, 67, r.bytes, r.size);
    assert_int_equal(counter(COUNTER_fate_late), 1);
    world.servers[0].ignores_queries = world.servers[1].ignores_queries = true;
    struct control_go go = {
        .round = 2, .stage = QUERY, .start_at_ns = world.now_ns, .client_limit = CLIENTS};
    lane_go(world.lane, &go, world.now_ns);
    lane_world_run(&world, 100 * NS_PER_MS);
    q = lane_world_nth(&world, 1, DHCP4_QUERY, 1)->query;
    assert_true(q.xid != asked->query.xid);
    model_server_write(&world.servers[1], &q, DHCP4_TYPE_LEASEACTIVE, (struct ipv4){0}, &r);
    lane_world_inject(&world, 0, LANE_PORT_SERVER, 67, r.bytes, r.size); /* ciaddr is zero */
    assert_int_equal(counter(COUNTER_fate_late), 2);
    model_server_write(&world.servers[1], &q, DHCP4_TYPE_LEASEUNKNOWN, (struct ipv4){0}, &r);
    lane_world_inject(&world, 1, LANE_PORT_SERVER, 67, r.bytes, r.size); /* at the other relay */
    assert_int_equal(counter(COUNTER_fate_misrouted), 1);
    assert_int_equal(results(EVENT_UNKNOWN), 0);
    lane_world_inject(&world, 0, LANE_PORT_SERVER, 67, r.bytes, r.size);
    lane_world_run(&world, NS_PER_MS);
    assert_int_equal(results(EVENT_UNKNOWN), 1);
}

static void a_lane_that_asks_nothing_takes_no_answer(void **state)
{
    (void)state;
    lane_world_init(&world, 1, 4, 1);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_start(&world);
    lane_world_go(&world, ACQUIRE, 10, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    struct model_query q = lane_world_nth(&world, 1, DHCP4_REQUEST, 0)->query;
    struct model_reply r;
    model_server_write(&world.servers[0], &q, DHCP4_TYPE_LEASEACTIVE, (struct ipv4){0}, &r);
    lane_world_inject(&world, 0, LANE_PORT_SERVER, 67, r.bytes, r.size);
    assert_int_equal(counter(COUNTER_received_other), 1);
    assert_int_equal(counter(COUNTER_fate_duplicate), 1);
}

static void a_drain_ends_open_queries(void **state)
{
    (void)state;
    begin();
    adopt(CLIENTS);
    world.servers[0].ignores_queries = world.servers[1].ignores_queries = true;
    assert_true(play(1, RELEASE));
    struct control_go go = {
        .round = 2, .stage = QUERY, .start_at_ns = world.now_ns, .client_limit = CLIENTS};
    lane_go(world.lane, &go, world.now_ns);
    lane_world_run(&world, 100 * NS_PER_MS);
    assert_int_equal(counter(COUNTER_exchanges_open), CLIENTS);
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_true(lane_world_run_drained(&world, 30 * NS_PER_S));
    assert_int_equal(results(EVENT_GAVE_UP), CLIENTS);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_ours_is_not_taken_over),
        TEST(a_client_takes_over_one_lease),
        TEST(nothing_is_taken_over_once_the_run_goes),
        TEST(a_client_of_the_preflight_has_its_own_lease),
        TEST(there_is_no_preflight_with_adopted_leases),
        TEST(an_adopted_lease_is_neither_renewed_nor_rebooted_nor_acquired),
        TEST(drain_and_both_kinds_of_release_release_them),
        TEST(an_adopted_lease_is_renewed_once_when_told_to),
        TEST(a_query_is_the_relays_own_and_goes_to_the_server_that_granted),
        TEST(what_nobody_or_somebody_else_holds_is_not_ours),
        TEST(a_query_is_asked_twice_two_seconds_apart_and_given_up),
        TEST(a_lost_release_is_found_and_repeated),
        TEST(a_lease_of_this_run_that_is_still_held_is_not_renewed),
        TEST(an_answer_is_told_by_its_number),
        TEST(a_lane_that_asks_nothing_takes_no_answer),
        TEST(a_drain_ends_open_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
