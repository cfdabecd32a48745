/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <unistd.h>

#include "agent/edge/lane_usage.h"
#include "agent/lane/lane_watch.h"
#include "common/attrs.h"

static struct lane_watch watch;
static struct lane_usage usage;
static uint64_t now_ns, counter[COUNTER_COUNT];

static int set_up(void **state)
{
    (void)state;
    now_ns = 100 * NS_PER_S;
    usage = (struct lane_usage){.cpu_ns = 7, .switches = 40, .is_waited_known = true};
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        counter[i] = 0;
    }
    lane_watch_begin(&watch, &usage, now_ns);
    return 0;
}

/* Turns of `turn_ns` that use `cpu_ns`, waits of `wait_ns`, until `span_ns` are over. */
static void live(uint64_t span_ns, uint64_t turn_ns, uint64_t wait_ns, uint64_t cpu_ns)
{
    for (uint64_t end_ns = now_ns + span_ns; now_ns < end_ns;) {
        lane_watch_turn(&watch, now_ns);
        now_ns += turn_ns;
        usage.cpu_ns += cpu_ns;
        lane_watch_wait(&watch, now_ns, now_ns + wait_ns);
        now_ns += wait_ns;
    }
    lane_watch_turn(&watch, now_ns);
    lane_watch_look(&watch, &usage, now_ns, counter);
    lane_watch_wait(&watch, now_ns, now_ns);
}

static void a_lane_that_mostly_waits_has_cpu_to_spare(void **state)
{
    (void)state;
    live(NS_PER_S, 100000, 900000, 100000);
    assert_int_equal(counter[COUNTER_lanes], 1);
    assert_int_equal(counter[COUNTER_lane_turns], 1001);
    assert_int_equal(counter[COUNTER_lane_work_peak], 100);
    assert_int_equal(counter[COUNTER_lane_work_ns], NS_PER_S / 10);
    assert_int_equal(counter[COUNTER_lane_absence_longest_ns], 100000);
}

static void spinning_is_no_work(void **state)
{
    (void)state;
    live(NS_PER_S, 100000, 900000, 1000000); /* all of the CPU, a tenth of it in turns */
    assert_int_equal(counter[COUNTER_lane_cpu_ns], NS_PER_S);
    assert_int_equal(counter[COUNTER_lane_work_ns], NS_PER_S / 10);
    assert_int_equal(counter[COUNTER_lane_work_peak], 100);
}

/* A turn that took long because others had the CPU is no work either. */
static void a_starved_lane_does_not_look_busy(void **state)
{
    (void)state;
    live(NS_PER_S / 2, 1000000, 0, 20000);
    usage.waited_ns += NS_PER_S / 2 * 98 / 100;
    usage.switches += 25;
    live(NS_PER_S / 2, 1000000, 0, 20000);
    assert_int_equal(counter[COUNTER_lane_work_peak], 20);
    assert_int_equal(counter[COUNTER_lane_waited_known], 1);
    assert_int_equal(counter[COUNTER_lane_waited_peak], 980);
    assert_int_equal(counter[COUNTER_lane_switches], 25); /* not those before READY */
}

static void the_busiest_second_is_kept(void **state)
{
    (void)state;
    live(NS_PER_S, 990000, 10000, 990000);
    live(10 * NS_PER_S, 10000, 990000, 10000);
    assert_int_equal(counter[COUNTER_lane_work_peak], 990);
}

/* Snapshots can follow each other closely; a few milliseconds are no second. */
static void a_short_span_makes_no_peak(void **state)
{
    (void)state;
    live(NS_PER_S, 100000, 900000, 100000);
    live(5000000, 1000000, 0, 1000000);
    assert_int_equal(counter[COUNTER_lane_work_peak], 100);
    assert_int_equal(counter[COUNTER_lane_work_ns], NS_PER_S / 10 + 5000000);
}

/* Stopped while it waited: its turn came when it was let go on, long after it was due. */
static void a_wait_that_lasted_too_long_is_an_absence(void **state)
{
    (void)state;
    lane_watch_turn(&watch, now_ns);
    lane_watch_wait(&watch, now_ns + 1000, now_ns + 51000);
    lane_watch_turn(&watch, now_ns + NS_PER_S);
    lane_watch_wait(&watch, now_ns + NS_PER_S + 1000, now_ns + NS_PER_S + 51000);
    lane_watch_look(&watch, &usage, now_ns + 2 * NS_PER_S, counter);
    assert_int_equal(counter[COUNTER_lane_absence_longest_ns], NS_PER_S + 1000 - 51000);
}

/* A packet woke it before it was due. */
static void waking_early_is_no_absence(void **state)
{
    (void)state;
    lane_watch_turn(&watch, now_ns);
    lane_watch_wait(&watch, now_ns + 1000, now_ns + 50000000);
    lane_watch_turn(&watch, now_ns + 20000);
    lane_watch_wait(&watch, now_ns + 22000, now_ns + 50000000);
    lane_watch_look(&watch, &usage, now_ns + 50000, counter);
    assert_int_equal(counter[COUNTER_lane_absence_longest_ns], 2000);
}

static void what_the_kernel_does_not_tell_is_not_known(void **state)
{
    (void)state;
    usage.is_waited_known = false;
    usage.waited_ns = 5;
    live(NS_PER_S, 100000, 900000, 100000);
    assert_int_equal(counter[COUNTER_lane_waited_known], 0);
    assert_int_equal(counter[COUNTER_lane_waited_ns], 0);
    assert_int_equal(counter[COUNTER_lane_waited_peak], 0);
}

static void the_kernel_tells_of_this_thread(void **state)
{
    (void)state;
    struct lane_usage before, after;
    int fd = lane_usage_open();
    lane_usage_read(fd, &before);
    for (volatile unsigned i = 0; i < 20000000; i++) {
    }
    lane_usage_read(fd, &after);
    assert_true(after.cpu_ns > before.cpu_ns);
    assert_true(after.waited_ns >= before.waited_ns);
    lane_usage_read(-1, &after);
    assert_false(after.is_waited_known);
    assert_true(after.cpu_ns > 0);
    if (fd >= 0) {
        assert_true(before.is_waited_known);
        assert_int_equal(close(fd), 0);
    }
}

#define CASE(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_lane_that_mostly_waits_has_cpu_to_spare),
        CASE(spinning_is_no_work),
        CASE(a_starved_lane_does_not_look_busy),
        CASE(the_busiest_second_is_kept),
        CASE(a_short_span_makes_no_peak),
        CASE(a_wait_that_lasted_too_long_is_an_absence),
        CASE(waking_early_is_no_absence),
        CASE(what_the_kernel_does_not_tell_is_not_known),
        CASE(the_kernel_tells_of_this_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
