/* SPDX-License-Identifier: MIT */
/* When sending is to end because nobody wants it; and when it is not. */
#include "tests/support/testing.h"

#include <errno.h>

#include "agent/lane/send_health.h"
#include "common/attrs.h"

#define BEGIN_NS (7 * NS_PER_S)

static const struct ipv4 server = {.be = 0x0c01a8c0};

static void a_hundred_refusals_in_a_row_are_enough(void **state)
{
    struct send_health h = {0};
    (void)state;
    for (unsigned i = 0; i < SEND_REFUSED_IN_A_ROW - 1; i++) {
        send_health_refused(&h, EPERM, server, BEGIN_NS + i * NS_PER_S);
        assert_int_equal(h.halt.kind, SEND_GOES_ON);
    }
    send_health_sent(&h, 1, BEGIN_NS + 100 * NS_PER_S); /* one got through: from the beginning */
    for (unsigned i = 0; i < SEND_REFUSED_IN_A_ROW - 1; i++) {
        send_health_refused(&h, EPERM, server, BEGIN_NS + 200 * NS_PER_S);
        assert_int_equal(h.halt.kind, SEND_GOES_ON);
    }
    send_health_refused(&h, EACCES, server, BEGIN_NS + 201 * NS_PER_S);
    assert_int_equal(h.halt.kind, SEND_HALT_REFUSED);
    assert_int_equal(h.halt.error, EACCES);
    assert_true(inet_equal(h.halt.destination, server));
    assert_int_equal(h.halt.count, SEND_REFUSED_IN_A_ROW);
    send_health_refused(&h, EPERM, server, BEGIN_NS + 202 * NS_PER_S);
    assert_int_equal(h.halt.error, EACCES); /* the first reason stays */
}

/* `refused` of every 1000, spread evenly over a second. */
static enum send_halt_kind a_second_of(unsigned refused, unsigned total)
{
    struct send_health h = {0};
    unsigned done = 0;
    for (unsigned i = 0; i < total; i++) {
        uint64_t now_ns = BEGIN_NS + i * (NS_PER_S / (total + 1));
        if ((uint64_t)(i + 1) * refused / total > done) {
            done++;
            send_health_refused(&h, ENOBUFS, server, now_ns);
        } else {
            send_health_sent(&h, 1, now_ns);
        }
    }
    return h.halt.kind;
}

static void more_than_a_tenth_of_a_thousand_is_enough(void **state)
{
    (void)state;
    assert_int_equal(a_second_of(100, 1000), SEND_GOES_ON);
    assert_int_equal(a_second_of(102, 1010), SEND_HALT_REFUSED);
    assert_int_equal(a_second_of(400, 900), SEND_GOES_ON);
    assert_int_equal(a_second_of(1000, 20000), SEND_GOES_ON);
    assert_int_equal(a_second_of(3000, 20000), SEND_HALT_REFUSED);
}

static void seconds_are_counted_alone(void **state)
{
    struct send_health h = {0};
    (void)state;
    for (unsigned s = 0; s < 100; s++) {
        uint64_t now_ns = BEGIN_NS + s * NS_PER_S;
        send_health_sent(&h, 500, now_ns);
        for (unsigned i = 0; i < 90; i++) {
            send_health_refused(&h, ENOBUFS, server, now_ns + NS_PER_MS);
        }
        send_health_sent(&h, 1, now_ns + 2 * NS_PER_MS);
    }
    assert_int_equal(h.halt.kind, SEND_GOES_ON);
}

static void prohibited_is_believed_the_fifth_time_within_ten_seconds(void **state)
{
    static const uint8_t codes[] = {9, 10, 13, 13, 9};
    struct send_health h = {0};
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        send_health_icmp(&h, 3, 13, server, BEGIN_NS + i * 3 * NS_PER_S); /* four in ten seconds */
    }
    assert_int_equal(h.halt.kind, SEND_GOES_ON);
    for (unsigned i = 0; i < SEND_PROHIBITED; i++) {
        assert_int_equal(h.halt.kind, SEND_GOES_ON);
        send_health_icmp(&h, 3, codes[i], server, BEGIN_NS + (1000 + i) * NS_PER_S);
    }
    assert_int_equal(h.halt.kind, SEND_HALT_PROHIBITED);
    assert_int_equal(h.halt.icmp_code, 9);
    assert_int_equal(h.halt.count, SEND_PROHIBITED);
}

static void a_dead_server_is_no_reason(void **state)
{
    struct send_health h = {0};
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        send_health_icmp(&h, 3, (uint8_t)(i % 9), server, BEGIN_NS + i);
        send_health_icmp(&h, 11, 13, server, BEGIN_NS + i);
    }
    assert_int_equal(h.halt.kind, SEND_GOES_ON);
    send_health_spent(&h, 40);
    assert_int_equal(h.halt.kind, SEND_HALT_TOTAL);
    assert_int_equal(h.halt.count, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_refusals_in_a_row_are_enough),
        cmocka_unit_test(more_than_a_tenth_of_a_thousand_is_enough),
        cmocka_unit_test(seconds_are_counted_alone),
        cmocka_unit_test(prohibited_is_believed_the_fifth_time_within_ten_seconds),
        cmocka_unit_test(a_dead_server_is_no_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
