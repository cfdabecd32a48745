/* SPDX-License-Identifier: MIT */
/*
 * What a coordinator does without. It needs no capability: as any user it binds unprivileged
 * ports, reads its keys and writes its run directory. Started by root it gives up what root has
 * beyond that. Edge. Errors are -errno with one sentence in `why`.
 */
#pragma once

#include <stdbool.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"

enum { CONFINEMENT_WHY_BYTES = 1400 };

/*
 * Drops every capability of this process. As root it keeps one of CAP_DAC_READ_SEARCH and
 * CAP_DAC_OVERRIDE, the lesser that does, when `run_dir` (to write) or `keys_dir` (to read; NULL:
 * none) lie where their owner lets nobody else in; that is logged. What it executes later is
 * not restricted by this: root's commands are root's. Call before any thread is started.
 */
NODISCARD int confinement_drop_capabilities(const char *run_dir, const char *keys_dir,
                                            char why[CONFINEMENT_WHY_BYTES]);

/*
 * The same for a clean-up in `run_dir`, which goes on to read the lease files of servers, private
 * ones too: root keeps CAP_DAC_READ_SEARCH and nothing else, or instead CAP_DAC_OVERRIDE when
 * `run_dir` or a control socket that `books` names is not root's to write; that is logged.
 * With local agents a user other than root keeps what it has, as they need it.
 */
NODISCARD int confinement_keep_reading(const char *run_dir, const struct scenario *books,
                                       bool is_local, char why[CONFINEMENT_WHY_BYTES]);
