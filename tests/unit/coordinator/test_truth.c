/* SPDX-License-Identifier: MIT */
/* Small runs from the first event to report.json: verdicts, findings, figures, schema. */
#include "tests/support/testing.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attrs.h"
#include "coordinator/report/report.h"
#include "coordinator/truth/findings.h"
#include "tests/support/truth_fixture.h"

static const char judged[] = TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN "judge:\n"
                                                                  "  - leases.failed == 0\n"
                                                                  "  - addresses.duplicate == 0\n";

static int set_up(void **state)
{
    struct truth_fixture *f = malloc(sizeof(*f));
    assert_non_null(f);
    truth_fixture_init(f, judged);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    truth_fixture_fini(*state);
    free(*state);
    return 0;
}

static void hold(struct truth_fixture *f, int64_t begin_s, int64_t end_s)
{
    truth_stage_begin(f->truth, 1, begin_s * 1000000);
    truth_stage_end(f->truth, 1, end_s * 1000000, false);
}

/* --- what is wrong is said --- */

static void a_missed_judgement_is_a_fail(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    struct event e = truth_fixture_ack(f, EVENT_ACQUIRE, 5);
    e.result = EVENT_GAVE_UP;
    e.flags = EVENT_DEADLINE | EVENT_OFFER_SEEN;
    e.lease_s = 0;
    truth_fixture_event(f, e, 60);
    expect(f, VERDICT_FAIL, "miss: leases.failed == 0: it was 1", NULL, &r);
    assert_int_equal(verdict_exit_code(r.verdict.result), 1);
    assert_int_equal(r.leases.failed, 1);
    result_free(&r);
}

static void an_address_at_two_clients_is_a_fail(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    struct event e = truth_fixture_ack(f, EVENT_RENEW, 150);
    e.addr = truth_fixture_ack(f, EVENT_RENEW, 20).addr;
    truth_fixture_event(f, e, 30);
    expect(f, VERDICT_FAIL, "leased to two clients", "duplicate-addresses", &r);
    assert_int_equal(r.addresses.duplicate, 1);
    assert_true(has_reason(&r, "miss: addresses.duplicate == 0"));
    result_free(&r);
}

static void books_that_do_not_add_up_make_it_invalid(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    f->snapshot[0].counter[COUNTER_events]++;
    expect(f, VERDICT_INVALID, "accounting does not add up (events)", NULL, &r);
    assert_int_equal(r.accounting.missing, 1);
    result_free(&r);
}

static void the_testers_own_limits_make_it_invalid(void **state)
{
    (void)state;
    static const struct {
        enum snapshot_counter counter;
        const char *reason, *finding;
    } rows[] = {
        {COUNTER_rx_drops, "own sockets dropped 1", "own-drops"},
        {COUNTER_expired_in_pause, "not allowed to send", "expired-in-pause"},
        {COUNTER_results_coalesced, "given up because they came faster", "results-folded"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct truth_fixture f;
        struct result r;
        truth_fixture_init(&f, judged);
        truth_fixture_acquire_all(&f);
        f.snapshot[1].counter[rows[i].counter] = 1;
        expect(&f, VERDICT_INVALID, rows[i].reason, rows[i].finding, &r);
        result_free(&r);
        truth_fixture_fini(&f);
    }
}

static void send_lag(struct truth_fixture *f, uint64_t lag_ns, uint8_t stage)
{
    static struct histogram h;
    h = (struct histogram){0};
    for (int i = 0; i < 1000; i++) {
        histogram_record(&h, lag_ns);
    }
    struct control_histogram c = {
        .snapshot_seq = 1,
        .key = {LATENCY_SEND_LAG, LATENCY_INTENDED, SNAPSHOT_NO_SERVER, stage},
        .histogram = &h};
    truth_histogram(f->truth, 0, &c);
}

static void sending_too_late_makes_it_invalid_by_what_is_judged(void **state)
{
    (void)state;
    static const struct {
        const char *judge;
        uint64_t lag_ms;
        bool is_invalid;
    } rows[] = {
        {"judge: [leases.failed == 0]\n", 90, false},
        {"judge: [leases.failed == 0]\n", 110, true}, /* 100 ms where no latency is judged */
        {"judge: [mean(acquire) < 500ms in peak]\n", 45, false},
        {"judge: [mean(acquire) < 500ms in peak]\n", 60, true},
        {"judge: [mean(acquire) < 500ms in peak, max(renew) < 50ms in keep]\n", 45, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[2048];
        struct truth_fixture f;
        struct result r;
        (void)snprintf(text, sizeof(text), "%s%s", TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN,
                       rows[i].judge);
        truth_fixture_init(&f, text);
        truth_fixture_acquire_all(&f);
        send_lag(&f, rows[i].lag_ms * NS_PER_MS, 0);
        finish(&f, 200, &r);
        assert_int_equal(findings_get(&r, "send-lag") != NULL, rows[i].is_invalid);
        result_free(&r);
        truth_fixture_fini(&f);
    }
}

static void a_rate_that_was_not_sent_makes_it_invalid(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD "run: [{name: open, acquire: {rate: 100/s}}]\n"
                                              "judge: [leases.failed == 0]\n");
    truth_fixture_acquire_all(&f);
    f.snapshot[0].counter[COUNTER_planned_starts] = 100;
    f.snapshot[0].counter[COUNTER_actual_starts] = 98;
    expect(&f, VERDICT_INVALID, "the planned rate was not sent", "rate-missed", &r);
    assert_false(r.rates.is_closed_model);
    result_free(&r);
    truth_fixture_fini(&f);
}

static void a_percentile_with_too_few_samples_makes_it_invalid(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN
                       "judge: [p99(renew) < 500ms in keep, leases.failed == 0]\n");
    truth_fixture_acquire_all(&f);
    expect(&f, VERDICT_INVALID, "not judged: p99(renew)", NULL, &r);
    result_free(&r);
    truth_fixture_fini(&f);
}

static void what_could_not_be_judged_does_not_hide_a_failure(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN
                       "judge: [p99(renew) < 500ms in keep]\n");
    truth_fixture_acquire_all(&f);
    truth_finding(f.truth, "server-silent", "error", "the servers have stopped answering", "", "");
    truth_outcome(f.truth, OUTCOME_FAILED, "server-silent: 100 exchanges in a row");
    expect(&f, VERDICT_FAIL, "server-silent", "server-silent", &r);
    result_free(&r);
    truth_fixture_fini(&f);
}

static void outcomes_of_the_run_outrank_what_was_measured(void **state)
{
    (void)state;
    static const struct {
        enum run_outcome outcome;
        enum verdict verdict;
        int exit_code;
    } rows[] = {
        {OUTCOME_INVALID, VERDICT_INVALID, 3},
        {OUTCOME_PREFLIGHT, VERDICT_PREFLIGHT, 5},
        {OUTCOME_ABORTED, VERDICT_ABORTED, 4},
        {OUTCOME_INTERNAL, VERDICT_INTERNAL, 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct truth_fixture f;
        struct result r;
        truth_fixture_init(&f, judged);
        truth_fixture_acquire_all(&f);
        f.snapshot[0].counter[COUNTER_rx_drops] = 1;
        truth_outcome(f.truth, OUTCOME_FAILED, "something less");
        truth_outcome(f.truth, rows[i].outcome, "the cause");
        truth_outcome(f.truth, OUTCOME_COMPLETED, "");
        expect(&f, rows[i].verdict, "the cause", NULL, &r);
        assert_int_equal(verdict_exit_code(r.verdict.result), rows[i].exit_code);
        assert_string_equal(r.verdict.reasons[0], "something less");
        result_free(&r);
        truth_fixture_fini(&f);
    }
}

/* --- what is right comes out right --- */

static void a_warm_up_is_drawn_but_not_judged(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD
                       "run:\n"
                       "  - {name: peak, acquire: {batch: 50}}\n"
                       "  - {name: keep, hold: 10m, warmup: 1m}\n"
                       "judge: [max(renew) < 100ms in keep, leases.renewed == 100 in keep]\n");
    truth_fixture_acquire_all(&f);
    truth_stage_begin(f.truth, 1, 2000000);
    for (uint32_t client = 0; client < 100; client++) {
        struct event slow = truth_fixture_ack(&f, EVENT_RENEW, client);
        slow.wait_us = 3000000;
        truth_fixture_event(&f, slow, 32);
        truth_fixture_event(&f, truth_fixture_ack(&f, EVENT_RENEW, client), 63);
    }
    truth_stage_end(f.truth, 1, 100000000, false);
    expect(&f, VERDICT_PASS, "all 2 judgements are met", NULL, &r);
    assert_int_equal(r.leases.renewed, 200);
    assert_int_equal(r.latency[LATENCY_INTENDED][LATENCY_RENEW].count, 100);
    assert_int_equal(r.latency[LATENCY_INTENDED][LATENCY_RENEW].max_us, 2500);
    result_free(&r);
    truth_fixture_fini(&f);
}

static void a_failover_is_told_as_one(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    truth_stage_begin(f->truth, 1, 2000000);
    for (uint32_t client = 0; client < 200; client++) {
        struct event e = truth_fixture_ack(f, EVENT_RENEW, client);
        if (client % 2 == 0) {
            truth_fixture_event(f, e, 31);
            continue;
        }
        e.result = EVENT_GAVE_UP; /* s2 is dead */
        e.lease_s = 0;
        truth_fixture_event(f, e, 53);
        e = truth_fixture_ack(f, EVENT_REBIND, client);
        e.server = f->plan.servers[0].address;
        e.offer_us = 23000000 + client * 1000;
        truth_fixture_event(f, e, 53.1);
    }
    truth_stage_end(f->truth, 1, 60000000, false);
    expect(f, VERDICT_PASS, "judgements are met", NULL, &r);
    assert_int_equal(r.leases.rebound, 100);
    assert_int_equal(r.outage.at_risk, 100);
    assert_int_equal(r.outage.clients, 0);
    assert_true(fabs(r.outage.client_seconds) < 1e-9);
    assert_true(fabs(r.outage.first_answer_s - 23.001) < 1e-6);
    assert_true(r.servers[0].share_percent > 74 && r.servers[0].share_percent < 76);
    assert_null(findings_get(&r, "no-return-path"));
    result_free(&r);
}

/* All renewals are asked of s1 in vain, and all rebinds are answered: by whom tells why. */
static void rebind_all(struct truth_fixture *f, size_t by_server, struct result *r)
{
    truth_fixture_acquire_all(f);
    truth_stage_begin(f->truth, 1, 2000000);
    for (uint32_t client = 0; client < 200; client++) {
        struct event e = truth_fixture_ack(f, EVENT_RENEW, client);
        double t2_s = 53 + 0.01 * client;
        e.server = f->plan.servers[0].address;
        e.result = EVENT_GAVE_UP;
        e.lease_s = 0;
        e.took_us = 22000000;
        truth_fixture_event(f, e, t2_s);
        e = truth_fixture_ack(f, EVENT_REBIND, client);
        e.server = f->plan.servers[by_server].address;
        e.offer_us = 22000000;
        truth_fixture_event(f, e, t2_s + 0.1);
    }
    truth_stage_end(f->truth, 1, 60000000, false);
    assert_true(truth_fixture_finish(f, 70, r));
}

static void a_server_that_answers_rebinds_only_lacks_a_path_for_renewals(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    rebind_all(f, 0, &r);
    assert_non_null(findings_get(&r, "no-return-path"));
    assert_int_equal(r.verdict.result, VERDICT_INVALID);
    result_free(&r);
}

/* Hot standby: every client was the primary's. */
static void a_pair_whose_primary_died_lacks_no_path(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    rebind_all(f, 1, &r);
    assert_null(findings_get(&r, "no-return-path"));
    assert_non_null(findings_get(&r, "unanswered-renewals"));
    assert_int_equal(r.verdict.result, VERDICT_PASS);
    result_free(&r);
}

static void an_open_models_rates_are_those_of_its_schedule(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, TRUTH_FIXTURE_HEAD "run: [{name: open, acquire: {rate: 100/s}}]\n"
                                              "judge: [leases.failed == 0]\n");
    truth_stage_begin(f.truth, 0, 0);
    for (uint32_t client = 0; client < 200; client++) {
        double begin_s = client < 33 ? 0.1 : 1.3 + 0.01 * (client - 33);
        truth_fixture_event(&f, truth_fixture_ack(&f, EVENT_ACQUIRE, client), begin_s + 0.002);
        uint64_t *counter = f.snapshot[client / 100].counter;
        counter[COUNTER_clients_bound]++;
        counter[COUNTER_clients_never_started]--;
        counter[COUNTER_planned_starts]++;
        counter[COUNTER_actual_starts]++;
    }
    truth_stage_end(f.truth, 0, 5000000, false);
    expect(&f, VERDICT_PASS, "judgements are met", NULL, &r);
    assert_true(fabs(r.rates.planned_per_s - 100) < 1e-9);
    assert_true(fabs(r.rates.sent_per_s - 100) < 1);
    result_free(&r);
    truth_fixture_fini(&f);
}

static double total_of(const struct result *r, const char *name)
{
    double sum = 0;
    for (size_t i = 0; i < r->timeline.series_count; i++) {
        const struct result_series *s = &r->timeline.series[i];
        for (size_t k = 0; k < r->timeline.count && strcmp(s->name, name) == 0; k++) {
            sum += s->values[k] * r->timeline.interval_s;
        }
    }
    return sum;
}

static void packets_of_preflight_are_not_drawn_at_the_start(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    for (size_t i = 0; i < 2; i++) {
        f->snapshot[i].counter[COUNTER_sent_discover] = 107;
        f->snapshot[i].counter[COUNTER_received_offer] = 57;
        f->snapshot[i].counter[COUNTER_fate_answer] = 57;
        f->snapshot[i].counter[COUNTER_preflight_sent] = 7;
        f->snapshot[i].counter[COUNTER_preflight_received] = 7;
    }
    finish(f, 2, &r);
    assert_true(fabs(total_of(&r, "sent") - 200) < 1e-6);
    assert_true(fabs(total_of(&r, "received") - 100) < 1e-6);
    result_free(&r);
}

static void a_lost_agents_clients_are_bound_no_more(void **state)
{
    struct truth_fixture *f = *state;
    struct truth_now now;
    f->snapshot[0].counter[COUNTER_clients_bound] = 70;
    f->snapshot[1].counter[COUNTER_clients_bound] = 30;
    for (size_t i = 0; i < 2; i++) {
        f->snapshot[i].seq = 1;
        truth_snapshot(f->truth, i, &f->snapshot[i]);
    }
    truth_now(f->truth, 1000000, &now);
    assert_int_equal(now.bound, 100);
    truth_agent_lost(f->truth, 0, 1000000);
    f->snapshot[0].seq = 2; /* its last words */
    truth_snapshot(f->truth, 0, &f->snapshot[0]);
    truth_now(f->truth, 1000000, &now);
    assert_int_equal(now.bound, 30);
}

static void live_percentiles_are_named_and_need_samples(void **state)
{
    static const struct {
        int samples;
        bool has_p50, has_p99;
    } rows[] = {{19, false, false}, {20, true, false}, {1000, true, true}};
    struct truth_fixture *f = *state;
    truth_stage_begin(f->truth, 1, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct histogram h;
        struct truth_now now;
        h = (struct histogram){0};
        for (int k = 0; k < rows[i].samples; k++) {
            histogram_record(&h, 5 * NS_PER_MS);
        }
        struct control_histogram c = {
            .snapshot_seq = i + 1,
            .key = {LATENCY_RENEW, LATENCY_INTENDED, SNAPSHOT_NO_SERVER, 1},
            .histogram = &h};
        truth_histogram(f->truth, 0, &c);
        truth_now(f->truth, 1000000, &now);
        assert_int_equal(now.latency != NULL, rows[i].has_p50);
        assert_true(now.latency == NULL || strcmp(now.latency, "renew") == 0);
        assert_true(!rows[i].has_p50 || (now.p99_us != UINT64_MAX) == rows[i].has_p99);
    }
}

static void live_figures_follow_the_run(void **state)
{
    struct truth_fixture *f = *state;
    struct truth_now now;
    truth_fixture_acquire_all(f);
    truth_now(f->truth, 2500000, &now);
    assert_int_equal(now.acquired, 200);
    assert_int_equal(now.events, 200);
    assert_true(now.acquired_per_s > 39 && now.acquired_per_s < 41);
    assert_int_equal(now.bound, 0); /* no snapshot yet */
    f->snapshot[0].seq = 1;
    truth_snapshot(f->truth, 0, &f->snapshot[0]);
    truth_now(f->truth, 9500000, &now);
    assert_int_equal(now.bound, 100);
    assert_true(now.acquired_per_s < 1e-9);
}

static void write_json(const struct result *r, char path[64])
{
    (void)snprintf(path, 64, "/tmp/test_truth_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    assert_non_null(out);
    assert_int_equal(report_write_json(r, out), 0);
    assert_int_equal(fclose(out), 0);
}

static void assert_conforms(const struct result *r)
{
    char path[64], command[512];
    write_json(r, path);
    (void)snprintf(command, sizeof(command),
                   "python3 " SOURCE_DIR "/tests/support/check_schema.py " SOURCE_DIR
                   "/deploy/report.schema.json %s 1>&2",
                   path);
    assert_int_equal(system(command), 0);
    (void)unlink(path);
}

static void the_checker_refuses_what_does_not_conform(void **state)
{
    (void)state;
    char path[] = "/tmp/test_truth_XXXXXX", command[512];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char wrong[] = "{\"schema\": \"leaseherd.report/2\", \"run\": {}}";
    assert_int_equal(write(fd, wrong, sizeof(wrong) - 1), sizeof(wrong) - 1);
    assert_int_equal(close(fd), 0);
    (void)snprintf(command, sizeof(command),
                   "python3 " SOURCE_DIR "/tests/support/check_schema.py " SOURCE_DIR
                   "/deploy/report.schema.json %s >/dev/null",
                   path);
    assert_int_not_equal(system(command), 0);
    (void)unlink(path);
}

static void a_good_run_passes_and_its_report_conforms(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    const struct control_preflight_relay preflight = {
        .relay = 0,
        .clients = 3,
        .offered = 3,
        .bound = 3,
        .path_count = 1,
        .path = {{.path = PLAN_PATH_EGRESS, .renew_sent = 3, .renew_acked = 3}}};
    truth_preflight(f->truth, 0, &preflight);
    struct event probe = truth_fixture_ack(f, EVENT_ACQUIRE, 0);
    probe.flags |= EVENT_PREFLIGHT;
    probe.stage = SNAPSHOT_STAGE_PREFLIGHT;
    probe.addr = inet_from_host(0x0a0a7777); /* which no client of the run gets */
    truth_fixture_event(f, probe, -3);
    probe.kind = EVENT_RELEASE;
    probe.result = EVENT_SENT;
    probe.flags = EVENT_PREFLIGHT;
    truth_fixture_event(f, probe, -2);
    const struct truth_clock clock = {-12345, 250, 200.5, 0};
    truth_agent_clock(f->truth, 0, &clock);
    truth_fixture_acquire_all(f);
    hold(f, 2, 100);
    finish(f, 200, &r);
    assert_int_equal(r.verdict.result, VERDICT_PASS);
    assert_int_equal(r.leases.acquired, 200);
    assert_int_equal(r.addresses.distinct, 200);
    assert_int_equal(r.addresses.duplicate, 0);
    assert_int_equal(r.accounting.agent_events, 202);
    assert_int_equal(r.accounting.ledger_events, 202);
    assert_int_equal(r.accounting.bound, 200);
    assert_int_equal(r.preflight.events, 2);
    assert_true(fabs(r.rates.acquired_per_s_mean - 100) < 1);
    assert_true(isnan(r.rates.planned_per_s));
    assert_string_equal(r.relays[1].agent, "a2");
    assert_int_equal(r.relays[1].acquired, 100);
    assert_conforms(&r);
    result_free(&r);
}

static void a_run_refused_in_preflight_conforms_too(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_finding(f->truth, "server-silent", "error", "no server answered", "3 of 3 clients", "");
    truth_outcome(f->truth, OUTCOME_PREFLIGHT, "server-silent: nobody answered");
    const struct truth_closing closing = {0};
    assert_true(truth_finish(f->truth, &closing, &r));
    assert_int_equal(r.verdict.result, VERDICT_PREFLIGHT);
    assert_false(r.accounting.is_known);
    assert_int_equal(r.judgements[0].result, JUDGEMENT_NOT_JUDGED);
    assert_true(r.messages.sent_discover == RESULT_UNKNOWN);
    assert_conforms(&r);
    result_free(&r);
}

static void a_disk_that_is_full_is_told(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    finish(f, 200, &r);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(report_write_json(&r, full), -ENOSPC);
    (void)fclose(full);
    full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(report_write_text(&r, full), -ENOSPC);
    (void)fclose(full);
    result_free(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_missed_judgement_is_a_fail),
        TEST(an_address_at_two_clients_is_a_fail),
        TEST(books_that_do_not_add_up_make_it_invalid),
        TEST(the_testers_own_limits_make_it_invalid),
        TEST(sending_too_late_makes_it_invalid_by_what_is_judged),
        TEST(a_rate_that_was_not_sent_makes_it_invalid),
        TEST(a_percentile_with_too_few_samples_makes_it_invalid),
        TEST(what_could_not_be_judged_does_not_hide_a_failure),
        TEST(outcomes_of_the_run_outrank_what_was_measured),
        TEST(the_checker_refuses_what_does_not_conform),
        TEST(a_run_refused_in_preflight_conforms_too),
        TEST(a_disk_that_is_full_is_told),
        TEST(a_warm_up_is_drawn_but_not_judged),
        TEST(a_failover_is_told_as_one),
        TEST(a_server_that_answers_rebinds_only_lacks_a_path_for_renewals),
        TEST(a_pair_whose_primary_died_lacks_no_path),
        TEST(an_open_models_rates_are_those_of_its_schedule),
        TEST(packets_of_preflight_are_not_drawn_at_the_start),
        TEST(a_lost_agents_clients_are_bound_no_more),
        TEST(live_percentiles_are_named_and_need_samples),
        TEST(live_figures_follow_the_run),
        TEST(a_good_run_passes_and_its_report_conforms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
