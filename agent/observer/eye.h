/* SPDX-License-Identifier: MIT */
/*
 * Stage 2 of the observer: a program in the kernel that follows each DHCP message of the server
 * from the network into its memory and out again, and times its fsync() calls. It is
 * there when the build had clang, bpftool and libbpf (-DWITH_BPF=AUTO), and may be loaded with
 * CAP_BPF and CAP_PERFMON, which are needed by eye_open() only: afterwards its counts are read from
 * shared memory.
 *
 * Its metrics are the bpf_* ones. What it costs is the kernel's: some 0.1 us per system call of the
 * host, 1 us per message. Edge. One thread.
 */
#pragma once

#include <stdint.h>

#include "agent/observer/target.h"
#include "proto/observation.h"

enum { EYE_WHY_BYTES = 160 };

struct eye {
    void *program;               /* NULL: not loaded */
    enum availability available; /* why not */
    uint64_t instance;           /* that is followed */
    char why[EYE_WHY_BYTES];     /* one sentence when it could be had, and is not; "" */
};

void eye_open(struct eye *e);
void eye_close(struct eye *e);
/* Follows another process when the target is another. Every bpf_* metric, or why there is none. */
void eye_observe(struct eye *e, const struct observer_target *target, struct observation *out);
