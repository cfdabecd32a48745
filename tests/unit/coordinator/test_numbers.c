/* SPDX-License-Identifier: MIT */
/* How numbers are made: from results as agents tell them to what the reports print. */
#include "tests/support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attrs.h"
#include "coordinator/report/report.h"
#include "tests/support/lane_world.h"
#include "tests/support/truth_fixture.h"

#define EVENTS                                                                                     \
    "events:\n"                                                                                    \
    "  - {at: 60s, in: keep, name: \"b off\"}\n"

static void begin(struct truth_fixture *f, const char *run_and_judge)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s%s", TRUTH_FIXTURE_HEAD, run_and_judge);
    truth_fixture_init(f, text);
}

static void record(struct truth_fixture *f, enum latency_metric metric, enum latency_clock clock,
                   uint8_t stage, const struct histogram *h)
{
    const struct control_histogram c = {
        .snapshot_seq = 1,
        .key = {(uint8_t)metric, (uint8_t)clock, SNAPSHOT_NO_SERVER, stage},
        .histogram = h};
    truth_histogram(f->truth, 0, &c);
}

static char *text_of(const struct result *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(report_write_text(r, out), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_message("not said: %s\n%s\n", part, text);
    }
    assert_non_null(strstr(text, part));
}

/* report.json conforms to the schema, and `python` about its content `r` is true. */
static void assert_json(const struct result *r, const char *python)
{
    char path[] = "/tmp/leaseherd-report-XXXXXX", command[1024];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    assert_non_null(out);
    assert_int_equal(report_write_json(r, out), 0);
    assert_int_equal(fclose(out), 0);
    (void)snprintf(command, sizeof(command),
                   "python3 %s/tests/support/check_schema.py %s/deploy/report.schema.json %s",
                   SOURCE_DIR, SOURCE_DIR, path);
    int conforms = system(command);
    (void)snprintf(command, sizeof(command),
                   "python3 -c \"import json; r = json.load(open('%s')); assert %s\"", path,
                   python);
    int is_true = system(command);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(conforms, 0);
    assert_int_equal(is_true, 0);
}

/* --- a stall in the closed model --- */

enum { SLOTS = 50, CLIENTS = 8000, STALL_S = 5 };

/*
 * The real lane, in virtual time: exchanges of 4 ms in 50 slots, and a server that
 * loses everything for five seconds in the middle. Only 50 of 8,000 exchanges ever
 * meet that, because no other one begins meanwhile.
 */
static void play_a_stall(struct truth_fixture *f)
{
    static struct lane_world world;
    lane_world_init(&world, 2, CLIENTS / 2, 1);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_start(&world);
    lane_world_go(&world, 0, SLOTS, 0);
    lane_world_run(&world, 900 * NS_PER_MS);
    assert_true(lane_world_counter(&world, COUNTER_leases_acquired) > 1000);
    world.servers[0].is_silent = true;
    lane_world_run(&world, STALL_S * NS_PER_S);
    world.servers[0].is_silent = false;
    assert_true(lane_world_counter(&world, COUNTER_leases_acquired) < CLIENTS - 1000);
    assert_true(lane_world_run_step(&world, 60 * NS_PER_S));
    assert_int_equal(lane_world_counter(&world, COUNTER_leases_acquired), CLIENTS);
    for (size_t i = 0; i < lane_histogram_count(world.lane); i++) {
        struct histogram_key key;
        uint64_t version;
        const struct histogram *h = lane_histogram(world.lane, i, &key, &version);
        if (h->count > 0) {
            record(f, (enum latency_metric)key.metric, (enum latency_clock)key.clock, key.stage, h);
        }
    }
    f->snapshot[0].counter[COUNTER_slot_wait_ns] = lane_world_counter(&world, COUNTER_slot_wait_ns);
    lane_world_check(&world);
    lane_world_fini(&world);
}

static void a_stall_in_the_closed_model_shows_at_an_even_pace_and_not_from_the_send(void **state)
{
    (void)state;
    static struct truth_fixture f;
    struct result r;
    begin(&f, "run: [{name: peak, acquire: {batch: 50}}]\n");
    truth_fixture_acquire_all(&f);
    play_a_stall(&f);
    assert_true(truth_fixture_finish(&f, 200, &r));
    const struct result_latency *from_send = &r.latency[LATENCY_FROM_SEND][LATENCY_ACQUIRE];
    assert_int_equal(from_send->count, CLIENTS);
    assert_in_range(from_send->percentile_us[2], 4000, 6000);
    assert_true(from_send->max_us > STALL_S * 1000000);
    assert_true(r.is_any_paced[LATENCY_ACQUIRE]);
    assert_in_range(r.paced_us[LATENCY_ACQUIRE][2], 4000000, 20000000);
    char *text = text_of(&r);
    print_message("%.*s\n", 800, strstr(text, "\n  acquire "));
    assert_says(text, "from the intended instant      from the send");
    assert_says(text, "at an even pace: p50 ");
    assert_says(text, "window-limited: stage peak (batch 50) is closed");
    assert_says(text, "waiting to repeat what had");
    assert_null(strstr(text, "no answer is not known"));
    free(text);
    assert_json(&r, "r['latency_paced_us']['acquire']['p99'] > 4000000 and "
                    "r['latency_from_send_us']['acquire']['p99'] < 6000 and "
                    "'stage peak (batch 50) is closed' in r['window_limited'] and "
                    "r['rates']['retransmission_wait_percent'] > 0");
    result_free(&r);
    truth_fixture_fini(&f);
}

static void clients_that_never_finished_raise_the_percentile_to_give_up(void **state)
{
    (void)state;
    static struct histogram h;
    static struct truth_fixture f;
    struct result r;
    begin(&f, "run: [{name: peak, acquire: {rate: 100/s}}]\n"
              "judge: [p90(acquire) < 500ms, p90(acquire.success) < 500ms,\n"
              "        answered_percent(acquire) >= 50%]\n");
    truth_fixture_acquire_all(&f);
    for (unsigned i = 0; i < 180; i++) {
        histogram_record(&h, 2 * NS_PER_MS);
    }
    record(&f, LATENCY_ACQUIRE, LATENCY_INTENDED, 0, &h);
    for (uint32_t client = 0; client < 30; client++) {
        struct event e = truth_fixture_ack(&f, EVENT_ACQUIRE, client);
        e.result = EVENT_GAVE_UP;
        e.tries = 4;
        e.flags = 0; /* the exchange's own end says nothing about the client */
        truth_fixture_event(&f, e, 31);
        e.flags = EVENT_DEADLINE;
        truth_fixture_event(&f, e, 60);
    }
    assert_true(truth_fixture_finish(&f, 200, &r));
    const struct result_latency *l = &r.latency[LATENCY_INTENDED][LATENCY_ACQUIRE];
    assert_int_equal(l->unfinished, 30);
    assert_true(l->is_infinite[1]);
    assert_false(r.latency_success[LATENCY_ACQUIRE].is_infinite[1]);
    assert_in_range(r.latency_success[LATENCY_ACQUIRE].percentile_us[1], 2000, 2020);
    assert_int_equal(r.tries[LATENCY_ACQUIRE].answered[0], 200);
    assert_int_equal(r.tries[LATENCY_ACQUIRE].gave_up, 30);
    assert_int_equal(r.judgements[0].result, JUDGEMENT_MISS);
    assert_non_null(strstr(r.judgements[0].note, "never finished"));
    assert_int_equal(r.judgements[1].result, JUDGEMENT_PASS);
    assert_int_equal(r.judgements[2].result, JUDGEMENT_PASS);
    char *text = text_of(&r);
    assert_says(text, "p90     > give-up");
    assert_says(text, "unanswered: 30; on the left they count as infinite");
    assert_says(text, "answered only: max 2.00, p50 2.00, p90 2.00, p99 n too small");
    assert_says(text, "sent once 200, twice 0, 3 times 0, more often 0, without an answer 30");
    assert_says(text, "retransmission: 86.96 %");
    assert_null(strstr(text, "window-limited"));
    free(text);
    assert_json(&r, "r['latency_us']['acquire']['p90'] is None and "
                    "r['latency_us']['acquire']['unfinished'] == 30 and "
                    "r['latency_success_us']['acquire']['p90'] < 2020 and "
                    "r['tries']['acquire']['gave_up'] == 30 and r['window_limited'] is None");
    result_free(&r);
    truth_fixture_fini(&f);
}

static void renewals_that_reach_t2_count_as_infinite_too(void **state)
{
    (void)state;
    static struct histogram h;
    static struct truth_fixture f;
    struct result r;
    begin(&f,
          TRUTH_FIXTURE_RUN "judge: [p90(renew) < 1s in keep, first_try_percent(renew) >= 70%,\n"
                            "        first_try_percent(renew) >= 71%, max(rebind) < 9s]\n");
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000);
    for (uint32_t client = 0; client < 100; client++) {
        struct event e = truth_fixture_ack(&f, EVENT_RENEW, client);
        e.tries = client < 70 ? 1 : client < 80 ? 2 : 6;
        e.result = client < 85 ? EVENT_ACK : EVENT_GAVE_UP;
        truth_fixture_event(&f, e, 40);
    }
    for (unsigned i = 0; i < 85; i++) {
        histogram_record(&h, 2 * NS_PER_MS);
    }
    struct event rebind = truth_fixture_ack(&f, EVENT_REBIND, 99);
    rebind.result = EVENT_GAVE_UP;
    truth_fixture_event(&f, rebind, 55);
    record(&f, LATENCY_RENEW, LATENCY_INTENDED, 1, &h);
    truth_stage_end(f.truth, 1, 100000000, false);
    assert_true(truth_fixture_finish(&f, 200, &r));
    assert_int_equal(r.latency[LATENCY_INTENDED][LATENCY_RENEW].unfinished, 15);
    assert_int_equal(r.latency[LATENCY_FROM_SEND][LATENCY_RENEW].unfinished, 0);
    const struct result_tries *t = &r.tries[LATENCY_RENEW];
    assert_int_equal(t->answered[0], 70);
    assert_int_equal(t->answered[1], 10);
    assert_int_equal(t->answered[2], 0);
    assert_int_equal(t->answered[3], 5);
    assert_int_equal(t->gave_up, 15);
    static const enum judgement_result expected[] = {JUDGEMENT_MISS, JUDGEMENT_PASS, JUDGEMENT_MISS,
                                                     JUDGEMENT_MISS};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(r.judgements[i].result, expected[i]);
    }
    assert_non_null(strstr(r.judgements[3].note, "1 exchanges never finished"));
    result_free(&r);
    truth_fixture_fini(&f);
}

/* --- windows and filters, all the way --- */

static void renewals(struct truth_fixture *f, double from_s, double until_s, double wait_ms)
{
    for (unsigned i = 0; i < 200; i++) {
        struct event e = truth_fixture_ack(f, EVENT_RENEW, i);
        e.wait_us = e.took_us = (uint32_t)(wait_ms * 1000);
        truth_fixture_event(f, e, from_s + (until_s - from_s) * i / 200);
    }
}

static void an_outage_that_is_excepted_does_not_count_and_another_does(void **state)
{
    (void)state;
    static struct truth_fixture f;
    struct result r;
    begin(&f, EVENTS
          "run: [{name: peak, acquire: {rate: 100/s}}, {name: keep, hold: 10m, warmup: 8s}]\n"
          "judge:\n"
          "  - p90(renew) < 500ms over 10s in keep except 30s after \"b off\"\n"
          "  - p90(renew) < 500ms over 10s in keep\n"
          "  - leases.renewed >= 1000 in keep after 30s after \"b off\"\n");
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000); /* measured from 10 s */
    renewals(&f, 3, 10, 9000);
    for (double at_s = 10; at_s < 60; at_s += 10) {
        renewals(&f, at_s, at_s + 10, 5);
    }
    truth_watermark(f.truth, 0, 50000000);
    truth_watermark(f.truth, 1, 40000000);
    truth_scenario_event(f.truth, 0, 60000000);
    for (double at_s = 60; at_s < 90; at_s += 10) {
        renewals(&f, at_s, at_s + 10, 9000);
    }
    for (double at_s = 90; at_s < 130; at_s += 10) {
        renewals(&f, at_s, at_s + 10, 5);
    }
    truth_stage_end(f.truth, 1, 130000000, false);
    assert_true(truth_fixture_finish(&f, 200, &r));
    const struct result_judgement *j = r.judgements;
    assert_int_equal(j[0].result, JUDGEMENT_PASS);
    assert_int_equal(j[0].windows, 9);
    assert_string_equal(j[0].unit, "us");
    assert_int_equal(j[0].windows_missed, 0);
    assert_int_equal(j[1].result, JUDGEMENT_MISS);
    assert_int_equal(j[1].windows, 12);
    assert_int_equal(j[1].windows_missed, 3);
    assert_int_equal(j[2].result, JUDGEMENT_MISS);
    assert_true(j[2].value > 799 && j[2].value < 801);
    assert_true(r.run.stages[1].measured_from_s > 9.99 && r.run.stages[1].measured_from_s < 10.01);
    result_free(&r);
    truth_fixture_fini(&f);
}

/* However large the counts and long the judgements are. */
static void the_page_has_a_hundred_columns(void **state)
{
    (void)state;
    static struct result r;
    static struct result_judgement j = {
        .expression = "first_try_percent(discover_offer) >= 99.999% over 1000000s in "
                      "a-stage-with-the-longest-name-that-a-stage-of-a-scenario-can-have-x except "
                      "1000000s after \"the second server of the pair is gone\"",
        .unit = "us",
        .value = 123456789012.5,
        .note = "worst of 12,345 windows: 123456.0 - 223456.0 s, over 1234567 samples; 123 missed",
        .has_windows = true};
    r = (struct result){.judgements = &j, .judgement_count = 1};
    struct result_stage stage = {.name = "peak", .was_begun = true};
    r.run.stages = &stage;
    r.run.stage_count = 1;
    for (unsigned m = 0; m < LATENCY_METRIC_COUNT; m++) {
        struct result_latency l = {
            .count = 999999999, .unfinished = 999999999, .max_us = 1099511000};
        for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
            l.percentile_us[i] = l.low_us[i] = l.high_us[i] = 1099511000;
            r.paced_us[m][i] = i == 3 ? RESULT_UNKNOWN : 1099511000;
        }
        r.is_any_paced[m] = true;
        r.latency[LATENCY_INTENDED][m] = r.latency[LATENCY_FROM_SEND][m] = l;
        r.latency_success[m] = l;
        r.tries[m] = (struct result_tries){{999999999, 999999999, 999999999, 999999999}, 999999999};
    }
    char *text = text_of(&r);
    size_t lines = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strlen(line) > 100) {
            print_message("%zu: %s\n", strlen(line), line);
        }
        assert_true(strlen(line) <= 100);
        lines++;
    }
    assert_true(lines > 60);
    free(text);
}

/* --- warm-ups --- */

/* Canaries outlast the warm-up: it counts from where the stage's own load begins. */
static void a_warm_up_begins_behind_the_canaries(void **state)
{
    (void)state;
    static struct truth_fixture f;
    struct result r;
    begin(&f, "run: [{name: peak, acquire: {rate: 100/s}, warmup: 1s}]\n"
              "judge: [leases.acquired == 100 in peak, max(acquire) < 10ms in peak,\n"
              "        leases.acquired == 200, acquired_per_s > 0/s over 1s]\n");
    truth_stage_begin(f.truth, 0, 0);
    for (uint32_t client = 0; client < 200; client++) {
        struct event e = truth_fixture_ack(&f, EVENT_ACQUIRE, client);
        double at_s = client < 50 ? 3 + 0.01 * client : 10.005 + 0.02 * (client - 50);
        bool is_early = client < 100;
        e.wait_us = is_early ? 50000 : 2500;
        if (client == 50) {
            truth_stage_load(f.truth, 0, 10000000); /* measured from 11 s */
        }
        truth_fixture_event(&f, e, at_s);
        uint64_t *counter = f.snapshot[client / 100].counter;
        counter[COUNTER_clients_bound]++;
        counter[COUNTER_clients_never_started]--;
    }
    truth_stage_end(f.truth, 0, 13000000, false);
    assert_true(truth_fixture_finish(&f, 20, &r));
    for (size_t i = 0; i < r.judgement_count; i++) {
        if (r.judgements[i].result != JUDGEMENT_PASS) {
            print_message("%s: %g, %s\n", r.judgements[i].expression, r.judgements[i].value,
                          r.judgements[i].note);
        }
        assert_int_equal(r.judgements[i].result, JUDGEMENT_PASS);
    }
    assert_int_equal(r.judgements[3].windows, 2);
    char *text = text_of(&r);
    assert_says(text, "0.0 - 13.0 s, measured 11.0 - 13.0 s");
    free(text);
    assert_json(&r, "r['run']['stages'][0]['measured_from_s'] == 11 and "
                    "r['run']['stages'][0]['measured_until_s'] == 13");
    result_free(&r);
    truth_fixture_fini(&f);
}

static void a_stage_that_ended_in_its_warm_up_measured_nothing(void **state)
{
    (void)state;
    static struct truth_fixture f;
    struct result r;
    begin(&f, "run: [{name: peak, acquire: {rate: 100/s}}, {name: keep, hold: 10m, warmup: 1m}]\n"
              "judge: [renewed_per_s >= 0/s in keep, leases.renewed >= 0 in keep over 10s]\n");
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000);
    truth_fixture_event(&f, truth_fixture_ack(&f, EVENT_RENEW, 3), 32);
    truth_stage_end(f.truth, 1, 40000000, false);
    assert_true(truth_fixture_finish(&f, 50, &r));
    assert_int_equal(r.judgements[0].result, JUDGEMENT_NOT_JUDGED);
    assert_int_equal(r.judgements[1].result, JUDGEMENT_NOT_JUDGED);
    assert_true(isnan(r.run.stages[1].measured_from_s));
    assert_int_equal(r.verdict.result, VERDICT_INVALID);
    char *text = text_of(&r);
    assert_says(text, "2.0 - 40.0 s, nothing of it measured");
    free(text);
    assert_json(&r, "r['run']['stages'][1]['measured_from_s'] is None");
    result_free(&r);
    truth_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stall_in_the_closed_model_shows_at_an_even_pace_and_not_from_the_send),
        cmocka_unit_test(clients_that_never_finished_raise_the_percentile_to_give_up),
        cmocka_unit_test(renewals_that_reach_t2_count_as_infinite_too),
        cmocka_unit_test(an_outage_that_is_excepted_does_not_count_and_another_does),
        cmocka_unit_test(the_page_has_a_hundred_columns),
        cmocka_unit_test(a_warm_up_begins_behind_the_canaries),
        cmocka_unit_test(a_stage_that_ended_in_its_warm_up_measured_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
