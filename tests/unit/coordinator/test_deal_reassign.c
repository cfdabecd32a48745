/* SPDX-License-Identifier: MIT */
/* Where the clients of a lost agent go. */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/deal.h"

enum { AGENTS = 3, RELAYS = 6 };

static struct plan_relay relays[RELAYS];
static const struct plan plan = {
    .relays = relays, .relay_count = RELAYS, .client_count = RELAYS * 100};
static uint32_t owner[RELAYS];
static struct deal_home homes[AGENTS];
static struct deal_move *moves;
static size_t move_count;

/* Relay i at agent i % 3; relays 0..3 in one subnet, 4 and 5 alone in theirs. */
static int set_up(void **state)
{
    static const char *const names[AGENTS] = {"a1", "a2", "a3"};
    (void)state;
    for (uint32_t i = 0; i < RELAYS; i++) {
        uint32_t subnet = i < 4 ? 0 : i;
        relays[i] = (struct plan_relay){
            .subnet = {inet_from_host(0x0a000000 + (subnet << 16)), 16},
            .first_client = 100 * i,
            .client_count = 100,
        };
        owner[i] = i % AGENTS;
    }
    for (size_t i = 0; i < AGENTS; i++) {
        homes[i] =
            (struct deal_home){.name = names[i], .cores = 1, .clients = 200, .can_take = true};
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(moves);
    moves = NULL;
    return 0;
}

static struct deal_lost lost_relay(uint32_t relay, uint32_t from)
{
    return (struct deal_lost){
        .share = {.relay = relay, .first_client = 100 * relay, .client_count = 100}, .from = from};
}

static void deal(const struct deal_lost *lost, size_t count)
{
    assert_true(deal_reassign(&plan, owner, homes, AGENTS, lost, count, &moves, &move_count));
}

static void whose_subnet_has_no_other_relay_has_nowhere_to_go(void **state)
{
    (void)state;
    const struct deal_lost lost = lost_relay(4, 1);
    homes[1].can_take = false;
    deal(&lost, 1);
    assert_int_equal(move_count, 1);
    assert_int_equal(moves[0].to, DEAL_NOBODY);
    assert_int_equal(moves[0].share.client_count, 100);
}

static void a_dead_agents_relay_is_no_home(void **state)
{
    (void)state;
    const struct deal_lost lost = lost_relay(0, 0);
    homes[0].can_take = homes[1].can_take = homes[2].can_take = false;
    deal(&lost, 1);
    assert_int_equal(moves[0].to, DEAL_NOBODY);
}

static void the_same_base_with_another_prefix_is_another_subnet(void **state)
{
    (void)state;
    const struct deal_lost lost = lost_relay(1, 1);
    homes[1].can_take = false;
    relays[1].subnet.prefix_bits = 17;
    deal(&lost, 1);
    assert_int_equal(moves[0].to, DEAL_NOBODY);
}

static void a_share_is_cut_so_that_all_who_can_take_have_a_part(void **state)
{
    (void)state;
    const struct deal_lost lost = lost_relay(1, 1);
    homes[1].can_take = false;
    deal(&lost, 1);
    assert_int_equal(move_count, 2);
    assert_int_equal(moves[0].to, 0); /* as many clients: the name decides */
    assert_int_equal(moves[1].to, 2);
    assert_int_equal(moves[0].share.client_count, 50);
    assert_int_equal(moves[1].share.client_count, 50);
    assert_int_equal(moves[0].share.first_client, 100);
    assert_int_equal(moves[1].share.first_client, 150);
    assert_int_equal(moves[0].share.relay, 1);
    assert_int_equal(moves[0].share.via_relay, 0);
    assert_int_equal(moves[1].share.via_relay, 2);
    assert_int_equal(moves[0].from, 1);
}

static void fewest_clients_per_core_come_first(void **state)
{
    (void)state;
    const struct deal_lost lost[] = {lost_relay(1, 1), lost_relay(1, 1)};
    homes[1].can_take = false;
    homes[2].cores = 4;
    homes[2].clients = 300; /* 75 a core against 200 */
    deal(lost, 1);
    assert_int_equal(moves[0].to, 2);
    assert_int_equal(moves[1].to, 2); /* 87 a core still */
}

static void of_one_agents_relays_the_one_with_fewer_of_them_is_taken(void **state)
{
    (void)state;
    const struct deal_lost lost[] = {lost_relay(1, 1), lost_relay(2, 2)};
    homes[1].can_take = homes[2].can_take = false; /* only a1, with relays 0 and 3 */
    deal(lost, 2);
    assert_int_equal(move_count, 2);
    assert_int_equal(moves[0].share.via_relay, 0);
    assert_int_equal(moves[1].share.via_relay, 3);
}

static void nobody_is_dealt_twice_or_forgotten(void **state)
{
    (void)state;
    enum { SHARES = 40 };
    struct deal_lost lost[SHARES];
    bool has[RELAYS * 100] = {false};
    for (uint32_t i = 0; i < SHARES; i++) {
        lost[i] = (struct deal_lost){
            .share = {.relay = 1, .first_client = 100 + i * 2, .client_count = 2}, .from = 1};
    }
    homes[1].can_take = false;
    deal(lost, SHARES);
    assert_int_equal(move_count, SHARES); /* many small ones are not cut */
    uint64_t clients[AGENTS] = {0};
    for (size_t i = 0; i < move_count; i++) {
        clients[moves[i].to] += moves[i].share.client_count;
        for (uint32_t k = 0; k < moves[i].share.client_count; k++) {
            assert_false(has[moves[i].share.first_client + k]);
            has[moves[i].share.first_client + k] = true;
        }
    }
    assert_int_equal(clients[0], 40);
    assert_int_equal(clients[2], 40);
}

static void no_piece_is_larger_than_a_message(void **state)
{
    (void)state;
    const struct deal_lost lost = {.share = {.relay = 1, .first_client = 0, .client_count = 300000},
                                   .from = 1};
    homes[1].can_take = false;
    deal(&lost, 1);
    uint64_t sum = 0;
    for (size_t i = 0; i < move_count; i++) {
        assert_in_range(moves[i].share.client_count, 1, CONTROL_TAKE_CLIENTS_MAX);
        sum += moves[i].share.client_count;
    }
    assert_int_equal(sum, 300000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whose_subnet_has_no_other_relay_has_nowhere_to_go),
        TEST(a_dead_agents_relay_is_no_home),
        TEST(the_same_base_with_another_prefix_is_another_subnet),
        TEST(a_share_is_cut_so_that_all_who_can_take_have_a_part),
        TEST(fewest_clients_per_core_come_first),
        TEST(of_one_agents_relays_the_one_with_fewer_of_them_is_taken),
        TEST(nobody_is_dealt_twice_or_forgotten),
        TEST(no_piece_is_larger_than_a_message),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
