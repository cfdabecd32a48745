/* SPDX-License-Identifier: MIT */
#include "coordinator/run/actions.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum { EVENT_BYTES = 256, ENVIRONMENT_OWN = 3 };

struct action {
    pid_t pid; /* also its process group; 0: free */
    size_t tag;
    char event[EVENT_BYTES];
};

struct actions {
    int log_fd;
    bool is_log_cut;                  /* a line did not go in whole */
    char run_dir[RUN_DIR_PATH_BYTES]; /* absolute where it can be had */
    struct action action[ACTIONS_OPEN_MAX];
};

/* One write per line, so that lines of several commands never mix. */
static void note(struct actions *actions, const char *what, const char *event, const char *rest)
{
    char stamp[32], line[1200];
    uint64_t wall_ns = clock_realtime_ns();
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    int size = snprintf(line, sizeof(line), "%s.%03uZ %s \"%s\": %s\n", stamp,
                        (unsigned)(wall_ns % NS_PER_S / NS_PER_MS), what, event, rest);
    size_t bytes = size < 0 ? 0 : (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1;
    ssize_t written = write(actions->log_fd, line, bytes);
    if (written != (ssize_t)bytes && !actions->is_log_cut) {
        log_warn("what=action_not_logged errno=%d", written < 0 ? errno : ENOSPC);
        actions->is_log_cut = true;
    }
}

/* Never another's file through a link, nor a FIFO that somebody has put there to wait on. */
static int open_log(const char *run_dir, char why[RUN_DIR_WHY_BYTES])
{
    char path[RUN_DIR_PATH_BYTES];
    struct stat about;
    int fd = open(run_dir_path(run_dir, "actions.log", path),
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    int rc = fd < 0 || fstat(fd, &about) < 0 ? -errno : S_ISREG(about.st_mode) ? 0 : -EINVAL;
    if (rc == 0) {
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (rc == -EINVAL || rc == -ELOOP || rc == -ENXIO) {
        (void)snprintf(why, RUN_DIR_WHY_BYTES, "%s is a link or no file; remove it", path);
        return -EINVAL;
    }
    (void)snprintf(why, RUN_DIR_WHY_BYTES, "cannot write %s: %s; mend that, then try again", path,
                   strerror(-rc));
    return rc;
}

int actions_open(const char *run_dir, struct actions **out, char why[RUN_DIR_WHY_BYTES])
{
    struct actions *actions = calloc(1, sizeof(*actions));
    if (actions == NULL) {
        (void)snprintf(why, RUN_DIR_WHY_BYTES, "out of memory");
        return -ENOMEM;
    }
    actions->log_fd = open_log(run_dir, why);
    if (actions->log_fd < 0) {
        int rc = actions->log_fd;
        free(actions);
        return rc;
    }
    char *absolute = realpath(run_dir, NULL);
    (void)snprintf(actions->run_dir, sizeof(actions->run_dir), "%s",
                   absolute != NULL ? absolute : run_dir);
    free(absolute);
    *out = actions;
    return 0;
}

static struct action *slot_of(struct actions *actions, size_t tag)
{
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        if (actions->action[i].pid != 0 && actions->action[i].tag == tag) {
            return &actions->action[i];
        }
    }
    return NULL;
}

static struct action *free_slot(struct actions *actions)
{
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        if (actions->action[i].pid == 0) {
            return &actions->action[i];
        }
    }
    return NULL;
}

size_t actions_running(const struct actions *actions)
{
    size_t running = 0;
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        running += actions->action[i].pid != 0;
    }
    return running;
}

static bool is_own_variable(const char *word)
{
    return strncmp(word, "LEASEHERD_RUN=", 14) == 0 || strncmp(word, "LEASEHERD_EVENT=", 16) == 0 ||
           strncmp(word, "LEASEHERD_REPEAT=", 17) == 0;
}

/* The operator's environment, with our three words in front of it. NULL when out of memory. */
static char **environment_with(char *own[ENVIRONMENT_OWN])
{
    size_t count = 0, at = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **all = calloc(count + ENVIRONMENT_OWN + 1, sizeof(*all));
    if (all == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < ENVIRONMENT_OWN; i++) {
        all[at++] = own[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_own_variable(environ[i])) {
            all[at++] = environ[i];
        }
    }
    return all;
}

/*
 * A session, hence a process group, of its own: Ctrl-C is the coordinator's, and what asks for a
 * password fails at once instead of waiting for a terminal that nobody looks at. None of the
 * signal settings that are the coordinator's alone.
 */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGQUIT);
    int rc = posix_spawnattr_setsigmask(attributes, &none);
    rc = rc != 0 ? rc : posix_spawnattr_setsigdefault(attributes, &defaults);
    return rc != 0
               ? rc
               : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const struct actions *actions, const char *command, char **environment, pid_t *out)
{
    static char shell[] = "sh", flag[] = "-c";
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    char *text = strdup(command); /* argv wants words it could write to */
    if (text == NULL) {
        return ENOMEM;
    }
    char *argv[] = {shell, flag, text, NULL};
    (void)posix_spawn_file_actions_init(&files); /* glibc: cannot fail, likewise the next */
    (void)posix_spawnattr_init(&attributes);
    int rc = set_attributes(&attributes);
    rc = rc != 0 ? rc
                 : posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&files, actions->log_fd, STDOUT_FILENO);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&files, actions->log_fd, STDERR_FILENO);
    rc = rc != 0 ? rc : posix_spawn(out, "/bin/sh", &files, &attributes, argv, environment);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attributes);
    free(text);
    return rc;
}

int actions_start(struct actions *actions, size_t tag, const char *command,
                  const struct action_about *about)
{
    struct action *action = free_slot(actions);
    if (action == NULL) {
        return -EAGAIN;
    }
    char run[RUN_DIR_PATH_BYTES + 16], event[EVENT_BYTES + 20], repeat[40];
    (void)snprintf(run, sizeof(run), "LEASEHERD_RUN=%s", actions->run_dir);
    (void)snprintf(event, sizeof(event), "LEASEHERD_EVENT=%s", about->event);
    (void)snprintf(repeat, sizeof(repeat), "LEASEHERD_REPEAT=");
    if (about->repeat > 0) {
        (void)snprintf(repeat, sizeof(repeat), "LEASEHERD_REPEAT=%llu",
                       (unsigned long long)about->repeat);
    }
    char *own[ENVIRONMENT_OWN] = {run, event, repeat};
    char **environment = environment_with(own);
    if (environment == NULL) {
        return -ENOMEM;
    }
    note(actions, "begin", about->event, command);
    pid_t pid = 0;
    int rc = spawn(actions, command, environment, &pid);
    free(environment);
    if (rc != 0) {
        note(actions, "not started", about->event, strerror(rc));
        return -rc;
    }
    action->pid = pid;
    action->tag = tag;
    (void)snprintf(action->event, sizeof(action->event), "%s", about->event);
    return 0;
}

static void explain(int status, char out[ACTIONS_STATUS_BYTES])
{
    out[0] = '\0';
    if (WIFSIGNALED(status)) {
        (void)snprintf(out, ACTIONS_STATUS_BYTES, "killed by signal %d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        (void)snprintf(out, ACTIONS_STATUS_BYTES, "exit status %d", WEXITSTATUS(status));
    }
}

bool actions_ended(struct actions *actions, size_t *out_tag, char out_status[ACTIONS_STATUS_BYTES])
{
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        struct action *action = &actions->action[i];
        int status;
        if (action->pid == 0 || waitpid(action->pid, &status, WNOHANG) != action->pid) {
            continue;
        }
        explain(status, out_status);
        note(actions, "end", action->event, out_status[0] == '\0' ? "exit status 0" : out_status);
        *out_tag = action->tag;
        action->pid = 0;
        return true;
    }
    return false;
}

void actions_kill(struct actions *actions, size_t tag)
{
    struct action *action = slot_of(actions, tag);
    if (action != NULL) {
        /* Not reaped yet, so neither its number nor its group's can be somebody else's. */
        (void)kill(-action->pid, SIGKILL);
    }
}

/* Not reaped: as long as it is a zombie its group's number is nobody else's. */
static bool has_ended(const struct action *action)
{
    siginfo_t info = {0};
    return action->pid == 0 ||
           (waitid(P_PID, (id_t)action->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == action->pid);
}

static bool have_all_ended(const struct actions *actions)
{
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        if (!has_ended(&actions->action[i])) {
            return false;
        }
    }
    return true;
}

static void signal_all(const struct actions *actions, int signal_number)
{
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        if (actions->action[i].pid != 0) {
            (void)kill(-actions->action[i].pid, signal_number);
        }
    }
}

bool actions_close(struct actions *actions)
{
    static const struct timespec pause = {0, 20 * 1000 * 1000};
    enum { PATIENCE = 50 };
    if (actions == NULL) {
        return true;
    }
    signal_all(actions, SIGTERM);
    for (unsigned i = 0; i < PATIENCE && !have_all_ended(actions); i++) {
        nanosleep(&pause, NULL);
    }
    /* The shells may have ended; what they began and left is of their groups. */
    signal_all(actions, SIGKILL);
    for (size_t i = 0; i < ACTIONS_OPEN_MAX; i++) {
        struct action *action = &actions->action[i];
        int status = 0;
        char text[ACTIONS_STATUS_BYTES];
        if (action->pid != 0 && waitpid(action->pid, &status, 0) == action->pid) {
            bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            explain(status, text);
            note(actions, "end", action->event,
                 is_killed         ? "killed, it did not end by itself"
                 : text[0] == '\0' ? "exit status 0"
                                   : text);
        }
    }
    bool is_logged = !actions->is_log_cut;
    close(actions->log_fd);
    free(actions);
    return is_logged;
}
