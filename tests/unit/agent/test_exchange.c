/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "agent/relay/exchange.h"
#include "common/attrs.h"

enum { XID = 0x01abcdef };

static struct client waiting_in(enum lease_state state)
{
    struct client c = {.xid = XID};
    client_set_state(&c, state);
    client_set(&c, CLIENT_WAITING);
    if (state == LEASE_BOUND) {
        client_set(&c, CLIENT_INFORMING);
    }
    return c;
}

static struct dhcp4_reply reply(uint8_t type)
{
    struct dhcp4_reply r = {.type = type, .xid = XID};
    if (type == DHCP4_TYPE_OFFER || type == DHCP4_TYPE_ACK) {
        r.has_lease = true;
        r.yiaddr = inet_from_host(0x0a0a0001);
    }
    return r;
}

static enum exchange_fate fate(struct client c, struct dhcp4_reply r)
{
    return exchange_fate_of(&c, &r);
}

static void an_answer_with_another_xid_is_late(void **state)
{
    (void)state;
    for (int s = 0; s < LEASE_STATE_COUNT; s++) {
        struct dhcp4_reply r = reply(DHCP4_TYPE_ACK);
        r.xid = XID + 1;
        assert_int_equal(fate(waiting_in((enum lease_state)s), r), EXCHANGE_LATE);
    }
}

static void a_client_that_never_asked_gets_no_answer_not_even_to_xid_zero(void **state)
{
    (void)state;
    struct client c = {0};
    struct dhcp4_reply r = reply(DHCP4_TYPE_OFFER);
    r.xid = 0;
    assert_int_equal(fate(c, r), EXCHANGE_LATE);
}

/* Only what the open exchange waits for answers it; the rest is told apart, not obeyed. */
static void only_the_type_that_is_waited_for_answers(void **state)
{
    (void)state;
    static const struct {
        enum lease_state state;
        bool offer, ack, nak;
    } table[] = {
        {LEASE_SELECTING, true, false, false}, {LEASE_REQUESTING, false, true, true},
        {LEASE_RENEWING, false, true, true},   {LEASE_REBINDING, false, true, true},
        {LEASE_REBOOTING, false, true, true},  {LEASE_BOUND, false, true, false},
        {LEASE_INIT, false, false, false},     {LEASE_INIT_REBOOT, false, false, false},
        {LEASE_EXPIRED, false, false, false},  {LEASE_RELEASED, false, false, false},
        {LEASE_FAILED, false, false, false},   {LEASE_DECLINED, false, false, false},
    };
    assert_int_equal(ARRAY_LEN(table), LEASE_STATE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct client c = waiting_in(table[i].state);
        assert_int_equal(fate(c, reply(DHCP4_TYPE_OFFER)),
                         table[i].offer ? EXCHANGE_ANSWER : EXCHANGE_UNEXPECTED);
        assert_int_equal(fate(c, reply(DHCP4_TYPE_ACK)),
                         table[i].ack ? EXCHANGE_ANSWER : EXCHANGE_UNEXPECTED);
        assert_int_equal(fate(c, reply(DHCP4_TYPE_NAK)),
                         table[i].nak ? EXCHANGE_ANSWER : EXCHANGE_UNEXPECTED);
        assert_int_equal(fate(c, reply(13)), EXCHANGE_UNEXPECTED);
    }
}

static void an_ack_without_a_lease_extends_none(void **state)
{
    (void)state;
    struct dhcp4_reply bare = {.type = DHCP4_TYPE_ACK, .xid = XID};
    struct dhcp4_reply no_address = reply(DHCP4_TYPE_ACK);
    no_address.yiaddr = (struct ipv4){0};
    assert_int_equal(fate(waiting_in(LEASE_RENEWING), bare), EXCHANGE_UNEXPECTED);
    assert_int_equal(fate(waiting_in(LEASE_REQUESTING), no_address), EXCHANGE_UNEXPECTED);
    assert_int_equal(fate(waiting_in(LEASE_BOUND), bare), EXCHANGE_ANSWER);
}

static void a_partners_repetition_is_a_duplicate(void **state)
{
    (void)state;
    struct client bound = {.xid = XID};
    client_set_state(&bound, LEASE_BOUND);
    client_set(&bound, CLIENT_ANSWERED);
    assert_int_equal(fate(bound, reply(DHCP4_TYPE_ACK)), EXCHANGE_DUPLICATE);

    struct client requesting = waiting_in(LEASE_REQUESTING);
    client_set(&requesting, CLIENT_OFFER_SEEN);
    assert_int_equal(fate(requesting, reply(DHCP4_TYPE_OFFER)), EXCHANGE_DUPLICATE);
}

static void an_answer_after_giving_up_is_late(void **state)
{
    (void)state;
    struct client failed = {.xid = XID};
    client_set_state(&failed, LEASE_FAILED);
    assert_int_equal(fate(failed, reply(DHCP4_TYPE_OFFER)), EXCHANGE_LATE);
}

static void every_packet_has_one_type_bin(void **state)
{
    (void)state;
    static const enum snapshot_counter bin_of[256] = {
        [DHCP4_TYPE_OFFER] = COUNTER_received_offer,
        [DHCP4_TYPE_ACK] = COUNTER_received_ack,
        [DHCP4_TYPE_NAK] = COUNTER_received_nak,
    };
    for (int type = 0; type < 256; type++) {
        enum snapshot_counter bin = bin_of[type] != 0 ? bin_of[type] : COUNTER_received_other;
        assert_int_equal(exchange_type_bin(DHCP4_OK, (uint8_t)type), bin);
        enum lease_event event;
        struct dhcp4_reply r = {.type = (uint8_t)type};
        assert_int_equal(exchange_event_of(&r, &event), bin_of[type] != 0);
    }
    for (int error = 1; error < DHCP4_ERROR_COUNT; error++) {
        assert_int_equal(exchange_type_bin((enum dhcp4_error)error, DHCP4_TYPE_ACK),
                         COUNTER_received_malformed);
    }
}

static void a_reply_means_the_event_of_its_name(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        enum lease_event event;
    } table[] = {
        {DHCP4_TYPE_OFFER, LEASE_OFFER}, {DHCP4_TYPE_ACK, LEASE_ACK}, {DHCP4_TYPE_NAK, LEASE_NAK}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        enum lease_event event = LEASE_EVENT_COUNT;
        struct dhcp4_reply r = {.type = table[i].type};
        assert_true(exchange_event_of(&r, &event));
        assert_int_equal(event, table[i].event);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_with_another_xid_is_late),
        cmocka_unit_test(a_client_that_never_asked_gets_no_answer_not_even_to_xid_zero),
        cmocka_unit_test(only_the_type_that_is_waited_for_answers),
        cmocka_unit_test(an_ack_without_a_lease_extends_none),
        cmocka_unit_test(an_answer_after_giving_up_is_late),
        cmocka_unit_test(a_partners_repetition_is_a_duplicate),
        cmocka_unit_test(every_packet_has_one_type_bin),
        cmocka_unit_test(a_reply_means_the_event_of_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
