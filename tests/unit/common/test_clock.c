/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "common/attrs.h"
#include "common/clock.h"

static void clocks_do_not_go_back(void **state)
{
    uint64_t monotonic_ns = clock_monotonic_ns();
    uint64_t boottime_ns = clock_boottime_ns();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now_ns = clock_monotonic_ns();
        assert_true(now_ns >= monotonic_ns);
        monotonic_ns = now_ns;
        now_ns = clock_boottime_ns();
        assert_true(now_ns >= boottime_ns);
        boottime_ns = now_ns;
    }
}

static void real_time_counts_from_1970_in_nanoseconds(void **state)
{
    (void)state;
    assert_true(clock_realtime_ns() > UINT64_C(1700000000) * NS_PER_S);
    assert_true(clock_realtime_ns() < UINT64_C(7000000000) * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_do_not_go_back),
        cmocka_unit_test(real_time_counts_from_1970_in_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
