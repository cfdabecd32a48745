/* SPDX-License-Identifier: MIT */
/* Stages by arrivals: exactly the load that was asked for, whatever the server does. */
#include "tests/support/testing.h"

#include <string.h>

#include "tests/support/lane_world.h"

enum { FILL, LOAD, EMPTY, HOLD };
#define RATE UINT64_C(500000) /* 500/s */

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

static void begin_with(uint32_t clients, uint32_t acquire, uint32_t renew, bool is_poisson)
{
    lane_world_init(&world, 2, clients / 2, 1);
    world.servers[0].lease_s = 3600; /* nothing is renewed but on demand */
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_add_stage(&world, PLAN_LOAD, 0);
    lane_world_add_stage(&world, PLAN_RELEASE, 0);
    lane_world_add_stage(&world, PLAN_HOLD, 100 * NS_PER_S);
    struct plan_stage *load = &world.plan.stages[LOAD];
    load->rate_milli_per_s = 2 * RATE;
    load->acquire_weight = acquire;
    load->renew_weight = renew;
    load->is_poisson = is_poisson;
    lane_world_start(&world);
}

static void begin(uint32_t clients, uint32_t acquire, uint32_t renew)
{
    begin_with(clients, acquire, renew, false);
}

static void bind(uint32_t clients)
{
    struct control_go go = {.stage = FILL,
                            .start_at_ns = world.now_ns,
                            .client_limit = clients,
                            .batch = 1000,
                            .is_last_step = true};
    lane_go(world.lane, &go, world.now_ns);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_bound), clients);
}

static struct control_progress progress(void)
{
    struct control_progress p;
    lane_progress(world.lane, &p);
    return p;
}

static bool load(uint64_t round, uint64_t arrivals)
{
    lane_world_go_arrivals(&world, round, LOAD, RATE, arrivals);
    return lane_world_run_step(&world, 60 * NS_PER_S);
}

/* Packets of that intent sent at or after an instant. */
static size_t sent_since(enum dhcp4_intent intent, uint64_t from_ns)
{
    size_t count = 0;
    for (size_t i = 0; i < world.sent_count; i++) {
        count += world.sent[i].intent == intent && world.sent[i].at_ns >= from_ns;
    }
    return count;
}

/* Early renewals with that result. */
static size_t early(enum event_result result)
{
    size_t count = 0;
    for (size_t i = 0; i < world.event_count; i++) {
        const struct event *e = &world.events[i];
        count += e->kind == EVENT_RENEW && (e->flags & EVENT_EARLY) != 0 && e->result == result;
    }
    return count;
}

/* --- what must not happen --- */

static void a_go_that_is_older_or_repeated_does_nothing(void **state)
{
    (void)state;
    begin(400, 1, 0);
    assert_true(load(5, 10));
    assert_int_equal(progress().round, 5);
    lane_world_go_arrivals(&world, 5, LOAD, RATE, 10);
    lane_world_go_arrivals(&world, 4, LOAD, RATE, 10);
    lane_world_go_arrivals(&world, 4, EMPTY, RATE, 10);
    lane_world_go_arrivals(&world, 0, HOLD, 0, 0);
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(counter(COUNTER_planned_starts), 10);
    assert_int_equal(progress().stage, LOAD);
    /* In one round the stages go on as ever; a later round begins an earlier one anew. */
    lane_world_go_arrivals(&world, 5, EMPTY, RATE, 4);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_released), 4);
    lane_world_go_arrivals(&world, 5, LOAD, RATE, 10);
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(progress().stage, EMPTY);
    assert_true(load(6, 10));
    assert_int_equal(counter(COUNTER_clients_bound), 16);
    assert_int_equal(progress().started, 10);
}

static void the_rate_of_a_go_is_never_above_the_plans(void **state)
{
    (void)state;
    begin(4000, 1, 0);
    uint64_t from_ns = world.now_ns;
    lane_world_go_arrivals(&world, 1, LOAD, 100 * RATE, 2000);
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), 1001); /* the first one at once */
}

static void a_load_of_no_arrivals_or_no_rate_is_done_at_once(void **state)
{
    (void)state;
    begin(20, 1, 1);
    lane_world_go_arrivals(&world, 1, LOAD, RATE, 0);
    assert_true(lane_world_run_step(&world, NS_PER_S));
    lane_world_go_arrivals(&world, 2, LOAD, 0, 5);
    assert_true(lane_world_run_step(&world, NS_PER_S));
    assert_int_equal(world.sent_count, 0);
    assert_int_equal(counter(COUNTER_planned_starts), 0);
}

/* Nobody there is to acquire: 50 of 100 arrivals stay planned, renewals go on as scheduled. */
static void an_exhausted_population_is_told_and_holds_nothing_up(void **state)
{
    (void)state;
    begin(60, 1, 1);
    bind(60);
    uint64_t from_ns = world.now_ns;
    uint64_t planned = counter(COUNTER_planned_starts), actual = counter(COUNTER_actual_starts);
    assert_true(load(1, 100));
    assert_true(world.now_ns - from_ns < NS_PER_S);
    assert_int_equal(sent_since(DHCP4_RENEW, from_ns), 50);
    assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), 0);
    assert_int_equal(counter(COUNTER_planned_starts) - planned, 100);
    assert_int_equal(counter(COUNTER_actual_starts) - actual, 50);
    assert_int_equal(progress().started, 50);
    assert_int_equal(progress().finished, 50);
}

/* Nobody is bound: the renewals wait for the first to be, and are late, not skipped. */
static void an_arrival_waits_for_somebody_who_is_ready(void **state)
{
    (void)state;
    begin(400, 1, 1);
    world.latency_ns = 50 * NS_PER_MS;
    uint64_t from_ns = world.now_ns;
    assert_true(load(1, 400));
    assert_int_equal(sent_since(DHCP4_RENEW, from_ns), 200);
    size_t first = 0;
    while (first < world.event_count && world.events[first].kind != EVENT_RENEW) {
        first++;
    }
    assert_true(first < world.event_count);
    /* Bound after four ways, renewed after two more; it was wanted from the very beginning. */
    assert_in_range(world.events[first].wait_us, 300000, 304000);
    assert_in_range(world.events[first].took_us, 100000, 102000);
}

/* --- what is sent --- */

static void each_step_offers_exactly_what_was_asked(void **state)
{
    (void)state;
    static const struct {
        uint32_t acquire, renew;
        uint64_t arrivals;
        size_t discovers;
    } cases[] = {{1, 0, 500, 500}, {0, 1, 500, 0},   {1, 1, 501, 250}, {1, 20, 500, 23},
                 {3, 7, 333, 99},  {2, 1, 500, 333}, {1, 9999, 50, 0}, {9999, 1, 50, 49}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin(2000, cases[i].acquire, cases[i].renew);
        bind(200);
        uint64_t from_ns = world.now_ns;
        size_t events = world.event_count;
        assert_true(load(1, cases[i].arrivals));
        assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), cases[i].discovers);
        assert_int_equal(sent_since(DHCP4_REQUEST, from_ns), cases[i].discovers);
        assert_int_equal(sent_since(DHCP4_RENEW, from_ns), cases[i].arrivals - cases[i].discovers);
        assert_int_equal(early(EVENT_ACK), cases[i].arrivals - cases[i].discovers);
        assert_int_equal(world.event_count - events, cases[i].arrivals);
        assert_int_equal(counter(COUNTER_leases_acquired), 200 + cases[i].discovers);
        (void)tear_down(NULL);
    }
    begin(20, 1, 0);
}

/* After every arrival the mix is right to within one exchange, and the instants are the rate's. */
static void the_mix_and_the_instants_are_exact_all_the_way(void **state)
{
    (void)state;
    begin(2000, 3, 7);
    bind(500);
    uint64_t from_ns = world.now_ns;
    assert_true(load(1, 1000));
    size_t acquired = 0, all = 0;
    for (size_t i = 0; i < world.sent_count; i++) {
        const struct lane_world_sent *s = &world.sent[i];
        if (s->at_ns < from_ns || s->intent == DHCP4_REQUEST) {
            continue;
        }
        acquired += s->intent == DHCP4_DISCOVER;
        all++;
        assert_int_equal(acquired, all * 3 / 10);
        /* Sent in the first turn, of one a millisecond, after its instant. */
        assert_in_range(s->at_ns - from_ns - (all - 1) * 2 * NS_PER_MS, 0, NS_PER_MS);
    }
    assert_int_equal(all, 1000);
}

static void poisson_arrivals_are_as_many_and_repeat_with_the_seed(void **state)
{
    (void)state;
    uint64_t hash[2] = {0};
    for (int i = 0; i < 2; i++) {
        begin_with(2000, 1, 3, true);
        bind(500);
        uint64_t from_ns = world.now_ns;
        assert_true(load(1, 1000));
        assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), 250);
        assert_int_equal(sent_since(DHCP4_RENEW, from_ns), 750);
        /* A thousand arrivals at 500/s: 2 s, and a standard deviation of 63 ms. */
        assert_in_range(world.now_ns - from_ns, 1750 * NS_PER_MS, 2250 * NS_PER_MS);
        for (size_t k = 0; k < world.sent_count; k++) {
            hash[i] = hash[i] * 31 + (world.sent[k].at_ns ^ world.sent[k].client);
        }
        (void)tear_down(NULL);
    }
    assert_true(hash[0] == hash[1]);
    begin(20, 1, 0);
}

/* Renewals go round: nobody is renewed twice before everybody was once. */
static void every_client_has_its_turn(void **state)
{
    (void)state;
    static uint8_t times[400];
    begin(400, 0, 1);
    bind(300);
    uint64_t from_ns = world.now_ns;
    memset(times, 0, sizeof(times));
    assert_true(load(1, 900));
    for (size_t i = 0; i < world.sent_count; i++) {
        times[world.sent[i].client] =
            (uint8_t)(times[world.sent[i].client] + (world.sent[i].at_ns >= from_ns));
    }
    for (size_t i = 0; i < 400; i++) {
        assert_true(times[i] == 0 || times[i] == 3);
    }
}

/* --- no answer --- */

static void a_silent_server_is_sent_each_message_once_and_the_step_ends(void **state)
{
    (void)state;
    begin(2000, 1, 1);
    bind(200);
    world.servers[0].is_silent = true;
    uint64_t from_ns = world.now_ns;
    assert_true(load(1, 200));
    assert_in_range(world.now_ns - from_ns, 4300 * NS_PER_MS, 4500 * NS_PER_MS);
    assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), 100);
    assert_int_equal(sent_since(DHCP4_RENEW, from_ns), 100);
    assert_int_equal(early(EVENT_GAVE_UP), 100);
    assert_int_equal(lane_world_count_events(&world, EVENT_ACQUIRE, EVENT_GAVE_UP), 100);
    /* No client has failed: its deadline was never that of an acquire stage. */
    lane_world_run(&world, 120 * NS_PER_S);
    assert_int_equal(counter(COUNTER_leases_failed), 0);
    assert_int_equal(counter(COUNTER_clients_bound), 200);
    assert_int_equal(counter(COUNTER_clients_failed), 100);
    assert_int_equal(counter(COUNTER_silent_streak), 0);
    assert_int_equal(counter(COUNTER_slot_wait_ns), 0);
    /* Who gave up is asked again in a later step, after those who never were. */
    world.servers[0].is_silent = false;
    assert_true(load(2, 2000));
    assert_int_equal(counter(COUNTER_leases_acquired), 1200);
    assert_true(load(3, 2000));
    assert_int_equal(counter(COUNTER_leases_acquired), 2000);
    assert_int_equal(counter(COUNTER_clients_failed), 0);
}

/* A renewal on demand that nobody answers leaves the lease as it was: T1, T2 and expiry come. */
static void the_lease_goes_on_as_before_an_early_renewal_without_answer(void **state)
{
    (void)state;
    begin(2, 0, 1);
    world.servers[0].lease_s = 60;
    world.plan.fuzz_permille = 0;
    bind(2);
    uint64_t bound_at_ns = lane_world_nth(&world, 0, DHCP4_REQUEST, 0)->at_ns;
    world.servers[0].is_silent_to_renewals = true;
    assert_true(load(1, 2));
    struct control_go go = {.round = 2, .stage = HOLD, .start_at_ns = world.now_ns};
    lane_go(world.lane, &go, world.now_ns);
    lane_world_run(&world, 60 * NS_PER_S);
    assert_int_equal(lane_world_nth(&world, 0, DHCP4_RENEW, 1)->at_ns - bound_at_ns, 30 * NS_PER_S);
    const struct event *e = lane_world_event(&world, 0, EVENT_RENEW, 1);
    assert_int_equal(e->result, EVENT_GAVE_UP);
    assert_int_equal(e->flags & EVENT_EARLY, 0);
    /* At T2, 52.5 s: the server answers what comes through the relay. */
    assert_in_range(lane_world_nth(&world, 0, DHCP4_REBIND, 0)->at_ns - bound_at_ns,
                    52500 * NS_PER_MS, 52501 * NS_PER_MS);
    assert_int_equal(counter(COUNTER_leases_rebound), 2);
    assert_int_equal(counter(COUNTER_leases_expired), 0);
}

/* T1 overtakes it: when the four seconds are over the client renews as its lease wants it. */
static void an_early_renewal_that_t1_overtakes_goes_on_as_an_ordinary_one(void **state)
{
    (void)state;
    begin(2, 0, 1);
    world.servers[0].lease_s = 60;
    world.plan.fuzz_permille = 0;
    bind(2);
    uint64_t bound_at_ns = lane_world_nth(&world, 0, DHCP4_REQUEST, 0)->at_ns;
    lane_world_run(&world, 29 * NS_PER_S);
    world.servers[0].is_silent_to_renewals = true;
    assert_true(load(1, 2));
    lane_world_run(&world, NS_PER_S);
    assert_int_equal(lane_world_event(&world, 0, EVENT_RENEW, 0)->flags, EVENT_EARLY);
    const struct lane_world_sent *ordinary = lane_world_nth(&world, 0, DHCP4_RENEW, 1);
    assert_non_null(ordinary);
    assert_in_range(ordinary->at_ns - bound_at_ns, 33 * NS_PER_S, 33100 * NS_PER_MS);
    lane_world_run(&world, 20 * NS_PER_S);
    /* It was due at T1, 30 s, and ended at T2, 52.5 s: the client's own, not the load's. */
    const struct event *e = lane_world_event(&world, 0, EVENT_RENEW, 1);
    assert_int_equal(e->result, EVENT_GAVE_UP);
    assert_int_equal(e->wait_us, 22500000);
    assert_int_equal(e->flags & EVENT_EARLY, 0);
}

/* T2 comes first: the load's exchange ends there, and its step with it. */
static void a_rebinding_is_never_the_loads(void **state)
{
    (void)state;
    begin(2, 0, 1);
    world.servers[0].lease_s = 4;
    world.plan.fuzz_permille = 0;
    bind(2);
    world.servers[0].is_silent_to_renewals = true;
    lane_world_run(&world, 1900 * NS_PER_MS);
    assert_true(load(1, 2));
    assert_int_equal(early(EVENT_GAVE_UP), 2);
    assert_int_equal(lane_world_event(&world, 0, EVENT_RENEW, 0)->wait_us / 100000, 15);
    assert_int_equal(progress().finished, 2);
    lane_world_run(&world, 100 * NS_PER_MS);
    assert_int_equal(counter(COUNTER_leases_rebound), 2);
}

/* --- refusals and losses --- */

static void who_is_refused_or_expires_waits_for_an_arrival(void **state)
{
    (void)state;
    begin(40, 0, 1);
    world.servers[0].lease_s = 20;
    world.plan.fuzz_permille = 0;
    bind(40);
    world.servers[0].naks_renewals = true;
    uint64_t from_ns = world.now_ns;
    assert_true(load(1, 10));
    assert_int_equal(early(EVENT_NAK), 10);
    assert_int_equal(counter(COUNTER_clients_bound), 30);
    world.servers[0].is_silent = true;
    lane_world_run(&world, 25 * NS_PER_S);
    assert_int_equal(counter(COUNTER_clients_bound), 0);
    assert_int_equal(counter(COUNTER_leases_expired), 30);
    assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), 0);
    assert_int_equal(counter(COUNTER_clients_expired), 40);
}

static void a_refused_acquisition_is_one_exchange(void **state)
{
    (void)state;
    begin(40, 1, 0);
    world.servers[0].naks_requests = true;
    assert_true(load(1, 20));
    assert_int_equal(lane_world_count_sent(&world, DHCP4_DISCOVER), 20);
    assert_int_equal(lane_world_count_events(&world, EVENT_ACQUIRE, EVENT_NAK), 20);
    assert_int_equal(counter(COUNTER_clients_bound), 0);
    world.servers[0].naks_requests = false;
    assert_true(load(2, 40));
    assert_int_equal(counter(COUNTER_clients_bound), 40);
}

/* --- release --- */

static void a_release_of_arrivals_takes_so_many_at_that_rate(void **state)
{
    (void)state;
    begin(600, 1, 1);
    bind(500);
    uint64_t from_ns = world.now_ns;
    lane_world_go_arrivals(&world, 1, EMPTY, RATE, 300);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_in_range(world.now_ns - from_ns, 598 * NS_PER_MS, 600 * NS_PER_MS);
    assert_int_equal(counter(COUNTER_leases_released), 300);
    assert_int_equal(counter(COUNTER_clients_bound), 200);
    lane_world_run(&world, 10 * NS_PER_MS);
    assert_int_equal(model_pool_live(&world.pools[0], world.now_ns) +
                         model_pool_live(&world.pools[1], world.now_ns),
                     200);
    /* Load and release alternate; more than there are is no reason to wait for ever. */
    for (uint64_t round = 2; round < 6; round++) {
        assert_true(load(round, 200));
        assert_int_equal(counter(COUNTER_clients_bound), 300);
        lane_world_go_arrivals(&world, round, EMPTY, RATE, 100);
        assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
        assert_int_equal(counter(COUNTER_clients_bound), 200);
    }
    uint64_t actual = counter(COUNTER_actual_starts);
    lane_world_go_arrivals(&world, 9, EMPTY, RATE, 300);
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_clients_bound), 0);
    assert_int_equal(counter(COUNTER_actual_starts) - actual, 200);
}

/* The next step begins while RELEASEs wait for the packet limit: all of them are sent. */
static void a_release_is_not_forgotten_for_an_acquisition(void **state)
{
    (void)state;
    begin(40, 1, 0);
    bind(40);
    world.holds_sends = true;
    lane_world_go_arrivals(&world, 1, EMPTY, RATE, 40);
    lane_world_run(&world, 200 * NS_PER_MS);
    lane_world_go_arrivals(&world, 2, LOAD, RATE, 40);
    lane_world_run(&world, 20 * NS_PER_MS);
    world.holds_sends = false;
    assert_true(lane_world_run_step(&world, 10 * NS_PER_S));
    assert_int_equal(counter(COUNTER_leases_released), 40);
    assert_int_equal(lane_world_count_events(&world, EVENT_RELEASE, EVENT_SENT), 40);
    assert_int_equal(counter(COUNTER_leases_reacquired), 40);
}

/* --- pause, pressure, the end --- */

static void a_pause_delays_arrivals_and_skips_none(void **state)
{
    (void)state;
    begin(2000, 1, 0);
    uint64_t from_ns = world.now_ns;
    lane_world_go_arrivals(&world, 1, LOAD, RATE, 500);
    lane_world_run(&world, 500 * NS_PER_MS);
    lane_set_may_send(world.lane, false, world.now_ns);
    lane_world_run(&world, 2 * NS_PER_S);
    assert_int_equal(counter(COUNTER_planned_starts), 500);
    assert_false(progress().is_step_done);
    lane_set_may_send(world.lane, true, world.now_ns);
    assert_true(lane_world_run_step(&world, 30 * NS_PER_S));
    assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), 500);
    assert_int_equal(counter(COUNTER_leases_acquired), 500);
}

static void a_drain_ends_a_load(void **state)
{
    (void)state;
    begin(2000, 1, 1);
    bind(200);
    lane_world_go_arrivals(&world, 1, LOAD, RATE, 5000);
    lane_world_run(&world, NS_PER_S);
    lane_world_drain(&world, DRAIN_GRACEFUL, 1000000);
    assert_true(lane_world_run_drained(&world, 30 * NS_PER_S));
    assert_int_equal(counter(COUNTER_planned_starts) - counter(COUNTER_actual_starts), 0);
    assert_int_equal(counter(COUNTER_clients_bound), 0);
    assert_int_equal(counter(COUNTER_exchanges_open), 0);
}

/* The lane asks for its turns itself, and does not spin between them. */
static void a_lane_that_is_asked_only_when_it_wants_does_the_same(void **state)
{
    (void)state;
    begin(400, 1, 1);
    bind(100);
    world.turns_only_when_asked = true;
    uint64_t from_ns = world.now_ns, turns = world.turns;
    assert_true(load(1, 200));
    assert_int_equal(sent_since(DHCP4_DISCOVER, from_ns), 100);
    assert_int_equal(sent_since(DHCP4_RENEW, from_ns), 100);
    assert_in_range(world.now_ns - from_ns, 398 * NS_PER_MS, 420 * NS_PER_MS);
    assert_true(world.turns - turns < 4000);
    /* Nobody to acquire is no reason to be awake more often. */
    bool is_done = load(2, 10000);
    assert_true(is_done);
    assert_int_equal(counter(COUNTER_clients_bound), 400);
    assert_true(world.turns - turns < 100000);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_go_that_is_older_or_repeated_does_nothing),
        TEST(the_rate_of_a_go_is_never_above_the_plans),
        TEST(a_load_of_no_arrivals_or_no_rate_is_done_at_once),
        TEST(an_exhausted_population_is_told_and_holds_nothing_up),
        TEST(an_arrival_waits_for_somebody_who_is_ready),
        TEST(each_step_offers_exactly_what_was_asked),
        TEST(the_mix_and_the_instants_are_exact_all_the_way),
        TEST(poisson_arrivals_are_as_many_and_repeat_with_the_seed),
        TEST(every_client_has_its_turn),
        TEST(a_silent_server_is_sent_each_message_once_and_the_step_ends),
        TEST(the_lease_goes_on_as_before_an_early_renewal_without_answer),
        TEST(an_early_renewal_that_t1_overtakes_goes_on_as_an_ordinary_one),
        TEST(a_rebinding_is_never_the_loads),
        TEST(who_is_refused_or_expires_waits_for_an_arrival),
        TEST(a_refused_acquisition_is_one_exchange),
        TEST(a_release_of_arrivals_takes_so_many_at_that_rate),
        TEST(a_release_is_not_forgotten_for_an_acquisition),
        TEST(a_pause_delays_arrivals_and_skips_none),
        TEST(a_drain_ends_a_load),
        TEST(a_lane_that_is_asked_only_when_it_wants_does_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
