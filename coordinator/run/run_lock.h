/* SPDX-License-Identifier: MIT */
/*
 * RUN/run.lock: a POSIX record lock that the coordinator holds while its run goes on, so
 * that `leaseherd stop` can ask the kernel, not a file's text, who plays the run. The
 * text in it (host, pid, start) is for people, and must name the one the kernel names: a
 * run's directory is another's to write, and a process that locks some other file, put or
 * linked there, is none to signal.
 *
 * POSIX locks belong to the process and go when *any* descriptor of the file is closed:
 * nobody else in the coordinator opens it. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attrs.h"

enum { RUN_LOCK_WHY_BYTES = 1400 };

/* Creates it and takes the lock. The descriptor to keep (closing it gives the lock back), or
 * -errno with one sentence in `why`. */
NODISCARD int run_lock_take(const char *run_dir, uint64_t wall_s, char why[RUN_LOCK_WHY_BYTES]);

/* The process that plays a run, held by a pidfd: its number cannot become somebody else's. */
struct run_owner {
    int lock_fd, pid_fd;
    pid_t pid;
};

/*
 * 0: `out` is the owner, run_owner_fini() it. -ENOENT: no run is there; -ESRCH: it is not
 * going on; -EREMOTE: locked by a process that cannot be seen from here (another host, another
 * PID namespace) or that the text does not name; -EINVAL: a link, or no file; else -errno.
 * `why`: one sentence in each of these cases.
 */
NODISCARD int run_owner_find(const char *run_dir, struct run_owner *out,
                             char why[RUN_LOCK_WHY_BYTES]);
void run_owner_fini(struct run_owner *owner);

/* 0 or -errno; -ESRCH: it has ended meanwhile. */
NODISCARD int run_owner_signal(const struct run_owner *owner, int signal_number);
/* True as soon as the owner has ended or the lock is not its any more, false when `timeout_ns` is
 * over. */
NODISCARD bool run_owner_wait(const struct run_owner *owner, uint64_t timeout_ns);
