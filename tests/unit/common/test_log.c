/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

enum { THREADS = 4, LINES_PER_THREAD = 200 };

static char text[1 << 20];

/* An unnamed file takes the log; what it got is in `text` afterwards. */
static int redirect(void **state)
{
    static FILE *file;

    file = tmpfile();
    assert_non_null(file);
    log_set_fd(fileno(file));
    log_set_level(LOG_LEVEL_INFO);
    *state = file;
    return 0;
}

static int restore(void **state)
{
    log_set_fd(-1);
    log_set_level(LOG_LEVEL_INFO);
    return fclose(*state);
}

static const char *logged(void **state)
{
    ssize_t got = pread(fileno((FILE *)*state), text, sizeof(text) - 1, 0);

    assert_true(got >= 0);
    text[got] = '\0';
    return text;
}

static void a_level_below_the_set_one_is_silent(void **state)
{
    log_debug("what=detail");
    assert_string_equal(logged(state), "");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("what=trouble");
    assert_string_equal(logged(state), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("what=detail");
    assert_non_null(strstr(logged(state), " level=debug what=detail\n"));
}

static void a_value_from_outside_cannot_forge_a_line(void **state)
{
    log_info("what=hello host=\"%s\"", "a\nlevel=error what=forged\x1b[2J");
    assert_non_null(strstr(logged(state), "host=\"a?level=error what=forged?[2J\"\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    log_info("what=hello host=\"%s\"", "\xc2\x9b"
                                       "2J\x9b"
                                       "2J\xe2\x80\xae"
                                       "b\xc3\xa4r\xe2\x82");
    assert_non_null(strstr(logged(state), "host=\"??2J?2J???b\xc3\xa4r??\"\n"));
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    char longest[3000];

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    log_info("%s", longest);
    size_t size = strlen(logged(state));
    assert_int_equal(size, 1024);
    assert_string_equal(text + size - 5, "x...\n");
}

static void a_line_has_its_time_and_level(void **state)
{
    unsigned year = 0;
    char level[16] = "";

    log_error("what=send_failed errno=%s", "EPERM");
    assert_int_equal(
        sscanf(logged(state), "time=%4u-%*2u-%*2uT%*2u:%*2u:%*2u.%*3uZ level=%15s", &year, level),
        2);
    assert_true(year >= 2024);
    assert_string_equal(level, "error");
    assert_non_null(strstr(text, " what=send_failed errno=EPERM\n"));
}

static void *write_lines(void *argument)
{
    for (int i = 0; i < LINES_PER_THREAD; i++) {
        log_info("what=line thread=%s%s", (const char *)argument, (const char *)argument);
    }
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t thread[THREADS];
    unsigned whole = 0;

    assert_int_not_equal(fcntl(fileno((FILE *)*state), F_SETFL, O_APPEND), -1);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, write_lines, names[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    (void)logged(state);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); rest != NULL; line = strsep(&rest, "\n")) {
        const char *name = strstr(line, "thread=");
        whole += name != NULL && strlen(name) == 9 && name[7] == name[8];
    }
    assert_int_equal(whole, THREADS * LINES_PER_THREAD);
}

int main(void)
{
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, redirect, restore)
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_level_below_the_set_one_is_silent),
        LOG_TEST(a_value_from_outside_cannot_forge_a_line),
        LOG_TEST(a_long_line_is_cut_and_says_so),
        LOG_TEST(a_line_has_its_time_and_level),
        LOG_TEST(threads_do_not_mix_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
