/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "agent/client/client_times.h"
#include "agent/client/population.h"

/* Shares as a deal hands them out: not adjacent, one of a single client. */
static const struct control_share shares[] = {
    {.relay = 2, .first_client = 100, .client_count = 50},
    {.relay = 5, .first_client = 150, .client_count = 1},
    {.relay = 9, .first_client = 1000, .client_count = 200},
};
enum { SHARES = 3, COUNT = 251 };

static int set_up(void **state)
{
    struct population *p = malloc(sizeof(*p));
    *state = p;
    return p != NULL && population_init(p, shares, SHARES) ? 0 : -1;
}

static int tear_down(void **state)
{
    population_fini(*state);
    free(*state);
    return 0;
}

static void clients_of_others_are_not_found(void **state)
{
    static const uint32_t strangers[] = {0, 99, 151, 152, 999, 1200, 1201, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        uint32_t local = 77;
        assert_false(population_local(*state, strangers[i], &local));
        assert_int_equal(local, 77);
    }
}

static void an_empty_population_has_nobody(void **state)
{
    (void)state;
    struct population p;
    uint32_t local;
    assert_true(population_init(&p, NULL, 0));
    assert_int_equal(p.count, 0);
    assert_false(population_local(&p, 0, &local));
    population_fini(&p);
}

static void every_client_is_found_again_by_its_global_number(void **state)
{
    const struct population *p = *state;
    assert_int_equal(p->count, COUNT);
    uint32_t local = 0;
    for (size_t s = 0; s < SHARES; s++) {
        for (uint32_t i = 0; i < shares[s].client_count; i++, local++) {
            uint32_t found = UINT32_MAX;
            assert_int_equal(population_global(p, local), shares[s].first_client + i);
            assert_int_equal(population_share_of(p, local), s);
            assert_true(population_local(p, shares[s].first_client + i, &found));
            assert_int_equal(found, local);
        }
    }
}

static void shares_may_come_in_any_order(void **state)
{
    (void)state;
    static const struct control_share mixed[] = {{9, 1000, 200}, {2, 100, 50}, {5, 150, 1}};
    struct population p;
    uint32_t local;
    assert_true(population_init(&p, mixed, SHARES));
    assert_true(population_local(&p, 150, &local));
    assert_int_equal(local, 250);
    assert_true(population_local(&p, 1199, &local));
    assert_int_equal(local, 199);
    assert_int_equal(population_global(&p, 249), 149);
    population_fini(&p);
}

static void the_order_of_starting_meets_everybody_once(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 3, 4, 6, 100, 1000, 65536, 99991};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct control_share share = {0, 0, counts[i]};
        struct population p;
        assert_true(population_init(&p, &share, 1));
        uint8_t *seen = calloc(counts[i], 1);
        for (uint32_t k = 0; k < counts[i]; k++) {
            uint32_t local = population_order(&p, k);
            assert_true(local < counts[i]);
            assert_int_equal(seen[local]++, 0);
        }
        free(seen);
        population_fini(&p);
    }
}

/* A ramp, or a handful of canaries, meets all relays. */
static void neighbours_in_the_order_lie_on_different_relays(void **state)
{
    (void)state;
    static const struct control_share four[] = {
        {0, 0, 1000}, {1, 1000, 1000}, {2, 2000, 1000}, {3, 3000, 1000}};
    struct population p;
    unsigned met[4] = {0};
    assert_true(population_init(&p, four, 4));
    for (uint32_t k = 0; k < 30; k++) {
        size_t relay = population_share_of(&p, population_order(&p, k));
        assert_int_not_equal(relay, population_share_of(&p, population_order(&p, k + 1)));
        met[relay]++;
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_in_range(met[i], 7, 8);
    }
    population_fini(&p);
}

static void a_client_fits_one_cache_line_and_begins_as_nothing(void **state)
{
    const struct population *p = *state;
    static const struct client zero;
    assert_int_equal(sizeof(struct client), 64);
    assert_int_equal((uintptr_t)p->clients % 64, 0);
    for (uint32_t i = 0; i < p->count; i++) {
        assert_memory_equal(&p->clients[i], &zero, sizeof(zero));
    }
}

static void a_retry_is_never_set_before_its_time(void **state)
{
    (void)state;
    struct client c = {.intended_ns = 1234567};
    client_set_retry(&c, 1234567 + 3 * NS_PER_S + 1);
    assert_true(client_retry_ns(&c) >= 1234567 + 3 * NS_PER_S + 1);
    client_set_retry(&c, 0);
    assert_int_equal(client_retry_ns(&c), 1234567);
    client_set_retry(&c, UINT64_MAX);
    assert_true(client_retry_ns(&c) == UINT64_MAX);
}

static void spans_saturate_and_never_run_backwards(void **state)
{
    (void)state;
    struct client c = {.intended_ns = NS_PER_S};
    assert_int_equal(client_span_us(&c, 0), 0);
    assert_int_equal(client_span_us(&c, NS_PER_S + 1500), 1);
    assert_true(client_span_us(&c, UINT64_MAX) == UINT32_MAX);
    for (unsigned i = 0; i < 40; i++) {
        client_set_naks(&c, i);
        assert_int_equal(c.naks, i < CLIENT_NAKS_MAX ? i : CLIENT_NAKS_MAX);
    }
}

static const struct control_take_share taken[] = {
    {.relay = 3, .first_client = 2000, .client_count = 30, .via_relay = 5},
    {.relay = 3, .first_client = 40, .client_count = 60, .via_relay = 9},
};

static void who_is_here_already_is_not_taken_and_nothing_changes(void **state)
{
    struct population *p = *state;
    static const struct control_take_share bad[] = {
        {3, 100, 1, 5}, {3, 149, 3, 5}, {3, 90, 11, 5}, {3, 0, 2000, 5}, {3, 1199, 5, 5}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(population_grow(p, &bad[i], 1));
        assert_int_equal(p->count, COUNT);
        assert_int_equal(p->share_count, SHARES);
    }
    assert_false(population_grow(p, &(struct control_take_share){3, 3000, PLAN_CLIENTS_MAX, 5}, 1));
}

static void those_who_come_later_stand_behind_and_are_found(void **state)
{
    struct population *p = *state;
    uint32_t local = 0;
    client_set(&p->clients[17], CLIENT_STARTED);
    assert_true(population_grow(p, taken, ARRAY_LEN(taken)));
    assert_int_equal(p->count, COUNT + 90);
    assert_true(client_has(&p->clients[17], CLIENT_STARTED));
    assert_int_equal(population_global(p, 17), 117); /* who was here keeps his number */
    for (uint32_t i = 0; i < 90; i++) {
        uint32_t global = i < 30 ? 2000 + i : 40 + i - 30;
        assert_true(population_local(p, global, &local));
        assert_int_equal(local, COUNT + i);
        assert_int_equal(population_global(p, local), global);
        assert_int_equal(p->shares[population_share_of(p, local)].relay, i < 30 ? 5 : 9);
        assert_int_equal(p->clients[local].flags, 0);
    }
    bool is_met[COUNT + 90] = {false};
    for (uint32_t k = 0; k < p->count; k++) {
        is_met[population_order(p, k)] = true;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        assert_true(is_met[i]);
    }
    assert_false(population_grow(p, taken, 1)); /* once is enough */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clients_of_others_are_not_found, set_up, tear_down),
        cmocka_unit_test(an_empty_population_has_nobody),
        cmocka_unit_test_setup_teardown(every_client_is_found_again_by_its_global_number, set_up,
                                        tear_down),
        cmocka_unit_test(shares_may_come_in_any_order),
        cmocka_unit_test(the_order_of_starting_meets_everybody_once),
        cmocka_unit_test(neighbours_in_the_order_lie_on_different_relays),
        cmocka_unit_test_setup_teardown(a_client_fits_one_cache_line_and_begins_as_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_is_here_already_is_not_taken_and_nothing_changes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_who_come_later_stand_behind_and_are_found, set_up,
                                        tear_down),
        cmocka_unit_test(a_retry_is_never_set_before_its_time),
        cmocka_unit_test(spans_saturate_and_never_run_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
