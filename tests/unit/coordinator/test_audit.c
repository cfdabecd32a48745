/* SPDX-License-Identifier: MIT */
/* Every difference that is planted is found and named; a run without one has none. */
#include "tests/support/audit_bed.h"

static void a_run_that_is_consistent_has_no_difference(void **state)
{
    struct bed *b = *state;
    bed_audit(b, false);
    bed_expect(b, 0, NULL);
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    assert_int_equal(b->notes.count, 0);
    assert_int_equal(b->capture.datagrams, b->frame_count);
    assert_int_equal(b->capture.seen_again, 0);
}

static void an_event_that_was_deleted_is_missed_and_the_capture_names_it(void **state)
{
    struct bed *b = *state;
    bed_drop_event(b, 5);
    bed_audit(b, false);
    /* events by stream, events, leases.acquired, ACKs of its server, and the server's OFFERs */
    assert_true(bed_says(b, AUDIT_DIFFERS, "agent a1: events: 21 counted by the agent, 20 in"));
    assert_true(bed_says(b, AUDIT_DIFFERS, "agent a1: leases.acquired: 10 counted"));
    assert_true(bed_says(b, AUDIT_DIFFERS, "agent a1: ACKs of server s2: 10 counted"));
    bed_audit(b, true);
    assert_true(bed_says(b, AUDIT_DIFFERS, "belong to no event of the ledger"));
    assert_true(bed_says(b, AUDIT_DIFFERS, "client 5 ("));
    assert_true(bed_says(b, AUDIT_DIFFERS, "xid 0x01000005, 10.10.0.6"));
}

static void an_event_that_stands_there_twice_is_told(void **state)
{
    struct bed *b = *state;
    b->events[b->event_count] = b->events[25];
    b->event_count++;
    bed_audit(b, false);
    assert_true(bed_says(b, AUDIT_DIFFERS, "1 events stand in it twice; first: renew ack, client"));
    assert_true(
        bed_says(b, AUDIT_DIFFERS, "agent a1: leases.renewed: 10 counted by the agent, 11"));
}

static void an_event_that_cannot_be_is_told(void **state)
{
    struct bed *b = *state;
    b->events[0].client = 200;
    bed_audit(b, false);
    assert_true(bed_says(b, AUDIT_DIFFERS, "1 events that no agent of this plan"));
    b->events[0].client = 0;
    b->events[0].kind = EVENT_KIND_COUNT;
    bed_audit(b, true);
    assert_true(bed_says(b, AUDIT_DIFFERS, "1 events that no agent of this plan"));
}

/* Each counter that is compared with the ledger, one more or one less. */
static void a_counter_that_was_changed_is_told(void **state)
{
    static const struct {
        enum snapshot_counter counter;
        const char *says;
    } rows[] = {
        {COUNTER_events, "agent a1: events: 22 counted"},
        {COUNTER_preflight_events, "agent a1: events of the preflight: 1 counted"},
        {COUNTER_leases_acquired, "agent a1: leases.acquired: 11 counted"},
        {COUNTER_leases_reacquired, "agent a1: leases.reacquired: 1 counted"},
        {COUNTER_leases_late_bound, "agent a1: leases.late_bound: 1 counted"},
        {COUNTER_leases_renewed, "agent a1: leases.renewed: 11 counted"},
        {COUNTER_leases_rebound, "agent a1: leases.rebound: 1 counted"},
        {COUNTER_leases_expired, "agent a1: leases.expired: 1 counted"},
        {COUNTER_leases_released, "agent a1: leases.released: 1 counted"},
        {COUNTER_leases_failed, "agent a1: leases.failed: 1 counted"},
        {COUNTER_leases_nak, "agent a1: leases.nak: 2 counted"},
        {COUNTER_fate_late, "agent a1: packets received: 31 by type, 32 by fate"},
        {COUNTER_received_other, "agent a1: packets received: 32 by type, 31 by fate"},
    };
    struct bed *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t *counter = bed_counter(b, 0, rows[i].counter);
        ++*counter;
        bed_audit(b, false);
        bed_expect(b, 1, rows[i].says);
        --*counter;
    }
    b->agents[1].final.server[0].naks++;
    bed_audit(b, false);
    bed_expect(b, 1, "agent a2: NAKs of server s1: 1 counted by the agent, 0 in the ledger");
    b->agents[1].final.server[0].naks--;
    b->agents[1].final.server[1].offers = 0;
    bed_audit(b, false);
    bed_expect(b, 1, "agent a2: OFFERs of all servers: 5 counted by the agent, but 10 acq");
    b->agents[1].final.server[1].offers = 5;
    b->agents[1].final.last_batch_seq++;
    bed_audit(b, false);
    bed_expect(b, 1, "agent a2: batches: 1 written by the agent, 0 committed");
}

static void what_a_ledger_lacks_is_never_equal(void **state)
{
    struct bed *b = *state;
    b->agents[0].final.has_counter[COUNTER_leases_nak] = false;
    bed_audit(b, false);
    bed_expect(b, 1, "its final counter leases_nak is not in the ledger");
    b->agents[0].final.has_counter[COUNTER_leases_nak] = true;
    b->agents[0].final.has_server[1] = false;
    bed_audit(b, false);
    bed_expect(b, 1, "its final counters of server s2 are not in the ledger");
    b->agents[0].final.has_server[1] = true;
    b->agents[0].final.has_last_batch_seq = false;
    bed_audit(b, false);
    bed_expect(b, 1, "how many batches it wrote");
}

static void folded_successes_are_allowed_for_exactly(void **state)
{
    struct bed *b = *state;
    bed_drop_event(b, 25); /* a renewal */
    b->agents[0].stream_events--;
    --*bed_counter(b, 0, COUNTER_events);
    *bed_counter(b, 0, COUNTER_results_coalesced) = 1;
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    ++*bed_counter(b, 0, COUNTER_leases_renewed);
    bed_audit(b, false);
    bed_expect(b, 1,
               "leases.renewed: 11 counted by the agent, 9 in the ledger (successes folded: 1");
    --*bed_counter(b, 0, COUNTER_leases_renewed);
    ++*bed_counter(b, 0, COUNTER_leases_nak); /* what failed is never folded */
    bed_audit(b, false);
    bed_expect(b, 1, "leases.nak: 2 counted");
}

static void a_lost_agent_is_named_and_one_that_is_only_silent_is_a_difference(void **state)
{
    struct bed *b = *state;
    b->agents[1].final.is_known = false;
    bed_audit(b, true);
    bed_expect(b, 1, "agent a2: no final counters are in the ledger, and it was not lost");
    b->agents[1].is_lost = true;
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    assert_true(bed_says(b, AUDIT_NOT_COMPARED, "the counters of agent a2, which was lost: 21"));
    assert_true(bed_says(b, AUDIT_NOT_COMPARED, "packets of agent a2 in the captures"));
    /* What it did report must still be on the wire. */
    bed_drop_frame(b, bed_find(b, 105, DHCP4_TYPE_ACK));
    bed_audit(b, true);
    bed_expect(b, 1, "1 ACKs of the ledger are not in them");
}

/* What an agent that was cut off still tells of clients that others play by then is history. */
static void what_a_lost_agent_tells_of_moved_clients_is_not_the_reports(void **state)
{
    struct bed *b = *state;
    struct audit_rows rows;
    struct event over = truth_fixture_ack(&b->f, EVENT_EXPIRE, 150);
    over.result = EVENT_ENDED;
    over.lease_s = 0;
    over.xid = 0;
    over.tries = 0;
    over.took_us = over.wait_us = EVENT_SPAN_NONE;
    assert_true(event_is_valid(&over));
    assert_true(audit_rows_init(&rows, b->plan, 2, 1));
    assert_false(audit_rows_is_history(&rows, 1, 150));
    assert_true(audit_rows_move(&rows, 100, 101, 0)); /* one client too many: nothing moves */
    assert_true(audit_rows_move(&rows, 100, 100, 2)); /* to an agent there is not */
    assert_false(audit_rows_is_history(&rows, 1, 150));
    assert_true(audit_rows_move(&rows, 100, 100, 0));
    assert_true(audit_rows_is_history(&rows, 1, 150));
    assert_false(audit_rows_is_history(&rows, 0, 150));
    assert_false(audit_rows_is_history(&rows, 1, 50));
    assert_true(audit_rows_add(&rows, 1, &over, 1));
    assert_int_equal(rows.leases.expired, 1);
    over.flags |= EVENT_IN_PAUSE;
    over.t_us++;
    assert_true(audit_rows_add(&rows, 1, &over, 2));
    assert_int_equal(rows.leases.expired, 1);           /* the report leaves it out ... */
    assert_int_equal(rows.agents[1].leases.expired, 2); /* ... the agent has counted it */
    audit_rows_fini(&rows);
}

/* One that is ended by the run gives its exchange up and, with it, what its deadline asked for. */
static void what_differs_in_the_deadline_alone_is_no_row_twice(void **state)
{
    struct bed *b = *state;
    struct audit_rows rows;
    struct event over = truth_fixture_ack(&b->f, EVENT_ACQUIRE, 150);
    over.result = EVENT_GAVE_UP;
    over.lease_s = 0;
    over.flags = 0;
    assert_true(event_is_valid(&over));
    assert_true(audit_rows_init(&rows, b->plan, 2, 1));
    assert_true(audit_rows_add(&rows, 1, &over, 1));
    over.flags |= EVENT_DEADLINE;
    assert_true(event_is_valid(&over));
    assert_true(audit_rows_add(&rows, 1, &over, 1));
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.twice, 0);
    assert_true(audit_rows_add(&rows, 1, &over, 1));
    assert_int_equal(rows.twice, 1);
    audit_rows_fini(&rows);
}

/* The longest way past taken slots. */
static size_t longest_run(const struct audit_rows *rows)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < rows->capacity; i++) {
        run = rows->slots[i].client_1 != 0 ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* Of a ledger made to keep us busy: all of these fell on one place of a table of 4096. */
static void chosen_numbers_do_not_crowd_one_place(void **state)
{
    enum { ROWS = 2000, MASK = 4095, SALTS = 2 };
    struct bed *b = *state;
    struct audit_rows rows[SALTS];
    struct event e = truth_fixture_ack(&b->f, EVENT_RENEW, 150);
    assert_true(audit_rows_init(&rows[0], b->plan, 2, UINT64_C(0x8a5cd789635d2dff)));
    assert_true(audit_rows_init(&rows[1], b->plan, 2, UINT64_C(0x121fd2155c472f96)));
    for (e.xid = 0; rows[0].count < ROWS; e.xid++) {
        uint64_t key = ((uint64_t)e.client << 32 | e.xid) * UINT64_C(0x9e3779b97f4a7c15);
        for (size_t i = 0; ((size_t)(key >> 32) & MASK) == 0 && i < SALTS; i++) {
            assert_true(audit_rows_add(&rows[i], 1, &e, 1));
        }
    }
    assert_int_equal(rows[0].capacity, MASK + 1);
    assert_in_range(longest_run(&rows[0]), 1, 200);
    assert_in_range(longest_run(&rows[1]), 1, 200);
    assert_memory_not_equal(rows[0].slots, rows[1].slots, (MASK + 1) * sizeof(*rows[0].slots));
    audit_rows_fini(&rows[0]);
    audit_rows_fini(&rows[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_that_is_consistent_has_no_difference, bed_set_up,
                                        bed_tear_down),
        cmocka_unit_test_setup_teardown(
            an_event_that_was_deleted_is_missed_and_the_capture_names_it, bed_set_up,
            bed_tear_down),
        cmocka_unit_test_setup_teardown(an_event_that_stands_there_twice_is_told, bed_set_up,
                                        bed_tear_down),
        cmocka_unit_test_setup_teardown(an_event_that_cannot_be_is_told, bed_set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(a_counter_that_was_changed_is_told, bed_set_up,
                                        bed_tear_down),
        cmocka_unit_test_setup_teardown(what_a_ledger_lacks_is_never_equal, bed_set_up,
                                        bed_tear_down),
        cmocka_unit_test_setup_teardown(folded_successes_are_allowed_for_exactly, bed_set_up,
                                        bed_tear_down),
        cmocka_unit_test_setup_teardown(
            a_lost_agent_is_named_and_one_that_is_only_silent_is_a_difference, bed_set_up,
            bed_tear_down),
        cmocka_unit_test_setup_teardown(what_a_lost_agent_tells_of_moved_clients_is_not_the_reports,
                                        bed_set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(what_differs_in_the_deadline_alone_is_no_row_twice,
                                        bed_set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(chosen_numbers_do_not_crowd_one_place, bed_set_up,
                                        bed_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
