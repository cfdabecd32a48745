/* SPDX-License-Identifier: MIT */
/* The parts of `leaseherd testbed` that touch the world. Private to coordinator/cmd/testbed*.c.
 * Edge. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan/testbed.h"
#include "coordinator/plan/testbed_verdict.h"

enum { TESTBED_HOSTS_MAX = 64 };

/*
 * Runs the script on every target at a time (ssh; none: here), as root or by sudo -n, and prints
 * what it said. Returns the exit code of the command.
 */
int testbed_run(const char *script, const char *const *targets, size_t target_count,
                const char *ssh_config, uint64_t limit_ns);

/*
 * Sends a few packets for the relays this host carries, and prints what came back; *out_has_tried
 * is false where it carries none, or the ports cannot be had, which is said. True: the path works.
 */
bool testbed_try(const struct scenario *s, enum scenario_path wanted, bool *out_has_tried);
