/* SPDX-License-Identifier: MIT */
/* What the files ledger*.c share; nobody else includes it. Edge. */
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
    sqlite3_stmt *insert_event, *insert_events, *save_stream, *begin, *commit, *rollback;
    bool is_in_transaction;
    size_t pending;
    struct ledger_stream stream[LEDGER_AGENTS_MAX];
    char why[LEDGER_WHY_BYTES];
};

/* Remembers what SQLite says about `doing` and returns it as -errno. */
int ledger_fail(struct ledger *ledger, const char *doing);
/* Runs SQL without results. */
NODISCARD int ledger_run(struct ledger *ledger, const char *doing, const char *sql);

NODISCARD int ledger_prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **out);
/* The statements of `struct ledger`. */
NODISCARD int ledger_prepare_all(struct ledger *ledger);
NODISCARD int ledger_choose_journal(struct ledger *ledger);
/* Steps a statement without results, and resets it. */
NODISCARD int ledger_step(struct ledger *ledger, sqlite3_stmt *statement, const char *doing);
/* A transaction, where none is open. */
NODISCARD int ledger_begin(struct ledger *ledger);
/* What was appended since the last commit is forgotten, here as in the file. */
void ledger_roll_back(struct ledger *ledger);

/* The file is a ledger of this version and nothing in it can harm; its streams are read. */
NODISCARD int ledger_check(struct ledger *ledger);
NODISCARD int ledger_check_is_file(const char *path);

/* Columns in the order of ledger_read_event(). */
#define LEDGER_SELECT_EVENTS                                                                       \
    "SELECT agent, t_us, client, kind, result, stage, flags, tries, xid, addr, server, lease_s,"   \
    " offer_us, took_us, wait_us, rowid FROM event ORDER BY rowid"
enum { LEDGER_EVENT_COLUMNS = 15 }; /* before the rowid */
void ledger_read_event(sqlite3_stmt *s, struct event *out);

/* The agents' clocks as the run saw them (ledger_clock.c). */
struct ledger_clocks;
NODISCARD int ledger_clocks_load(struct ledger *ledger, struct ledger_clocks **out);
void ledger_clocks_free(struct ledger_clocks *clocks); /* NULL is fine */
/* On the line between the samples around it; without samples the agent's own time. */
int64_t ledger_clocks_run_us(const struct ledger_clocks *clocks, uint32_t agent, uint64_t t_us);
/* How wrong that can be: the worst that any sample said. */
uint64_t ledger_clocks_uncertainty_us(const struct ledger_clocks *clocks, uint32_t agent);
