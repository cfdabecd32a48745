/* SPDX-License-Identifier: MIT */
/* A healthy life from the first DISCOVER to the last RELEASE; what each packet of it looks like. */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/lane_world.h"

enum { CLIENTS = 1000, HALF = CLIENTS / 2 };

static struct lane_world world;

static int tear_down(void **state)
{
    (void)state;
    lane_world_fini(&world);
    return 0;
}

static void begin(void)
{
    lane_world_init(&world, 2, HALF, 2);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 100 * NS_PER_S);
}

/* Acquire, hold, drain with releases. */
static void live(struct lane_world *w)
{
    lane_world_start(w);
    lane_world_go(w, 0, 100, 0);
    assert_true(lane_world_run_step(w, 60 * NS_PER_S));
    lane_world_go(w, 1, 0, 0);
    assert_true(lane_world_run_step(w, 200 * NS_PER_S));
    lane_world_drain(w, DRAIN_GRACEFUL, 500000);
    assert_true(lane_world_run_drained(w, 60 * NS_PER_S));
    lane_world_check(w);
}

static uint64_t counter(enum snapshot_counter c)
{
    return lane_world_counter(&world, c);
}

static void a_thousand_clients_live_from_discover_to_release_and_every_sum_agrees(void **state)
{
    (void)state;
    begin();
    live(&world);
    assert_int_equal(counter(COUNTER_leases_acquired), CLIENTS);
    assert_int_equal(counter(COUNTER_leases_released), CLIENTS);
    assert_int_equal(counter(COUNTER_clients_released), CLIENTS);
    assert_int_equal(counter(COUNTER_leases_reacquired), 0);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
    assert_int_equal(counter(COUNTER_leases_rebound), 0);
    assert_int_equal(counter(COUNTER_leases_failed), 0);
    assert_int_equal(counter(COUNTER_leases_nak), 0);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
    assert_int_equal(counter(COUNTER_results_coalesced), 0);
    assert_int_equal(counter(COUNTER_fate_late), 0);
    assert_int_equal(counter(COUNTER_wrong_source_port), 0);
    assert_int_equal(counter(COUNTER_actual_starts), CLIENTS);
    assert_int_equal(counter(COUNTER_planned_starts), CLIENTS);
    /* The pair's other server offers as well: one OFFER each is the partner's. */
    assert_int_equal(counter(COUNTER_fate_duplicate), CLIENTS);
    uint64_t renewed = counter(COUNTER_leases_renewed);
    assert_true(renewed >= 3 * CLIENTS && renewed <= 4 * CLIENTS);
    assert_int_equal(counter(COUNTER_received_ack), CLIENTS + renewed);
    assert_int_equal(counter(COUNTER_fate_answer), 2 * CLIENTS + renewed);
    assert_int_equal(world.event_count, 2 * CLIENTS + renewed);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(model_pool_live(&world.pools[i], world.now_ns), 0);
        assert_int_equal(world.pools[i].used, HALF);
    }
    assert_int_equal(world.servers[0].releases + world.servers[1].releases, CLIENTS);
}

static void renewals_leave_at_the_exact_instant_of_t1(void **state)
{
    (void)state;
    begin();
    live(&world);
    for (uint32_t client = 0; client < CLIENTS; client += 37) {
        uint64_t lease_ns = lane_world_nth(&world, client, DHCP4_REQUEST, 0)->at_ns;
        for (size_t n = 0; n < 3; n++) {
            const struct lane_world_sent *renew = lane_world_nth(&world, client, DHCP4_RENEW, n);
            assert_non_null(renew);
            assert_true(renew->at_ns == lease_ns + 30 * NS_PER_S);
            assert_int_equal(renew->query.secs, 0);
            lease_ns = renew->at_ns; /* the lease counts from when its request was sent */
            const struct event *e = lane_world_event(&world, client, EVENT_RENEW, n);
            assert_int_equal(e->took_us, 2000);
            assert_int_equal(e->wait_us, 2000);
            assert_int_equal(e->tries, 1);
            assert_int_equal(e->lease_s, 60);
            assert_int_equal(e->stage, 1);
        }
    }
}

static uint64_t samples(enum latency_metric metric, enum latency_clock clock, uint8_t stage,
                        uint64_t *out_max_ns)
{
    uint64_t count = 0;
    *out_max_ns = 0;
    for (size_t i = 0; i < lane_histogram_count(world.lane); i++) {
        struct histogram_key key;
        uint64_t version;
        const struct histogram *h = lane_histogram(world.lane, i, &key, &version);
        if (key.metric == metric && key.clock == clock && key.stage == stage && h->count > 0) {
            count += h->count;
            *out_max_ns = h->max_ns > *out_max_ns ? h->max_ns : *out_max_ns;
            assert_true(version >= h->count);
        }
    }
    return count;
}

/* An ACK so late that T1 of its lease, which counts from the request, is over when it comes. */
static void a_renewal_is_due_when_its_lease_is_known_and_not_before(void **state)
{
    (void)state;
    lane_world_init(&world, 1, 10, 1);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 100 * NS_PER_S);
    world.servers[0].lease_s = 20;
    lane_world_start(&world);
    lane_world_go(&world, 0, 10, 0);
    assert_true(lane_world_run_step(&world, 5 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, 9 * NS_PER_S);
    world.servers[0].lease_s = 5; /* T1 after 2.5 s, the ACK after 2.8 s */
    world.latency_ns = 1400 * NS_PER_MS;
    lane_world_run(&world, 2500 * NS_PER_MS);
    world.latency_ns = NS_PER_MS;
    lane_world_run(&world, 3 * NS_PER_S);
    for (uint32_t client = 0; client < 10; client++) {
        const struct lane_world_sent *late = lane_world_nth(&world, client, DHCP4_RENEW, 0);
        const struct lane_world_sent *next = lane_world_nth(&world, client, DHCP4_RENEW, 1);
        assert_non_null(next);
        assert_true(next->at_ns - late->at_ns >= 2800 * NS_PER_MS);
        assert_true(next->at_ns - late->at_ns <= 2802 * NS_PER_MS);
        assert_true(lane_world_event(&world, client, EVENT_RENEW, 1)->wait_us <= 3000);
    }
    uint64_t max_ns;
    assert_true(samples(LATENCY_SEND_LAG, LATENCY_INTENDED, 1, &max_ns) >= 20);
    assert_true(max_ns <= NS_PER_MS);
}

static void an_acquisition_is_told_with_all_its_times(void **state)
{
    (void)state;
    begin();
    live(&world);
    for (uint32_t client = 0; client < CLIENTS; client += 41) {
        const struct event *e = lane_world_event(&world, client, EVENT_ACQUIRE, 0);
        const struct lane_world_sent *discover = lane_world_nth(&world, client, DHCP4_DISCOVER, 0);
        assert_int_equal(e->result, EVENT_ACK);
        assert_int_equal(e->flags, EVENT_FIRST_LEASE | EVENT_OFFER_SEEN);
        assert_int_equal(e->offer_us, 2000);
        assert_int_equal(e->took_us, 4000);
        assert_int_equal(e->wait_us, 4000);
        assert_int_equal(e->tries, 2);
        assert_int_equal(e->xid, discover->query.xid);
        assert_true(e->t_us == discover->at_ns / NS_PER_US + 4000);
        assert_int_equal(e->stage, 0);
        assert_true(inet_net_contains(world.relays[client / HALF].subnet, e->addr));
    }
}

static void latencies_are_recorded_once_per_exchange_on_both_clocks(void **state)
{
    (void)state;
    begin();
    live(&world);
    uint64_t max_ns;
    for (unsigned clock = 0; clock < LATENCY_CLOCK_COUNT; clock++) {
        assert_int_equal(samples(LATENCY_DISCOVER_OFFER, clock, 0, &max_ns), CLIENTS);
        assert_int_equal(max_ns, 2 * NS_PER_MS);
        assert_int_equal(samples(LATENCY_REQUEST_ACK, clock, 0, &max_ns), CLIENTS);
        assert_int_equal(max_ns, 2 * NS_PER_MS);
        assert_int_equal(samples(LATENCY_ACQUIRE, clock, 0, &max_ns), CLIENTS);
        assert_int_equal(max_ns, 4 * NS_PER_MS);
        assert_int_equal(samples(LATENCY_RENEW, clock, 1, &max_ns),
                         counter(COUNTER_leases_renewed));
        assert_int_equal(max_ns, 2 * NS_PER_MS);
        assert_int_equal(samples(LATENCY_REBIND, clock, 1, &max_ns), 0);
    }
    assert_int_equal(samples(LATENCY_SEND_LAG, LATENCY_INTENDED, 0, &max_ns), CLIENTS);
    assert_true(max_ns <= NS_PER_MS);
}

/* Forwarded by the relay from port 67 to every server; said by the client itself from port 68. */
static void each_packet_leaves_from_where_a_relay_or_a_client_sends_it(void **state)
{
    (void)state;
    begin();
    live(&world);
    for (size_t i = 0; i < world.sent_count; i++) {
        const struct lane_world_sent *s = &world.sent[i];
        const struct plan_relay *relay = &world.relays[s->client / HALF];
        bool is_forwarded = s->intent == DHCP4_DISCOVER || s->intent == DHCP4_REQUEST;
        assert_true(is_forwarded || s->intent == DHCP4_RENEW || s->intent == DHCP4_RELEASE);
        assert_int_equal(s->port, is_forwarded ? LANE_PORT_SERVER : LANE_PORT_CLIENT);
        assert_true(inet_equal(lane_carrier_address(world.lane, s->carrier), relay->via));
        assert_true(inet_equal(s->query.giaddr, is_forwarded ? relay->giaddr : (struct ipv4){0}));
        assert_true(inet_is_zero(s->source)); /* egress: the socket's own */
        assert_int_equal(s->query.xid >> 24, relay->xid_slot);
        assert_true(inet_is_zero(s->query.ciaddr) == is_forwarded);
    }
    assert_int_equal(lane_world_count_sent(&world, DHCP4_DISCOVER), 2 * CLIENTS);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_REQUEST), 2 * CLIENTS);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RELEASE), CLIENTS);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RENEW), counter(COUNTER_leases_renewed));
}

static void a_renewal_goes_to_the_server_that_granted_the_lease(void **state)
{
    (void)state;
    begin();
    live(&world);
    for (size_t i = 0; i < world.sent_count; i++) {
        const struct lane_world_sent *s = &world.sent[i];
        if (s->intent == DHCP4_RENEW || s->intent == DHCP4_RELEASE) {
            const struct event *e = lane_world_event(&world, s->client, EVENT_ACQUIRE, 0);
            assert_true(inet_equal(s->destination, e->server));
            assert_true(inet_equal(s->query.ciaddr, e->addr));
        }
    }
}

static void on_the_path_routed_a_renewal_leaves_from_the_clients_own_address(void **state)
{
    (void)state;
    begin();
    lane_world_start(&world);
    lane_arm(world.lane, PLAN_PATH_ROUTED);
    lane_world_go(&world, 0, 100, 0);
    lane_world_run(&world, 40 * NS_PER_S);
    for (size_t i = 0; i < world.sent_count; i++) {
        const struct lane_world_sent *s = &world.sent[i];
        bool is_renewal = s->intent == DHCP4_RENEW;
        assert_true(inet_equal(s->source, is_renewal ? s->query.ciaddr : (struct ipv4){0}));
    }
    assert_int_equal(counter(COUNTER_leases_renewed), CLIENTS);
    lane_world_check(&world);
}

static void on_the_path_relayed_a_renewal_carries_giaddr_and_goes_to_one_server(void **state)
{
    (void)state;
    begin();
    lane_world_start(&world);
    lane_arm(world.lane, PLAN_PATH_RELAYED);
    lane_world_go(&world, 0, 100, 0);
    lane_world_run(&world, 40 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_renewed), CLIENTS);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RENEW), CLIENTS);
    for (size_t i = 0; i < world.sent_count; i++) {
        const struct lane_world_sent *s = &world.sent[i];
        assert_int_equal(s->port, LANE_PORT_SERVER);
        assert_true(inet_equal(s->query.giaddr, world.relays[s->client / HALF].giaddr));
        assert_true(s->intent != DHCP4_RENEW || !inet_is_zero(s->query.ciaddr));
    }
    lane_world_check(&world);
}

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void no_two_clients_share_a_mac_and_no_two_exchanges_an_xid(void **state)
{
    (void)state;
    static uint64_t macs[CLIENTS];
    begin();
    live(&world);
    for (uint32_t client = 0; client < CLIENTS; client++) {
        const struct lane_world_sent *s = lane_world_nth(&world, client, DHCP4_DISCOVER, 0);
        uint32_t found = UINT32_MAX;
        memcpy(&macs[client], s->query.chaddr.byte, MAC_BYTES);
        assert_int_equal(s->query.chaddr.byte[0] & 3, 2); /* local, unicast */
        assert_true(plan_client_of(&world.plan, s->query.chaddr, &found));
        assert_int_equal(found, client);
        uint32_t xid = s->query.xid;
        for (size_t n = 0; n < 3; n++) {
            uint32_t next = lane_world_nth(&world, client, DHCP4_RENEW, n)->query.xid;
            assert_int_not_equal(next, xid);
            xid = next;
        }
    }
    qsort(macs, CLIENTS, sizeof(macs[0]), compare_u64);
    for (unsigned i = 1; i < CLIENTS; i++) {
        assert_true(macs[i] != macs[i - 1]);
    }
}

static void the_same_seed_sends_the_same_packets_and_another_does_not(void **state)
{
    (void)state;
    static struct lane_world other;
    uint64_t seeds[] = {1, 1, 2};
    bool is_same[2];
    begin();
    world.plan.fuzz_permille = 50;
    world.loses_every = 50;
    live(&world);
    for (unsigned i = 1; i < 3; i++) {
        lane_world_init(&other, 2, HALF, 2);
        lane_world_add_stage(&other, PLAN_ACQUIRE, 0);
        lane_world_add_stage(&other, PLAN_HOLD, 100 * NS_PER_S);
        other.plan.fuzz_permille = 50;
        other.plan.seed = seeds[i];
        other.loses_every = 50;
        live(&other);
        is_same[i - 1] = other.sent_count == world.sent_count;
        for (size_t k = 0; is_same[i - 1] && k < world.sent_count; k++) {
            is_same[i - 1] = other.sent[k].hash == world.sent[k].hash &&
                             other.sent[k].at_ns == world.sent[k].at_ns;
        }
        lane_world_fini(&other);
    }
    assert_true(is_same[0]);
    assert_false(is_same[1]);
}

/* A client's packets do not depend on which agent plays it: shares dealt otherwise, same bytes. */
static void a_client_says_the_same_on_any_agent(void **state)
{
    (void)state;
    static struct lane_world other;
    begin();
    live(&world);
    lane_world_init(&other, 2, HALF, 2);
    lane_world_add_stage(&other, PLAN_ACQUIRE, 0);
    other.shares[0] = (struct control_share){1, HALF, HALF};
    struct lane_setup setup = {
        .plan = &other.plan, .shares = other.shares, .share_count = 1, .now_ns = other.now_ns};
    other.lane = lane_new(&setup);
    lane_set_may_send(other.lane, true, other.now_ns);
    lane_world_go(&other, 0, 100, 0);
    assert_true(lane_world_run_step(&other, 60 * NS_PER_S));
    for (uint32_t local = 0; local < HALF; local += 13) {
        assert_true(lane_world_nth(&other, local, DHCP4_DISCOVER, 0)->hash ==
                    lane_world_nth(&world, HALF + local, DHCP4_DISCOVER, 0)->hash);
    }
    lane_world_fini(&other);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_thousand_clients_live_from_discover_to_release_and_every_sum_agrees),
        TEST(renewals_leave_at_the_exact_instant_of_t1),
        TEST(a_renewal_is_due_when_its_lease_is_known_and_not_before),
        TEST(an_acquisition_is_told_with_all_its_times),
        TEST(latencies_are_recorded_once_per_exchange_on_both_clocks),
        TEST(each_packet_leaves_from_where_a_relay_or_a_client_sends_it),
        TEST(a_renewal_goes_to_the_server_that_granted_the_lease),
        TEST(on_the_path_routed_a_renewal_leaves_from_the_clients_own_address),
        TEST(on_the_path_relayed_a_renewal_carries_giaddr_and_goes_to_one_server),
        TEST(no_two_clients_share_a_mac_and_no_two_exchanges_an_xid),
        TEST(the_same_seed_sends_the_same_packets_and_another_does_not),
        TEST(a_client_says_the_same_on_any_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
