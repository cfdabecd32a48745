/* SPDX-License-Identifier: MIT */
/*
 * Where the server's threads are, by looking often: /proc/P/task/T/syscall.
 * Needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH for the process of another user.
 * Edge. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/observer/parse/syscall_line.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

struct syscalls {
    int fd[TARGET_THREADS_MAX]; /* of the thread at the same place in `thread` */
    pid_t thread[TARGET_THREADS_MAX];
    size_t count;
    uint64_t instance;           /* whose threads these are */
    enum availability available; /* as the last look found it */
    uint64_t looks, seen[THREAD_WAIT_COUNT];
};

void syscalls_open(struct syscalls *s);
void syscalls_close(struct syscalls *s);
/* One look at all threads; the target's list of them is taken over when it has
 * changed. */
void syscalls_look(struct syscalls *s, const struct observer_target *target);
/* The metrics wait_*. */
void syscalls_observe(struct syscalls *s, const struct observer_target *target,
                      struct observation *out);
