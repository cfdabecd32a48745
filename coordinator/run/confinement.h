/* SPDX-License-Identifier: MIT */
/*
 * What a coordinator does without. It needs no capability: as any user it binds unprivileged
 * ports, reads its keys and writes its run directory. Started by root it gives up what root has
 * beyond that. Edge. Errors are -errno with one sentence in `why`.
 */
#pragma once

#include <stdbool.h>

#include "common/attrs.h"

enum { CONFINEMENT_WHY_BYTES = 1400 };

/*
 * Drops every capability of this process. As root it keeps one of CAP_DAC_READ_SEARCH and
 * CAP_DAC_OVERRIDE, the lesser that does, when `run_dir` (to write) or `keys_dir` (to read; NULL:
 * none) lie where their owner lets nobody else in; that is logged. What it executes later is
 * not restricted by this: root's commands are root's. Call before any thread is started.
 */
NODISCARD int confinement_drop_capabilities(const char *run_dir, const char *keys_dir,
                                            char why[CONFINEMENT_WHY_BYTES]);
