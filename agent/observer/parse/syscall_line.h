/* SPDX-License-Identifier: MIT */
/* A line of /proc/P/task/T/syscall, and what a look at all threads of a server
 * amounts to. Pure. */
#pragma once

#include <stddef.h>

/* In the order of what counts when threads do different things. */
enum thread_wait {
    THREAD_WAIT_FSYNC,
    THREAD_WAIT_WRITE,
    THREAD_WAIT_SEND,
    THREAD_WAIT_RUNNING,
    THREAD_WAIT_OTHER, /* and a line that says something else */
    THREAD_WAIT_POLL,  /* for something to do: poll, select, epoll, futex, sleep,
                          receive */
    THREAD_WAIT_COUNT
};

enum thread_wait thread_wait_of_line(const char *line, size_t size);
/* The first of these that a thread is in: poll only when all of them wait for
 * something to do. */
enum thread_wait thread_wait_of_all(const enum thread_wait *of, size_t count);
