/* SPDX-License-Identifier: MIT */
/* Loss, silence, refusals, and servers that die. */
#include "tests/support/testing.h"

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

/* --- nobody answers --- */

static void a_silent_server_is_asked_four_times_with_doubling_waits_and_one_xid(void **state)
{
    (void)state;
    begin(50, 2);
    world.servers[0].is_silent = world.servers[1].is_silent = true;
    go();
    assert_true(lane_world_run_step(&world, 70 * NS_PER_S));
    for (uint32_t client = 0; client < 50; client++) {
        const struct lane_world_sent *first = lane_world_nth(&world, client, DHCP4_DISCOVER, 0);
        uint64_t before_ns = first->at_ns;
        for (size_t n = 1; n < 4; n++) {
            const struct lane_world_sent *s = lane_world_nth(&world, client, DHCP4_DISCOVER, n);
            uint64_t wait_ms = (s->at_ns - before_ns) / NS_PER_MS;
            uint64_t base_ms = UINT64_C(4000) << (n - 1);
            assert_true(wait_ms >= base_ms - 1000 && wait_ms <= base_ms + 1001);
            assert_int_equal(s->query.xid, first->query.xid);
            assert_int_equal(s->query.secs, (s->at_ns - first->at_ns) / NS_PER_S);
            before_ns = s->at_ns;
        }
        assert_null(lane_world_nth(&world, client, DHCP4_DISCOVER, 4));
        const struct event *e = lane_world_event(&world, client, EVENT_ACQUIRE, 0);
        e = (e->flags & EVENT_DEADLINE) != 0 ? lane_world_event(&world, client, EVENT_ACQUIRE, 1)
                                             : e;
        assert_int_equal(e->result, EVENT_GAVE_UP);
        assert_int_equal(e->tries, 4);
    }
    assert_int_equal(counter(COUNTER_silent_streak), 50);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
}

static void a_request_nobody_answers_is_given_up_after_its_own_tries(void **state)
{
    (void)state;
    begin(20, 1);
    world.servers[0].ignores_requests = true;
    go();
    assert_true(lane_world_run_step(&world, 70 * NS_PER_S));
    assert_int_equal(counter(COUNTER_sent_discover), 20);
    assert_int_equal(counter(COUNTER_sent_request), 20 * 4);
    lane_world_run(&world, 10 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_failed), 20);
    assert_int_equal(counter(COUNTER_clients_failed), 20);
    for (uint32_t client = 0; client < 20; client++) {
        const struct event *e = lane_world_event(&world, client, EVENT_ACQUIRE, 0);
        assert_int_equal(e->result, EVENT_GAVE_UP);
        assert_int_not_equal(e->flags & EVENT_OFFER_SEEN, 0);
        assert_int_equal(e->offer_us, 2000);
    }
}

static void failed_is_counted_once_at_the_deadline_however_often_a_client_tries(void **state)
{
    (void)state;
    begin(50, 1);
    world.plan.acquire_tries = 2;
    world.plan.acquire_deadline_ns = 30 * NS_PER_S;
    world.servers[0].is_silent = true;
    go();
    lane_world_run(&world, 29 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_failed), 0);
    assert_int_equal(counter(COUNTER_clients_failed), 50);
    lane_world_run(&world, 3 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_failed), 50);
    lane_world_go(&world, 2, 1000, 0);
    lane_world_run(&world, 100 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_failed), 50);
    /* Two stages that gave up, and the deadline. */
    assert_int_equal(world.event_count, 150);
    assert_int_equal(counter(COUNTER_leases_late_bound), 0);
}

/* Or `leases.failed == 0` would hold although nobody had a lease. */
static void who_has_no_lease_when_the_run_ends_before_its_deadline_has_failed(void **state)
{
    (void)state;
    begin(50, 1);
    world.plan.acquire_tries = 2;
    world.servers[0].is_silent = true;
    go();
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_failed), 50);
    assert_int_equal(counter(COUNTER_leases_failed), 0);
    lane_world_drain(&world, DRAIN_GRACEFUL, 0);
    assert_true(lane_world_run_drained(&world, 20 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_failed), 50);
    assert_int_equal(counter(COUNTER_clients_failed), 50);
    size_t counted = 0;
    for (size_t i = 0; i < world.event_count; i++) {
        counted += (world.events[i].flags & EVENT_DEADLINE) != 0;
    }
    assert_int_equal(counted, 50);
}

static void who_binds_after_the_deadline_is_failed_and_late_bound(void **state)
{
    (void)state;
    begin(50, 1);
    world.plan.acquire_deadline_ns = 10 * NS_PER_S;
    world.servers[0].is_silent = true;
    go();
    lane_world_run(&world, 11 * NS_PER_S + 500 * NS_PER_MS);
    assert_int_equal(counter(COUNTER_leases_failed), 50);
    world.servers[0].is_silent = false;
    assert_true(lane_world_run_step(&world, 60 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), 50);
    assert_int_equal(counter(COUNTER_leases_late_bound), 50);
    assert_int_equal(counter(COUNTER_clients_bound), 50);
    for (uint32_t client = 0; client < 50; client++) {
        const struct event *e = lane_world_event(&world, client, EVENT_ACQUIRE, 1);
        assert_int_equal(e->flags, EVENT_FIRST_LEASE | EVENT_LATE_BOUND | EVENT_OFFER_SEEN);
        assert_true(e->wait_us > 10 * 1000000);
    }
}

static void a_client_that_gave_up_gets_another_turn_only_in_the_next_acquire_stage(void **state)
{
    (void)state;
    begin(20, 1);
    world.servers[0].is_silent = true;
    go();
    assert_true(lane_world_run_step(&world, 70 * NS_PER_S));
    world.servers[0].is_silent = false;
    size_t sent = world.sent_count;
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, 60 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
    lane_world_go(&world, 2, 1000, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), 20);
}

static void one_reply_of_anybody_ends_the_silent_streak(void **state)
{
    (void)state;
    begin(50, 1);
    world.plan.acquire_tries = 6;
    world.servers[0].is_silent = true;
    go();
    lane_world_run(&world, 40 * NS_PER_S);
    assert_int_equal(counter(COUNTER_silent_streak), 50);
    world.servers[0].is_silent = false;
    lane_world_run(&world, 40 * NS_PER_S);
    assert_int_equal(counter(COUNTER_silent_streak), 0);
}

/* Else a fleet would be stopped for silence whose servers are well but one, or whose renewals only
 * do not come back. */
static void renewals_are_no_silence_and_rebindings_are(uint32_t servers)
{
    begin(120, servers);
    world.plan.renew_retry_ns = 2 * NS_PER_S;
    world.servers[servers - 1].is_silent = servers > 1;
    go();
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_acquired), 120);
    world.servers[0].is_silent = true;
    uint64_t sent = counter(COUNTER_sent_renew);
    while (counter(COUNTER_sent_rebind) == 0) {
        lane_world_run(&world, NS_PER_S);
        assert_int_equal(counter(COUNTER_silent_streak), 0);
    }
    assert_true(counter(COUNTER_sent_renew) >= sent + 400);
    lane_world_run(&world, 60 * NS_PER_S);
    assert_true(counter(COUNTER_silent_streak) >= 100);
}

static void renewals_one_server_does_not_answer_are_no_silence(void **state)
{
    (void)state;
    renewals_are_no_silence_and_rebindings_are(1);
}

static void renewals_one_of_two_servers_does_not_answer_are_no_silence(void **state)
{
    (void)state;
    renewals_are_no_silence_and_rebindings_are(2);
}

static void silence_counts_also_where_there_are_fewer_tries_than_three(void **state)
{
    (void)state;
    begin(20, 1);
    world.plan.acquire_tries = 1;
    world.servers[0].is_silent = true;
    go();
    assert_true(lane_world_run_step(&world, 6 * NS_PER_S));
    assert_int_equal(counter(COUNTER_silent_streak), 20);
}

static void the_slot_time_spent_waiting_for_retransmissions_is_all_of_it(void **state)
{
    (void)state;
    begin(1, 1);
    world.servers[0].is_silent = true;
    go();
    assert_true(lane_world_run_step(&world, 70 * NS_PER_S));
    const struct event *e = lane_world_event(&world, 0, EVENT_ACQUIRE, 0);
    e = (e->flags & EVENT_DEADLINE) != 0 ? lane_world_event(&world, 0, EVENT_ACQUIRE, 1) : e;
    uint64_t waited_us = counter(COUNTER_slot_wait_ns) / NS_PER_US;
    assert_true(waited_us <= e->took_us && waited_us + 10000 >= e->took_us);
}

/* --- loss --- */

static void under_loss_everybody_binds_and_each_exchange_keeps_its_xid(void **state)
{
    (void)state;
    begin(200, 1);
    world.plan.acquire_tries = 8;
    world.servers[0].drops_every = 7;
    world.loses_every = 9;
    go();
    assert_true(lane_world_run_step(&world, 120 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, 100 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_acquired), 200);
    assert_true(counter(COUNTER_sent_discover) > 200);
    assert_true(counter(COUNTER_sent_request) > 200);
    size_t retransmitted = 0;
    for (uint32_t client = 0; client < 200; client++) {
        uint32_t xid = lane_world_nth(&world, client, DHCP4_DISCOVER, 0)->query.xid;
        const struct lane_world_sent *s;
        for (size_t n = 1; (s = lane_world_nth(&world, client, DHCP4_DISCOVER, n)) != NULL &&
                           s->at_ns < LANE_WORLD_BEGIN_NS + 30 * NS_PER_S;
             n++) {
            assert_int_equal(s->query.xid, xid);
            retransmitted++;
        }
    }
    assert_true(retransmitted > 10);
}

static void a_repeated_request_repeats_the_secs_of_its_discover(void **state)
{
    (void)state;
    begin(1, 1);
    world.servers[0].is_silent = true;
    go();
    lane_world_run(&world, 3 * NS_PER_S - NS_PER_MS);
    world.servers[0].is_silent = false; /* the second DISCOVER is answered ... */
    while (lane_world_nth(&world, 0, DHCP4_REQUEST, 0) == NULL) {
        lane_world_run(&world, NS_PER_MS);
    }
    world.servers[0].is_silent = true; /* ... and no REQUEST */
    lane_world_run(&world, 40 * NS_PER_S);
    const struct lane_world_sent *discover = lane_world_nth(&world, 0, DHCP4_DISCOVER, 1);
    assert_in_range(discover->query.secs, 3, 5);
    for (size_t n = 0; n < 4; n++) {
        const struct lane_world_sent *request = lane_world_nth(&world, 0, DHCP4_REQUEST, n);
        assert_non_null(request);
        assert_int_equal(request->query.secs, discover->query.secs);
        assert_int_equal(request->query.xid, discover->query.xid);
    }
}

static void
a_lease_counts_from_the_first_transmission_of_the_request_that_was_answered(void **state)
{
    (void)state;
    begin(1, 1);
    go();
    lane_world_run(&world, 2 * NS_PER_MS);
    world.servers[0].is_silent = true; /* the OFFER came, the REQUEST is lost */
    lane_world_run(&world, 2 * NS_PER_S);
    world.servers[0].is_silent = false;
    lane_world_run(&world, 33 * NS_PER_S);
    const struct lane_world_sent *first = lane_world_nth(&world, 0, DHCP4_REQUEST, 0);
    assert_non_null(lane_world_nth(&world, 0, DHCP4_REQUEST, 1));
    assert_true(lane_world_nth(&world, 0, DHCP4_RENEW, 0)->at_ns == first->at_ns + 30 * NS_PER_S);
}

/* --- refusals --- */

static void a_server_that_refuses_everybody_is_not_asked_for_ever(void **state)
{
    (void)state;
    begin(20, 1);
    world.servers[0].naks_requests = true;
    go();
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_nak), 20 * 4);
    assert_int_equal(lane_world_count_events(&world, EVENT_ACQUIRE, EVENT_NAK), 20 * 4);
    assert_int_equal(lane_world_count_events(&world, EVENT_ACQUIRE, EVENT_GAVE_UP), 20);
    assert_int_equal(counter(COUNTER_sent_discover), 20 * 4);
    assert_int_equal(counter(COUNTER_clients_failed), 20);
    lane_world_run(&world, 61 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_failed), 20);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
}

/* Its own exchange: another xid, secs and tries from the start; the slot's instant stays. */
static void after_a_nak_the_acquisition_begins_anew_in_its_slot(void **state)
{
    (void)state;
    begin(1, 1);
    world.servers[0].is_silent = true;
    go();
    lane_world_run(&world, NS_PER_S);
    world.servers[0].is_silent = false;
    world.servers[0].naks_requests = true;
    while (counter(COUNTER_leases_nak) == 0) {
        lane_world_run(&world, NS_PER_MS);
    }
    world.servers[0].naks_requests = false;
    assert_true(lane_world_run_step(&world, NS_PER_S));
    const struct event *nak = lane_world_event(&world, 0, EVENT_ACQUIRE, 0);
    const struct event *ack = lane_world_event(&world, 0, EVENT_ACQUIRE, 1);
    assert_int_equal(nak->tries, 3); /* two DISCOVERs, a REQUEST */
    assert_int_equal(ack->tries, 2);
    assert_int_not_equal(ack->xid, nak->xid);
    assert_int_equal(ack->took_us, 4000);
    assert_true(ack->wait_us > 3000000);
    assert_int_equal(lane_world_nth(&world, 0, DHCP4_DISCOVER, 2)->query.secs, 0);
    assert_int_equal(ack->flags, EVENT_FIRST_LEASE | EVENT_OFFER_SEEN);
}

static void a_nak_in_renewing_ends_the_lease_and_the_client_acquires_at_once(void **state)
{
    (void)state;
    begin(30, 1);
    bind_all();
    world.servers[0].naks_renewals = true;
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, 31 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_NAK), 30);
    assert_int_equal(counter(COUNTER_leases_reacquired), 30);
    assert_int_equal(counter(COUNTER_clients_bound), 30);
    assert_int_equal(counter(COUNTER_leases_nak), 30);
    const struct event *nak = lane_world_event(&world, 3, EVENT_RENEW, 0);
    const struct event *ack = lane_world_event(&world, 3, EVENT_ACQUIRE, 1);
    assert_int_equal(ack->flags & EVENT_FIRST_LEASE, 0);
    assert_true(ack->t_us - nak->t_us <= 6000);
    assert_int_equal(ack->wait_us, ack->t_us - nak->t_us);
    assert_false(inet_is_zero(nak->addr));
}

static void a_nak_in_rebinding_ends_the_lease_too(void **state)
{
    (void)state;
    begin(30, 1);
    bind_all();
    world.servers[0].naks_renewals = world.servers[0].is_silent_to_renewals = true;
    lane_world_run(&world, 54 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_GAVE_UP), 30);
    assert_int_equal(lane_world_count_events(&world, EVENT_REBIND, EVENT_NAK), 30);
    assert_int_equal(counter(COUNTER_leases_reacquired), 30);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
}

/* --- a server dies --- */

static void renewals_lost_are_rebound_at_t2_and_the_wait_is_told_from_the_first_renew(void **state)
{
    (void)state;
    begin(40, 2);
    world.servers[0].answers_for_partner = world.servers[1].answers_for_partner = false;
    bind_all();
    lane_world_go(&world, 1, 0, 0);
    world.servers[0].is_silent_to_renewals = world.servers[1].is_silent_to_renewals = true;
    lane_world_run(&world, 54 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_rebound), 40);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_GAVE_UP), 40);
    for (uint32_t client = 0; client < 40; client++) {
        const struct lane_world_sent *renew = lane_world_nth(&world, client, DHCP4_RENEW, 0);
        const struct lane_world_sent *rebind = lane_world_nth(&world, client, DHCP4_REBIND, 0);
        const struct event *e = lane_world_event(&world, client, EVENT_REBIND, 0);
        assert_null(
            lane_world_nth(&world, client, DHCP4_RENEW, 1)); /* half of 22 s is below 60 s */
        assert_int_equal(rebind->at_ns - renew->at_ns, 22500 * NS_PER_MS);
        assert_int_equal(rebind->query.secs, 22); /* from T1 */
        assert_int_not_equal(rebind->query.xid, renew->query.xid);
        assert_false(inet_is_zero(rebind->query.giaddr));
        assert_int_equal(e->result, EVENT_ACK);
        assert_int_equal(e->took_us, 2000);
        assert_int_equal(e->offer_us, 22502000);
    }
    /* Both servers were asked, and the second one's ACK is a duplicate. */
    assert_int_equal(lane_world_count_sent(&world, DHCP4_REBIND), 80);
}

static void with_a_shorter_retry_renewals_are_repeated_until_t2(void **state)
{
    (void)state;
    begin(5, 1);
    world.plan.renew_retry_ns = 4 * NS_PER_S;
    bind_all();
    world.servers[0].is_silent = true;
    lane_world_run(&world, 59 * NS_PER_S);
    for (size_t n = 0; n < 6; n++) {
        const struct lane_world_sent *s = lane_world_nth(&world, 2, DHCP4_RENEW, n);
        assert_non_null(s);
        assert_int_equal(s->query.secs, 4 * n);
        assert_int_equal(s->query.xid, lane_world_nth(&world, 2, DHCP4_RENEW, 0)->query.xid);
    }
    assert_null(lane_world_nth(&world, 2, DHCP4_RENEW, 6));
    assert_non_null(lane_world_nth(&world, 2, DHCP4_REBIND, 1));
    assert_int_equal(lane_world_nth(&world, 2, DHCP4_REBIND, 1)->query.secs, 26);
}

static void a_renewal_that_needed_a_second_try_is_renewed_and_retried(void **state)
{
    (void)state;
    begin(5, 1);
    world.plan.renew_retry_ns = 4 * NS_PER_S;
    bind_all();
    world.servers[0].is_silent = true;
    lane_world_run(&world, 31 * NS_PER_S);
    world.servers[0].is_silent = false;
    lane_world_run(&world, 4 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_renewed), 5);
    assert_int_equal(counter(COUNTER_renew_retried), 5);
    assert_int_equal(lane_world_event(&world, 0, EVENT_RENEW, 0)->tries, 2);
}

static void a_lease_nobody_renews_expires_at_its_instant_and_is_acquired_again(void **state)
{
    (void)state;
    begin(30, 1);
    bind_all();
    world.servers[0].is_silent = true;
    lane_world_run(&world, 59 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
    lane_world_run(&world, 2 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_expired), 30);
    assert_int_equal(counter(COUNTER_clients_expired), 30);
    assert_int_equal(counter(COUNTER_expired_in_pause), 0);
    const struct event *expire = lane_world_event(&world, 7, EVENT_EXPIRE, 0);
    const struct lane_world_sent *request = lane_world_nth(&world, 7, DHCP4_REQUEST, 0);
    assert_true(expire->t_us == request->at_ns / NS_PER_US + 60000000);
    assert_int_equal(expire->xid, 0);
    assert_int_equal(expire->wait_us, EVENT_SPAN_NONE);
    assert_false(inet_is_zero(expire->addr));
    world.servers[0].is_silent = false;
    lane_world_run(&world, 10 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_reacquired), 30);
    assert_int_equal(counter(COUNTER_clients_bound), 30);
    assert_int_equal(counter(COUNTER_leases_failed), 0);
}

/* The production lease of a workday: spans beyond 71 minutes do not wrap. */
static void a_rebinding_three_hours_after_t1_is_told_as_long_as_can_be(void **state)
{
    (void)state;
    begin(2, 1);
    world.turns_only_when_asked = true;
    world.servers[0].lease_s = 28800;
    bind_all();
    world.servers[0].is_silent_to_renewals = true;
    lane_world_run(&world, 25300 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_rebound), 2);
    assert_true(lane_world_event(&world, 0, EVENT_REBIND, 0)->offer_us == EVENT_SPAN_MAX);
    assert_int_equal(lane_world_nth(&world, 0, DHCP4_REBIND, 0)->query.secs, 10800);
    /* Half of what was left, again and again, but a minute at least. */
    assert_int_equal(lane_world_nth(&world, 0, DHCP4_RENEW, 1)->query.secs, 5400);
    assert_int_equal(lane_world_nth(&world, 0, DHCP4_RENEW, 2)->query.secs, 8100);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_silent_server_is_asked_four_times_with_doubling_waits_and_one_xid),
        TEST(a_request_nobody_answers_is_given_up_after_its_own_tries),
        TEST(failed_is_counted_once_at_the_deadline_however_often_a_client_tries),
        TEST(who_has_no_lease_when_the_run_ends_before_its_deadline_has_failed),
        TEST(who_binds_after_the_deadline_is_failed_and_late_bound),
        TEST(a_client_that_gave_up_gets_another_turn_only_in_the_next_acquire_stage),
        TEST(one_reply_of_anybody_ends_the_silent_streak),
        TEST(renewals_one_server_does_not_answer_are_no_silence),
        TEST(renewals_one_of_two_servers_does_not_answer_are_no_silence),
        TEST(silence_counts_also_where_there_are_fewer_tries_than_three),
        TEST(the_slot_time_spent_waiting_for_retransmissions_is_all_of_it),
        TEST(under_loss_everybody_binds_and_each_exchange_keeps_its_xid),
        TEST(a_repeated_request_repeats_the_secs_of_its_discover),
        TEST(a_lease_counts_from_the_first_transmission_of_the_request_that_was_answered),
        TEST(a_server_that_refuses_everybody_is_not_asked_for_ever),
        TEST(after_a_nak_the_acquisition_begins_anew_in_its_slot),
        TEST(a_nak_in_renewing_ends_the_lease_and_the_client_acquires_at_once),
        TEST(a_nak_in_rebinding_ends_the_lease_too),
        TEST(renewals_lost_are_rebound_at_t2_and_the_wait_is_told_from_the_first_renew),
        TEST(with_a_shorter_retry_renewals_are_repeated_until_t2),
        TEST(a_renewal_that_needed_a_second_try_is_renewed_and_retried),
        TEST(a_lease_nobody_renews_expires_at_its_instant_and_is_acquired_again),
        TEST(a_rebinding_three_hours_after_t1_is_told_as_long_as_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
