/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "coordinator/truth/lease_times.h"

enum { S = 1000000, A = 0, B = 1 };

static int set_up(void **state)
{
    static struct lease_times t;
    t = (struct lease_times){.expect_lease_s = 600, .expect_mclt_s = 60};
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    assert_false(((struct lease_times *)*state)->is_out_of_memory);
    lease_times_fini(*state);
    return 0;
}

static void ack(struct lease_times *t, size_t server, uint32_t lease_s, int64_t at_s)
{
    lease_times_ack(t, server, lease_s, at_s * S, false);
}

static void classes_are_within_a_second(void **state)
{
    static const struct {
        uint32_t lease_s;
        enum lease_class expected;
        bool is_short;
    } rows[] = {{600, LEASE_AS_EXPECTED, false}, {599, LEASE_AS_EXPECTED, false},
                {601, LEASE_AS_EXPECTED, false}, {598, LEASE_BETWEEN, true},
                {602, LEASE_OTHER, false},       {60, LEASE_AS_MCLT, true},
                {61, LEASE_AS_MCLT, true},       {59, LEASE_AS_MCLT, true},
                {62, LEASE_BETWEEN, true},       {58, LEASE_OTHER, true},
                {0, LEASE_OTHER, true},          {UINT32_MAX, LEASE_OTHER, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (lease_times_class(*state, rows[i].lease_s) != rows[i].expected ||
            lease_times_is_short(*state, rows[i].lease_s) != rows[i].is_short) {
            fail_msg("row %zu: %u s", i, rows[i].lease_s);
        }
    }
}

static void without_an_expectation_nothing_is_short(void **state)
{
    struct lease_times *t = *state;
    t->expect_lease_s = 0;
    ack(t, A, 60, 10);
    assert_int_equal(t->server[A].of[LEASE_OTHER].acks, 1);
    assert_int_equal(t->server[A].wave_count, 0);
    assert_int_equal(t->server[A].time_count, 1);
}

static void first_leases_are_no_wave(void **state)
{
    struct lease_times *t = *state;
    lease_times_ack(t, A, 60, 5 * S, true);
    assert_int_equal(t->server[A].wave_count, 0);
    assert_int_equal(t->server[A].short_first.acks, 1);
    assert_int_equal(t->server[A].of[LEASE_AS_MCLT].acks, 1);
}

static void a_wave_lasts_while_its_clients_come_back(void **state)
{
    struct lease_times *t = *state;
    ack(t, A, 600, 300);
    ack(t, A, 60, 310);
    ack(t, A, 60, 369);
    ack(t, A, 60, 415);
    ack(t, A, 600, 420);
    ack(t, A, 60, 476); /* later than the longest of them lasts: another one */
    const struct lease_times_server *s = &t->server[A];
    assert_int_equal(s->wave_count, 2);
    assert_int_equal(s->wave[0].count.acks, 3);
    assert_int_equal(s->wave[0].count.first_us, 310 * S);
    assert_int_equal(s->wave[0].count.last_us, 415 * S);
    assert_int_equal(s->wave[1].count.acks, 1);
    assert_int_equal(t->server[B].wave_count, 0);
}

/* Streams of different agents lag: what comes late may close the gap between two waves. */
static void order_does_not_matter(void **state)
{
    struct lease_times *t = *state;
    static const int64_t at_s[] = {415, 300, 530, 358, 473};
    for (size_t i = 0; i < ARRAY_LEN(at_s); i++) {
        ack(t, A, i == 0 ? 90 : 60, at_s[i]);
    }
    const struct lease_times_server *s = &t->server[A];
    assert_int_equal(s->wave_count, 1);
    assert_int_equal(s->wave[0].count.acks, 5);
    assert_int_equal(s->wave[0].count.first_us, 300 * S);
    assert_int_equal(s->wave[0].count.last_us, 530 * S);
    assert_int_equal(s->wave[0].shortest_s, 60);
    assert_int_equal(s->wave[0].longest_s, 90);
}

static void no_ack_is_lost_when_tables_are_full(void **state)
{
    struct lease_times *t = *state;
    uint64_t acks = 0, in_waves = 0;
    for (uint32_t i = 0; i < 200; i++) {
        ack(t, B, 60 + 3 * i, 1000 * (int64_t)i); /* each 1000 s apart: more waves than rows */
    }
    const struct lease_times_server *s = &t->server[B];
    assert_int_equal(s->time_count, LEASE_TIMES_MAX);
    assert_int_equal(s->wave_count, LEASE_WAVES_MAX);
    for (size_t i = 0; i < s->time_count; i++) {
        acks += s->time[i].count.acks;
    }
    assert_int_equal(acks + s->rest.acks + s->short_rest.acks, 200);
    acks = 0;
    for (size_t i = 0; i < LEASE_CLASS_COUNT; i++) {
        acks += s->of[i].acks;
    }
    assert_int_equal(acks, 200);
    for (size_t i = 0; i < s->wave_count; i++) {
        in_waves += s->wave[i].count.acks;
    }
    assert_int_equal(in_waves, 180); /* 60, 63 ... 597: those below 599 */
    assert_int_equal(s->spread->count, 200);
    assert_int_equal(s->spread->min_ns, 60000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(classes_are_within_a_second), TEST(without_an_expectation_nothing_is_short),
        TEST(first_leases_are_no_wave),    TEST(a_wave_lasts_while_its_clients_come_back),
        TEST(order_does_not_matter),       TEST(no_ack_is_lost_when_tables_are_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
