/* SPDX-License-Identifier: MIT */
#include "common/diag.h"

#include "tests/support/testing.h"

#include <string.h>

static void complaints_beyond_the_list_are_counted(void **state)
{
    (void)state;
    static struct diag d;
    static char out[DIAG_ITEMS_MAX * DIAG_TEXT_BYTES];
    diag_init(&d, "s.yaml");
    for (unsigned i = 0; i < DIAG_ITEMS_MAX + 5; i++) {
        diag_add(&d, i + 1, "no %u", i);
    }
    assert_int_equal(d.count, DIAG_ITEMS_MAX + 5);
    size_t wrote = diag_print(&d, out, sizeof(out));
    assert_int_equal(wrote, strlen(out));
    assert_non_null(strstr(out, "s.yaml:32: no 31\n"));
    assert_null(strstr(out, "no 32"));
    assert_non_null(strstr(out, "s.yaml: and 5 more; mend these first\n"));
}

static void long_names_and_texts_are_cut(void **state)
{
    (void)state;
    static struct diag d;
    static char long_text[2 * DIAG_TEXT_BYTES];
    memset(long_text, 'x', sizeof(long_text) - 1);
    diag_init(&d, long_text);
    diag_add(&d, 1, "%s", long_text);
    assert_int_equal(strlen(d.file), DIAG_FILE_BYTES - 1);
    assert_int_equal(strlen(d.item[0].text), DIAG_TEXT_BYTES - 1);
}

static void printing_stays_inside_the_buffer(void **state)
{
    (void)state;
    static struct diag d;
    diag_init(&d, "s.yaml");
    diag_add(&d, 3, "first");
    diag_add(&d, 4, "second");
    for (size_t size = 0; size < 40; size++) {
        char out[48];
        memset(out, '#', sizeof(out));
        size_t wrote = diag_print(&d, out, size);
        assert_true(size == 0 ? wrote == 0 : wrote < size && wrote == strlen(out));
        for (size_t i = size; i < sizeof(out); i++) {
            assert_int_equal(out[i], '#');
        }
    }
}

static void lines_are_sorted_and_the_whole_file_comes_first(void **state)
{
    (void)state;
    static struct diag d;
    char out[200];
    diag_init(&d, "s.yaml");
    diag_add(&d, 9, "i");
    diag_add(&d, 2, "b1");
    diag_add(&d, 0, "whole");
    diag_add(&d, 2, "b2");
    (void)diag_print(&d, out, sizeof(out));
    assert_string_equal(out, "s.yaml: whole\ns.yaml:2: b1\ns.yaml:2: b2\ns.yaml:9: i\n");
}

static void without_complaints_it_is_clean(void **state)
{
    (void)state;
    static struct diag d;
    char out[10] = "x";
    diag_init(&d, "s.yaml");
    assert_true(diag_is_clean(&d));
    assert_int_equal(diag_print(&d, out, sizeof(out)), 0);
    assert_string_equal(out, "");
    diag_add(&d, 1, "x");
    assert_false(diag_is_clean(&d));
    diag_init(&d, "s.yaml");
    assert_true(diag_is_clean(&d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complaints_beyond_the_list_are_counted),
        cmocka_unit_test(long_names_and_texts_are_cut),
        cmocka_unit_test(printing_stays_inside_the_buffer),
        cmocka_unit_test(lines_are_sorted_and_the_whole_file_comes_first),
        cmocka_unit_test(without_complaints_it_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
