/* SPDX-License-Identifier: MIT */
#include "coordinator/report/junit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "common/utf8.h"

/* XML 1.0 section 2.2; the others cannot be written in any way. */
static bool is_xml(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code <= 0xd7ff) ||
           (code >= 0xe000 && code <= 0xfffd) || code >= 0x10000;
}

/* For attributes and text alike. What XML has no place for is shown as \xNN. */
static void write_escaped(FILE *out, const char *text)
{
    size_t left = strlen(text);
    for (const char *at = text; left > 0;) {
        uint32_t code = 0;
        size_t bytes = utf8_decode(at, left, &code);
        if (bytes == 0 || !is_xml(code)) {
            (void)fprintf(out, "\\x%02x", (unsigned)(unsigned char)*at);
            at++;
            left--;
            continue;
        }
        if (bytes == 1 && (code < 0x20 || strchr("&<>\"'", (int)code) != NULL)) {
            (void)fprintf(out, "&#%" PRIu32 ";", code);
        } else {
            (void)fwrite(at, 1, bytes, out);
        }
        at += bytes;
        left -= bytes;
    }
}

static void write_attribute(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, " %s=\"", name);
    write_escaped(out, value);
    (void)fputc('"', out);
}

/* `tag`: "failure" or "error"; NULL: it passed. */
struct outcome {
    const char *tag, *type, *message;
};

static void begin_case(const struct result *r, const char *group, const char *name, FILE *out)
{
    (void)fputs("    <testcase classname=\"", out);
    write_escaped(out, r->run.scenario);
    (void)fprintf(out, ".%s\"", group);
    write_attribute(out, "name", name);
}

static void begin_outcome(const struct outcome *o, FILE *out)
{
    (void)fprintf(out, ">\n      <%s", o->tag);
    write_attribute(out, "type", o->type);
    write_attribute(out, "message", o->message);
    (void)fputc('>', out);
}

static void end_outcome(const struct outcome *o, FILE *out)
{
    (void)fprintf(out, "</%s>\n    </testcase>\n", o->tag);
}

static struct outcome of_judgement(const struct result_judgement *j, const char *message)
{
    switch (j->result) {
    case JUDGEMENT_PASS:
        break;
    case JUDGEMENT_MISS:
        return (struct outcome){"failure", "miss", message};
    case JUDGEMENT_NOT_JUDGED:
        return (struct outcome){"error", "not judged", message};
    }
    return (struct outcome){0};
}

static void write_judgement(const struct result *r, const struct result_judgement *j, FILE *out)
{
    char value[JUDGEMENT_VALUE_BYTES], message[RESULT_TEXT_BYTES + 64];
    (void)snprintf(message, sizeof(message), "%s: it was %s%s%s", judgement_result_name(j->result),
                   judgement_value_text(j, value), j->note[0] == '\0' ? "" : ", ", j->note);
    struct outcome o = of_judgement(j, message);
    begin_case(r, "judgements", j->expression, out);
    if (o.tag == NULL) {
        (void)fputs(">\n      <system-out>", out);
        write_escaped(out, message);
        (void)fputs("</system-out>\n    </testcase>\n", out);
        return;
    }
    begin_outcome(&o, out);
    end_outcome(&o, out);
}

static void write_check(const struct result *r, const struct result_check *c, FILE *out)
{
    const struct outcome o = {"error", "accounting", c->text};
    char name[sizeof(c->name) + 16];
    (void)snprintf(name, sizeof(name), "accounting: %s", c->name);
    begin_case(r, "accounting", name, out);
    if (c->is_passed) {
        (void)fputs("/>\n", out);
        return;
    }
    begin_outcome(&o, out);
    end_outcome(&o, out);
}

static void write_verdict(const struct result *r, FILE *out)
{
    const char *first = r->verdict.reason_count > 0 ? r->verdict.reasons[0] : "";
    const struct outcome o = {r->verdict.result == VERDICT_FAIL ? "failure" : "error",
                              verdict_name(r->verdict.result), first};
    begin_case(r, "verdict", "verdict", out);
    if (r->verdict.result == VERDICT_PASS) {
        (void)fputs("/>\n", out);
        return;
    }
    begin_outcome(&o, out);
    for (size_t i = 0; i < r->verdict.reason_count; i++) {
        write_escaped(out, r->verdict.reasons[i]);
        (void)fputc('\n', out);
    }
    end_outcome(&o, out);
}

struct counts {
    size_t tests, failures, errors;
};

static struct counts count(const struct result *r)
{
    struct counts n = {.tests = r->judgement_count + r->accounting.check_count + 1};
    for (size_t i = 0; i < r->judgement_count; i++) {
        n.failures += r->judgements[i].result == JUDGEMENT_MISS;
        n.errors += r->judgements[i].result == JUDGEMENT_NOT_JUDGED;
    }
    for (size_t i = 0; i < r->accounting.check_count; i++) {
        n.errors += !r->accounting.checks[i].is_passed;
    }
    n.failures += r->verdict.result == VERDICT_FAIL;
    n.errors += r->verdict.result != VERDICT_FAIL && r->verdict.result != VERDICT_PASS;
    return n;
}

static void write_totals(const char *begin, const char *name, const struct result *r,
                         const struct counts *n, FILE *out)
{
    (void)fputs(begin, out);
    write_attribute(out, "name", name);
    (void)fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\"", n->tests,
                  n->failures, n->errors, r->run.duration_s);
}

static void write_suite(const struct result *r, FILE *out)
{
    struct counts n = count(r);
    time_t at = (time_t)r->run.started_at_s;
    struct tm parts;
    char when[32];
    write_totals("<testsuites", "leaseherd", r, &n, out);
    (void)fputs(">\n", out);
    write_totals("  <testsuite", r->run.scenario, r, &n, out);
    if (r->run.started_at_s != 0 && gmtime_r(&at, &parts) != NULL &&
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &parts) > 0) {
        write_attribute(out, "timestamp", when);
    }
    (void)fputs(">\n", out);
}

int report_write_junit(const struct result *r, FILE *out)
{
    errno = 0;
    (void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    write_suite(r, out);
    (void)fputs("    <properties>\n      <property name=\"run\"", out);
    write_attribute(out, "value", r->run.id);
    (void)fputs("/>\n    </properties>\n", out);
    for (size_t i = 0; i < r->judgement_count; i++) {
        write_judgement(r, &r->judgements[i], out);
    }
    for (size_t i = 0; i < r->accounting.check_count; i++) {
        write_check(r, &r->accounting.checks[i], out);
    }
    write_verdict(r, out);
    (void)fputs("  </testsuite>\n</testsuites>\n", out);
    if (fflush(out) != 0 || ferror(out)) {
        return -(errno == 0 ? EIO : errno);
    }
    return 0;
}
