/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <string.h>

#include "agent/client/client_times.h"
#include "agent/lane/due.h"
#include "common/prng.h"

enum { CLIENTS = 50 };

static struct client clients[CLIENTS];

static void who_leaves_has_nothing_to_repeat_yet(void **state)
{
    (void)state;
    struct due due = {0};
    client_set_retry(&clients[3], 4 * NS_PER_S);
    due_push(&due, clients, 3);
    assert_int_equal(due_pop(&due, clients), 3);
    assert_true(client_retry_ns(&clients[3]) == UINT64_MAX);
    assert_int_equal(due.count, 0);
}

/* Two queues through the same records: each client is in one of them, or in none. */
static void first_come_is_first_served_and_moving_between_queues_loses_nobody(void **state)
{
    (void)state;
    struct due due[2] = {{0}};
    uint32_t expected[2][CLIENTS], at[CLIENTS] = {0}; /* 0: in none, else 1 + queue */
    struct prng prng = prng_seeded(3);
    for (unsigned n = 0; n < 100000; n++) {
        uint32_t local = (uint32_t)prng_below(&prng, CLIENTS);
        unsigned q = (unsigned)prng_below(&prng, 2);
        if (at[local] == 0) {
            expected[q][due[q].count] = local;
            due_push(&due[q], clients, local);
            at[local] = 1 + q;
        }
        q = (unsigned)prng_below(&prng, 2);
        if (due[q].count > 0 && prng_below(&prng, 2) == 0) {
            assert_int_equal(due[q].first, expected[q][0]);
            local = due_pop(&due[q], clients);
            assert_int_equal(local, expected[q][0]);
            memmove(expected[q], expected[q] + 1, due[q].count * sizeof(expected[q][0]));
            at[local] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_leaves_has_nothing_to_repeat_yet),
        cmocka_unit_test(first_come_is_first_served_and_moving_between_queues_loses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
