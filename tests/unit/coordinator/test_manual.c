/* SPDX-License-Identifier: MIT */
/* The manual page of the scenario says what the schema says, and its example works. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/plan/scenario.h"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        print_error("cannot open %s\n", path);
    }
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    (void)fclose(file);
    return text;
}

static char *read_manual(void)
{
    return read_file(SOURCE_DIR "/deploy/man/leaseherd-scenario.5");
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

static void check_parses(const char *what, const char *text, size_t bytes)
{
    struct scenario s;
    struct diag why;
    diag_init(&why, what);
    bool is_parsed = scenario_parse(text, bytes, &s, &why);
    for (size_t i = 0; i < why.count; i++) {
        print_error("%s:%u: %s\n", what, why.item[i].line, why.item[i].text);
    }
    assert_true(is_parsed);
    struct forecast *f = malloc(sizeof(*f));
    assert_non_null(f);
    forecast_make(&s, f);
    for (size_t i = 0; i < f->warning_count; i++) {
        print_error("%s: %s\n", what, f->warning[i]);
    }
    assert_int_equal(f->warning_count, 0);
    free(f);
    scenario_free(&s);
}

static void the_example_of_the_manual_is_a_scenario(void **unused)
{
    (void)unused;
    char *manual = read_manual();
    char *begin = strstr(manual, ".Bd -literal\n"), *end = strstr(manual, "\n.Ed\n");
    assert_non_null(begin);
    assert_non_null(end);
    begin = strchr(begin, '\n') + 1;
    check_parses("example", begin, (size_t)(end + 1 - begin));
    free(manual);
}

/* The search of the manual, in the place of the example's last stage. */
static void the_search_of_the_manual_is_a_stage(void **unused)
{
    (void)unused;
    static const char before[] =
        "leaseherd: 1\nscenario: x\nservers:\n  a: {address: 192.168.1.12}\n"
        "network:\n  block: 10.10.0.0/16\n  relays:\n    - {name: r, giaddr: "
        "172.16.8.3, subnet: 10.10.0.0/16, clients: 20000}\n"
        "expect: {lease: 8h}\nlimits: {packets: 30000/s, time: 6h}\n"
        "run:\n  - {name: fill, acquire: {rate: 200/s}}\n";
    char *manual = read_manual();
    char *begin = strstr(manual, "  - name: limit\n");
    assert_non_null(begin);
    char *end = strstr(begin, "\n.Ed\n");
    assert_non_null(end);
    end[1] = '\0';
    char text[2048];
    int bytes = snprintf(text, sizeof(text), "%s%s", before, begin);
    assert_in_range(bytes, 1, sizeof(text) - 1);
    check_parses("search", text, (size_t)bytes);
    free(manual);
}

static void the_scenarios_delivered_are_sound(void **unused)
{
    (void)unused;
    static const char *const paths[] = {
        SOURCE_DIR "/deploy/scenarios/capacity.yaml",
        SOURCE_DIR "/deploy/scenarios/outage.yaml",
        SOURCE_DIR "/deploy/scenarios/quickstart.yaml",
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char *text = read_file(paths[i]);
        check_parses(paths[i], text, strlen(text));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_stands_in_the_manual_as_in_the_schema),
        cmocka_unit_test(the_example_of_the_manual_is_a_scenario),
        cmocka_unit_test(the_search_of_the_manual_is_a_stage),
        cmocka_unit_test(the_scenarios_delivered_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
