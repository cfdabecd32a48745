/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "coordinator/truth/live_addresses.h"
#include "coordinator/truth/sparse_bitmap.h"
#include "coordinator/truth/table.h"

/* Clients below 100 are played by agent 0, the others by agent 1. */
static uint32_t agent_of(const void *context, uint32_t client)
{
    (void)context;
    return client < 100 ? 0 : 1;
}

enum { S = 1000000, A = 1, A_TOO = 2, B = 100, C = 101 };

static struct ipv4 ip(uint32_t last)
{
    return inet_from_host(0x0a0a0000 + last);
}

static int set_up(void **state)
{
    struct live_addresses *live = live_addresses_new(2, agent_of, NULL);
    assert_non_null(live);
    live_addresses_uncertainty(live, 0, 1000);
    live_addresses_uncertainty(live, 1, 1000);
    *state = live;
    return 0;
}

static int tear_down(void **state)
{
    live_addresses_free(*state);
    return 0;
}

static void lease(struct live_addresses *live, uint32_t address, uint32_t client, int64_t from_s,
                  int64_t until_s)
{
    struct live_holder who = {.client = client, .agent = agent_of(NULL, client)};
    live_addresses_lease(live, ip(address), who, from_s * S, until_s * S);
}

static void both_passed(struct live_addresses *live, int64_t at_s)
{
    live_addresses_watermark(live, 0, at_s * S);
    live_addresses_watermark(live, 1, at_s * S);
}

static uint64_t duplicates(struct live_addresses *live)
{
    return live_addresses_figures(live).duplicates;
}

static void one_address_at_two_clients_is_found(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, B, 40, 100);
    assert_int_equal(duplicates(*state), 0); /* a suspect so far */
    both_passed(*state, 41);
    struct live_figures figures = live_addresses_figures(*state);
    assert_int_equal(figures.duplicates, 1);
    assert_int_equal(figures.distinct, 1);
    assert_int_equal(figures.example_count, 1);
    assert_int_equal(figures.examples[0].first_client, A);
    assert_int_equal(figures.examples[0].second_client, B);
    assert_int_equal(figures.examples[0].at_us, 40 * S);
    assert_int_equal(figures.examples[0].overlap_us, 30 * S);
}

static void two_clients_of_one_agent_are_found_too(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, A_TOO, 40, 100);
    both_passed(*state, 41);
    assert_int_equal(duplicates(*state), 1);
}

static void an_address_counts_once_however_often_it_overlaps(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, B, 20, 80);
    lease(*state, 1, A, 30, 90);
    lease(*state, 1, B, 40, 100);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 1);
}

static void an_address_that_expired_may_be_given_to_another(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, B, 70, 130);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 0);
}

static void a_renewal_by_the_same_client_is_no_overlap(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, A, 40, 100);
    lease(*state, 1, B, 101, 161);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 0);
}

static void a_lease_that_was_renewed_is_still_held(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, A, 40, 100);
    lease(*state, 1, B, 80, 140);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 1);
}

static void a_released_address_may_be_given_to_another(void **state)
{
    lease(*state, 1, A, 10, 70);
    live_addresses_end(*state, ip(1), A, 30 * S);
    lease(*state, 1, B, 40, 100);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 0);
    assert_int_equal(live_addresses_figures(*state).live_now, 1);
}

static void a_release_that_arrives_late_clears_the_suspicion(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, B, 40, 100);
    live_addresses_watermark(*state, 1, 50 * S);
    assert_int_equal(duplicates(*state), 0); /* agent 0 has not told all yet */
    live_addresses_end(*state, ip(1), A, 30 * S);
    both_passed(*state, 60);
    assert_int_equal(duplicates(*state), 0);
    assert_int_equal(live_addresses_figures(*state).undecided, 0);
}

static void a_stream_that_lags_may_tell_of_the_earlier_lease_last(void **state)
{
    lease(*state, 1, B, 40, 100);
    lease(*state, 1, A, 10, 70);
    live_addresses_end(*state, ip(1), A, 30 * S);
    both_passed(*state, 60);
    assert_int_equal(duplicates(*state), 0);

    lease(*state, 2, B, 40, 100);
    lease(*state, 2, A, 10, 70); /* and this one is never given up */
    both_passed(*state, 61);
    assert_int_equal(duplicates(*state), 1);
}

static void a_late_renewal_and_its_release_leave_no_suspicion(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, B, 40, 100);
    lease(*state, 1, A, 25, 85);
    live_addresses_end(*state, ip(1), A, 30 * S);
    both_passed(*state, 60);
    assert_int_equal(duplicates(*state), 0);
}

static void an_overlap_within_the_clocks_uncertainty_is_nothing(void **state)
{
    struct live_holder b = {.client = B, .agent = 1};
    live_addresses_uncertainty(*state, 1, 20000);
    lease(*state, 1, A, 10, 70);
    live_addresses_lease(*state, ip(1), b, 70 * S - 15000, 130 * S);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 0);

    lease(*state, 2, A, 10, 70);
    live_addresses_lease(*state, ip(2), b, 70 * S - 50000, 130 * S);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 1);
}

static void what_a_lost_agent_took_with_it_is_not_decided(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 1, B, 40, 100);
    live_addresses_agent_lost(*state, 0);
    live_addresses_watermark(*state, 1, 60 * S);
    assert_int_equal(duplicates(*state), 0);
    assert_int_equal(live_addresses_figures(*state).undecided, 1);
}

static void who_moved_to_another_address_is_not_accused(void **state)
{
    lease(*state, 1, A, 10, 70);
    lease(*state, 2, A, 30, 90);
    live_addresses_moved(*state, A);
    lease(*state, 1, B, 40, 100);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 0);
}

static void preflight_before_the_start_and_endless_leases_are_kept(void **state)
{
    struct live_holder a = {.client = A, .agent = 0};
    live_addresses_lease(*state, ip(1), a, -5 * S, -5 * S + (int64_t)UINT32_MAX * S);
    lease(*state, 1, B, 20000, 20060);
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), 1);
}

static void more_overlaps_than_fit_are_counted_as_undecided(void **state)
{
    for (uint32_t i = 1; i <= LIVE_SUSPECTS_MAX + 10; i++) {
        lease(*state, i, A, 10, 70);
        lease(*state, i, B, 40, 100);
    }
    live_addresses_decide_all(*state);
    assert_int_equal(duplicates(*state), LIVE_SUSPECTS_MAX);
    assert_int_equal(live_addresses_figures(*state).undecided, 10);
    assert_int_equal(live_addresses_figures(*state).example_count, LIVE_EXAMPLES_MAX);
}

static void the_table_survives_churn(void **state)
{
    (void)state;
    struct table table = {0};
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t key = 1; key <= 20000; key++) {
            struct table_entry *e = table_put(&table, key);
            assert_non_null(e);
            e->value = key + round;
        }
        for (uint32_t key = 1; key <= 20000; key += 3) {
            table_remove(&table, key);
        }
        for (uint32_t key = 1; key <= 20000; key++) {
            const struct table_entry *e = table_find(&table, key);
            if (key % 3 == 1) {
                assert_null(e);
            } else {
                assert_non_null(e);
                assert_int_equal(e->value, key + round);
            }
        }
    }
    assert_int_equal(table.count, 20000 - 6667);
    table_remove(&table, 1); /* not there */
    table_fini(&table);
}

static void a_bitmap_knows_its_members_only(void **state)
{
    (void)state;
    struct sparse_bitmap set = {0};
    assert_false(sparse_bitmap_has(&set, 0));
    assert_true(sparse_bitmap_add(&set, UINT32_MAX));
    assert_true(sparse_bitmap_add(&set, UINT32_MAX));
    assert_true(sparse_bitmap_add(&set, 0));
    assert_int_equal(set.count, 2);
    assert_true(sparse_bitmap_has(&set, 0));
    assert_false(sparse_bitmap_has(&set, 1));
    assert_false(sparse_bitmap_has(&set, UINT32_MAX - 1));
    sparse_bitmap_fini(&set);
    assert_false(sparse_bitmap_has(&set, 0));
}

static void the_oldest_leases_are_counted_by_their_server(void **state)
{
    uint64_t by_server[LIVE_SERVERS];
    for (uint32_t i = 0; i < 300; i++) {
        uint8_t server = i % 3 == 0 ? LIVE_NO_SERVER : i % 3 == 1 ? 0 : PLAN_SERVERS_MAX - 1;
        struct live_holder who = {.client = PLAN_CLIENTS_MAX - 1 - i, .agent = 0, .server = server};
        int64_t until_us = (int64_t)(server == 0 ? 60 : 300) * S;
        live_addresses_lease(*state, ip(1000 + i), who, S, until_us);
    }
    live_addresses_oldest(*state, 0, by_server);
    assert_int_equal(by_server[0], 0);
    live_addresses_oldest(*state, 100, by_server);
    assert_int_equal(by_server[0], 100);
    live_addresses_oldest(*state, 1000000, by_server); /* more than there are */
    assert_int_equal(by_server[0], 100);
    assert_int_equal(by_server[PLAN_SERVERS_MAX - 1], 100);
    assert_int_equal(by_server[LIVE_NO_SERVER], 100);
    assert_int_equal(live_addresses_figures(*state).duplicates, 0);
}

static void the_oldest_of_an_empty_table_are_none(void **state)
{
    uint64_t by_server[LIVE_SERVERS];
    live_addresses_oldest(*state, 10, by_server);
    for (size_t i = 0; i < LIVE_SERVERS; i++) {
        assert_int_equal(by_server[i], 0);
    }
}

static void an_address_of_preflight_is_not_one_of_the_runs(void **state)
{
    struct live_holder probe = {.client = A, .agent = 0, .is_preflight = true};
    live_addresses_lease(*state, ip(1), probe, -5 * S, 50 * S);
    assert_int_equal(live_addresses_figures(*state).distinct, 0);
    live_addresses_end(*state, ip(1), A, -4 * S);
    probe.is_preflight = false;
    live_addresses_lease(*state, ip(1), probe, S, 60 * S);
    assert_int_equal(live_addresses_figures(*state).distinct, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_address_at_two_clients_is_found),
        TEST(two_clients_of_one_agent_are_found_too),
        TEST(an_address_counts_once_however_often_it_overlaps),
        TEST(an_address_that_expired_may_be_given_to_another),
        TEST(a_renewal_by_the_same_client_is_no_overlap),
        TEST(a_lease_that_was_renewed_is_still_held),
        TEST(a_released_address_may_be_given_to_another),
        TEST(a_release_that_arrives_late_clears_the_suspicion),
        TEST(a_stream_that_lags_may_tell_of_the_earlier_lease_last),
        TEST(a_late_renewal_and_its_release_leave_no_suspicion),
        TEST(an_overlap_within_the_clocks_uncertainty_is_nothing),
        TEST(what_a_lost_agent_took_with_it_is_not_decided),
        TEST(who_moved_to_another_address_is_not_accused),
        TEST(preflight_before_the_start_and_endless_leases_are_kept),
        TEST(more_overlaps_than_fit_are_counted_as_undecided),
        TEST(the_oldest_leases_are_counted_by_their_server),
        TEST(the_oldest_of_an_empty_table_are_none),
        TEST(an_address_of_preflight_is_not_one_of_the_runs),
        TEST(the_table_survives_churn),
        TEST(a_bitmap_knows_its_members_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
