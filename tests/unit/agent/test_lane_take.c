/* SPDX-License-Identifier: MIT */
/* Clients of a lost agent go on at another one: relay r1 was the lost agent's, r2 is this lane's.
 */
#include "tests/support/testing.h"

#include <string.h>

#include "tests/support/lane_world.h"

enum { LOST = 0, OWN = 1, EACH = 60, ROWS_MAX = 4000 };

static struct lane_world world;
static struct control_taken rows[ROWS_MAX];

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

/* Both relays in one subnet; the pool answers by way of ours. */
static void begin(uint32_t clients_per_relay)
{
    lane_world_init(&world, 2, clients_per_relay, 1);
    world.relays[OWN].subnet = world.relays[LOST].subnet;
    world.pools[0].giaddr = world.relays[OWN].giaddr;
    world.servers[0].pool_count = 1;
    world.relays_elsewhere = 1;
    world.clients_elsewhere = clients_per_relay;
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 600 * NS_PER_S);
}

/* Our own clients hold leases, evenly spread over T1. */
static void hold(uint32_t clients_per_relay)
{
    begin(clients_per_relay);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, clients_per_relay * 1000 / 30);
    assert_true(lane_world_run_step(&world, 40 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, 60 * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_bound), clients_per_relay);
}

static struct control_take_share lost_share(uint32_t first, uint32_t count)
{
    return (struct control_take_share){
        .relay = LOST, .first_client = first, .client_count = count, .via_relay = OWN};
}

static struct control_take command_of(const struct control_take_share *share, size_t row_count)
{
    return (struct control_take){.assignment_epoch = 2,
                                 .at_ns = world.now_ns,
                                 .shares = share,
                                 .share_count = 1,
                                 .clients = rows,
                                 .client_count = row_count};
}

/* Client `client` has a lease at the server that ends in `left_ms`. */
static void leased_row(size_t at, uint32_t client, uint32_t left_ms)
{
    struct ipv4 addr = model_pool_grant(&world.pools[0], plan_client_mac(&world.plan, client),
                                        world.now_ns + (uint64_t)left_ms * NS_PER_MS);
    rows[at] = (struct control_taken){.client = client,
                                      .flags = TAKEN_HAD_LEASE,
                                      .addr = addr,
                                      .server = world.servers[0].address,
                                      .lease_ms = left_ms};
}

/* All of the lost relay's clients, with leases that end from `first_ms` on, `step_ms` apart. */
static void take_leased(uint32_t count, uint32_t first_ms, uint32_t step_ms)
{
    const struct control_take_share share = lost_share(0, count);
    for (uint32_t i = 0; i < count; i++) {
        leased_row(i, i, first_ms + (count - 1 - i) * step_ms);
    }
    const struct control_take take = command_of(&share, count);
    assert_true(lane_take(world.lane, &take, world.now_ns));
    world.clients_elsewhere -= count;
}

static struct control_progress progress(void)
{
    struct control_progress p;
    lane_progress(world.lane, &p);
    return p;
}

/* --- what is not taken --- */

static void a_take_that_does_not_follow_the_last_one_changes_nothing(void **state)
{
    (void)state;
    static const uint64_t epochs[] = {1, 3, 4, UINT64_MAX};
    hold(EACH);
    const struct control_take_share share = lost_share(0, 10);
    for (size_t i = 0; i < ARRAY_LEN(epochs); i++) {
        struct control_take take = command_of(&share, 0);
        take.assignment_epoch = epochs[i];
        assert_true(lane_take(world.lane, &take, world.now_ns));
        assert_int_equal(counter(COUNTER_clients_assigned), EACH);
        assert_int_equal(progress().assignment_epoch, 1);
    }
}

static void a_take_that_is_repeated_happens_once(void **state)
{
    (void)state;
    hold(EACH);
    take_leased(10, 40000, 10);
    const struct control_take_share share = lost_share(0, 10);
    const struct control_take again = command_of(&share, 10);
    assert_int_equal(progress().assignment_epoch, 2);
    assert_true(lane_take(world.lane, &again, world.now_ns));
    assert_int_equal(counter(COUNTER_clients_assigned), EACH + 10);
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_ACK), 10);
}

static void what_cannot_be_taken_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    hold(EACH);
    const struct control_take_share bad[] = {
        {LOST, 0, 10, LOST}, /* not our relay: no address of it is ours */
        {LOST, 0, 10, 7},    /* no relay of the plan */
        {OWN, EACH, 5, OWN}, /* our own clients */
        {LOST, EACH - 1, 2, OWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct control_take take = command_of(&bad[i], 0);
        assert_false(lane_take(world.lane, &take, world.now_ns));
        assert_int_equal(counter(COUNTER_clients_assigned), EACH);
        assert_int_equal(progress().assignment_epoch, 1);
    }
    lane_world_run(&world, 60 * NS_PER_S); /* the lane goes on as it was */
    assert_int_equal(counter(COUNTER_leases_expired), 0);
}

static void nobody_is_taken_when_the_run_is_ending(void **state)
{
    (void)state;
    hold(EACH);
    lane_world_drain(&world, DRAIN_GRACEFUL, 0);
    const struct control_take_share share = lost_share(0, 10);
    const struct control_take take = command_of(&share, 0);
    assert_true(lane_take(world.lane, &take, world.now_ns));
    assert_int_equal(counter(COUNTER_clients_assigned), EACH);
    assert_int_equal(progress().assignment_epoch, 1);
    assert_true(lane_world_run_drained(&world, 30 * NS_PER_S));
}

static void without_the_right_to_send_nobody_comes_back(void **state)
{
    (void)state;
    begin(EACH);
    world.plan.renewals_alone_ns = 600 * NS_PER_S;
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 100000);
    assert_true(lane_world_run_step(&world, 40 * NS_PER_S));
    lane_set_may_send(world.lane, false, world.now_ns);
    size_t sent = world.sent_count;
    take_leased(10, 60000, 0);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
    lane_set_right(world.lane, LANE_MAY_RENEW, world.now_ns, world.now_ns);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_REBOOT), 0);
    lane_set_may_send(world.lane, true, world.now_ns);
    lane_world_run(&world, 30 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_ACK), 10);
}

/* --- who comes back --- */

static void a_lease_is_asked_for_again_by_way_of_the_relay_that_carries_it_now(void **state)
{
    (void)state;
    hold(EACH);
    take_leased(1, 30000, 0);
    struct ipv4 addr = rows[0].addr;
    lane_world_run(&world, 5 * NS_PER_S);
    const struct lane_world_sent *s = lane_world_nth(&world, EACH, DHCP4_REBOOT, 0);
    assert_non_null(s);
    struct mac mac = plan_client_mac(&world.plan, 0);
    assert_memory_equal(s->query.chaddr.byte, mac.byte, MAC_BYTES);
    assert_true(inet_equal(s->query.giaddr, world.relays[OWN].giaddr));
    assert_true(inet_equal(s->query.requested, addr));
    assert_false(s->query.has_server_id); /* RFC 2131 table 5 */
    assert_true(inet_is_zero(s->query.ciaddr));
    assert_int_equal(s->query.xid >> 24, world.relays[OWN].xid_slot);
    const struct event *e = lane_world_event(&world, 0, EVENT_REBOOT, 0);
    assert_non_null(e);
    assert_int_equal(e->result, EVENT_ACK);
    assert_true(inet_equal(e->addr, addr));
    assert_int_equal(counter(COUNTER_leases_acquired), EACH); /* it is no first lease */
    assert_int_equal(counter(COUNTER_leases_reacquired), 1);
    lane_world_run(&world, 60 * NS_PER_S);
    assert_non_null(lane_world_event(&world, 0, EVENT_RENEW, 0));
    assert_int_equal(counter(COUNTER_clients_bound), EACH + 1);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
}

static void they_come_at_the_planned_rate_and_what_ends_first_comes_first(void **state)
{
    (void)state;
    hold(600); /* 20 renewals a second */
    uint64_t from_ns = world.now_ns;
    take_leased(600, 40000, 10);
    lane_world_run(&world, 40 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_ACK), 600);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
    /* N/T1 of all 1,200 for those who come back, and what our own renewals need. */
    assert_in_range(lane_world_peak_per_s(&world, from_ns), 40, 64);
    uint64_t last_ns = 0;
    for (uint32_t i = 600; i-- > 0;) {
        const struct lane_world_sent *s = lane_world_nth(&world, 600 + i, DHCP4_REBOOT, 0);
        assert_non_null(s);
        assert_true(s->at_ns >= last_ns);
        last_ns = s->at_ns;
        /* On time: two milliseconds on the way, and the turn they waited for. */
        assert_in_range(lane_world_event(&world, i, EVENT_REBOOT, 0)->wait_us, 2000, 3100);
    }
}

static void what_ended_before_its_turn_is_lost_for_want_of_an_agent_and_acquired_anew(void **state)
{
    (void)state;
    hold(EACH);
    take_leased(20, 100, 0); /* 4 a second come back */
    lane_world_run(&world, 20 * NS_PER_S);
    assert_in_range(counter(COUNTER_expired_in_pause), 15, 20);
    assert_int_equal(counter(COUNTER_leases_expired), counter(COUNTER_expired_in_pause));
    assert_int_equal(counter(COUNTER_clients_bound), EACH + 20);
    const struct event *e = lane_world_event(&world, 19, EVENT_EXPIRE, 0);
    assert_non_null(e);
    assert_int_equal(e->flags & EVENT_IN_PAUSE, EVENT_IN_PAUSE);
    assert_non_null(lane_world_event(&world, 19, EVENT_ACQUIRE, 0));
    assert_null(lane_world_event(&world, 19, EVENT_ACQUIRE, 1)); /* no exchange that gave up */
}

static void a_refusal_makes_it_acquire_anew(void **state)
{
    (void)state;
    hold(EACH);
    world.servers[0].naks_renewals = true;
    take_leased(1, 30000, 0);
    lane_world_run(&world, 5 * NS_PER_S);
    const struct event *e = lane_world_event(&world, 0, EVENT_REBOOT, 0);
    assert_int_equal(e->result, EVENT_NAK);
    e = lane_world_event(&world, 0, EVENT_ACQUIRE, 0);
    assert_int_equal(e->result, EVENT_ACK);
    assert_int_equal(e->flags & EVENT_FIRST_LEASE, 0);
    world.servers[0].naks_renewals = false;
}

/* RFC 2131 3.2: unanswered, it may use its address for the rest of the lease, and no longer. */
static void unanswered_it_keeps_its_lease_until_that_ends(void **state)
{
    (void)state;
    hold(EACH);
    world.servers[0].is_silent = true;
    uint64_t from_ns = world.now_ns;
    take_leased(1, 200000, 0);
    lane_world_run(&world, 199 * NS_PER_S);
    const struct event *e = lane_world_event(&world, 0, EVENT_REBOOT, 0);
    assert_int_equal(e->result, EVENT_GAVE_UP);
    assert_non_null(lane_world_nth(&world, EACH, DHCP4_RENEW, 0));
    assert_non_null(lane_world_nth(&world, EACH, DHCP4_REBIND, 0));
    assert_null(lane_world_event(&world, 0, EVENT_EXPIRE, 0));
    lane_world_run(&world, 2 * NS_PER_S);
    e = lane_world_event(&world, 0, EVENT_EXPIRE, 0);
    assert_non_null(e);
    assert_int_equal(e->flags & EVENT_IN_PAUSE, 0);
    assert_in_range(e->t_us, from_ns / NS_PER_US + 199999000, from_ns / NS_PER_US + 200000000);
}

/* --- who has no lease --- */

static void each_is_counted_as_what_it_was(void **state)
{
    (void)state;
    hold(EACH);
    const struct control_take_share share = lost_share(0, 10);
    rows[0] = (struct control_taken){.client = 1, .flags = TAKEN_HAD_LEASE | TAKEN_RELEASED};
    rows[1] = (struct control_taken){.client = 2, .flags = TAKEN_HAD_LEASE};
    rows[2] = (struct control_taken){.client = 3, .flags = TAKEN_FAILED};
    rows[3] = (struct control_taken){.client = 4}; /* started, and it was not 60 s ago */
    const struct control_take take = command_of(&share, 4);
    assert_true(lane_take(world.lane, &take, world.now_ns));
    world.clients_elsewhere -= 10;
    assert_int_equal(counter(COUNTER_clients_taken), 10);
    assert_int_equal(counter(COUNTER_clients_released), 1);
    assert_int_equal(counter(COUNTER_clients_expired), 1);
    assert_int_equal(counter(COUNTER_clients_failed), 2);
    assert_int_equal(counter(COUNTER_clients_never_started), 6);
    lane_world_run(&world, 61 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_reacquired), 1); /* client 2 had one and wants one */
    assert_int_equal(counter(COUNTER_clients_bound), EACH + 1);
    assert_int_equal(counter(COUNTER_leases_failed), 1); /* client 4, 3 was counted elsewhere */
    assert_null(lane_world_event(&world, 1, EVENT_RELEASE, 0));
}

static void who_had_not_started_waits_for_a_stage(void **state)
{
    (void)state;
    begin(EACH);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 100000);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    const struct control_take_share share = lost_share(10, 50);
    const struct control_take take = command_of(&share, 0);
    assert_true(lane_take(world.lane, &take, world.now_ns));
    world.clients_elsewhere -= 50;
    lane_world_run(&world, 30 * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_never_started), 50);
    lane_world_go(&world, 2, 0, 100000);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_bound), EACH + 50);
    assert_int_equal(counter(COUNTER_leases_acquired), EACH + 50);
}

static void the_acquire_stage_under_way_has_them_as_well(void **state)
{
    (void)state;
    begin(EACH);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 100000);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_true(progress().is_step_done);
    const struct control_take_share share = lost_share(0, EACH);
    struct control_take take = command_of(&share, 0);
    take.has_go = true;
    take.go = (struct control_go){.stage = 0,
                                  .start_at_ns = world.now_ns - 5 * NS_PER_S,
                                  .client_limit = 2 * EACH,
                                  .rate_milli_per_s = 20000,
                                  .is_last_step = true};
    assert_true(lane_take(world.lane, &take, world.now_ns));
    world.clients_elsewhere = 0;
    assert_false(progress().is_step_done);
    uint64_t from_ns = world.now_ns;
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_int_equal(progress().started, 2 * EACH);
    assert_int_equal(progress().finished, 2 * EACH);
    assert_int_equal(counter(COUNTER_leases_acquired), 2 * EACH);
    assert_int_equal(counter(COUNTER_planned_starts), 2 * EACH);
    assert_in_range(world.now_ns - from_ns, 2 * NS_PER_S, 4 * NS_PER_S); /* 60 at 20/s */
}

static void a_step_whose_go_was_lost_begins_with_the_take(void **state)
{
    (void)state;
    begin(EACH);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 100000);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    const struct control_take_share share = lost_share(0, EACH);
    struct control_take take = command_of(&share, 0);
    take.has_go = true;
    take.go = (struct control_go){
        .stage = 1, .start_at_ns = world.now_ns, .client_limit = 2 * EACH, .is_last_step = true};
    assert_true(lane_take(world.lane, &take, world.now_ns));
    world.clients_elsewhere = 0;
    assert_int_equal(progress().stage, 1);
}

static void the_limit_of_packets_follows_the_share(void **state)
{
    (void)state;
    begin(600);
    world.packets_per_s_max = 30;
    lane_world_start(&world);
    const struct control_take_share share = lost_share(0, 600);
    struct control_take take = command_of(&share, 0);
    take.packets_per_s_max = 60;
    take.has_go = true;
    take.go = (struct control_go){
        .stage = 0, .start_at_ns = world.now_ns, .client_limit = 1200, .rate_milli_per_s = 100000};
    assert_true(lane_take(world.lane, &take, world.now_ns));
    world.clients_elsewhere = 0;
    uint64_t from_ns = world.now_ns;
    lane_world_run(&world, 5 * NS_PER_S);
    assert_in_range(lane_world_peak_per_s(&world, from_ns), 58, 63);
}

/* --- the end, and sizes --- */

static void leases_that_wait_for_their_turn_are_released_at_the_end(void **state)
{
    (void)state;
    hold(EACH);
    take_leased(EACH, 60000, 0);
    lane_world_drain(&world, DRAIN_GRACEFUL, 100000);
    assert_true(lane_world_run_drained(&world, 30 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_released), 2 * EACH);
    assert_int_equal(counter(COUNTER_clients_released), 2 * EACH);
    assert_int_equal(model_pool_live(&world.pools[0], world.now_ns), 0);
}

static void a_loss_in_many_pieces_is_taken_piece_by_piece(void **state)
{
    (void)state;
    enum { PIECES = 50, PIECE = 12 };
    hold(PIECES * PIECE);
    uint64_t memory_before = lane_memory_bytes(world.lane);
    for (uint32_t k = 0; k < PIECES; k++) {
        /* In an order of their own. */
        uint32_t first = (k * 7 % PIECES) * PIECE;
        const struct control_take_share share = lost_share(first, PIECE);
        for (uint32_t i = 0; i < PIECE; i++) {
            leased_row(i, first + i, 45000);
        }
        struct control_take take = command_of(&share, PIECE);
        take.assignment_epoch = 2 + k;
        assert_true(lane_take(world.lane, &take, world.now_ns));
        world.clients_elsewhere -= PIECE;
        lane_world_run(&world, 200 * NS_PER_MS);
    }
    lane_world_run(&world, 40 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_ACK), PIECES * PIECE);
    assert_int_equal(counter(COUNTER_clients_bound), 2 * PIECES * PIECE);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
    assert_in_range(lane_memory_bytes(world.lane), memory_before + PIECES * PIECE * 64, 64 << 20);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_take_that_does_not_follow_the_last_one_changes_nothing),
        TEST(a_take_that_is_repeated_happens_once),
        TEST(what_cannot_be_taken_is_refused_and_changes_nothing),
        TEST(nobody_is_taken_when_the_run_is_ending),
        TEST(without_the_right_to_send_nobody_comes_back),
        TEST(a_lease_is_asked_for_again_by_way_of_the_relay_that_carries_it_now),
        TEST(they_come_at_the_planned_rate_and_what_ends_first_comes_first),
        TEST(what_ended_before_its_turn_is_lost_for_want_of_an_agent_and_acquired_anew),
        TEST(a_refusal_makes_it_acquire_anew),
        TEST(unanswered_it_keeps_its_lease_until_that_ends),
        TEST(each_is_counted_as_what_it_was),
        TEST(who_had_not_started_waits_for_a_stage),
        TEST(the_acquire_stage_under_way_has_them_as_well),
        TEST(a_step_whose_go_was_lost_begins_with_the_take),
        TEST(the_limit_of_packets_follows_the_share),
        TEST(leases_that_wait_for_their_turn_are_released_at_the_end),
        TEST(a_loss_in_many_pieces_is_taken_piece_by_piece),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
