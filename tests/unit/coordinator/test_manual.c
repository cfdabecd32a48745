/* SPDX-License-Identifier: MIT */
/* The manual page of the scenario says what the schema says, and its example works. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/scenario.h"

static char *read_manual(void)
{
    FILE *file = fopen(SOURCE_DIR "/deploy/man/leaseherd-scenario.5", "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    (void)fclose(file);
    return text;
}

/* What a line of the reference looks like as roff. */
static void as_roff(const char *text, char *out, size_t size)
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        used += (size_t)snprintf(out + used, size - used, *text == '`' ? "\\(ga" : "%c", *text);
        assert_true(used < size);
    }
    out[used] = '\0';
}

static void every_key_stands_in_the_manual_as_in_the_schema(void **unused)
{
    (void)unused;
    char *manual = read_manual(), *reference = scenario_reference();
    assert_non_null(reference);
    bool is_good = true;
    size_t keys = 0;
    char *rest = NULL;
    for (char *line = strtok_r(reference, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strstr(line, ": ");
        if (line[0] == ' ' || colon == NULL) {
            continue;
        }
        *colon = '\0';
        char what[512], item[1024];
        as_roff(colon + 2, what, sizeof(what));
        (void)snprintf(item, sizeof(item), "\n.It Cm %s\n%s.\n", line, what);
        keys++;
        if (strstr(manual, item) == NULL) {
            print_error("leaseherd-scenario.5 lacks:%s", item);
            is_good = false;
        }
    }
    size_t items = 0;
    const char *section = strstr(manual, "\n.Sh KEYS\n");
    assert_non_null(section);
    for (const char *at = section; (at = strstr(at, "\n.It Cm ")) != NULL; at++) {
        items++;
    }
    assert_true(is_good);
    assert_true(keys > 40);
    assert_int_equal(items, keys);
    free(manual);
    free(reference);
}

static void the_example_of_the_manual_is_a_scenario(void **unused)
{
    (void)unused;
    char *manual = read_manual();
    char *begin = strstr(manual, ".Bd -literal\n"), *end = strstr(manual, "\n.Ed\n");
    assert_non_null(begin);
    assert_non_null(end);
    begin = strchr(begin, '\n') + 1;
    struct scenario s;
    struct diag why;
    diag_init(&why, "example");
    assert_true(scenario_parse(begin, (size_t)(end + 1 - begin), &s, &why));
    scenario_free(&s);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_stands_in_the_manual_as_in_the_schema),
        cmocka_unit_test(the_example_of_the_manual_is_a_scenario),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
