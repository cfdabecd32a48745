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
#include "coordinator/truth/facts.h"
#include "coordinator/truth/findings.h"
#include "proto/dhcp4.h"
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

static void acquire_one(struct truth_fixture *f, uint32_t client, double begin_s, bool is_repeated)
{
    struct event e = truth_fixture_ack(f, EVENT_ACQUIRE, client);
    e.tries = is_repeated ? 3 : 2;
    e.took_us = is_repeated ? 4000000 : 2000;
    truth_fixture_event(f, e, begin_s + e.took_us / 1e6);
    f->snapshot[client / 100].counter[COUNTER_clients_bound]++;
    f->snapshot[client / 100].counter[COUNTER_clients_never_started]--;
}

/* Canaries of 3 and 30, the rest 1.3 s later; `until_lost` of its first have to repeat. */
static void ramp(struct truth_fixture *f, uint32_t until_lost)
{
    truth_stage_begin(f->truth, 0, 0);
    for (uint32_t client = 0; client < 200; client++) {
        bool is_canary = client < 33;
        double begin_s = client < 3 ? 0.01 : is_canary ? 0.4 : 1.3 + 0.02 * (client - 33);
        acquire_one(f, client, begin_s, !is_canary && client < 33 + until_lost);
    }
}

static void loss_in_the_first_burst_after_the_canaries_is_an_observation(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    ramp(f, 17);
    expect(f, VERDICT_PASS, "judgements are met", "first-burst-loss", &r);
    const struct result_finding *finding = findings_get(&r, "first-burst-loss");
    assert_string_equal(finding->severity, "info");
    assert_string_equal(finding->side, "server");
    assert_non_null(strstr(finding->summary, "17 clients"));
    assert_non_null(strstr(finding->evidence, "17 of the 10")); /* 100 or 101 in two seconds */
    assert_non_null(strstr(finding->evidence, "from 1.3 s on"));
    assert_non_null(strstr(finding->remedy, "rmem_default"));
    assert_non_null(strstr(finding->remedy, "packet-queue-size"));
    result_free(&r);
}

static void a_burst_without_loss_is_no_finding(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    ramp(f, 0);
    finish(f, 200, &r);
    assert_null(findings_get(&r, "first-burst-loss"));
    result_free(&r);
}

static void loss_at_a_canary_is_not_the_bursts(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_stage_begin(f->truth, 0, 0);
    for (uint32_t client = 0; client < 200; client++) {
        acquire_one(f, client, client < 33 ? 0.1 : 9, client < 3);
    }
    finish(f, 200, &r);
    assert_null(findings_get(&r, "first-burst-loss"));
    result_free(&r);
}

/* --- renewals --- */

static void give_up_renewal(struct truth_fixture *f, uint32_t client, double at_s)
{
    struct event e = truth_fixture_ack(f, EVENT_RENEW, client);
    e.result = EVENT_GAVE_UP;
    e.lease_s = 0;
    truth_fixture_event(f, e, at_s);
    e = truth_fixture_ack(f, EVENT_REBIND, client);
    e.server = f->plan.servers[0].address;
    truth_fixture_event(f, e, at_s + 0.1);
}

static void renewals_that_reached_t2_are_named_with_their_server(void **state)
{
    static const struct {
        uint32_t lost, renewed;
        const char *severity;
    } rows[] = {{3, 197, "info"}, {50, 150, "warning"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct truth_fixture f;
        struct result r;
        truth_fixture_init(&f, judged);
        truth_fixture_acquire_all(&f);
        truth_stage_begin(f.truth, 1, 2000000);
        for (uint32_t client = 0; client < rows[i].renewed; client++) {
            truth_fixture_event(&f, truth_fixture_ack(&f, EVENT_RENEW, client), 31);
        }
        for (uint32_t k = 0; k < rows[i].lost; k++) {
            give_up_renewal(&f, 2 * k + 1, 53); /* odd clients: s2 */
        }
        truth_stage_end(f.truth, 1, 60000000, false);
        expect(&f, VERDICT_PASS, "judgements are met", "unanswered-renewals", &r);
        const struct result_finding *finding = findings_get(&r, "unanswered-renewals");
        char count[32];
        (void)snprintf(count, sizeof(count), "asked: s2 %u (", (unsigned)rows[i].lost);
        assert_string_equal(finding->severity, rows[i].severity);
        assert_non_null(strstr(finding->evidence, count));
        assert_null(strstr(finding->evidence, "s1 "));
        assert_int_equal(r.renew_gave_up, rows[i].lost);
        result_free(&r);
        truth_fixture_fini(&f);
    }
}

static void snapshot_at(struct truth_fixture *f, double run_s, uint64_t open_a1, uint64_t open_a2)
{
    for (size_t i = 0; i < 2; i++) {
        f->snapshot[i].seq++;
        f->snapshot[i].at_ns = truth_fixture_t_us(i, (int64_t)(run_s * 1e6)) * 1000;
        f->snapshot[i].counter[COUNTER_exchanges_open] = i == 0 ? open_a1 : open_a2;
        truth_snapshot(f->truth, i, &f->snapshot[i]);
    }
}

static void what_was_open_at_the_end_is_named_with_its_server(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    truth_stage_begin(f->truth, 1, 2000000);
    for (uint32_t client = 0; client < 200; client += 2) {
        truth_fixture_event(f, truth_fixture_ack(f, EVENT_RENEW, client), 32); /* s1 lives */
    }
    truth_stage_end(f->truth, 1, 40000000, false);
    snapshot_at(f, 41.5, 50, 51);
    snapshot_at(f, 48.5, 50, 50);
    for (uint32_t client = 0; client < 200; client++) { /* the clean-up */
        struct event e = truth_fixture_ack(f, EVENT_RELEASE, client);
        e.result = EVENT_SENT;
        e.lease_s = 0;
        truth_fixture_event(f, e, 51);
    }
    snapshot_at(f, 51.5, 0, 0);
    expect(f, VERDICT_PASS, "judgements are met", "unanswered-at-end", &r);
    const struct result_finding *finding = findings_get(&r, "unanswered-at-end");
    assert_string_equal(finding->severity, "warning");
    assert_non_null(strstr(finding->summary, "100 exchanges"));
    assert_non_null(strstr(finding->summary, "longest without renewal: s2 100"));
    assert_int_equal(r.unanswered_at_end, 100);
    result_free(&r);
}

static void what_is_answered_in_the_drain_is_no_finding(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    truth_stage_begin(f->truth, 1, 2000000);
    truth_stage_end(f->truth, 1, 40000000, false);
    snapshot_at(f, 40.5, 50, 50);
    snapshot_at(f, 41.5, 0, 0);
    finish(f, 60, &r);
    assert_null(findings_get(&r, "unanswered-at-end"));
    assert_int_equal(r.unanswered_at_end, 0);
    result_free(&r);
}

static void what_a_hard_stop_cut_off_is_not_called_unanswered(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    truth_stage_begin(f->truth, 1, 2000000);
    truth_stage_end(f->truth, 1, 40000000, false);
    f->snapshot[0].counter[COUNTER_exchanges_open] = 50;
    finish(f, 40.2, &r);
    assert_null(findings_get(&r, "unanswered-at-end"));
    result_free(&r);
}

/* --- lease times --- */

static void lease_times_are_named_and_a_second_is_nothing(void **state)
{
    static const struct {
        uint32_t lease_s, acks;
        bool is_off;
        const char *evidence;
    } rows[] = {{59, 12, false, NULL},
                {61, 12, false, NULL},
                {48, 12, true, "48 s at 12 ACKs; expected 60 s"},
                {3600, 1, true, "3600 s at 1 ACKs"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct truth_fixture f;
        struct result r;
        truth_fixture_init(&f, judged);
        truth_fixture_acquire_all(&f);
        for (uint32_t client = 0; client < rows[i].acks; client++) {
            struct event e = truth_fixture_ack(&f, EVENT_RENEW, client);
            e.lease_s = rows[i].lease_s;
            e.flags |= EVENT_SHORT_LEASE;
            truth_fixture_event(&f, e, 31);
        }
        finish(&f, 200, &r);
        const struct result_finding *finding = findings_get(&r, "lease-time");
        assert_int_equal(finding != NULL, rows[i].is_off);
        assert_true(finding == NULL || strstr(finding->evidence, rows[i].evidence) != NULL);
        result_free(&r);
        truth_fixture_fini(&f);
    }
}

static void a_missing_client_path_is_the_beds(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_finding(f->truth, "no-client-path", "error", "renewals are not answered", "", "");
    truth_outcome(f->truth, OUTCOME_PREFLIGHT, "renewals are not answered");
    expect(f, VERDICT_PREFLIGHT, "renewals are not answered", "no-client-path", &r);
    assert_string_equal(findings_get(&r, "no-client-path")->side, "bed");
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
    expect(f, VERDICT_PASS, "judgements are met", "nat-rewrites-source-port", &r);
    const struct result_finding *finding = findings_get(&r, "nat-rewrites-source-port");
    assert_non_null(strstr(finding->summary, "511"));
    assert_non_null(strstr(finding->evidence, "77 packets"));
    assert_string_equal(finding->side, "bed");
    assert_string_equal(finding->severity, "warning");
    result_free(&r);
}

/* Everything a finding is made of is in the result, to be contested. */
static void a_result_tells_what_its_findings_are_made_of(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    finish(f, 200, &r);
    assert_int_equal(r.facts->server_count, 2);
    assert_string_equal(r.facts->server[1].name, "s2");
    assert_true(facts_get(r.facts, FACT_acquired, 0).value > 199.5);
    assert_int_equal(facts_get(r.facts, FACT_acks, 0).state, FACT_KNOWN);
    assert_int_equal(facts_get(r.facts, FACT_ip_out_discards, 1).state, FACT_NO_OBSERVER);
    bool is_told = false;
    for (size_t i = 0; i < r.not_evaluated_count; i++) {
        const struct result_not_evaluated *n = &r.not_evaluated[i];
        is_told |= strcmp(n->id, "fsync-bound") == 0 && strcmp(n->form, "observer") == 0 &&
                   strcmp(n->why, "no_observer") == 0 &&
                   strcmp(n->detail, "fsync_busiest of server s1") == 0;
    }
    assert_true(is_told);
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

static void failed_sends_of_a_path_that_was_only_tried_are_its_answer(void **state)
{
    static const struct {
        uint64_t count;
        uint32_t error;
        bool is_finding;
    } rows[] = {{6, ENETUNREACH, false}, {6, EPERM, true}, {600, ENETUNREACH, true}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct truth_fixture f;
        struct result r;
        truth_fixture_init(&f, judged);
        const struct control_preflight_relay preflight = {
            .relay = 1,
            .clients = 3,
            .offered = 3,
            .bound = 3,
            .path_count = 2,
            .path = {{.path = PLAN_PATH_ROUTED, .renew_sent = 3, .send_errno = ENETUNREACH},
                     {.path = PLAN_PATH_EGRESS, .renew_sent = 3, .renew_acked = 3}}};
        truth_preflight(f.truth, 1, &preflight);
        truth_fixture_acquire_all(&f);
        f.snapshot[1].counter[COUNTER_send_errors] = rows[i].count;
        f.snapshot[1].send_error_count = 1;
        f.snapshot[1].send_error[0] = (struct snapshot_send_error){
            .error = rows[i].error, .message = DHCP4_RENEW, .count = rows[i].count};
        finish(&f, 200, &r);
        assert_int_equal(findings_get(&r, "send-errors") != NULL, rows[i].is_finding);
        result_free(&r);
        truth_fixture_fini(&f);
    }
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

static void a_clock_that_jumped_or_is_hardly_known_is_named(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    const struct truth_clock jumped = {-12345, 900, -200.25, 3}, vague = {77, 150000, 0, 0};
    truth_stage_begin(f->truth, 0, 0);
    truth_agent_clock(f->truth, 0, &jumped);
    truth_agent_clock(f->truth, 1, &vague);
    truth_fixture_acquire_all(f);
    f->snapshot[1].counter[COUNTER_rx_stamp_replaced] = 5;
    /* Latencies and times of events are that agent's word: they prove nothing any more. */
    expect(f, VERDICT_INVALID, "did what no clock does", "clock-jumped", &r);
    assert_non_null(strstr(findings_get(&r, "clock-jumped")->summary, "3 times"));
    assert_non_null(strstr(findings_get(&r, "clock-uncertain")->summary, "a2"));
    assert_true(fabs(r.agents[0].clock_rate_ppm + 200.25) < 1e-9);
    assert_int_equal(r.agents[0].clock_breaks, 3);
    assert_int_equal(r.agents[1].rx_stamps_replaced, 5);
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
        TEST(loss_in_the_first_burst_after_the_canaries_is_an_observation),
        TEST(a_burst_without_loss_is_no_finding),
        TEST(loss_at_a_canary_is_not_the_bursts),
        TEST(renewals_that_reached_t2_are_named_with_their_server),
        TEST(what_was_open_at_the_end_is_named_with_its_server),
        TEST(what_is_answered_in_the_drain_is_no_finding),
        TEST(what_a_hard_stop_cut_off_is_not_called_unanswered),
        TEST(lease_times_are_named_and_a_second_is_nothing),
        TEST(a_missing_client_path_is_the_beds),
        TEST(rewritten_source_ports_name_the_ceiling),
        TEST(a_result_tells_what_its_findings_are_made_of),
        TEST(failed_sends_are_told_with_their_errno),
        TEST(failed_sends_of_a_path_that_was_only_tried_are_its_answer),
        TEST(a_lost_agent_takes_exactly_its_clients),
        TEST(a_clock_that_jumped_or_is_hardly_known_is_named),
        TEST(events_of_clients_the_plan_does_not_have_are_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
