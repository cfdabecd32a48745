/* SPDX-License-Identifier: MIT */
/* coordinator.log: whatever is changed in it is found, in its line; a resumed log goes on. */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "coordinator/audit/audit_log.h"
#include "coordinator/run/run_log.h"

enum { TEXT_BYTES = 65536 };

struct fixture {
    char dir[64], path[96];
    char text[TEXT_BYTES];
    size_t size;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_log_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/coordinator.log", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    run_log_close();
    (void)unlink(f->path);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static void open_log(struct fixture *f)
{
    char why[RUN_DIR_WHY_BYTES] = "";
    assert_int_equal(run_log_open(f->dir, why), 0);
}

static void read_log(struct fixture *f)
{
    FILE *file = fopen(f->path, "r");
    assert_non_null(file);
    f->size = fread(f->text, 1, sizeof(f->text) - 1, file);
    f->text[f->size] = '\0';
    (void)fclose(file);
}

static void write_lines(int count)
{
    for (int i = 0; i < count; i++) {
        log_info("what=line number=%d", i);
    }
}

static struct log_chain_verdict verify(const struct fixture *f, const char *expected)
{
    struct log_chain_verdict v;
    log_chain_verify(f->text, f->size, expected, &v);
    return v;
}

static void a_log_as_it_was_written_is_whole(void **state)
{
    struct fixture *f = *state;
    char head[LOG_CHAIN_TEXT_BYTES];
    open_log(f);
    write_lines(5);
    (void)run_log_head(head);
    write_lines(2);
    read_log(f);
    struct log_chain_verdict v = verify(f, head);
    assert_int_equal(v.lines, 7);
    assert_int_equal(v.bad_line, 0);
    assert_int_equal(v.expected_line, 5);
    assert_false(v.is_cut);
    assert_string_equal(run_log_head(head), log_chain_text(&v.last, head));
}

static void every_byte_that_is_changed_is_found_in_its_line(void **state)
{
    struct fixture *f = *state;
    open_log(f);
    write_lines(4);
    read_log(f);
    uint64_t line = 1;
    for (size_t i = 0; i < f->size; i++) {
        char was = f->text[i];
        f->text[i] = (char)(was ^ 1);
        struct log_chain_verdict v = verify(f, NULL);
        /* A line end that goes makes one line of two; one that comes, two of one. */
        assert_int_equal(v.bad_line, line);
        f->text[i] = was;
        line += was == '\n';
    }
    assert_int_equal(verify(f, NULL).bad_line, 0);
}

static void lines_taken_out_moved_or_put_in_are_found(void **state)
{
    struct fixture *f = *state;
    char head[LOG_CHAIN_TEXT_BYTES];
    open_log(f);
    write_lines(6);
    (void)run_log_head(head);
    read_log(f);
    static char whole[TEXT_BYTES];
    size_t size = f->size, length = size / 6; /* lines are of one length */
    memcpy(whole, f->text, size);
    assert_int_equal(size % 6, 0);
    for (size_t i = 0; i < 6; i++) { /* taken out */
        memmove(f->text + i * length, whole + (i + 1) * length, size - (i + 1) * length);
        f->size = size - length;
        struct log_chain_verdict v = verify(f, head);
        assert_int_equal(v.bad_line, i < 5 ? i + 1 : 0);
        assert_int_equal(v.expected_line, i < 5 ? 5 : 0); /* the end is missed by the report's */
        memcpy(f->text, whole, size);
    }
    f->size = size;
    memcpy(f->text + length, whole + 2 * length, length); /* moved */
    memcpy(f->text + 2 * length, whole + length, length);
    assert_int_equal(verify(f, head).bad_line, 2);
    memcpy(f->text, whole, size);
    f->size = size - 3; /* cut */
    struct log_chain_verdict v = verify(f, head);
    assert_true(v.is_cut && v.bad_line == 6 && v.expected_line == 0);
}

static void another_coordinator_goes_on_with_the_chain(void **state)
{
    struct fixture *f = *state;
    open_log(f);
    write_lines(3);
    run_log_close();
    FILE *file = fopen(f->path, "a"); /* killed in the middle of a line */
    assert_non_null(file);
    (void)fputs("time=2026-01-01T00:00:00.000Z level=info what=pha", file);
    (void)fclose(file);
    open_log(f);
    write_lines(2);
    read_log(f);
    struct log_chain_verdict v = verify(f, NULL);
    assert_int_equal(v.lines, 5);
    assert_int_equal(v.bad_line, 0);
    assert_null(strstr(f->text, "pha"));
}

static void what_is_no_log_is_refused(void **state)
{
    struct fixture *f = *state;
    char why[RUN_DIR_WHY_BYTES] = "", other[96];
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_true(run_log_open(f->dir, why) < 0);
    assert_non_null(strstr(why, "coordinator.log"));
    assert_int_equal(unlink(f->path), 0);
    (void)snprintf(other, sizeof(other), "%s/other", f->dir);
    assert_int_equal(symlink(other, f->path), 0);
    assert_true(run_log_open(f->dir, why) < 0);
    assert_int_equal(access(other, F_OK), -1);
}

static void *log_many(void *unused)
{
    (void)unused;
    write_lines(100);
    return NULL;
}

static void threads_do_not_break_the_chain(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    open_log(f);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    read_log(f);
    struct log_chain_verdict v = verify(f, NULL);
    assert_int_equal(v.lines, 400);
    assert_int_equal(v.bad_line, 0);
}

/* RLIMIT_FSIZE cuts a write as a full disk does: the line is taken off, what fits later follows. */
static void a_full_disk_costs_lines_and_not_the_chain(void **state)
{
    struct fixture *f = *state;
    struct rlimit was, small;
    open_log(f);
    write_lines(2);
    read_log(f);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = f->size + 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    write_lines(2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    write_lines(1);
    read_log(f);
    struct log_chain_verdict v = verify(f, NULL);
    assert_int_equal(v.lines, 3);
    assert_int_equal(v.bad_line, 0);
}

static void the_longest_line_keeps_its_value(void **state)
{
    struct fixture *f = *state;
    static char longest[3000];
    memset(longest, 'x', sizeof(longest) - 1);
    open_log(f);
    log_info("what=%s", longest);
    log_info("what=\"%s\nchain=0\"", "forged");
    read_log(f);
    struct log_chain_verdict v = verify(f, NULL);
    assert_int_equal(v.lines, 2);
    assert_int_equal(v.bad_line, 0);
}

static void who_began_it_is_told(void **state)
{
    struct fixture *f = *state;
    char uid[32];
    open_log(f);
    run_log_process("run_begins", "run-7");
    read_log(f);
    (void)snprintf(uid, sizeof(uid), "(%lu) ", (unsigned long)geteuid());
    assert_non_null(strstr(f->text, "what=run_begins run=run-7 user="));
    assert_non_null(strstr(f->text, uid));
    assert_non_null(strstr(f->text, " pid="));
    assert_non_null(strstr(f->text, "test_log_chain\""));
    assert_non_null(strstr(f->text, " version=" LEASEHERD_VERSION " "));
}

/* --- what the audit says of it --- */

static bool says(const struct audit_notes *notes, const char *text)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (strstr(notes->note[i].text, text) != NULL) {
            return true;
        }
    }
    return false;
}

static void the_audit_names_what_is_wrong_with_it(void **state)
{
    struct fixture *f = *state;
    char head[LOG_CHAIN_TEXT_BYTES];
    struct audit_notes notes = {0};
    open_log(f);
    log_info("what=scenario name=x scenario_hash=abc");
    log_info("what=plan_signed plan_hash=123 operator=x");
    log_info("what=agent_ready agent=a1 plan_hash=123");
    log_info("what=ledger_closed events=1 ledger_hash=def");
    (void)run_log_head(head);
    read_log(f);
    struct audit_log_facts facts = {f->text, f->size, head, "123", "def", "abc"};
    assert_int_equal(audit_log(&facts, &notes), 4);
    assert_int_equal(notes.count, 0);
    facts.plan_hash = "124";
    facts.ledger_hash = "dee";
    facts.scenario_hash = "abd";
    facts.chain = "00000000000000000000000000000000";
    (void)audit_log(&facts, &notes);
    assert_int_equal(notes.differences, 4);
    assert_true(says(&notes, "ledger.db is not as the run closed it"));
    assert_true(says(&notes, "plan.bin is not the plan that coordinator.log says was signed"));
    assert_true(says(&notes, "1 of 1 agents were ready for another plan"));
    assert_true(says(&notes, "no line carries the value 0000"));
    assert_true(says(&notes, "scenario.yaml is not as the run wrote it"));
    audit_notes_fini(&notes);
    f->text[60] ^= 1;
    facts = (struct audit_log_facts){f->text, f->size, head, "123", "def", "abc"};
    (void)audit_log(&facts, &notes);
    assert_true(says(&notes, "line 1 does not follow from those before it"));
    audit_notes_fini(&notes);
    facts.size = 0;
    (void)audit_log(&facts, &notes);
    assert_int_equal(notes.differences, 1);
    assert_true(says(&notes, "coordinator.log is empty"));
    audit_notes_fini(&notes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_log_as_it_was_written_is_whole),
        TEST(every_byte_that_is_changed_is_found_in_its_line),
        TEST(lines_taken_out_moved_or_put_in_are_found),
        TEST(another_coordinator_goes_on_with_the_chain),
        TEST(what_is_no_log_is_refused),
        TEST(threads_do_not_break_the_chain),
        TEST(a_full_disk_costs_lines_and_not_the_chain),
        TEST(the_longest_line_keeps_its_value),
        TEST(who_began_it_is_told),
        TEST(the_audit_names_what_is_wrong_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
