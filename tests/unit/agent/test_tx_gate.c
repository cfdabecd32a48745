/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "agent/lane/tx_gate.h"
#include "common/attrs.h"

#define BEGIN_NS (50 * NS_PER_S)

static struct plan three_servers(void)
{
    struct plan plan = {.server_count = 3};
    for (uint32_t i = 0; i < 3; i++) {
        plan.servers[i].address = inet_from_host(0xc0a8010c + i);
    }
    return plan;
}

static struct tx_gate gate_of(uint64_t per_s)
{
    struct tx_gate g;
    struct plan plan = three_servers();
    tx_gate_init(&g, &plan, per_s, BEGIN_NS);
    return g;
}

static struct tx_gate open_gate(uint64_t per_s)
{
    struct tx_gate g = gate_of(per_s);
    tx_gate_set_may_send(&g, true, BEGIN_NS);
    return g;
}

/* Messages of `packets` packets that pass in `span_ns`, asked as often as one can. */
static uint64_t passed(struct tx_gate *g, uint32_t packets, uint64_t from_ns, uint64_t span_ns)
{
    uint64_t count = 0;
    for (uint64_t now_ns = from_ns; now_ns < from_ns + span_ns; now_ns += 100 * NS_PER_US) {
        while (count < 1000000 && tx_gate_pass(g, packets, now_ns)) {
            count++;
        }
    }
    return count;
}

static void only_servers_of_the_plan_are_known(void **state)
{
    (void)state;
    struct tx_gate g = gate_of(0);
    static const uint32_t strangers[] = {0,          0xffffffff, 0xe0000001, 0xc0a801ff,
                                         0xc0a8010b, 0xc0a8010f, 0x7f000001};
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        assert_false(tx_gate_knows(&g, inet_from_host(strangers[i])));
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(tx_gate_knows(&g, inet_from_host(0xc0a8010c + i)));
    }
}

static void nothing_passes_without_a_run_lease(void **state)
{
    (void)state;
    struct tx_gate g = gate_of(0);
    assert_false(tx_gate_pass(&g, 1, BEGIN_NS));
    assert_true(tx_gate_next_ns(&g, 1, BEGIN_NS) == UINT64_MAX);
    tx_gate_set_may_send(&g, true, BEGIN_NS);
    assert_true(tx_gate_pass(&g, 1, BEGIN_NS));
    tx_gate_set_may_send(&g, false, BEGIN_NS + 1);
    assert_false(tx_gate_pass(&g, 1, BEGIN_NS + 1));
}

static void no_second_has_more_packets_than_the_cap_and_ten_milliseconds(void **state)
{
    (void)state;
    static const uint64_t caps[] = {1, 10, 999, 20000, 500000};
    for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
        struct tx_gate g = open_gate(caps[i]);
        uint64_t burst = (caps[i] / 100 > 3 ? caps[i] / 100 : 3) + 1;
        for (unsigned s = 0; s < 5; s++) {
            uint64_t count = passed(&g, 1, BEGIN_NS + s * NS_PER_S, NS_PER_S);
            assert_true(count <= caps[i] + burst);
            assert_true(count + burst >= caps[i]);
        }
    }
}

/* A cap below the number of servers must still let one message through now and then. */
static void a_message_to_all_servers_passes_even_a_tiny_cap(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(1);
    assert_true(tx_gate_pass(&g, 3, BEGIN_NS));
    assert_false(tx_gate_pass(&g, 3, BEGIN_NS + 2 * NS_PER_S));
    uint64_t next_ns = tx_gate_next_ns(&g, 3, BEGIN_NS + 2 * NS_PER_S);
    assert_true(next_ns >= BEGIN_NS + 3 * NS_PER_S && next_ns <= BEGIN_NS + 3 * NS_PER_S + 1000);
    assert_true(tx_gate_pass(&g, 3, next_ns + 1000));
}

static void the_next_instant_is_neither_early_nor_late(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(20000);
    uint64_t now_ns = BEGIN_NS, count = 0;
    while (count < 20000) {
        while (tx_gate_pass(&g, 2, now_ns)) {
            count += 2;
        }
        uint64_t next_ns = tx_gate_next_ns(&g, 2, now_ns);
        assert_true(next_ns > now_ns);
        now_ns = next_ns;
    }
    assert_true(now_ns > BEGIN_NS + 980 * NS_PER_MS && now_ns < BEGIN_NS + 1001 * NS_PER_MS);
}

static void credit_is_not_carried_over_a_pause(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(20000);
    tx_gate_set_may_send(&g, false, BEGIN_NS + NS_PER_S);
    tx_gate_set_may_send(&g, true, BEGIN_NS + 100 * NS_PER_S);
    uint64_t at_once = 0;
    while (tx_gate_pass(&g, 1, BEGIN_NS + 100 * NS_PER_S)) {
        at_once++;
    }
    assert_int_equal(at_once, 3);
}

/* Leases that come and go, and limits said again, as often as a coordinator likes. */
static void no_pause_and_no_new_limit_fills_an_empty_bucket(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0, 100};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct tx_gate g = open_gate(100);
        uint64_t count = 0;
        for (uint64_t now_ns = BEGIN_NS; now_ns < BEGIN_NS + NS_PER_S; now_ns += NS_PER_MS) {
            count += passed(&g, 1, now_ns, 1);
            tx_gate_limit(&g, limits[i], now_ns);
            tx_gate_set_may_send(&g, false, now_ns);
            tx_gate_set_may_send(&g, true, now_ns);
        }
        assert_in_range(count, 95, 104);
    }
}

static void a_first_limit_begins_like_a_new_gate(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(0);
    (void)passed(&g, 1, BEGIN_NS, NS_PER_MS);
    tx_gate_limit(&g, 100, BEGIN_NS + NS_PER_S);
    assert_in_range(passed(&g, 1, BEGIN_NS + NS_PER_S, NS_PER_S), 99, 104);
}

static void the_clock_running_backwards_gives_no_credit(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(1000);
    (void)passed(&g, 1, BEGIN_NS, NS_PER_S);
    while (tx_gate_pass(&g, 1, BEGIN_NS + NS_PER_S)) {
    }
    assert_false(tx_gate_pass(&g, 1, BEGIN_NS - NS_PER_S));
    assert_false(tx_gate_pass(&g, 1, 0));
}

static void without_a_cap_everything_passes(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(0);
    for (unsigned i = 0; i < 100000; i++) {
        assert_true(tx_gate_pass(&g, 3, BEGIN_NS));
    }
    assert_int_equal(tx_gate_next_ns(&g, 3, BEGIN_NS), BEGIN_NS);
}

static void catching_up_keeps_to_the_planned_rate_until_it_is_over(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(0);
    tx_gate_catch_up(&g, 100, false, BEGIN_NS);
    for (unsigned s = 0; s < 5; s++) {
        uint64_t count = passed(&g, 3, BEGIN_NS + s * NS_PER_S, NS_PER_S);
        assert_in_range(count, 99, 103);
    }
    tx_gate_caught_up(&g);
    assert_true(passed(&g, 3, BEGIN_NS + 5 * NS_PER_S, NS_PER_MS) > 1000);
}

static void a_plan_without_a_rate_is_caught_up_with_twice_as_fast_each_second(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(0);
    tx_gate_catch_up(&g, 300, true, BEGIN_NS);
    for (uint64_t s = 0, rate = 300; s < 5; s++, rate *= 2) {
        uint64_t count = passed(&g, 1, BEGIN_NS + s * NS_PER_S, NS_PER_S);
        assert_in_range(count, rate - rate / 50 - 1, rate + rate / 50 + 1);
    }
}

static void nothing_to_catch_up_with_is_one_message_a_second_not_none(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(0);
    tx_gate_catch_up(&g, 0, false, BEGIN_NS);
    assert_in_range(passed(&g, 1, BEGIN_NS, 10 * NS_PER_S), 10, 11);
}

static void the_total_is_exact_and_final(void **state)
{
    (void)state;
    struct tx_gate g = open_gate(0);
    tx_gate_set_total(&g, 10);
    assert_int_equal(passed(&g, 3, BEGIN_NS, NS_PER_S), 3);
    assert_true(g.is_spent);
    assert_false(tx_gate_pass(&g, 1, BEGIN_NS + NS_PER_S)); /* not even the one that is left */
    assert_true(tx_gate_next_ns(&g, 1, BEGIN_NS + NS_PER_S) == UINT64_MAX);
    tx_gate_set_may_send(&g, false, BEGIN_NS + NS_PER_S);
    tx_gate_set_may_send(&g, true, BEGIN_NS + 2 * NS_PER_S);
    assert_false(tx_gate_pass(&g, 1, BEGIN_NS + 3 * NS_PER_S)); /* a new lease gives none back */
    g = open_gate(0);
    tx_gate_set_total(&g, 10);
    assert_int_equal(passed(&g, 1, BEGIN_NS, NS_PER_S), 10);
    g = open_gate(100);
    tx_gate_set_total(&g, 1000000);
    assert_in_range(passed(&g, 1, BEGIN_NS, NS_PER_S), 99, 104); /* the rate is the smaller one */
    assert_false(g.is_spent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_servers_of_the_plan_are_known),
        cmocka_unit_test(nothing_passes_without_a_run_lease),
        cmocka_unit_test(no_second_has_more_packets_than_the_cap_and_ten_milliseconds),
        cmocka_unit_test(a_message_to_all_servers_passes_even_a_tiny_cap),
        cmocka_unit_test(the_next_instant_is_neither_early_nor_late),
        cmocka_unit_test(credit_is_not_carried_over_a_pause),
        cmocka_unit_test(no_pause_and_no_new_limit_fills_an_empty_bucket),
        cmocka_unit_test(a_first_limit_begins_like_a_new_gate),
        cmocka_unit_test(the_clock_running_backwards_gives_no_credit),
        cmocka_unit_test(without_a_cap_everything_passes),
        cmocka_unit_test(catching_up_keeps_to_the_planned_rate_until_it_is_over),
        cmocka_unit_test(a_plan_without_a_rate_is_caught_up_with_twice_as_fast_each_second),
        cmocka_unit_test(nothing_to_catch_up_with_is_one_message_a_second_not_none),
        cmocka_unit_test(the_total_is_exact_and_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
