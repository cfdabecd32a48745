/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include "agent/lane/rx_stamp.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

/* A host that is up 5000 s; its wall clock is decades ahead of that. */
#define APART    (1790000000 * S)
#define EMPTY_AT (5000 * S)
#define NOW      (5000 * S + 10 * MS)

static const struct rx_stamp_window window = {EMPTY_AT, NOW};

static void what_lies_outside_the_window_becomes_now(void **state)
{
    (void)state;
    static const uint64_t stamps[] = {
        APART + EMPTY_AT - 51 * US,  /* older than the emptiness of the socket */
        APART + NOW + 51 * US,       /* to come */
        APART + NOW + 3600 * S,      /* the clock was set back meanwhile */
        APART + EMPTY_AT - 3600 * S, /* or forward */
        APART + NOW - 20 * MS,       /* by a little more than the window */
        0,
        UINT64_MAX,
        INT64_MAX,
        APART / 2,
    };
    for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++) {
        uint64_t at_ns = 7;
        if (rx_stamp_convert(stamps[i], APART, &window, &at_ns) || at_ns != NOW) {
            fail_msg("stamp %zu was believed", i);
        }
    }
}

static void what_lies_inside_is_converted_to_the_nanosecond(void **state)
{
    (void)state;
    static const uint64_t inside[] = {EMPTY_AT, EMPTY_AT + 1, EMPTY_AT + 3 * MS + 7, NOW - 1, NOW};
    static const uint64_t apart[] = {APART, 0, 0 - 5000 * S, UINT64_MAX - 3}; /* it may wrap */
    for (size_t i = 0; i < 5 * 4; i++) {
        uint64_t at_ns = 7;
        assert_true(rx_stamp_convert(inside[i / 4] + apart[i % 4], apart[i % 4], &window, &at_ns));
        assert_int_equal(at_ns, inside[i / 4]);
    }
}

static void the_reading_of_two_clocks_is_forgiven_but_never_leaves_the_window(void **state)
{
    (void)state;
    uint64_t at_ns = 7;
    assert_true(rx_stamp_convert(APART + EMPTY_AT - 50 * US, APART, &window, &at_ns));
    assert_int_equal(at_ns, EMPTY_AT);
    assert_true(rx_stamp_convert(APART + NOW + 50 * US, APART, &window, &at_ns));
    assert_int_equal(at_ns, NOW);
}

/* The wall clock is set between the packet and the reading of the pair. */
static void a_step_is_caught_or_smaller_than_the_window(void **state)
{
    (void)state;
    static const int64_t steps[] = {-3600 * (int64_t)S, -(int64_t)S,      -11 * (int64_t)MS,
                                    -2 * (int64_t)MS,   2 * (int64_t)MS,  11 * (int64_t)MS,
                                    (int64_t)S,         3600 * (int64_t)S};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint64_t came_at_ns = EMPTY_AT + 5 * MS, at_ns = 7;
        bool is_believed =
            rx_stamp_convert(APART + came_at_ns, APART + (uint64_t)steps[i], &window, &at_ns);
        bool is_small = steps[i] > -5 * (int64_t)MS && steps[i] < 5 * (int64_t)MS;
        assert_int_equal(is_believed, is_small);
        assert_true(at_ns >= EMPTY_AT && at_ns <= NOW);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_outside_the_window_becomes_now),
        cmocka_unit_test(what_lies_inside_is_converted_to_the_nanosecond),
        cmocka_unit_test(the_reading_of_two_clocks_is_forgiven_but_never_leaves_the_window),
        cmocka_unit_test(a_step_is_caught_or_smaller_than_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
