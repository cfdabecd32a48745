/* SPDX-License-Identifier: MIT */
/* A search inside the truth: events and snapshots in, steps, brackets and a verdict out. */
#include "tests/support/truth_fixture.h"

#include <math.h>

#include "common/attrs.h"
#include "coordinator/report/report.h"
#include "coordinator/truth/search_result.h"
#include "coordinator/truth/search_steps.h"

enum { STEP_S = 5 };

#define SEARCH_RUN(repeat)                                                                         \
    "run:\n"                                                                                       \
    "  - {name: peak, acquire: {batch: 50}}\n"                                                     \
    "  - name: limit\n"                                                                            \
    "    search: {rates: [200/s, 300/s, 400/s], mix: {acquire: 1, renew: 19}, bound: 100,\n"       \
    "             step: 5s, within: 500ms, repeat: " repeat "}\n"                                  \
    "    warmup: 1s\n"

struct bed {
    struct truth_fixture f;
    double now_s;
    uint64_t round;
    uint32_t lease_s; /* of every ACK */
};

static void bed_init(struct bed *b, const char *run)
{
    static char text[4096];
    (void)snprintf(text, sizeof(text), "%s%s", TRUTH_FIXTURE_HEAD, run);
    *b = (struct bed){.now_s = 10, .lease_s = 60};
    truth_fixture_init(&b->f, text);
}

static void begin(struct bed *b)
{
    struct search_order order = truth_search_next(b->f.truth);
    assert_int_equal(order.kind, SEARCH_ORDER_STEP);
    uint64_t half = order.rate_milli_per_s * STEP_S / 2000;
    const uint64_t planned[2] = {half, half};
    const struct truth_search_start start = {.round = ++b->round,
                                             .rate_milli_per_s = order.rate_milli_per_s,
                                             .begin_us = (int64_t)(b->now_s * 1e6),
                                             .planned = planned};
    assert_true(truth_search_step_begin(b->f.truth, &start));
}

static uint32_t sent_late_us; /* how long after their intended instants packets left */

/* What an agent saw of its share: the first `answered_percent` of every hundred are answered. */
static void play(struct bed *b, size_t agent, unsigned answered_percent, double took_s,
                 unsigned sent_percent)
{
    uint64_t rate = truth_search_next(b->f.truth).rate_milli_per_s / 2000;
    for (uint64_t i = 0; i < rate * STEP_S; i++) {
        if (i % 100 >= sent_percent) {
            continue;
        }
        bool is_answered = i % 100 < answered_percent;
        double end_s = is_answered ? took_s : 4.0;
        double begin_s = b->now_s + (double)i / (double)rate + (double)sent_late_us / 1e6;
        struct event e = {.kind = i % 2 == 0 ? EVENT_ACQUIRE : EVENT_RENEW,
                          .result = is_answered ? EVENT_ACK : EVENT_GAVE_UP,
                          .flags = i % 2 == 0 ? 0 : EVENT_EARLY,
                          .client = (uint32_t)(agent * 100 + i % 100),
                          .stage = 1,
                          .tries = 1,
                          .lease_s = is_answered ? b->lease_s : 0,
                          .offer_us = EVENT_SPAN_NONE,
                          .took_us = (uint32_t)(end_s * 1e6),
                          .wait_us = (uint32_t)(end_s * 1e6) + sent_late_us};
        e.t_us = truth_fixture_t_us(agent, (int64_t)((begin_s + end_s) * 1e6));
        b->f.snapshot[agent].counter[COUNTER_events]++;
        b->f.ledger_events++;
        truth_event(b->f.truth, agent, &e, (int64_t)((begin_s + end_s) * 1e6), 500);
    }
}

static void snapshots(struct bed *b, double at_s)
{
    for (size_t i = 0; i < 2; i++) {
        struct snapshot *s = &b->f.snapshot[i];
        s->seq++;
        s->at_ns = truth_fixture_t_us(i, (int64_t)(at_s * 1e6)) * 1000;
        truth_snapshot(b->f.truth, i, s);
    }
}

static struct result_search_step close_step(struct bed *b)
{
    struct result_search_step step;
    truth_search_step_close(b->f.truth, &step);
    b->now_s += 15;
    return step;
}

static struct result_search_step whole_step(struct bed *b, unsigned answered_percent)
{
    begin(b);
    play(b, 0, answered_percent, 0.01, 100);
    play(b, 1, answered_percent, 0.01, 100);
    assert_true(truth_search_step_is_settled(b->f.truth));
    return close_step(b);
}

static void close_run(struct bed *b, struct result *out)
{
    struct truth_closing closing = {.run_us = (int64_t)(b->now_s * 1e6),
                                    .ledger_events = b->f.ledger_events};
    assert_true(truth_finish(b->f.truth, &closing, out));
}

static void a_step_counts_what_its_agents_told(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, SEARCH_RUN("1"));
    struct result_search_step step = whole_step(&b, 100);
    assert_int_equal(step.flag, SEARCH_GOOD);
    assert_int_equal(step.planned_all, 1000);
    assert_int_equal(step.sent_all, 1000);
    assert_int_equal(step.planned, 800); /* without the warm-up */
    assert_int_equal(step.in_time, 800);
    assert_int_equal(step.acquire.answered + step.renew.answered, 800);
    assert_float_equal(step.answered_per_s, 200, 1);
    step = whole_step(&b, 99);
    assert_int_equal(step.flag, SEARCH_BAD);
    assert_int_equal(step.lost, 12);
    truth_fixture_fini(&b.f);
}

static void a_step_is_settled_when_all_its_exchanges_have_ended(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, SEARCH_RUN("1"));
    assert_true(truth_search_step_is_settled(b.f.truth));
    begin(&b);
    assert_false(truth_search_step_is_settled(b.f.truth));
    play(&b, 0, 100, 0.01, 100);
    snapshots(&b, b.now_s + 30);
    assert_true(b.f.snapshot[1].counter[COUNTER_events] == 0);
    assert_false(truth_search_step_is_settled(b.f.truth)); /* a2's clock is not known: no event */
    play(&b, 1, 100, 0.01, 100);
    assert_true(truth_search_step_is_settled(b.f.truth));
    truth_fixture_fini(&b.f);
}

static void an_agent_that_sent_too_little_makes_the_step_invalid(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, SEARCH_RUN("1"));
    begin(&b);
    play(&b, 0, 100, 0.01, 100);
    play(&b, 1, 100, 0.01, 90);
    assert_false(truth_search_step_is_settled(b.f.truth)); /* some of it may come yet */
    snapshots(&b, b.now_s + STEP_S + 5);
    assert_true(truth_search_step_is_settled(b.f.truth));
    struct result_search_step step = close_step(&b);
    assert_int_equal(step.flag, SEARCH_INVALID);
    assert_non_null(strstr(step.reason, "950 of 1000"));
    assert_non_null(strstr(step.reason, "agent a2: 450 of 500"));
    truth_fixture_fini(&b.f);
}

/* What one tells twice must not stand for what another lost. */
static void an_agent_that_tells_more_than_was_asked_makes_the_step_invalid(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, SEARCH_RUN("1"));
    begin(&b);
    play(&b, 0, 100, 0.01, 100);
    play(&b, 0, 100, 0.01, 100);
    play(&b, 1, 0, 0.01, 100);
    struct result_search_step step = close_step(&b);
    assert_int_equal(step.flag, SEARCH_INVALID);
    assert_non_null(strstr(step.reason, "agent a1 told of 1000 exchanges, and 500 were asked for"));
    truth_fixture_fini(&b.f);
}

/* Clients that wait for a server in vain cannot begin anew: that is the server's doing. */
static void a_step_short_of_clients_that_wait_for_answers_is_bad(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, SEARCH_RUN("1"));
    begin(&b);
    play(&b, 0, 40, 0.01, 80);
    play(&b, 1, 40, 0.01, 80);
    snapshots(&b, b.now_s + STEP_S + 5);
    struct result_search_step step = close_step(&b);
    assert_int_equal(step.sent_all, 800);
    assert_int_equal(step.flag, SEARCH_BAD);
    truth_fixture_fini(&b.f);
}

/* Late packets may make answers late, but they do not make them stay away. */
static void packets_that_left_late_make_a_step_invalid_unless_answers_are_missing(void **state)
{
    (void)state;
    for (unsigned is_lost = 0; is_lost < 2; is_lost++) {
        struct bed b;
        bed_init(&b, SEARCH_RUN("1"));
        begin(&b);
        sent_late_us = 100000;
        play(&b, 0, is_lost ? 50 : 100, 0.01, 100);
        play(&b, 1, is_lost ? 50 : 100, 0.01, 100);
        sent_late_us = 0;
        snapshots(&b, b.now_s + STEP_S + 5);
        struct result_search_step step = close_step(&b);
        assert_int_equal(step.flag, is_lost ? SEARCH_BAD : SEARCH_INVALID);
        assert_true(is_lost || strstr(step.reason, "late (p99)") != NULL);
        truth_fixture_fini(&b.f);
    }
}

static void results_that_lag_behind_prove_nothing(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, SEARCH_RUN("1"));
    begin(&b);
    play(&b, 0, 100, 0.01, 100);
    play(&b, 1, 100, 0.01, 50);
    b.f.snapshot[1].counter[COUNTER_events] += 250; /* recorded there, not told yet */
    snapshots(&b, b.now_s + STEP_S + 5);
    assert_false(truth_search_step_is_settled(b.f.truth));
    struct result_search_step step = close_step(&b);
    assert_int_equal(step.flag, SEARCH_INVALID);
    assert_non_null(strstr(step.reason, "lag behind"));
    truth_fixture_fini(&b.f);
}

static void the_testers_own_faults_are_never_the_servers(void **state)
{
    (void)state;
    static const struct {
        enum snapshot_counter counter;
        const char *text;
    } rows[] = {{COUNTER_rx_drops, "own sockets dropped 7"},
                {COUNTER_send_errors, "refused to send 7"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bed b;
        bed_init(&b, SEARCH_RUN("1"));
        b.f.snapshot[0].counter[rows[i].counter] = 5; /* before the step: not of it */
        snapshots(&b, 5);
        begin(&b);
        play(&b, 0, 10, 0.01, 100);
        play(&b, 1, 10, 0.01, 100);
        b.f.snapshot[0].counter[rows[i].counter] += 7;
        snapshots(&b, b.now_s + 10);
        struct result_search_step step = close_step(&b);
        assert_int_equal(step.flag, SEARCH_INVALID);
        assert_non_null(strstr(step.reason, rows[i].text));
        truth_fixture_fini(&b.f);
    }
    struct bed b;
    bed_init(&b, SEARCH_RUN("1"));
    begin(&b);
    play(&b, 0, 100, 0.01, 100);
    truth_agent_lost(b.f.truth, 1, (int64_t)(b.now_s * 1e6));
    assert_true(truth_search_step_is_settled(b.f.truth)); /* nothing more will come */
    struct result_search_step step = close_step(&b);
    assert_int_equal(step.flag, SEARCH_INVALID);
    assert_non_null(strstr(step.reason, "agent a2 was lost"));
    truth_fixture_fini(&b.f);
}

static char *text_of(const struct result *r)
{
    static char text[65536];
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    assert_int_equal(report_write_text(r, out), 0);
    (void)fclose(out);
    return text;
}

static void its_json_follows_the_schema(const struct result *r)
{
    char path[] = "/tmp/test_search_XXXXXX", command[1024];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    assert_non_null(out);
    assert_int_equal(report_write_json(r, out), 0);
    (void)fclose(out);
    (void)snprintf(command, sizeof(command), "python3 %s %s %s",
                   SOURCE_DIR "/tests/support/check_schema.py",
                   SOURCE_DIR "/deploy/report.schema.json", path);
    assert_int_equal(system(command), 0);
    (void)remove(path);
}

static void a_bracket_is_told_in_all_units(void **state)
{
    (void)state;
    struct bed b;
    struct result r;
    bed_init(&b, SEARCH_RUN("1"));
    (void)whole_step(&b, 100);
    (void)whole_step(&b, 100);
    (void)whole_step(&b, 50);
    (void)whole_step(&b, 50);
    assert_int_equal(truth_search_next(b.f.truth).kind, SEARCH_ORDER_DONE);
    close_run(&b, &r);
    assert_true(r.search.was_run);
    assert_int_equal(r.search.limit, SEARCH_LIMIT_SERVER);
    assert_int_equal(r.search.repeats[0].step_count, 4);
    assert_float_equal(r.search.high.exchanges_per_s, 400, 0.001);
    assert_float_equal(r.search.high.dora_per_s, 20, 0.001);
    assert_float_equal(r.search.high.renewals_per_s, 380, 0.001);
    assert_float_equal(r.search.high.clients, 380 * 4 * 3600.0, 1); /* T1 of 8 h */
    assert_true(r.search.low.exchanges_per_s > 292 && r.search.low.exchanges_per_s <= 295.5);
    assert_true(isnan(r.search.median_per_s));
    assert_non_null(strstr(r.search.sentence, "sustains between 29"));
    assert_non_null(strstr(r.search.sentence, "one repeat"));
    assert_null(strstr(r.search.sentence, "cache"));
    char *text = text_of(&r);
    assert_non_null(strstr(text, "Capacity search"));
    for (char *line = strtok(strstr(text, "Capacity search"), "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        if (strncmp(line, "Run", 3) == 0) {
            break;
        }
        assert_true(strlen(line) <= 100);
    }
    assert_true(r.start_state[0].active == RESULT_UNKNOWN);
    assert_string_equal(r.start_state[0].how, "unknown");
    its_json_follows_the_schema(&r);
    result_free(&r);
    truth_fixture_fini(&b.f);
}

/* Where servers are too slow all clients may be waiting for them: the step says so, not the run. */
static void what_a_step_could_not_begin_is_no_fault_of_the_whole_run(void **state)
{
    (void)state;
    struct bed b;
    struct result r;
    bed_init(&b, SEARCH_RUN("1"));
    for (size_t i = 0; i < 2; i++) {
        uint64_t *counter = b.f.snapshot[i].counter;
        counter[COUNTER_planned_starts] = counter[COUNTER_actual_starts] = 1000;
    }
    snapshots(&b, 9);
    truth_stage_begin(b.f.truth, 1, 10000000);
    (void)whole_step(&b, 100);
    for (size_t i = 0; i < 2; i++) {
        b.f.snapshot[i].counter[COUNTER_planned_starts] += 3000;
        b.f.snapshot[i].counter[COUNTER_actual_starts] += 2000;
    }
    static struct histogram late; /* most of what was sent in all steps together */
    late = (struct histogram){0};
    for (unsigned i = 0; i < 1000; i++) {
        histogram_record(&late, 300 * NS_PER_MS);
    }
    const struct control_histogram lag = {
        .snapshot_seq = 1,
        .key = {LATENCY_SEND_LAG, LATENCY_INTENDED, SNAPSHOT_NO_SERVER, 1},
        .histogram = &late};
    truth_histogram(b.f.truth, 0, &lag);
    for (unsigned i = 0; i < 5; i++) {
        snapshots(&b, b.now_s + i);
    }
    (void)whole_step(&b, 50);
    (void)whole_step(&b, 50);
    close_run(&b, &r);
    assert_int_equal(r.search.limit, SEARCH_LIMIT_SERVER);
    assert_int_equal(r.rates.planned_starts, 2000);
    assert_int_equal(r.rates.actual_starts, 2000);
    assert_true(r.rates.is_closed_model); /* of the stage before it */
    /* 750 of the two bad steps' acquisitions had no answer; 2,000 more were never begun. */
    assert_in_range(r.latency[LATENCY_INTENDED][LATENCY_ACQUIRE].unfinished, 1, 750);
    for (size_t i = 0; i < r.finding_count; i++) {
        assert_string_not_equal(r.findings[i].id, "rate-missed");
        assert_string_not_equal(r.findings[i].id, "send-lag");
    }
    result_free(&r);
    truth_fixture_fini(&b.f);
}

static void a_search_the_tester_ended_is_invalid(void **state)
{
    (void)state;
    struct bed b;
    struct result r;
    bed_init(&b, SEARCH_RUN("3"));
    (void)whole_step(&b, 100);
    for (unsigned i = 0; i < 2; i++) {
        begin(&b);
        play(&b, 0, 100, 0.01, 100);
        play(&b, 1, 100, 0.01, 80);
        snapshots(&b, b.now_s + STEP_S + 5);
        assert_int_equal(close_step(&b).flag, SEARCH_INVALID);
    }
    assert_int_equal(truth_search_next(b.f.truth).kind, SEARCH_ORDER_DONE);
    close_run(&b, &r);
    assert_int_equal(r.verdict.result, VERDICT_INVALID);
    assert_non_null(strstr(r.search.sentence, "the tester was the limit at 300/s; it sustains at "
                                              "least 197 exchanges/s"));
    assert_true(r.search.is_high_open);
    assert_true(isnan(r.search.high.exchanges_per_s));
    its_json_follows_the_schema(&r);
    result_free(&r);
    truth_fixture_fini(&b.f);
}

static void a_repeat_that_was_not_finished_weighs_more_than_one_that_found_no_end(void **state)
{
    (void)state;
    static const struct {
        bool is_tester;
        enum search_limit limit;
    } rows[] = {{true, SEARCH_LIMIT_TESTER}, {false, SEARCH_LIMIT_CUT_OFF}};
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct bed b;
        struct result r;
        bed_init(&b, SEARCH_RUN("2"));
        for (unsigned i = 0; i < 3; i++) {
            (void)whole_step(&b, 100); /* the highest rate, too: its upper end stays open */
        }
        truth_search_reset_done(b.f.truth);
        for (unsigned i = 0; i < 2 && rows[row].is_tester; i++) {
            begin(&b);
            play(&b, 0, 100, 0.01, 100);
            play(&b, 1, 100, 0.01, 80);
            snapshots(&b, b.now_s + STEP_S + 5);
            assert_int_equal(close_step(&b).flag, SEARCH_INVALID);
        }
        close_run(&b, &r);
        assert_int_equal(r.search.repeats[0].limit, SEARCH_LIMIT_ABOVE_HIGH);
        assert_int_equal(r.search.limit, rows[row].limit);
        assert_int_equal(r.verdict.result, VERDICT_INVALID);
        result_free(&r);
        truth_fixture_fini(&b.f);
    }
}

static void three_repeats_have_a_median_and_an_interval(void **state)
{
    (void)state;
    struct bed b;
    struct result r;
    bed_init(&b, SEARCH_RUN("3"));
    for (unsigned repeat = 0; repeat < 3; repeat++) {
        (void)whole_step(&b, 100);
        (void)whole_step(&b, repeat == 1 ? 50 : 100);
        (void)whole_step(&b, 50);
        if (repeat != 1) {
            (void)whole_step(&b, 50);
        }
        if (repeat < 2) {
            assert_int_equal(truth_search_next(b.f.truth).kind, SEARCH_ORDER_RESET);
            truth_search_reset_done(b.f.truth);
        }
    }
    close_run(&b, &r);
    assert_int_equal(r.search.repeat_count, 3);
    assert_float_equal(r.search.median_per_s, sqrt(295 * 400), 4);
    assert_float_equal(r.search.interval_high_per_s, 400, 0.001);
    assert_float_equal(r.search.interval_low_per_s, 197, 2);
    assert_float_equal(r.search.interval_percent, 75, 0.001);
    assert_true(r.search.spread_percent > 20);
    assert_non_null(strstr(r.search.sentence, "interval 75 %"));
    result_free(&r);
    truth_fixture_fini(&b.f);
}

static void an_answer_out_of_a_lease_cache_is_said_to_be_one(void **state)
{
    (void)state;
    struct bed b;
    struct result r;
    bed_init(&b, SEARCH_RUN("1"));
    b.lease_s = 55;
    (void)whole_step(&b, 100);
    close_run(&b, &r);
    assert_int_equal(r.search.repeats[0].steps[0].cached_renewals, 400);
    assert_non_null(strstr(r.search.sentence, "100 % of the renewals got the rest of their lease"));
    result_free(&r);
    truth_fixture_fini(&b.f);
}

static void a_search_that_is_cut_off_keeps_what_it_has(void **state)
{
    (void)state;
    struct bed b;
    struct result r;
    bed_init(&b, SEARCH_RUN("1"));
    (void)whole_step(&b, 100);
    begin(&b);
    close_run(&b, &r);
    assert_int_equal(r.search.limit, SEARCH_LIMIT_CUT_OFF);
    assert_int_equal(r.search.repeats[0].step_count, 1);
    assert_non_null(strstr(r.search.sentence, "cut off"));
    assert_non_null(strstr(r.search.sentence, "at least 197"));
    result_free(&r);
    truth_fixture_fini(&b.f);
}

static void a_run_without_a_search_says_nothing_of_one(void **state)
{
    (void)state;
    struct bed b;
    struct result r;
    bed_init(&b, TRUTH_FIXTURE_RUN);
    assert_int_equal(truth_search_next(b.f.truth).kind, SEARCH_ORDER_DONE);
    truth_start_state(b.f.truth, 1, 12, 3, RESULT_UNKNOWN, "lease file");
    close_run(&b, &r);
    assert_false(r.search.was_run);
    char *text = text_of(&r);
    assert_null(strstr(text, "Capacity search"));
    assert_non_null(strstr(text, "active 12, expired 3, free - (lease file)"));
    result_free(&r);
    truth_fixture_fini(&b.f);
}

static void rates_read_like_numbers(void **state)
{
    (void)state;
    char cell[SEARCH_CELL_BYTES];
    assert_string_equal(search_rate_text(NAN, cell), "-");
    assert_string_equal(search_rate_text(87.46, cell), "87.5");
    assert_string_equal(search_rate_text(1234567.4, cell), "1,234,567");
    assert_string_equal(search_rate_text(1e300, cell), "1,000,000,000,000,000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_counts_what_its_agents_told),
        cmocka_unit_test(a_step_is_settled_when_all_its_exchanges_have_ended),
        cmocka_unit_test(an_agent_that_sent_too_little_makes_the_step_invalid),
        cmocka_unit_test(an_agent_that_tells_more_than_was_asked_makes_the_step_invalid),
        cmocka_unit_test(results_that_lag_behind_prove_nothing),
        cmocka_unit_test(a_step_short_of_clients_that_wait_for_answers_is_bad),
        cmocka_unit_test(packets_that_left_late_make_a_step_invalid_unless_answers_are_missing),
        cmocka_unit_test(the_testers_own_faults_are_never_the_servers),
        cmocka_unit_test(a_bracket_is_told_in_all_units),
        cmocka_unit_test(what_a_step_could_not_begin_is_no_fault_of_the_whole_run),
        cmocka_unit_test(a_search_the_tester_ended_is_invalid),
        cmocka_unit_test(a_repeat_that_was_not_finished_weighs_more_than_one_that_found_no_end),
        cmocka_unit_test(three_repeats_have_a_median_and_an_interval),
        cmocka_unit_test(an_answer_out_of_a_lease_cache_is_said_to_be_one),
        cmocka_unit_test(a_search_that_is_cut_off_keeps_what_it_has),
        cmocka_unit_test(a_run_without_a_search_says_nothing_of_one),
        cmocka_unit_test(rates_read_like_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
