/* SPDX-License-Identifier: MIT */
/* Comparing capacity searches of which some found no bracket. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/report/compare.h"

static struct compare_run run_with(const char *search)
{
    static char text[16384];
    struct compare_run run;
    char why[COMPARE_WHY_BYTES] = "";
    (void)snprintf(text, sizeof(text),
                   "{\"schema\": \"leaseherd.report/1\", \"run\": {\"identity\": \"fresh\","
                   " \"client_path\": \"egress\", \"stages\": []},"
                   " \"verdict\": {\"result\": \"PASS\"}, \"relays\": [{\"clients\": 8000}],"
                   " \"leases\": {\"failed\": 0, \"expired\": 0}, \"outage\": {},"
                   " \"latency_us\": {\"acquire\": {}, \"renew\": {}}, \"search\": %s}",
                   search);
    if (!compare_read(text, strlen(text), &run, why)) {
        print_error("%s\n", why);
        fail();
    }
    return run;
}

static const char found[] = "{\"limit\": \"server\", \"low_per_s\": 9800, \"high_per_s\": 10200}";
static const char below[] = "{\"limit\": \"below-low\", \"low_per_s\": null, \"high_per_s\": 500}";
static const char above[] =
    "{\"limit\": \"above-high\", \"low_per_s\": 19990, \"high_per_s\": null}";
static const char slow_tester[] =
    "{\"limit\": \"tester\", \"low_per_s\": 9800, \"high_per_s\": null}";

/* A run of `count` repeats, `first` of them `one`, the others `other`. */
static struct compare_run searched(size_t count, size_t first, const char *one, const char *other,
                                   const char *low, const char *high)
{
    char text[2048];
    size_t at = (size_t)snprintf(text, sizeof(text),
                                 "{\"terms\": {}, \"low\": {\"exchanges_per_s\": %s}, "
                                 "\"high\": {\"exchanges_per_s\": %s}, \"repeats\": [",
                                 low, high);
    for (size_t i = 0; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i == 0 ? "" : ",",
                               i < first ? one : other);
    }
    (void)snprintf(text + at, sizeof(text) - at, "]}");
    return run_with(text);
}

static struct compare_run good_search(size_t count)
{
    return searched(count, count, found, found, "9800", "10200");
}

static struct compare_result decided(struct compare_run a, struct compare_run b)
{
    struct compare_result r;
    compare_decide(&a, 1, &b, 1, 1, &r);
    return r;
}

static const char *printed(const struct compare_result *r, bool is_json)
{
    static char text[16384];
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    assert_int_equal(
        is_json ? compare_write_json(r, "a", "b", out) : compare_write_text(r, "a", "b", out), 0);
    (void)fclose(out);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "e+"));
    assert_null(strstr(text, "000000000"));
    return text;
}

static void a_server_that_collapsed_is_worse_than_any(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 5};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        size_t n = counts[i];
        struct compare_run collapsed = searched(n, n, below, below, "null", "500");
        struct compare_result r = decided(good_search(n), collapsed);
        const struct compare_row *row = &r.row[COMPARE_CAPACITY];
        assert_int_equal(row->outcome, COMPARE_WORSE);
        assert_true(r.is_worse && !r.is_capacity_unknown);
        assert_int_equal(row->b_below, n);
        const char *text = printed(&r, false);
        assert_non_null(strstr(text, "< lowest rate"));
        assert_non_null(strstr(text, "found the lowest rate bad already"));
        assert_non_null(strstr(text, "B is worse than A."));
        text = printed(&r, true);
        assert_non_null(strstr(text, "\"b\": null"));
        assert_non_null(strstr(text, "\"change_percent\": null"));
        r = decided(collapsed, good_search(n));
        assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_BETTER);
        assert_false(r.is_worse || r.is_capacity_unknown);
        r = decided(collapsed, collapsed);
        assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_SAME);
        assert_non_null(strstr(printed(&r, false), "search between other rates"));
        (void)printed(&r, true);
    }
}

static void a_server_beyond_every_rate_is_better_than_any(void **state)
{
    (void)state;
    struct compare_run beyond = searched(5, 5, above, above, "19990", "null");
    struct compare_result r = decided(good_search(5), beyond);
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_BETTER);
    assert_non_null(strstr(printed(&r, false), "> highest rate"));
    (void)printed(&r, true);
    r = decided(beyond, good_search(5));
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_WORSE);
    r = decided(beyond, beyond);
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_SAME);
    assert_false(r.is_capacity_unknown);
}

static void repeats_that_collapsed_do_not_vanish(void **state)
{
    (void)state;
    struct compare_run b = searched(5, 3, found, below, "null", "10200");
    assert_int_equal(b.capacity_count, 5);
    struct compare_result r = decided(good_search(5), b);
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_UNKNOWN);
    assert_true(r.is_capacity_unknown);
    const char *text = printed(&r, false);
    assert_non_null(strstr(text, "B: 2 of 5 searches found the lowest rate bad already"));
    assert_non_null(strstr(text, "not known"));
    assert_null(strstr(text, "not seen to be worse"));
    text = printed(&r, true);
    assert_non_null(strstr(text, "\"worse\": null"));
    assert_non_null(strstr(text, "\"difference_low\": null"));
    assert_non_null(strstr(text, "\"b_below_lowest_rate\": 2"));
    r = decided(b, good_search(5)); /* no repeat of B is less than any of A */
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_SAME);
    (void)printed(&r, false);
    (void)printed(&r, true);
}

/* Less than 500/s says nothing about a server of 250/s. */
static void searches_between_other_rates_do_not_tell(void **state)
{
    (void)state;
    static const char slow[] = "{\"limit\": \"server\", \"low_per_s\": 240, \"high_per_s\": 260}";
    static const char lower[] =
        "{\"limit\": \"below-low\", \"low_per_s\": null, \"high_per_s\": 300}";
    struct compare_run b = searched(3, 3, below, below, "null", "500");
    struct compare_result r = decided(searched(3, 3, slow, slow, "240", "260"), b);
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_UNKNOWN);
    assert_true(r.is_capacity_unknown && !r.is_worse);
    assert_non_null(strstr(printed(&r, false), "the same rates on both sides"));
    (void)printed(&r, true);
    r = decided(searched(3, 3, lower, lower, "null", "300"), b);
    assert_true(r.is_capacity_unknown);
    r = decided(searched(3, 3, above, above, "19990", "null"), b);
    assert_int_equal(r.row[COMPARE_CAPACITY].outcome, COMPARE_WORSE);
}

static void a_capacity_on_one_side_only_is_said_to_be_no_answer(void **state)
{
    (void)state;
    struct compare_run none = searched(3, 3, slow_tester, slow_tester, "9800", "null");
    assert_int_equal(none.capacity_count, 0);
    struct compare_result r = decided(good_search(3), none);
    assert_true(r.is_capacity_unknown && !r.is_worse);
    assert_non_null(strstr(printed(&r, false), "only in A; no search of the other"));
    assert_non_null(strstr(printed(&r, true), "\"worse\": null"));
    r = decided(none, none);
    assert_true(r.is_capacity_unknown);
    assert_non_null(strstr(printed(&r, false), "in neither"));
    struct compare_run plain = run_with("null"); /* nothing was searched for */
    assert_false(decided(plain, plain).is_capacity_unknown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_collapsed_is_worse_than_any),
        cmocka_unit_test(a_server_beyond_every_rate_is_better_than_any),
        cmocka_unit_test(repeats_that_collapsed_do_not_vanish),
        cmocka_unit_test(searches_between_other_rates_do_not_tell),
        cmocka_unit_test(a_capacity_on_one_side_only_is_said_to_be_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
