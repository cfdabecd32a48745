/* SPDX-License-Identifier: MIT */
/* How much room a run wants in its directory, and what to say when there is less. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/log.h"
#include "coordinator/plan/forecast.h"
#include "coordinator/run/run_internal.h"

enum {
    EVENT_BYTES = 65,       /* a row of the ledger; tests/bench/run watches it */
    EVENT_INDEX_BYTES = 25, /* and its place in the index made at the end */
    /* SQLite's journal, which is written back at 4,000 pages; report, logs, and what rounds up. */
    BESIDE_LEDGER_BYTES = 24 * 1024 * 1024,
    /* With less a write of the ledger may well have failed for want of it. */
    FULL_BYTES = 256 * 1024
};

/* Of the events that the scenario lets expect and that have not come; at least what is beside. */
static uint64_t needed_bytes(const struct run *run)
{
    static struct forecast forecast; /* too large for a stack */
    uint64_t expected = 0, committed = 0;
    forecast_make(run->scenario, &forecast);
    for (size_t i = 0; i < forecast.stage_count; i++) {
        expected += forecast.stage[i].exchanges;
    }
    expected += forecast.clients; /* their RELEASEs */
    for (size_t i = 0; run->ledger != NULL && i < run->roster.count; i++) {
        committed += ledger_totals(run->ledger, (uint32_t)i).events;
    }
    uint64_t coming = expected > committed ? expected - committed : 0;
    return BESIDE_LEDGER_BYTES + coming * EVENT_BYTES + (coming + committed) * EVENT_INDEX_BYTES;
}

/* For this user; -errno. */
static int free_bytes(const struct run *run, uint64_t *out)
{
    struct statvfs fs;
    if (statvfs(run->dir, &fs) < 0) {
        return -errno;
    }
    *out = (uint64_t)fs.f_bavail * fs.f_frsize;
    return 0;
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

void run_space_warn(struct run *run)
{
    uint64_t there = 0, needed = needed_bytes(run);
    if (free_bytes(run, &there) < 0 || there >= needed) {
        return;
    }
    char text[RUN_DIR_PATH_BYTES + 300];
    (void)snprintf(text, sizeof(text),
                   "%s has %.0f MiB free and this run may need %.0f; where it runs full the run is "
                   "stopped: make room, or choose another --run-dir",
                   run->dir, mib(there), mib(needed));
    log_warn("what=little_space free_bytes=%llu needed_bytes=%llu", (unsigned long long)there,
             (unsigned long long)needed);
    run_say(run, text);
}

void run_space_explain(const struct run *run, char *out, size_t size)
{
    uint64_t there = 0;
    if (free_bytes(run, &there) == 0 && there < FULL_BYTES) {
        (void)snprintf(out, size,
                       "the file system of %.120s is full, this run needs about %llu bytes more; "
                       "stopping: what was acknowledged is in its ledger.db. Make room, then "
                       "leaseherd cleanup gives back what leases are left",
                       run->dir, (unsigned long long)needed_bytes(run));
    } else {
        (void)snprintf(
            out, size,
            "stopping: what was acknowledged is in ledger.db of %.120s. Look at that file "
            "system (mount, dmesg), then leaseherd cleanup gives back what leases are left",
            run->dir);
    }
}
