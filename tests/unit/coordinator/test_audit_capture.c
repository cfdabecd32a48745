/* SPDX-License-Identifier: MIT */
/* What captures show, whole and otherwise, and the frames they show it in. */
#include "tests/support/audit_bed.h"

/* --- packets that are missing, or too many --- */

static void an_ack_that_was_taken_out_is_missed_and_named(void **state)
{
    struct bed *b = *state;
    bed_drop_frame(b, bed_find(b, 7, DHCP4_TYPE_ACK));
    bed_audit(b, true);
    bed_expect(b, 2, "agent a1: received ACK: 20 counted by the agent, 19 in the captures");
    assert_true(bed_says(b, AUDIT_DIFFERS, "1 ACKs of the ledger are not in them"));
    assert_true(bed_says(b, AUDIT_DIFFERS, "first: acquire at 8.000 s of the run, client 7 ("));
    assert_true(bed_says(b, AUDIT_DIFFERS, "xid 0x01000007, 10.10.0.8"));
}

static void an_offer_a_nak_and_a_question_that_were_taken_out_are_missed(void **state)
{
    struct bed *b = *state;
    bed_drop_frame(b, bed_find(b, 8, DHCP4_TYPE_OFFER));
    bed_drop_frame(b, bed_find(b, 3, DHCP4_TYPE_NAK));
    bed_audit(b, true);
    bed_expect(b, 4, "1 acquisitions of the ledger have no OFFER in them");
    assert_true(bed_says(b, AUDIT_DIFFERS, "agent a1: received OFFER: 10 counted"));
    assert_true(bed_says(b, AUDIT_DIFFERS, "1 NAKs of the ledger are not in them"));
    assert_true(bed_says(b, AUDIT_DIFFERS, "agent a1: received NAK: 1 counted"));
    for (int i = 0; i < 4; i++) {
        bed_drop_frame(b, bed_find(b, 102, 0)); /* DISCOVER and REQUEST, to both servers */
    }
    bed_audit(b, true);
    bed_expect(b, 7, "agent a2: sent discover: 20 counted by the agent, 18 in the captures");
    assert_true(bed_says(b, AUDIT_DIFFERS, "agent a2: sent request: 20 counted"));
    assert_true(bed_says(b, AUDIT_DIFFERS, "1 answered exchanges have no question in them"));
}

static void a_release_and_a_renewal_more_than_counted_are_told(void **state)
{
    struct bed *b = *state;
    --*bed_counter(b, 104, COUNTER_sent_release);
    bed_audit(b, true);
    bed_expect(b, 1, "agent a2: sent release: 0 counted by the agent, 1 in the captures");
    ++*bed_counter(b, 104, COUNTER_sent_release);
    --*bed_counter(b, 104, COUNTER_sent_renew);
    bed_audit(b, true);
    bed_expect(b, 1, "agent a2: sent renew: 9 counted by the agent, 10 in the captures");
}

static void an_ack_of_another_address_or_server_is_no_answer(void **state)
{
    struct bed *b = *state;
    b->events[12].addr = inet_from_host(0x0a0a0101);
    bed_audit(b, true);
    bed_expect(b, 1, "1 ACKs of the ledger are not in them (same client, xid, address and server)");
    b->events[12].addr = inet_from_host(0x0a0a8001 + 102);
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    struct ipv4 server = b->events[12].server;
    b->events[12].server = b->events[13].server;
    bed_audit(b, true);
    assert_true(bed_says(b, AUDIT_DIFFERS, "1 ACKs of the ledger are not in them"));
    b->events[12].server = server;
}

static void a_packet_to_a_server_that_is_none_is_told(void **state)
{
    struct bed *b = *state;
    struct event e = truth_fixture_ack(&b->f, EVENT_ACQUIRE, 4);
    bed_ask(b, DHCP4_DISCOVER, &e, inet_from_host(0xc0a80909));
    bed_audit(b, true);
    bed_expect(b, 1,
               "1 packets of the run's clients went to no server of the plan; first: to "
               "192.168.9.9, client 4 (");
}

/* Late, twice: the agent's bins say so, and the ledger has the exchange. */
static void answers_that_come_late_or_twice_belong_to_their_bins(void **state)
{
    struct bed *b = *state;
    struct event e = truth_fixture_ack(&b->f, EVENT_ACQUIRE, 6);
    (void)bed_answer(b, DHCP4_TYPE_ACK, &e, false);
    bed_audit(b, true); /* the same datagram once more: repeated on the wire, so counted twice */
    bed_expect(b, 0, NULL);
    e.xid = 0x01777777; /* of no exchange */
    (void)bed_answer(b, DHCP4_TYPE_ACK, &e, false);
    bed_audit(b, true);
    bed_expect(b, 1, "1 ACKs and NAKs in the captures belong to no event of the ledger, 0 may");
    assert_true(bed_says(b, AUDIT_DIFFERS, "first: ACK, client 6 ("));
    --*bed_counter(b, 6, COUNTER_fate_answer);
    ++*bed_counter(b, 6, COUNTER_fate_late);
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
}

static void what_sockets_dropped_and_strangers_sent_is_allowed_for(void **state)
{
    struct bed *b = *state;
    --*bed_counter(b, 0, COUNTER_received_offer);
    --*bed_counter(b, 0, COUNTER_fate_answer);
    bed_audit(b, true);
    bed_expect(b, 1, "agent a1: received OFFER: 9 counted by the agent, 10 in the captures");
    *bed_counter(b, 0, COUNTER_rx_drops) = 1;
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    assert_true(bed_says(b, AUDIT_REMARK, "agent a1: its sockets dropped 1 packets"));
    *bed_counter(b, 0, COUNTER_rx_drops) = 2; /* one too many */
    bed_audit(b, true);
    bed_expect(b, 1, "agent a1: received and dropped: 32 counted by the agent, 31 in");
    *bed_counter(b, 0, COUNTER_rx_drops) = 1;
    /* A stranger's OFFER to the relay's address: before the agent listened, or counted alien. */
    struct event e = truth_fixture_ack(&b->f, EVENT_ACQUIRE, 1);
    struct bed_frame *f = bed_answer(b, DHCP4_TYPE_OFFER, &e, false);
    f->bytes[42 + 28] ^= 0x40;
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    --*bed_counter(b, 0, COUNTER_received_offer);
    --*bed_counter(b, 0, COUNTER_fate_answer);
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
}

/* Frame i of the bed is of nanosecond i + 1 of 1970: an agent that ended at 0 s had ended then. */
static void what_came_after_the_final_counters_is_allowed_for_and_said(void **state)
{
    struct bed *b = *state;
    struct event e = truth_fixture_ack(&b->f, EVENT_ACQUIRE, 6);
    (void)bed_answer(b, DHCP4_TYPE_OFFER, &e, false);
    --*bed_counter(b, 6, COUNTER_received_offer);
    --*bed_counter(b, 6, COUNTER_fate_answer);
    b->agents[0].final.at.wall_s = 1; /* it came before them */
    bed_audit(b, true);
    bed_expect(b, 1, "agent a1: received OFFER: 10 counted by the agent, 11 in the captures");
    b->agents[0].final.at.wall_s = 0;
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    assert_true(bed_says(b, AUDIT_REMARK, "packets in the captures came after its final counters"));
    bed_ask(b, DHCP4_RENEW, &e, e.server); /* it was not the end yet */
    bed_audit(b, true);
    bed_expect(b, 1, "agent a1: received OFFER: 10 counted by the agent, 11 in the captures");
}

/* --- capture points --- */

static void a_datagram_seen_at_several_points_counts_once(void **state)
{
    struct bed *b = *state;
    size_t count = b->frame_count;
    for (size_t i = 0; i < count; i++) { /* the other side of a router: one hop on */
        b->frames[b->frame_count] = b->frames[i];
        b->frames[b->frame_count++].bytes[22]--;
    }
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
    assert_int_equal(b->capture.datagrams, count);
    assert_int_equal(b->capture.seen_again, count);
    for (size_t i = 0; i < count; i++) { /* another file, which lacks a third of them */
        b->frames[count + i].bytes[22]++;
        b->frames[count + i].file = i % 3 == 0 ? 0 : 1;
    }
    bed_audit(b, true);
    assert_true(b->notes.differences > 0); /* a third came twice at one point: that is two each */
}

static void two_files_make_a_whole(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < b->frame_count; i++) {
        b->frames[i].file = i % 2 == 0;
    }
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
}

static void a_capture_of_one_servers_side_is_not_called_equal(void **state)
{
    struct bed *b = *state;
    size_t kept = 0;
    for (size_t i = 0; i < b->frame_count; i++) { /* server s2: 192.168.2.12 */
        bool is_s2 = memcmp(&b->frames[i].bytes[26], &b->plan->servers[1].address.be, 4) == 0 ||
                     memcmp(&b->frames[i].bytes[30], &b->plan->servers[1].address.be, 4) == 0;
        if (!is_s2) {
            b->frames[kept++] = b->frames[i];
        }
    }
    b->frame_count = kept;
    bed_audit(b, true);
    assert_true(bed_says(b, AUDIT_DIFFERS,
                         "no packet from server s2 is in the captures: was its side captured?"));
}

static void a_capture_that_begins_late_or_ends_early_is_named(void **state)
{
    struct bed *b = *state;
    size_t count = b->frame_count, cut = bed_find(b, 104, DHCP4_TYPE_ACK) + 1;
    b->frame_count = cut;
    bed_audit(b, true);
    assert_true(bed_says(b, AUDIT_DIFFERS, "the last answer in them: the captures end early"));
    b->frame_count = count - cut;
    memmove(b->frames, b->frames + cut, b->frame_count * sizeof(*b->frames));
    bed_audit(b, true);
    assert_true(bed_says(b, AUDIT_DIFFERS, "the first answer in them: the captures begin late"));
}

static void packets_cut_short_are_named(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < b->frame_count; i++) {
        b->frames[i].size = 96;
    }
    bed_audit(b, true);
    assert_true(bed_says(b, AUDIT_DIFFERS, "DHCP packets are cut short in them"));
    assert_false(audit_capture_is_of_run(&b->capture));
}

static void other_traffic_is_not_of_the_run(void **state)
{
    struct bed *b = *state;
    for (size_t i = 0; i < b->frame_count; i++) {
        b->frames[i].bytes[42 + 28] ^= 0x40; /* chaddr */
        b->frames[i].bytes[30] ^= 0x40;      /* destination */
    }
    bed_audit(b, true);
    assert_false(audit_capture_is_of_run(&b->capture));
}

/* An agent's address that two agents have is nobody's: then the event tells. */
static void without_shares_events_tell_whose_a_packet_is(void **state)
{
    struct bed *b = *state;
    b->shares[1].via = 0;
    b->shares[1].relay = 0;
    bed_audit(b, true);
    bed_expect(b, 0, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_ack_that_was_taken_out_is_missed_and_named),
        TEST(an_offer_a_nak_and_a_question_that_were_taken_out_are_missed),
        TEST(a_release_and_a_renewal_more_than_counted_are_told),
        TEST(an_ack_of_another_address_or_server_is_no_answer),
        TEST(a_packet_to_a_server_that_is_none_is_told),
        TEST(answers_that_come_late_or_twice_belong_to_their_bins),
        TEST(what_sockets_dropped_and_strangers_sent_is_allowed_for),
        TEST(what_came_after_the_final_counters_is_allowed_for_and_said),
        TEST(a_datagram_seen_at_several_points_counts_once),
        TEST(two_files_make_a_whole),
        TEST(a_capture_of_one_servers_side_is_not_called_equal),
        TEST(a_capture_that_begins_late_or_ends_early_is_named),
        TEST(packets_cut_short_are_named),
        TEST(other_traffic_is_not_of_the_run),
        TEST(without_shares_events_tell_whose_a_packet_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
