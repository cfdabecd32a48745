/* SPDX-License-Identifier: MIT */
/* All that an observer looks at, as one. Edge. One thread. */
#pragma once

#include "agent/observer/disk.h"
#include "agent/observer/eye.h"
#include "agent/observer/process.h"
#include "agent/observer/sockets.h"
#include "agent/observer/stage1.h"
#include "agent/observer/threads.h"
#include "proto/observation.h"

struct sources {
    struct process process;
    struct threads threads;
    struct sockets sockets;
    struct disk disk;
    struct stage1 stage1;
    struct eye eye;
    uint64_t seq;            /* of the latest observation */
    uint64_t looks, late_us; /* and by how much these came too late, in all */
};

/* Once, before privileges are given up and before there are threads. False with one sentence. */
NODISCARD bool sources_open(struct sources *s, const char *wanted,
                            const struct observer_files *files, char why[PROCESS_WHY_BYTES]);
void sources_close(struct sources *s);

/* Where the server's threads are; `due_ns`: when that should have been looked at. */
void sources_look(struct sources *s, uint64_t due_ns, uint64_t now_ns);

/* Once a second. Every metric gets a value, or why it has none. */
void sources_observe(struct sources *s, uint64_t now_ns, struct observation *out);
