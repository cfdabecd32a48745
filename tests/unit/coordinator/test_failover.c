/* SPDX-License-Identifier: MIT */
/* A pair of servers of which one dies, through truth and into the reports. */
#include "tests/support/testing.h"

#include <math.h>
#include <unistd.h>

#include "coordinator/report/report.h"
#include "tests/support/truth_fixture.h"

enum { CLIENTS = 200 };

#define HEAD                                                                                       \
    "leaseherd: 1\n"                                                                               \
    "scenario: small\n"                                                                            \
    "servers:\n"                                                                                   \
    "  s1: {address: 192.168.1.12}\n"                                                              \
    "  s2: {address: 192.168.2.12}\n"                                                              \
    "network:\n"                                                                                   \
    "  block: 10.10.0.0/16\n"                                                                      \
    "  relays:\n"                                                                                  \
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 100}\n"                   \
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.128.0/17, clients: 100}\n"                 \
    "clients: {seed: 1, identity: fixed, profile: dhclient}\n"                                     \
    "limits: {packets: 20000/s, time: 60m}\n"                                                      \
    "judge: [leases.failed == 0]\n"

#define HEAD_600                                                                                   \
    HEAD "run:\n"                                                                                  \
         "  - {name: peak, acquire: {batch: 50}}\n"                                                \
         "  - {name: keep, hold: 15m}\n"

#define HEAD_STEADY                                                                                \
    HEAD "run:\n"                                                                                  \
         "  - {name: fill, acquire: {batch: 50}}\n"                                                \
         "  - {name: settle, hold: until-steady}\n"

static struct event lease(const struct truth_fixture *f, enum event_kind kind, uint32_t client,
                          uint32_t lease_s, size_t server)
{
    struct event e = truth_fixture_ack(f, kind, client);
    e.lease_s = lease_s;
    e.server = f->plan.servers[server].address;
    e.flags = kind == EVENT_ACQUIRE ? EVENT_FIRST_LEASE | EVENT_OFFER_SEEN : 0;
    return e;
}

static struct event unanswered_renew(const struct truth_fixture *f, uint32_t client, double took_s)
{
    struct event e = lease(f, EVENT_RENEW, client, 0, client % 2);
    e.result = EVENT_GAVE_UP;
    e.took_us = e.wait_us = (uint32_t)(took_s * 1e6);
    return e;
}

/* s2 dies at 200 s; its 100 clients ask from 300 s on and rebind at 525 s. */
static void play_death(struct truth_fixture *f, double answered_s, uint32_t lease_s)
{
    truth_stage_begin(f->truth, 0, 0);
    for (uint32_t c = 0; c < CLIENTS; c++) {
        truth_fixture_event(f, lease(f, EVENT_ACQUIRE, c, 600, c % 2), 0.01 * c + 0.002);
        f->snapshot[c / 100].counter[COUNTER_clients_bound]++;
        f->snapshot[c / 100].counter[COUNTER_clients_never_started]--;
    }
    truth_stage_end(f->truth, 0, 2000000, false);
    truth_stage_begin(f->truth, 1, 2000000);
    for (uint32_t c = 0; c < CLIENTS; c += 2) {
        truth_fixture_event(f, lease(f, EVENT_RENEW, c, 600, 0), 300 + 0.01 * c);
    }
    for (uint32_t c = 1; c < CLIENTS; c += 2) {
        truth_fixture_event(f, unanswered_renew(f, c, 225), 525 + 0.01 * c);
        if (answered_s < 600) {
            struct event e = lease(f, EVENT_REBIND, c, lease_s, 0);
            e.offer_us = (uint32_t)((answered_s - 300) * 1e6);
            truth_fixture_event(f, e, answered_s + 0.01 * c);
        }
    }
}

static void lose_lease(struct truth_fixture *f, uint32_t client, double at_s)
{
    struct event e = unanswered_renew(f, client, 75);
    e.kind = EVENT_REBIND;
    truth_fixture_event(f, e, at_s);
    e.kind = EVENT_EXPIRE;
    e.result = EVENT_ENDED;
    e.took_us = e.wait_us = EVENT_SPAN_NONE;
    e.tries = 0;
    e.xid = 0;
    truth_fixture_event(f, e, at_s);
    struct event again = lease(f, EVENT_ACQUIRE, client, 600, 0);
    again.flags = EVENT_OFFER_SEEN;
    truth_fixture_event(f, again, at_s + 10);
}

static void finish_death(struct truth_fixture *f, struct result *r)
{
    truth_stage_end(f->truth, 1, INT64_C(900000000), false);
    assert_true(truth_fixture_finish(f, 915, r));
}

static void a_taken_over_half_is_told_with_its_mclt_wave(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, HEAD_600 "expect: {lease: 600s, mclt: 60s, detection: 30s}\n");
    play_death(&f, 525.5, 60);
    finish_death(&f, &r);
    const struct result_outage_half *s1 = &r.outage.halves[0], *s2 = &r.outage.halves[1];
    assert_int_equal(r.outage.half_count, 2);
    assert_int_equal(s1->waited, 0);
    assert_int_equal(s2->waited, 100);
    assert_int_equal(s2->group.at_risk, 100);
    assert_int_equal(s2->answered_by[0], 100);
    assert_int_equal(s2->in_time, 100);
    assert_true(fabs(s2->first_answer_s - 225.5) < 1e-6);
    assert_true(isnan(s1->first_answer_s));
    assert_null(findings_get(&r, "failover-half-silent"));
    assert_non_null(findings_get(&r, "unanswered-renewals"));
    assert_non_null(findings_get(&r, "mclt-storm"));
    assert_null(findings_get(&r, "mclt-storm-missing"));
    assert_string_equal(findings_get(&r, "mclt-storm")->severity, "info");
    assert_int_equal(r.lease_times.wave_count, 1);
    assert_int_equal(r.lease_times.waves[0].acks, 100);
    assert_string_equal(r.lease_times.waves[0].server, "s1");
    assert_true(r.renewals.is_known);
    /* All clients began at T1; the MCLT leases fall due at 555 s and are not renewed here. */
    assert_true(fabs(r.renewals.begun_total - 200) < 1e-6);
    result_free(&r);
    truth_fixture_fini(&f);
}

static void a_take_over_without_a_wave_is_said_so(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, HEAD_600 "expect: {lease: 600s, mclt: 60s}\n");
    play_death(&f, 525.5, 600);
    finish_death(&f, &r);
    assert_non_null(findings_get(&r, "mclt-storm-missing"));
    assert_null(findings_get(&r, "mclt-storm"));
    result_free(&r);
    truth_fixture_fini(&f);
}

static void expiries_that_check_foretold_are_told_as_such(void **state)
{
    static const struct {
        const char *expect;
        bool is_predicted;
    } rows[] = {{"expect: {lease: 600s, detection: 90s}\n", true},
                {"expect: {lease: 600s, detection: 60s}\n", false},
                {"expect: {lease: 600s}\n", false}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct truth_fixture f;
        struct result r;
        char text[4096];
        (void)snprintf(text, sizeof(text), "%s%s", HEAD_600, rows[i].expect);
        truth_fixture_init(&f, text);
        play_death(&f, 9999, 600);
        for (uint32_t c = 1; c < CLIENTS; c += 2) {
            lose_lease(&f, c, 600 + 0.01 * c);
        }
        finish_death(&f, &r);
        const struct result_finding *found = findings_get(
            &r, rows[i].is_predicted ? "lease-shorter-than-detection" : "failover-half-silent");
        assert_non_null(found);
        assert_string_equal(found->severity, "warning");
        assert_non_null(strstr(found->summary, "100 clients with leases of server s2"));
        assert_true((strstr(found->summary, "as predicted by check") != NULL) ==
                    rows[i].is_predicted);
        const struct result_outage_half *s2 = &r.outage.halves[1];
        assert_int_equal(s2->group.expired, 100);
        assert_int_equal(s2->group.clients, 100);
        assert_int_equal(s2->in_time, 0);
        assert_int_equal(s2->unanswered, 0);
        assert_true(fabs(s2->first_answer_s - 310) < 1e-5);
        assert_true(fabs(r.outage.first_answer_s - 310) < 1e-5);
        result_free(&r);
        truth_fixture_fini(&f);
    }
}

/* A renewal that a load stage demanded and that stayed unanswered puts no lease at risk. */
static void renewals_on_demand_are_no_failover(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, HEAD_600 "expect: {lease: 600s}\n");
    play_death(&f, 525.5, 600);
    for (uint32_t c = 0; c < CLIENTS; c += 2) {
        struct event e = unanswered_renew(&f, c, 4);
        e.flags = EVENT_EARLY;
        truth_fixture_event(&f, e, 700);
    }
    finish_death(&f, &r);
    assert_int_equal(r.outage.at_risk, 100);
    assert_int_equal(r.outage.halves[0].waited, 0);
    assert_int_equal(r.renew_gave_up, 100);
    result_free(&r);
    truth_fixture_fini(&f);
}

static void marks_know_what_they_are(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    truth_fixture_init(&f, HEAD_600 "events: [{at: 60s, name: \"b off\"}]\n");
    play_death(&f, 525.5, 600);
    truth_scenario_event(f.truth, 0, 60000000);
    truth_mark(f.truth, 61000000, "pause");
    truth_agent_lost(f.truth, 1, 62000000);
    finish_death(&f, &r);
    assert_int_equal(r.timeline.mark_count, 3);
    assert_string_equal(result_mark_kind_name(r.timeline.marks[0].kind), "event");
    assert_string_equal(result_mark_kind_name(r.timeline.marks[1].kind), "run");
    assert_string_equal(result_mark_kind_name(r.timeline.marks[2].kind), "agent");
    result_free(&r);
    truth_fixture_fini(&f);
}

/* --- the reports --- */

static void assert_conforms(const struct result *r)
{
    char path[] = "/tmp/test_failover_XXXXXX", command[512];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    assert_non_null(out);
    assert_int_equal(report_write_json(r, out), 0);
    assert_int_equal(fclose(out), 0);
    (void)snprintf(command, sizeof(command),
                   "python3 " SOURCE_DIR "/tests/support/check_schema.py " SOURCE_DIR
                   "/deploy/report.schema.json %s 1>&2",
                   path);
    assert_int_equal(system(command), 0);
    (void)unlink(path);
}

/* Where lines break is none of these tests' business. */
static void squeeze(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        bool is_blank = *at == ' ' || *at == '\n';
        if (!is_blank || (to > text && to[-1] != ' ')) {
            *to++ = is_blank ? ' ' : *at;
        }
    }
    *to = '\0';
}

static void expect_text(const char *text, const char *wanted)
{
    if (strstr(text, wanted) == NULL) {
        fail_msg("not found: %s\nin:\n%s", wanted, text);
    }
}

static void the_reports_tell_halves_waves_and_renewals(void **state)
{
    (void)state;
    struct truth_fixture f;
    struct result r;
    char *text = NULL;
    size_t size;
    truth_fixture_init(&f, HEAD_600 "expect: {lease: 600s, mclt: 60s}\n"
                                    "events: [{at: 200s, name: \"b off\"}]\n");
    play_death(&f, 525.5, 60);
    truth_scenario_event(f.truth, 0, 200000000);
    lose_lease(&f, 1, 590);
    finish_death(&f, &r);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(report_write_text(&r, out), 0);
    assert_int_equal(fclose(out), 0);
    squeeze(text);
    expect_text(text, "Outage by server half");
    expect_text(text, " s2 100 0 0 0.0 ");
    expect_text(text, "s2: 100 renewals reached T2 without an answer");
    expect_text(text, "it took 225.5 s at the least");
    expect_text(text, "MCLT wave: 100 ACKs with 60 s instead of 600 s between 525.5 s and 527.5 s, "
                      "by s1");
    expect_text(text, "Renewals foretold by the ACKs");
    expect_text(text, "T1 of 600 s leases: 300 s (as renewals were seen)");
    expect_text(text, "T1 of 60 s leases: 30 s (half, assumed)");
    expect_text(text, "events");
    expect_text(text, " 200.0 s: event 1, b off");
    assert_conforms(&r);
    free(text);
    result_free(&r);
    truth_fixture_fini(&f);
}

/* The way of the figures from events to truth_is_steady(). */
static void a_hold_becomes_steady_in_its_third_t1(void **state)
{
    (void)state;
    struct truth_fixture f;
    char why[240];
    truth_fixture_init(&f, HEAD_STEADY "expect: {lease: 60s}\n");
    assert_false(truth_is_steady(f.truth, 1, 5000000, why, sizeof(why)));
    truth_stage_begin(f.truth, 0, 0);
    for (uint32_t c = 0; c < CLIENTS; c++) {
        truth_fixture_event(&f, lease(&f, EVENT_ACQUIRE, c, 60, c % 2), 0.1 * c + 0.002);
        f.snapshot[c / 100].counter[COUNTER_clients_bound]++;
    }
    truth_stage_end(f.truth, 0, 20000000, false);
    truth_stage_begin(f.truth, 1, 20000000);
    for (size_t i = 0; i < 2; i++) {
        f.snapshot[i].seq++;
        truth_snapshot(f.truth, i, &f.snapshot[i]);
    }
    double steady_at_s = 0;
    for (int tick = 200; tick < 1100 && steady_at_s <= 0; tick++) {
        double now_s = 0.1 * tick;
        uint32_t c = (uint32_t)(tick % 300);
        if (tick >= 300 && c < CLIENTS) {
            truth_fixture_event(&f, lease(&f, EVENT_RENEW, c, 60, c % 2), now_s + 0.002);
        }
        if (truth_is_steady(f.truth, 1, (int64_t)(now_s * 1e6), why, sizeof(why))) {
            steady_at_s = now_s;
        }
    }
    if (steady_at_s < 50 || steady_at_s > 95) {
        fail_msg("%f: %s", steady_at_s, why);
    }
    assert_non_null(strstr(why, "6.7 renewals/s"));
    truth_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_over_half_is_told_with_its_mclt_wave),
        cmocka_unit_test(a_take_over_without_a_wave_is_said_so),
        cmocka_unit_test(expiries_that_check_foretold_are_told_as_such),
        cmocka_unit_test(renewals_on_demand_are_no_failover),
        cmocka_unit_test(marks_know_what_they_are),
        cmocka_unit_test(the_reports_tell_halves_waves_and_renewals),
        cmocka_unit_test(a_hold_becomes_steady_in_its_third_t1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
