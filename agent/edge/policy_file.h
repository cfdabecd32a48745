/* SPDX-License-Identifier: MIT */
/*
 * Reads the policy, and refuses a file that others could have written: it must
 * be a regular file of root or of us, no link, writable by neither group nor others.
 * Edge.
 */
#pragma once

#include <stdbool.h>

#include "agent/policy.h"
#include "common/attrs.h"
#include "common/diag.h"

enum { POLICY_FILE_BYTES_MAX = 1024 * 1024 };

/* Every problem goes to `why`; false if there is any. On success free with policy_free(). */
NODISCARD bool policy_file_read(const char *path, struct policy *out, struct diag *why);
