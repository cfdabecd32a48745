/* SPDX-License-Identifier: MIT */
#include "common/timer_wheel.h"

#include "common/prng.h"
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

enum { START_NS = 123456789 };

static uint32_t fired[64];

static void a_deadline_in_the_past_fires_at_the_next_advance(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(4, START_NS);
    assert_non_null(wheel);
    timer_wheel_set(wheel, 2, 0);
    assert_int_equal(timer_wheel_next_ns(wheel), START_NS);
    assert_int_equal(timer_wheel_advance(wheel, START_NS, fired, 64), 1);
    assert_int_equal(fired[0], 2);
    assert_false(timer_wheel_is_set(wheel, 2));
    timer_wheel_free(wheel);
}

static void time_never_runs_backwards(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(4, START_NS);
    assert_non_null(wheel);
    (void)timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64);
    timer_wheel_set(wheel, 0, START_NS + HOUR_NS + NS_PER_S);
    assert_int_equal(timer_wheel_advance(wheel, 0, fired, 64), 0);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64), 0);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS + NS_PER_S, fired, 64), 1);
    timer_wheel_free(wheel);
}

static void a_cancelled_timer_never_fires(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(3, START_NS);
    assert_non_null(wheel);
    timer_wheel_cancel(wheel, 0); /* not set: nothing happens */
    for (uint32_t i = 0; i < 3; i++) {
        timer_wheel_set(wheel, i, START_NS + NS_PER_S);
    }
    timer_wheel_cancel(wheel, 1);
    assert_false(timer_wheel_is_set(wheel, 1));
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64), 2);
    assert_true(timer_wheel_next_ns(wheel) == UINT64_MAX);
    timer_wheel_free(wheel);
}

static void a_timer_is_never_early(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(1, START_NS);
    assert_non_null(wheel);
    timer_wheel_set(wheel, 0, START_NS + 5 * NS_PER_MS + 1);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 6 * NS_PER_MS - 1, fired, 64), 0);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 6 * NS_PER_MS, fired, 64), 1);
    timer_wheel_free(wheel);
}

static void a_moved_timer_fires_once_at_its_new_time(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(1, START_NS);
    assert_non_null(wheel);
    timer_wheel_set(wheel, 0, START_NS + NS_PER_S);
    timer_wheel_set(wheel, 0, START_NS + 2 * HOUR_NS);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64), 0);
    timer_wheel_set(wheel, 0, START_NS + HOUR_NS + NS_PER_MS);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 3 * HOUR_NS, fired, 64), 1);
    timer_wheel_free(wheel);
}

static void a_small_buffer_loses_nothing(void **state)
{
    (void)state;
    enum { ENTRIES = 1000 };
    struct timer_wheel *wheel = timer_wheel_new(ENTRIES, START_NS);
    assert_non_null(wheel);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        timer_wheel_set(wheel, i, START_NS + i * NS_PER_S);
    }
    uint32_t next = 0;
    for (;;) {
        uint32_t count = timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 7);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(fired[i], next++); /* in the order of their deadlines */
        }
        if (count < 7) {
            break;
        }
    }
    assert_int_equal(next, ENTRIES);
    timer_wheel_free(wheel);
}

static void deadlines_beyond_the_levels_are_late_by_a_second_at_most(void **state)
{
    (void)state;
    static const uint64_t days[] = {50, 51, 99, 100, 365, 3650, 49700};
    struct timer_wheel *wheel = timer_wheel_new(8, START_NS);
    assert_non_null(wheel);
    for (uint32_t i = 0; i < 7; i++) {
        timer_wheel_set(wheel, i, START_NS + days[i] * DAY_NS);
    }
    timer_wheel_set(wheel, 7, UINT64_MAX);
    for (uint32_t i = 0; i < 7; i++) {
        uint64_t at = START_NS + days[i] * DAY_NS;
        assert_int_equal(timer_wheel_advance(wheel, at - 1, fired, 64), 0);
        assert_true(timer_wheel_next_ns(wheel) <= at + 1024 * NS_PER_MS);
        assert_int_equal(timer_wheel_advance(wheel, at + 1024 * NS_PER_MS, fired, 64), 1);
        assert_int_equal(fired[0], i);
    }
    assert_true(timer_wheel_is_set(wheel, 7)); /* 139 years are never */
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 138 * 365 * DAY_NS, fired, 64), 0);
    timer_wheel_free(wheel);
}

/* What a caller does that sleeps until next_ns: how often does it wake up per timer? */
static void sleeping_until_the_next_bound_wakes_rarely(void **state)
{
    (void)state;
    static const uint64_t after[] = {NS_PER_MS, NS_PER_S, HOUR_NS, DAY_NS, 40 * DAY_NS};
    for (unsigned i = 0; i < 5; i++) {
        struct timer_wheel *wheel = timer_wheel_new(1, START_NS);
        assert_non_null(wheel);
        uint64_t deadline = START_NS + after[i];
        timer_wheel_set(wheel, 0, deadline);
        unsigned wakes = 0;
        for (uint64_t now = START_NS; timer_wheel_is_set(wheel, 0); wakes++) {
            uint64_t next = timer_wheel_next_ns(wheel);
            assert_true(next > now && next <= deadline);
            now = next;
            (void)timer_wheel_advance(wheel, now, fired, 64);
        }
        assert_in_range(wakes, 1, 5);
        timer_wheel_free(wheel);
    }
}

/* The property test: the wheel against a plain array of deadlines. */
enum { PROPERTY_ENTRIES = 300, PROPERTY_OPERATIONS = 100000 };

struct reference {
    struct timer_wheel *wheel;
    struct prng prng;
    uint64_t now_ns;
    uint64_t tick[PROPERTY_ENTRIES]; /* UINT64_MAX: not set */
};

static uint64_t tick_of(uint64_t ns)
{
    return (ns - START_NS + TIMER_WHEEL_TICK_NS - 1) / TIMER_WHEEL_TICK_NS;
}

/* Any order of magnitude from a microsecond to `max_power` is equally likely. */
static uint64_t some_span_ns(struct prng *p, unsigned max_power)
{
    unsigned power = 10 + (unsigned)prng_below(p, max_power - 10);
    return prng_below(p, UINT64_C(1) << power);
}

static void check_next(const struct reference *r)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < PROPERTY_ENTRIES; i++) {
        assert_int_equal(timer_wheel_is_set(r->wheel, i), r->tick[i] != UINT64_MAX);
        first = r->tick[i] < first ? r->tick[i] : first;
    }
    uint64_t next = timer_wheel_next_ns(r->wheel);
    if (first == UINT64_MAX) {
        assert_true(next == UINT64_MAX);
    } else {
        assert_true(next <= START_NS + first * TIMER_WHEEL_TICK_NS);
    }
}

static void advance_both(struct reference *r, uint64_t span_ns)
{
    r->now_ns += span_ns;
    uint64_t now_tick = (r->now_ns - START_NS) / TIMER_WHEEL_TICK_NS;
    uint32_t capacity = 1 + (uint32_t)prng_below(&r->prng, 64);
    uint64_t last = 0;
    uint32_t count;
    do {
        count = timer_wheel_advance(r->wheel, r->now_ns, fired, capacity);
        assert_true(count <= capacity);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t *tick = &r->tick[fired[i]];
            assert_true(*tick <= now_tick); /* set, and not early */
            assert_true(*tick >= last);     /* in order */
            last = *tick;
            *tick = UINT64_MAX;
        }
    } while (count == capacity);
    for (uint32_t i = 0; i < PROPERTY_ENTRIES; i++) {
        assert_true(r->tick[i] > now_tick); /* none forgotten */
    }
}

static void a_wheel_that_grows_keeps_what_is_set_and_takes_more(void **state)
{
    (void)state;
    struct timer_wheel *wheel = timer_wheel_new(4, START_NS);
    assert_non_null(wheel);
    timer_wheel_set(wheel, 0, START_NS); /* due */
    timer_wheel_set(wheel, 1, START_NS + 5 * NS_PER_S);
    timer_wheel_set(wheel, 2, START_NS + 400 * DAY_NS); /* beyond the levels */
    wheel = timer_wheel_grow(wheel, 100);
    assert_non_null(wheel);
    assert_false(timer_wheel_is_set(wheel, 3));
    assert_false(timer_wheel_is_set(wheel, 99));
    timer_wheel_set(wheel, 99, START_NS + 2 * NS_PER_S);
    wheel = timer_wheel_grow(wheel, 50); /* it has that much */
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 3 * NS_PER_S, fired, 8), 2);
    assert_int_equal(fired[0], 0);
    assert_int_equal(fired[1], 99);
    timer_wheel_cancel(wheel, 1);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 399 * DAY_NS, fired, 8), 0);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 401 * DAY_NS, fired, 8), 1);
    assert_int_equal(fired[0], 2);
    assert_true(timer_wheel_next_ns(wheel) == UINT64_MAX);
    timer_wheel_free(wheel);
}

static void random_operations_agree_with_a_sorted_reference(void **state)
{
    (void)state;
    static struct reference r;
    r.wheel = timer_wheel_new(PROPERTY_ENTRIES, START_NS);
    assert_non_null(r.wheel);
    r.prng = prng_seeded(20260);
    r.now_ns = START_NS;
    memset(r.tick, 0xff, sizeof(r.tick));
    for (unsigned n = 0; n < PROPERTY_OPERATIONS; n++) {
        uint32_t entry = (uint32_t)prng_below(&r.prng, PROPERTY_ENTRIES);
        uint64_t kind = prng_below(&r.prng, 20);
        /* The whole test stays inside 40 days, where ticks are exact. */
        bool is_late = r.now_ns > START_NS + 35 * DAY_NS;
        if (kind < 12) {
            uint64_t deadline = r.now_ns + some_span_ns(&r.prng, is_late ? 30 : 48);
            deadline -= kind == 0 ? some_span_ns(&r.prng, 26) : 0;
            deadline = deadline < START_NS ? START_NS : deadline;
            timer_wheel_set(r.wheel, entry, deadline);
            uint64_t now_tick = (r.now_ns - START_NS) / TIMER_WHEEL_TICK_NS;
            r.tick[entry] = tick_of(deadline) > now_tick ? tick_of(deadline) : now_tick;
        } else if (kind < 14) {
            timer_wheel_cancel(r.wheel, entry);
            r.tick[entry] = UINT64_MAX;
        } else if (kind == 14 && n % 7 == 0) {
            r.wheel = timer_wheel_grow(r.wheel, PROPERTY_ENTRIES + n / 64); /* nothing is lost */
            assert_non_null(r.wheel);
        } else {
            advance_both(&r, some_span_ns(&r.prng, is_late || kind < 19 ? 28 : 44));
        }
        check_next(&r);
    }
    assert_true(r.now_ns > START_NS + DAY_NS);
    timer_wheel_free(r.wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_in_the_past_fires_at_the_next_advance),
        cmocka_unit_test(time_never_runs_backwards),
        cmocka_unit_test(a_cancelled_timer_never_fires),
        cmocka_unit_test(a_timer_is_never_early),
        cmocka_unit_test(a_moved_timer_fires_once_at_its_new_time),
        cmocka_unit_test(a_small_buffer_loses_nothing),
        cmocka_unit_test(deadlines_beyond_the_levels_are_late_by_a_second_at_most),
        cmocka_unit_test(sleeping_until_the_next_bound_wakes_rarely),
        cmocka_unit_test(a_wheel_that_grows_keeps_what_is_set_and_takes_more),
        cmocka_unit_test(random_operations_agree_with_a_sorted_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
