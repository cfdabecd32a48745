/* SPDX-License-Identifier: MIT */
/* Judgements of a part of a stage and of its windows, while results come in. */
#include "tests/support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/truth/lens.h"

static struct scenario_stage stages[] = {{.name = "peak"}, {.name = "keep"}};
static struct scenario_event events[] = {{.name = "a off"}, {.name = "b off"}};
static const struct scenario scenario = {
    .stages = {.items = stages, .count = 2},
    .events = {.items = events, .count = 2},
};

enum { PEAK, KEEP };

static int64_t us(double s)
{
    return (int64_t)(s * 1e6);
}

static struct lens *lens_of(const char *text)
{
    struct judge_term term;
    char why[JUDGE_WHY_BYTES] = "";
    bool is_good = judge_terms_parse(text, &scenario, &term, why);
    if (!is_good) {
        print_message("'%s': %s\n", text, why);
    }
    assert_true(is_good);
    struct lens *l = lens_new(&term);
    assert_non_null(l);
    return l;
}

static struct event renewal(double wait_ms, unsigned tries)
{
    return (struct event){.kind = EVENT_RENEW,
                          .result = EVENT_ACK,
                          .stage = KEEP,
                          .tries = (uint16_t)tries,
                          .took_us = (uint32_t)(wait_ms * 1e3),
                          .wait_us = (uint32_t)(wait_ms * 1e3)};
}

/* `count` renewals, evenly over [from, until). */
static void renew(struct lens *l, double from_s, double until_s, unsigned count, double wait_ms)
{
    for (unsigned i = 0; i < count; i++) {
        struct event e = renewal(wait_ms, 1);
        lens_event(l, &e, us(from_s) + us(until_s - from_s) * i / count, false);
    }
}

static struct result_judgement end(struct lens *l, double run_s)
{
    struct result_judgement j;
    assert_true(lens_judge(l, us(run_s), "as written", "b off", &j));
    assert_string_equal(j.expression, "as written");
    lens_free(l);
    return j;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 0.01 * expected)) {
        print_message("%g is not %g\n", value, expected);
    }
    assert_true(fabs(value - expected) <= 0.01 * expected);
}

/* --- what cannot be judged --- */

static void an_event_that_never_happened_is_not_judged(void **state)
{
    (void)state;
    static const char *const texts[] = {"leases.failed == 0 in keep after 10s after \"b off\"",
                                        "leases.failed == 0 in keep except 10s after \"b off\""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct lens *l = lens_of(texts[i]);
        lens_stage_begin(l, KEEP, 0);
        lens_scenario_event(l, 0, us(5)); /* another one */
        lens_stage_end(l, KEEP, us(60));
        struct result_judgement j = end(l, 60);
        assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED);
        assert_non_null(strstr(j.note, "\"b off\" never happened"));
    }
}

static void an_event_behind_the_stage_leaves_nothing_to_judge(void **state)
{
    (void)state;
    struct lens *l = lens_of("leases.failed == 0 in keep after 10s after \"b off\"");
    lens_stage_begin(l, KEEP, 0);
    lens_stage_end(l, KEEP, us(60));
    lens_scenario_event(l, 1, us(70));
    struct result_judgement j = end(l, 80);
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED); /* and not 0 == 0 */
    assert_non_null(strstr(j.note, "nothing of the stage"));
    l = lens_of("leases.failed == 0 in keep after 100s after \"b off\"");
    lens_stage_begin(l, KEEP, 0);
    lens_scenario_event(l, 1, us(10));
    lens_stage_end(l, KEEP, us(60));
    assert_int_equal(end(l, 60).result, JUDGEMENT_NOT_JUDGED);
}

static void a_stage_shorter_than_the_window_is_not_judged(void **state)
{
    (void)state;
    struct lens *l = lens_of("leases.failed == 0 over 30s in keep");
    lens_stage_begin(l, KEEP, 0);
    lens_stage_end(l, KEEP, us(29.9));
    struct result_judgement j = end(l, 60);
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED);
    assert_int_equal(j.windows, 0);
    assert_non_null(strstr(j.note, "no full window of 30 s"));
}

static void windows_with_too_few_samples_are_counted_and_not_judged(void **state)
{
    (void)state;
    struct lens *l = lens_of("p90(renew) < 500ms over 10s in keep");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 0, 10, 100, 5);
    renew(l, 10, 20, 99, 5);
    renew(l, 20, 30, 100, 7); /* and nothing at all from 30 to 40 */
    lens_stage_end(l, KEEP, us(40));
    struct result_judgement j = end(l, 40);
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED);
    assert_true(j.has_windows);
    assert_int_equal(j.windows, 4);
    assert_int_equal(j.windows_too_few, 2);
    assert_non_null(strstr(j.note, "n too small in 2 of 4 windows: 100 samples needed"));
    assert_near(j.value, 7000); /* what was seen is shown all the same */
}

static void a_window_that_misses_is_a_miss_whatever_else_was_too_small(void **state)
{
    (void)state;
    struct lens *l = lens_of("p90(renew) < 500ms over 10s in keep");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 0, 10, 100, 900);
    lens_stage_end(l, KEEP, us(20));
    struct result_judgement j = end(l, 20);
    assert_int_equal(j.result, JUDGEMENT_MISS);
    assert_int_equal(j.windows_missed, 1);
    assert_int_equal(j.windows_too_few, 1);
}

static void a_result_that_comes_after_its_window_was_judged_is_no_pass(void **state)
{
    (void)state;
    struct lens *l = lens_of("leases.renewed >= 1 over 10s in keep");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 0, 30, 30, 5);
    lens_watermark(l, us(25));
    renew(l, 19, 20, 1, 5); /* [10, 20) is closed */
    renew(l, 20, 21, 1, 5); /* [20, 30) is not */
    lens_stage_end(l, KEEP, us(30));
    struct result_judgement j = end(l, 30);
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED);
    assert_non_null(strstr(j.note, "1 results came after their window was judged"));
}

/* --- windows --- */

static void every_full_window_must_hold_and_the_worst_is_shown(void **state)
{
    (void)state;
    static const struct {
        double worst_ms;
        enum judgement_result result;
    } rows[] = {{400, JUDGEMENT_PASS}, {600, JUDGEMENT_MISS}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lens *l = lens_of("p90(renew) < 500ms over 10s in keep");
        lens_stage_begin(l, KEEP, us(100));
        renew(l, 100, 110, 1000, 5);
        renew(l, 110, 120, 800, 6);
        renew(l, 110, 120, 200, rows[i].worst_ms); /* 20 % of one window, 5 % of the stage */
        renew(l, 120, 140, 2000, 7);
        renew(l, 140, 145, 1000, 9000); /* the last window is not full */
        lens_stage_end(l, KEEP, us(145));
        struct result_judgement j = end(l, 200);
        assert_int_equal(j.result, rows[i].result);
        assert_int_equal(j.windows, 4);
        assert_int_equal(j.windows_missed, rows[i].result == JUDGEMENT_MISS);
        assert_near(j.value, rows[i].worst_ms * 1000);
        assert_near(j.window_begin_s, 110);
        assert_near(j.window_end_s, 120);
        assert_non_null(strstr(j.note, "worst of 4 windows: 110.0 - 120.0 s, over 1000 samples"));
    }
}

static void closing_windows_early_changes_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "p90(renew) < 5ms over 10s in keep",
        "leases.renewed == 997 over 7s in keep",
        "renewed_per_s > 3/s over 3s in keep",
        "first_try_percent(renew) >= 50% over 10s in keep",
        "p50(renew) < 50ms over 10s in keep except 13s after \"b off\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct result_judgement j[2];
        for (unsigned early = 0; early < 2; early++) {
            struct lens *l = lens_of(texts[i]);
            uint32_t seed = 7;
            lens_stage_begin(l, KEEP, us(3));
            for (unsigned k = 0; k < 20000; k++) {
                seed = seed * 1664525 + 1013904223;
                struct event e = renewal(1 + (seed >> 16) % 100, 1 + (seed >> 8) % 2);
                double at_s = 3 + k * 0.01;
                if (k == 12345) {
                    lens_scenario_event(l, 1, us(at_s));
                }
                lens_event(l, &e, us(at_s), false);
                if (early && k % 50 == 0) {
                    lens_watermark(l, us(at_s - 2));
                }
            }
            lens_stage_end(l, KEEP, us(203));
            j[early] = end(l, 204);
        }
        assert_int_equal(j[0].result, j[1].result);
        assert_int_equal(j[0].windows, j[1].windows);
        assert_int_equal(j[0].windows_missed, j[1].windows_missed);
        assert_true(j[0].windows > 10);
        assert_string_equal(j[0].note, j[1].note);
        assert_true(fabs(j[0].value - j[1].value) < 1e-9);
    }
}

static void the_worst_depends_on_the_comparison(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double worst;
    } rows[] = {
        {"leases.renewed < 100 over 10s in keep", 30},
        {"leases.renewed >= 5 over 10s in keep", 10},
        {"leases.renewed == 21 over 10s in keep", 10},
        {"leases.renewed != 21 over 10s in keep", 20},
        {"renewed_per_s < 9/s over 10s in keep", 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lens *l = lens_of(rows[i].text);
        lens_stage_begin(l, KEEP, 0);
        renew(l, 0, 10, 10, 5);
        renew(l, 10, 20, 20, 5);
        renew(l, 20, 30, 30, 5);
        lens_stage_end(l, KEEP, us(30));
        assert_near(end(l, 30).value, rows[i].worst);
    }
}

static void what_gave_up_is_infinite_where_it_gave_up(void **state)
{
    (void)state;
    struct lens *l = lens_of("p90(renew) < 500ms over 10s in keep");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 0, 20, 200, 5);
    for (unsigned i = 0; i < 20; i++) {
        struct event e = renewal(22500, 3);
        e.result = EVENT_GAVE_UP;
        lens_event(l, &e, us(15), false);
    }
    lens_stage_end(l, KEEP, us(20));
    struct result_judgement j = end(l, 20);
    assert_int_equal(j.result, JUDGEMENT_MISS);
    assert_true(isnan(j.value));
    assert_int_equal(j.windows_missed, 1);
    assert_non_null(strstr(j.note, "10.0 - 20.0 s, lies among the 20 exchanges"));
}

static void other_stages_and_metrics_are_not_its_business(void **state)
{
    (void)state;
    struct lens *l = lens_of("p50(renew) < 500ms over 10s in keep");
    lens_stage_begin(l, PEAK, 0);
    lens_stage_end(l, PEAK, us(10));
    lens_stage_begin(l, KEEP, us(10));
    renew(l, 10, 20, 20, 5);
    for (unsigned i = 0; i < 100; i++) {
        struct event e = renewal(9000, 1);
        e.stage = PEAK;
        lens_event(l, &e, us(15), false);
        e.stage = KEEP;
        e.kind = EVENT_REBIND;
        lens_event(l, &e, us(15), false);
    }
    lens_stage_end(l, KEEP, us(20));
    struct result_judgement j = end(l, 20);
    assert_int_equal(j.result, JUDGEMENT_PASS);
    assert_near(j.value, 5000);
}

static void without_a_stage_every_stage_has_its_own_windows(void **state)
{
    (void)state;
    struct lens *l = lens_of("leases.renewed >= 1 over 10s");
    lens_stage_begin(l, PEAK, 0);
    lens_stage_end(l, PEAK, us(15));
    lens_stage_begin(l, KEEP, us(16));
    renew(l, 16, 36, 20, 5);
    lens_stage_end(l, KEEP, us(36));
    struct result_judgement j = end(l, 40);
    assert_int_equal(j.windows, 3); /* [0, 10), [16, 26), [26, 36) */
    assert_int_equal(j.windows_missed, 1);
    assert_near(j.window_end_s, 10);
}

/* --- filters --- */

static void after_means_later_than_the_event_and_the_time(void **state)
{
    (void)state;
    struct lens *l = lens_of("max(renew) < 500ms in keep after 10s after \"b off\"");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 0, 20, 20, 900);
    lens_scenario_event(l, 1, us(20));
    renew(l, 20, 29.999, 20, 800);
    renew(l, 30, 60, 30, 5);
    lens_stage_end(l, KEEP, us(60));
    struct event late = renewal(7, 1);
    lens_event(l, &late, us(61), false); /* of the stage, though it ended behind it */
    struct result_judgement j = end(l, 70);
    assert_int_equal(j.result, JUDGEMENT_PASS);
    assert_near(j.value, 7000);
    assert_false(j.has_windows);
}

static void except_leaves_out_what_follows_the_event(void **state)
{
    (void)state;
    struct lens *l = lens_of("leases.renewed == 2 in keep except 10s after \"b off\"");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 19.9, 20, 1, 5);
    lens_scenario_event(l, 1, us(20));
    renew(l, 20, 30, 50, 5);
    renew(l, 30, 30.1, 1, 5);
    lens_stage_end(l, KEEP, us(60));
    assert_int_equal(end(l, 70).result, JUDGEMENT_PASS);
}

static void a_rate_counts_only_the_time_that_is_left(void **state)
{
    (void)state;
    struct lens *l = lens_of("renewed_per_s > 0/s in keep except 10s after \"b off\"");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 0, 20, 100, 5);
    lens_scenario_event(l, 1, us(20));
    renew(l, 20, 30, 1000, 5);
    renew(l, 30, 60, 150, 5);
    lens_stage_end(l, KEEP, us(60));
    assert_near(end(l, 70).value, 5); /* 250 in 50 s */
}

static void windows_begin_anew_behind_what_is_left_out(void **state)
{
    (void)state;
    struct lens *l = lens_of("leases.renewed == 10 over 10s in keep except 5s after \"b off\"");
    lens_stage_begin(l, KEEP, 0);
    renew(l, 0, 20, 20, 5);
    renew(l, 20, 24, 77, 5); /* [20, 24): not full */
    lens_scenario_event(l, 1, us(24));
    renew(l, 24, 29, 99, 5);
    renew(l, 29, 49, 20, 5);
    lens_stage_end(l, KEEP, us(58));
    struct result_judgement j = end(l, 70);
    assert_int_equal(j.windows, 4);
    assert_int_equal(j.result, JUDGEMENT_PASS);
}

static void an_event_of_an_earlier_stage_counts_too(void **state)
{
    (void)state;
    struct lens *l = lens_of("leases.renewed == 10 over 10s in keep after 20s after \"b off\"");
    lens_stage_begin(l, PEAK, 0);
    lens_scenario_event(l, 1, us(5));
    lens_stage_end(l, PEAK, us(10));
    lens_stage_begin(l, KEEP, us(10));
    renew(l, 10, 25, 99, 5);
    renew(l, 25, 45, 20, 5);
    lens_stage_end(l, KEEP, us(45));
    struct result_judgement j = end(l, 50);
    assert_int_equal(j.windows, 2);
    assert_int_equal(j.result, JUDGEMENT_PASS);
}

static void a_begin_told_again_forgets_what_came_before(void **state)
{
    (void)state;
    static const char *const texts[] = {"leases.renewed == 10 over 10s in keep",
                                        "leases.renewed == 10 in keep except 1s after \"b off\""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct lens *l = lens_of(texts[i]);
        lens_stage_begin(l, KEEP, us(2));
        renew(l, 2, 14, 500, 5);
        lens_watermark(l, us(13));
        lens_scenario_event(l, 1, us(14));
        lens_stage_begin(l, KEEP, us(20));
        renew(l, 20, 30, 10, 5);
        lens_stage_end(l, KEEP, us(30));
        struct result_judgement j = end(l, 40);
        assert_int_equal(j.result, JUDGEMENT_PASS);
    }
}

/* --- memory --- */

static void a_day_of_short_windows_costs_little(void **state)
{
    (void)state;
    struct lens *l = lens_of("p50(renew) < 500ms over 10s in keep");
    size_t most = 0;
    lens_stage_begin(l, KEEP, 0);
    for (unsigned s = 0; s < 86400; s += 2) {
        struct event e = renewal(1 + s % 300, 1);
        for (unsigned k = 0; k < 5; k++) {
            lens_event(l, &e, us(s), false);
        }
        lens_watermark(l, us(s) - 2000000);
        most = lens_bytes(l) > most ? lens_bytes(l) : most;
    }
    lens_stage_end(l, KEEP, us(86400));
    assert_true(most > 10000 && most < 100000);
    struct result_judgement j = end(l, 86400);
    assert_int_equal(j.windows, 8640);
    assert_int_equal(j.windows_too_few, 0);
    assert_int_equal(j.result, JUDGEMENT_PASS);
}

static void an_agent_that_says_nothing_for_a_day_costs_no_more(void **state)
{
    (void)state;
    struct lens *l = lens_of("p50(renew) < 500ms over 10s in keep");
    size_t most = 0;
    lens_stage_begin(l, KEEP, 0);
    for (unsigned s = 0; s < 86400; s++) {
        struct event e = renewal(1 + s % 300, 1);
        for (unsigned k = 0; k < 2; k++) {
            lens_event(l, &e, us(s), false); /* and no watermark at all */
        }
        most = lens_bytes(l) > most ? lens_bytes(l) : most;
    }
    struct event forgotten = renewal(1, 1);
    lens_event(l, &forgotten, us(15), false); /* of a window that had to go */
    lens_stage_end(l, KEEP, us(86400));
    assert_true(most > 1000000 && most < 5000000);
    struct result_judgement j = end(l, 86400);
    assert_int_equal(j.windows, 8640);
    assert_int_equal(j.windows_too_few, 0);
    assert_non_null(strstr(j.note, "1 results came after"));
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_that_never_happened_is_not_judged),
        cmocka_unit_test(an_event_behind_the_stage_leaves_nothing_to_judge),
        cmocka_unit_test(a_stage_shorter_than_the_window_is_not_judged),
        cmocka_unit_test(windows_with_too_few_samples_are_counted_and_not_judged),
        cmocka_unit_test(a_window_that_misses_is_a_miss_whatever_else_was_too_small),
        cmocka_unit_test(a_result_that_comes_after_its_window_was_judged_is_no_pass),
        cmocka_unit_test(every_full_window_must_hold_and_the_worst_is_shown),
        cmocka_unit_test(closing_windows_early_changes_nothing),
        cmocka_unit_test(the_worst_depends_on_the_comparison),
        cmocka_unit_test(what_gave_up_is_infinite_where_it_gave_up),
        cmocka_unit_test(other_stages_and_metrics_are_not_its_business),
        cmocka_unit_test(without_a_stage_every_stage_has_its_own_windows),
        cmocka_unit_test(after_means_later_than_the_event_and_the_time),
        cmocka_unit_test(except_leaves_out_what_follows_the_event),
        cmocka_unit_test(a_rate_counts_only_the_time_that_is_left),
        cmocka_unit_test(windows_begin_anew_behind_what_is_left_out),
        cmocka_unit_test(an_event_of_an_earlier_stage_counts_too),
        cmocka_unit_test(a_begin_told_again_forgets_what_came_before),
        cmocka_unit_test(a_day_of_short_windows_costs_little),
        cmocka_unit_test(an_agent_that_says_nothing_for_a_day_costs_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
