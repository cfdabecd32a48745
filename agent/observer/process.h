/* SPDX-License-Identifier: MIT */
/*
 * Finds the server's process, by name or number, and notices that it has ended or was started
 * anew. Needs no privilege where /proc hides no processes. Edge. One thread.
 */
#pragma once

#include "agent/observer/target.h"
#include "common/attrs.h"

enum { PROCESS_WHY_BYTES = 200 };

struct process {
    char name[TARGET_NAME_BYTES]; /* "" when a number was given */
    pid_t wanted;                 /* 0 when a name was given */
    struct observer_target target;
    size_t namesakes; /* others of the same name in the same network, when it was found */
    char why[PROCESS_WHY_BYTES]; /* it is not running, or which one of several it is; "" */
};

/* `wanted`: "dhcpd", "kea-dhcp4" or a process id. False with one sentence. */
NODISCARD bool process_init(struct process *p, const char *wanted,
                            const struct observer_files *files, char why[PROCESS_WHY_BYTES]);
/* Brings `target` up to date: once a second. */
void process_look(struct process *p);
