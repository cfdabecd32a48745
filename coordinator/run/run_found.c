/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_found.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/attrs.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/truth/ledger_journal.h"

static bool has_file(const char *run_dir, const char *name)
{
    char path[RUN_DIR_PATH_BYTES];
    return access(run_dir_path(run_dir, name, path), F_OK) == 0;
}

static bool skip_event(void *context, uint32_t agent, const struct event *event, int64_t run_us,
                       uint64_t uncertainty_us)
{
    (void)context;
    (void)agent;
    (void)event;
    (void)run_us;
    (void)uncertainty_us;
    return true;
}

static bool take_entry(void *context, const struct journal_entry *entry)
{
    bool *has_begun = context;
    *has_begun = entry->kind == JOURNAL_STAGE_BEGIN;
    return !*has_begun; /* all that comes then needs no look */
}

static enum run_found look_into_ledger(const char *run_dir)
{
    char path[RUN_DIR_PATH_BYTES];
    struct ledger *ledger = NULL;
    bool has_begun = false;
    const struct ledger_replay replay = {&has_begun, skip_event, take_entry};
    int rc = ledger_open(run_dir_path(run_dir, "ledger.db", path), &ledger);
    if (rc == -ENOENT) {
        return RUN_FOUND_UNBEGUN;
    }
    if (rc == 0) {
        rc = ledger_replay(ledger, &replay);
        ledger_close(ledger);
    }
    if (has_begun) {
        return RUN_FOUND_CUT_OFF;
    }
    return rc == 0 ? RUN_FOUND_UNBEGUN : RUN_FOUND_UNKNOWN;
}

enum run_found run_found(const char *run_dir)
{
    static const char *const marks[] = {"scenario.yaml", "plan.bin", "coordinator.log", "ledger.db",
                                        "report.json"};
    bool is_run = false;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        is_run = is_run || has_file(run_dir, marks[i]);
    }
    if (!is_run) {
        return RUN_FOUND_NONE;
    }
    return has_file(run_dir, "report.json") ? RUN_FOUND_REPORTED : look_into_ledger(run_dir);
}
