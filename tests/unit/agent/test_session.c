/* SPDX-License-Identifier: MIT */
/* What an agent does with what a coordinator says, up to whole runs. */
#include "tests/support/session_bed.h"

static void send_refusal(struct bed *b, enum control_refusal code)
{
    struct control_message m = {.kind = CONTROL_REFUSE};
    m.u.refuse.code = code;
    (void)snprintf(m.u.refuse.text, sizeof(m.u.refuse.text), "not with me");
    fake_send_as(&b->fake, &m, CONTROL_SESSION_UNKNOWN);
}

static void a_refusal_for_good_ends_the_agent(void **state)
{
    struct bed *b = *state;
    static const enum control_refusal codes[] = {REFUSAL_VERSION, REFUSAL_DUPLICATE_AGENT};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        start_agent(b, false);
        (void)fake_await(&b->fake, CONTROL_HELLO);
        send_refusal(b, codes[i]);
        assert_int_equal(join_agent(b), SESSION_REFUSED);
        assert_true(log_says(b, "not with me"));
    }
}

static void a_busy_coordinator_is_asked_again(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    (void)fake_await(&b->fake, CONTROL_HELLO);
    send_refusal(b, REFUSAL_BUSY);
    (void)fake_await(&b->fake, CONTROL_HELLO);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

static void expect_refusal(struct bed *b, struct control_message *prepare,
                           enum control_refusal code, const char *text)
{
    fake_send(&b->fake, prepare);
    struct control_message m = fake_await(&b->fake, CONTROL_REFUSE);
    assert_int_equal(m.u.refuse.code, code);
    if (strstr(m.u.refuse.text, text) == NULL) {
        fail_msg("'%s' does not say '%s'", m.u.refuse.text, text);
    }
    assert_int_equal(atomic_load(&model_lane.lanes), 0);
}

static const struct control_fact *fact_of(const struct control_message *m,
                                          enum control_fact_kind kind)
{
    for (size_t i = 0; i < m->u.preflight_report.fact_count; i++) {
        if (m->u.preflight_report.facts[i].kind == kind) {
            return &m->u.preflight_report.facts[i];
        }
    }
    return NULL;
}

/* What lacks at a host explains a refusal, so it comes before it; a host that is ready tells too.
 */
static void facts_about_the_host_come_before_ready_and_before_a_refusal(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    b->relay.via = inet_from_host(0x0a0a0001);
    struct control_message m = prepare_of(b);
    fake_send(&b->fake, &m);
    struct control_message report = fake_await(&b->fake, CONTROL_PREFLIGHT_REPORT);
    assert_int_equal(report.u.preflight_report.relay_count, 0);
    assert_false(report.u.preflight_report.is_last);
    assert_non_null(fact_of(&report, FACT_LOOKED_AT));
    assert_non_null(fact_of(&report, FACT_NO_ADDRESS));
    (void)fake_await(&b->fake, CONTROL_REFUSE);

    make_plan(b, RUN_A);
    m = prepare_of(b);
    fake_send(&b->fake, &m);
    report = fake_await(&b->fake, CONTROL_PREFLIGHT_REPORT);
    assert_null(fact_of(&report, FACT_NO_ADDRESS));
    assert_non_null(fact_of(&report, FACT_RECEIVE_BUFFER));
    assert_non_null(fact_of(&report, FACT_TIMER_STEP));
    (void)fake_await(&b->fake, CONTROL_READY);
}

/* Without a word of farewell. */
static void join_another(struct bed *b, uint64_t session, uint8_t run)
{
    make_plan(b, run);
    fake_welcome(&b->fake, session, run);
    (void)fake_await(&b->fake, CONTROL_DATA_HELLO);
}

static void a_plan_that_cannot_be_is_refused_with_the_reason(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);

    struct control_message m = prepare_of(b);
    m.u.prepare.plan_hash[0] ^= 1;
    expect_refusal(b, &m, REFUSAL_PLAN, "hash");

    b->plan.servers[0].address = inet_from_host(SERVER + 1);
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_POLICY, "127.0.0.13");

    make_plan(b, RUN_B);
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_PLAN, "another run");

    make_plan(b, RUN_A);
    b->relay.via = inet_from_host(0x0a0a0001);
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_ADDRESS, "10.10.0.1 port 67");

    make_plan(b, RUN_A);
    get_ready(b); /* none of this harmed the session, nor was any of it played */
}

static void a_plan_that_is_not_for_here_and_now_is_refused(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);

    struct control_message m = prepare_of(b);
    m.u.prepare.is_signed = false;
    expect_refusal(b, &m, REFUSAL_POLICY, "not signed");

    m = prepare_of(b);
    b->plan_bytes[m.u.prepare.plan_bytes - 1] ^= 1;
    plan_hash(b->plan_bytes, m.u.prepare.plan_bytes, m.u.prepare.plan_hash);
    expect_refusal(b, &m, REFUSAL_POLICY, "does not belong to this plan");

    m = prepare_of(b);
    m.u.prepare.operator_key[0] ^= 1;
    expect_refusal(b, &m, REFUSAL_POLICY, "none of operators:");

    b->plan_agent.key[0] ^= 1;
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_POLICY, "signed for other agents (a1)");

    make_plan(b, RUN_A);
    b->plan.not_before_s -= 7200;
    b->plan.not_after_s -= 3600 + PLAN_CLOCK_TOLERANCE_S + 2;
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_POLICY, "was valid until");

    make_plan(b, RUN_A);
    b->plan.not_before_s += 60 + PLAN_CLOCK_TOLERANCE_S + 30;
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_POLICY, "not valid before");

    make_plan(b, RUN_A);
    get_ready(b); /* what was refused before it was looked at counts as nothing played */
    assert_int_equal(atomic_load(&model_lane.sent), 0);
}

/* However it came to its end: BYE, DRAIN NOW, or another run. */
static void a_run_that_is_over_is_not_played_again(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    struct control_message first = prepare_of(b);
    uint8_t kept[sizeof(b->plan_bytes)];
    memcpy(kept, b->plan_bytes, sizeof(kept));
    get_ready(b);
    join_another(b, 12, RUN_B);
    get_ready(b);
    struct control_message m = {.kind = CONTROL_DRAIN, .u.drain.mode = DRAIN_NOW};
    fake_send(&b->fake, &m);
    (void)fake_await(&b->fake, CONTROL_DONE);
    join_another(b, 13, RUN_B + 1);
    get_ready(b);
    say_bye(b);
    join_run(b, 14, RUN_B + 1);
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_POLICY, "played here already");
    join_another(b, 15, RUN_B);
    m = prepare_of(b);
    expect_refusal(b, &m, REFUSAL_POLICY, "played here already");
    fake_welcome(&b->fake, 16, RUN_A);
    (void)fake_await(&b->fake, CONTROL_DATA_HELLO);
    memcpy(b->plan_bytes, kept, sizeof(kept));
    expect_refusal(b, &first, REFUSAL_POLICY, "played here already");
}

static void commands_that_make_no_sense_here_are_ignored(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    go(b, 5);
    drain(b);
    get_ready(b);
    go(b, 5); /* not armed */
    struct control_message m = {.kind = CONTROL_BYE, .u.bye.text = "of another session"};
    fake_send_as(&b->fake, &m, 12);
    get_armed(b);
    go_stage(b, 1, 5); /* the plan has one stage */
    m = (struct control_message){.kind = CONTROL_CLOCK_REQUEST};
    m.u.clock_request = (struct control_clock_request){.id = 1, .t1_ns = 1};
    fake_send(&b->fake, &m);
    (void)fake_await(&b->fake, CONTROL_CLOCK_REPLY);
    assert_int_equal(atomic_load(&model_lane.sent), 0);
    assert_int_equal(b->fake.progress.started, 0);
}

/* --- leases of an earlier run --- */

static void send_adopt(struct bed *b, uint32_t client, uint32_t addr, uint32_t server, size_t count)
{
    static struct control_adopted leases[CONTROL_ADOPT_MAX];
    for (size_t i = 0; i < count; i++) {
        leases[i] = (struct control_adopted){0, inet_from_host(0x0a0a0001), inet_from_host(SERVER)};
    }
    leases[count - 1] =
        (struct control_adopted){client, inet_from_host(addr), inet_from_host(server)};
    struct control_message m = {.kind = CONTROL_ADOPT, .u.adopt = {leases, count}};
    fake_send(&b->fake, &m);
}

static void expect_run_refused(struct bed *b, const char *text)
{
    struct control_message m = fake_await(&b->fake, CONTROL_REFUSE);
    assert_int_equal(m.u.refuse.code, REFUSAL_PLAN);
    if (strstr(m.u.refuse.text, text) == NULL) {
        fail_msg("'%s' does not say '%s'", m.u.refuse.text, text);
    }
    while (atomic_load(&model_lane.lanes) > 0) { /* the run is forgotten, not the session */
        (void)usleep(1000);
    }
    assert_int_equal(atomic_load(&model_lane.adopted), 0);
}

static void a_lease_that_cannot_be_this_agents_refuses_the_run(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    static const struct {
        uint32_t client, addr, server;
        const char *text;
    } cases[] = {
        {CLIENTS, 0x0a0a0001, SERVER, "of client 20000, which is another agent's"},
        {PLAN_CLIENTS_MAX - 1, 0x0a0a0001, SERVER, "which is another agent's"},
        {7, 0x0a0b0001, SERVER, "10.11.0.1 of client 7 lies outside the plan's block"},
        {7, 0x0a0a0001, SERVER + 1, "of server 127.0.0.13, which is not in the plan"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        get_ready(b);
        send_adopt(b, cases[i].client, cases[i].addr, cases[i].server, 3);
        expect_run_refused(b, cases[i].text);
        send_adopt(b, 7, 0x0a0a0001, SERVER, 1); /* of a run that is no more: nothing happens */
        join_another(b, 12 + i, (uint8_t)(RUN_B + i));
    }
    get_ready(b);
    send_adopt(b, 7, 0x0a0a0001, SERVER, 1);
    struct control_message m = {.kind = CONTROL_PREFLIGHT, .u.preflight.path_count = 1};
    fake_send(&b->fake, &m);
    m = fake_await(&b->fake, CONTROL_REFUSE);
    assert_non_null(strstr(m.u.refuse.text, "preflight"));
}

static void adopted_leases_reach_the_lane_before_the_run_begins(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    send_adopt(b, CLIENTS - 1, 0x0a0affff, SERVER, CONTROL_ADOPT_MAX);
    send_adopt(b, 0, 0x0a0a0001, SERVER, 5);
    struct control_message m = {.kind = CONTROL_ARM};
    m.u.arm = (struct control_arm){.generation = 7, .path = PLAN_PATH_EGRESS};
    fake_send(&b->fake, &m);
    (void)fake_await(&b->fake, CONTROL_ARMED);
    send_adopt(b, 1, 0x0a0a0001, SERVER, 1);
    go(b, 100);
    send_adopt(b, 2, 0x0a0a0001, SERVER, 1); /* too late */
    fake_until(&b->fake, step_is_done, "the step's end");
    assert_int_equal(atomic_load(&model_lane.adopted), CONTROL_ADOPT_MAX + 6);
}

static void the_clock_is_answered_with_two_readings_of_ours(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    struct control_message m = {.kind = CONTROL_CLOCK_REQUEST};
    uint64_t t1_ns = clock_monotonic_ns();
    m.u.clock_request = (struct control_clock_request){.id = 42, .t1_ns = t1_ns};
    fake_send(&b->fake, &m);
    struct control_clock_reply reply = fake_await(&b->fake, CONTROL_CLOCK_REPLY).u.clock_reply;
    assert_int_equal(reply.id, 42);
    assert_int_equal(reply.t1_ns, t1_ns);
    assert_in_range(reply.t2_ns, t1_ns, reply.t3_ns);
    assert_in_range(reply.t3_ns, reply.t2_ns, clock_monotonic_ns());
}

static void a_whole_run_loses_nothing_and_ends_with_done(void **state)
{
    struct bed *b = *state;
    start_agent(b, true);
    join_run(b, 11, RUN_A);
    assert_int_equal(b->fake.hello.proto_max, CONTROL_PROTO);
    assert_int_equal(b->fake.hello.address_count, 1); /* 127.0.0.1, owned by the policy */
    get_ready(b);
    get_armed(b);
    go(b, CLIENTS);
    fake_until(&b->fake, step_is_done, "the step's end");
    finish_run(b);
    assert_int_equal(b->fake.repeated_batches, 0);
    assert_int_equal(b->fake.batches_after_final, 0);
    assert_true(b->fake.histograms >= MODEL_HISTOGRAMS);
    assert_int_equal(b->fake.last_histogram_seq, b->fake.final.seq);
    assert_int_equal(atomic_load(&model_lane.sent) + atomic_load(&model_lane.send_errors), CLIENTS);
    say_bye(b);
    assert_int_equal(join_agent(b), SESSION_STOPPED);
}

static void an_agent_serves_run_after_run(void **state)
{
    struct bed *b = *state;
    static const uint8_t runs[] = {RUN_A, RUN_B};
    start_agent(b, false);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        make_plan(b, runs[i]);
        join_run(b, 20 + i, runs[i]);
        get_ready(b);
        get_armed(b);
        go(b, CLIENTS);
        finish_run(b);
        say_bye(b);
        b->fake.committed = 0;
        b->fake.events = 0;
        b->fake.has_final = false;
        memset(b->fake.seen, 0, FAKE_CLIENTS_MAX);
    }
    (void)fake_await(&b->fake, CONTROL_HELLO);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

/* --- the run lease --- */

static int server_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(67), .sin_addr.s_addr = htonl(SERVER)};
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

static bool something_arrived(int fd)
{
    uint8_t byte;
    return recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) > 0;
}

static void without_a_grant_nothing_is_sent(void **state)
{
    struct bed *b = *state;
    int fd = server_socket();
    b->fake.grants = false;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    go(b, 100);
    (void)fake_await(&b->fake, CONTROL_BEAT);
    (void)fake_await(&b->fake, CONTROL_BEAT);
    assert_false(something_arrived(fd));
    assert_int_equal(b->fake.events, 0);
    b->fake.grants = true;
    fake_until(&b->fake, step_is_done, "the step's end, with a grant");
    assert_true(something_arrived(fd));
    (void)close(fd);
}

static void a_grant_that_comes_late_only_shortens(void **state)
{
    struct bed *b = *state;
    b->fake.grants = false;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    struct control_message beat = fake_await(&b->fake, CONTROL_BEAT);
    struct control_message grant = {.kind = CONTROL_GRANT};
    /* Five seconds after that beat are over; an answer to a beat of the future is none. */
    grant.u.grant.boottime_ns = beat.u.beat.boottime_ns - RUN_LEASE_NS;
    grant.u.grant.duration_ns = RUN_LEASE_NS;
    fake_send(&b->fake, &grant);
    grant.u.grant.boottime_ns = clock_boottime_ns() + 3600 * NS_PER_S;
    fake_send(&b->fake, &grant);
    go(b, 100);
    (void)fake_await(&b->fake, CONTROL_BEAT);
    assert_int_equal(b->fake.progress.started, 0);
    assert_false(atomic_load(&model_lane.may_send));
}

static void send_grant(struct bed *b, uint64_t boottime_ns, uint64_t duration_ns)
{
    struct control_message m = {.kind = CONTROL_GRANT};
    m.u.grant = (struct control_grant){.boottime_ns = boottime_ns, .duration_ns = duration_ns};
    fake_send(&b->fake, &m);
}

static void await_right(struct bed *b, bool wanted)
{
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    struct control_message m;
    while (atomic_load(&model_lane.may_send) != wanted && clock_monotonic_ns() < until_ns) {
        (void)fake_take(&b->fake, 10, &m);
    }
    assert_true(atomic_load(&model_lane.may_send) == wanted);
}

static void a_beat_is_answered_once_and_then_only_shortened(void **state)
{
    struct bed *b = *state;
    b->fake.grants = false;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    uint64_t boottime_ns = fake_await(&b->fake, CONTROL_BEAT).u.beat.boottime_ns;
    send_grant(b, boottime_ns, RUN_LEASE_NS);
    await_right(b, true);
    send_grant(b, boottime_ns, 0);
    await_right(b, false);
    send_grant(b, boottime_ns, RUN_LEASE_NS);
    (void)fake_await(&b->fake, CONTROL_BEAT);
    (void)fake_await(&b->fake, CONTROL_BEAT);
    assert_false(atomic_load(&model_lane.may_send));
    assert_true(log_says(b, "kind=grant"));
}

/* --- what was signed --- */

static void send_go(struct bed *b, struct control_go go)
{
    struct control_message m = {.kind = CONTROL_GO, .u.go = go};
    m.u.go.start_at_ns = clock_monotonic_ns();
    m.u.go.client_limit = 100;
    fake_send(&b->fake, &m);
}

static void a_go_beyond_the_signed_stage_is_cut_or_ignored(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    send_go(b, (struct control_go){.batch = 300, .round = 1}); /* nothing is searched for */
    send_go(b, (struct control_go){.rate_milli_per_s = 1000000000});
    send_go(b, (struct control_go){0}); /* no pace is no limit */
    (void)fake_await(&b->fake, CONTROL_BEAT);
    (void)fake_await(&b->fake, CONTROL_BEAT);
    assert_int_equal(atomic_load(&model_lane.sent), 0);
    assert_true(log_says(b, "kind=go"));
    send_go(b, (struct control_go){.batch = 301});
    fake_until(&b->fake, step_is_done, "the step's end");
    assert_int_equal(atomic_load(&model_lane.batch), 300);
}

static void more_packets_than_this_agents_part_are_refused(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    struct control_message m = prepare_of(b);
    struct control_share share = {.client_count = CLIENTS / 4};
    m.u.prepare.shares = &share;
    m.u.prepare.packets_per_s_max = 2502;
    expect_refusal(b, &m, REFUSAL_POLICY, "2501");
    m.u.prepare.packets_per_s_max = 2501;
    fake_send(&b->fake, &m);
    (void)fake_await(&b->fake, CONTROL_READY);
    assert_int_equal(atomic_load(&model_lane.packets_per_s_max), 2501);
}

static void the_lease_ends_by_itself(void **state)
{
    struct bed *b = *state;
    b->fake.grant_ns = 300 * NS_PER_MS;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    bool has_held = false, has_ended = false;
    struct control_message m;
    while (!has_ended && clock_monotonic_ns() < until_ns) {
        (void)fake_take(&b->fake, 10, &m);
        bool may_send = atomic_load(&model_lane.may_send);
        has_ended = has_held && !may_send;
        has_held = has_held || may_send;
    }
    assert_true(has_ended);
}

/* Told why, and again to a coordinator that comes back; the results are still collected. */
static void a_lane_that_is_halted_sends_nothing_more_and_keeps_its_results(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    go(b, 500);
    fake_until(&b->fake, step_is_done, "the step's end");
    uint64_t sent = atomic_load(&model_lane.sent) + atomic_load(&model_lane.send_errors);
    assert_int_equal(sent, 500);
    atomic_store(&model_lane.is_spent, true);
    struct control_message m = fake_await(&b->fake, CONTROL_REFUSE);
    assert_int_equal(m.u.refuse.code, REFUSAL_TOTAL);
    assert_non_null(strstr(m.u.refuse.text, "1000000000 packets that its policy allows"));
    go(b, CLIENTS); /* whatever is ordered */
    fake_welcome(&b->fake, 12, RUN_A);
    m = fake_await(&b->fake, CONTROL_REFUSE);
    assert_int_equal(m.u.refuse.code, REFUSAL_TOTAL);
    drain(b);
    struct control_message done = fake_await(&b->fake, CONTROL_DONE);
    fake_until(&b->fake, has_final, "a final snapshot");
    while (b->fake.committed < done.u.done.last_batch_seq) {
        (void)fake_await(&b->fake, CONTROL_BATCH);
    }
    assert_int_equal(b->fake.events, done.u.done.event_count);
    assert_in_range(b->fake.events, 500, CLIENTS);
    assert_int_equal(atomic_load(&model_lane.sent) + atomic_load(&model_lane.send_errors), sent);
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        IN_BED(a_refusal_for_good_ends_the_agent),
        IN_BED(a_busy_coordinator_is_asked_again),
        IN_BED(a_plan_that_cannot_be_is_refused_with_the_reason),
        IN_BED(facts_about_the_host_come_before_ready_and_before_a_refusal),
        IN_BED(a_plan_that_is_not_for_here_and_now_is_refused),
        IN_BED(a_run_that_is_over_is_not_played_again),
        IN_BED(a_lane_that_is_halted_sends_nothing_more_and_keeps_its_results),
        IN_BED(commands_that_make_no_sense_here_are_ignored),
        IN_BED(a_lease_that_cannot_be_this_agents_refuses_the_run),
        IN_BED(adopted_leases_reach_the_lane_before_the_run_begins),
        IN_BED(the_clock_is_answered_with_two_readings_of_ours),
        IN_BED(a_whole_run_loses_nothing_and_ends_with_done),
        IN_BED(an_agent_serves_run_after_run),
        IN_BED(without_a_grant_nothing_is_sent),
        IN_BED(a_grant_that_comes_late_only_shortens),
        IN_BED(a_beat_is_answered_once_and_then_only_shortened),
        IN_BED(a_go_beyond_the_signed_stage_is_cut_or_ignored),
        IN_BED(more_packets_than_this_agents_part_are_refused),
        IN_BED(the_lease_ends_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
