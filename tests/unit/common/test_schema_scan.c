/* SPDX-License-Identifier: MIT */
/* The grammars of values, apart from any table. */
#include "common/schema.h"

#include "common/utf8.h"
#include "tests/support/testing.h"

#include <string.h>

#define MS NS_PER_MS
#define S  NS_PER_S

static void what_is_not_a_duration_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "60",
        "s",
        "-1s",
        "+1s",
        "1 s",
        "1s ",
        "1S",
        "1sec",
        "1d",
        "1m30s",
        "1.s",
        ".5s",
        "1..5s",
        "1.5",
        "0x1s",
        "1e3s",
        "01s",
        "00",
        "1__0s",
        "_1s",
        "1_s",
        "0.1ns",
        "1,5s",
        "0.0.1s",
        "infs",
        "nan",
        "20000000000000000000s",
        "5124096h",
        "1.0000001s",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t out = 42;
        if (schema_scan_duration(bad[i], &out)) {
            fail_msg("\"%s\" was taken for a duration", bad[i]);
        }
        assert_int_equal(out, 42);
    }
}

static void what_is_not_a_rate_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2000",
        "/s",
        "2000/m",
        "2000 /s",
        "2000/ s",
        "-1/s",
        "1/s ",
        "0.0001/s",
        "1/sec",
        "20000000000000000000/s",
        "18446744073709552/s",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t out = 42;
        if (schema_scan_rate(bad[i], &out)) {
            fail_msg("\"%s\" was taken for a rate", bad[i]);
        }
        assert_int_equal(out, 42);
    }
}

static void durations_are_nanoseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {
        {"0", 0},
        {"0s", 0},
        {"7ns", 7},
        {"500us", MS / 2},
        {"100ms", 100 * MS},
        {"4s", 4 * S},
        {"30m", 1800 * S},
        {"8h", 28800 * S},
        {"1.5s", 1500 * MS},
        {"0.5us", 500},
        {"1.25h", 4500 * S},
        {"1_000ms", S},
        {"5124095h", UINT64_C(18446742000000000000)},
        {"0.000001s", 1000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t out = 42;
        assert_true(schema_scan_duration(rows[i].text, &out));
        if (out != rows[i].ns) {
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)out);
        }
    }
}

static void rates_are_thousandths_per_second(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t milli;
    } rows[] = {{"0", 0},       {"0/s", 0},        {"2000/s", 2000000},
                {"0.5/s", 500}, {"1.001/s", 1001}, {"20_000/s", 20000000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t out = 42;
        assert_true(schema_scan_rate(rows[i].text, &out));
        assert_int_equal(out, rows[i].milli);
    }
}

static void the_nearest_word_is_a_typing_error_away(void **state)
{
    (void)state;
    static const char *const words[] = {"address", "acquire", "hold", "to",
                                        "network", "name",    NULL};
    static const struct {
        const char *text, *nearest;
    } rows[] = {
        {"zzz", NULL},
        {"", NULL},
        {"x", NULL},
        {"completely-other", NULL},
        {"ho", "to"},
        {"adress", "address"},
        {"addresss", "address"},
        {"aquire", "acquire"},
        {"netwrok", "network"},
        {"holt", "hold"},
        {"nmae", "name"},
        {"address", "address"},
        {"an-extremely-long-key-that-nobody-would-ever-write-by-hand-in-a-file", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *nearest = schema_nearest(rows[i].text, words);
        const char *wanted = rows[i].nearest;
        if (nearest != wanted && (nearest == NULL || wanted == NULL || strcmp(nearest, wanted))) {
            fail_msg("%s: %s", rows[i].text, nearest == NULL ? "nothing" : nearest);
        }
    }
    assert_null(schema_nearest("x", (const char *const[]){NULL}));
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xe0\x80\x80",
        "\xed\xa0\x80",
        "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe2\x82",
        "\xc3\x28",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint32_t code;
        assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &code), 0);
    }
    uint32_t code;
    assert_int_equal(utf8_decode("", 0, &code), 0);
}

static void utf8_of_every_length_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t code;
        bool is_printable;
    } rows[] = {
        {"A", 'A', true},
        {"\n", '\n', false},
        {"\x7f", 0x7f, false},
        {"\xc2\x85", 0x85, false},
        {"\xc3\xa4", 0xe4, true},
        {"\xe2\x82\xac", 0x20ac, true},
        {"\xe2\x80\xa8", 0x2028, false},
        {"\xe2\x80\xae", 0x202e, false},
        {"\xe2\x81\xa6", 0x2066, false},
        {"\xe2\x80\x8f", 0x200f, false},
        {"\xe2\x80\x90", 0x2010, true},
        {"\xef\xbb\xbf", 0xfeff, false},
        {"\xef\xbf\xbf", 0xffff, false},
        {"\xf0\x9f\x90\x91", 0x1f411, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t code = 0;
        assert_int_equal(utf8_decode(rows[i].text, strlen(rows[i].text), &code),
                         strlen(rows[i].text));
        assert_int_equal(code, rows[i].code);
        assert_int_equal(utf8_is_printable(code), rows[i].is_printable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_a_duration_is_refused),
        cmocka_unit_test(what_is_not_a_rate_is_refused),
        cmocka_unit_test(durations_are_nanoseconds),
        cmocka_unit_test(rates_are_thousandths_per_second),
        cmocka_unit_test(the_nearest_word_is_a_typing_error_away),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
        cmocka_unit_test(utf8_of_every_length_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
