/* SPDX-License-Identifier: MIT */
/* leaseherd report and leaseherd export on a run directory made by hand. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/cmd/cmd.h"
#include "coordinator/truth/ledger.h"
#include "tests/support/truth_fixture.h"

struct run {
    struct truth_fixture f;
    char dir[64];
};

static int set_up(void **state)
{
    struct run *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    truth_fixture_init(&r->f, TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN);
    (void)snprintf(r->dir, sizeof(r->dir), "/tmp/test_export_XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct run *r = *state;
    static const char *const names[] = {"plan.bin", "ledger.db", "scenario.yaml", "report.txt",
                                        "out"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "%s/%s", r->dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(r->dir);
    truth_fixture_fini(&r->f);
    free(r);
    return 0;
}

static void write_file(const struct run *r, const char *name, const void *bytes, size_t size)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/%s", r->dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

/* Runs a subcommand with its standard output and error in one text. */
static int run_command(const struct run *r, int (*command)(int, char **), const char *name,
                       const char *argument, char *out, size_t size)
{
    char path[96], name_copy[16], argument_copy[96];
    (void)snprintf(path, sizeof(path), "%s/out", r->dir);
    (void)snprintf(name_copy, sizeof(name_copy), "%s", name);
    (void)snprintf(argument_copy, sizeof(argument_copy), "%s", argument);
    char *argv[] = {name_copy, argument_copy, NULL};
    (void)fflush(stdout);
    int keep_out = dup(STDOUT_FILENO), keep_err = dup(STDERR_FILENO);
    FILE *to = fopen(path, "w+");
    assert_non_null(to);
    assert_true(dup2(fileno(to), STDOUT_FILENO) >= 0 && dup2(fileno(to), STDERR_FILENO) >= 0);
    int code = command(2, argv);
    (void)fflush(stdout);
    (void)fflush(stderr);
    assert_true(dup2(keep_out, STDOUT_FILENO) >= 0 && dup2(keep_err, STDERR_FILENO) >= 0);
    (void)close(keep_out);
    (void)close(keep_err);
    rewind(to);
    size_t length = fread(out, 1, size - 1, to);
    out[length] = '\0';
    (void)fclose(to);
    return code;
}

static void a_directory_without_a_run_is_refused_with_a_sentence(void **state)
{
    const struct run *r = *state;
    char text[1024];
    assert_int_equal(run_command(r, cmd_report, "report", r->dir, text, sizeof(text)), 2);
    assert_non_null(strstr(text, "is not a run directory"));
    assert_int_equal(run_command(r, cmd_export, "export", r->dir, text, sizeof(text)), 2);
    assert_non_null(strstr(text, "cannot read"));
    assert_int_equal(run_command(r, cmd_export, "export", "--cvs", text, sizeof(text)), 2);
    assert_non_null(strstr(text, "--csv"));
}

static void a_run_that_is_not_finished_is_told(void **state)
{
    const struct run *r = *state;
    char text[1024];
    write_file(r, "scenario.yaml", "", 0);
    assert_int_equal(run_command(r, cmd_report, "report", r->dir, text, sizeof(text)), 2);
    assert_non_null(strstr(text, "ended before any load"));
    write_file(r, "report.txt", "PASS\n", 5);
    assert_int_equal(run_command(r, cmd_report, "report", r->dir, text, sizeof(text)), 0);
    assert_string_equal(text, "PASS\n");
}

static void a_damaged_plan_is_refused(void **state)
{
    const struct run *r = *state;
    char text[1024];
    write_file(r, "plan.bin", "nonsense", 8);
    assert_int_equal(run_command(r, cmd_export, "export", r->dir, text, sizeof(text)), 2);
    assert_non_null(strstr(text, "is damaged"));
}

static void write_ledger(const struct run *r, const struct event *events, size_t count)
{
    char path[96];
    struct ledger *ledger = NULL;
    (void)snprintf(path, sizeof(path), "%s/ledger.db", r->dir);
    assert_int_equal(ledger_create(path, "run-1", &ledger), 0);
    assert_int_equal(ledger_add_agent(ledger, 0, "a1", 1), 0);
    assert_int_equal(ledger_add_clock(ledger, 0, 0, -1000, 10), 0);
    assert_int_equal(ledger_append(ledger, 0, 1, events, count), 1);
    assert_int_equal(ledger_finish(ledger), 0);
    ledger_close(ledger);
}

static void every_event_is_one_line_with_as_many_fields_as_the_header(void **state)
{
    const struct run *r = *state;
    char text[4096], mac[MAC_TEXT_BYTES], expected[512];
    size_t size = plan_encode(&r->f.plan, NULL, 0);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(plan_encode(&r->f.plan, bytes, size), size);
    write_file(r, "plan.bin", bytes, size);
    free(bytes);

    struct event events[3] = {truth_fixture_ack(&r->f, EVENT_ACQUIRE, 101),
                              {.kind = EVENT_EXPIRE,
                               .result = EVENT_ENDED,
                               .client = 3,
                               .offer_us = EVENT_SPAN_NONE,
                               .took_us = EVENT_SPAN_NONE,
                               .wait_us = EVENT_SPAN_NONE},
                              {.kind = EVENT_RELEASE,
                               .result = EVENT_SENT,
                               .client = 4000000,
                               .flags = EVENT_CLEANUP,
                               .stage = 31}};
    events[0].t_us = 2500;
    write_ledger(r, events, 3);

    assert_int_equal(run_command(r, cmd_export, "export", r->dir, text, sizeof(text)), 0);
    (void)snprintf(expected, sizeof(expected),
                   "\n1500,a1,101,%s,r2,peak,acquire,ack,2,0x01000065,10.10.128.102,192.168.2.12,"
                   "60,1000,2000,2500,1,0,0,1,0,0,0,0,0,0,0,0,0,0,0\n",
                   mac_text(plan_client_mac(&r->f.plan, 101), mac));
    assert_non_null(strstr(text, expected));
    size_t lines = 0, fields = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        size_t commas = 0;
        for (const char *at = line; *at != '\0'; at++) {
            commas += *at == ',';
        }
        fields = lines == 0 ? commas : fields;
        assert_int_equal(commas, fields);
        lines++;
    }
    assert_int_equal(lines, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_directory_without_a_run_is_refused_with_a_sentence),
        TEST(a_run_that_is_not_finished_is_told),
        TEST(a_damaged_plan_is_refused),
        TEST(every_event_is_one_line_with_as_many_fields_as_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
