/* SPDX-License-Identifier: MIT */
/*
 * What a process gives up of its own will before it listens to others, and can never take back:
 * new privileges, system calls it has no use for, files it has no business with.
 * Edge, Linux: seccomp(2) by libseccomp, landlock(7). Errors are -errno with one
 * sentence in `why`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/attrs.h"

enum { CONFINE_WHY_BYTES = 300, CONFINE_PATHS_MAX = 24 };

enum confine_role {
    CONFINE_AGENT,       /* calls out, never listens; starts threads, never processes */
    CONFINE_COORDINATOR, /* listens; ends the processes it has started, starts no more */
    CONFINE_OBSERVER     /* calls out; opens files to read them, makes, changes and removes none */
};

/*
 * From now on every thread of this process, and every child, may only make the system calls of
 * its role; any other fails with EPERM. Sets no_new_privs. Nothing is executed any more,
 * no process is started, no socket is raw, AF_PACKET or netlink other than NETLINK_ROUTE.
 * -ENOTSUP where there are no such filters, as under valgrind: no_new_privs is set all the same.
 * May be called with threads running; later calls change nothing. A build with
 * sanitizers allows what those need.
 */
NODISCARD int confine_system_calls(enum confine_role role, char why[CONFINE_WHY_BYTES]);

/* A file, or a directory with all below it. One that is not there grants nothing. */
struct confine_path {
    const char *path;
    bool may_write; /* and create and remove; else read only */
};

/*
 * From now on the calling thread, and threads and children it starts, open files below these
 * `count` paths only (at most CONFINE_PATHS_MAX); descriptors that are open stay. Sets
 * no_new_privs. -ENOTSUP where the kernel has no Landlock: nothing is changed then.
 */
NODISCARD int confine_files(const struct confine_path *paths, size_t count,
                            char why[CONFINE_WHY_BYTES]);
