/* SPDX-License-Identifier: MIT */
/* The agent's session against a coordinator played by the test; the lane is a model without DHCP.
 */
#include "tests/support/testing.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/edge/session.h"
#include "common/log.h"
#include "tests/support/fake_coordinator.h"
#include "tests/support/model_lane.h"
#include "tests/support/own_network.h"

#define CARRIER 0x7f00004dU /* 127.0.0.77 */
#define SERVER  0x7f00000cU /* 127.0.0.12 */

enum { RUN_A = 0xa1, RUN_B = 0xb2, CLIENTS = 20000, LOG_BYTES = 65536 };

struct bed {
    struct fake_coordinator fake;
    struct policy policy;
    struct session_setup setup;
    struct plan plan;
    struct plan_relay relay;
    uint8_t plan_bytes[8192];
    pthread_t thread;
    int stop_fd, log_fd;
    enum session_end end;
    bool is_running;
};

static void *run_session(void *bed)
{
    struct bed *b = bed;
    b->end = session_run(&b->setup);
    return NULL;
}

static void make_policy(struct policy *policy)
{
    static const char text[] = "servers: [127.0.0.12]\nprefixes: [127.0.0.0/8, 10.10.0.0/16]\n";
    static struct diag why;
    diag_init(&why, "policy");
    assert_true(policy_parse(text, strlen(text), policy, &why));
}

static void make_plan(struct bed *b, uint8_t run)
{
    struct plan *p = &b->plan;
    memset(p, 0, sizeof(*p));
    memset(p->run_id, run, sizeof(p->run_id));
    (void)snprintf(p->run_name, sizeof(p->run_name), "run-%02x", run);
    (void)snprintf(p->scenario, sizeof(p->scenario), "test");
    p->client_count = CLIENTS;
    p->block = (struct ipv4_net){.base = inet_from_host(0x0a0a0000), .prefix_bits = 16};
    p->server_count = 1;
    (void)snprintf(p->servers[0].name, sizeof(p->servers[0].name), "a");
    p->servers[0].address = inet_from_host(SERVER);
    b->relay = (struct plan_relay){.name = "bldg-1",
                                   .giaddr = inet_from_host(CARRIER),
                                   .via = inet_from_host(CARRIER),
                                   .subnet = p->block,
                                   .client_count = CLIENTS,
                                   .xid_slot = 1,
                                   .to_count = 1};
    p->relays = &b->relay;
    p->relay_count = 1;
    p->stage_count = 1;
    p->stages[0] = (struct plan_stage){
        .name = "peak", .kind = PLAN_ACQUIRE, .batch = 300, .timeout_ns = 60 * NS_PER_S};
    p->acquire_tries = 4;
    p->acquire_deadline_ns = 60 * NS_PER_S;
    p->packets_per_s_max = 10000;
    p->run_time_max_ns = 600 * NS_PER_S;
}

static void start_agent(struct bed *b, bool is_once)
{
    assert_int_equal(link_context_new(&b->setup.context), 0);
    b->setup.host = "127.0.0.1";
    b->setup.port = b->fake.port[0];
    memcpy(b->setup.server_key, b->fake.own.public_key, KEY_BYTES);
    b->setup.own = &b->fake.agent;
    b->setup.policy = &b->policy;
    b->setup.stop_fd = b->stop_fd;
    b->setup.is_once = is_once;
    assert_int_equal(pthread_create(&b->thread, NULL, run_session, b), 0);
    b->is_running = true;
}

static enum session_end join_agent(struct bed *b)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    b->is_running = false;
    link_context_free(b->setup.context);
    return b->end;
}

static enum session_end stop_agent(struct bed *b)
{
    uint64_t one = 1;
    assert_int_equal(write(b->stop_fd, &one, sizeof(one)), sizeof(one));
    return join_agent(b);
}

static int setup_bed(void **state)
{
    static struct bed bed;
    memset(&bed, 0, sizeof(bed));
    fake_open(&bed.fake);
    make_policy(&bed.policy);
    make_plan(&bed, RUN_A);
    bed.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    FILE *log = tmpfile();
    bed.log_fd = dup(fileno(log));
    (void)fclose(log);
    log_set_fd(bed.log_fd);
    atomic_store(&model_lane.sent, 0);
    atomic_store(&model_lane.send_errors, 0);
    *state = &bed;
    return 0;
}

static int teardown_bed(void **state)
{
    struct bed *b = *state;
    if (b->is_running) {
        (void)stop_agent(b);
    }
    log_set_fd(-1);
    (void)close(b->log_fd);
    (void)close(b->stop_fd);
    fake_close(&b->fake);
    policy_free(&b->policy);
    return atomic_load(&model_lane.lanes) == 0 ? 0 : -1;
}

static bool log_says(const struct bed *b, const char *text)
{
    static char log[LOG_BYTES];
    ssize_t size = pread(b->log_fd, log, sizeof(log) - 1, 0);
    log[size > 0 ? size : 0] = '\0';
    return strstr(log, text) != NULL;
}

/* --- steps of a run --- */

static struct control_message prepare_of(struct bed *b)
{
    static struct control_share share;
    share = (struct control_share){.client_count = CLIENTS};
    struct control_message m = {.kind = CONTROL_PREPARE};
    m.u.prepare = (struct control_prepare){.plan = b->plan_bytes,
                                           .assignment_epoch = 1,
                                           .shares = &share,
                                           .share_count = 1,
                                           .packets_per_s_max = 10000};
    m.u.prepare.plan_bytes = plan_encode(&b->plan, b->plan_bytes, sizeof(b->plan_bytes));
    assert_in_range(m.u.prepare.plan_bytes, 1, sizeof(b->plan_bytes));
    plan_hash(b->plan_bytes, m.u.prepare.plan_bytes, m.u.prepare.plan_hash);
    return m;
}

static void join_run(struct bed *b, uint64_t session, uint8_t run)
{
    (void)fake_await(&b->fake, CONTROL_HELLO);
    fake_welcome(&b->fake, session, run);
    (void)fake_await(&b->fake, CONTROL_DATA_HELLO);
}

static void get_ready(struct bed *b)
{
    struct control_message m = prepare_of(b);
    fake_send(&b->fake, &m);
    struct control_message ready = fake_await(&b->fake, CONTROL_READY);
    assert_memory_equal(ready.u.ready.plan_hash, m.u.prepare.plan_hash, PLAN_HASH_BYTES);
    assert_true(ready.u.ready.memory_bytes > 0);
}

static void get_armed(struct bed *b)
{
    struct control_message m = {.kind = CONTROL_PREFLIGHT};
    m.u.preflight =
        (struct control_preflight){.path = {PLAN_PATH_ROUTED, PLAN_PATH_EGRESS}, .path_count = 2};
    fake_send(&b->fake, &m);
    struct control_message report = fake_await(&b->fake, CONTROL_PREFLIGHT_REPORT);
    assert_true(report.u.preflight_report.is_last);
    assert_int_equal(report.u.preflight_report.relay_count, 1);
    assert_int_equal(report.u.preflight_report.relays[0].clients, 3);

    m = (struct control_message){.kind = CONTROL_ARM};
    m.u.arm = (struct control_arm){.generation = 7, .path = PLAN_PATH_EGRESS};
    fake_send(&b->fake, &m);
    assert_int_equal(fake_await(&b->fake, CONTROL_ARMED).u.armed.generation, 7);
}

static void go_stage(struct bed *b, uint32_t stage, uint32_t clients)
{
    struct control_message m = {.kind = CONTROL_GO};
    m.u.go = (struct control_go){.stage = stage,
                                 .start_at_ns = clock_monotonic_ns(),
                                 .client_limit = clients,
                                 .batch = 300,
                                 .is_last_step = true};
    fake_send(&b->fake, &m);
}

static void go(struct bed *b, uint32_t clients)
{
    go_stage(b, 0, clients);
}

static void drain(struct bed *b)
{
    struct control_message m = {.kind = CONTROL_DRAIN};
    m.u.drain.mode = DRAIN_GRACEFUL;
    fake_send(&b->fake, &m);
}

static void say_bye(struct bed *b)
{
    struct control_message m = {.kind = CONTROL_BYE};
    (void)snprintf(m.u.bye.text, sizeof(m.u.bye.text), "PASS");
    fake_send(&b->fake, &m);
}

static bool step_is_done(const struct fake_coordinator *f)
{
    return f->progress.is_step_done;
}

static bool all_have_started(const struct fake_coordinator *f)
{
    return f->progress.started == CLIENTS;
}

static bool has_final(const struct fake_coordinator *f)
{
    return f->has_final;
}

static bool each_client_once(const struct fake_coordinator *f)
{
    for (uint32_t i = 0; i < FAKE_CLIENTS_MAX; i++) {
        if (f->seen[i] != (i < CLIENTS ? 1 : 0)) {
            return false;
        }
    }
    return true;
}

/* DRAIN to BYE: every event once, the final snapshot behind them, DONE agrees. */
static void finish_run(struct bed *b)
{
    fake_until(&b->fake, all_have_started, "the start of all clients");
    memset(&b->fake.progress, 0, sizeof(b->fake.progress));
    drain(b);
    struct control_message done = fake_await(&b->fake, CONTROL_DONE);
    fake_until(&b->fake, has_final, "a final snapshot");
    while (b->fake.committed < done.u.done.last_batch_seq) {
        (void)fake_await(&b->fake, CONTROL_BATCH);
    }
    assert_int_equal(done.u.done.event_count, CLIENTS);
    assert_int_equal(done.u.done.last_batch_seq, b->fake.committed);
    assert_int_equal(b->fake.final.last_batch_seq, b->fake.committed);
    assert_int_equal(b->fake.final.counter[COUNTER_events], CLIENTS);
    assert_int_equal(b->fake.events, CLIENTS);
    assert_true(each_client_once(&b->fake));
}

/* --- the tests --- */

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
    get_ready(b); /* none of this harmed the session */
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

/* --- broken connections --- */

static void break_connection(struct bed *b)
{
    fake_close_sockets(&b->fake);
    fake_open_sockets(&b->fake); /* the same ports */
}

static bool quarter_is_committed(const struct fake_coordinator *f)
{
    return f->events >= CLIENTS / 4;
}

static void a_broken_connection_is_resumed_where_the_ledger_stands(void **state)
{
    struct bed *b = *state;
    start_agent(b, true);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    go(b, CLIENTS / 2);
    fake_until(&b->fake, quarter_is_committed, "a quarter of the events");
    b->fake.acks = false; /* what comes now is not committed and must come again */
    fake_until(&b->fake, step_is_done, "the step's end");
    break_connection(b);
    b->fake.acks = true;
    join_run(b, 12, RUN_A);
    go(b, CLIENTS);
    finish_run(b);
    say_bye(b);
    assert_int_equal(join_agent(b), SESSION_STOPPED);
    assert_true(log_says(b, "run=resumed"));
}

static void a_final_snapshot_that_was_lost_comes_again(void **state)
{
    struct bed *b = *state;
    start_agent(b, true);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    go(b, CLIENTS);
    finish_run(b);
    break_connection(b);
    b->fake.has_final = false;
    b->fake.histograms = 0;
    join_run(b, 12, RUN_A);
    struct control_message done = fake_await(&b->fake, CONTROL_DONE);
    fake_until(&b->fake, has_final, "the final snapshot once more");
    assert_int_equal(done.u.done.event_count, CLIENTS);
    assert_true(b->fake.histograms >= MODEL_HISTOGRAMS);
    assert_true(each_client_once(&b->fake));
}

static void another_run_ends_the_open_one_without_a_packet(void **state)
{
    struct bed *b = *state;
    start_agent(b, false);
    join_run(b, 11, RUN_A);
    get_ready(b);
    get_armed(b);
    break_connection(b);
    join_run(b, 12, RUN_B);
    assert_int_equal(atomic_load(&model_lane.lanes), 0);
    assert_true(log_says(b, "what=run_discarded"));
    assert_int_equal(atomic_load(&model_lane.sent), 0);
    make_plan(b, RUN_B);
    get_ready(b); /* and it is free for the new one */
}

/* --- who may not talk to whom --- */

static void a_key_that_is_not_listed_is_named_and_the_agent_keeps_trying(void **state)
{
    struct bed *b = *state;
    struct key_pair stranger;
    char public_key[KEY_Z85_BYTES];
    key_pair_make(&stranger);
    key_to_z85(stranger.public_key, public_key);
    struct key_pair known = b->fake.agent;
    b->fake.agent = stranger;
    start_agent(b, false);
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    struct control_message m;
    while (!log_says(b, public_key) && clock_monotonic_ns() < until_ns) {
        assert_int_equal(fake_take(&b->fake, 20, &m), CONTROL_NONE);
    }
    assert_true(log_says(b, "what=key_refused"));
    assert_true(log_says(b, public_key));
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
    b->fake.agent = known;
}

static void await_log(struct bed *b, const char *text)
{
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    struct control_message m;
    while (!log_says(b, text) && clock_monotonic_ns() < until_ns) {
        (void)fake_take(&b->fake, 20, &m);
    }
    assert_true(log_says(b, text));
}

static void a_wrong_server_key_is_named(void **state)
{
    struct bed *b = *state;
    struct key_pair right = b->fake.own;
    key_pair_make(&b->fake.own);
    start_agent(b, false);
    b->fake.own = right;
    await_log(b, "what=wrong_server_key");
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

static void a_missing_listener_is_named_and_joined_when_it_comes(void **state)
{
    struct bed *b = *state;
    fake_close_sockets(&b->fake);
    start_agent(b, false);
    uint64_t until_ns = clock_monotonic_ns() + FAKE_PATIENCE_NS;
    while (!log_says(b, "what=no_listener") && clock_monotonic_ns() < until_ns) {
        (void)sched_yield();
    }
    assert_true(log_says(b, "what=no_listener"));
    fake_open_sockets(&b->fake);
    join_run(b, 11, RUN_A);
    assert_int_equal(stop_agent(b), SESSION_STOPPED);
}

int main(void)
{
    if (!own_network_enter()) {
        print_error("this test needs root: it makes a network namespace of its own\n");
        return 1;
    }
#define IN_BED(test) cmocka_unit_test_setup_teardown(test, setup_bed, teardown_bed)
    const struct CMUnitTest tests[] = {
        IN_BED(a_refusal_for_good_ends_the_agent),
        IN_BED(a_busy_coordinator_is_asked_again),
        IN_BED(a_plan_that_cannot_be_is_refused_with_the_reason),
        IN_BED(commands_that_make_no_sense_here_are_ignored),
        IN_BED(the_clock_is_answered_with_two_readings_of_ours),
        IN_BED(without_a_grant_nothing_is_sent),
        IN_BED(a_grant_that_comes_late_only_shortens),
        IN_BED(the_lease_ends_by_itself),
        IN_BED(a_whole_run_loses_nothing_and_ends_with_done),
        IN_BED(an_agent_serves_run_after_run),
        IN_BED(a_broken_connection_is_resumed_where_the_ledger_stands),
        IN_BED(a_final_snapshot_that_was_lost_comes_again),
        IN_BED(another_run_ends_the_open_one_without_a_packet),
        IN_BED(a_key_that_is_not_listed_is_named_and_the_agent_keeps_trying),
        IN_BED(a_wrong_server_key_is_named),
        IN_BED(a_missing_listener_is_named_and_joined_when_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
