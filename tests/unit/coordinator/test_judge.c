/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/truth/judge.h"

static struct scenario_stage stages[] = {{.name = "peak"}, {.name = "keep"}};
static struct scenario_judgement judgements[4];
static struct scenario scenario = {
    .stages = {.items = stages, .count = 2},
    .judgements = {.items = judgements, .count = 0},
};

static void what_is_no_judgement_is_refused_with_a_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "begins with a metric"},
        {"== 0", "begins with a metric"},
        {"leases.faild == 0", "did you mean 'leases.failed'?"},
        {"p99(renw) < 5ms", "did you mean 'p99(renew)'?"},
        {"p98(renew) < 5ms", "did you mean 'p9"},
        {"zzzzzzzzzzzzzzzz == 1", "unknown metric"},
        {"leases.failed", "expected a comparison"},
        {"leases.failed = 0", "expected a comparison"},
        {"leases.failed =< 0", "expected a comparison"},
        {"leases.failed ==", "a value is missing"},
        {"leases.failed == none", "give a whole number"},
        {"leases.failed == -1", "give a whole number"},
        {"leases.failed == 1.5", "give a whole number"},
        {"leases.failed == 1e3", "give a whole number"},
        {"leases.failed == 500ms", "give a whole number"},
        {"p99(renew) < 500", "with its unit"},
        {"p99(renew) < 500 ms", "with its unit"},
        {"p99(renew) < ms", "with its unit"},
        {"p99(renew) < 500ms during keep", "only 'in STAGE'"},
        {"p99(renew) < 500ms in", "only 'in STAGE'"},
        {"p99(renew) < 500ms in keep now", "only 'in STAGE'"},
        {"p99(renew) < 500ms in kep", "did you mean 'keep'?"},
        {"addresses.duplicate == 0 in keep", "leave out 'in keep'"},
        {"rates.acquired_per_s_mean > fast", "give a number"},
        {"outage.longest_s < 5/s", "give a number"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char why[JUDGE_WHY_BYTES] = "";
        bool is_good = judge_check(rows[i].text, &scenario, why);
        if (is_good || strstr(why, rows[i].says) == NULL) {
            print_message("'%s': %s\n", rows[i].text, why);
        }
        assert_false(is_good);
        assert_non_null(strstr(why, rows[i].says));
    }
}

static void what_stands_in_the_documents_is_accepted(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "leases.failed == 0",
        "leases.acquired == 20_000",
        "leases.failed==0",
        "  leases.expired   ==  0  ",
        "p99(renew) < 500ms in keep",
        "p999(acquire)<=4s",
        "mean(request_ack) < 1.5ms",
        "max(discover_offer) < 100us in peak",
        "addresses.duplicate == 0",
        "accounting.missing == 0",
        "outage.client_seconds == 0",
        "outage.longest_s < 30s",
        "outage.longest_s < 30.5",
        "outage.first_answer_s < 52.5",
        "rates.acquired_per_s_mean >= 600",
        "rates.acquired_per_s_peak >= 600/s",
        "messages.sent.discover > 0",
        "messages.fate.late < 10",
        "messages.wrong_source_port == 0",
        "leases.nak != 1 in keep",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char why[JUDGE_WHY_BYTES] = "";
        bool is_good = judge_check(rows[i], &scenario, why);
        if (!is_good) {
            print_message("'%s': %s\n", rows[i], why);
        }
        assert_true(is_good);
    }
}

struct world {
    struct histogram renew;
    uint64_t unfinished;
    struct result_leases all, keep;
    struct result result;
};

static const struct histogram *latency_of(void *context, enum latency_metric metric, uint8_t stage)
{
    struct world *w = context;
    (void)stage;
    return metric == LATENCY_REBIND ? NULL : &w->renew;
}

static uint64_t unfinished_of(void *context, uint8_t stage)
{
    (void)stage;
    return ((struct world *)context)->unfinished;
}

static const struct result_leases *leases_of(void *context, uint8_t stage)
{
    struct world *w = context;
    return stage == 1 ? &w->keep : &w->all;
}

static struct result_judgement judge(struct world *w, const char *text)
{
    const struct judge_facts facts = {.result = &w->result,
                                      .scenario = &scenario,
                                      .context = w,
                                      .latency = latency_of,
                                      .unfinished = unfinished_of,
                                      .leases = leases_of};
    struct result_judgement j;
    judge_evaluate(text, &facts, &j);
    return j;
}

static void too_few_samples_are_not_judged(void **state)
{
    (void)state;
    static struct world w;
    w = (struct world){0};
    for (int i = 0; i < 999; i++) {
        histogram_record(&w.renew, NS_PER_MS);
    }
    struct result_judgement j = judge(&w, "p99(renew) < 500ms");
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED);
    assert_true(isnan(j.value));
    assert_non_null(strstr(j.note, "999 samples, 1000 needed"));
    histogram_record(&w.renew, NS_PER_MS);
    assert_int_equal(judge(&w, "p99(renew) < 500ms").result, JUDGEMENT_PASS);
    assert_int_equal(judge(&w, "p999(renew) < 500ms").result, JUDGEMENT_NOT_JUDGED);
    assert_int_equal(judge(&w, "max(rebind) < 500ms").result, JUDGEMENT_NOT_JUDGED);
}

static void a_text_that_was_never_checked_is_not_judged(void **state)
{
    (void)state;
    static struct world w;
    struct result_judgement j = judge(&w, "leases.faild == 0");
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED);
    assert_string_equal(j.expression, "leases.faild == 0");
    assert_non_null(strstr(j.note, "leases.failed"));
}

static void a_figure_that_did_not_come_about_is_not_judged(void **state)
{
    (void)state;
    static struct world w;
    w = (struct world){0};
    w.result.outage.first_answer_s = NAN;
    w.result.messages.fate_late = RESULT_UNKNOWN;
    assert_int_equal(judge(&w, "outage.first_answer_s < 5").result, JUDGEMENT_NOT_JUDGED);
    assert_int_equal(judge(&w, "messages.fate.late == 0").result, JUDGEMENT_NOT_JUDGED);
}

static void unfinished_starts_are_infinitely_late(void **state)
{
    (void)state;
    static struct world w;
    w = (struct world){.unfinished = 20};
    for (int i = 0; i < 980; i++) {
        histogram_record(&w.renew, NS_PER_MS);
    }
    struct result_judgement j = judge(&w, "p99(acquire) < 4s");
    assert_int_equal(j.result, JUDGEMENT_MISS);
    assert_true(isnan(j.value));
    assert_non_null(strstr(j.note, "20 starts that never finished"));
    assert_int_equal(judge(&w, "p90(acquire) < 4s").result, JUDGEMENT_PASS);
    assert_int_equal(judge(&w, "max(acquire) < 4s").result, JUDGEMENT_MISS);
    assert_int_equal(judge(&w, "max(renew) < 4s").result, JUDGEMENT_PASS);
}

static void every_comparison_means_what_it_says(void **state)
{
    (void)state;
    static struct world w;
    w = (struct world){.all = {.failed = 5}, .keep = {.failed = 2}};
    static const struct {
        const char *text;
        enum judgement_result result;
    } rows[] = {
        {"leases.failed == 5", JUDGEMENT_PASS},         {"leases.failed == 4", JUDGEMENT_MISS},
        {"leases.failed != 4", JUDGEMENT_PASS},         {"leases.failed != 5", JUDGEMENT_MISS},
        {"leases.failed < 6", JUDGEMENT_PASS},          {"leases.failed < 5", JUDGEMENT_MISS},
        {"leases.failed <= 5", JUDGEMENT_PASS},         {"leases.failed <= 4", JUDGEMENT_MISS},
        {"leases.failed > 4", JUDGEMENT_PASS},          {"leases.failed > 5", JUDGEMENT_MISS},
        {"leases.failed >= 5", JUDGEMENT_PASS},         {"leases.failed >= 6", JUDGEMENT_MISS},
        {"leases.failed == 2 in keep", JUDGEMENT_PASS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(judge(&w, rows[i].text).result, rows[i].result);
    }
    struct result_judgement j = judge(&w, "leases.failed == 4");
    assert_true(j.value > 4.9 && j.value < 5.1 && j.limit > 3.9 && j.limit < 4.1);
}

static void latencies_are_compared_and_told_in_microseconds(void **state)
{
    (void)state;
    static struct world w;
    w = (struct world){0};
    for (int i = 0; i < 1000; i++) {
        histogram_record(&w.renew, 2 * NS_PER_MS);
    }
    struct result_judgement j = judge(&w, "p99(renew) < 1ms in keep");
    assert_int_equal(j.result, JUDGEMENT_MISS);
    assert_true(j.value >= 2000 && j.value < 2020);
    assert_true(j.limit >= 1000 && j.limit <= 1000);
    assert_int_equal(judge(&w, "mean(renew) <= 2ms").result, JUDGEMENT_PASS);
}

static void the_smallest_latency_limit_of_a_stage_is_found(void **state)
{
    (void)state;
    static const char *const texts[] = {"p99(renew) < 500ms in keep", "p50(acquire) <= 80ms",
                                        "leases.failed == 0", "max(renew) > 1ms"};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(judgements[i].text, sizeof(judgements[i].text), "%s", texts[i]);
    }
    scenario.judgements.count = 1;
    assert_int_equal(judge_smallest_latency_ns(&scenario, 0), 0);
    assert_int_equal(judge_smallest_latency_ns(&scenario, 1), 500 * NS_PER_MS);
    scenario.judgements.count = 4;
    assert_int_equal(judge_smallest_latency_ns(&scenario, 0), 80 * NS_PER_MS);
    assert_int_equal(judge_smallest_latency_ns(&scenario, 1), 80 * NS_PER_MS);
    scenario.judgements.count = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_judgement_is_refused_with_a_remedy),
        cmocka_unit_test(what_stands_in_the_documents_is_accepted),
        cmocka_unit_test(too_few_samples_are_not_judged),
        cmocka_unit_test(a_text_that_was_never_checked_is_not_judged),
        cmocka_unit_test(a_figure_that_did_not_come_about_is_not_judged),
        cmocka_unit_test(unfinished_starts_are_infinitely_late),
        cmocka_unit_test(every_comparison_means_what_it_says),
        cmocka_unit_test(latencies_are_compared_and_told_in_microseconds),
        cmocka_unit_test(the_smallest_latency_limit_of_a_stage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
