/* SPDX-License-Identifier: MIT */
/*
 * One agent session in a thread, a coordinator played by the test, and a lane
 * that is a model: everything a test needs to lead a run from HELLO to BYE.
 * Include it in one .c file per program.
 */
#pragma once

#include "tests/support/testing.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/edge/run_record.h"
#include "agent/edge/session.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sign.h"
#include "proto/plan_seal.h"
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
    struct plan_agent plan_agent;
    uint8_t plan_bytes[8192];
    struct sign_key *operator_key;
    struct run_record *records;
    char state_dir[64];
    pthread_t thread;
    int stop_fd, log_fd;
    enum session_end end;
    bool is_running;
};

static inline void *run_session(void *bed)
{
    struct bed *b = bed;
    b->end = session_run(&b->setup);
    return NULL;
}

static inline void make_policy(struct policy *policy, const struct sign_key *operator_key)
{
    char key[SIGN_PUBLIC_TEXT_BYTES], text[256];
    static struct diag why;
    sign_public_to_text(sign_key_public(operator_key), key);
    (void)snprintf(text, sizeof(text),
                   "servers: [127.0.0.12]\nprefixes: [127.0.0.0/8, 10.10.0.0/16]\n"
                   "operators: {op: {key: %s}}\n",
                   key);
    diag_init(&why, "policy");
    assert_true(policy_parse(text, strlen(text), policy, &why));
}

static inline void make_records(struct bed *b)
{
    char why[RUN_RECORD_WHY_BYTES] = "";
    (void)snprintf(b->state_dir, sizeof(b->state_dir), "/tmp/leaseherd-session-XXXXXX");
    assert_non_null(mkdtemp(b->state_dir));
    assert_int_equal(run_record_load(b->state_dir, &b->records, why), 0);
}

/* For the agent of this bed, from a minute ago for an hour. */
static inline void seal_plan(struct bed *b)
{
    uint64_t now_s = clock_realtime_ns() / NS_PER_S;
    b->plan_agent = (struct plan_agent){.name = "a1"};
    memcpy(b->plan_agent.key, b->fake.agent.public_key, PLAN_AGENT_KEY_BYTES);
    b->plan.agents = &b->plan_agent;
    b->plan.agent_count = 1;
    b->plan.not_before_s = now_s - 60;
    b->plan.not_after_s = now_s + 3600;
}

/* By the bed's operator, over the bytes as they are. */
static inline void sign_prepare(const struct bed *b, struct control_prepare *p)
{
    p->is_signed = true;
    memcpy(p->operator_key, sign_key_public(b->operator_key), SIGN_PUBLIC_BYTES);
    assert_int_equal(
        sign_make(b->operator_key, PLAN_SIGN_DOMAIN, p->plan, p->plan_bytes, p->signature), 0);
}

static inline void make_plan(struct bed *b, uint8_t run)
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
    seal_plan(b);
}

static inline void start_agent(struct bed *b, bool is_once)
{
    assert_int_equal(link_context_new(&b->setup.context), 0);
    b->setup.host = "127.0.0.1";
    b->setup.port = b->fake.port[0];
    memcpy(b->setup.server_key, b->fake.own.public_key, KEY_BYTES);
    b->setup.own = &b->fake.agent;
    b->setup.policy = &b->policy;
    b->setup.records = b->records;
    b->setup.stop_fd = b->stop_fd;
    b->setup.is_once = is_once;
    assert_int_equal(pthread_create(&b->thread, NULL, run_session, b), 0);
    b->is_running = true;
}

static inline enum session_end join_agent(struct bed *b)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    b->is_running = false;
    link_context_free(b->setup.context);
    return b->end;
}

static inline enum session_end stop_agent(struct bed *b)
{
    uint64_t one = 1;
    assert_int_equal(write(b->stop_fd, &one, sizeof(one)), sizeof(one));
    return join_agent(b);
}

static inline int setup_bed(void **state)
{
    static struct bed bed;
    memset(&bed, 0, sizeof(bed));
    fake_open(&bed.fake);
    bed.operator_key = sign_key_make();
    assert_non_null(bed.operator_key);
    make_policy(&bed.policy, bed.operator_key);
    make_records(&bed);
    make_plan(&bed, RUN_A);
    bed.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    FILE *log = tmpfile();
    bed.log_fd = dup(fileno(log));
    (void)fclose(log);
    log_set_fd(bed.log_fd);
    atomic_store(&model_lane.sent, 0);
    atomic_store(&model_lane.is_spent, false);
    atomic_store(&model_lane.send_errors, 0);
    *state = &bed;
    return 0;
}

static inline void remove_state_dir(const char *dir)
{
    static const char *const names[] = {"runs", "runs.new"};
    char path[128];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path); /* not every test lets a run begin */
    }
    assert_int_equal(rmdir(dir), 0);
}

static inline int teardown_bed(void **state)
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
    sign_key_free(b->operator_key);
    run_record_free(b->records);
    remove_state_dir(b->state_dir);
    return atomic_load(&model_lane.lanes) == 0 ? 0 : -1;
}

static inline bool log_says(const struct bed *b, const char *text)
{
    static char log[LOG_BYTES];
    ssize_t size = pread(b->log_fd, log, sizeof(log) - 1, 0);
    log[size > 0 ? size : 0] = '\0';
    return strstr(log, text) != NULL;
}

/* --- steps of a run --- */

static inline struct control_message prepare_of(struct bed *b)
{
    static struct control_share share;
    share = (struct control_share){.client_count = CLIENTS};
    struct control_message m = {.kind = CONTROL_PREPARE};
    m.u.prepare =
        (struct control_prepare){.plan = b->plan_bytes,
                                 .assignment_epoch = 1,
                                 .shares = &share,
                                 .share_count = 1,
                                 .packets_per_s_max = 10000 * CLIENTS / b->plan.client_count};
    m.u.prepare.plan_bytes = plan_encode(&b->plan, b->plan_bytes, sizeof(b->plan_bytes));
    assert_in_range(m.u.prepare.plan_bytes, 1, sizeof(b->plan_bytes));
    plan_hash(b->plan_bytes, m.u.prepare.plan_bytes, m.u.prepare.plan_hash);
    sign_prepare(b, &m.u.prepare);
    return m;
}

static inline void join_run(struct bed *b, uint64_t session, uint8_t run)
{
    (void)fake_await(&b->fake, CONTROL_HELLO);
    fake_welcome(&b->fake, session, run);
    (void)fake_await(&b->fake, CONTROL_DATA_HELLO);
}

static inline void get_ready(struct bed *b)
{
    struct control_message m = prepare_of(b);
    fake_send(&b->fake, &m);
    struct control_message ready = fake_await(&b->fake, CONTROL_READY);
    assert_memory_equal(ready.u.ready.plan_hash, m.u.prepare.plan_hash, PLAN_HASH_BYTES);
    assert_true(ready.u.ready.memory_bytes > 0);
}

static inline void get_armed(struct bed *b)
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

static inline void go_stage(struct bed *b, uint32_t stage, uint32_t clients)
{
    struct control_message m = {.kind = CONTROL_GO};
    m.u.go = (struct control_go){.stage = stage,
                                 .start_at_ns = clock_monotonic_ns(),
                                 .client_limit = clients,
                                 .batch = 300,
                                 .is_last_step = true};
    fake_send(&b->fake, &m);
}

static inline void go(struct bed *b, uint32_t clients)
{
    go_stage(b, 0, clients);
}

static inline void drain(struct bed *b)
{
    struct control_message m = {.kind = CONTROL_DRAIN};
    m.u.drain.mode = DRAIN_GRACEFUL;
    fake_send(&b->fake, &m);
}

static inline void say_bye(struct bed *b)
{
    struct control_message m = {.kind = CONTROL_BYE};
    (void)snprintf(m.u.bye.text, sizeof(m.u.bye.text), "PASS");
    fake_send(&b->fake, &m);
}

static inline bool step_is_done(const struct fake_coordinator *f)
{
    return f->progress.is_step_done;
}

static inline bool all_have_started(const struct fake_coordinator *f)
{
    return f->progress.started == CLIENTS;
}

static inline bool has_final(const struct fake_coordinator *f)
{
    return f->has_final;
}

static inline bool each_client_once(const struct fake_coordinator *f)
{
    for (uint32_t i = 0; i < FAKE_CLIENTS_MAX; i++) {
        if (f->seen[i] != (i < CLIENTS ? 1 : 0)) {
            return false;
        }
    }
    return true;
}

/* DRAIN to BYE: every event once, the final snapshot behind them, DONE agrees. */
static inline void finish_run(struct bed *b)
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

#define IN_BED(test) cmocka_unit_test_setup_teardown(test, setup_bed, teardown_bed)
