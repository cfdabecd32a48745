/* SPDX-License-Identifier: MIT */
/* What `leaseherd cleanup` tells: on the terminal, in RUN/cleanup.txt and RUN/cleanup.json. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/truth/leases_left.h"

void cleanup_report_before(FILE *to, const struct leases_left *left,
                           const struct left_tally *before);

struct cleanup_told {
    const struct scenario *scenario;
    const struct leases_left *left;
    const struct left_tally *before;
    bool is_more_possible; /* leases that neither the ledger nor a book knows */
};

/* Both files, and the text on stdout. 0 or -errno. */
NODISCARD int cleanup_report_write(const char *run_dir, const struct cleanup_told *told);
