/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>

#include "agent/lane/pacer.h"
#include "common/attrs.h"

#define START_NS (1000 * NS_PER_S + 77)

static struct pacer batch_of(uint32_t batch)
{
    struct pacer p;
    pacer_begin(&p, batch, 0, false, 1, START_NS);
    return p;
}

static struct pacer rate_of(uint64_t milli_per_s, bool is_poisson, uint64_t seed)
{
    struct pacer p;
    pacer_begin(&p, 0, milli_per_s, is_poisson, seed, START_NS);
    return p;
}

/* How many exchanges may be in flight at this instant. */
static uint32_t window(const struct pacer *p, uint64_t now_ns)
{
    uint64_t intended_ns;
    uint32_t open = 0;
    while (open <= p->batch && pacer_may_start(p, open, now_ns, &intended_ns)) {
        open++;
    }
    return open;
}

static void nothing_starts_before_the_start(void **state)
{
    (void)state;
    struct pacer models[] = {batch_of(300), rate_of(1000000, false, 1), rate_of(1000000, true, 1),
                             rate_of(0, false, 1)};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        uint64_t intended_ns = 5;
        assert_false(pacer_may_start(&models[i], 0, START_NS - 1, &intended_ns));
        assert_int_equal(intended_ns, 5);
        assert_int_equal(pacer_next_ns(&models[i], 0, 0), START_NS);
    }
}

static void the_window_opens_linearly_over_a_second_and_no_further(void **state)
{
    (void)state;
    struct pacer p = batch_of(301);
    for (uint64_t ms = 0; ms < 3000; ms++) {
        uint32_t expected = ms >= 1000 ? 301 : 1 + (uint32_t)(300 * ms / 1000);
        assert_int_equal(window(&p, START_NS + ms * NS_PER_MS), expected);
    }
    struct pacer one = batch_of(1);
    assert_int_equal(window(&one, START_NS), 1);
    assert_int_equal(window(&one, START_NS + 5 * NS_PER_S), 1);
}

/* Asked when the next slot opens, it names the very millisecond, and never one in the past. */
static void the_next_slot_opens_when_it_says(void **state)
{
    (void)state;
    static const uint32_t batches[] = {1, 2, 3, 7, 300, 1000, 5000};
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        struct pacer p = batch_of(batches[i]);
        uint64_t now_ns = START_NS;
        for (uint32_t open = 0; open < batches[i]; open++) {
            uint64_t next_ns = pacer_next_ns(&p, open, now_ns), intended_ns;
            assert_true(next_ns >= now_ns && next_ns <= START_NS + NS_PER_S);
            if (next_ns > now_ns) {
                assert_false(pacer_may_start(&p, open, next_ns - 1, &intended_ns));
            }
            now_ns = next_ns;
            assert_true(pacer_may_start(&p, open, now_ns, &intended_ns));
            assert_int_equal(intended_ns, now_ns);
        }
        now_ns = START_NS + 2 * NS_PER_S;
        assert_true(pacer_next_ns(&p, batches[i], now_ns) == UINT64_MAX);
        assert_int_equal(pacer_next_ns(&p, batches[i] - 1, now_ns), now_ns);
    }
}

static void uniform_arrivals_are_exact_however_many_there_were(void **state)
{
    (void)state;
    struct pacer p = rate_of(333333, false, 1);
    for (uint64_t k = 0; k < 1000000; k++) {
        uint64_t exact_ns = START_NS + k * (1000 * NS_PER_S) / 333333;
        assert_int_equal(p.arrival_ns, exact_ns);
        pacer_started(&p);
    }
}

static void a_slow_server_does_not_slow_the_schedule(void **state)
{
    (void)state;
    struct pacer p = rate_of(1000000, false, 1);
    uint64_t late_ns = START_NS + 10 * NS_PER_S, intended_ns = 0, taken = 0;
    while (pacer_may_start(&p, 1000000, late_ns, &intended_ns)) {
        assert_true(intended_ns + 1000 >= START_NS + taken * NS_PER_MS);
        assert_true(intended_ns <= START_NS + taken * NS_PER_MS);
        taken++;
        pacer_started(&p);
    }
    assert_int_equal(taken, 10001);
}

static void poisson_arrivals_have_the_mean_and_the_spread_they_should(void **state)
{
    (void)state;
    enum { ARRIVALS = 100000 };
    struct pacer p = rate_of(2000000, true, 9);
    uint64_t before_ns = START_NS;
    double sum = 0, squares = 0;
    for (unsigned k = 0; k < ARRIVALS; k++) {
        double gap = (double)(p.arrival_ns - before_ns) / 1e9;
        assert_true(p.arrival_ns >= before_ns);
        sum += gap;
        squares += gap * gap;
        before_ns = p.arrival_ns;
        pacer_started(&p);
    }
    double mean = sum / ARRIVALS, deviation = sqrt(squares / ARRIVALS - mean * mean);
    assert_true(fabs(mean - 0.0005) < 0.00001);
    assert_true(fabs(deviation / mean - 1) < 0.02); /* of an exponential: its mean */
}

static void the_same_seed_gives_the_same_arrivals_and_another_gives_others(void **state)
{
    (void)state;
    struct pacer a = rate_of(1000000, true, 4), b = rate_of(1000000, true, 4),
                 other = rate_of(1000000, true, 5);
    unsigned differ = 0;
    for (unsigned k = 0; k < 100; k++) {
        assert_int_equal(a.arrival_ns, b.arrival_ns);
        differ += a.arrival_ns != other.arrival_ns;
        pacer_started(&a);
        pacer_started(&b);
        pacer_started(&other);
    }
    assert_true(differ > 90);
}

static void planned_counts_what_was_not_taken_and_stops_at_the_limit(void **state)
{
    (void)state;
    struct pacer p = rate_of(100000, false, 1);
    assert_int_equal(pacer_planned(&p, 1000, START_NS - 1), 0);
    assert_int_equal(pacer_planned(&p, 1000, START_NS), 1);
    assert_int_equal(pacer_planned(&p, 1000, START_NS + NS_PER_S + NS_PER_MS), 101);
    for (unsigned i = 0; i < 50; i++) {
        pacer_started(&p);
    }
    assert_int_equal(pacer_planned(&p, 1000, START_NS + NS_PER_S + NS_PER_MS), 101);
    assert_int_equal(pacer_planned(&p, 1000, START_NS + 100 * NS_PER_S), 1000);
    struct pacer closed = batch_of(10);
    pacer_started(&closed);
    assert_int_equal(pacer_planned(&closed, 1000, START_NS + 100 * NS_PER_S), 1);
}

static void without_batch_and_rate_everything_is_due_at_once(void **state)
{
    (void)state;
    struct pacer p = rate_of(0, false, 1);
    uint64_t intended_ns;
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(pacer_may_start(&p, i, START_NS, &intended_ns));
        assert_int_equal(intended_ns, START_NS);
        pacer_started(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_starts_before_the_start),
        cmocka_unit_test(the_window_opens_linearly_over_a_second_and_no_further),
        cmocka_unit_test(the_next_slot_opens_when_it_says),
        cmocka_unit_test(uniform_arrivals_are_exact_however_many_there_were),
        cmocka_unit_test(a_slow_server_does_not_slow_the_schedule),
        cmocka_unit_test(poisson_arrivals_have_the_mean_and_the_spread_they_should),
        cmocka_unit_test(the_same_seed_gives_the_same_arrivals_and_another_gives_others),
        cmocka_unit_test(planned_counts_what_was_not_taken_and_stops_at_the_limit),
        cmocka_unit_test(without_batch_and_rate_everything_is_due_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
