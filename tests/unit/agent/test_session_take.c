/* SPDX-License-Identifier: MIT */
/* Clients of a lost agent: what an agent takes, what it refuses; and what it does when left alone.
 */
#include "tests/support/session_bed.h"

enum { OTHER = 1, ELSEWHERE, OTHERS = 500, RELAYS_HERE = 3 };

static struct plan_relay relays[RELAYS_HERE];
static struct control_take_share share;
static struct control_taken lease;

/* Relay 0 is carried here; OTHER is another agent's in the same subnet, ELSEWHERE is in another. */
static void make_shared_plan(struct bed *b)
{
    static const char *const names[RELAYS_HERE] = {"bldg-1", "bldg-2", "bldg-3"};
    make_plan(b, RUN_A);
    for (uint32_t i = 0; i < RELAYS_HERE; i++) {
        relays[i] = b->relay;
        (void)snprintf(relays[i].name, sizeof(relays[i].name), "%s", names[i]);
        relays[i].giaddr = relays[i].via = inet_from_host(CARRIER + i);
        relays[i].first_client = i == 0 ? 0 : CLIENTS + (i - 1) * OTHERS;
        relays[i].client_count = i == 0 ? CLIENTS : OTHERS;
        relays[i].xid_slot = (uint8_t)(1 + i);
    }
    relays[ELSEWHERE].subnet.prefix_bits = 17;
    b->plan.relays = relays;
    b->plan.relay_count = RELAYS_HERE;
    b->plan.client_count = CLIENTS + 2 * OTHERS;
}

static void run_one(struct bed *b, uint64_t session)
{
    uint8_t run = (uint8_t)(RUN_A + session);
    join_run(b, session, run);
    make_shared_plan(b);
    memset(b->plan.run_id, run, sizeof(b->plan.run_id));
    get_ready(b);
    get_armed(b);
    go(b, 0); /* nobody is sent anything: nobody answers here */
    fake_until(&b->fake, step_is_done, "the step to be done");
}

static void run_it(struct bed *b)
{
    start_agent(b, false);
    run_one(b, 11);
}

static struct control_message take_of(uint64_t epoch, uint32_t first, uint32_t count)
{
    share = (struct control_take_share){
        .relay = OTHER, .first_client = first, .client_count = count, .via_relay = 0};
    lease = (struct control_taken){.client = first,
                                   .flags = TAKEN_HAD_LEASE,
                                   .addr = inet_from_host(0x0a0a0105),
                                   .server = inet_from_host(SERVER),
                                   .lease_ms = 30000};
    struct control_message m = {.kind = CONTROL_TAKE};
    m.u.take = (struct control_take){.assignment_epoch = epoch,
                                     .at_ns = clock_monotonic_ns(),
                                     .packets_per_s_max = 1000000,
                                     .shares = &share,
                                     .share_count = 1,
                                     .clients = &lease,
                                     .client_count = 1};
    return m;
}

static bool second_epoch_is_told(const struct fake_coordinator *f)
{
    return f->progress.assignment_epoch == 2;
}

static bool third_epoch_is_told(const struct fake_coordinator *f)
{
    return f->progress.assignment_epoch == 3;
}

static void expect_not_taken(struct bed *b, struct control_message *take, enum control_refusal code,
                             const char *text)
{
    uint64_t before = atomic_load(&model_lane.taken);
    fake_send(&b->fake, take);
    struct control_message m = fake_await(&b->fake, CONTROL_REFUSE);
    if (m.u.refuse.code != code || strstr(m.u.refuse.text, text) == NULL) {
        fail_msg("%s '%s' does not say '%s'", control_refusal_name(m.u.refuse.code),
                 m.u.refuse.text, text);
    }
    assert_int_equal(m.u.refuse.assignment_epoch, 2);
    assert_int_equal(atomic_load(&model_lane.taken), before);
    assert_int_equal(atomic_load(&model_lane.lanes), 1); /* and the run goes on */
    /* Refused once is refused for good: the next is asked of another run. */
    say_bye(b);
    memset(&b->fake.progress, 0, sizeof(b->fake.progress));
    run_one(b, b->fake.session + 1);
}

static void what_lies_outside_plan_policy_or_relays_is_refused_and_the_run_goes_on(void **state)
{
    struct bed *b = *state;
    b->policy.clients = CLIENTS + 100;
    run_it(b);
    uint32_t first = relays[OTHER].first_client;
    struct control_message m = take_of(2, first, 10);
    share.via_relay = OTHER;
    expect_not_taken(b, &m, REFUSAL_PLAN, "is not carried here");
    m = take_of(2, first, 10);
    share.relay = 7;
    expect_not_taken(b, &m, REFUSAL_PLAN, "relay 7 is not in the plan");
    m = take_of(2, relays[ELSEWHERE].first_client, 10);
    share.relay = ELSEWHERE;
    expect_not_taken(b, &m, REFUSAL_PLAN, "relay bldg-1 is in another subnet than relay bldg-3");
    m = take_of(2, first, OTHERS + 1);
    expect_not_taken(b, &m, REFUSAL_PLAN, "relay bldg-2, which has");
    m = take_of(2, 10, 10);
    share.relay = 0; /* our own, once more */
    expect_not_taken(b, &m, REFUSAL_PLAN, "names clients twice");
    m = take_of(2, first, 101);
    expect_not_taken(b, &m, REFUSAL_POLICY, "20101 clients are more than the 20100");
    m = take_of(2, first, 10);
    lease.addr = inet_from_host(0x0a0b0001);
    expect_not_taken(b, &m, REFUSAL_PLAN, "10.11.0.1");
    m = take_of(2, first, 10);
    lease.server = inet_from_host(SERVER + 1);
    expect_not_taken(b, &m, REFUSAL_PLAN, "its server 127.0.0.13 is not in the plan");
    m = take_of(2, first, 10);
    m.u.take.has_go = true;
    m.u.take.go = (struct control_go){.stage = 1, .start_at_ns = 1};
    expect_not_taken(b, &m, REFUSAL_PLAN, "there is no stage 1");
    m.u.take.go = (struct control_go){.start_at_ns = 1, .rate_milli_per_s = 1000000000};
    expect_not_taken(b, &m, REFUSAL_PLAN, "other pace");
    m.u.take.go = (struct control_go){.start_at_ns = 1, .batch = 1, .round = 1};
    expect_not_taken(b, &m, REFUSAL_PLAN, "round");
    atomic_store(&model_lane.take_fails, true);
    m = take_of(2, first, 10);
    expect_not_taken(b, &m, REFUSAL_RESOURCES, "no memory");
    atomic_store(&model_lane.take_fails, false);
    m = take_of(2, first, 10);
    fake_send(&b->fake, &m);
    fake_until(&b->fake, second_epoch_is_told, "the clients to be taken");
}

/*
 * The coordinator deals them to another agent as soon as it hears of the refusal, and may have
 * asked again before: whoever accepted then would play them beside the other.
 */
static void who_has_refused_refuses_again_whatever_has_changed(void **state)
{
    struct bed *b = *state;
    run_it(b);
    uint64_t before = atomic_load(&model_lane.taken);
    atomic_store(&model_lane.take_fails, true);
    for (unsigned i = 0; i < 3; i++) {
        struct control_message m = take_of(2, relays[OTHER].first_client, 10);
        fake_send(&b->fake, &m);
        m = fake_await(&b->fake, CONTROL_REFUSE);
        assert_int_equal(m.u.refuse.code, REFUSAL_RESOURCES);
        assert_int_equal(m.u.refuse.assignment_epoch, 2);
        assert_non_null(strstr(m.u.refuse.text, "no memory"));
        atomic_store(&model_lane.take_fails, false);
    }
    b->policy.clients = CLIENTS; /* nor does it look at the policy again */
    struct control_message m = take_of(2, relays[OTHER].first_client, 10);
    fake_send(&b->fake, &m);
    assert_int_equal(fake_await(&b->fake, CONTROL_REFUSE).u.refuse.code, REFUSAL_RESOURCES);
    assert_int_equal(atomic_load(&model_lane.taken), before);
    assert_int_equal(b->fake.progress.assignment_epoch, 1);
}

static void each_take_happens_once_and_in_order(void **state)
{
    struct bed *b = *state;
    run_it(b);
    uint64_t before = atomic_load(&model_lane.taken);
    uint32_t first = relays[OTHER].first_client;
    struct control_message m = take_of(3, first, 10); /* the one before it is missing */
    fake_send(&b->fake, &m);
    m = take_of(2, first, 10);
    fake_send(&b->fake, &m);
    fake_send(&b->fake, &m);
    fake_until(&b->fake, second_epoch_is_told, "the first to be taken");
    fake_send(&b->fake, &m);
    m = take_of(3, first + 10, 20);
    fake_send(&b->fake, &m);
    fake_until(&b->fake, third_epoch_is_told, "the second to be taken");
    m = take_of(2, first, 10);
    fake_send(&b->fake, &m);
    drain(b);
    (void)fake_await(&b->fake, CONTROL_DONE);
    assert_int_equal(atomic_load(&model_lane.taken), before + 30);
    m = take_of(4, first + 30, 10);
    fake_send(&b->fake, &m); /* the run is over here: nobody comes any more */
    m = (struct control_message){.kind = CONTROL_CLOCK_REQUEST};
    m.u.clock_request = (struct control_clock_request){.id = 1, .t1_ns = 1};
    fake_send(&b->fake, &m);
    (void)fake_await(&b->fake, CONTROL_CLOCK_REPLY);
    assert_int_equal(atomic_load(&model_lane.taken), before + 30);
}

/* The fleet's packets fall to those who live: more than its part none of them sends. */
static void a_take_raises_the_packets_to_the_part_of_all_clients_at_most(void **state)
{
    struct bed *b = *state;
    run_it(b);
    assert_in_range(atomic_load(&model_lane.packets_per_s_max), 1, 9525);
    struct control_message m = take_of(2, relays[OTHER].first_client, OTHERS);
    fake_send(&b->fake, &m);
    fake_until(&b->fake, second_epoch_is_told, "the clients to be taken");
    /* 10000 * 20500 / 21000, to the next whole one, and one. */
    assert_int_equal(atomic_load(&model_lane.packets_per_s_max), 9763);
}

static void a_take_before_the_run_begins_is_ignored(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    make_shared_plan(b);
    get_ready(b);
    uint64_t before = atomic_load(&model_lane.taken);
    struct control_message m = take_of(2, relays[OTHER].first_client, 10);
    fake_send(&b->fake, &m);
    get_armed(b);
    assert_int_equal(atomic_load(&model_lane.taken), before);
    assert_true(log_says(b, "kind=take"));
}

/* --- left alone --- */

/* Grants of a moment: the lease ends while the fake coordinator says nothing more. */
static void stop_granting(struct bed *b)
{
    struct control_message m;
    b->fake.grants = false;
    uint64_t until_ns = clock_monotonic_ns() + 8 * NS_PER_S;
    while (atomic_load(&model_lane.may_send) && clock_monotonic_ns() < until_ns) {
        (void)fake_take(&b->fake, 20, &m);
    }
    assert_false(atomic_load(&model_lane.may_send));
}

static void leases_are_kept_without_a_coordinator_if_plan_and_policy_say_so(void **state)
{
    struct bed *b = *state;
    b->policy.renewals_alone_ns = 60 * NS_PER_S;
    b->fake.grant_ns = 2 * NS_PER_S;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    make_shared_plan(b);
    b->plan.renewals_alone_ns = 2 * NS_PER_S;
    get_ready(b);
    get_armed(b);
    go(b, 0); /* nobody is sent anything: nobody answers here */
    fake_until(&b->fake, step_is_done, "the step to be done");
    stop_granting(b);
    assert_true(atomic_load(&model_lane.may_renew));
    uint64_t from_ns = clock_monotonic_ns();
    struct control_message m;
    while (atomic_load(&model_lane.may_renew) && clock_monotonic_ns() < from_ns + 4 * NS_PER_S) {
        (void)fake_take(&b->fake, 20, &m);
    }
    assert_in_range(clock_monotonic_ns() - from_ns, 1500 * NS_PER_MS, 2600 * NS_PER_MS);
    assert_false(atomic_load(&model_lane.may_renew));
}

static void without_leave_nothing_is_kept(void **state)
{
    struct bed *b = *state;
    run_it(b);
    stop_granting(b);
    assert_false(atomic_load(&model_lane.may_renew));
}

static void a_plan_that_wants_more_time_alone_than_the_policy_gives_is_refused(void **state)
{
    struct bed *b = *state;
    b->policy.renewals_alone_ns = 60 * NS_PER_S;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    make_shared_plan(b);
    b->plan.renewals_alone_ns = 61 * NS_PER_S;
    struct control_message m = prepare_of(b);
    fake_send(&b->fake, &m);
    m = fake_await(&b->fake, CONTROL_REFUSE);
    assert_int_equal(m.u.refuse.code, REFUSAL_POLICY);
    assert_non_null(strstr(m.u.refuse.text, "renewals for 61 s without a coordinator"));
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        IN_BED(what_lies_outside_plan_policy_or_relays_is_refused_and_the_run_goes_on),
        IN_BED(who_has_refused_refuses_again_whatever_has_changed),
        IN_BED(each_take_happens_once_and_in_order),
        IN_BED(a_take_raises_the_packets_to_the_part_of_all_clients_at_most),
        IN_BED(a_take_before_the_run_begins_is_ignored),
        IN_BED(leases_are_kept_without_a_coordinator_if_plan_and_policy_say_so),
        IN_BED(without_leave_nothing_is_kept),
        IN_BED(a_plan_that_wants_more_time_alone_than_the_policy_gives_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
