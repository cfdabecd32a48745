/* SPDX-License-Identifier: MIT */
#include "agent/edge/parent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

bool parent_bind_life(void)
{
    char parent[32];
    const char *said = getenv(PARENT_VARIABLE);
    if (said == NULL) {
        return true;
    }
    /* In this order: a parent that ends after the question is told by the signal. */
    bool is_bound = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    (void)snprintf(parent, sizeof(parent), "%ld", (long)getppid());
    is_bound = is_bound && strcmp(said, parent) == 0;
    (void)unsetenv(PARENT_VARIABLE);
    return is_bound;
}
