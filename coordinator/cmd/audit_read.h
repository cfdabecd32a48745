/* SPDX-License-Identifier: MIT */
/*
 * What `leaseherd audit` reads of a run: plan, ledger, log and report, then captures and lease
 * files, each given to the comparison it is for. Every function returns an exit code (CMD_PASS,
 * CMD_USAGE or CMD_INTERNAL) after saying on stderr why. Edge.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/audit/audit_books.h"
#include "coordinator/audit/audit_capture.h"
#include "coordinator/audit/audit_leases.h"
#include "coordinator/audit/audit_rows.h"
#include "coordinator/truth/ledger_journal.h"

struct audit {
    const char *run_dir;
    struct plan plan;
    struct audit_agent *agents;
    size_t agent_count;
    struct ledger_share *shares;
    size_t share_count;
    uint64_t resumed; /* how often another coordinator went on with the run */
    struct audit_rows rows;
    struct audit_leases leases;
    struct audit_notes notes;

    struct audit_capture capture;
    size_t capture_count;
    uint64_t leases_compared, log_lines;
    size_t lease_file_count;
    bool has_report;
};

NODISCARD int audit_read_run(const char *run_dir, struct audit *out);
NODISCARD int audit_read_log(struct audit *a);
NODISCARD int audit_read_captures(struct audit *a, const char *const *paths, size_t count);
NODISCARD int audit_read_leases(struct audit *a, const char *const *paths, size_t count);
void audit_free(struct audit *a);
