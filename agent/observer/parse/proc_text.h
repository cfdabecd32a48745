/* SPDX-License-Identifier: MIT */
/* What procfs says of a process and its threads; see proc(5). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"

enum { PROC_COMM_BYTES = 64 };

/* Of /proc/PID/stat, and of /proc/PID/task/TID/stat. */
struct proc_stat {
    uint64_t pid;
    char comm[PROC_COMM_BYTES]; /* whatever the process calls itself; parentheses and spaces too */
    char state;                 /* 'R' 'S' 'D' 'Z' ... */
    uint64_t user_ticks, system_ticks;
    uint64_t start_ticks; /* since the host was booted */
    uint64_t resident_pages;
};

NODISCARD bool proc_parse_stat(const char *text, struct proc_stat *out);

/* Of .../schedstat: time on a CPU, and time runnable without one. */
NODISCARD bool proc_parse_schedstat(const char *text, uint64_t *out_run_ns, uint64_t *out_wait_ns);

/* "socket:[4711]" */
NODISCARD bool proc_parse_socket_link(const char *link, uint64_t *out_inode);
