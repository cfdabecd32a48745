/* SPDX-License-Identifier: MIT */
#include "agent/edge/host_name.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void host_name_clean(char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "._-";
    for (char *c = name; (c += strspn(c, allowed))[0] != '\0';) {
        *c = '-';
    }
}

void host_name_ask(char out[PLAN_NAME_BYTES])
{
    memset(out, 0, PLAN_NAME_BYTES);
    if (gethostname(out, PLAN_NAME_BYTES - 1) < 0 || out[0] == '\0') {
        (void)snprintf(out, PLAN_NAME_BYTES, "unknown");
    }
    host_name_clean(out);
}
