/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/cmd/options.h"

enum { KEYS, ONCE, ROWS };

static void fresh(struct option_row rows[ROWS])
{
    rows[KEYS] = (struct option_row){.name = "--keys", .value = "DIR", .help = "keys"};
    rows[ONCE] = (struct option_row){.name = "--once", .help = "once"};
}

/* `line`: words with single blanks between them. */
static bool parse(const char *line, struct option_row rows[ROWS], const char *args[2],
                  size_t *count, char why[OPTIONS_WHY_BYTES])
{
    static char words[256];
    static char *argv[16];
    int argc = 0;
    (void)snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    fresh(rows);
    why[0] = '\0';
    return options_parse(argc, argv, rows, ROWS, args, 2, count, why);
}

static void what_does_not_fit_is_refused_with_a_sentence(void **unused)
{
    (void)unused;
    static const struct {
        const char *line, *words;
    } rows[] = {
        {"run --kyes d", "unknown flag --kyes; did you mean --keys?"},
        {"run --helq", "did you mean --help?"},
        {"run --colour", "unknown flag --colour; --help lists the flags"},
        {"run -x", "unknown flag -x"},
        {"run --keys", "--keys needs a value; write --keys DIR"},
        {"run --keys=", "needs a value"},
        {"run --keys --once", "--keys needs a value"},
        {"run --keys a --keys b", "--keys is given twice"},
        {"run --once=yes", "--once takes no value"},
        {"run a b c", "'c' is one argument too many"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct option_row options[ROWS];
        const char *args[2];
        size_t count = 0;
        char why[OPTIONS_WHY_BYTES];
        bool is_parsed = parse(rows[i].line, options, args, &count, why);
        if (is_parsed || strstr(why, rows[i].words) == NULL) {
            print_error("'%s': wanted ...%s..., got %s\n", rows[i].line, rows[i].words, why);
            fail();
        }
    }
}

static void flags_and_arguments_may_be_mixed(void **unused)
{
    (void)unused;
    struct option_row options[ROWS];
    const char *args[2];
    size_t count = 0;
    char why[OPTIONS_WHY_BYTES];
    assert_true(parse("run S.yaml --keys=k/d --once - ", options, args, &count, why));
    assert_int_equal(count, 2);
    assert_string_equal(args[0], "S.yaml");
    assert_string_equal(args[1], "-");
    assert_string_equal(options[KEYS].text, "k/d");
    assert_true(options[ONCE].is_given);

    assert_true(parse("run --keys --$x-", options, args, &count, why));
    assert_string_equal(options[KEYS].text, "--$x-"); /* a Z85 key may look like that */

    assert_true(parse("run --keys d -- --once", options, args, &count, why));
    assert_int_equal(count, 1);
    assert_string_equal(args[0], "--once");
    assert_false(options[ONCE].is_given);
}

static void a_flag_with_a_list_may_be_given_as_often_as_there_is_room(void **unused)
{
    (void)unused;
    static char words[][12] = {"audit", "--pcap", "a", "RUN", "--pcap=b", "--pcap", "c"};
    char *argv[ARRAY_LEN(words) + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        argv[i] = words[i];
    }
    const char *list[2] = {NULL}, *arg = NULL;
    struct option_row row = {.name = "--pcap", .value = "FILE", .list = list, .list_max = 2};
    const struct option_row fresh_row = row;
    char why[OPTIONS_WHY_BYTES];
    size_t count = 0;
    assert_true(options_parse(5, argv, &row, 1, &arg, 1, &count, why));
    assert_true(row.is_given && row.list_count == 2 && count == 1);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b");
    row = fresh_row;
    assert_false(
        options_parse(6, argv, &row, 1, &arg, 1, &count, why)); /* the last lacks its value */
    assert_non_null(strstr(why, "--pcap needs a value"));
    row = fresh_row;
    assert_false(options_parse(7, argv, &row, 1, &arg, 1, &count, why));
    assert_non_null(strstr(why, "--pcap is given more than 2 times"));
}

static void a_number_is_plain_positive_and_bounded(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"0", "-1", "+1",  "1x",
                                      "",  " 1", "101", "99999999999999999999"};
    char why[OPTIONS_WHY_BYTES];
    uint64_t value = 7;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct option_row row = {.name = "--agents", .value = "N", .text = bad[i]};
        assert_false(options_number(&row, 100, &value, why));
        assert_non_null(strstr(why, "--agents"));
        assert_int_equal(value, 7);
    }
    const struct option_row row = {.name = "--agents", .value = "N", .text = "100"};
    assert_true(options_number(&row, 100, &value, why));
    assert_int_equal(value, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused_with_a_sentence),
        cmocka_unit_test(flags_and_arguments_may_be_mixed),
        cmocka_unit_test(a_flag_with_a_list_may_be_given_as_often_as_there_is_room),
        cmocka_unit_test(a_number_is_plain_positive_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
