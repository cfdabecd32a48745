/* SPDX-License-Identifier: MIT */
/* Why an agent was the limit: every sentence, and the figures that show it. */
#include "tests/support/testing.h"

#include <math.h>
#include <string.h>

#include "coordinator/truth/agent_self.h"
#include "tests/support/truth_fixture.h"

#define MIB (1024 * 1024)

static struct snapshot snapshot;
static struct result_agent agent;
static char text[AGENT_SELF_TEXT_BYTES];

/* One lane, a quiet run of a hundred seconds. */
static int set_up(void **state)
{
    (void)state;
    snapshot = (struct snapshot){0};
    agent = (struct result_agent){.name = "a1"};
    uint64_t *counter = snapshot.counter;
    counter[COUNTER_elapsed_ns] = 100 * NS_PER_S;
    counter[COUNTER_lanes] = 1;
    counter[COUNTER_lane_turns] = 5000;
    counter[COUNTER_lane_cpu_ns] = 50 * NS_PER_S;
    counter[COUNTER_lane_work_ns] = 20 * NS_PER_S;
    counter[COUNTER_lane_work_peak] = 342;
    counter[COUNTER_lane_waited_known] = 1;
    counter[COUNTER_lane_waited_ns] = NS_PER_S / 4;
    counter[COUNTER_lane_waited_peak] = 12;
    counter[COUNTER_lane_switches] = 17;
    counter[COUNTER_lane_absence_longest_ns] = 3 * NS_PER_MS;
    counter[COUNTER_rcvbuf_known] = 1;
    counter[COUNTER_rx_buffer_bytes] = 32 * MIB;
    counter[COUNTER_rx_buffer_wanted] = 32 * MIB;
    return 0;
}

static const char *cause(bool is_drop)
{
    agent.rx_drops = snapshot.counter[COUNTER_rx_drops];
    agent_self_fill(&snapshot, &agent.self);
    return agent_self_cause(&agent, is_drop, text);
}

static const char *figures(void)
{
    agent.rx_drops = snapshot.counter[COUNTER_rx_drops];
    agent_self_fill(&snapshot, &agent.self);
    return agent_self_figures(&agent, text);
}

static void a_full_cpu_is_said(void **state)
{
    (void)state;
    snapshot.counter[COUNTER_lane_work_peak] = 991;
    assert_string_equal(cause(false), "agent a1: its lane was at 99 % of its CPU");
    snapshot.counter[COUNTER_lanes] = 2;
    assert_string_equal(cause(false), "agent a1: a lane of it was at 99 % of its CPU");
}

static void a_cpu_that_others_had_is_said(void **state)
{
    (void)state;
    snapshot.counter[COUNTER_lane_waited_peak] = 973;
    snapshot.counter[COUNTER_lane_switches] = 1234;
    snapshot.counter[COUNTER_lane_absence_longest_ns] = 2 * NS_PER_S;
    assert_string_equal(cause(false),
                        "agent a1: its lane was taken off its CPU 1234 times by others "
                        "(involuntary context switches), for 97 % of the worst second; it left its "
                        "sockets alone for 2.00 s");
}

static void without_the_kernels_word_the_switches_must_do(void **state)
{
    (void)state;
    snapshot.counter[COUNTER_lane_waited_known] = 0;
    snapshot.counter[COUNTER_lane_switches] = 1234;
    assert_non_null(strstr(cause(false), "had CPU to spare"));
    snapshot.counter[COUNTER_lane_absence_longest_ns] = 2 * NS_PER_S;
    assert_string_equal(cause(false), "agent a1: its lane was taken off its CPU 1234 times by "
                                      "others (involuntary context switches); it left its sockets "
                                      "alone for 2.00 s");
}

static void a_process_that_stood_still_is_said(void **state)
{
    (void)state;
    snapshot.counter[COUNTER_lane_absence_longest_ns] = 1020 * NS_PER_MS;
    assert_string_equal(cause(false),
                        "agent a1: it left its sockets alone for 1.02 s, though it had a CPU: it "
                        "was stopped, or waited for memory or a disk");
    snapshot.counter[COUNTER_lane_work_peak] = 991;
    assert_string_equal(cause(false), "agent a1: its lane was at 99 % of its CPU; it left its "
                                      "sockets alone for 1.02 s");
}

static void a_small_buffer_is_a_cause_of_drops_only(void **state)
{
    (void)state;
    snapshot.counter[COUNTER_rx_buffer_bytes] = 208 * 1024;
    snapshot.counter[COUNTER_lane_work_peak] = 991;
    assert_string_equal(cause(true), "agent a1: its receive buffer is 208 KiB of 32 MiB, set "
                                     "net.core.rmem_max; its lane was at 99 % of its CPU");
    assert_string_equal(cause(false), "agent a1: its lane was at 99 % of its CPU");
}

static void an_innocent_agent_is_not_blamed(void **state)
{
    (void)state;
    assert_string_equal(
        cause(true),
        "agent a1: its lane had CPU to spare, it used 34 % of it in its busiest second");
}

static void what_is_not_known_is_not_said(void **state)
{
    (void)state;
    snapshot = (struct snapshot){0};
    assert_string_equal(cause(true), "");
    assert_string_equal(figures(), "");
    assert_false(agent.self.is_known);
    assert_true(isnan(agent.self.cpu_percent) && isnan(agent.self.waited_s));
    assert_true(agent.self.rcvbuf_errors == RESULT_UNKNOWN);
    assert_true(agent.self.rx_buffer_bytes == RESULT_UNKNOWN);
    agent_self_fill(NULL, &agent.self);
    assert_true(agent.self.rx_truncated == RESULT_UNKNOWN);
}

static void a_small_buffer_is_said_of_a_lane_that_tells_nothing(void **state)
{
    (void)state;
    snapshot.counter[COUNTER_lanes] = 0;
    snapshot.counter[COUNTER_rx_buffer_bytes] = 16 * MIB + MIB / 2;
    assert_string_equal(cause(true), "agent a1: its receive buffer is 16.5 MiB of 32 MiB, set "
                                     "net.core.rmem_max");
}

static void the_figures_stand_beside(void **state)
{
    (void)state;
    assert_string_equal(figures(), "agent a1: its lane used at most 34 % of its CPU in a second; "
                                   "waited 0.25 s for a CPU, at most 1 % of a second; 17 "
                                   "involuntary context switches; it left its sockets alone for "
                                   "0.003 s at most");
    assert_true(fabs(agent.self.cpu_percent - 20) < 1e-9);
    assert_true(fabs(agent.self.spin_percent - 30) < 1e-9);
}

static void drops_for_want_of_room_are_told_from_others(void **state)
{
    (void)state;
    snapshot.counter[COUNTER_rx_drops] = 12;
    snapshot.counter[COUNTER_rcvbuf_errors] = 12;
    static const char begin[] = "agent a1: 12 answers dropped at its sockets; RcvbufErrors of its "
                                "network namespace grew by 12; its lane used";
    assert_int_equal(strncmp(figures(), begin, strlen(begin)), 0);
    snapshot.counter[COUNTER_rcvbuf_errors] = 5;
    assert_non_null(strstr(figures(), "grew by 5; 7 were dropped for something else than room"));
    snapshot.counter[COUNTER_rcvbuf_known] = 0;
    assert_null(strstr(figures(), "RcvbufErrors"));
}

/* The longest there is stays whole. */
static void no_sentence_is_cut(void **state)
{
    (void)state;
    memset(agent.name, 'n', sizeof(agent.name) - 1);
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        snapshot.counter[i] = UINT64_MAX / 3;
    }
    snapshot.counter[COUNTER_rx_buffer_bytes] = 1;
    snapshot.counter[COUNTER_lane_work_peak] = snapshot.counter[COUNTER_lane_waited_peak] = 1000;
    snapshot.counter[COUNTER_rcvbuf_errors] = 1;
    assert_true(strlen(cause(true)) < AGENT_SELF_TEXT_BYTES - 1);
    assert_non_null(strstr(text, "100 % of its CPU"));
    assert_true(strlen(figures()) < AGENT_SELF_TEXT_BYTES - 1);
}

/* --- in a run --- */

#define OPEN                                                                                       \
    TRUTH_FIXTURE_HEAD "run: [{name: open, acquire: {rate: 100/s}}]\n"                             \
                       "judge: [leases.failed == 0]\n"

static void lives(struct snapshot *s)
{
    uint64_t former[COUNTER_COUNT];
    memcpy(former, s->counter, sizeof(former));
    uint64_t seq = s->seq;
    *s = snapshot;
    s->seq = seq;
    for (unsigned i = 0; i < COUNTER_COUNT; i++) {
        s->counter[i] += former[i];
    }
}

static void expect_reason(struct truth_fixture *f, enum verdict verdict, const char *id,
                          const char *why)
{
    struct result r;
    assert_true(truth_fixture_finish(f, 200, &r));
    const struct result_finding *found = findings_get(&r, id);
    assert_non_null(found);
    if (strstr(found->summary, why) == NULL) {
        print_error("\"%s\" does not say \"%s\"\n", found->summary, why);
    }
    assert_non_null(strstr(found->summary, why));
    assert_int_equal(r.verdict.result, verdict);
    bool is_reason = false;
    for (size_t i = 0; i < r.verdict.reason_count; i++) {
        is_reason |= strstr(r.verdict.reasons[i], why) != NULL;
    }
    assert_int_equal(is_reason, verdict == VERDICT_INVALID);
    result_free(&r);
}

static void the_reason_of_drops_names_the_agent_with_most(void **state)
{
    (void)state;
    struct truth_fixture f;
    truth_fixture_init(&f, OPEN);
    truth_fixture_acquire_all(&f);
    f.snapshot[0].counter[COUNTER_rx_drops] = 2;
    snapshot.counter[COUNTER_rx_drops] = 3;
    snapshot.counter[COUNTER_rx_buffer_bytes] = MIB;
    lives(&f.snapshot[1]);
    expect_reason(&f, VERDICT_INVALID, "own-drops",
                  "dropped 5 answers; agent a2: its receive buffer is 1 MiB of 32 MiB");
    truth_fixture_fini(&f);
}

static void the_reason_of_a_missed_rate_names_the_agent_behind(void **state)
{
    (void)state;
    struct truth_fixture f;
    truth_fixture_init(&f, OPEN);
    truth_fixture_acquire_all(&f);
    for (size_t i = 0; i < 2; i++) {
        f.snapshot[i].counter[COUNTER_planned_starts] = 100;
        f.snapshot[i].counter[COUNTER_actual_starts] = i == 0 ? 100 : 90;
    }
    snapshot.counter[COUNTER_lane_work_peak] = 998;
    lives(&f.snapshot[1]);
    expect_reason(&f, VERDICT_INVALID, "rate-missed",
                  "not sent; agent a2: its lane was at 100 % of its CPU");
    truth_fixture_fini(&f);
}

static void the_reason_of_lag_names_the_latest_agent(void **state)
{
    (void)state;
    struct truth_fixture f;
    truth_fixture_init(&f, OPEN);
    truth_fixture_acquire_all(&f);
    for (size_t i = 0; i < 2; i++) {
        static struct histogram h;
        h = (struct histogram){0};
        for (unsigned k = 0; k < 1000; k++) {
            histogram_record(&h, i == 0 ? NS_PER_MS : 900 * NS_PER_MS);
        }
        struct control_histogram c = {
            .snapshot_seq = 1,
            .key = {LATENCY_SEND_LAG, LATENCY_INTENDED, SNAPSHOT_NO_SERVER, 0},
            .histogram = &h};
        truth_histogram(f.truth, i, &c);
    }
    snapshot.counter[COUNTER_lane_waited_peak] = 500;
    lives(&f.snapshot[1]);
    expect_reason(&f, VERDICT_INVALID, "send-lag", "agent a2: its lane was taken off its CPU 17");
    truth_fixture_fini(&f);
}

static void drops_of_others_are_a_remark_only(void **state)
{
    (void)state;
    struct truth_fixture f;
    truth_fixture_init(&f, OPEN);
    truth_fixture_acquire_all(&f);
    snapshot.counter[COUNTER_rcvbuf_errors] = 9;
    lives(&f.snapshot[1]);
    expect_reason(&f, VERDICT_PASS, "drops-of-others",
                  "another program on the host of agent a2 lost 9 datagrams");
    truth_fixture_fini(&f);
}

/* Two agents in one namespace see the same count. */
static void drops_of_another_agent_are_not_anothers(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, OPEN);
    truth_fixture_acquire_all(&f);
    snapshot.counter[COUNTER_rcvbuf_errors] = 9;
    lives(&f.snapshot[0]);
    snapshot.counter[COUNTER_rx_drops] = 9;
    lives(&f.snapshot[1]);
    assert_true(truth_fixture_finish(&f, 200, &r));
    assert_non_null(findings_get(&r, "own-drops"));
    assert_null(findings_get(&r, "drops-of-others"));
    result_free(&r);
    truth_fixture_fini(&f);
}

#define CASE(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_full_cpu_is_said),
        CASE(a_cpu_that_others_had_is_said),
        CASE(without_the_kernels_word_the_switches_must_do),
        CASE(a_process_that_stood_still_is_said),
        CASE(a_small_buffer_is_a_cause_of_drops_only),
        CASE(an_innocent_agent_is_not_blamed),
        CASE(what_is_not_known_is_not_said),
        CASE(a_small_buffer_is_said_of_a_lane_that_tells_nothing),
        CASE(the_figures_stand_beside),
        CASE(drops_for_want_of_room_are_told_from_others),
        CASE(no_sentence_is_cut),
        CASE(the_reason_of_drops_names_the_agent_with_most),
        CASE(the_reason_of_a_missed_rate_names_the_agent_behind),
        CASE(the_reason_of_lag_names_the_latest_agent),
        CASE(drops_of_others_are_a_remark_only),
        CASE(drops_of_another_agent_are_not_anothers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
