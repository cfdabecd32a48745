/* SPDX-License-Identifier: MIT */
/* A run is taken over from a coordinator that died: `resume` as a whole, but for its sockets. */
#include "tests/support/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>

#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_resume.h"
#include "tests/support/cut_off_run.h"
#include "tests/support/lone_sockets.h"

static struct cut_off_run cut;
static char report[1024 * 1024];

static void begin(const char *text, bool is_other_boot)
{
    char here[RUN_BOOT_ID_BYTES];
    cut_off_begin(&cut, text, is_other_boot ? "another boot" : run_boot_id(here));
    lone_keys(cut.keys);
}

static int set_up(void **state)
{
    (void)state;
    cut = (struct cut_off_run){.ledger = NULL};
    begin(CUT_OFF_HEAD CUT_OFF_STAGES, false);
    return 0;
}

static int set_up_other_boot(void **state)
{
    (void)state;
    cut = (struct cut_off_run){.ledger = NULL};
    begin(CUT_OFF_HEAD CUT_OFF_STAGES, true);
    return 0;
}

static int set_up_events(void **state)
{
    (void)state;
    cut = (struct cut_off_run){.ledger = NULL};
    begin(CUT_OFF_HEAD CUT_OFF_STAGES "events:\n  - {name: b off, at: 150s}\n"
                                      "  - {name: b on, in: keep, at: 5s}\n",
          true);
    return 0;
}

static int set_up_canary(void **state)
{
    (void)state;
    cut = (struct cut_off_run){.is_in_canary = true};
    begin(CUT_OFF_HEAD "run:\n  - {name: fill, acquire: {batch: 5, deadline: 60s}}\n", true);
    return 0;
}

static void empty(const char *dir)
{
    char path[RUN_DIR_PATH_BYTES];
    DIR *open = opendir(dir);
    assert_non_null(open);
    for (struct dirent *d = readdir(open); d != NULL; d = readdir(open)) {
        if (d->d_name[0] != '.') {
            (void)remove(run_dir_path(dir, d->d_name, path));
        }
    }
    (void)closedir(open);
    assert_int_equal(rmdir(dir), 0);
}

static int tear_down(void **state)
{
    (void)state;
    ledger_close(cut.ledger);
    empty(cut.keys);
    empty(cut.dir);
    plan_free(&cut.plan);
    scenario_free(&cut.scenario);
    return 0;
}

/* The first coordinator ends; the host, or another one, has its clocks as they are now. */
static void die(uint64_t mono_ns, uint64_t away_ns, int64_t wall_step_ns)
{
    uint64_t run_ns = CUT_OFF_S * NS_PER_S + away_ns;
    assert_int_equal(ledger_commit(cut.ledger), 0);
    ledger_close(cut.ledger);
    cut.ledger = NULL;
    memset(&lone, 0, sizeof(lone));
    memset(&lone_time, 0, sizeof(lone_time));
    lone_time.mono_ns = mono_ns;
    lone_time.wall_ns = CUT_OFF_WALL_NS + run_ns + (uint64_t)wall_step_ns;
    for (size_t i = 0; i < LONE_AGENTS; i++) {
        lone.agent[i] = (struct lone_agent){.name = i == 0 ? "a1" : "a2",
                                            .epoch = 7 + i,
                                            .ahead_ns = cut_off_agent_ns(i) + run_ns - mono_ns};
    }
}

static int resume_after(uint64_t wait_ns)
{
    const struct run_resume_options options = {
        .run_dir = cut.dir, .scenario = &cut.scenario, .wait_ns = wait_ns};
    char path[RUN_DIR_PATH_BYTES];
    int code = run_resume_execute(&options);
    int fd = open(run_dir_path(cut.dir, "report.json", path), O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, report, sizeof(report) - 1);
    assert_in_range(size, 0, sizeof(report) - 2);
    report[size] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
    return code;
}

static int64_t number(const char *sql)
{
    char path[RUN_DIR_PATH_BYTES];
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open(run_dir_path(cut.dir, "ledger.db", path), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(db);
    return value;
}

/* When the only decision of this kind was made. */
static int64_t journal_us(enum journal_kind kind)
{
    char sql[96];
    (void)snprintf(sql, sizeof(sql), "select run_us from journal where kind = %d limit 1",
                   (int)kind);
    return number(sql);
}

/* --- what the run's time is --- */

/* The agent knows when its stage began, and the stage lasts as long as it had left. */
static void it_goes_on_where_it_stood(uint64_t mono_ns, uint64_t away_ns, int64_t wall_step_ns)
{
    const uint64_t slack_ns = NS_PER_S; /* until the agents are heard, turns */
    die(mono_ns, away_ns, wall_step_ns);
    (void)resume_after(60 * NS_PER_S);
    for (size_t i = 0; i < LONE_AGENTS; i++) {
        const struct lone_agent *a = &lone.agent[i];
        uint64_t begun_ns = cut_off_agent_ns(i) + CUT_OFF_HOLD_S * NS_PER_S;
        assert_int_equal(a->gos, 1);
        assert_int_equal(a->go.stage, 1);
        assert_in_range(a->go.start_at_ns, begun_ns - 2000, begun_ns + 2000);
        assert_in_range(a->drained_ns, mono_ns + CUT_OFF_LEFT_S * NS_PER_S,
                        mono_ns + CUT_OFF_LEFT_S * NS_PER_S + slack_ns);
        assert_int_equal(a->byes, 1);
    }
    /* And whoever reads the ledger knows it as well: nothing in it is by a guess. */
    char said[64];
    (void)snprintf(said, sizeof(said), "to second %.1f\"", CUT_OFF_S + (double)away_ns / 1e9);
    assert_non_null(strstr(report, said));
    assert_in_range(number("select max(run_us) from journal"), 100000000, 202000000);
    assert_in_range(number("select max(abs(offset_us + 900000000000)) from clock where agent = 0"),
                    0, 2);
}

static void in_the_same_boot_the_clock_went_on(void **state)
{
    const uint64_t away_ns = 7 * NS_PER_S;
    (void)state;
    /* Whatever became of the clock on the wall. */
    it_goes_on_where_it_stood(CUT_OFF_START_NS + CUT_OFF_S * NS_PER_S + away_ns, away_ns,
                              -3600 * (int64_t)NS_PER_S);
}

static void in_the_same_boot_nobody_is_needed_to_say_the_time(void **state)
{
    (void)state;
    die(CUT_OFF_START_NS + 27 * NS_PER_S, 7 * NS_PER_S, 3600 * (int64_t)NS_PER_S);
    lone.agent[0].comes_ns = lone.agent[1].comes_ns = UINT64_MAX;
    assert_int_equal(resume_after(10 * NS_PER_S), 4);
    assert_int_equal(journal_us(JOURNAL_RESUMED), 27000000);
    assert_null(strstr(report, "guess"));
}

static void after_another_boot_an_agents_clock_says_when_the_run_began(void **state)
{
    (void)state;
    it_goes_on_where_it_stood(30 * NS_PER_S, 100 * NS_PER_S, 0);
}

static void the_wall_clock_may_be_ahead(void **state)
{
    (void)state;
    it_goes_on_where_it_stood(30 * NS_PER_S, 100 * NS_PER_S, 7200 * (int64_t)NS_PER_S);
}

static void the_wall_clock_may_be_behind(void **state)
{
    (void)state;
    it_goes_on_where_it_stood(30 * NS_PER_S, 100 * NS_PER_S, -7200 * (int64_t)NS_PER_S);
}

static void the_wall_clock_may_not_know_the_year(void **state)
{
    (void)state;
    it_goes_on_where_it_stood(30 * NS_PER_S, 100 * NS_PER_S, -(int64_t)CUT_OFF_WALL_NS);
}

/* Whoever resumes the run once more reads it; nor is the report of another year. */
static void nobody_says_and_the_wall_clock_is_wrong(int64_t wall_step_ns)
{
    die(30 * NS_PER_S, 100 * NS_PER_S, wall_step_ns);
    lone.agent[0].comes_ns = lone.agent[1].comes_ns = UINT64_MAX;
    assert_int_equal(resume_after(60 * NS_PER_S), 4);
    assert_non_null(strstr(report, "a guess by its wall clock"));
    int64_t last_us = INT64_C(1000000) * CUT_OFF_S;
    assert_in_range(journal_us(JOURNAL_RESUMED), last_us, last_us + 1000000);
    assert_in_range(journal_us(JOURNAL_AGENT_LOST), last_us + 59000000, last_us + 61000000);
}

static void nobody_says_and_the_wall_clock_does_not_know_the_year(void **state)
{
    (void)state;
    nobody_says_and_the_wall_clock_is_wrong(-(int64_t)CUT_OFF_WALL_NS);
}

static void nobody_says_and_the_wall_clock_is_behind(void **state)
{
    (void)state;
    nobody_says_and_the_wall_clock_is_wrong(-3600 * (int64_t)NS_PER_S);
}

static void nobody_says_and_the_wall_clock_is_a_year_ahead(void **state)
{
    (void)state;
    nobody_says_and_the_wall_clock_is_wrong(365 * INT64_C(86400) * (int64_t)NS_PER_S);
}

/* Nor is anything else written down by a guess. */
static void a_pause_before_the_time_is_known_is_not_dated(void **state)
{
    (void)state;
    die(30 * NS_PER_S, 100 * NS_PER_S, 7200 * (int64_t)NS_PER_S);
    lone.agent[0].comes_ns = lone.agent[1].comes_ns = 45 * NS_PER_S;
    lone_time.stops_ns = 35 * NS_PER_S;
    lone_time.stops_for_ns = 3 * NS_PER_S;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(lone.agent[0].gos, 1);
    assert_in_range(number("select max(run_us) from journal"), 100000000, 202000000);
}

/* Not by a guess; what was due before this boot, at once. */
static void the_scenarios_events_come_when_the_time_is_known(void **state)
{
    const uint64_t away_ns = 100 * NS_PER_S;
    (void)state;
    die(30 * NS_PER_S, away_ns, 7200 * (int64_t)NS_PER_S);
    lone.agent[0].comes_ns = lone.agent[1].comes_ns = 35 * NS_PER_S;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(number("select count(*) from journal where kind = 6"), 2);
    assert_int_equal(number("select a from journal where kind = 6"), 1);
    assert_in_range(journal_us(JOURNAL_EVENT), 125000000, 125200000);
    assert_in_range(number("select run_us from journal where kind = 6 and a = 0"), 150000000,
                    150100000);
}

/* They have the rest of their time after the wait, and an answer that came is no silence. */
static void canaries_from_before_this_boot_are_judged_as_ever(void **state)
{
    (void)state;
    die(30 * NS_PER_S, 100 * NS_PER_S, 7200 * (int64_t)NS_PER_S);
    for (size_t i = 0; i < LONE_AGENTS; i++) {
        lone.agent[i].progress =
            (struct control_progress){.assignment_epoch = 1, .started = 1, .received = 1};
    }
    (void)resume_after(60 * NS_PER_S);
    assert_non_null(strstr(report, "canary-failed"));
    assert_null(strstr(report, "server-silent"));
    assert_in_range(lone.agent[0].drained_ns, 130 * NS_PER_S, 131 * NS_PER_S);
}

/* A night without power: what the agents have kept is of long before this boot. */
static void what_was_kept_meanwhile_is_taken(void **state)
{
    const struct event late = cut_off_lease(0, 1, 21000000);
    (void)state;
    die(30 * NS_PER_S, 8 * 3600 * NS_PER_S, 0);
    lone.agent[0].kept = &late;
    lone.agent[0].kept_count = 1;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(lone.agent[0].acked, 2);
    assert_null(strstr(report, "agent-lost"));
    assert_int_equal(number("select count(*) from event"), 3);
}

/* Its times are understood when its clock is known; until then it is not asked for results. */
static void results_wait_for_the_clock_that_dates_them(void **state)
{
    const struct event first = cut_off_lease(0, 1, 21000000),
                       second = cut_off_lease(1, 1, 21000000);
    (void)state;
    die(CUT_OFF_START_NS + 30 * NS_PER_S, 10 * NS_PER_S, 0);
    lone.agent[0].kept = &first;
    lone.agent[1].kept = &second;
    lone.agent[0].kept_count = lone.agent[1].kept_count = 1;
    lone.agent[1].tells_time_ns = lone_time.mono_ns + 5 * NS_PER_S;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(lone.agent[0].acked, 2);
    assert_int_equal(lone.agent[1].acked, 2);
    assert_null(strstr(report, "agent-lost"));
    assert_int_equal(number("select count(*) from event"), 4);
}

/* By a start that is only guessed they would be of a time that cannot be. */
static void they_wait_for_the_start_of_the_run_as_well(void **state)
{
    const struct event late = cut_off_lease(0, 1, 21000000);
    (void)state;
    die(30 * NS_PER_S, 8 * 3600 * NS_PER_S, -(int64_t)CUT_OFF_WALL_NS);
    lone.agent[0].kept = &late;
    lone.agent[0].kept_count = 1;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(lone.agent[0].acked, 2);
    assert_null(strstr(report, "agent-lost"));
    assert_int_equal(number("select count(*) from event"), 3);
}

/* What it has kept is dated by its host's clock, which went on when the process ended. */
static void who_only_delivers_says_the_time_as_well(void **state)
{
    const struct event late = cut_off_lease(0, 1, 21000000);
    char said[64];
    (void)state;
    die(30 * NS_PER_S, 8 * 3600 * NS_PER_S, -(int64_t)CUT_OFF_WALL_NS);
    lone.agent[0].successor = 107;
    lone.agent[0].kept = &late;
    lone.agent[0].kept_count = 1;
    lone.agent[1].comes_ns = UINT64_MAX;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(lone.agent[0].acked, 2);
    assert_int_equal(number("select count(*) from event"), 3);
    (void)snprintf(said, sizeof(said), "to second %.1f\"", (double)(CUT_OFF_S + 8 * 3600));
    assert_non_null(strstr(report, said));
}

/* --- who is waited for --- */

static void an_agent_has_the_whole_wait(void **state)
{
    (void)state;
    die(CUT_OFF_START_NS + 30 * NS_PER_S, 10 * NS_PER_S, 0);
    lone.agent[0].comes_ns = lone_time.mono_ns + 58 * NS_PER_S;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(lone.agent[0].gos, 1);
    assert_null(strstr(report, "agent-lost"));
}

static void who_stays_away_longer_is_lost(void **state)
{
    (void)state;
    die(CUT_OFF_START_NS + 30 * NS_PER_S, 10 * NS_PER_S, 0);
    lone.agent[0].comes_ns = lone_time.mono_ns + 62 * NS_PER_S;
    assert_int_equal(resume_after(60 * NS_PER_S), 4);
    assert_int_equal(lone.agent[0].gos, 0);
    assert_non_null(strstr(report, "agent-lost"));
    assert_int_equal(journal_us(JOURNAL_AGENT_LOST) / 1000000, 90);
}

static void a_pause_of_our_own_does_not_shorten_the_wait(void **state)
{
    (void)state;
    die(CUT_OFF_START_NS + 30 * NS_PER_S, 10 * NS_PER_S, 0);
    lone.agent[0].comes_ns = lone_time.mono_ns + 50 * NS_PER_S;
    lone_time.stops_ns = lone_time.mono_ns + 5 * NS_PER_S;
    lone_time.stops_for_ns = 3 * NS_PER_S;
    (void)resume_after(60 * NS_PER_S);
    assert_non_null(strstr(report, "the coordinator itself stood still"));
    assert_int_equal(lone.agent[0].gos, 1);
    assert_null(strstr(report, "agent-lost"));
}

/* Whoever was heard before it has as long as any, and so has who was still to come. */
static void nobody_is_lost_for_a_pause_of_our_own(void **state)
{
    (void)state;
    die(CUT_OFF_START_NS + 30 * NS_PER_S, 10 * NS_PER_S, 0);
    lone_time.stops_ns = lone_time.mono_ns + 40 * NS_PER_S;
    lone_time.stops_for_ns = 30 * NS_PER_S;
    lone.agent[0].comes_ns = lone_time.stops_ns + lone_time.stops_for_ns + 4 * NS_PER_S;
    (void)resume_after(60 * NS_PER_S);
    assert_int_equal(lone.agent[0].gos, 1);
    assert_int_equal(lone.agent[1].gos, 1);
    assert_null(strstr(report, "agent-lost"));
}

/* No answer came as nobody was there to tell of one: that is no server's silence. */
static void canaries_are_not_judged_before_their_agents_are_there(void **state)
{
    (void)state;
    die(30 * NS_PER_S, 100 * NS_PER_S, 0);
    for (size_t i = 0; i < LONE_AGENTS; i++) {
        lone.agent[i].comes_ns = lone_time.mono_ns + 50 * NS_PER_S;
        lone.agent[i].progress =
            (struct control_progress){.assignment_epoch = 1, .started = 1, .received = 1};
    }
    (void)resume_after(60 * NS_PER_S);
    assert_null(strstr(report, "server-silent"));
    assert_int_equal(lone.agent[0].gos, 1);
}

/* --- who need not come any more --- */

/* The drain, in which a1 had told all before the coordinator ended; a2 is still at it. */
static void begin_drain(uint64_t final_batch_seq)
{
    struct snapshot final = {.is_final = true, .last_batch_seq = final_batch_seq};
    final.counter[COUNTER_sent_discover] = 4711;
    const struct ledger_instant at = {.run_us = INT64_C(1000000) * CUT_OFF_S};
    cut_off_note(&cut, (struct journal_entry){.kind = JOURNAL_DRAIN, .run_us = at.run_us});
    assert_int_equal(ledger_add_final(cut.ledger, 0, &final, 1, &at), 0);
    die(CUT_OFF_START_NS + 30 * NS_PER_S, 10 * NS_PER_S, 0);
}

static void who_had_told_all_is_no_loss(void **state)
{
    (void)state;
    begin_drain(1);
    lone.agent[0].comes_ns = UINT64_MAX;
    (void)resume_after(10 * NS_PER_S);
    assert_null(strstr(report, "agent-lost"));
    assert_non_null(strstr(report, "4711"));
    assert_int_equal(lone.agent[1].byes, 1);
}

static void a_word_that_is_missing_is_a_loss(void **state)
{
    (void)state;
    begin_drain(2); /* which is not in the ledger */
    lone.agent[0].comes_ns = UINT64_MAX;
    assert_int_equal(resume_after(10 * NS_PER_S), 4);
    assert_non_null(strstr(report, "agent-lost"));
    assert_null(strstr(report, "4711"));
}

static void who_comes_all_the_same_tells_it_once_more(void **state)
{
    (void)state;
    begin_drain(1);
    lone.agent[0].comes_ns = lone_time.mono_ns + 3 * NS_PER_S;
    lone.agent[0].final.counter[COUNTER_sent_discover] = 4712;
    (void)resume_after(10 * NS_PER_S);
    assert_null(strstr(report, "agent-lost"));
    assert_non_null(strstr(report, "4712"));
    assert_int_equal(lone.agent[0].byes, 1);
}

/* An agent calls again after half a minute at most. */
static void a_drain_waits_for_who_is_still_to_come(void **state)
{
    (void)state;
    begin_drain(1);
    lone.agent[1].comes_ns = lone_time.mono_ns + 29 * NS_PER_S;
    (void)resume_after(30 * NS_PER_S);
    assert_int_not_equal(lone.agent[1].drained_ns, 0);
    assert_null(strstr(report, "agent-lost"));
    assert_int_equal(lone.agent[1].byes, 1);
}

/* After the wait 25 s for who does not come to its end, then 15 s for what is missing. */
static void a_drain_has_its_time_once_more(void **state)
{
    (void)state;
    begin_drain(1);
    lone.agent[1].never_drains = true;
    uint64_t resumed_ns = lone_time.mono_ns;
    (void)resume_after(10 * NS_PER_S);
    assert_in_range(lone_time.mono_ns, resumed_ns + 50 * NS_PER_S, resumed_ns + 51 * NS_PER_S);
}

/* --- who may not go yet --- */

/* What the agents have kept goes with the BYE; without a report the run is not over. */
static void without_a_report_nobody_is_said_goodbye(void **state)
{
    char path[RUN_DIR_PATH_BYTES];
    (void)state;
    begin_drain(1);
    assert_int_equal(mkdir(run_dir_path(cut.dir, "report.txt", path), 0700), 0);
    assert_int_equal(resume_after(10 * NS_PER_S), 6);
    assert_string_equal(report, "");
    assert_int_equal(lone.agent[0].byes + lone.agent[1].byes, 0);
    assert_int_not_equal(lone.agent[1].drained_ns, 0);
    assert_int_equal(rmdir(path), 0);
    for (size_t i = 0; i < LONE_AGENTS; i++) {
        lone.agent[i].session = 0; /* the connection is gone */
    }
    assert_int_not_equal(resume_after(10 * NS_PER_S), 6);
    assert_null(strstr(report, "agent-lost"));
    assert_non_null(strstr(report, "coordinator-resumed"));
    assert_int_equal(lone.agent[0].byes, 1);
    assert_int_equal(lone.agent[1].byes, 1);
}

int main(void)
{
#define TEST(f)      cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define TEST_BOOT(f) cmocka_unit_test_setup_teardown(f, set_up_other_boot, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(in_the_same_boot_the_clock_went_on),
        TEST(in_the_same_boot_nobody_is_needed_to_say_the_time),
        TEST_BOOT(after_another_boot_an_agents_clock_says_when_the_run_began),
        TEST_BOOT(the_wall_clock_may_be_ahead),
        TEST_BOOT(the_wall_clock_may_be_behind),
        TEST_BOOT(the_wall_clock_may_not_know_the_year),
        TEST_BOOT(a_pause_before_the_time_is_known_is_not_dated),
        TEST_BOOT(nobody_says_and_the_wall_clock_does_not_know_the_year),
        TEST_BOOT(nobody_says_and_the_wall_clock_is_behind),
        TEST_BOOT(nobody_says_and_the_wall_clock_is_a_year_ahead),
        cmocka_unit_test_setup_teardown(the_scenarios_events_come_when_the_time_is_known,
                                        set_up_events, tear_down),
        cmocka_unit_test_setup_teardown(canaries_from_before_this_boot_are_judged_as_ever,
                                        set_up_canary, tear_down),
        cmocka_unit_test_setup_teardown(canaries_are_not_judged_before_their_agents_are_there,
                                        set_up_canary, tear_down),
        TEST_BOOT(what_was_kept_meanwhile_is_taken),
        TEST(results_wait_for_the_clock_that_dates_them),
        TEST_BOOT(results_wait_for_the_clock_that_dates_them),
        TEST_BOOT(they_wait_for_the_start_of_the_run_as_well),
        TEST_BOOT(who_only_delivers_says_the_time_as_well),
        TEST(an_agent_has_the_whole_wait),
        TEST(who_stays_away_longer_is_lost),
        TEST(a_pause_of_our_own_does_not_shorten_the_wait),
        TEST(nobody_is_lost_for_a_pause_of_our_own),
        TEST(who_had_told_all_is_no_loss),
        TEST(a_word_that_is_missing_is_a_loss),
        TEST(who_comes_all_the_same_tells_it_once_more),
        TEST(a_drain_waits_for_who_is_still_to_come),
        TEST(a_drain_has_its_time_once_more),
        TEST(without_a_report_nobody_is_said_goodbye),
    };
#undef TEST
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
