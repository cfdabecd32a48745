/* SPDX-License-Identifier: MIT */
/* How far a replay tells truth that each agent's stream is complete: as far as it had been told. */
#include "tests/support/testing.h"

#include "coordinator/run/run_replay.h"
#include "coordinator/truth/truth_state.h"
#include "tests/support/cut_off_run.h"

/* Leases counted by windows of 2 s. */
static const char text[] =
    CUT_OFF_HEAD CUT_OFF_STAGES "judge:\n  - acquired_per_s > 1/s over 2s in fill\n";

static struct cut_off_run cut;
static struct run *run;
static uint64_t seq[2];

static int set_up(void **state)
{
    (void)state;
    run = calloc(1, sizeof(*run));
    cut = (struct cut_off_run){.ledger = NULL};
    seq[0] = seq[1] = 1;
    cut_off_begin(&cut, text, "another boot");
    return run == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"plan.bin", "plan.sig", "ledger.db", "ledger.db-wal",
                                        "ledger.db-shm"};
    char path[RUN_DIR_PATH_BYTES];
    (void)state;
    ledger_close(cut.ledger);
    truth_free(run->truth);
    roster_fini(&run->roster);
    free(run);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unlink(run_dir_path(cut.dir, names[i], path));
    }
    assert_int_equal(rmdir(cut.dir), 0);
    plan_free(&cut.plan);
    scenario_free(&cut.scenario);
    return 0;
}

/* One batch: a lease every 100 ms, the latest one at that time. */
static void add(uint32_t agent, size_t count, uint64_t last_us)
{
    struct event e[CONTROL_BATCH_EVENTS_MAX];
    assert_in_range(count, 1, ARRAY_LEN(e));
    for (size_t i = 0; i < count; i++) {
        e[i] = cut_off_lease(agent, (uint32_t)(i % 100), last_us - 100000 * (count - 1 - i));
    }
    assert_int_equal(ledger_append(cut.ledger, agent, ++seq[agent], e, count), 1);
}

static void replay(void)
{
    static const struct truth_agent agents[2] = {{"a1", 100}, {"a2", 100}};
    char path[RUN_DIR_PATH_BYTES];
    int64_t last_us;
    assert_int_equal(ledger_commit(cut.ledger), 0);
    ledger_close(cut.ledger);
    assert_int_equal(ledger_reopen(run_dir_path(cut.dir, "ledger.db", path), &cut.ledger), 0);
    run->scenario = &cut.scenario;
    run->plan = cut.plan;
    run->ledger = cut.ledger;
    assert_int_equal(run_replay_fleet(run), 0);
    run->truth = truth_new(&cut.scenario, &run->plan, agents, 2);
    assert_non_null(run->truth);
    assert_int_equal(run_replay_ledger(run, &last_us), 0);
}

/* What receive_batch() of a living coordinator says after the agent's latest result. */
static void assert_said(size_t agent, int64_t last_us)
{
    assert_int_equal(run->truth->watermark_us[agent], last_us - RUN_WATERMARK_SLACK_US);
}

static void each_agents_latest_result_counts(void **state)
{
    (void)state;
    add(0, 3, 12000000);
    add(1, 5, 15000000);
    add(0, 2, 13500000);
    replay();
    assert_said(0, 13500000);
    assert_said(1, 15000000);
    assert_int_equal(run->truth->lens_watermark_us, 13500000 - RUN_WATERMARK_SLACK_US);
}

/* Where every 64th result is of the same agent, the other one has told as much. */
static void whose_results_come_between_is_heard_as_well(void **state)
{
    (void)state;
    for (uint64_t second = 2; second < 20; second++) {
        add(0, 40, second * 1000000);
        add(1, 24, second * 1000000);
    }
    replay();
    assert_said(0, 19000000);
    assert_said(1, 19000000);
}

static void a_decision_between_results_does_not_hide_them(void **state)
{
    (void)state;
    add(0, 100, 17000000);
    cut_off_note(&cut, (struct journal_entry){.kind = JOURNAL_MARK, .text = {"between"}});
    add(1, 1, 18000000);
    replay();
    assert_said(0, 17000000);
    assert_said(1, 18000000);
}

static void for_one_that_is_lost_nobody_waits(void **state)
{
    (void)state;
    add(0, 3, 12000000);
    cut_off_note(&cut,
                 (struct journal_entry){.kind = JOURNAL_AGENT_LOST, .run_us = 18000000, .a = 1});
    add(0, 3, 19000000);
    replay();
    assert_int_equal(run->truth->watermark_us[1], INT64_MAX);
    assert_int_equal(run->truth->lens_watermark_us, 19000000 - RUN_WATERMARK_SLACK_US);
}

/* An address of two clients was found out before one of their agents was lost. */
static void what_was_decided_before_a_loss_stays_decided(void **state)
{
    struct event e = cut_off_lease(1, 0, 5000000);
    (void)state;
    e.addr = cut_off_lease(0, 0, 0).addr;
    assert_int_equal(ledger_append(cut.ledger, 1, ++seq[1], &e, 1), 1);
    add(1, 1, 12000000);
    add(0, 1, 12000000);
    cut_off_note(&cut,
                 (struct journal_entry){.kind = JOURNAL_AGENT_LOST, .run_us = 18000000, .a = 0});
    replay();
    assert_int_equal(live_addresses_figures(run->truth->live).duplicates, 1);
    assert_int_equal(live_addresses_figures(run->truth->live).undecided, 0);
}

/* An agent that is heard again goes on from there, and never back. */
static void a_result_out_of_order_takes_nothing_back(void **state)
{
    (void)state;
    add(0, 3, 12000000);
    add(0, 3, 11000000);
    add(1, 3, 12000000);
    add(0, 3, 11500000);
    replay();
    assert_said(0, 12000000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_agents_latest_result_counts),
        TEST(whose_results_come_between_is_heard_as_well),
        TEST(a_decision_between_results_does_not_hide_them),
        TEST(for_one_that_is_lost_nobody_waits),
        TEST(what_was_decided_before_a_loss_stays_decided),
        TEST(a_result_out_of_order_takes_nothing_back),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
