/* SPDX-License-Identifier: MIT */
/* Clients that go on at another agent, and agents that could not send: what the truth makes of it.
 */
#include "tests/support/truth_fixture.h"

#include "coordinator/truth/verdict.h"

#define ONE_SUBNET                                                                                 \
    "leaseherd: 1\nscenario: small\nservers:\n  s1: {address: 192.168.1.12}\n"                     \
    "  s2: {address: 192.168.2.12}\nnetwork:\n  block: 10.10.0.0/16\n  relays:\n"                  \
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 100}\n"                   \
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: 100}\n"                   \
    "expect: {lease: 60s}\n" TRUTH_FIXTURE_RUN "judge:\n  - addresses.duplicate == 0\n"            \
    "on_agent_loss: reassign\n"

static struct truth_fixture f;
static struct result r;
static struct control_taken rows[200];

static int set_up(void **state)
{
    (void)state;
    truth_fixture_init(&f, ONE_SUBNET);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    result_free(&r);
    truth_fixture_fini(&f);
    return 0;
}

/* An event of a client that agent a1 (0) tells, though it was a2's. */
static void told_by_a1(struct event e, double run_s)
{
    int64_t run_us = (int64_t)(run_s * 1e6);
    e.t_us = truth_fixture_t_us(0, run_us);
    f.snapshot[0].counter[COUNTER_events]++;
    f.snapshot[0].counter[COUNTER_leases_reacquired] += e.kind == EVENT_REBOOT;
    f.ledger_events++;
    truth_event(f.truth, 0, &e, run_us, 500);
}

/* All hold leases; a2 is lost at 30 s, and its clients are dealt to a1. */
static void lose_a2(void)
{
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000);
    f.snapshot[1].seq++;
    f.snapshot[1].at_ns = truth_fixture_t_us(1, 29000000) * 1000;
    truth_snapshot(f.truth, 1, &f.snapshot[1]);
    truth_agent_lost(f.truth, 1, 30000000);
    truth_moved(f.truth, 0, 100, 100);
}

static void arrive_at_a1(void)
{
    truth_taken(f.truth, 1, 0, 100);
    f.snapshot[0].counter[COUNTER_clients_assigned] += 100;
    f.snapshot[0].counter[COUNTER_clients_taken] += 100;
    f.snapshot[0].counter[COUNTER_clients_bound] += 100;
    for (uint32_t client = 100; client < 200; client++) {
        told_by_a1(truth_fixture_ack(&f, EVENT_REBOOT, client), 31 + 0.01 * client);
    }
}

/* a1's final counters only: a2 has sent its last. */
static void end(double run_s)
{
    truth_stage_end(f.truth, 1, (int64_t)(run_s * 1e6), false);
    f.snapshot[0].seq++;
    f.snapshot[0].is_final = true;
    f.snapshot[0].at_ns = truth_fixture_t_us(0, (int64_t)(run_s * 1e6)) * 1000;
    truth_snapshot(f.truth, 0, &f.snapshot[0]);
    const struct truth_closing closing = {.run_us = (int64_t)(run_s * 1e6),
                                          .path = PLAN_PATH_EGRESS,
                                          .path_is_known = true,
                                          .ledger_events = f.ledger_events};
    assert_true(truth_finish(f.truth, &closing, &r));
}

static bool checks_pass(void)
{
    bool is_good = true;
    for (size_t i = 0; i < r.accounting.check_count; i++) {
        if (!r.accounting.checks[i].is_passed) {
            print_message("%s: %s\n", r.accounting.checks[i].name, r.accounting.checks[i].text);
            is_good = false;
        }
    }
    return is_good;
}

static void what_was_not_taken_is_lost_with_its_agent(void **state)
{
    (void)state;
    lose_a2();
    end(80);
    assert_true(checks_pass());
    assert_int_equal(r.accounting.lost_with_agent, 100);
    assert_int_equal(r.agents[1].clients_moved, 0);
}

static void what_went_on_elsewhere_is_on_its_account_and_the_sums_close(void **state)
{
    (void)state;
    lose_a2();
    arrive_at_a1();
    end(80);
    assert_true(checks_pass());
    assert_int_equal(r.accounting.lost_with_agent, 0);
    assert_int_equal(r.accounting.assigned, 200);
    assert_int_equal(r.accounting.bound, 200);
    assert_int_equal(r.agents[0].clients, 200);
    assert_int_equal(r.agents[0].clients_taken, 100);
    assert_int_equal(r.agents[1].clients, 0);
    assert_int_equal(r.agents[1].clients_moved, 100);
    assert_true(r.agents[1].is_lost);
    const struct result_finding *lost = findings_get(&r, "agent-lost");
    assert_non_null(lost);
    assert_non_null(strstr(lost->summary, "100 of its clients went on at other agents"));
    assert_int_equal(r.addresses.duplicate, 0);
    assert_int_equal(r.verdict.result, VERDICT_PASS);
}

static size_t past_of(uint32_t first, uint32_t count, int64_t run_us)
{
    const struct control_take_share share = {.first_client = first, .client_count = count};
    return truth_past(f.truth, &share, 1, run_us, rows);
}

static void shares_are_told_of_one_behind_the_other(void **state)
{
    (void)state;
    const struct control_take_share shares[] = {{.first_client = 3, .client_count = 2},
                                                {.first_client = 100, .client_count = 1},
                                                {.first_client = 101, .client_count = 3},
                                                {.first_client = 199, .client_count = 1}};
    static const uint32_t told[] = {3, 4, 100, 101, 102, 103, 199};
    truth_fixture_acquire_all(&f);
    assert_int_equal(truth_past(f.truth, shares, 0, 30000000, rows), 0);
    assert_int_equal(truth_past(f.truth, shares, ARRAY_LEN(shares), 30000000, rows),
                     ARRAY_LEN(told));
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        assert_int_equal(rows[i].client, told[i]);
        assert_int_equal(inet_host(rows[i].addr),
                         (told[i] < 100 ? 0x0a0a0001 : 0x0a0a8001) + told[i]);
        assert_true(rows[i].lease_ms > 0);
    }
}

static void the_one_that_takes_over_is_told_what_each_client_was(void **state)
{
    (void)state;
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000);
    struct event e = truth_fixture_ack(&f, EVENT_RELEASE, 101);
    e.result = EVENT_SENT;
    truth_fixture_event(&f, e, 10);
    e = truth_fixture_ack(&f, EVENT_RENEW, 102);
    e.result = EVENT_NAK;
    truth_fixture_event(&f, e, 10);
    truth_fixture_event(&f, truth_fixture_ack(&f, EVENT_RENEW, 103), 20);
    assert_int_equal(past_of(100, 4, 30000000), 4);
    assert_int_equal(rows[0].client, 100);
    assert_int_equal(rows[0].flags, TAKEN_HAD_LEASE);
    assert_true(inet_equal(rows[0].addr, inet_from_host(0x0a0a8001 + 100)));
    assert_true(inet_equal(rows[0].server, f.plan.servers[0].address));
    /* Granted at 0.51 s, from the REQUEST on. */
    assert_in_range(rows[0].lease_ms, 30500, 30512);
    assert_int_equal(rows[1].flags, TAKEN_HAD_LEASE | TAKEN_RELEASED);
    assert_int_equal(rows[1].lease_ms, 0);
    assert_int_equal(rows[2].flags, TAKEN_HAD_LEASE); /* refused: it had one and has none */
    assert_int_equal(rows[2].lease_ms, 0);
    assert_in_range(rows[3].lease_ms, 49990, 50000);
    /* Over meanwhile. */
    assert_int_equal(past_of(100, 1, 61000000), 1);
    assert_int_equal(rows[0].lease_ms, 0);
    assert_true(inet_is_zero(rows[0].addr));
}

static void who_has_not_started_is_not_listed_and_who_failed_is_not_counted_again(void **state)
{
    (void)state;
    truth_stage_begin(f.truth, 0, 0);
    assert_int_equal(past_of(100, 100, 1000000), 0);
    struct event e = truth_fixture_ack(&f, EVENT_ACQUIRE, 105);
    e.result = EVENT_GAVE_UP;
    e.flags = EVENT_DEADLINE;
    truth_fixture_event(&f, e, 61);
    e.client = 106;
    e.flags = 0;
    truth_fixture_event(&f, e, 61);
    e = truth_fixture_ack(&f, EVENT_ACQUIRE, 107);
    e.flags |= EVENT_PREFLIGHT;
    e.stage = SNAPSHOT_STAGE_PREFLIGHT;
    truth_fixture_event(&f, e, -2);
    assert_int_equal(past_of(100, 100, 62000000), 2);
    assert_int_equal(rows[0].client, 105);
    assert_int_equal(rows[0].flags, TAKEN_FAILED);
    assert_int_equal(rows[1].client, 106);
    assert_int_equal(rows[1].flags, 0);
}

/* What a cut-off agent delivers late is in the sums, and changes nothing that came later. */
static void late_words_of_the_lost_agent_are_history(void **state)
{
    (void)state;
    lose_a2();
    arrive_at_a1();
    truth_fixture_event(&f, truth_fixture_ack(&f, EVENT_RENEW, 150), 29);
    /* What it made of its clients while it could not send never happened. */
    struct event e = truth_fixture_ack(&f, EVENT_EXPIRE, 151);
    e.result = EVENT_ENDED;
    assert_false(truth_is_void(f.truth, 1, &e)); /* it could send then */
    e.flags = EVENT_IN_PAUSE;
    assert_false(truth_is_void(f.truth, 0, &e)); /* of who plays it now */
    assert_true(truth_is_void(f.truth, 1, &e));
    e.flags |= EVENT_VOID;
    truth_fixture_event(&f, e, 60.7);
    assert_int_equal(past_of(150, 1, 80000000), 1);
    assert_in_range(rows[0].lease_ms, 12000, 13000); /* of the reboot at 32.5 s, not of 29 s */
    end(80);
    assert_true(checks_pass());
    assert_int_equal(r.leases.renewed, 1);
    assert_int_equal(r.leases.expired, 0);
    assert_int_equal(r.accounting.lost_with_agent, 0);
}

/*
 * The server gave a moved client's address to somebody else before its new agent told of it:
 * whether the lost agent had given it up nobody knows. After that it is a duplicate.
 */
static void an_overlap_in_the_blind_time_is_not_decided(void **state)
{
    (void)state;
    lose_a2();
    struct event other = truth_fixture_ack(&f, EVENT_REBOOT, 3);
    other.addr = inet_from_host(0x0a0a8001 + 150);
    told_by_a1(other, 33);
    truth_watermark(f.truth, 0, 34000000);
    told_by_a1(truth_fixture_ack(&f, EVENT_REBOOT, 160), 35);
    other.client = 4;
    other.addr = inet_from_host(0x0a0a8001 + 160);
    told_by_a1(other, 40);
    truth_watermark(f.truth, 0, 60000000);
    end(80);
    assert_int_equal(r.addresses.duplicate, 1);
    assert_int_equal(r.accounting.lost_with_agent, 100); /* nobody said that they arrived */
    assert_int_equal(r.verdict.result, VERDICT_FAIL);
}

/* --- time without the right to send --- */

static const struct result_mark *mark_with(const char *words)
{
    for (size_t i = 0; i < r.timeline.mark_count; i++) {
        if (strstr(r.timeline.marks[i].text, words) != NULL) {
            return &r.timeline.marks[i];
        }
    }
    return NULL;
}

static void snapshot_at(double run_s, double paused_s, double alone_s)
{
    struct snapshot *s = &f.snapshot[0];
    s->seq++;
    s->at_ns = truth_fixture_t_us(0, (int64_t)(run_s * 1e6)) * 1000;
    s->counter[COUNTER_paused_ns] = (uint64_t)(paused_s * 1e9);
    s->counter[COUNTER_alone_ns] = (uint64_t)(alone_s * 1e9);
    truth_snapshot(f.truth, 0, s);
}

static void a_pause_is_a_mark_where_it_began_and_no_fault(void **state)
{
    (void)state;
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000);
    snapshot_at(10, 0, 0);
    snapshot_at(20, 4.2, 0); /* it could not tell meanwhile */
    snapshot_at(21, 4.2, 0);
    snapshot_at(30, 4.25, 0); /* too short for anybody to see */
    snapshot_at(31, 4.25, 0);
    snapshot_at(40, 5.25, 0);
    snapshot_at(41, 6.25, 0); /* goes on to the end */
    f.snapshot[0].counter[COUNTER_pauses] = 3;
    truth_stage_end(f.truth, 1, 60000000, false);
    finish(&f, 60, &r);
    const struct result_mark *mark = mark_with("pause a1 4.2 s");
    assert_true(mark != NULL && mark->at_s > 15.7 && mark->at_s < 15.9);
    assert_null(mark_with("pause a1 0.0 s"));
    assert_non_null(mark_with("pause a1 2.0 s"));
    assert_int_equal(r.agents[0].pauses, 3);
    assert_true(r.agents[0].paused_s > 6.2 && r.agents[0].paused_s < 6.3);
    assert_true(checks_pass());
    assert_int_equal(r.verdict.result, VERDICT_PASS);
}

static void what_expires_in_a_pause_makes_the_run_invalid(void **state)
{
    (void)state;
    truth_fixture_acquire_all(&f);
    f.snapshot[0].counter[COUNTER_expired_in_pause] = 1;
    expect(&f, VERDICT_INVALID, "ran out while the agents were not allowed", "expired-in-pause",
           &r);
}

static void time_alone_is_shown(void **state)
{
    (void)state;
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000);
    snapshot_at(10, 0, 0);
    snapshot_at(30, 0, 12.5);
    snapshot_at(31, 0, 12.5);
    truth_stage_end(f.truth, 1, 60000000, false);
    finish(&f, 60, &r);
    assert_non_null(mark_with("renewals only a1 12.5 s"));
    assert_true(r.agents[0].alone_s > 12.4 && r.agents[0].alone_s < 12.6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_not_taken_is_lost_with_its_agent),
        TEST(what_went_on_elsewhere_is_on_its_account_and_the_sums_close),
        TEST(shares_are_told_of_one_behind_the_other),
        TEST(the_one_that_takes_over_is_told_what_each_client_was),
        TEST(who_has_not_started_is_not_listed_and_who_failed_is_not_counted_again),
        TEST(late_words_of_the_lost_agent_are_history),
        TEST(an_overlap_in_the_blind_time_is_not_decided),
        TEST(a_pause_is_a_mark_where_it_began_and_no_fault),
        TEST(what_expires_in_a_pause_makes_the_run_invalid),
        TEST(time_alone_is_shown),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
