/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/run/actions.h"

static char dir[] = "/tmp/leaseherd-actions-XXXXXX";
static struct actions *actions;
static char text[65536], why[RUN_DIR_WHY_BYTES];

static int open_actions(void)
{
    return actions_open(dir, &actions, why);
}

static bool close_actions(void)
{
    bool is_whole = actions_close(actions);
    actions = NULL;
    return is_whole;
}

static const char *log_path(void)
{
    static char path[RUN_DIR_PATH_BYTES];
    return run_dir_path(dir, "actions.log", path);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/leaseherd-actions-XXXXXX");
    return mkdtemp(dir) != NULL && open_actions() == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    (void)close_actions();
    (void)unlink(log_path());
    return rmdir(dir);
}

static const char *log_text(void)
{
    int fd = open(log_path(), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t size = read(fd, text, sizeof(text) - 1);
    assert_true(size >= 0);
    text[size] = '\0';
    close(fd);
    return text;
}

static int start(size_t tag, const char *command, uint64_t repeat)
{
    const struct action_about about = {.event = "b off", .repeat = repeat};
    return actions_start(actions, tag, command, &about);
}

/* Looks until the next one has ended; its status. */
static const char *await(size_t *out_tag)
{
    static char status[ACTIONS_STATUS_BYTES];
    uint64_t until_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (!actions_ended(actions, out_tag, status)) {
        assert_true(clock_monotonic_ns() < until_ns);
        (void)poll(NULL, 0, 1);
    }
    return status;
}

static void an_exit_status_and_a_signal_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *command, *status;
    } cases[] = {
        {"exit 3", "exit status 3"},
        {"/nonexistent/program", "exit status 127"},
        {"kill -9 $$", "killed by signal 9"},
        {"true", ""},
    };
    size_t tag = 99;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(start(i, cases[i].command, 0), 0);
        assert_string_equal(await(&tag), cases[i].status);
        assert_int_equal(tag, i);
    }
    assert_int_equal(actions_running(actions), 0);
}

static void what_is_started_is_not_waited_for(void **state)
{
    (void)state;
    char status[ACTIONS_STATUS_BYTES];
    size_t tag;
    uint64_t began_ns = clock_monotonic_ns();
    assert_int_equal(start(1, "exec sleep 60", 0), 0);
    assert_false(actions_ended(actions, &tag, status));
    assert_true(clock_monotonic_ns() - began_ns < 10 * NS_PER_S);
    assert_int_equal(actions_running(actions), 1);
    actions_kill(actions, 2); /* there is none */
    assert_int_equal(actions_running(actions), 1);
    actions_kill(actions, 1);
    assert_string_equal(await(&tag), "killed by signal 9");
}

static void output_and_times_are_in_the_log(void **state)
{
    (void)state;
    size_t tag;
    assert_int_equal(start(0, "echo out; echo err >&2; exit 4", 0), 0);
    await(&tag);
    const char *log = log_text();
    assert_non_null(strstr(log, "Z begin \"b off\": echo out; echo err >&2; exit 4\n"));
    assert_non_null(strstr(log, "\nout\nerr\n"));
    assert_non_null(strstr(log, "Z end \"b off\": exit status 4\n"));
    assert_int_equal(log[4], '-');
    assert_int_equal(log[10], 'T');
}

static void the_command_knows_the_run_the_event_and_the_repeat(void **state)
{
    (void)state;
    size_t tag;
    static const char show[] = "echo \"<$LEASEHERD_RUN|$LEASEHERD_EVENT|$LEASEHERD_REPEAT>\"";
    char wanted[256];
    setenv("LEASEHERD_EVENT", "an older one", 1);
    assert_int_equal(start(0, show, 0), 0);
    await(&tag);
    snprintf(wanted, sizeof(wanted), "<%s|b off|>", dir);
    assert_non_null(strstr(log_text(), wanted));
    assert_int_equal(start(0, show, 7), 0);
    await(&tag);
    snprintf(wanted, sizeof(wanted), "<%s|b off|7>", dir);
    assert_non_null(strstr(log_text(), wanted));
    unsetenv("LEASEHERD_EVENT");
}

static void it_reads_nothing_and_has_its_own_group_and_plain_signals(void **state)
{
    (void)state;
    size_t tag;
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    int rc =
        start(0,
              "cat; set -- $(cat /proc/$$/stat); test \"$5\" = $$ && test \"$6\" = $$ || exit 8; "
              "kill -TERM $$; exit 9",
              0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(rc, 0);
    assert_string_equal(await(&tag), "killed by signal 15");
}

static void begin_stubborn(const char *path)
{
    char command[400];
    /* The shell and its child both hold the lock; who takes it afterwards finds them gone. */
    snprintf(command, sizeof(command), "exec 9>%s; (trap '' TERM; echo ready; sleep 60) & wait",
             path);
    assert_int_equal(start(0, command, 0), 0);
    uint64_t until_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (strstr(log_text(), "\nready\n") == NULL && clock_monotonic_ns() < until_ns) {
        (void)poll(NULL, 0, 5);
    }
}

static void assert_all_gone(const char *path)
{
    char command[400];
    /* Nobody of the group is left to hold the file open: fuser's question, asked of /proc. */
    snprintf(command, sizeof(command),
             "n=0; while ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q -- '%s$'; do n=$((n+1)); "
             "[ $n -lt 100 ] || exit 1; sleep 0.05; done",
             path);
    assert_int_equal(system(command), 0);
    (void)unlink(path);
}

static void killing_ends_the_whole_group(void **state)
{
    (void)state;
    char path[160];
    snprintf(path, sizeof(path), "%s/alive", dir);
    begin_stubborn(path);
    actions_kill(actions, 0);
    size_t tag;
    assert_string_equal(await(&tag), "killed by signal 9");
    assert_all_gone(path);
}

/* The shell dies of the first signal, its child hears none but the last. */
static void closing_ends_the_whole_group(void **state)
{
    (void)state;
    char path[160];
    snprintf(path, sizeof(path), "%s/alive", dir);
    begin_stubborn(path);
    (void)close_actions();
    assert_all_gone(path);
    assert_non_null(strstr(log_text(), "killed by signal 15"));
    assert_int_equal(open_actions(), 0);
}

static void there_is_a_limit_to_how_many_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        assert_int_equal(start(i, "exec sleep 60", 0), 0);
    }
    assert_int_equal(start(99, "true", 0), -EAGAIN);
    assert_int_equal(actions_running(actions), ACTIONS_OPEN_MAX);
}

static void a_directory_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct actions *none = NULL;
    assert_int_equal(actions_open("/nonexistent/run", &none, why), -ENOENT);
    assert_non_null(strstr(why, "cannot write /nonexistent/run/actions.log: No such file"));
    assert_null(none);
    actions_close(NULL);
}

/* As a disk that fills up: what goes into one file beyond `bytes` is not written. */
static void give_room(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(signal(SIGXFSZ, bytes == RLIM_INFINITY ? SIG_DFL : SIG_IGN) != SIG_ERR);
}

/* A disk without room: the run must not end as if all were told. */
static void a_log_that_is_cut_is_told(void **state)
{
    (void)state;
    const rlim_t rooms[] = {0, 10};
    for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
        size_t tag = 0;
        give_room(rooms[i]);
        int rc = start(1, "true", 0);
        give_room(RLIM_INFINITY);
        assert_int_equal(rc, 0);
        assert_string_equal(await(&tag), "");
        assert_int_equal(tag, 1);
        assert_false(close_actions());
        assert_int_equal(unlink(log_path()), 0);
        assert_int_equal(open_actions(), 0);
    }
}

static void a_log_that_is_whole_is_told(void **state)
{
    (void)state;
    size_t tag = 0;
    assert_int_equal(start(1, "true", 0), 0);
    await(&tag);
    assert_true(close_actions());
    assert_int_equal(open_actions(), 0);
}

/* A run's directory may be another's to write: what the commands print goes into it, or nowhere. */
static void a_log_that_is_a_link_or_no_file_is_refused(void **state)
{
    (void)state;
    char elsewhere[160];
    struct actions *none = NULL;
    (void)close_actions();
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
    assert_int_equal(rename(log_path(), elsewhere), 0);
    assert_int_equal(symlink(elsewhere, log_path()), 0);
    assert_int_equal(actions_open(dir, &none, why), -EINVAL);
    assert_non_null(strstr(why, "/actions.log is a link or no file; remove it"));
    assert_int_equal(unlink(log_path()) | unlink(elsewhere), 0);
    assert_int_equal(mkfifo(log_path(), 0600), 0);
    assert_int_equal(actions_open(dir, &none, why), -EINVAL); /* nobody reads it */
    int reader = open(log_path(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(actions_open(dir, &none, why), -EINVAL);
    close(reader);
    assert_null(none);
    assert_int_equal(unlink(log_path()), 0);
    assert_int_equal(open_actions(), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_directory_that_is_not_there_is_refused),
        CASE(a_log_that_is_cut_is_told),
        CASE(a_log_that_is_whole_is_told),
        CASE(a_log_that_is_a_link_or_no_file_is_refused),
        CASE(there_is_a_limit_to_how_many_run),
        CASE(an_exit_status_and_a_signal_are_told),
        CASE(what_is_started_is_not_waited_for),
        CASE(output_and_times_are_in_the_log),
        CASE(the_command_knows_the_run_the_event_and_the_repeat),
        CASE(it_reads_nothing_and_has_its_own_group_and_plain_signals),
        CASE(killing_ends_the_whole_group),
        CASE(closing_ends_the_whole_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
