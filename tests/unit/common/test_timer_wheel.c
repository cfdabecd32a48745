/* SPDX-License-Identifier: MIT */
#include "common/timer_wheel.h"

#include "common/prng.h"
#include "tests/support/testing.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

enum { START_NS = 123456789 };

static uint32_t fired[64];

/* As a caller keeps them: the link somewhere in a record, and the deadline wherever it comes from.
 */
struct record {
    uint64_t deadline_ns;
    uint32_t something;
    struct timer_link link;
    uint64_t more[3];
};

enum { RECORDS_MOST = 4096 };

static struct record *records;
static unsigned asked; /* how often a deadline was wanted again */

static uint64_t deadline_of(const void *context, uint32_t entry)
{
    assert_ptr_equal(context, fired);
    asked++;
    return records[entry].deadline_ns;
}

static struct timer_wheel *new_wheel(uint32_t count)
{
    assert_true(count <= RECORDS_MOST);
    free(records);
    records = calloc(count, sizeof(*records));
    assert_non_null(records);
    asked = 0;
    const struct timer_wheel_entries entries = {records, sizeof(*records),
                                                offsetof(struct record, link), deadline_of, fired};
    struct timer_wheel *wheel = timer_wheel_new(&entries, START_NS);
    assert_non_null(wheel);
    return wheel;
}

static void set(struct timer_wheel *wheel, uint32_t entry, uint64_t deadline_ns)
{
    records[entry].deadline_ns = deadline_ns;
    timer_wheel_set(wheel, entry, deadline_ns);
}

static void a_deadline_in_the_past_fires_at_the_next_advance(void **state)
{
    (void)state;
    struct timer_wheel *wheel = new_wheel(4);
    set(wheel, 2, 0);
    assert_int_equal(timer_wheel_next_ns(wheel), START_NS);
    assert_int_equal(timer_wheel_advance(wheel, START_NS, fired, 64), 1);
    assert_int_equal(fired[0], 2);
    assert_false(timer_wheel_is_set(wheel, 2));
    timer_wheel_free(wheel);
}

static void time_never_runs_backwards(void **state)
{
    (void)state;
    struct timer_wheel *wheel = new_wheel(4);
    (void)timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64);
    set(wheel, 0, START_NS + HOUR_NS + NS_PER_S);
    assert_int_equal(timer_wheel_advance(wheel, 0, fired, 64), 0);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64), 0);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS + NS_PER_S, fired, 64), 1);
    timer_wheel_free(wheel);
}

static void a_cancelled_timer_never_fires(void **state)
{
    (void)state;
    struct timer_wheel *wheel = new_wheel(3);
    timer_wheel_cancel(wheel, 0); /* not set: nothing happens */
    for (uint32_t i = 0; i < 3; i++) {
        set(wheel, i, START_NS + NS_PER_S);
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
    struct timer_wheel *wheel = new_wheel(1);
    set(wheel, 0, START_NS + 5 * NS_PER_MS + 1);
    uint64_t tick_ns = START_NS + 5 * NS_PER_MS + TIMER_WHEEL_TICK_NS;
    assert_int_equal(timer_wheel_advance(wheel, tick_ns - 1, fired, 64), 0);
    assert_int_equal(timer_wheel_advance(wheel, tick_ns, fired, 64), 1);
    timer_wheel_free(wheel);
}

static void a_moved_timer_fires_once_at_its_new_time(void **state)
{
    (void)state;
    struct timer_wheel *wheel = new_wheel(1);
    set(wheel, 0, START_NS + NS_PER_S);
    set(wheel, 0, START_NS + 2 * HOUR_NS);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64), 0);
    set(wheel, 0, START_NS + HOUR_NS + NS_PER_MS);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 3 * HOUR_NS, fired, 64), 1);
    timer_wheel_free(wheel);
}

static void a_small_buffer_loses_nothing(void **state)
{
    (void)state;
    enum { ENTRIES = 1000 };
    struct timer_wheel *wheel = new_wheel(ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        set(wheel, i, START_NS + i * NS_PER_S);
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

static void deadlines_beyond_the_levels_are_as_exact_as_others(void **state)
{
    (void)state;
    static const uint64_t days[] = {24, 25, 50, 51, 99, 100, 365, 3650, 49700};
    enum { COUNT = ARRAY_LEN(days) };
    struct timer_wheel *wheel = new_wheel(COUNT + 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        set(wheel, i, START_NS + days[i] * DAY_NS + 1);
    }
    set(wheel, COUNT, UINT64_MAX - 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t at = START_NS + days[i] * DAY_NS;
        assert_int_equal(timer_wheel_advance(wheel, at, fired, 64), 0);
        assert_true(timer_wheel_next_ns(wheel) <= at + TIMER_WHEEL_TICK_NS);
        assert_int_equal(timer_wheel_advance(wheel, at + TIMER_WHEEL_TICK_NS, fired, 64), 1);
        assert_int_equal(fired[0], i);
    }
    assert_true(timer_wheel_is_set(wheel, COUNT));
    timer_wheel_free(wheel);
}

static void what_is_due_never_is_not_set(void **state)
{
    (void)state;
    struct timer_wheel *wheel = new_wheel(2);
    set(wheel, 0, START_NS + NS_PER_S);
    set(wheel, 0, UINT64_MAX);
    assert_false(timer_wheel_is_set(wheel, 0));
    assert_true(timer_wheel_next_ns(wheel) == UINT64_MAX);
    /* Nor is what becomes so before it moves down. */
    set(wheel, 1, START_NS + HOUR_NS);
    records[1].deadline_ns = UINT64_MAX;
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 2 * HOUR_NS, fired, 64), 0);
    assert_false(timer_wheel_is_set(wheel, 1));
    assert_true(timer_wheel_next_ns(wheel) == UINT64_MAX);
    timer_wheel_free(wheel);
}

static void a_deadline_that_changed_unsaid_fires_between_the_two(void **state)
{
    (void)state;
    struct timer_wheel *wheel = new_wheel(2);
    set(wheel, 0, START_NS + HOUR_NS);
    set(wheel, 1, START_NS + HOUR_NS);
    records[0].deadline_ns = START_NS + 2 * HOUR_NS;
    records[1].deadline_ns = START_NS + NS_PER_S;
    assert_int_equal(timer_wheel_advance(wheel, START_NS + HOUR_NS, fired, 64), 1);
    assert_int_equal(fired[0], 1);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 2 * HOUR_NS - 1, fired, 64), 0);
    assert_int_equal(timer_wheel_advance(wheel, START_NS + 2 * HOUR_NS, fired, 64), 1);
    timer_wheel_free(wheel);
}

/* Not in one stroke when their slot begins: an agent with millions of clients would stand still. */
static void what_comes_next_moves_down_little_by_little(void **state)
{
    (void)state;
    enum { MOST_AT_ONCE = 64 };
    struct timer_wheel *wheel = new_wheel(RECORDS_MOST);
    for (uint32_t i = 0; i < RECORDS_MOST; i++) {
        set(wheel, i, START_NS + HOUR_NS + i * NS_PER_MS);
    }
    unsigned total = 0, count = 0;
    for (uint64_t now = START_NS; total < RECORDS_MOST; now += NS_PER_MS) {
        unsigned before = asked;
        total += count = timer_wheel_advance(wheel, now, fired, 64);
        assert_in_range(asked - before, 0, MOST_AT_ONCE);
        assert_in_range(count, 0, 1);
    }
    assert_in_range(asked, RECORDS_MOST, 3 * RECORDS_MOST); /* once per level at most */
    timer_wheel_free(wheel);
}

/* What a caller does that sleeps until next_ns: how often does it wake up per timer? */
static void sleeping_until_the_next_bound_wakes_rarely(void **state)
{
    (void)state;
    static const uint64_t after[] = {NS_PER_MS, NS_PER_S, HOUR_NS, DAY_NS, 40 * DAY_NS};
    for (unsigned i = 0; i < 5; i++) {
        struct timer_wheel *wheel = new_wheel(1);
        uint64_t deadline = START_NS + after[i];
        set(wheel, 0, deadline);
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

static void move_records(struct timer_wheel *wheel, uint32_t before, uint32_t count)
{
    struct record *elsewhere = calloc(count, sizeof(*elsewhere));
    assert_non_null(elsewhere);
    memcpy(elsewhere, records, before * sizeof(*elsewhere));
    memset(records, 0xee, before * sizeof(*records));
    free(records);
    records = elsewhere;
    timer_wheel_moved(wheel, records);
}

static void records_that_move_keep_what_is_set_and_may_be_more(void **state)
{
    (void)state;
    struct timer_wheel *wheel = new_wheel(4);
    set(wheel, 0, START_NS); /* due */
    set(wheel, 1, START_NS + 5 * NS_PER_S);
    set(wheel, 2, START_NS + 400 * DAY_NS); /* beyond the levels */
    move_records(wheel, 4, 100);
    assert_false(timer_wheel_is_set(wheel, 3));
    assert_false(timer_wheel_is_set(wheel, 99));
    set(wheel, 99, START_NS + 2 * NS_PER_S);
    move_records(wheel, 100, 100);
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
    r.wheel = new_wheel(PROPERTY_ENTRIES);
    r.prng = prng_seeded(20260);
    r.now_ns = START_NS;
    memset(r.tick, 0xff, sizeof(r.tick));
    for (unsigned n = 0; n < PROPERTY_OPERATIONS; n++) {
        uint32_t entry = (uint32_t)prng_below(&r.prng, PROPERTY_ENTRIES);
        uint64_t kind = prng_below(&r.prng, 20);
        /* The whole test stays inside a thousand days. */
        bool is_late = r.now_ns > START_NS + 900 * DAY_NS;
        if (kind < 12) {
            uint64_t deadline = r.now_ns + some_span_ns(&r.prng, is_late ? 30 : 53);
            deadline -= kind == 0 ? some_span_ns(&r.prng, 26) : 0;
            deadline = deadline < START_NS ? START_NS : deadline;
            set(r.wheel, entry, deadline);
            uint64_t now_tick = (r.now_ns - START_NS) / TIMER_WHEEL_TICK_NS;
            r.tick[entry] = tick_of(deadline) > now_tick ? tick_of(deadline) : now_tick;
        } else if (kind < 14) {
            timer_wheel_cancel(r.wheel, entry);
            r.tick[entry] = UINT64_MAX;
        } else if (kind == 14 && n % 7 == 0) {
            move_records(r.wheel, PROPERTY_ENTRIES, PROPERTY_ENTRIES); /* nothing is lost */
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
        cmocka_unit_test(deadlines_beyond_the_levels_are_as_exact_as_others),
        cmocka_unit_test(what_is_due_never_is_not_set),
        cmocka_unit_test(a_deadline_that_changed_unsaid_fires_between_the_two),
        cmocka_unit_test(what_comes_next_moves_down_little_by_little),
        cmocka_unit_test(sleeping_until_the_next_bound_wakes_rarely),
        cmocka_unit_test(records_that_move_keep_what_is_set_and_may_be_more),
        cmocka_unit_test(random_operations_agree_with_a_sorted_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
