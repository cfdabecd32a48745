/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <string.h>

#include "coordinator/truth/accounting.h"

struct books {
    struct accounting accounting;
    struct merge *merge;
    uint64_t clients[2];
    bool is_lost[2];
    struct snapshot snapshot[2];
    struct accounting_facts facts;
    struct result result;
};

static int set_up(void **state)
{
    static struct books b;
    b = (struct books){.clients = {10, 20}};
    assert_true(accounting_init(&b.accounting, 2));
    b.merge = merge_new(2);
    assert_non_null(b.merge);
    for (size_t i = 0; i < 2; i++) {
        b.snapshot[i].seq = 1;
        b.snapshot[i].is_final = true;
        b.snapshot[i].counter[COUNTER_clients_never_started] = b.clients[i];
    }
    b.facts = (struct accounting_facts){
        .merge = b.merge, .clients = b.clients, .is_lost = b.is_lost, .client_count = 30};
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct books *b = *state;
    accounting_fini(&b->accounting);
    merge_free(b->merge);
    return 0;
}

static bool prove(struct books *b)
{
    for (size_t i = 0; i < 2; i++) {
        (void)merge_snapshot(b->merge, i, &b->snapshot[i]);
    }
    b->result = (struct result){0};
    return accounting_prove(&b->accounting, &b->facts, &b->result);
}

static bool is_passed(const struct books *b, const char *name)
{
    for (size_t i = 0; i < b->result.accounting.check_count; i++) {
        if (strcmp(b->result.accounting.checks[i].name, name) == 0) {
            return b->result.accounting.checks[i].is_passed;
        }
    }
    fail_msg("no check %s", name);
    return false;
}

static void add(struct books *b, size_t agent, struct event e)
{
    b->snapshot[agent].counter[COUNTER_events]++;
    b->facts.ledger_events++;
    accounting_event(&b->accounting, agent, &e, true);
}

static void empty_books_are_in_order(void **state)
{
    struct books *b = *state;
    assert_true(prove(b));
    assert_int_equal(b->result.accounting.assigned, 30);
    assert_int_equal(b->result.accounting.never_started, 30);
    assert_int_equal(b->result.accounting.missing, 0);
    assert_true(b->result.accounting.is_known);
}

static void a_client_that_is_nowhere_is_noticed(void **state)
{
    struct books *b = *state;
    b->snapshot[1].counter[COUNTER_clients_never_started]--;
    assert_false(prove(b));
    assert_false(is_passed(b, "clients"));
    assert_true(is_passed(b, "events"));
}

static void clients_that_were_not_dealt_are_noticed(void **state)
{
    struct books *b = *state;
    b->facts.client_count = 31;
    assert_false(prove(b));
    assert_false(is_passed(b, "dealt"));
}

static void an_event_that_did_not_arrive_is_missing(void **state)
{
    struct books *b = *state;
    add(b, 0, (struct event){.kind = EVENT_INFORM, .result = EVENT_ACK, .tries = 1});
    b->snapshot[0].counter[COUNTER_events] = 3;
    assert_false(prove(b));
    assert_false(is_passed(b, "events"));
    assert_int_equal(b->result.accounting.agent_events, 3);
    assert_int_equal(b->result.accounting.ledger_events, 1);
    assert_int_equal(b->result.accounting.missing, 2);
}

static void an_announced_batch_that_did_not_arrive_is_missing(void **state)
{
    struct books *b = *state;
    b->facts.missing_batches = 1;
    assert_false(prove(b));
    assert_int_equal(b->result.accounting.missing, 1);
}

static void an_event_in_the_ledger_that_was_not_judged_is_noticed(void **state)
{
    struct books *b = *state;
    b->facts.ledger_events = 1;
    b->snapshot[0].counter[COUNTER_events] = 1;
    assert_false(prove(b));
    assert_false(is_passed(b, "judged"));
}

static void packets_without_a_fate_are_noticed(void **state)
{
    struct books *b = *state;
    b->snapshot[0].counter[COUNTER_received_ack] = 5;
    b->snapshot[1].counter[COUNTER_fate_answer] = 4;
    assert_false(prove(b));
    assert_false(is_passed(b, "packets"));
    b->snapshot[1].seq++;
    b->snapshot[1].counter[COUNTER_fate_duplicate] = 1;
    assert_true(prove(b));
}

static void a_missing_final_snapshot_is_noticed(void **state)
{
    struct books *b = *state;
    b->snapshot[1].is_final = false;
    assert_false(prove(b));
    assert_false(is_passed(b, "final counters"));
}

static void an_older_snapshot_does_not_overwrite_a_newer_one(void **state)
{
    struct books *b = *state;
    assert_true(prove(b));
    struct snapshot old = b->snapshot[0];
    old.seq = 1;
    old.counter[COUNTER_clients_never_started] = 0;
    assert_false(merge_snapshot(b->merge, 0, &old));
    assert_int_equal(merge_counter(b->merge, 0, COUNTER_clients_never_started), 10);
}

static void counters_must_agree_with_events(void **state)
{
    struct books *b = *state;
    struct event e = {
        .kind = EVENT_ACQUIRE, .result = EVENT_ACK, .flags = EVENT_FIRST_LEASE, .tries = 2};
    add(b, 0, e);
    assert_false(prove(b));
    assert_false(is_passed(b, "leases.acquired"));
    b->snapshot[0].seq++;
    b->snapshot[0].counter[COUNTER_leases_acquired] = 1;
    assert_true(prove(b));
}

static void folded_results_explain_counters_that_are_ahead(void **state)
{
    struct books *b = *state;
    b->snapshot[0].counter[COUNTER_leases_renewed] = 7;
    b->snapshot[0].counter[COUNTER_results_coalesced] = 7;
    assert_true(prove(b));
    assert_int_equal(b->result.accounting.folded, 7);
    assert_int_equal(b->result.accounting.agent_events, 7);
    b->snapshot[0].seq++;
    b->snapshot[0].counter[COUNTER_leases_renewed] = 8;
    assert_false(prove(b));
}

static void a_lost_agent_loses_exactly_its_clients(void **state)
{
    struct books *b = *state;
    /* What it last counted is neither believed nor held against it. */
    add(b, 1, (struct event){.kind = EVENT_EXPIRE, .result = EVENT_ENDED});
    b->snapshot[1].is_final = false;
    b->snapshot[1].counter[COUNTER_events] = 99;
    b->snapshot[1].counter[COUNTER_clients_bound] = 20;
    b->is_lost[1] = true;
    assert_true(prove(b));
    assert_int_equal(b->result.accounting.lost_with_agent, 20);
    assert_int_equal(b->result.accounting.never_started, 10);
    assert_int_equal(b->result.accounting.bound, 0);
    assert_int_equal(b->result.accounting.missing, 0);
    assert_int_equal(b->accounting.total.expired, 1);
}

static void events_count_by_what_they_say(void **state)
{
    (void)state;
    static const struct {
        struct event e;
        struct result_leases leases;
    } rows[] = {
        {{.kind = EVENT_ACQUIRE, .result = EVENT_ACK, .flags = EVENT_FIRST_LEASE}, {.acquired = 1}},
        {{.kind = EVENT_ACQUIRE,
          .result = EVENT_ACK,
          .flags = EVENT_FIRST_LEASE | EVENT_LATE_BOUND},
         {.acquired = 1, .late_bound = 1}},
        {{.kind = EVENT_ACQUIRE, .result = EVENT_ACK}, {.reacquired = 1}},
        {{.kind = EVENT_REBOOT, .result = EVENT_ACK}, {.reacquired = 1}},
        {{.kind = EVENT_RENEW, .result = EVENT_ACK}, {.renewed = 1}},
        {{.kind = EVENT_RENEW, .result = EVENT_CHANGED}, {.renewed = 1}},
        {{.kind = EVENT_REBIND, .result = EVENT_ACK}, {.rebound = 1}},
        {{.kind = EVENT_RENEW, .result = EVENT_NAK}, {.nak = 1}},
        {{.kind = EVENT_RENEW, .result = EVENT_GAVE_UP}, {0}},
        {{.kind = EVENT_ACQUIRE, .result = EVENT_GAVE_UP}, {0}},
        {{.kind = EVENT_ACQUIRE, .result = EVENT_GAVE_UP, .flags = EVENT_DEADLINE}, {.failed = 1}},
        {{.kind = EVENT_EXPIRE, .result = EVENT_ENDED}, {.expired = 1}},
        {{.kind = EVENT_RELEASE, .result = EVENT_SENT, .tries = 1}, {.released = 1}},
        {{.kind = EVENT_RELEASE, .result = EVENT_SENT, .tries = 0}, {0}},
        {{.kind = EVENT_DECLINE, .result = EVENT_SENT, .tries = 1}, {0}},
        {{.kind = EVENT_INFORM, .result = EVENT_ACK}, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct result_leases amount;
        assert_true(accounting_leases_of(&rows[i].e, &amount));
        assert_memory_equal(&amount, &rows[i].leases, sizeof(amount));
    }
}

static void preflight_counts_in_events_but_never_in_leases(void **state)
{
    struct books *b = *state;
    add(b, 0,
        (struct event){.kind = EVENT_ACQUIRE,
                       .result = EVENT_ACK,
                       .flags = EVENT_FIRST_LEASE | EVENT_PREFLIGHT,
                       .stage = SNAPSHOT_STAGE_PREFLIGHT});
    assert_true(prove(b));
    assert_int_equal(b->accounting.total.acquired, 0);
    assert_int_equal(b->accounting.agents[0].preflight_events, 1);
    assert_int_equal(b->result.accounting.agent_events, 1);
}

static void histograms_are_added_over_agents_servers_and_stages(void **state)
{
    struct books *b = *state;
    static struct histogram h, out;
    h = (struct histogram){0};
    histogram_record(&h, 1000000);
    const struct histogram_key keys[] = {
        {LATENCY_RENEW, LATENCY_INTENDED, 0, 1},  {LATENCY_RENEW, LATENCY_INTENDED, 1, 1},
        {LATENCY_RENEW, LATENCY_INTENDED, 0, 0},  {LATENCY_RENEW, LATENCY_FROM_SEND, 0, 1},
        {LATENCY_REBIND, LATENCY_INTENDED, 0, 1}, {LATENCY_RENEW, LATENCY_INTENDED, 0, 254},
    };
    for (size_t agent = 0; agent < 2; agent++) {
        for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
            struct control_histogram c = {.snapshot_seq = 1, .key = keys[i], .histogram = &h};
            assert_true(merge_histogram(b->merge, agent, &c));
            assert_true(merge_histogram(b->merge, agent, &c)); /* the same again: latest wins */
        }
    }
    struct merge_query query = {
        .metric = LATENCY_RENEW, .clock = LATENCY_INTENDED, .stage = MERGE_ANY, .agent = SIZE_MAX};
    merge_latency(b->merge, &query, &out);
    assert_int_equal(out.count, 6); /* preflight is never among all stages */
    assert_int_equal(out.sum_ns, 6000000);
    assert_int_equal(out.min_ns, 1000000);
    assert_int_equal(histogram_percentile_ns(&out, 50), 1000000);
    query.stage = 1;
    merge_latency(b->merge, &query, &out);
    assert_int_equal(out.count, 4);
    query.agent = 1;
    merge_latency(b->merge, &query, &out);
    assert_int_equal(out.count, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_is_nowhere_is_noticed),
        TEST(clients_that_were_not_dealt_are_noticed),
        TEST(an_event_that_did_not_arrive_is_missing),
        TEST(an_announced_batch_that_did_not_arrive_is_missing),
        TEST(an_event_in_the_ledger_that_was_not_judged_is_noticed),
        TEST(packets_without_a_fate_are_noticed),
        TEST(a_missing_final_snapshot_is_noticed),
        TEST(an_older_snapshot_does_not_overwrite_a_newer_one),
        TEST(counters_must_agree_with_events),
        TEST(folded_results_explain_counters_that_are_ahead),
        TEST(a_lost_agent_loses_exactly_its_clients),
        TEST(events_count_by_what_they_say),
        TEST(preflight_counts_in_events_but_never_in_leases),
        TEST(histograms_are_added_over_agents_servers_and_stages),
        TEST(empty_books_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
