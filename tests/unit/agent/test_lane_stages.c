/* SPDX-License-Identifier: MIT */
/* Steps, stages of every kind, and the end of a run. */
#include "tests/support/testing.h"

#include <string.h>

#include "tests/support/lane_world.h"

enum { CLIENTS = 60 };

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

/* Stage 0 acquires, stage 1 is of the kind, stage 2 acquires again. */
static void begin(uint32_t clients, enum plan_stage_kind kind)
{
    lane_world_init(&world, 2, clients / 2, 2);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, kind, kind == PLAN_HOLD ? 100 * NS_PER_S : 0);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_start(&world);
}

static void bind_all(void)
{
    lane_world_go(&world, 0, 1000, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_bound), world.plan.client_count);
}

static struct control_progress progress(void)
{
    struct control_progress p;
    lane_progress(world.lane, &p);
    return p;
}

static void silence(bool is_silent)
{
    world.servers[0].is_silent = world.servers[1].is_silent = is_silent;
}

/* --- steps --- */

static void go_step(uint32_t step, uint32_t limit, bool is_last)
{
    struct control_go go = {.stage = 0,
                            .step = step,
                            .start_at_ns = world.now_ns,
                            .client_limit = limit,
                            .batch = 20,
                            .is_last_step = is_last};
    lane_go(world.lane, &go, world.now_ns);
}

static void canaries_start_no_more_clients_than_each_step_allows(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    static const uint32_t limits[] = {3, 33, CLIENTS};
    for (uint32_t step = 0; step < 3; step++) {
        go_step(step, limits[step], step == 2);
        assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
        lane_world_run(&world, 5 * NS_PER_S);
        assert_int_equal(counter(COUNTER_leases_acquired), limits[step]);
        assert_int_equal(progress().started, limits[step]);
        assert_int_equal(progress().finished, limits[step]);
        assert_int_equal(progress().step, step);
        assert_int_equal(counter(COUNTER_clients_never_started), CLIENTS - limits[step]);
    }
    assert_int_equal(counter(COUNTER_planned_starts), CLIENTS);
}

static void a_repeated_or_older_go_does_nothing(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    go_step(0, 3, false);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    go_step(1, 33, false);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    go_step(1, CLIENTS, false);
    go_step(0, CLIENTS, false);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_acquired), 33);
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, NS_PER_S);
    go_step(2, CLIENTS, true);
    lane_world_run(&world, 5 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_acquired), 33);
    assert_int_equal(progress().stage, 1);
}

static void a_go_for_a_stage_the_plan_does_not_have_does_nothing(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    lane_world_go(&world, 3, 10, 0);
    lane_world_go(&world, UINT32_MAX, 10, 0);
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(world.sent_count, 0);
    assert_false(progress().is_step_done);
}

static void a_go_for_later_waits_and_one_for_earlier_begins_at_once(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    struct control_go go = {
        .start_at_ns = world.now_ns + NS_PER_S, .client_limit = CLIENTS, .batch = 1};
    lane_go(world.lane, &go, world.now_ns);
    lane_world_run(&world, NS_PER_S - NS_PER_MS);
    assert_int_equal(world.sent_count, 0);
    lane_world_run(&world, 2 * NS_PER_MS);
    assert_int_equal(world.sent_count, 2);
    assert_true(world.sent[0].at_ns == go.start_at_ns);
    go = (struct control_go){.stage = 2, .start_at_ns = 5, .client_limit = CLIENTS, .batch = 100};
    lane_go(world.lane, &go, world.now_ns);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_acquired), CLIENTS);
}

static void a_limit_above_the_population_is_the_population(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    go_step(0, UINT32_MAX, true);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_actual_starts), CLIENTS);
}

static void no_more_exchanges_are_in_flight_than_the_batch(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    silence(true);
    go_step(0, CLIENTS, true);
    for (unsigned i = 0; i < 30; i++) {
        lane_world_run(&world, 100 * NS_PER_MS);
        assert_true(counter(COUNTER_exchanges_open) <= 20);
    }
    assert_int_equal(counter(COUNTER_exchanges_open), 20);
}

/* --- kinds --- */

static void a_hold_is_done_when_its_time_is_over(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    bind_all();
    lane_world_go(&world, 1, 0, 0);
    uint64_t begun_ns = world.now_ns;
    assert_true(lane_world_run_step(&world, 200 * NS_PER_S));
    assert_int_equal(world.now_ns - begun_ns, 100 * NS_PER_S);
}

static void reboot_asks_for_the_address_remembered(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_REBOOT);
    bind_all();
    lane_world_go(&world, 1, 20, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_ACK), CLIENTS);
    assert_int_equal(counter(COUNTER_leases_reacquired), CLIENTS);
    assert_int_equal(counter(COUNTER_sent_reboot), 2 * CLIENTS);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    for (uint32_t client = 0; client < CLIENTS; client++) {
        const struct lane_world_sent *s = lane_world_nth(&world, client, DHCP4_REBOOT, 0);
        const struct event *e = lane_world_event(&world, client, EVENT_ACQUIRE, 0);
        assert_true(inet_equal(s->query.requested, e->addr));
        assert_true(inet_is_zero(s->query.ciaddr) && !s->query.has_server_id);
        assert_int_equal(lane_world_event(&world, client, EVENT_REBOOT, 0)->stage, 1);
    }
}

static void a_reboot_nobody_answers_keeps_the_lease_and_one_refused_acquires_anew(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_REBOOT);
    world.plan.acquire_tries = 2;
    bind_all();
    silence(true);
    lane_world_go(&world, 1, 1000, 0);
    assert_true(lane_world_run_step(&world, 15 * NS_PER_S));
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_GAVE_UP), CLIENTS);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    silence(false);
    lane_world_run(&world, 25 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_renewed), CLIENTS);
}

static void a_reboot_refused_ends_the_lease_and_its_turn(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_REBOOT);
    bind_all();
    world.servers[0].naks_renewals = world.servers[1].naks_renewals = true;
    lane_world_go(&world, 1, 1000, 0);
    assert_true(lane_world_run_step(&world, NS_PER_S));
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_NAK), CLIENTS);
    assert_int_equal(counter(COUNTER_leases_reacquired), CLIENTS);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
}

static void a_lease_that_runs_out_while_rebooting_expires(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_REBOOT);
    world.servers[0].lease_s = world.servers[1].lease_s = 5;
    bind_all();
    lane_world_run(&world, 2 * NS_PER_S);
    silence(true);
    lane_world_go(&world, 1, 1000, 0);
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_expired), CLIENTS);
    assert_int_equal(lane_world_count_events(&world, EVENT_REBOOT, EVENT_GAVE_UP), CLIENTS);
}

static void inform_asks_without_touching_the_lease(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_INFORM);
    bind_all();
    lane_world_go(&world, 1, 20, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(lane_world_count_events(&world, EVENT_INFORM, EVENT_ACK), CLIENTS);
    assert_int_equal(counter(COUNTER_sent_inform), CLIENTS);
    assert_int_equal(counter(COUNTER_leases_renewed) + counter(COUNTER_leases_reacquired), 0);
    for (uint32_t client = 0; client < CLIENTS; client++) {
        const struct lane_world_sent *s = lane_world_nth(&world, client, DHCP4_INFORM, 0);
        assert_int_equal(s->port, LANE_PORT_CLIENT);
        assert_false(inet_is_zero(s->query.ciaddr));
        assert_true(inet_is_zero(s->query.giaddr) && !s->query.has_requested);
    }
    lane_world_run(&world, 31 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_renewed), CLIENTS);
}

static void an_inform_still_open_at_t1_gives_way_to_the_renewal(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_INFORM);
    bind_all();
    lane_world_run(&world, 20 * NS_PER_S);
    silence(true);
    lane_world_go(&world, 1, 1000, 0);
    lane_world_run(&world, 9 * NS_PER_S);
    assert_true(counter(COUNTER_sent_inform) >= 2 * CLIENTS); /* repeated */
    assert_int_equal(lane_world_nth(&world, 0, DHCP4_INFORM, 1)->query.xid,
                     lane_world_nth(&world, 0, DHCP4_INFORM, 0)->query.xid);
    silence(false);
    lane_world_run(&world, 3 * NS_PER_S);
    assert_int_equal(lane_world_count_events(&world, EVENT_INFORM, EVENT_GAVE_UP) +
                         lane_world_count_events(&world, EVENT_INFORM, EVENT_ACK),
                     CLIENTS);
    assert_true(progress().is_step_done);
    assert_int_equal(counter(COUNTER_leases_renewed), CLIENTS);
}

static void an_inform_nobody_answers_gives_up_after_its_tries(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_INFORM);
    world.plan.acquire_tries = 2;
    bind_all();
    silence(true);
    lane_world_go(&world, 1, 1000, 0);
    assert_true(lane_world_run_step(&world, 15 * NS_PER_S));
    assert_int_equal(lane_world_count_events(&world, EVENT_INFORM, EVENT_GAVE_UP), CLIENTS);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
}

static void decline_tells_every_server_pauses_ten_seconds_and_acquires_again(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_DECLINE);
    bind_all();
    lane_world_go(&world, 1, 20, 0);
    assert_true(lane_world_run_step(&world, 5 * NS_PER_S));
    assert_int_equal(lane_world_count_events(&world, EVENT_DECLINE, EVENT_SENT), CLIENTS);
    assert_int_equal(counter(COUNTER_sent_decline), 2 * CLIENTS);
    lane_world_run(&world, 2 * NS_PER_MS);
    assert_int_equal(world.servers[0].declines + world.servers[1].declines, 2 * CLIENTS);
    assert_int_equal(counter(COUNTER_clients_bound), 0);
    lane_world_run(&world, 11 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_reacquired), CLIENTS);
    for (uint32_t client = 0; client < CLIENTS; client++) {
        const struct lane_world_sent *decline = lane_world_nth(&world, client, DHCP4_DECLINE, 0);
        const struct lane_world_sent *again = lane_world_nth(&world, client, DHCP4_DISCOVER, 1);
        assert_true(again->at_ns == decline->at_ns + 10 * NS_PER_S);
        assert_true(decline->query.has_requested && decline->query.has_server_id);
        assert_true(inet_is_zero(decline->query.ciaddr));
    }
}

/* The pause after a DECLINE begins when it leaves: one that has to wait is not forgotten. */
static void a_decline_kept_back_for_longer_than_its_pause_is_still_sent(void **state)
{
    (void)state;
    lane_world_init(&world, 1, 10, 2);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_DECLINE, 0);
    world.servers[0].lease_s = world.servers[1].lease_s = 3600;
    world.packets_per_s_max = 1;
    lane_world_start(&world);
    lane_world_go(&world, 0, 1, 0);
    assert_true(lane_world_run_step(&world, 100 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    assert_true(lane_world_run_step(&world, 100 * NS_PER_S));
    assert_int_equal(counter(COUNTER_sent_decline), 20);
    assert_int_equal(lane_world_count_events(&world, EVENT_DECLINE, EVENT_SENT), 10);
    lane_world_run(&world, 100 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_reacquired), 10);
}

static void release_ends_every_lease_whatever_is_going_on_about_it(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_RELEASE);
    bind_all();
    world.servers[0].is_silent_to_renewals = world.servers[1].is_silent_to_renewals = true;
    lane_world_run(&world, 31 * NS_PER_S);
    assert_int_equal(counter(COUNTER_exchanges_open), CLIENTS); /* all are RENEWING */
    lane_world_go(&world, 1, 20, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_released), CLIENTS);
    assert_int_equal(counter(COUNTER_clients_released), CLIENTS);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
    size_t sent = world.sent_count;
    lane_world_run(&world, 60 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
    assert_int_equal(lane_world_event(&world, 0, EVENT_RELEASE, 0)->flags & EVENT_CLEANUP, 0);
    /* And a later stage acquires anew. */
    lane_world_go(&world, 2, 1000, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_reacquired), CLIENTS);
}

static void release_ends_a_lease_that_is_being_rebound(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_RELEASE);
    bind_all();
    silence(true);
    lane_world_run(&world, 54 * NS_PER_S);
    assert_int_equal(counter(COUNTER_sent_rebind), 2 * CLIENTS);
    lane_world_go(&world, 1, 1000, 0);
    assert_true(lane_world_run_step(&world, 2 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_released), CLIENTS);
    lane_world_run(&world, 20 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
}

static void who_is_busy_renewing_has_its_turn_later(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_INFORM);
    bind_all();
    world.plan.renew_retry_ns = 4 * NS_PER_S;
    silence(true);
    lane_world_run(&world, 31 * NS_PER_S);
    lane_world_go(&world, 1, 1000, 0);
    lane_world_run(&world, 2 * NS_PER_S);
    assert_int_equal(counter(COUNTER_sent_inform), 0);
    assert_false(progress().is_step_done);
    silence(false);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(lane_world_count_events(&world, EVENT_INFORM, EVENT_ACK), CLIENTS);
}

static void a_stage_without_anybody_who_could_take_part_is_done_at_once(void **state)
{
    (void)state;
    static const enum plan_stage_kind kinds[] = {PLAN_REBOOT, PLAN_INFORM, PLAN_DECLINE,
                                                 PLAN_RELEASE};
    for (size_t i = 0; i < 4; i++) {
        if (i > 0) {
            tear_down(state);
        }
        begin(CLIENTS, kinds[i]);
        lane_world_go(&world, 1, 10, 0);
        assert_true(lane_world_run_step(&world, NS_PER_S));
        assert_int_equal(world.sent_count, 0);
    }
}

/* --- DRAIN --- */

static void while_draining_due_renewals_are_sent_and_nothing_else_begins(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    bind_all();
    lane_world_run(&world, 25 * NS_PER_S);
    world.servers[0].is_silent = true; /* some renewals stay open, so that the drain lasts */
    lane_world_run(&world, 5 * NS_PER_S);
    lane_world_drain(&world, DRAIN_GRACEFUL, 0);
    lane_world_go(&world, 2, 1000, 0);
    assert_true(lane_world_run_drained(&world, 11 * NS_PER_S));
    assert_int_equal(counter(COUNTER_sent_discover), 2 * CLIENTS);
    assert_int_equal(counter(COUNTER_sent_release), 0);
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
    /* The lease is held on: neither T2 nor expiry came. */
    assert_int_equal(lane_world_count_events(&world, EVENT_RENEW, EVENT_GAVE_UP), 0);
    size_t sent = world.sent_count;
    lane_world_run(&world, 60 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
    assert_int_equal(world.event_count, counter(COUNTER_events));
}

static void with_silent_servers_a_drain_takes_ten_seconds_and_the_releases(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    lane_world_go(&world, 0, 10, 0);
    lane_world_run(&world, 20 * NS_PER_MS);
    silence(true);
    lane_world_run(&world, NS_PER_S);
    uint64_t bound = counter(COUNTER_clients_bound);
    assert_in_range(bound, 1, CLIENTS - 1);
    uint64_t begun_ns = world.now_ns;
    lane_world_drain(&world, DRAIN_GRACEFUL, 10000);
    assert_true(lane_world_run_drained(&world, 20 * NS_PER_S));
    uint64_t took_ns = world.now_ns - begun_ns;
    assert_true(took_ns >= 10 * NS_PER_S && took_ns <= (11 + bound / 10) * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_released), bound);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
    for (size_t i = 0; i < world.event_count; i++) {
        assert_true(world.events[i].kind != EVENT_RELEASE ||
                    (world.events[i].flags & EVENT_CLEANUP) != 0);
    }
}

static void a_drain_in_which_nothing_is_open_is_over_at_once(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    bind_all();
    lane_world_drain(&world, DRAIN_GRACEFUL, 0);
    assert_true(lane_world_run_drained(&world, 10 * NS_PER_MS));
    assert_int_equal(counter(COUNTER_clients_bound), CLIENTS);
}

/* More open exchanges than a turn may leave events of: none of them is lost. */
static void thousands_of_open_exchanges_are_all_told_when_they_are_abandoned(void **state)
{
    (void)state;
    begin(20000, PLAN_HOLD);
    silence(true);
    lane_world_go(&world, 0, 20000, 0);
    lane_world_run(&world, 3 * NS_PER_S);
    assert_int_equal(counter(COUNTER_exchanges_open), 20000);
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_true(lane_world_run_drained(&world, 11 * NS_PER_S));
    /* What was open, and that the client has failed. */
    assert_int_equal(lane_world_count_events(&world, EVENT_ACQUIRE, EVENT_GAVE_UP), 40000);
    assert_int_equal(counter(COUNTER_results_coalesced), 0);
    assert_int_equal(counter(COUNTER_clients_failed), 20000);
}

static void drain_now_sends_nothing_more_and_takes_nothing_more_for_an_answer(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    lane_world_go(&world, 0, 0, 0);
    lane_world_run(&world, 3 * NS_PER_MS); /* REQUESTs are under way */
    size_t sent = world.sent_count, events = world.event_count;
    lane_world_drain(&world, DRAIN_NOW, 1000000);
    assert_true(lane_world_run_drained(&world, NS_PER_MS));
    lane_world_run(&world, 100 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
    assert_int_equal(world.event_count, events);
    assert_true(counter(COUNTER_fate_late) >= CLIENTS);
    assert_true(lane_next_ns(world.lane) == UINT64_MAX);
}

static void drain_now_cuts_a_graceful_drain_short(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    bind_all();
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000); /* one a second */
    lane_world_run(&world, 5 * NS_PER_S);
    assert_in_range(counter(COUNTER_leases_released), 4, 7);
    size_t sent = world.sent_count;
    lane_world_drain(&world, DRAIN_NOW, 0);
    assert_true(lane_world_run_drained(&world, NS_PER_MS));
    lane_world_run(&world, 100 * NS_PER_S);
    assert_int_equal(world.sent_count, sent);
}

static void without_a_run_lease_a_drain_releases_nothing_until_it_is_back(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    bind_all();
    lane_set_may_send(world.lane, false, world.now_ns);
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_false(lane_world_run_drained(&world, 15 * NS_PER_S));
    assert_int_equal(counter(COUNTER_sent_release), 0);
    lane_set_may_send(world.lane, true, world.now_ns);
    assert_true(lane_world_run_drained(&world, 5 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_released), CLIENTS);
}

static void what_the_schedule_calls_for_ends_with_the_drain(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_HOLD);
    lane_world_go(&world, 0, 0, 10000);
    lane_world_run(&world, 2 * NS_PER_S);
    lane_world_drain(&world, DRAIN_GRACEFUL, 0);
    uint64_t planned = counter(COUNTER_planned_starts);
    assert_in_range(planned, 20, 21);
    lane_world_run(&world, 30 * NS_PER_S);
    assert_int_equal(counter(COUNTER_planned_starts), planned);
    assert_int_equal(counter(COUNTER_actual_starts), planned);
}

static void planned_starts_add_up_over_steps_and_stages(void **state)
{
    (void)state;
    begin(CLIENTS, PLAN_RELEASE);
    lane_world_go(&world, 0, 0, 30000);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    lane_world_go(&world, 1, 0, 30000);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    lane_world_go(&world, 2, 10, 0);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_planned_starts), 3 * CLIENTS);
    assert_int_equal(counter(COUNTER_actual_starts), 3 * CLIENTS);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(canaries_start_no_more_clients_than_each_step_allows),
        TEST(a_repeated_or_older_go_does_nothing),
        TEST(a_go_for_a_stage_the_plan_does_not_have_does_nothing),
        TEST(a_go_for_later_waits_and_one_for_earlier_begins_at_once),
        TEST(a_limit_above_the_population_is_the_population),
        TEST(no_more_exchanges_are_in_flight_than_the_batch),
        TEST(a_hold_is_done_when_its_time_is_over),
        TEST(reboot_asks_for_the_address_remembered),
        TEST(a_reboot_nobody_answers_keeps_the_lease_and_one_refused_acquires_anew),
        TEST(a_reboot_refused_ends_the_lease_and_its_turn),
        TEST(a_lease_that_runs_out_while_rebooting_expires),
        TEST(inform_asks_without_touching_the_lease),
        TEST(an_inform_still_open_at_t1_gives_way_to_the_renewal),
        TEST(an_inform_nobody_answers_gives_up_after_its_tries),
        TEST(decline_tells_every_server_pauses_ten_seconds_and_acquires_again),
        TEST(a_decline_kept_back_for_longer_than_its_pause_is_still_sent),
        TEST(release_ends_every_lease_whatever_is_going_on_about_it),
        TEST(release_ends_a_lease_that_is_being_rebound),
        TEST(who_is_busy_renewing_has_its_turn_later),
        TEST(a_stage_without_anybody_who_could_take_part_is_done_at_once),
        TEST(while_draining_due_renewals_are_sent_and_nothing_else_begins),
        TEST(with_silent_servers_a_drain_takes_ten_seconds_and_the_releases),
        TEST(a_drain_in_which_nothing_is_open_is_over_at_once),
        TEST(thousands_of_open_exchanges_are_all_told_when_they_are_abandoned),
        TEST(drain_now_sends_nothing_more_and_takes_nothing_more_for_an_answer),
        TEST(drain_now_cuts_a_graceful_drain_short),
        TEST(without_a_run_lease_a_drain_releases_nothing_until_it_is_back),
        TEST(what_the_schedule_calls_for_ends_with_the_drain),
        TEST(planned_starts_add_up_over_steps_and_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
