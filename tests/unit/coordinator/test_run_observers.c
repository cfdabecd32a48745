/* SPDX-License-Identifier: MIT */
/* What a run makes of its observers, and what a coordinator that takes it over finds of them. */
#include "tests/support/testing.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/report/result.h"
#include "coordinator/run/observer_gate.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_observers.h"
#include "coordinator/run/run_replay.h"
#include "coordinator/truth/truth_state.h"
#include "tests/support/cut_off_run.h"

static struct cut_off_run cut;
static struct run *run;
static const char *route = "route";

/* A run as it is before its start instant is known; nobody listens at its hub. */
static int set_up(void **state)
{
    static const struct truth_agent agents[2] = {{"a1", 100}, {"a2", 100}};
    struct key_pair own;
    const struct key_list nobody = {0};
    char why[LINK_WHY_BYTES] = "";
    (void)state;
    cut = (struct cut_off_run){.ledger = NULL};
    cut_off_begin(&cut, CUT_OFF_HEAD CUT_OFF_STAGES, "another boot");
    run = calloc(1, sizeof(*run));
    assert_non_null(run);
    run->scenario = &cut.scenario;
    run->plan = cut.plan;
    run->ledger = cut.ledger;
    run->now_ns = run->ticked_ns = clock_monotonic_ns();
    run->truth = truth_new(&cut.scenario, &run->plan, agents, 2);
    assert_true(run->truth != NULL && roster_init(&run->roster, 2));
    key_pair_make(&own);
    assert_int_equal(hub_open("127.0.0.1", 0, &own, &nobody, &run->hub, why), 0);
    return 0;
}

static void close_run(void)
{
    hub_close(run->hub);
    run_observers_free(run->observers);
    truth_free(run->truth);
    roster_fini(&run->roster);
    free(run);
}

static int tear_down(void **state)
{
    static const char *const names[] = {"plan.bin", "plan.sig", "ledger.db", "ledger.db-wal",
                                        "ledger.db-shm"};
    char path[RUN_DIR_PATH_BYTES];
    (void)state;
    close_run();
    ledger_close(cut.ledger);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unlink(run_dir_path(cut.dir, names[i], path));
    }
    assert_int_equal(rmdir(cut.dir), 0);
    plan_free(&cut.plan);
    scenario_free(&cut.scenario);
    return 0;
}

static struct link_peer peer_of(const char *name, enum key_role role)
{
    struct link_peer peer = {.role = role, .route_bytes = strlen(route)};
    memcpy(peer.route, route, peer.route_bytes);
    (void)snprintf(peer.name, sizeof(peer.name), "%.*s", (int)sizeof(peer.name) - 1, name);
    return peer;
}

static void greet(const char *name, enum key_role role, uint64_t epoch, uint32_t address)
{
    const struct ipv4 own[1] = {inet_from_host(address)};
    const struct link_peer peer = peer_of(name, role);
    struct control_message m = {.kind = CONTROL_OBSERVER_HELLO};
    m.u.observer_hello = (struct control_observer_hello){.proto_min = CONTROL_PROTO,
                                                         .proto_max = CONTROL_PROTO,
                                                         .build = "0.1.0",
                                                         .host = "server-1",
                                                         .program = "dhcpd",
                                                         .epoch = epoch,
                                                         .addresses = own,
                                                         .address_count = 1};
    run_observers_take(run, &peer, &m);
}

static struct observer_guest *guest(size_t i)
{
    assert_true(run->observers != NULL && i < run->observers->gate.count);
    return run->observers->gate.guest[i];
}

/* Its clock is ours: asked and answered until it is known. */
static void teach_clock(size_t i)
{
    struct observer_guest *g = guest(i);
    const struct link_peer peer = peer_of(g->name, KEY_ROLE_OBSERVER);
    for (unsigned n = 0; n < CLOCK_MAP_FIRST; n++) {
        run->now_ns += 2 * NS_PER_S; /* asked anew whatever was asked */
        g->last_heard_ns = run->ticked_ns = run->now_ns;
        run_observers_tick(run);
        struct control_message m = {.kind = CONTROL_CLOCK_REPLY, .session = g->session};
        uint64_t here_ns = clock_monotonic_ns();
        m.u.clock_reply = (struct control_clock_reply){
            .id = g->clock_id, .t1_ns = g->clock_asked_ns, .t2_ns = here_ns, .t3_ns = here_ns};
        run_observers_take(run, &peer, &m);
    }
    assert_true(clock_map_is_usable(&g->clock));
    run->now_ns = run->ticked_ns = g->last_heard_ns = clock_monotonic_ns();
}

static void observe(size_t i, uint64_t seq, double acks, const char *words)
{
    struct observer_guest *g = guest(i);
    const struct link_peer peer = peer_of(g->name, KEY_ROLE_OBSERVER);
    struct observation frame = {
        .seq = seq, .at_ns = clock_monotonic_ns(), .instance = 7, .process_id = 1};
    struct control_message m = {.kind = CONTROL_OBSERVATION, .session = g->session};
    observation_set(&frame, OBSERVER_log_acks, acks);
    observation_set(&frame, OBSERVER_failover_own, FAILOVER_NORMAL);
    observation_set_note(&frame, NOTE_PROGRAM, words);
    m.u.observation = &frame;
    run->now_ns = clock_monotonic_ns();
    run_observers_take(run, &peer, &m);
}

static void begin_load(void)
{
    run->start_ns = clock_monotonic_ns();
    run->phase = RUN_STAGE;
    run_flush_deferred(run);
}

static void only_a_key_of_its_role_is_taken(void **state)
{
    struct control_message m = {.kind = CONTROL_HELLO};
    const struct link_peer peer = peer_of("o1", KEY_ROLE_OBSERVER);
    (void)state;
    greet("a1", KEY_ROLE_AGENT, 1, 0xc0a8010c);
    assert_int_equal(run->observers == NULL ? 0 : run->observers->gate.count, 0);
    run_observers_take(run, &peer, &m); /* says that it is an agent */
    assert_int_equal(run->roster.count, 0);
    assert_int_equal(run->observers == NULL ? 0 : run->observers->gate.count, 0);
    greet("o1", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    assert_int_equal(run->observers->gate.count, 1);
    assert_int_equal(run->roster.count, 0); /* never one of --agents N */
}

static void what_comes_before_the_start_gets_its_time_when_that_is_known(void **state)
{
    double from_s = 0, until_s = 0, grown = NAN;
    (void)state;
    greet("o1", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    observe(0, 1, 100, "dhcpd 4.4"); /* its clock is not known yet */
    teach_clock(0);
    observe(0, 2, 110, "");
    assert_null(run->truth->observers);
    begin_load();
    assert_non_null(run->truth->observers);
    observe(0, 3, 130, "");
    assert_true(observers_span(run->truth->observers, 0, &from_s, &until_s));
    assert_true(from_s < 0 && until_s > 0 && until_s < 5);
    assert_int_equal(observers_delta(run->truth->observers, 0, OBSERVER_log_acks, -99, 99, &grown),
                     AVAILABLE_OK);
    assert_true(grown == 30);
    assert_string_equal(observers_note(run->truth->observers, 0, NOTE_PROGRAM), "dhcpd 4.4");
}

static void a_silent_observer_is_marked_once_and_harms_nothing(void **state)
{
    (void)state;
    greet("o1", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    teach_clock(0);
    begin_load();
    observe(0, 1, 1, "");
    size_t marks = run->truth->mark_count;
    run->ticked_ns = (run->now_ns += 3 * NS_PER_S);
    run_observers_tick(run);
    assert_int_equal(run->truth->mark_count, marks);
    run->ticked_ns = (run->now_ns += 3 * NS_PER_S);
    run_observers_tick(run);
    run_observers_tick(run);
    assert_int_equal(run->truth->mark_count, marks + 1);
    assert_string_equal(run->truth->marks[marks].text, "observer o1 is silent");
    observe(0, 2, 2, "");
    assert_int_equal(run->truth->mark_count, marks + 2);
    assert_int_equal(run->truth->outcome, OUTCOME_COMPLETED);
    assert_int_equal(run->truth->reason_count, 0);
    assert_int_equal(run->exit_code, 0);
    assert_false(run->is_stopping);
}

static void one_that_comes_and_goes_does_not_fill_the_time_axis(void **state)
{
    (void)state;
    greet("o1", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    teach_clock(0);
    begin_load();
    for (uint64_t i = 0; i < 100; i++) {
        run->ticked_ns = (run->now_ns += 6 * NS_PER_S);
        run_observers_tick(run);
        guest(0)->is_silent = false;
        guest(0)->last_heard_ns = run->now_ns;
    }
    assert_int_equal(run->truth->mark_count, OBSERVER_MARKS_MAX);
}

static unsigned lines_with(int log_fd, const char *words)
{
    static char log[65536];
    unsigned count = 0;
    ssize_t size = pread(log_fd, log, sizeof(log) - 1, 0);
    log[size < 0 ? 0 : size] = '\0';
    for (const char *at = log; (at = strstr(at, words)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Two connections of one key in turn: each is a new session, which is not said for ever. */
static void one_that_calls_by_two_routes_does_not_fill_the_log(void **state)
{
    (void)state;
    int log_fd = memfd_create("log", MFD_CLOEXEC);
    log_set_fd(log_fd);
    for (unsigned i = 0; i < 200; i++) {
        route = i % 2 == 0 ? "route" : "other";
        greet("o1", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    }
    route = "route";
    greet("o2", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    unsigned of_one = lines_with(log_fd, "what=observer_joined observer=o1");
    unsigned of_other = lines_with(log_fd, "what=observer_joined observer=o2");
    log_set_fd(-1);
    (void)close(log_fd);
    assert_in_range(of_one, 1, OBSERVER_MARKS_MAX);
    assert_int_equal(of_other, 1);
    assert_int_equal(run->observers->gate.count, 2);
}

static void a_revoked_key_ends_its_session(void **state)
{
    (void)state;
    greet("o1", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    uint64_t session = guest(0)->session;
    run_observers_check_keys(run, "2026-01-01"); /* nobody is on the list */
    assert_int_equal(guest(0)->session, 0);
    assert_null(observer_gate_find(&run->observers->gate, "o1", session));
}

/* --- the journal --- */

static void expect_same_report(struct result *a, struct result *b)
{
    assert_int_equal(a->observer_count, b->observer_count);
    for (size_t i = 0; i < a->observer_count; i++) {
        const struct result_observer *x = &a->observers[i], *y = &b->observers[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->server, y->server);
        assert_string_equal(x->note[NOTE_PROGRAM], y->note[NOTE_PROGRAM]);
        assert_int_equal(x->frames, y->frames);
        assert_true(x->frames == 0 || (x->first_s == y->first_s && x->last_s == y->last_s));
        assert_int_equal(x->clock_uncertainty_us, y->clock_uncertainty_us);
        assert_int_equal(x->band_count, y->band_count);
        assert_true(x->frames == 0 || x->metric[OBSERVER_log_acks].difference ==
                                          y->metric[OBSERVER_log_acks].difference);
    }
}

static struct result *report_of(const struct observers *o)
{
    struct result *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->timeline.interval_s = 1;
    assert_true(observers_fill(o, 10, r));
    return r;
}

static struct run *replayed(void)
{
    static const struct truth_agent agents[2] = {{"a1", 100}, {"a2", 100}};
    char path[RUN_DIR_PATH_BYTES];
    struct run *next = calloc(1, sizeof(*next));
    int64_t last_us;
    assert_non_null(next);
    assert_int_equal(ledger_commit(cut.ledger), 0);
    ledger_close(cut.ledger);
    assert_int_equal(ledger_reopen(run_dir_path(cut.dir, "ledger.db", path), &cut.ledger), 0);
    next->scenario = &cut.scenario;
    next->plan = cut.plan;
    next->ledger = cut.ledger;
    assert_int_equal(run_replay_fleet(next), 0);
    next->truth = truth_new(&cut.scenario, &next->plan, agents, 2);
    assert_non_null(next->truth);
    assert_int_equal(run_replay_ledger(next, &last_us), 0);
    return next;
}

static void who_takes_the_run_over_has_the_same_truth_of_them(void **state)
{
    (void)state;
    greet("o1", KEY_ROLE_OBSERVER, 1, 0xc0a8010c);
    greet("o2", KEY_ROLE_OBSERVER, 1, 0x0b000001);
    teach_clock(0);
    observe(0, 1, 100, "dhcpd 4.4");
    begin_load();
    observe(0, 2, 150, "");
    observe(1, 1, 5, ""); /* whose clock nobody knows */
    struct result *before = report_of(run->truth->observers);
    assert_int_equal(before->observers[0].frames, 2);
    assert_int_equal(before->observers[1].frames, 0);
    struct run *next = replayed();
    struct result *after = report_of(next->truth->observers);
    expect_same_report(before, after);
    assert_int_equal(next->observers->gate.count, 2);
    assert_string_equal(next->observers->gate.guest[1]->name, "o2");
    assert_int_equal(next->observers->gate.guest[0]->session, 0);
    result_free(before);
    result_free(after);
    free(before);
    free(after);
    close_run(); /* the dead one */
    run = next;
}

static void a_journal_that_cannot_be_is_refused(void **state)
{
    struct control_message m;
    uint8_t bytes[4096];
    struct journal_entry e = {.kind = JOURNAL_OBSERVATION, .bytes = bytes};
    const struct observation frame = {.seq = 1, .at_ns = 1};
    (void)state;
    m = (struct control_message){.kind = CONTROL_OBSERVATION, .session = 1};
    m.u.observation = &frame;
    e.size = control_encode(&m, bytes, sizeof(bytes));
    assert_false(run_observers_tell(run, &e)); /* of an observer that never joined */
    e.a = UINT64_MAX;
    assert_false(run_observers_tell(run, &e));
    e.kind = JOURNAL_OBSERVER;
    e.text[0] = "o1";
    assert_false(run_observers_tell(run, &e)); /* the bytes are another message */
    assert_false(run_observers_recall(run, &e));
    e.size = 3;
    assert_false(run_observers_tell(run, &e));
    e.size = 0;
    assert_false(run_observers_tell(run, &e));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(only_a_key_of_its_role_is_taken),
        TEST(what_comes_before_the_start_gets_its_time_when_that_is_known),
        TEST(a_silent_observer_is_marked_once_and_harms_nothing),
        TEST(one_that_comes_and_goes_does_not_fill_the_time_axis),
        TEST(one_that_calls_by_two_routes_does_not_fill_the_log),
        TEST(a_revoked_key_ends_its_session),
        TEST(who_takes_the_run_over_has_the_same_truth_of_them),
        TEST(a_journal_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("run_observers", tests, NULL, NULL);
}
