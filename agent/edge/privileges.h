/* SPDX-License-Identifier: MIT */
/*
 * What the agent may do on its host once it is up: bind ports below 1024, and
 * nothing else that root may; and what an observer may: look. Edge. Call before any thread is
 * started: capabilities belong to threads.
 */
#pragma once

#include <stddef.h>

#include "common/attrs.h"

enum { PRIVILEGES_WHY_BYTES = 300 };

/*
 * Reduces the permitted, effective, inheritable, ambient and bounding sets to
 * CAP_NET_BIND_SERVICE, forbids new privileges, core dumps and being traced by
 * equals, and lifts the limit of open files to what is allowed. 0 or -errno
 * with one sentence in `why`; -EPERM also when ports 67 and 68 are out of reach.
 */
NODISCARD int privileges_reduce(char why[PRIVILEGES_WHY_BYTES]);

/*
 * Once all that is read at the start has been read: from now on only the system calls of an
 * agent (common/confine.h), and only the files that finding names takes, this program's own
 * libraries, and the state directory (-1: none). 0 or -errno. Where the kernel has no Landlock or
 * no filters, what the user's rights allow stays allowed, which is logged.
 */
NODISCARD int privileges_confine(int state_dir_fd, char why[PRIVILEGES_WHY_BYTES]);

/*
 * The same for an observer: of CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and CAP_NET_ADMIN those it has.
 * Needs none of them.
 */
NODISCARD int privileges_reduce_observer(char why[PRIVILEGES_WHY_BYTES]);

/*
 * From now on only the system calls of an observer, which can open files to read them only. Not
 * fenced off by Landlock: who is may not look at processes outside its fence, whatever its
 * capabilities, so neither /proc/PID/fd nor /proc/PID/syscall of the server could be read.
 */
NODISCARD int privileges_confine_observer(char why[PRIVILEGES_WHY_BYTES]);
