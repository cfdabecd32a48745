/* SPDX-License-Identifier: MIT */
/*
 * The server's threads as anybody may see them: CPU time, waiting for a CPU, switches, memory; how
 * often one was found waiting for a disk; and, for who may know, its writes. Edge. One thread.
 */
#pragma once

#include "agent/observer/parse/tally.h"
#include "agent/observer/target.h"
#include "proto/observation.h"

enum { THREADS_LOOKED_AT = 32 }; /* for their state, often: the first of many */

struct threads {
    uint64_t instance; /* whose figures these are */
    struct tally run_ns, wait_ns, voluntary, involuntary;
    int stat_fd[THREADS_LOOKED_AT]; /* of the thread at the same place in `thread` */
    pid_t thread[THREADS_LOOKED_AT];
    size_t count;
    uint64_t looks, looks_in_disk;
};

void threads_init(struct threads *t);
void threads_close(struct threads *t);
/* The state of each thread, 25 to 50 times a second. */
void threads_look(struct threads *t, const struct observer_target *target);
/* The metrics cpu_*, runqueue_*, switches_*, threads, rss, state_* and io_*. */
void threads_observe(struct threads *t, const struct observer_target *target,
                     struct observation *out);
