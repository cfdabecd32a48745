/* SPDX-License-Identifier: MIT */
/*
 * The written reports. Each writes the whole of a result onto a stream the
 * caller opened; 0 or -errno (-ENOSPC kept). Pure but for the stream.
 */
#pragma once

#include <stdio.h>

#include "common/attrs.h"
#include "coordinator/report/result.h"

/* report.json: schema leaseherd.report/1, keys in a fixed order. */
NODISCARD int report_write_json(const struct result *r, FILE *out);
/* report.txt: what an administrator reads, the verdict and its reasons first. */
NODISCARD int report_write_text(const struct result *r, FILE *out);
