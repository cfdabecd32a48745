/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>

#include "tests/support/paced_server.h"

/* What searches are tested against must itself be right. */

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static struct paced_server model_of(double per_s, size_t queue)
{
    struct paced_server m;
    const struct paced_options o = {.per_s = per_s, .queue = queue, .seed = 1};
    assert_true(paced_server_init(&m, &o));
    return m;
}

/* Offers `per_s` of cost 1 for ten seconds; returns how many answers had left by then, per second.
 */
static double answered_per_s(struct paced_server *m, double per_s)
{
    uint64_t answered = 0, before_ns = 0;
    for (unsigned i = 0; i < 10 * per_s; i++) {
        uint64_t at_ns = 1000 * S + (uint64_t)(i * 1e9 / per_s), leave_ns = 0;
        if (paced_server_take(m, at_ns, 1, &leave_ns) == PACED_ANSWERED) {
            assert_true(leave_ns >= at_ns && leave_ns >= before_ns);
            answered += leave_ns <= 1010 * S;
            before_ns = leave_ns;
        }
    }
    return (double)answered / 10;
}

static void a_flood_is_answered_at_the_capacity(void **state)
{
    (void)state;
    static const double capacities[] = {500, 777.7, 3000, 8000};
    static const double jitters[] = {0, 0.5, 1};
    for (size_t i = 0; i < 12; i++) {
        const struct paced_options o = {
            .per_s = capacities[i / 3], .jitter = jitters[i % 3], .queue = 300, .seed = i};
        struct paced_server m;
        assert_true(paced_server_init(&m, &o));
        double got = answered_per_s(&m, 2 * o.per_s);
        if (fabs(got / o.per_s - 1) > 0.002) {
            fail_msg("%.1f/s at capacity %.1f/s, jitter %.1f", got, o.per_s, o.jitter);
        }
        assert_true(m.fates[PACED_QUEUE_FULL] > 0);
        paced_server_fini(&m);
    }
}

static void below_its_capacity_nothing_is_lost_and_nothing_waits(void **state)
{
    (void)state;
    struct paced_server m = model_of(1000, 5);
    assert_true(fabs(answered_per_s(&m, 990) - 990) < 0.2);
    assert_int_equal(m.fates[PACED_QUEUE_FULL], 0);
    uint64_t leave_ns = 0;
    assert_int_equal(paced_server_take(&m, 2000 * S, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, 2000 * S + MS);
    paced_server_fini(&m);
}

static void the_queue_holds_what_it_was_told_and_no_more(void **state)
{
    (void)state;
    struct paced_server m = model_of(1000, 5);
    uint64_t leave_ns = 0;
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(paced_server_take(&m, S, 1, &leave_ns), PACED_ANSWERED);
        assert_int_equal(leave_ns, S + i * MS);
    }
    assert_int_equal(paced_server_take(&m, S, 1, &leave_ns), PACED_QUEUE_FULL);
    assert_int_equal(paced_server_take(&m, S + MS - 1, 0, &leave_ns), PACED_QUEUE_FULL);
    assert_int_equal(paced_server_take(&m, S + MS, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, S + 6 * MS);
    paced_server_fini(&m);
}

static void a_part_of_the_work_takes_a_part_of_the_time(void **state)
{
    (void)state;
    struct paced_server m = model_of(1000, 10);
    uint64_t leave_ns = 0;
    assert_int_equal(paced_server_take(&m, S, 0.25, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, S + MS / 4);
    assert_int_equal(paced_server_take(&m, S, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(paced_server_take(&m, S, 0, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, S + MS / 4 + MS); /* no work, but its turn */
    assert_true(m.work == 1.25);
    paced_server_fini(&m);
}

static void commits_leave_together(void **state)
{
    (void)state;
    const struct paced_options o = {.per_s = 1000, .queue = 100, .commit_ns = 20 * MS};
    struct paced_server m;
    assert_true(paced_server_init(&m, &o));
    uint64_t leave_ns = 0;
    for (unsigned i = 1; i <= 40; i++) {
        assert_int_equal(paced_server_take(&m, S, 1, &leave_ns), PACED_ANSWERED);
        assert_int_equal(leave_ns, S + (i <= 20 ? 20 : 40) * MS);
    }
    paced_server_fini(&m);
}

static void a_stall_delays_what_waits_and_what_comes(void **state)
{
    (void)state;
    struct paced_server m = model_of(1000, 3);
    uint64_t leave_ns = 0;
    (void)paced_server_take(&m, S, 1, &leave_ns);
    (void)paced_server_take(&m, S, 1, &leave_ns);
    paced_server_stall(&m, S + MS / 2, 5 * S);
    assert_int_equal(paced_server_take(&m, 2 * S, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, 6 * S + 3 * MS);
    assert_int_equal(paced_server_take(&m, 5 * S, 1, &leave_ns), PACED_QUEUE_FULL);
    assert_int_equal(paced_server_take(&m, 6 * S + MS, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, 6 * S + 4 * MS);
    paced_server_stall(&m, 10 * S, S); /* one that was idle */
    assert_int_equal(paced_server_take(&m, 10 * S + MS, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, 11 * S + MS);
    paced_server_fini(&m);
}

static void a_deaf_stall_loses_what_comes(void **state)
{
    (void)state;
    const struct paced_options o = {.per_s = 0, .queue = 4, .loses_in_a_stall = true};
    struct paced_server m;
    assert_true(paced_server_init(&m, &o));
    uint64_t leave_ns = 7;
    assert_int_equal(paced_server_take(&m, S, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, S); /* no capacity given: no time */
    paced_server_stall(&m, 2 * S, S);
    assert_int_equal(paced_server_take(&m, 2 * S, 1, &leave_ns), PACED_LOST_IN_STALL);
    assert_int_equal(paced_server_take(&m, 3 * S - 1, 1, &leave_ns), PACED_LOST_IN_STALL);
    assert_int_equal(paced_server_take(&m, 3 * S, 1, &leave_ns), PACED_ANSWERED);
    assert_int_equal(leave_ns, 3 * S);
    assert_int_equal(m.fates[PACED_LOST_IN_STALL], 2);
    paced_server_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_is_answered_at_the_capacity),
        cmocka_unit_test(below_its_capacity_nothing_is_lost_and_nothing_waits),
        cmocka_unit_test(the_queue_holds_what_it_was_told_and_no_more),
        cmocka_unit_test(a_part_of_the_work_takes_a_part_of_the_time),
        cmocka_unit_test(commits_leave_together),
        cmocka_unit_test(a_stall_delays_what_waits_and_what_comes),
        cmocka_unit_test(a_deaf_stall_loses_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
