/* SPDX-License-Identifier: MIT */
/* Hostile and clumsy observers at the gate. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/run/observer_gate.h"

#define AT_S(s) ((uint64_t)(s)*NS_PER_S)

static const char route_a[] = "route-a", route_b[] = "route-b";

static struct control_observer_hello hello_of(uint64_t epoch, uint32_t address)
{
    static struct ipv4 addresses[1];
    struct control_observer_hello hello = {.proto_min = CONTROL_PROTO,
                                           .proto_max = CONTROL_PROTO,
                                           .build = "0.1.0",
                                           .host = "h",
                                           .program = "dhcpd",
                                           .epoch = epoch,
                                           .addresses = addresses,
                                           .address_count = 1};
    addresses[0] = inet_from_host(address);
    return hello;
}

static enum observer_answer call(struct observer_gate *gate, const char *name, uint64_t epoch,
                                 const char *route, uint64_t session, uint64_t now_ns,
                                 struct observer_guest **out)
{
    struct control_observer_hello hello = hello_of(epoch, 0xc0a8010c);
    return observer_gate_hello(gate, name, &hello, route, strlen(route), session, now_ns, out);
}

static int set_up(void **state)
{
    static struct observer_gate gate;
    gate = (struct observer_gate){0};
    *state = &gate;
    return 0;
}

static int tear_down(void **state)
{
    observer_gate_fini(*state);
    return 0;
}

/* Exchanges of 100 us to and fro; the observer's clock is `ahead_ns` ahead. */
static void teach_clock(struct observer_guest *g, uint64_t now_ns, uint64_t ahead_ns)
{
    for (uint64_t i = 0; i < CLOCK_MAP_FIRST; i++) {
        uint64_t t1_ns = now_ns - (CLOCK_MAP_FIRST - i) * 20 * NS_PER_MS;
        uint64_t there_ns = t1_ns + 50 * NS_PER_US + ahead_ns;
        assert_true(clock_map_add(&g->clock, t1_ns, there_ns, there_ns, t1_ns + 100 * NS_PER_US));
    }
    assert_true(clock_map_is_usable(&g->clock));
}

static void a_second_process_of_a_name_waits_until_the_first_is_silent(void **state)
{
    struct observer_gate *gate = *state;
    struct observer_guest *g = NULL, *untouched = NULL;
    assert_int_equal(call(gate, "o1", 1, route_a, 10, AT_S(1), &g), OBSERVER_WELCOME);
    assert_int_equal(call(gate, "o1", 2, route_b, 11, AT_S(2), &untouched), OBSERVER_DUPLICATE);
    assert_null(untouched);
    assert_ptr_equal(observer_gate_find(gate, "o1", 10), g);
    assert_int_equal(call(gate, "o1", 2, route_b, 12, AT_S(1) + RUN_LEASE_ENDED_NS, &g),
                     OBSERVER_WELCOME);
    assert_int_equal(gate->count, 1);
    assert_null(observer_gate_find(gate, "o1", 10));
    assert_ptr_equal(observer_gate_find(gate, "o1", 12), g);
}

static void a_repeated_hello_keeps_its_session_and_a_new_route_gets_another(void **state)
{
    struct observer_gate *gate = *state;
    struct observer_guest *g = NULL;
    assert_int_equal(call(gate, "o1", 1, route_a, 10, AT_S(1), &g), OBSERVER_WELCOME);
    assert_int_equal(call(gate, "o1", 1, route_a, 11, AT_S(2), &g), OBSERVER_WELCOME);
    assert_int_equal(g->session, 10);
    assert_int_equal(call(gate, "o1", 1, route_b, 12, AT_S(3), &g), OBSERVER_WELCOME);
    assert_int_equal(g->session, 12);
    assert_null(observer_gate_find(gate, "o1", 10));
}

static void who_it_watches_does_not_change_with_what_it_says_later(void **state)
{
    struct observer_gate *gate = *state;
    struct observer_guest *g = NULL;
    struct control_observer_hello hello = hello_of(1, 0xc0a8010c);
    assert_int_equal(observer_gate_hello(gate, "o1", &hello, route_a, 7, 10, AT_S(1), &g),
                     OBSERVER_WELCOME);
    hello = hello_of(2, 0xc0a8020c);
    assert_int_equal(observer_gate_hello(gate, "o1", &hello, route_a, 7, 11, AT_S(9), &g),
                     OBSERVER_WELCOME);
    assert_int_equal(inet_host(g->hello.addresses[0]), 0xc0a8010c);
}

static void there_is_room_for_as_many_as_servers_and_no_more(void **state)
{
    struct observer_gate *gate = *state;
    struct observer_guest *g = NULL;
    char name[16];
    for (unsigned i = 0; i < OBSERVER_GATE_MAX; i++) {
        (void)snprintf(name, sizeof(name), "o%u", i);
        assert_int_equal(call(gate, name, 1, route_a, 10 + i, AT_S(1), &g), OBSERVER_WELCOME);
    }
    assert_int_equal(call(gate, "late", 1, route_a, 99, AT_S(1), &g), OBSERVER_FULL);
    assert_false(observer_gate_recall(gate, "late", &g->hello));
    assert_int_equal(call(gate, "o0", 1, route_b, 99, AT_S(1), &g), OBSERVER_WELCOME);
}

static void a_session_is_not_found_by_another_name_or_when_there_is_none(void **state)
{
    struct observer_gate *gate = *state;
    struct observer_guest *g = NULL;
    assert_int_equal(call(gate, "o1", 1, route_a, 10, AT_S(1), &g), OBSERVER_WELCOME);
    assert_null(observer_gate_find(gate, "o2", 10));
    g->session = 0;
    assert_null(observer_gate_find(gate, "o1", CONTROL_SESSION_UNKNOWN));
}

static size_t flood(struct observer_guest *g, uint64_t from_ns, uint64_t every_ns, unsigned frames)
{
    static uint64_t seq;
    struct observation frame = {.at_ns = 1};
    size_t kept = 0;
    for (unsigned i = 0; i < frames; i++) {
        frame.seq = ++seq;
        kept += observer_guest_hold(g, &frame, from_ns + i * every_ns);
    }
    return kept;
}

static void of_a_flood_two_frames_a_second_are_kept(void **state)
{
    struct observer_guest *g = NULL;
    assert_int_equal(call(*state, "o1", 1, route_a, 10, AT_S(1), &g), OBSERVER_WELCOME);
    size_t kept = flood(g, AT_S(2), NS_PER_MS, 10000); /* ten seconds */
    assert_in_range(kept, 29, 31);                     /* and the ten that a stall may bring */
    assert_int_equal(g->turned_away, 10000 - kept);
    assert_int_equal(flood(g, AT_S(20), NS_PER_S, 100), 100); /* as an observer sends */
    assert_int_equal(g->held_count, OBSERVER_HELD_MAX);
}

static void a_frame_said_again_is_not_kept(void **state)
{
    struct observer_guest *g = NULL;
    struct observation frame = {.seq = 5, .at_ns = 1};
    assert_int_equal(call(*state, "o1", 1, route_a, 10, AT_S(1), &g), OBSERVER_WELCOME);
    assert_true(observer_guest_hold(g, &frame, AT_S(2)));
    assert_false(observer_guest_hold(g, &frame, AT_S(3)));
    frame.seq = 4;
    assert_false(observer_guest_hold(g, &frame, AT_S(3)));
    assert_int_equal(call(*state, "o1", 2, route_a, 11, AT_S(9), &g), OBSERVER_WELCOME);
    frame.seq = 1; /* of its successor */
    assert_true(observer_guest_hold(g, &frame, AT_S(10)));
}

static void what_was_said_in_words_outlives_the_frame_it_came_with(void **state)
{
    struct observer_guest *g = NULL;
    struct observation frame = {.seq = 1, .at_ns = 1};
    assert_int_equal(call(*state, "o1", 1, route_a, 10, AT_S(1), &g), OBSERVER_WELCOME);
    observation_set_note(&frame, NOTE_PROGRAM, "dhcpd 4.4.3");
    observation_set_note(&frame, NOTE_NAT_RULE, "old");
    assert_true(observer_guest_hold(g, &frame, AT_S(2)));
    for (uint64_t i = 2; i <= 2 * OBSERVER_HELD_MAX; i++) {
        frame = (struct observation){.seq = i, .at_ns = i};
        observation_set_note(&frame, NOTE_NAT_RULE, i == 3 ? "new" : "");
        assert_true(observer_guest_hold(g, &frame, AT_S(2 + i)));
    }
    assert_int_equal(g->held_count, OBSERVER_HELD_MAX);
    assert_string_equal(g->held[0].frame.note[NOTE_PROGRAM], "dhcpd 4.4.3");
    assert_string_equal(g->held[0].frame.note[NOTE_NAT_RULE], "new");
    assert_int_equal(g->held[OBSERVER_HELD_MAX - 1].frame.seq, 2 * OBSERVER_HELD_MAX);
}

static void a_frame_is_dated_by_the_clock_and_not_by_what_it_claims(void **state)
{
    struct observer_guest *g = NULL;
    const uint64_t ahead_ns = 5000 * NS_PER_S, now_ns = AT_S(1000);
    struct observer_held held = {.heard_ns = now_ns};
    int64_t at_ns = 0;
    uint64_t uncertainty_ns = 0;
    assert_int_equal(call(*state, "o1", 1, route_a, 10, now_ns, &g), OBSERVER_WELCOME);
    held.frame.at_ns = now_ns + ahead_ns - 3 * NS_PER_MS;
    assert_false(observer_guest_date(g, &held, &at_ns, &uncertainty_ns)); /* no clock yet */
    teach_clock(g, now_ns, ahead_ns);
    assert_true(observer_guest_date(g, &held, &at_ns, &uncertainty_ns));
    assert_in_range((uint64_t)at_ns, now_ns - 4 * NS_PER_MS, now_ns - 2 * NS_PER_MS);
    assert_in_range(uncertainty_ns, 1, NS_PER_MS);
    static const struct {
        int64_t off_ns;
        bool is_possible;
    } rows[] = {{-29 * INT64_C(1000000000), true},   {-31 * INT64_C(1000000000), false},
                {900 * INT64_C(1000000), true},      {1100 * INT64_C(1000000), false},
                {3600 * INT64_C(1000000000), false}, {-3600 * INT64_C(1000000000), false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        held.frame.at_ns = (uint64_t)((int64_t)(now_ns + ahead_ns) + rows[i].off_ns);
        if (observer_guest_date(g, &held, &at_ns, &uncertainty_ns) != rows[i].is_possible) {
            fail_msg("row %zu", i);
        }
    }
    held.frame.at_ns = INT64_MAX;
    assert_false(observer_guest_date(g, &held, &at_ns, &uncertainty_ns));
    held.frame.at_ns = 1;
    assert_false(observer_guest_date(g, &held, &at_ns, &uncertainty_ns));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_second_process_of_a_name_waits_until_the_first_is_silent),
        TEST(a_repeated_hello_keeps_its_session_and_a_new_route_gets_another),
        TEST(who_it_watches_does_not_change_with_what_it_says_later),
        TEST(there_is_room_for_as_many_as_servers_and_no_more),
        TEST(a_session_is_not_found_by_another_name_or_when_there_is_none),
        TEST(of_a_flood_two_frames_a_second_are_kept),
        TEST(a_frame_said_again_is_not_kept),
        TEST(what_was_said_in_words_outlives_the_frame_it_came_with),
        TEST(a_frame_is_dated_by_the_clock_and_not_by_what_it_claims),
    };
    return cmocka_run_group_tests_name("observer_gate", tests, NULL, NULL);
}
