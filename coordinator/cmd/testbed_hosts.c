/* SPDX-License-Identifier: MIT */
/* One script, on this host or on many over ssh. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/testbed_parts.h"

enum { SAID_BYTES_MAX = 65536, SSH_FAILED = 255, POLL_NS = 2000000 };

/* A login shell of any kind starts it; the script itself comes by standard input. */
static const char as_root[] =
    "exec sh -c 'if [ \"$(id -u)\" = 0 ]; then exec sh -s; fi; "
    "command -v sudo >/dev/null || { echo \"FAIL  this user is not root, and there is no sudo: "
    "name root@HOST\"; exit 2; }; "
    "sudo -n true 2>/dev/null || { echo \"FAIL  sudo asks for a password: allow it without one, or "
    "name root@HOST\"; exit 2; }; exec sudo -n sh -s'";

struct host {
    const char *target; /* NULL: this one */
    pid_t pid;          /* 0: has ended, or never began */
    int said_fd;
    int code;
};

static void say(const struct host *h, const char *text)
{
    (void)printf("%s%s%s\n", h->target != NULL ? h->target : "", h->target != NULL ? ": " : "",
                 text);
}

/* In the child. A killed parent takes it along; what it has begun here ends with the lock held. */
static void become(const struct host *h, const char *ssh_config, int script_fd, pid_t parent)
{
    const struct rlimit said = {SAID_BYTES_MAX, SAID_BYTES_MAX};
    char *argv[20];
    size_t n = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(script_fd, STDIN_FILENO) < 0 ||
        dup2(h->said_fd, STDOUT_FILENO) < 0 || dup2(h->said_fd, STDERR_FILENO) < 0) {
        _exit(CMD_INTERNAL);
    }
    if (h->target == NULL) {
        (void)execl("/bin/sh", "sh", "-c", as_root, (char *)NULL);
        _exit(CMD_INTERNAL);
    }
    /* A host may be somebody else's by now: it fills no memory here. */
    (void)setrlimit(RLIMIT_FSIZE, &said);
    static const char *const words[] = {"ssh",
                                        "-o",
                                        "BatchMode=yes",
                                        "-o",
                                        "ConnectTimeout=10",
                                        "-o",
                                        "ServerAliveInterval=5",
                                        "-o",
                                        "ServerAliveCountMax=3",
                                        "-T"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        argv[n++] = (char *)(uintptr_t)words[i]; /* execvp() writes to none of them */
    }
    if (ssh_config != NULL) {
        argv[n++] = (char *)(uintptr_t) "-F";
        argv[n++] = (char *)(uintptr_t)ssh_config;
    }
    argv[n++] = (char *)(uintptr_t) "--";
    argv[n++] = (char *)(uintptr_t)h->target;
    argv[n++] = (char *)(uintptr_t)as_root;
    argv[n] = NULL;
    (void)execvp("ssh", argv);
    (void)!write(STDERR_FILENO, "FAIL  ssh cannot be started: install an ssh client\n", 51);
    _exit(CMD_INTERNAL);
}

/* The script in memory, at its begin: whole before anybody reads it. -1 with errno. */
static int script_file(const char *script)
{
    int fd = memfd_create("testbed", MFD_CLOEXEC);
    size_t bytes = strlen(script), done = 0;
    while (fd >= 0 && done < bytes) {
        ssize_t wrote = write(fd, script + done, bytes - done);
        if (wrote < 0 && errno != EINTR) {
            (void)close(fd);
            return -1;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return fd < 0 || lseek(fd, 0, SEEK_SET) != 0 ? -1 : fd;
}

static void start(struct host *h, const char *script, const char *ssh_config)
{
    int script_fd = script_file(script);
    h->code = CMD_INTERNAL;
    h->said_fd = memfd_create("said", MFD_CLOEXEC);
    pid_t parent = getpid(), pid = -1;
    if (script_fd >= 0 && h->said_fd >= 0) {
        (void)fflush(stdout);
        pid = fork();
    }
    if (pid == 0) {
        become(h, ssh_config, script_fd, parent);
    }
    if (pid < 0) {
        (void)fprintf(stderr, "leaseherd testbed: cannot start a shell: %s\n", strerror(errno));
    }
    h->pid = pid > 0 ? pid : 0;
    if (script_fd >= 0) {
        (void)close(script_fd);
    }
}

static void reap(struct host *h, int status)
{
    h->pid = 0;
    h->code = WIFEXITED(status) ? WEXITSTATUS(status) : CMD_INTERNAL;
}

/* Until all have ended; who has not at the deadline is killed. */
static void await(struct host *hosts, size_t count, uint64_t deadline_ns)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    bool is_late = false, is_open = true;
    while (is_open) {
        is_open = false;
        for (size_t i = 0; i < count; i++) {
            int status;
            if (hosts[i].pid != 0 && waitpid(hosts[i].pid, &status, WNOHANG) == hosts[i].pid) {
                reap(&hosts[i], status);
            }
            is_open = is_open || hosts[i].pid != 0;
        }
        if (is_open && !is_late && clock_monotonic_ns() >= deadline_ns) {
            is_late = true;
            for (size_t i = 0; i < count; i++) {
                if (hosts[i].pid != 0) {
                    say(&hosts[i], "FAIL  it did not end in time and was given up; look at that "
                                   "host, then undo");
                    (void)kill(hosts[i].pid, SIGKILL);
                }
            }
        }
        if (is_open) {
            (void)nanosleep(&pause, NULL);
        }
    }
}

/* What it said, in characters one can see. */
static void print_said(struct host *h)
{
    char *text = calloc(1, SAID_BYTES_MAX + 1);
    ssize_t got = text != NULL && h->said_fd >= 0 ? pread(h->said_fd, text, SAID_BYTES_MAX, 0) : 0;
    for (ssize_t i = 0; i < got; i++) {
        bool is_seen = text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~');
        text[i] = is_seen ? text[i] : '?';
    }
    char *rest = text;
    for (char *line; got > 0 && (line = strsep(&rest, "\n")) != NULL;) {
        if (line[0] != '\0') {
            say(h, line);
        }
    }
    free(text);
    if (h->said_fd >= 0) {
        (void)close(h->said_fd);
    }
}

/* The script's own codes stand; what else there is, is trouble on the way to it. */
static int code_of(const struct host *h)
{
    switch (h->code) {
    case CMD_PASS:
    case CMD_USAGE:
    case CMD_PREFLIGHT:
    case CMD_INTERNAL:
        return h->code;
    default:
        break;
    }
    say(h, h->target != NULL && h->code == SSH_FAILED
               ? "FAIL  ssh could not log in, or lost the connection: it must need no password "
                 "(ssh -o BatchMode=yes)"
               : "FAIL  the shell ended before the script did");
    return CMD_INTERNAL;
}

int testbed_run(const char *script, const char *const *targets, size_t target_count,
                const char *ssh_config, uint64_t limit_ns)
{
    struct host hosts[TESTBED_HOSTS_MAX];
    size_t count = target_count > 0 ? target_count : 1;
    int worst = CMD_PASS;
    uint64_t deadline_ns = clock_monotonic_ns() + limit_ns;
    for (size_t i = 0; i < count; i++) {
        hosts[i] = (struct host){.target = target_count > 0 ? targets[i] : NULL, .said_fd = -1};
        start(&hosts[i], script, ssh_config);
    }
    await(hosts, count, deadline_ns);
    for (size_t i = 0; i < count; i++) {
        print_said(&hosts[i]);
        int code = code_of(&hosts[i]);
        /* What failed outweighs what does not work, and that what was asked wrongly. */
        worst = code > worst ? code : worst;
    }
    return worst;
}
