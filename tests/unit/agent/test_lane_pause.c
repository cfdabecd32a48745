/* SPDX-License-Identifier: MIT */
/* The run lease goes and comes back; the way to the coordinator, or into the network, is full. */
#include "tests/support/testing.h"

#include <errno.h>
#include <string.h>

#include "agent/lane/lane_leave.h"
#include "tests/support/lane_world.h"

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

static void begin(uint32_t clients)
{
    lane_world_init(&world, 1, clients, 1);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 600 * NS_PER_S);
}

/* Bound at an even rate, so that renewals are spread over T1, and holding. */
static void hold(uint32_t clients)
{
    begin(clients);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, clients * 1000 / 30); /* N/T1 a second */
    assert_true(lane_world_run_step(&world, 40 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, 60 * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_bound), clients);
}

static uint64_t longest_lag_ns(void)
{
    uint64_t longest_ns = 0;
    for (size_t i = 0; i < lane_histogram_count(world.lane); i++) {
        struct histogram_key key;
        uint64_t version;
        const struct histogram *h = lane_histogram(world.lane, i, &key, &version);
        if (key.metric == LATENCY_SEND_LAG && h->count > 0 && h->max_ns > longest_ns) {
            longest_ns = h->max_ns;
        }
    }
    return longest_ns;
}

static void pause_for(uint64_t span_ns)
{
    size_t sent = world.sent_count;
    lane_set_may_send(world.lane, false, world.now_ns);
    lane_world_run(&world, span_ns);
    assert_int_equal(world.sent_count, sent);
    lane_set_may_send(world.lane, true, world.now_ns);
}

/* --- the run lease --- */

static void nothing_is_sent_before_the_first_grant(void **state)
{
    (void)state;
    begin(10);
    lane_world_start(&world);
    lane_set_may_send(world.lane, false, world.now_ns);
    lane_world_go(&world, 0, 10, 0);
    lane_world_run(&world, 10 * NS_PER_S);
    assert_int_equal(world.sent_count, 0);
    assert_int_equal(counter(COUNTER_clients_never_started), 10);
    assert_int_equal(counter(COUNTER_actual_starts), 0);
    lane_set_may_send(world.lane, true, world.now_ns);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
}

static void the_time_without_a_lease_is_counted_also_while_it_lasts(void **state)
{
    (void)state;
    begin(10);
    lane_world_start(&world);
    lane_set_may_send(world.lane, false, world.now_ns);
    lane_world_run(&world, 3 * NS_PER_S);
    assert_int_equal(counter(COUNTER_paused_ns), 3 * NS_PER_S);
    lane_set_may_send(world.lane, true, world.now_ns);
    lane_world_run(&world, 3 * NS_PER_S);
    assert_int_equal(counter(COUNTER_paused_ns), 3 * NS_PER_S);
    lane_set_may_send(world.lane, false, world.now_ns);
    lane_set_may_send(world.lane, false, world.now_ns + 5);
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(counter(COUNTER_paused_ns), 4 * NS_PER_S);
}

static void after_a_pause_in_a_hold_renewals_leave_no_faster_than_planned(void **state)
{
    (void)state;
    hold(3000); /* 100 renewals a second */
    uint64_t before = lane_world_peak_per_s(&world, world.now_ns - 30 * NS_PER_S);
    pause_for(6 * NS_PER_S);
    uint64_t from_ns = world.now_ns;
    lane_world_run(&world, 120 * NS_PER_S);
    assert_in_range(before, 95, 102);
    assert_in_range(lane_world_peak_per_s(&world, from_ns), 95, 102);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
    assert_int_equal(counter(COUNTER_expired_in_pause), 0);
    /* Caught up with: renewals leave at their T1 again. */
    const struct event *e = &world.events[world.event_count - 1];
    assert_int_equal(e->wait_us, 2000);
    /* The six seconds are the pause's, and no lateness of the agent's. */
    assert_in_range(longest_lag_ns(), 0, 100 * NS_PER_MS);
}

static void after_a_pause_an_open_model_keeps_to_its_rate_and_skips_nobody(void **state)
{
    (void)state;
    begin(3000);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 100000);
    lane_world_run(&world, 5 * NS_PER_S);
    pause_for(6 * NS_PER_S);
    assert_int_equal(counter(COUNTER_planned_starts), 1101);
    uint64_t from_ns = world.now_ns;
    lane_world_run(&world, 10 * NS_PER_S);
    assert_in_range(lane_world_peak_per_s(&world, from_ns), 190, 240); /* DISCOVER and REQUEST */
    assert_true(lane_world_run_step(&world, 300 * NS_PER_S));
    assert_int_equal(counter(COUNTER_actual_starts), 3000);
    assert_int_equal(counter(COUNTER_leases_acquired), 3000);
    uint32_t delayed = 0;
    for (size_t i = 0; i < world.event_count; i++) {
        delayed += world.events[i].kind == EVENT_ACQUIRE && world.events[i].wait_us > 1000000;
    }
    assert_true(delayed > 500); /* from its intended instant, not from when it could be sent */
}

static void after_a_pause_the_closed_model_opens_gently_and_then_goes_on_as_before(void **state)
{
    (void)state;
    begin(15000);
    lane_world_start(&world);
    lane_world_go(&world, 0, 300, 0);
    lane_world_run(&world, 300 * NS_PER_MS);
    pause_for(6 * NS_PER_S);
    uint64_t from_ns = world.now_ns, renewals_per_s = counter(COUNTER_clients_bound) / 30;
    lane_world_run(&world, NS_PER_S);
    assert_in_range(lane_world_peak_per_s(&world, from_ns), 300, 310 + renewals_per_s);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), 15000);
}

static void
leases_that_run_out_in_a_pause_are_told_apart_and_come_back_at_the_planned_rate(void **state)
{
    (void)state;
    hold(3000);
    pause_for(70 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_expired), 3000);
    assert_int_equal(counter(COUNTER_expired_in_pause), 3000);
    assert_true(world.events[world.event_count - 1].flags & EVENT_IN_PAUSE);
    uint64_t from_ns = world.now_ns;
    lane_world_run(&world, 120 * NS_PER_S);
    assert_in_range(lane_world_peak_per_s(&world, from_ns), 95, 110);
    assert_int_equal(counter(COUNTER_clients_bound), 3000);
    assert_int_equal(counter(COUNTER_leases_reacquired), 3000);
}

static void answers_that_arrive_in_a_pause_are_taken(void **state)
{
    (void)state;
    begin(10);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, 3 * NS_PER_MS); /* the REQUESTs are under way */
    pause_for(NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_acquired), 10);
}

/* --- the way to the coordinator --- */

static void under_pressure_successes_are_folded_and_the_counters_go_on(void **state)
{
    (void)state;
    begin(100);
    lane_world_start(&world);
    lane_set_pressure(world.lane, 750);
    lane_world_go(&world, 0, 50, 0);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_int_equal(world.event_count, 0);
    assert_int_equal(counter(COUNTER_results_coalesced), 100);
    assert_int_equal(counter(COUNTER_leases_acquired), 100);
    world.servers[0].naks_renewals = true;
    lane_world_run(&world, 31 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_NAK), 100);
}

static void when_the_way_is_full_nothing_new_starts_but_leases_are_kept(void **state)
{
    (void)state;
    begin(100);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 10000);
    lane_world_run(&world, 5 * NS_PER_S);
    lane_set_pressure(world.lane, 1000);
    uint64_t started = counter(COUNTER_actual_starts);
    lane_world_run(&world, 60 * NS_PER_S);
    assert_int_equal(counter(COUNTER_actual_starts), started);
    assert_true(counter(COUNTER_leases_renewed) >= started);
    assert_int_equal(counter(COUNTER_planned_starts), 100);
    lane_set_pressure(world.lane, 0);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_int_equal(counter(COUNTER_actual_starts), 100);
}

static void events_nobody_takes_stop_the_lane_and_none_is_lost(void **state)
{
    (void)state;
    begin(6000);
    lane_world_start(&world);
    world.holds_events = true;
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, 2 * NS_PER_S);
    const struct event *events;
    assert_true(lane_events(world.lane, &events) >= LANE_EVENTS_MAX / 2);
    assert_true(counter(COUNTER_leases_acquired) < 6000);
    assert_int_equal(counter(COUNTER_results_coalesced), 0);
    lane_world_check(&world);
    world.holds_events = false;
    assert_true(lane_world_run_step(&world, 60 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), 6000);
    assert_int_equal(counter(COUNTER_results_coalesced), 0);
}

/* --- the way into the network --- */

static void a_full_outbox_keeps_the_rest_for_the_next_turn(void **state)
{
    (void)state;
    begin(1000);
    lane_world_start(&world);
    world.holds_sends = true;
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, 100 * NS_PER_MS);
    const struct lane_out *out;
    assert_int_equal(lane_outbox(world.lane, &out), LANE_OUTBOX_MAX);
    assert_int_equal(counter(COUNTER_sent_discover), 0);
    world.holds_sends = false;
    assert_true(lane_world_run_step(&world, NS_PER_S));
    assert_int_equal(counter(COUNTER_sent_discover), 1000);
    for (uint32_t client = 0; client < 1000; client++) {
        assert_null(lane_world_nth(&world, client, DHCP4_DISCOVER, 1));
    }
}

static void the_lag_of_a_late_send_is_recorded_from_the_intended_instant(void **state)
{
    (void)state;
    begin(10);
    lane_world_start(&world);
    world.holds_sends = true;
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, 100 * NS_PER_MS);
    world.holds_sends = false;
    assert_true(lane_world_run_step(&world, NS_PER_S));
    const struct event *e = lane_world_event(&world, 0, EVENT_ACQUIRE, 0);
    assert_int_equal(e->took_us, 4000);
    assert_in_range(e->wait_us, 103000, 106000);
    for (size_t i = 0; i < lane_histogram_count(world.lane); i++) {
        struct histogram_key key;
        uint64_t version;
        const struct histogram *h = lane_histogram(world.lane, i, &key, &version);
        if (key.metric == LATENCY_SEND_LAG && key.stage == 0) {
            assert_int_equal(h->count, 10);
            assert_true(h->min_ns >= 99 * NS_PER_MS);
        }
    }
}

static void what_the_kernel_refuses_is_kept_by_errno_message_and_destination(void **state)
{
    (void)state;
    static struct snapshot snapshot;
    begin(10);
    lane_world_start(&world);
    world.send_error[DHCP4_DISCOVER] = EPERM;
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, 2 * NS_PER_S);
    lane_snapshot(world.lane, &snapshot);
    assert_int_equal(snapshot.send_error_count, 1);
    assert_int_equal(snapshot.send_error[0].error, EPERM);
    assert_int_equal(snapshot.send_error[0].message, DHCP4_DISCOVER);
    assert_true(inet_equal(snapshot.send_error[0].destination, world.servers[0].address));
    assert_int_equal(snapshot.send_error[0].count, 10);
    assert_int_equal(snapshot.counter[COUNTER_sent_discover], 0);
    /* The next transmission gets through. */
    world.send_error[DHCP4_DISCOVER] = 0;
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), 10);
}

static void a_release_that_could_not_be_sent_is_no_release(void **state)
{
    (void)state;
    begin(10);
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 0);
    assert_true(lane_world_run_step(&world, NS_PER_S));
    world.send_error[DHCP4_RELEASE] = ENETUNREACH;
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_true(lane_world_run_drained(&world, 20 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_released), 0);
    assert_int_equal(lane_world_event(&world, 3, EVENT_RELEASE, 0)->tries, 0);
}

static void a_cap_on_packets_spreads_what_the_plan_lets_loose(void **state)
{
    (void)state;
    begin(1000);
    world.packets_per_s_max = 200;
    lane_world_start(&world);
    lane_world_go(&world, 0, 1000, 0);
    assert_true(lane_world_run_step(&world, 60 * NS_PER_S));
    assert_in_range(lane_world_peak_per_s(&world, 0), 190, 204);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

/* --- without the coordinator: leases are kept, and nothing else --- */

static void set_right(enum lane_right right)
{
    lane_set_right(world.lane, right, world.now_ns, world.now_ns);
}

static void alone_leases_are_renewed_and_nothing_else_leaves(void **state)
{
    (void)state;
    begin(600);
    world.plan.renewals_alone_ns = 600 * NS_PER_S;
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 10000); /* 10 a second: for a minute */
    lane_world_run(&world, 20 * NS_PER_S);
    world.servers[0].is_silent = true; /* some are acquiring just now, and get no answer */
    lane_world_run(&world, 2 * NS_PER_S);
    set_right(LANE_MAY_RENEW);
    world.servers[0].is_silent = false;
    uint64_t bound = counter(COUNTER_clients_bound);
    size_t sent = world.sent_count;
    lane_world_run(&world, 60 * NS_PER_S);
    for (size_t i = sent; i < world.sent_count; i++) {
        assert_true(world.sent[i].intent == DHCP4_RENEW || world.sent[i].intent == DHCP4_REBIND);
    }
    assert_in_range(world.sent_count - sent, bound, 3 * bound);
    assert_int_equal(counter(COUNTER_clients_bound), bound);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
    assert_int_equal(counter(COUNTER_pauses), 0);
    assert_int_equal(counter(COUNTER_paused_ns), 0);
    assert_int_equal(counter(COUNTER_alone_ns), 60 * NS_PER_S);
    set_right(LANE_MAY_SEND);
    assert_true(lane_world_run_step(&world, 600 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_bound), 600);
    assert_int_equal(counter(COUNTER_alone_ns), 60 * NS_PER_S);
    assert_in_range(longest_lag_ns(), 0, 100 * NS_PER_MS);
}

/* One call sends a whole run of packets: what is no renewal must not ride behind one. */
static void alone_a_call_ends_before_the_first_packet_that_is_no_renewal(void **state)
{
    enum { OUT = 6 };
    static const enum dhcp4_intent mixed[OUT] = {DHCP4_RENEW,    DHCP4_REBIND, DHCP4_RENEW,
                                                 DHCP4_DISCOVER, DHCP4_RENEW,  DHCP4_RELEASE};
    static struct lane_out out[OUT];
    (void)state;
    for (size_t i = 0; i < OUT; i++) {
        out[i].intent = mixed[i];
    }
    assert_int_equal(lane_may_leave(LANE_MAY_RENEW, out, OUT), 3);
    assert_int_equal(lane_may_leave(LANE_MAY_RENEW, out, 2), 2);
    assert_int_equal(lane_may_leave(LANE_MAY_RENEW, out + 3, 3), 0);
    assert_int_equal(lane_may_leave(LANE_MAY_RENEW, out + 4, 2), 1);
    assert_int_equal(lane_may_leave(LANE_MAY_RENEW, out, 0), 0);
    assert_int_equal(lane_may_leave(LANE_MAY_SEND, out, OUT), OUT);
    assert_int_equal(lane_may_leave(LANE_MAY_NOTHING, out, OUT), 0);
}

static void a_release_that_was_due_leaves_when_the_coordinator_is_back(void **state)
{
    (void)state;
    begin(30);
    lane_world_add_stage(&world, PLAN_RELEASE, 0);
    world.plan.renewals_alone_ns = 600 * NS_PER_S;
    lane_world_start(&world);
    lane_world_go(&world, 0, 0, 100000);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    world.holds_sends = true; /* what is in the outbox does not leave */
    lane_world_go(&world, 2, 0, 1000000);
    lane_world_run(&world, 100 * NS_PER_MS);
    set_right(LANE_MAY_RENEW);
    lane_outbox_withdraw(world.lane, 0);
    world.holds_sends = false;
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RELEASE), 0);
    set_right(LANE_MAY_SEND);
    assert_true(lane_world_run_step(&world, 60 * NS_PER_S));
    assert_int_equal(lane_world_count_sent(&world, DHCP4_RELEASE), 30);
    assert_int_equal(counter(COUNTER_clients_released), 30);
}

static void a_plan_without_leave_gives_none(void **state)
{
    (void)state;
    hold(300);
    size_t sent = world.sent_count;
    set_right(LANE_MAY_RENEW);
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
    assert_int_equal(counter(COUNTER_paused_ns), 20 * NS_PER_S);
    set_right(LANE_MAY_SEND);
}

static void a_pause_begins_when_the_right_ended_not_when_it_was_noticed(void **state)
{
    (void)state;
    hold(300);
    /* The process stood still for 70 s, the lease ended after the first 5. */
    world.now_ns += 70 * NS_PER_S;
    lane_set_right(world.lane, LANE_MAY_NOTHING, world.now_ns - 65 * NS_PER_S, world.now_ns);
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(counter(COUNTER_pauses), 1);
    assert_int_equal(counter(COUNTER_paused_ns), 66 * NS_PER_S);
    assert_int_equal(counter(COUNTER_expired_in_pause), 300);
    lane_set_may_send(world.lane, true, world.now_ns);
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(counter(COUNTER_paused_ns), 66 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_sent_before_the_first_grant),
        TEST(the_time_without_a_lease_is_counted_also_while_it_lasts),
        TEST(alone_leases_are_renewed_and_nothing_else_leaves),
        cmocka_unit_test(alone_a_call_ends_before_the_first_packet_that_is_no_renewal),
        TEST(a_release_that_was_due_leaves_when_the_coordinator_is_back),
        TEST(a_plan_without_leave_gives_none),
        TEST(a_pause_begins_when_the_right_ended_not_when_it_was_noticed),
        TEST(after_a_pause_in_a_hold_renewals_leave_no_faster_than_planned),
        TEST(after_a_pause_an_open_model_keeps_to_its_rate_and_skips_nobody),
        TEST(after_a_pause_the_closed_model_opens_gently_and_then_goes_on_as_before),
        TEST(leases_that_run_out_in_a_pause_are_told_apart_and_come_back_at_the_planned_rate),
        TEST(answers_that_arrive_in_a_pause_are_taken),
        TEST(under_pressure_successes_are_folded_and_the_counters_go_on),
        TEST(when_the_way_is_full_nothing_new_starts_but_leases_are_kept),
        TEST(events_nobody_takes_stop_the_lane_and_none_is_lost),
        TEST(a_full_outbox_keeps_the_rest_for_the_next_turn),
        TEST(the_lag_of_a_late_send_is_recorded_from_the_intended_instant),
        TEST(what_the_kernel_refuses_is_kept_by_errno_message_and_destination),
        TEST(a_release_that_could_not_be_sent_is_no_release),
        TEST(a_cap_on_packets_spreads_what_the_plan_lets_loose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
