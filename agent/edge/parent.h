/* SPDX-License-Identifier: MIT */
/*
 * An agent that `leaseherd run --local` has started ends with it, however that ends. The kernel
 * forgets who asked for this when a file with capabilities or a set-user-ID bit is executed, so
 * the agent asks once more. Edge. Call while there is one thread.
 */
#pragma once

#include <stdbool.h>

#include "common/attrs.h"

/* Set by the coordinator for its local agents only: its process id. */
#define PARENT_VARIABLE "LEASEHERD_PARENT"

/*
 * From now on this process is killed when its parent ends, if the variable was set, which
 * is then unset. False: the variable names somebody who is not (or no longer) the parent.
 */
NODISCARD bool parent_bind_life(void);
