/* SPDX-License-Identifier: MIT */
/* `leaseherd keys operator NAME`: the pair whose signature agents obey. Edge. */
#pragma once

#include "common/attrs.h"

/*
 * Makes DIR/operator-NAME.key and .pub (and DIR), and prints the lines for the agents'
 * policies. The name is valid. Returns the exit code, after one sentence on failure.
 */
NODISCARD int keys_operator(const char *dir, const char *name);
