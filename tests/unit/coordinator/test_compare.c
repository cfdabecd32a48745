/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/attrs.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/report/compare.h"

/* A report as far as compare reads it; `from` is replaced by `to` where it stands. */
static const char *const report =
    "{\"schema\": \"leaseherd.report/1\",\n"
    " \"run\": {\"identity\": \"fresh\", \"client_path\": \"egress\", \"lease_s\": 60,\n"
    "   \"production_lease_s\": 28800, \"stages\": [\n"
    "   {\"kind\": \"acquire\", \"batch\": 300, \"rate_per_s\": null, \"duration_s\": null}]},\n"
    " \"verdict\": {\"result\": \"PASS\"},\n"
    " \"relays\": [{\"clients\": 12000}, {\"clients\": 8000}],\n"
    " \"leases\": {\"failed\": 0, \"expired\": 0},\n"
    " \"outage\": {\"client_seconds\": 0},\n"
    " \"latency_us\": {\n"
    "   \"acquire\": {\"count\": 20000, \"unfinished\": 0, \"p50\": 4500, \"p99\": 13000,\n"
    "     \"ci95\": {\"p50\": [4400, 4600], \"p99\": [12500, 13500]}},\n"
    "   \"renew\": {\"count\": 0, \"unfinished\": 0, \"p50\": null, \"p99\": null, \"ci95\": "
    "{}}},\n"
    " \"search\": null}\n";

static char *report_with(const char *from, const char *to)
{
    static char text[16384];
    const char *at = strstr(report, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - report), report, to,
                   at + strlen(from));
    return text;
}

static struct compare_run read_good(const char *json)
{
    struct compare_run run;
    char why[COMPARE_WHY_BYTES] = "";
    if (!compare_read(json, strlen(json), &run, why)) {
        print_error("%s\n", why);
        fail();
    }
    return run;
}

static void hostile_reports_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *why;
    } rows[] = {
        {"{\"schema\"", "", "not JSON"},
        {"{\"schema\"", "[1, {\"schema\"", "not JSON"},
        {"{\"schema\"", "  [[0, 0, 0], {\"schema\"", "begins with {"},
        {"leaseherd.report/1", "leaseherd.report/2", "schema"},
        {"\"leaseherd.report/1\"", "7", "schema"},
        {"\"fresh\"", "[]", "identity"},
        {"\"fresh\"", "\"fr\\u001b[2Jesh\"", "printed"},
        {"\"fresh\"",
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "short"},
        {"\"PASS\"", "\"FINE\"", "PASS, FAIL"},
        {"{\"result\": \"PASS\"}", "null", "verdict"},
        {"12000", "-1", "clients"},
        {"12000", "1e300", "clients"},
        {"12000", "1e999", "not JSON"},
        {"12000", "\"12000\"", "clients"},
        {"[{\"clients\": 12000}, {\"clients\": 8000}]", "{}", "relays"},
        {"{\"failed\": 0, \"expired\": 0}", "[]", "leases"},
        {"\"failed\": 0", "\"failed\": true", "failed"},
        {"\"client_seconds\": 0", "\"client_seconds\": \"0\"", "client_seconds"},
        {"\"p50\": 4500", "\"p50\": {}", "p50"},
        {"[4400, 4600]", "[4600, 4400]", "interval"},
        {"[4400, 4600]", "[-5, 4600]", "interval"},
        {"\"search\": null", "\"search\": {\"terms\": 3}", "terms"},
        {"\"search\": null",
         "\"search\": {\"terms\": {}, \"low\": {}, \"high\": {}, "
         "\"repeats\": 9}",
         "repeats"},
        {"\"search\": null", "\"search\": null, \"search\": null", "not JSON"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct compare_run run;
        char why[COMPARE_WHY_BYTES] = "";
        const char *text = report_with(rows[i].from, rows[i].to);
        bool is_read = compare_read(text, strlen(text), &run, why);
        if (is_read || strstr(why, rows[i].why) == NULL) {
            print_error("row %zu (%s): %s\n", i, rows[i].to, is_read ? "was read" : why);
        }
        assert_false(is_read);
        assert_non_null(strstr(why, rows[i].why));
    }
}

/* JSON of a hundred megabytes is gigabytes as a tree: nothing but a report is parsed. */
static void what_is_no_report_is_not_parsed(void **state)
{
    (void)state;
    struct compare_run run;
    char why[COMPARE_WHY_BYTES] = "";
    size_t bytes = (size_t)COMPARE_JSON_BYTES_MAX + 1;
    assert_true(bytes <= 16777217);
    char *text = malloc(bytes);
    assert_non_null(text);
    memset(text, ' ', bytes);
    memcpy(text, report, strlen(report));
    assert_false(compare_read(text, bytes, &run, why));
    assert_non_null(strstr(why, "longer"));
    assert_true(compare_read(text, bytes - 1, &run, why));
    free(text);
    assert_false(compare_read("[0, 0, 0]", 9, &run, why));
    assert_non_null(strstr(why, "begins with {"));
    assert_false(compare_read(" \n", 2, &run, why));
    assert_false(compare_read("", 0, &run, why));
}

static void a_thousand_stages_do_not_fit(void **state)
{
    (void)state;
    static char many[16384];
    size_t at = 0;
    for (unsigned i = 0; i < 300; i++) {
        at += (size_t)snprintf(many + at, sizeof(many) - at, "{\"kind\": \"hold\"},");
    }
    struct compare_run run;
    char why[COMPARE_WHY_BYTES];
    const char *text =
        report_with("{\"kind\": \"acquire\"", strcat(many, "{\"kind\": \"acquire\""));
    assert_false(compare_read(text, strlen(text), &run, why));
    assert_non_null(strstr(why, "stages"));
}

/* Cut anywhere, nothing but a refusal may come of it. */
static void a_report_cut_short_is_refused(void **state)
{
    (void)state;
    struct compare_run run;
    char why[COMPARE_WHY_BYTES];
    for (size_t bytes = 0; bytes + 2 < strlen(report); bytes++) {
        char *copy = malloc(bytes + 1);
        assert_non_null(copy);
        memcpy(copy, report, bytes);
        assert_false(compare_read(copy, bytes, &run, why));
        free(copy);
    }
}

static void runs_of_another_shape_are_not_compared(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *why;
    } rows[] = {
        {"\"fresh\"", "\"returning\"", "identities are fresh and returning"},
        {"\"egress\"", "\"relayed\"", "client path: relayed"},
        {"12000", "12001", "clients: 20001"},
        {"[{\"clients\": 12000}, {\"clients\": 8000}]", "[{\"clients\": 20000}]", "relays: 1"},
        {"\"lease_s\": 60", "\"lease_s\": 61", "lease: 61"},
        {"\"lease_s\": 60,\n", "", "lease: none"},
        {"28800", "3600", "production lease: 3600"},
        {"\"acquire\", \"batch\": 300", "\"acquire\", \"batch\": 301", "batch 301"},
        {"\"kind\": \"acquire\"", "\"kind\": \"hold\"", "hold"},
        {"\"search\": null",
         "\"search\": {\"terms\": {}, \"low\": {}, \"high\": {}, \"repeats\": []}", "search"},
    };
    struct compare_run a = read_good(report);
    char why[COMPARE_WHY_BYTES] = "";
    assert_true(compare_is_alike(&a, &a, why));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct compare_run b = read_good(report_with(rows[i].from, rows[i].to));
        bool is_alike = compare_is_alike(&a, &b, why);
        if (is_alike || strstr(why, rows[i].why) == NULL) {
            print_error("row %zu: %s\n", i, why);
        }
        assert_false(is_alike);
        assert_non_null(strstr(why, rows[i].why));
    }
}

static void only_judged_runs_are_usable(void **state)
{
    (void)state;
    static const struct {
        const char *verdict;
        bool is_usable;
    } rows[] = {{"\"PASS\"", true},     {"\"FAIL\"", true},       {"\"INVALID\"", false},
                {"\"ABORTED\"", false}, {"\"PREFLIGHT\"", false}, {"\"INTERNAL\"", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct compare_run run = read_good(report_with("\"PASS\"", rows[i].verdict));
        assert_int_equal(compare_is_usable(&run), rows[i].is_usable);
    }
}

static struct compare_row single(const char *from, const char *to, enum compare_measure m)
{
    struct compare_run a = read_good(report), b = read_good(report_with(from, to));
    struct compare_result r;
    compare_decide(&a, 1, &b, 1, 1, &r);
    return r.row[m];
}

static void single_runs_are_compared_by_their_own_intervals(void **state)
{
    (void)state;
    struct compare_row row =
        single("4500, \"p99\": 13000,\n     \"ci95\": {\"p50\": [4400, 4600]",
               "5500, \"p99\": 13000,\n     \"ci95\": {\"p50\": [5400, 5600]", COMPARE_ACQUIRE_P50);
    assert_int_equal(row.outcome, COMPARE_WORSE);
    assert_false(row.is_bootstrap);
    assert_float_equal(row.low, 5400 - 4600, 0.001);
    row =
        single("4500, \"p99\": 13000,\n     \"ci95\": {\"p50\": [4400, 4600]",
               "3500, \"p99\": 13000,\n     \"ci95\": {\"p50\": [3400, 3600]", COMPARE_ACQUIRE_P50);
    assert_int_equal(row.outcome, COMPARE_BETTER);
    row = single("[4400, 4600]", "[4300, 4700]", COMPARE_ACQUIRE_P50);
    assert_int_equal(row.outcome, COMPARE_SAME);
    assert_float_equal(row.smallest_percent, 6.667F, 0.01);
    /* Sharper than a step of the histogram nothing is. */
    row =
        single("4500, \"p99\": 13000,\n     \"ci95\": {\"p50\": [4400, 4600]",
               "4501, \"p99\": 13000,\n     \"ci95\": {\"p50\": [4501, 4501]", COMPARE_ACQUIRE_P50);
    assert_int_equal(row.outcome, COMPARE_SAME);
    assert_true(row.smallest_percent >= 1.6);
    row = single("\"search\"", "\"more\"", COMPARE_RENEW_P50);
    assert_false(row.is_there);
}

static void clients_that_never_finish_are_worse_than_any_latency(void **state)
{
    (void)state;
    struct compare_row row =
        single("\"unfinished\": 0, \"p50\": 4500, \"p99\": 13000",
               "\"unfinished\": 900, \"p50\": 4500, \"p99\": null", COMPARE_ACQUIRE_P99);
    assert_int_equal(row.outcome, COMPARE_WORSE);
    assert_true(row.b >= COMPARE_GIVE_UP_US);
    row = single("\"count\": 20000, \"unfinished\": 0, \"p50\": 4500, \"p99\": 13000",
                 "\"count\": 500, \"unfinished\": 0, \"p50\": 4500, \"p99\": null",
                 COMPARE_ACQUIRE_P99); /* too few samples are no figure at all */
    assert_int_equal(row.outcome, COMPARE_UNKNOWN);
}

static void counts_differ_when_chance_cannot_explain_it(void **state)
{
    (void)state;
    assert_int_equal(single("\"failed\": 0", "\"failed\": 2", COMPARE_FAILED).outcome,
                     COMPARE_SAME);
    struct compare_row row = single("\"failed\": 0", "\"failed\": 40", COMPARE_FAILED);
    assert_int_equal(row.outcome, COMPARE_WORSE);
    assert_true(isnan(row.percent)); /* of nothing there is no share */
    assert_int_equal(single("\"expired\": 0", "\"expired\": 40", COMPARE_EXPIRED).outcome,
                     COMPARE_WORSE);
    assert_int_equal(
        single("\"client_seconds\": 0", "\"client_seconds\": 9", COMPARE_OUTAGE).outcome,
        COMPARE_UNKNOWN);
}

static const char *search_of(double low, double high)
{
    static char text[512];
    (void)snprintf(text, sizeof(text),
                   "\"search\": {\"terms\": {}, \"low\": {\"exchanges_per_s\": %g}, "
                   "\"high\": {\"exchanges_per_s\": %g}, \"repeats\": ["
                   "{\"limit\": \"server\", \"low_per_s\": %g, \"high_per_s\": %g}]}",
                   low, high, low, high);
    return text;
}

static void repeats_are_compared_by_how_they_vary(void **state)
{
    (void)state;
    static const double of_a[] = {1000, 1010, 990, 1005, 995}, of_b[] = {900, 905, 895, 910, 890};
    struct compare_run a[5], b[5];
    struct compare_result r;
    for (size_t i = 0; i < 5; i++) {
        a[i] = read_good(report_with("\"search\": null", search_of(of_a[i], of_a[i] * 1.04)));
        b[i] = read_good(report_with("\"search\": null", search_of(of_b[i], of_b[i] * 1.04)));
    }
    compare_decide(a, 5, b, 5, 1, &r);
    const struct compare_row *row = &r.row[COMPARE_CAPACITY];
    assert_true(row->is_bootstrap);
    assert_int_equal(row->interval_percent, 95);
    assert_int_equal(row->outcome, COMPARE_WORSE);
    assert_float_equal(row->percent, -10, 0.01);
    assert_true(r.is_worse);
    compare_decide(b, 5, a, 5, 1, &r);
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_BETTER);
    assert_false(r.is_worse);
    compare_decide(a, 5, a, 5, 1, &r);
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_SAME);
    assert_float_equal(r.row[COMPARE_CAPACITY].smallest_percent, 1.5, 1);
    compare_decide(a, 3, b, 5, 1, &r); /* of three runs the median is hardly known */
    assert_int_equal(r.row[COMPARE_CAPACITY].interval_percent, 90);
    compare_decide(a, 1, b, 1, 1, &r); /* single runs: the brackets do not touch */
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_WORSE);
    assert_false(r.row[COMPARE_CAPACITY].is_bootstrap);
}

static void a_search_that_found_no_bracket_has_no_capacity_to_compare(void **state)
{
    (void)state;
    static const char *const search =
        "\"search\": {\"terms\": {}, \"low\": {\"exchanges_per_s\": 1000},\n"
        " \"high\": {\"exchanges_per_s\": 8000}, \"repeats\": [\n"
        " {\"limit\": \"server\", \"low_per_s\": 1900, \"high_per_s\": 2000},\n"
        " {\"limit\": \"cut-off\", \"low_per_s\": 1000, \"high_per_s\": 8000}]}";
    struct compare_run run = read_good(report_with("\"search\": null", search));
    assert_int_equal(run.capacity_count, 1);
    assert_float_equal(run.capacity[0], sqrt(1900.0 * 2000), 1e-6);
}

static void what_is_seen_is_said_in_plain_words(void **state)
{
    (void)state;
    static char text[8192];
    struct compare_run a = read_good(report),
                       b = read_good(report_with("\"failed\": 0", "\"failed\": 40"));
    struct compare_result r;
    compare_decide(&a, 1, &b, 1, 1, &r);
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    assert_int_equal(compare_write_text(&r, "runs/a", "runs/b", out), 0);
    (void)fclose(out);
    assert_non_null(strstr(text, "A: runs/a (1 run)"));
    assert_non_null(strstr(text, "no difference seen; smallest this could have seen: 4.4 %"));
    assert_non_null(strstr(text, "Fewer than three runs on a side"));
    assert_non_null(strstr(text, "B is worse than A."));
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_true(strlen(line) <= 100);
    }
    out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    assert_int_equal(compare_write_json(&r, "runs/a", "runs/b", out), 0);
    (void)fclose(out);
    assert_non_null(strstr(text, "\"worse\": true"));
    assert_null(strstr(text, "nan"));
}

/* The median of a figure and of one beyond the give-up is beyond it too, never "500,000,008 ms". */
static void half_of_the_give_up_is_no_figure(void **state)
{
    (void)state;
    static char text[8192];
    struct compare_run a[2] = {read_good(report), read_good(report)}, b = read_good(report);
    a[1].of[COMPARE_ACQUIRE_P99].value = COMPARE_GIVE_UP_US;
    struct compare_result r;
    compare_decide(a, 2, &b, 1, 1, &r);
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    assert_int_equal(compare_write_text(&r, "runs", "runs/b", out), 0);
    (void)fclose(out);
    const char *row = strstr(text, "acquire p99");
    assert_non_null(row);
    const char *end = strchr(row, '\n'), *given_up = strstr(row, "> give-up");
    assert_true(given_up != NULL && given_up < end);
}

/* --- the command --- */

/* PARENT/NAME/report.json. */
static void put_report(const char *parent, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", parent, name);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/%s/report.json", parent, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    (void)fclose(out);
}

static int compare_in(const char *parent, const char *a, const char *b)
{
    char of_a[256], of_b[256], command[] = "compare", flag[] = "--json";
    (void)snprintf(of_a, sizeof(of_a), "%s/%s", parent, a);
    (void)snprintf(of_b, sizeof(of_b), "%s/%s", parent, b);
    char *argv[] = {command, of_a, of_b, flag, NULL};
    return cmd_compare(4, argv);
}

static void the_exit_code_says_what_came_of_it(void **state)
{
    (void)state;
    char parent[] = "/tmp/test_compare_XXXXXX", command[128];
    assert_non_null(mkdtemp(parent));
    put_report(parent, "good", report);
    put_report(parent, "same", report);
    put_report(parent, "worse", report_with("\"failed\": 0", "\"failed\": 40"));
    put_report(parent, "other", report_with("\"fresh\"", "\"fixed\""));
    put_report(parent, "invalid", report_with("\"PASS\"", "\"INVALID\""));
    put_report(parent, "broken", "{");
    put_report(parent, "searched", report_with("\"search\": null", search_of(9800, 10200)));
    put_report(parent, "tester",
               report_with("\"search\": null",
                           "\"search\": {\"terms\": {}, \"low\": {}, \"high\": {}, \"repeats\": ["
                           "{\"limit\": \"tester\", \"low_per_s\": 1, \"high_per_s\": null}]}"));
    put_report(parent, "collapsed",
               report_with("\"search\": null",
                           "\"search\": {\"terms\": {}, \"low\": {\"exchanges_per_s\": null}, "
                           "\"high\": {\"exchanges_per_s\": 500}, \"repeats\": ["
                           "{\"limit\": \"below-low\", \"low_per_s\": null, "
                           "\"high_per_s\": 500}]}"));
    (void)snprintf(command, sizeof(command), "mkdir %s/empty %s/many", parent, parent);
    assert_int_equal(system(command), 0);
    put_report(parent, "many/1", report);
    put_report(parent, "many/2", report);
    put_report(parent, "many/3", report);
    static const struct {
        const char *a, *b;
        int code;
    } rows[] = {{"good", "same", CMD_PASS},          {"good", "worse", CMD_FAIL},
                {"worse", "good", CMD_PASS},         {"good", "other", CMD_USAGE},
                {"good", "broken", CMD_USAGE},       {"good", "missing", CMD_USAGE},
                {"good", "empty", CMD_USAGE},        {"good", "invalid", CMD_INVALID},
                {"invalid", "good", CMD_INVALID},    {"many", "many", CMD_PASS},
                {"many", "good", CMD_PASS},          {"searched", "searched", CMD_PASS},
                {"searched", "collapsed", CMD_FAIL}, {"collapsed", "searched", CMD_PASS},
                {"searched", "tester", CMD_INVALID}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int code = compare_in(parent, rows[i].a, rows[i].b);
        if (code != rows[i].code) {
            print_error("%s and %s: %d\n", rows[i].a, rows[i].b, code);
        }
        assert_int_equal(code, rows[i].code);
    }
    /* A run of another shape among the repeats is found too. */
    put_report(parent, "many/4", report_with("12000", "11000"));
    assert_int_equal(compare_in(parent, "good", "many"), CMD_USAGE);
    (void)snprintf(command, sizeof(command), "rm -r %s", parent);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_reports_are_refused_with_a_sentence),
        cmocka_unit_test(what_is_no_report_is_not_parsed),
        cmocka_unit_test(a_thousand_stages_do_not_fit),
        cmocka_unit_test(a_report_cut_short_is_refused),
        cmocka_unit_test(runs_of_another_shape_are_not_compared),
        cmocka_unit_test(only_judged_runs_are_usable),
        cmocka_unit_test(single_runs_are_compared_by_their_own_intervals),
        cmocka_unit_test(clients_that_never_finish_are_worse_than_any_latency),
        cmocka_unit_test(counts_differ_when_chance_cannot_explain_it),
        cmocka_unit_test(repeats_are_compared_by_how_they_vary),
        cmocka_unit_test(a_search_that_found_no_bracket_has_no_capacity_to_compare),
        cmocka_unit_test(what_is_seen_is_said_in_plain_words),
        cmocka_unit_test(half_of_the_give_up_is_no_figure),
        cmocka_unit_test(the_exit_code_says_what_came_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
