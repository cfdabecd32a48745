/* SPDX-License-Identifier: MIT */
/*
 * The agent's own directory: it is locked while the agent lives, so that two
 * agents never share one, and it tells the next agent which processes were here
 * before. Their end is certain once the lock is held, which is what lets a restarted agent
 * take its predecessor's place at the coordinator at once. Edge.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum { STATE_DIR_WHY_BYTES = 400, STATE_DIR_FORMER_MAX = 8 };

struct state_dir {
    int dir_fd;  /* to open what is kept there */
    int lock_fd; /* holds the lock until closed */
    /* Epochs (struct control_hello) of the agents that had the lock before, newest last. */
    uint64_t former[STATE_DIR_FORMER_MAX];
    size_t former_count;
};

/*
 * Makes `path` with mode 0700 where it is missing and locks PATH/agent.lock.
 * Refuses a directory that others may enter. 0 or -errno with one sentence in
 * `why`; what was opened is the caller's to close.
 */
NODISCARD int state_dir_open(const char *path, struct state_dir *out,
                             char why[STATE_DIR_WHY_BYTES]);
void state_dir_close(struct state_dir *dir);

/* From now on this process's epoch is the newest in the directory. 0 or -errno. */
NODISCARD int state_dir_note_epoch(const struct state_dir *dir, uint64_t epoch);
