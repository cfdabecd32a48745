/* SPDX-License-Identifier: MIT */
#include "agent/observer/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 256, PATH_BYTES = 64 };

void syscalls_open(struct syscalls *s)
{
    memset(s, 0, sizeof(*s));
    s->available = AVAILABLE_NOT_APPLICABLE;
}

static void let_go(struct syscalls *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->fd[i] >= 0) {
            close(s->fd[i]);
        }
    }
    s->count = 0;
}

void syscalls_close(struct syscalls *s)
{
    let_go(s);
}

static enum availability why_not(int error)
{
    return error == EACCES || error == EPERM ? AVAILABLE_NO_PERMISSION
           : error == ENOENT                 ? AVAILABLE_NO_KERNEL
                                             : AVAILABLE_NOT_APPLICABLE;
}

/* Kept open: reading is all that a look costs. */
static int open_thread(pid_t pid, pid_t thread)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)thread);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool is_same_list(const struct syscalls *s, const struct observer_target *target)
{
    return s->instance == target->instance && s->count == target->thread_count &&
           memcmp(s->thread, target->thread, s->count * sizeof(s->thread[0])) == 0;
}

static void take_list(struct syscalls *s, const struct observer_target *target)
{
    let_go(s);
    s->instance = target->instance;
    s->count = target->thread_count;
    for (size_t i = 0; i < s->count; i++) {
        s->thread[i] = target->thread[i];
        s->fd[i] = open_thread(target->pid, target->thread[i]);
        /* The main thread's tells why there is none; another may just have ended.
         */
        if (i == 0 && s->fd[0] < 0) {
            s->available = why_not(errno);
        }
    }
}

/* False: this thread cannot be looked at, or is no more. */
static bool look_at(struct syscalls *s, size_t i, enum thread_wait *out)
{
    char line[LINE_BYTES];
    ssize_t got = s->fd[i] < 0 ? -1 : pread(s->fd[i], line, sizeof(line), 0);
    if (s->fd[i] >= 0 && got < 0 && i == 0) {
        s->available = why_not(errno);
    }
    if (got <= 0) {
        return false;
    }
    *out = thread_wait_of_line(line, (size_t)got);
    return true;
}

void syscalls_look(struct syscalls *s, const struct observer_target *target)
{
    if (target->pid == 0) {
        let_go(s);
        s->available = AVAILABLE_NOT_APPLICABLE;
        s->instance = 0;
        return;
    }
    if (!is_same_list(s, target)) {
        take_list(s, target);
    }
    enum thread_wait waits[TARGET_THREADS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        count += look_at(s, i, &waits[count]) ? 1 : 0;
    }
    if (count > 0) {
        s->available = AVAILABLE_OK;
        s->looks++;
        s->seen[thread_wait_of_all(waits, count)]++;
    }
}

void syscalls_observe(struct syscalls *s, const struct observer_target *target,
                      struct observation *out)
{
    static const enum observer_metric metric[THREAD_WAIT_COUNT] = {
        [THREAD_WAIT_FSYNC] = OBSERVER_wait_fsync, [THREAD_WAIT_WRITE] = OBSERVER_wait_write,
        [THREAD_WAIT_SEND] = OBSERVER_wait_send,   [THREAD_WAIT_RUNNING] = OBSERVER_wait_running,
        [THREAD_WAIT_POLL] = OBSERVER_wait_poll,   [THREAD_WAIT_OTHER] = OBSERVER_wait_other,
    };
    bool is_ours = target->pid != 0 && s->instance == target->instance;
    enum availability available = is_ours ? s->available : AVAILABLE_NOT_APPLICABLE;
    if (available != AVAILABLE_OK) {
        observation_lacks(out, OBSERVER_wait_samples, available);
        for (size_t i = 0; i < THREAD_WAIT_COUNT; i++) {
            observation_lacks(out, metric[i], available);
        }
        return;
    }
    observation_set(out, OBSERVER_wait_samples, (double)s->looks);
    for (size_t i = 0; i < THREAD_WAIT_COUNT; i++) {
        observation_set(out, metric[i], (double)s->seen[i]);
    }
}
