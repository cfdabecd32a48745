/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/truth/judge.h"
#include "coordinator/truth/judge_terms.h"

static struct scenario_stage stages[] = {{.name = "peak"}, {.name = "keep"}};
static struct scenario_judgement judgements[4];
static struct scenario_event events[] = {{.name = "b off"}, {.name = "b on"}};
static struct scenario scenario = {
    .stages = {.items = stages, .count = 2},
    .events = {.items = events, .count = 2},
    .judgements = {.items = judgements, .count = 0},
};

struct refused {
    const char *text, *says;
};

static void assert_refused(const struct refused *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char why[JUDGE_WHY_BYTES] = "";
        bool is_good = judge_check(rows[i].text, &scenario, why);
        if (is_good || strstr(why, rows[i].says) == NULL) {
            print_message("'%s': %s\n", rows[i].text, why);
        }
        assert_false(is_good);
        assert_non_null(strstr(why, rows[i].says));
    }
}

static void what_is_no_judgement_is_refused_with_a_remedy(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"", "begins with a metric"},
        {"== 0", "begins with a metric"},
        {"search.low.dora_per_s > 5/s", "this scenario has no search"},
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
        {"p99(renew) < 5/s", "with its unit"},
        {"outage.longest_s < 30", "with its unit"},
        {"outage.longest_s < 5/s", "with its unit"},
        {"rates.acquired_per_s_mean > 600", "with its unit"},
        {"rates.acquired_per_s_mean > 600ms", "with its unit"},
        {"acquired_per_s > fast", "with its unit"},
        {"first_try_percent(renew) > 99", "with its unit"},
        {"first_try_percent(renew) > 101%", "0% to 100%"},
        {"first_try_percent(renew) > %", "with its unit"},
        {"first_try_percent(request_ack) > 9%", "unknown metric"},
        {"p99(request_ack.success) < 5ms", "unknown metric"},
        {"p99(renew.sucess) < 5ms", "did you mean 'p99(renew.success)'?"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
}

static void what_may_not_follow_the_value_is_refused_with_a_remedy(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"p99(renew) < 500ms during keep", "'during' may not follow"},
        {"p99(renew) < 500ms exept 30s", "did you mean 'except'"},
        {"p99(renew) < 500ms in", "a stage is missing"},
        {"p99(renew) < 500ms in keep now", "'now' may not follow"},
        {"p99(renew) < 500ms in keep in keep", "second time"},
        {"p99(renew) < 500ms over 30s over 30s", "second time"},
        {"p99(renew) < 500ms after 1s after \"b on\" except 1s after \"b on\"", "second time"},
        {"p99(renew) < 500ms in kep", "did you mean 'keep'?"},
        {"p99(renew) < 500ms over", "is no window"},
        {"p99(renew) < 500ms over 30", "is no window"},
        {"p99(renew) < 500ms over 0s", "is no window"},
        {"p99(renew) < 500ms over 999ms", "at least 1s"},
        {"p99(renew) < 500ms over in keep", "is no window"},
        {"p99(renew) < 500ms after", "lacks a time"},
        {"p99(renew) < 500ms after \"b off\"", "write after 30s after"},
        {"p99(renew) < 500ms after 30s", "in double quotes"},
        {"p99(renew) < 500ms after 30s after b off", "in double quotes"},
        {"p99(renew) < 500ms after 30s after \"b off", "in double quotes"},
        {"p99(renew) < 500ms after 30s after \"\"", "in double quotes"},
        {"p99(renew) < 500ms after 30s of \"b off\"", "in double quotes"},
        {"p99(renew) < 500ms after 30s after \"b of\"", "did you mean 'b off'?"},
        {"p99(renew) < 500ms after 30s after \"xyzzy\"", "use a name from the events block"},
        {"p99(renew) < 500ms except 0s after \"b off\"", "leaves nothing out"},
        {"p99(renew) < 500ms except 30 after \"b off\"", "lacks a time"},
        {"addresses.duplicate == 0 in keep", "whole run only"},
        {"outage.longest_s < 1s over 30s", "whole run only"},
        {"addresses.duplicate == 0 after 1s after \"b off\"", "whole run only"},
    };
    assert_refused(rows, ARRAY_LEN(rows));
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
        "outage.longest_s < 30500ms",
        "outage.client_seconds < 2h",
        "outage.first_answer_s < 52.5s",
        "rates.acquired_per_s_mean >= 600/s",
        "rates.acquired_per_s_peak >= 600/s",
        "messages.sent.discover > 0",
        "messages.fate.late < 10",
        "messages.wrong_source_port == 0",
        "leases.nak != 1 in keep",
        "p99(renew) < 500ms over 30s in keep except 30s after \"b off\"",
        "p99(renew) < 500ms in keep over 30s after 0s after \"b on\"",
        "leases.expired == 0 after 90s after \"b off\"",
        "p99(acquire.success) < 1s in peak",
        "max(reboot) < 1s",
        "first_try_percent(renew) >= 99.9% over 1m in keep",
        "answered_percent(acquire) == 100%",
        "acquired_per_s > 600/s over 5s in peak",
        "renewed_per_s > 0.5/s in keep",
        "rates.retransmission_wait_percent < 5%",
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

static void a_judgement_is_taken_apart(void **state)
{
    (void)state;
    struct judge_term term;
    char why[JUDGE_WHY_BYTES];
    assert_true(judge_terms_parse("p99(renew.success) <= 500ms over 30s in keep except 45s after "
                                  "\"b on\"",
                                  &scenario, &term, why));
    assert_string_equal(term.metric, "p99(renew.success)");
    assert_int_equal(term.source, JUDGE_FROM_LATENCY);
    assert_int_equal(term.latency, LATENCY_RENEW);
    assert_true(term.is_success_only);
    assert_int_equal(term.comparison, JUDGE_LE);
    assert_true(term.limit >= 500000 && term.limit <= 500000);
    assert_int_equal(term.window_ns, 30 * NS_PER_S);
    assert_int_equal(term.stage, 1);
    assert_int_equal(term.filter, JUDGE_EXCEPT);
    assert_int_equal(term.filter_ns, 45 * NS_PER_S);
    assert_int_equal(term.event, 1);
    assert_true(judge_term_needs_lens(&term));
    assert_true(judge_terms_parse("p99(renew) < 500ms in keep", &scenario, &term, why));
    assert_false(judge_term_needs_lens(&term));
    assert_false(term.is_success_only);
}

static void every_listed_metric_can_be_judged(void **state)
{
    (void)state;
    size_t count = judge_metric_count(), with_window = 0;
    assert_true(count > 100);
    scenario.has_search = true;
    for (size_t i = 0; i < count; i++) {
        struct judge_metric_info m;
        char text[240], why[JUDGE_WHY_BYTES] = "";
        judge_metric_get(i, &m);
        assert_true(m.help[0] != '\0');
        const char *value = strcmp(m.unit, "time") == 0  ? "1s"
                            : strcmp(m.unit, "1/s") == 0 ? "1/s"
                            : strcmp(m.unit, "%") == 0   ? "1%"
                                                         : "1";
        (void)snprintf(text, sizeof(text), "%s < %s", m.name, value);
        assert_true(judge_check(text, &scenario, why));
        (void)snprintf(text, sizeof(text), "%s < %s over 5s in keep", m.name, value);
        assert_int_equal(judge_check(text, &scenario, why), m.takes_window);
        assert_int_equal(m.takes_window, m.takes_stage);
        with_window += m.takes_window;
        (void)snprintf(text, sizeof(text), "%s < 1kg", m.name);
        assert_false(judge_check(text, &scenario, why));
        for (size_t k = 0; k < i; k++) {
            struct judge_metric_info other;
            judge_metric_get(k, &other);
            assert_string_not_equal(m.name, other.name);
        }
    }
    assert_true(with_window > 60 && with_window < count);
    scenario.has_search = false;
}

struct world {
    struct histogram renew;
    uint64_t unfinished, answered, first_try;
    struct result_leases all, keep;
    double seconds;
    struct result result;
};

static void tally_of(void *context, const struct judge_term *term, struct judge_tally *out)
{
    struct world *w = context;
    const struct result_leases *leases = term->stage == 1 ? &w->keep : &w->all;
    *out = (struct judge_tally){
        .latency = term->latency == LATENCY_REBIND ? NULL : &w->renew,
        .unfinished = term->latency == LATENCY_ACQUIRE ? w->unfinished : 0,
        .answered = w->answered,
        .first_try = w->first_try,
        .seconds = w->seconds,
    };
    if (term->source == JUDGE_FROM_LEASES || term->source == JUDGE_FROM_LEASE_RATE) {
        out->count = *(const uint64_t *)(const void *)((const char *)leases + term->offset);
    }
}

static struct result_judgement judge(struct world *w, const char *text)
{
    const struct judge_facts facts = {
        .result = &w->result, .scenario = &scenario, .context = w, .tally = tally_of};
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
    assert_non_null(strstr(j.note, "20 exchanges that never finished"));
    char text[JUDGEMENT_VALUE_BYTES];
    assert_string_equal(judgement_value_text(&j, text), "> give-up");
    assert_int_equal(judge(&w, "p90(acquire) < 4s").result, JUDGEMENT_PASS);
    assert_int_equal(judge(&w, "max(acquire) < 4s").result, JUDGEMENT_MISS);
    assert_int_equal(judge(&w, "max(renew) < 4s").result, JUDGEMENT_PASS);
}

static void only_what_was_answered_is_in_a_success_percentile(void **state)
{
    (void)state;
    static struct world w;
    w = (struct world){.unfinished = 500};
    for (int i = 0; i < 999; i++) {
        histogram_record(&w.renew, NS_PER_MS);
    }
    assert_int_equal(judge(&w, "p99(acquire) < 4s").result, JUDGEMENT_MISS);
    struct result_judgement j = judge(&w, "p99(acquire.success) < 4s");
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED); /* the unfinished are no samples of it */
    assert_non_null(strstr(j.note, "999 samples, 1000 needed"));
    histogram_record(&w.renew, NS_PER_MS);
    assert_int_equal(judge(&w, "p99(acquire.success) < 4s").result, JUDGEMENT_PASS);
    assert_int_equal(judge(&w, "max(acquire.success) < 4s").result, JUDGEMENT_PASS);
}

static void shares_and_rates_have_their_units(void **state)
{
    (void)state;
    static struct world w;
    char text[JUDGEMENT_VALUE_BYTES];
    w = (struct world){.unfinished = 100, .keep = {.renewed = 500}, .seconds = 20};
    struct result_judgement j = judge(&w, "answered_percent(renew) > 1%");
    assert_int_equal(j.result, JUDGEMENT_NOT_JUDGED); /* nothing was asked */
    w.answered = 900;
    w.first_try = 800;
    j = judge(&w, "first_try_percent(acquire) >= 80.1%");
    assert_int_equal(j.result, JUDGEMENT_MISS);
    assert_string_equal(judgement_value_text(&j, text), "80 %");
    assert_string_equal(j.unit, "%");
    assert_non_null(strstr(j.note, "800 of 1000"));
    assert_int_equal(judge(&w, "answered_percent(acquire) >= 90%").result, JUDGEMENT_PASS);
    j = judge(&w, "renewed_per_s >= 25/s in keep");
    assert_int_equal(j.result, JUDGEMENT_PASS);
    assert_string_equal(judgement_value_text(&j, text), "25/s");
    w.seconds = 0;
    assert_int_equal(judge(&w, "renewed_per_s >= 0/s in keep").result, JUDGEMENT_NOT_JUDGED);
}

static void what_needs_a_lens_is_not_judged_without(void **state)
{
    (void)state;
    static struct world w;
    w = (struct world){0};
    assert_int_equal(judge(&w, "leases.failed == 0 over 30s").result, JUDGEMENT_NOT_JUDGED);
    assert_int_equal(judge(&w, "leases.failed == 0 after 1s after \"b on\"").result,
                     JUDGEMENT_NOT_JUDGED);
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
        cmocka_unit_test(what_may_not_follow_the_value_is_refused_with_a_remedy),
        cmocka_unit_test(what_stands_in_the_documents_is_accepted),
        cmocka_unit_test(a_judgement_is_taken_apart),
        cmocka_unit_test(every_listed_metric_can_be_judged),
        cmocka_unit_test(too_few_samples_are_not_judged),
        cmocka_unit_test(only_what_was_answered_is_in_a_success_percentile),
        cmocka_unit_test(shares_and_rates_have_their_units),
        cmocka_unit_test(what_needs_a_lens_is_not_judged_without),
        cmocka_unit_test(a_text_that_was_never_checked_is_not_judged),
        cmocka_unit_test(a_figure_that_did_not_come_about_is_not_judged),
        cmocka_unit_test(unfinished_starts_are_infinitely_late),
        cmocka_unit_test(every_comparison_means_what_it_says),
        cmocka_unit_test(latencies_are_compared_and_told_in_microseconds),
        cmocka_unit_test(the_smallest_latency_limit_of_a_stage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
