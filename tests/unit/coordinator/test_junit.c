/* SPDX-License-Identifier: MIT */
/* report.junit.xml, read back by an XML parser. */
#include "tests/support/testing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attrs.h"
#include "coordinator/report/junit.h"

static struct result_judgement judgements[] = {
    {.expression = "p99(renew) < 500ms", .unit = "us", .value = 4510, .result = JUDGEMENT_PASS},
    {.expression = "leases.failed == 0",
     .unit = "",
     .value = 3,
     .result = JUDGEMENT_MISS,
     .note = "three"},
    {.expression = "p999(rebind) < 1s",
     .unit = "us",
     .value = NAN,
     .result = JUDGEMENT_NOT_JUDGED,
     .note = "n too small"},
};

static struct result r;

static void fill(enum verdict verdict)
{
    r = (struct result){.judgements = judgements, .judgement_count = 3};
    (void)snprintf(r.run.scenario, sizeof(r.run.scenario), "small");
    (void)snprintf(r.run.id, sizeof(r.run.id), "run-1");
    r.run.started_at_s = 1738317600;
    r.run.duration_s = 61.25;
    r.verdict.result = verdict;
    r.verdict.reason_count = 2;
    (void)snprintf(r.verdict.reasons[0], RESULT_TEXT_BYTES, "first reason");
    (void)snprintf(r.verdict.reasons[1], RESULT_TEXT_BYTES, "second reason");
    r.accounting.check_count = 2;
    r.accounting.checks[0] = (struct result_check){.name = "clients", .is_passed = true};
    r.accounting.checks[1] = (struct result_check){.name = "events", .text = "7 is not 8"};
}

/* What the parser says about the file, a line per test case; NULL: it is no XML. */
static char *parsed(void)
{
    static const char program[] =
        "import sys, xml.etree.ElementTree as t\n"
        "root = t.parse(sys.argv[1]).getroot()\n"
        "suite = root.find('testsuite')\n"
        "for e in (root, suite):\n"
        "    print(e.tag, *('%s=%s' % i for i in e.attrib.items()))\n"
        "for c in suite.iter('testcase'):\n"
        "    print(c.get('classname'), '|', c.get('name'), '|', *('%s %s %s %r' % (x.tag, "
        "x.get('type'), x.get('message'), x.text) for x in c))\n";
    char path[] = "/tmp/leaseherd-junit-XXXXXX", command[1400];
    static char text[8192];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(report_write_junit(&r, file), 0);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(command, sizeof(command), "python3 -c \"%s\" %s", program, path);
    FILE *python = popen(command, "r");
    assert_non_null(python);
    text[fread(text, 1, sizeof(text) - 1, python)] = '\0';
    int rc = pclose(python);
    assert_int_equal(unlink(path), 0);
    return rc == 0 ? text : NULL;
}

static void assert_says(const char *text, const char *part)
{
    assert_non_null(text);
    if (strstr(text, part) == NULL) {
        print_message("not said: %s\n%s\n", part, text);
    }
    assert_non_null(strstr(text, part));
}

static void what_was_missed_fails_and_what_was_not_judged_is_an_error(void **state)
{
    (void)state;
    fill(VERDICT_INVALID);
    const char *text = parsed();
    assert_says(text, "testsuites name=leaseherd tests=6 failures=1 errors=3 time=61.250\n");
    assert_says(text, "testsuite name=small tests=6 failures=1 errors=3 time=61.250 "
                      "timestamp=2025-01-31T10:00:00\n");
    assert_says(text, "small.judgements | p99(renew) < 500ms | system-out None None 'pass: it was "
                      "4.510 ms'\n");
    assert_says(text, "| leases.failed == 0 | failure miss miss: it was 3, three");
    assert_says(text, "| p999(rebind) < 1s | error not judged not judged: it was -, n too small");
    assert_says(text, "small.accounting | accounting: clients |\n");
    assert_says(text, "small.accounting | accounting: events | error accounting 7 is not 8");
    assert_says(text, "small.verdict | verdict | error INVALID first reason 'first reason\\nsecond "
                      "reason\\n'\n");
}

static void only_a_fail_is_a_failure_and_only_a_pass_passes(void **state)
{
    (void)state;
    static const struct {
        enum verdict verdict;
        const char *says;
    } rows[] = {
        {VERDICT_PASS, "verdict |\n"},
        {VERDICT_FAIL, "verdict | failure FAIL"},
        {VERDICT_INVALID, "verdict | error INVALID"},
        {VERDICT_ABORTED, "verdict | error ABORTED"},
        {VERDICT_PREFLIGHT, "verdict | error PREFLIGHT"},
        {VERDICT_INTERNAL, "verdict | error INTERNAL"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fill(rows[i].verdict);
        assert_says(parsed(), rows[i].says);
    }
}

static void every_byte_can_stand_in_a_text(void **state)
{
    (void)state;
    fill(VERDICT_FAIL);
    char all[256];
    for (unsigned byte = 1; byte < 256; byte++) {
        all[byte - 1] = (char)byte;
    }
    all[255] = '\0';
    (void)snprintf(r.verdict.reasons[0], RESULT_TEXT_BYTES, "%s", all);
    assert_non_null(parsed());
    (void)snprintf(r.verdict.reasons[0], RESULT_TEXT_BYTES,
                   "<b a='1'>&amp; ]]> \"x\" tab\there \x1b[0m \xff \xc3\xa9 \xef\xbf\xbe "
                   "\xed\xa0\x80 \xf0\x9f\x98\x80 \xc0\x80 \xe2\x82");
    assert_says(parsed(), "FAIL <b a='1'>&amp; ]]> \"x\" tab\there \\x1b[0m \\xff \xc3\xa9 "
                          "\\xef\\xbf\\xbe \\xed\\xa0\\x80 \xf0\x9f\x98\x80 \\xc0\\x80 \\xe2\\x82");
}

static void a_run_without_judgements_is_told_too(void **state)
{
    (void)state;
    r = (struct result){.verdict = {.result = VERDICT_PREFLIGHT}};
    const char *text = parsed();
    assert_says(text, "testsuites name=leaseherd tests=1 failures=0 errors=1 time=0.000\n");
    assert_says(text, ".verdict | verdict | error PREFLIGHT  None\n");
    assert_null(strstr(text, "timestamp"));
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    fill(VERDICT_PASS);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(report_write_junit(&r, full), -ENOSPC);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_missed_fails_and_what_was_not_judged_is_an_error),
        cmocka_unit_test(only_a_fail_is_a_failure_and_only_a_pass_passes),
        cmocka_unit_test(every_byte_can_stand_in_a_text),
        cmocka_unit_test(a_run_without_judgements_is_told_too),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
