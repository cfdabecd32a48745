/* SPDX-License-Identifier: MIT */
/*
 * The server's process as its sources see it, looked up once a second by process.h. A source
 * keeps what belongs to one `instance` and begins anew when it changes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TARGET_THREADS_MAX = 256, TARGET_NAME_BYTES = 64 };

enum target_program { TARGET_OTHER, TARGET_DHCPD, TARGET_KEA };

/* What the operator named, all of them optional: NULL is to be found from the process. */
struct observer_files {
    const char *log, *leases, *config, *kea_socket;
};

struct observer_target {
    pid_t pid;            /* 0: not running */
    uint64_t start_ticks; /* of /proc/PID/stat */
    uint64_t instance;    /* of pid and start: another value is another process; 0: not running */
    enum target_program program;
    char name[TARGET_NAME_BYTES]; /* its comm: "dhcpd" */
    /* Its network namespace is ours: netlink tells of it. Known without any privilege. */
    bool is_same_network;
    pid_t thread[TARGET_THREADS_MAX]; /* the first of them, the main one first */
    size_t thread_count;
    struct observer_files files;
};
