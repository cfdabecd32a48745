/* SPDX-License-Identifier: MIT */
/*
 * `clients: {identity: "returning RUN"}`: the clients of an earlier run come back, so that the
 * servers know them. Who they are is in that run's plan.bin.
 *
 * Edge (it reads that file). What it reads is data: nothing of it is run or trusted beyond
 * plan_decode().
 */
#pragma once

#include <stdbool.h>

#include "common/attrs.h"
#include "proto/plan.h"

enum { RETURNING_WHY_BYTES = 700 };

/* The plan of the run in `run_dir`; plan_free() it. False with one sentence in `why`. */
NODISCARD bool returning_read(const char *run_dir, struct plan *out, char why[RETURNING_WHY_BYTES]);

/*
 * Gives `plan` the identities of the run in `run_dir`. False, with one sentence in `why` and
 * `plan` as it was: that is no run, or a client would come back as somebody else.
 */
NODISCARD bool returning_apply(const char *run_dir, struct plan *plan,
                               char why[RETURNING_WHY_BYTES]);
