/* SPDX-License-Identifier: MIT */
/*
 * The agent's own directory: it is locked while the agent lives, so that two
 * agents never share one. Edge.
 */
#pragma once

#include "common/attrs.h"

enum { STATE_DIR_WHY_BYTES = 400 };

/*
 * Makes `path` with mode 0700 where it is missing and locks PATH/agent.lock.
 * Refuses a directory that others may enter. 0 or -errno with one sentence in
 * `why`; on success the descriptor in `out_fd` holds the lock until closed.
 */
NODISCARD int state_dir_lock(const char *path, int *out_fd, char why[STATE_DIR_WHY_BYTES]);
