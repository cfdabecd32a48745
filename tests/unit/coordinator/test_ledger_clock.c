/* SPDX-License-Identifier: MIT */
/* Which row of the table `clock` says when a run began, once the coordinator's own clock is gone.
 */
#include "tests/support/ledger_bed.h"

#include <stdlib.h>

#include "coordinator/truth/ledger_journal.h"

static struct ledger_bed bed;

static int set_up(void **state)
{
    (void)state;
    ledger_bed_init(&bed);
    assert_int_equal(ledger_create(bed.path, "run-1", &bed.ledger), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ledger_bed_fini(&bed);
    return 0;
}

static void add(uint32_t agent, uint64_t agent_us, int64_t offset_us)
{
    assert_int_equal(ledger_add_clock(bed.ledger, agent, agent_us, offset_us, 50), 0);
}

static void nothing_is_known_without_a_row(void **state)
{
    int64_t offset_us = 7;
    (void)state;
    assert_false(ledger_last_clock(bed.ledger, 0, &offset_us));
    add(1, 1000, -900);
    assert_false(ledger_last_clock(bed.ledger, 0, &offset_us));
    assert_int_equal(offset_us, 7);
}

/* Clocks part: what was known last holds now, and by the agent's time, not by who wrote it when. */
static void the_row_of_the_agents_latest_time_counts(void **state)
{
    int64_t offset_us;
    (void)state;
    add(0, 5000000, -4000100);
    add(0, 9000000, -4000300);
    add(0, 7000000, -4000200);
    add(1, 99000000, -1);
    assert_true(ledger_last_clock(bed.ledger, 0, &offset_us));
    assert_int_equal(offset_us, -4000300);
    assert_true(ledger_last_clock(bed.ledger, 1, &offset_us));
    assert_int_equal(offset_us, -1);
}

/* A run directory may come from anybody: sums with this one stay numbers. */
static void what_is_no_time_is_not_believed(void **state)
{
    int64_t offset_us = 7;
    (void)state;
    add(0, 1000, INT64_MAX);
    assert_false(ledger_last_clock(bed.ledger, 0, &offset_us));
    assert_int_equal(offset_us, 7);
}

static void it_is_there_for_who_comes_after(void **state)
{
    int64_t offset_us;
    (void)state;
    add(0, 5000000, 4000100); /* the agent's host has booted after the run began */
    assert_int_equal(ledger_commit(bed.ledger), 0);
    add(0, 6000000, 1);
    ledger_close(bed.ledger);
    bed.ledger = NULL;
    assert_int_equal(ledger_reopen(bed.path, &bed.ledger), 0);
    assert_true(ledger_last_clock(bed.ledger, 0, &offset_us));
    assert_int_equal(offset_us, 4000100);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_known_without_a_row),
        TEST(the_row_of_the_agents_latest_time_counts),
        TEST(what_is_no_time_is_not_believed),
        TEST(it_is_there_for_who_comes_after),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
