/* SPDX-License-Identifier: MIT */
/* What ledger.c and ledger_read.c share; nobody else includes it. Edge. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/truth/ledger.h"

enum { LEDGER_APPLICATION_ID = 0x4c656832 /* "Leh2" */, LEDGER_WHY_BYTES = 320 };

struct ledger_stream {
    bool is_known;
    uint64_t committed_seq, committed_events;
    uint64_t appended_seq, appended_events; /* with the open transaction */
    uint64_t duplicates_dropped;
    bool is_dirty; /* its row in `stream` is behind */
};

struct ledger {
    sqlite3 *db;
    sqlite3_stmt *insert_event, *save_stream, *begin, *commit, *rollback;
    bool is_in_transaction;
    size_t pending;
    struct ledger_stream stream[LEDGER_AGENTS_MAX];
    char why[LEDGER_WHY_BYTES];
};

/* Remembers what SQLite says about `doing` and returns it as -errno. */
int ledger_fail(struct ledger *ledger, const char *doing);
/* Runs SQL without results. */
NODISCARD int ledger_run(struct ledger *ledger, const char *doing, const char *sql);
