/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/run/run_lock.h"

static char dir[64];
static char why[RUN_LOCK_WHY_BYTES];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/leaseherd-lock-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/run.lock", dir);
    (void)unlink(path);
    return rmdir(dir);
}

static void write_lock_text(const char *words)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/run.lock", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, words, strlen(words)), (ssize_t)strlen(words));
    close(fd);
}

/* Another process that plays the run until it is signalled. */
static pid_t play(void)
{
    int ready[2];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int number = 0;
        char reason[RUN_LOCK_WHY_BYTES];
        sigprocmask(SIG_BLOCK, &set, NULL);
        int fd = run_lock_take(dir, 1767225600, reason);
        if (fd < 0 || write(ready[1], "x", 1) != 1 || sigwait(&set, &number) != 0) {
            _exit(9);
        }
        close(fd);
        _exit(0);
    }
    char byte;
    assert_true(pid > 0);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void what_is_no_run_is_said_to_be_none(void **state)
{
    (void)state;
    struct run_owner owner;
    assert_int_equal(run_owner_find("/nonexistent/run", &owner, why), -ENOENT);
    assert_non_null(strstr(why, "no run.lock"));
    assert_int_equal(run_owner_find(dir, &owner, why), -ENOENT);
    assert_non_null(strstr(why, dir));
}

static void the_owner_is_found_signalled_and_awaited(void **state)
{
    (void)state;
    struct run_owner owner;
    pid_t pid = play();
    assert_int_equal(run_owner_find(dir, &owner, why), 0);
    assert_int_equal(owner.pid, pid);
    assert_false(run_owner_wait(&owner, NS_PER_MS));
    assert_int_equal(run_owner_signal(&owner, SIGINT), 0);
    assert_true(run_owner_wait(&owner, UINT64_MAX));
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(run_owner_signal(&owner, SIGINT), -ESRCH); /* whoever has the number now */
    run_owner_fini(&owner);
}

static void a_run_that_is_over_is_told_from_one_elsewhere(void **state)
{
    (void)state;
    struct run_owner owner;
    int status;
    pid_t pid = play();
    kill(pid, SIGINT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(run_owner_find(dir, &owner, why), -ESRCH);
    assert_non_null(strstr(why, "is over"));
    assert_non_null(strstr(why, "started=2026-01-01T00:00:00Z"));
    write_lock_text("host=elsewhere.example pid=1 started=2026-01-01T00:00:00Z\n");
    assert_int_equal(run_owner_find(dir, &owner, why), -ESRCH);
    assert_non_null(strstr(why, "not played on this host (host=elsewhere.example"));
    write_lock_text("\033[2Jnoise\n");
    assert_int_equal(run_owner_find(dir, &owner, why), -ESRCH);
    assert_null(strchr(why, '\033'));
}

static void the_lock_is_of_one_run_only(void **state)
{
    (void)state;
    pid_t pid = play();
    assert_true(run_lock_take(dir, 0, why) < 0);
    assert_non_null(strstr(why, "another run uses"));
    kill(pid, SIGINT);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    int fd = run_lock_take(dir, 0, why);
    assert_true(fd >= 0);
    close(fd);
}

/* The process dies between the first look and the signal: nobody else is hit. */
static void a_killed_owner_is_over_and_its_number_is_not_signalled(void **state)
{
    (void)state;
    struct run_owner owner;
    pid_t pid = play();
    assert_int_equal(run_owner_find(dir, &owner, why), 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(run_owner_signal(&owner, SIGINT), -ESRCH);
    assert_true(run_owner_wait(&owner, 0));
    run_owner_fini(&owner);
    assert_int_equal(run_owner_find(dir, &owner, why), -ESRCH);
}

/* Locks `path` until it is killed, as no run does. */
static pid_t hold(const char *path, short type)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || fcntl(fd, F_SETLKW, &lock) < 0 || write(ready[1], "x", 1) != 1) {
            _exit(9);
        }
        (void)alarm(30); /* should the test fail before it ends this */
        for (;;) {
            pause();
        }
    }
    char byte;
    assert_true(pid > 0);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* `sudo leaseherd stop RUN`, where RUN is another's to write: whatever locks some file is no run.
 */
static void a_name_for_another_file_is_no_lock(void **state)
{
    (void)state;
    struct run_owner owner;
    char path[128], other[128], text[512], host[256];
    snprintf(path, sizeof(path), "%s/run.lock", dir);
    snprintf(other, sizeof(other), "%s.other", dir);
    pid_t pid = hold(other, F_WRLCK);
    /* Even if it says so itself. */
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    snprintf(text, sizeof(text), "host=%s pid=%ld started=2026-01-01T00:00:00Z\n", host, (long)pid);
    FILE *out = fopen(other, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    (void)fclose(out);

    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(run_owner_find(dir, &owner, why), -EINVAL);
    assert_non_null(strstr(why, "a link or no file"));
    assert_true(run_lock_take(dir, 0, why) < 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(link(other, path), 0);
    assert_int_equal(run_owner_find(dir, &owner, why), -EINVAL);
    end(pid);
    assert_int_equal(unlink(other), 0);
}

static void a_holder_that_the_text_does_not_name_is_no_owner(void **state)
{
    (void)state;
    struct run_owner owner;
    char path[128], text[512], host[256], number[32];
    snprintf(path, sizeof(path), "%s/run.lock", dir);
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    pid_t pid = hold(path, F_WRLCK);
    assert_int_equal(run_owner_find(dir, &owner, why), -EREMOTE); /* no text */
    snprintf(number, sizeof(number), "process %ld", (long)pid);
    assert_non_null(strstr(why, number));
    snprintf(text, sizeof(text), "host=%s pid=%ld0 started=2026-01-01T00:00:00Z\n", host,
             (long)pid);
    write_lock_text(text);
    assert_int_equal(run_owner_find(dir, &owner, why), -EREMOTE);
    snprintf(text, sizeof(text), "host=elsewhere.example pid=%ld started=2026\n", (long)pid);
    write_lock_text(text);
    assert_int_equal(run_owner_find(dir, &owner, why), -EREMOTE);
    end(pid);
}

/* Somebody who only waits for the lock has it as soon as the owner is dead. */
static void another_that_takes_the_lock_does_not_lengthen_the_wait(void **state)
{
    (void)state;
    struct run_owner owner;
    char path[128];
    snprintf(path, sizeof(path), "%s/run.lock", dir);
    pid_t pid = play();
    assert_int_equal(run_owner_find(dir, &owner, why), 0);
    end(pid);
    pid_t next = hold(path, F_RDLCK);
    assert_true(run_owner_wait(&owner, 100 * NS_PER_MS));
    run_owner_fini(&owner);
    end(next);
}

/* Not one that is waited for, nor another's text that is believed or obeyed. */
static void a_lock_that_is_none_is_told_at_once(void **state)
{
    (void)state;
    struct run_owner owner;
    char path[128];
    snprintf(path, sizeof(path), "%s/run.lock", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(run_owner_find(dir, &owner, why) < 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_true(run_owner_find(dir, &owner, why) < 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("run.lock", path), 0);
    assert_true(run_owner_find(dir, &owner, why) < 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(run_owner_find(dir, &owner, why) < 0);
    assert_int_equal(rmdir(path), 0);
    write_lock_text("host=x pid=1 \033[2J\r\033]0;owned\007\302\2332J");
    assert_true(run_owner_find(dir, &owner, why) < 0);
    for (const char *at = why; *at != '\0'; at++) {
        assert_true(*at >= ' ' && *at <= '~');
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_lock_that_is_none_is_told_at_once),
        CASE(a_name_for_another_file_is_no_lock),
        CASE(a_holder_that_the_text_does_not_name_is_no_owner),
        CASE(another_that_takes_the_lock_does_not_lengthen_the_wait),
        CASE(what_is_no_run_is_said_to_be_none),
        CASE(the_lock_is_of_one_run_only),
        CASE(a_run_that_is_over_is_told_from_one_elsewhere),
        CASE(the_owner_is_found_signalled_and_awaited),
        CASE(a_killed_owner_is_over_and_its_number_is_not_signalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
