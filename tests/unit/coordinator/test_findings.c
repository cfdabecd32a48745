/* SPDX-License-Identifier: MIT */
/* What findings say, and when they keep quiet. */
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

/* --- findings --- */

static void naks_of_held_leases_are_the_servers_error(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    truth_stage_begin(f->truth, 1, 2000000);
    for (uint32_t client = 0; client < 20; client++) {
        struct event e = truth_fixture_ack(f, EVENT_RENEW, client);
        e.result = EVENT_NAK;
        e.lease_s = 0;
        truth_fixture_event(f, e, 32);
        truth_fixture_event(f,
                            (struct event){.client = client,
                                           .kind = EVENT_ACQUIRE,
                                           .result = EVENT_ACK,
                                           .addr = e.addr,
                                           .lease_s = 60,
                                           .tries = 2,
                                           .stage = 1},
                            34);
    }
    truth_stage_end(f->truth, 1, 100000000, false);
    expect(f, VERDICT_FAIL, "server-naks", "server-naks", &r);
    assert_int_equal(r.leases.nak, 20);
    assert_int_equal(r.leases.reacquired, 20);
    assert_int_equal(r.outage.clients, 20);
    assert_true(fabs(r.outage.client_seconds - 40) < 1e-6);
    result_free(&r);
}

static void starve(struct truth_fixture *f, uint32_t first, uint32_t last, double begin_s)
{
    for (uint32_t client = first; client < last; client++) {
        struct event e = truth_fixture_ack(f, EVENT_ACQUIRE, client);
        e.result = EVENT_GAVE_UP;
        e.flags = 0;
        e.addr = e.server = (struct ipv4){0};
        e.lease_s = 0;
        e.offer_us = EVENT_SPAN_NONE;
        e.tries = 4;
        e.took_us = 60000000;
        truth_fixture_event(f, e, begin_s + 60);
        uint64_t *counter = f->snapshot[client / 100].counter;
        counter[COUNTER_clients_never_started]--;
        counter[COUNTER_clients_failed]++;
    }
}

static void acquire(struct truth_fixture *f, uint32_t first, uint32_t last, double at_s)
{
    for (uint32_t client = first; client < last; client++) {
        truth_fixture_event(f, truth_fixture_ack(f, EVENT_ACQUIRE, client), at_s);
        uint64_t *counter = f->snapshot[client / 100].counter;
        counter[COUNTER_clients_bound]++;
        counter[COUNTER_clients_never_started]--;
    }
}

static void an_empty_pool_is_told_from_a_silent_server(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_stage_begin(f->truth, 0, 0);
    acquire(f, 0, 50, 0.5);
    starve(f, 50, 100, 0.6);
    truth_finding(f->truth, "server-silent", "error", "stopped answering", "", "");
    truth_outcome(f->truth, OUTCOME_FAILED, "server-silent: 100 exchanges in a row");
    expect(f, VERDICT_FAIL, "pool-exhausted", "pool-exhausted", &r);
    assert_null(findings_get(&r, "server-silent"));
    assert_false(has_reason(&r, "server-silent"));
    result_free(&r);
}

static void a_dead_server_is_not_called_an_empty_pool(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_stage_begin(f->truth, 0, 0);
    acquire(f, 0, 50, 0.5);
    starve(f, 50, 100, 0.6);
    struct event e = truth_fixture_ack(f, EVENT_ACQUIRE, 101);
    e.result = EVENT_GAVE_UP; /* a REQUEST without an answer */
    e.flags = EVENT_OFFER_SEEN;
    e.lease_s = 0;
    truth_fixture_event(f, e, 60);
    truth_finding(f->truth, "server-silent", "error", "stopped answering", "", "");
    truth_outcome(f->truth, OUTCOME_FAILED, "server-silent: 100 exchanges in a row");
    expect(f, VERDICT_FAIL, "server-silent", "server-silent", &r);
    assert_null(findings_get(&r, "pool-exhausted"));
    result_free(&r);
}

static void loss_in_the_first_burst_is_an_observation(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_stage_begin(f->truth, 0, 0);
    acquire(f, 0, 3, 0.2);
    for (uint32_t client = 3; client < 100; client++) {
        struct event e = truth_fixture_ack(f, EVENT_ACQUIRE, client);
        bool is_lost = client < 20;
        e.tries = is_lost ? 3 : 2;
        e.took_us = is_lost ? 4000000 : 2000;
        truth_fixture_event(f, e, is_lost ? 4.5 : 0.5);
        f->snapshot[0].counter[COUNTER_clients_bound]++;
        f->snapshot[0].counter[COUNTER_clients_never_started]--;
    }
    expect(f, VERDICT_PASS, "judgements are met", "first-burst-loss", &r);
    const struct result_finding *finding = findings_get(&r, "first-burst-loss");
    assert_string_equal(finding->severity, "info");
    assert_non_null(strstr(finding->evidence, "17 of 100"));
    result_free(&r);
}

static void a_lossy_server_is_not_called_an_empty_pool(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_stage_begin(f->truth, 0, 0);
    acquire(f, 0, 10, 0.5);
    acquire(f, 100, 150, 40); /* who came later was served */
    starve(f, 50, 60, 0.6);
    finish(f, 200, &r);
    assert_null(findings_get(&r, "pool-exhausted"));
    result_free(&r);
}

static void rewritten_source_ports_name_the_ceiling(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    f->snapshot[0].counter[COUNTER_wrong_source_port] = 77;
    expect(f, VERDICT_PASS, "judgements are met", "wrong-source-port", &r);
    const struct result_finding *finding = findings_get(&r, "wrong-source-port");
    assert_non_null(strstr(finding->summary, "511"));
    assert_string_equal(finding->side, "bed");
    result_free(&r);
}

static void a_bed_at_its_ceiling_makes_it_invalid(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    for (uint32_t client = 0; client < 200; client++) { /* 600 addresses in all */
        for (uint32_t k = 1; k < 3; k++) {
            struct event e = truth_fixture_ack(f, EVENT_ACQUIRE, client);
            e.flags = 0;
            e.addr = inet_from_host(inet_host(e.addr) + k * 1000);
            truth_fixture_event(f, e, 100);
        }
    }
    struct event e = truth_fixture_ack(f, EVENT_RENEW, 5);
    e.result = EVENT_GAVE_UP;
    truth_fixture_event(f, e, 110);
    f->snapshot[0].counter[COUNTER_wrong_source_port] = 77;
    expect(f, VERDICT_INVALID, "wrong-source-port", "wrong-source-port", &r);
    result_free(&r);
}

static void failed_sends_are_told_with_their_errno(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    f->snapshot[1].counter[COUNTER_send_errors] = 4711;
    f->snapshot[1].send_error_count = 1;
    f->snapshot[1].send_error[0] = (struct snapshot_send_error){
        .error = EPERM, .message = 2, .destination = inet_from_host(0xc0a8010c), .count = 4711};
    expect(f, VERDICT_PASS, "judgements are met", "send-errors", &r);
    const struct result_finding *finding = findings_get(&r, "send-errors");
    assert_non_null(strstr(finding->evidence, "EPERM for renew to 192.168.1.12 at agent a2"));
    result_free(&r);
}

static void a_lost_agent_takes_exactly_its_clients(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    f->snapshot[1].counter[COUNTER_events] += 5; /* never arrived */
    truth_agent_lost(f->truth, 1, 42000000);
    expect(f, VERDICT_PASS, "judgements are met", "agent-lost", &r);
    assert_int_equal(r.accounting.lost_with_agent, 100);
    assert_int_equal(r.accounting.bound, 100);
    assert_int_equal(r.accounting.missing, 0);
    assert_true(r.agents[1].is_lost);
    assert_int_equal(r.timeline.mark_count, 1);
    result_free(&r);
}

static void events_of_clients_the_plan_does_not_have_are_no_crash(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    struct event e = truth_fixture_ack(f, EVENT_INFORM, 3);
    e.client = 4000000;
    e.flags = 0;
    f->snapshot[1].counter[COUNTER_events]++;
    f->ledger_events++;
    truth_event(f->truth, 1, &e, 1, 1);
    e.client = 3;
    e.stage = 17;
    f->snapshot[1].counter[COUNTER_events]++;
    f->ledger_events++;
    truth_event(f->truth, 1, &e, 1, 1);
    expect(f, VERDICT_INVALID, "strange-events", "strange-events", &r);
    result_free(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(naks_of_held_leases_are_the_servers_error),
        TEST(an_empty_pool_is_told_from_a_silent_server),
        TEST(a_dead_server_is_not_called_an_empty_pool),
        TEST(a_lossy_server_is_not_called_an_empty_pool),
        TEST(loss_in_the_first_burst_is_an_observation),
        TEST(rewritten_source_ports_name_the_ceiling),
        TEST(a_bed_at_its_ceiling_makes_it_invalid),
        TEST(failed_sends_are_told_with_their_errno),
        TEST(a_lost_agent_takes_exactly_its_clients),
        TEST(events_of_clients_the_plan_does_not_have_are_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
