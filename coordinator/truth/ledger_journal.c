/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/ledger_journal.h"

#include <assert.h>

#include "coordinator/truth/ledger_db.h"

/* One row, in the transaction; the statement is made for it: these rows are rare. */
static int insert(struct ledger *ledger, sqlite3_stmt *statement, const char *doing)
{
    int error = ledger_step(ledger, statement, doing);
    (void)sqlite3_finalize(statement);
    if (error < 0) {
        ledger_roll_back(ledger);
        return error;
    }
    ledger->pending++;
    return 0;
}

static int prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **out)
{
    int error = ledger_begin(ledger);
    return error == 0 ? ledger_prepare(ledger, sql, out) : error;
}

int ledger_note(struct ledger *ledger, const struct journal_entry *entry)
{
    enum { FIRST_TEXT = 7, BYTES = FIRST_TEXT + JOURNAL_TEXTS };
    static const char sql[] =
        "INSERT INTO journal VALUES (?1, (SELECT ifnull(max(rowid), 0) FROM event), ?2,"
        " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    assert(entry->kind < JOURNAL_KIND_COUNT && entry->size <= JOURNAL_BYTES_MAX);
    sqlite3_stmt *s = NULL;
    int error = prepare(ledger, sql, &s);
    if (error < 0) {
        return error;
    }
    (void)sqlite3_bind_int(s, 1, (int)entry->kind);
    (void)sqlite3_bind_int64(s, 2, entry->run_us);
    (void)sqlite3_bind_int64(s, 3, (sqlite3_int64)entry->a);
    (void)sqlite3_bind_int64(s, 4, (sqlite3_int64)entry->b);
    (void)sqlite3_bind_int64(s, 5, (sqlite3_int64)entry->c);
    (void)sqlite3_bind_int64(s, 6, (sqlite3_int64)entry->d);
    for (int i = 0; i < JOURNAL_TEXTS; i++) {
        (void)sqlite3_bind_text(s, FIRST_TEXT + i, entry->text[i], -1, SQLITE_TRANSIENT);
    }
    (void)sqlite3_bind_blob(s, BYTES, entry->bytes, (int)entry->size, SQLITE_TRANSIENT);
    return insert(ledger, s, "noting a decision");
}

int ledger_add_share(struct ledger *ledger, const struct ledger_share *share)
{
    sqlite3_stmt *s = NULL;
    int error = prepare(ledger, "INSERT INTO share VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &s);
    if (error < 0) {
        return error;
    }
    (void)sqlite3_bind_int64(s, 1, share->agent);
    (void)sqlite3_bind_int64(s, 2, (sqlite3_int64)share->epoch);
    (void)sqlite3_bind_int64(s, 3, share->relay);
    (void)sqlite3_bind_int64(s, 4, share->via);
    (void)sqlite3_bind_int64(s, 5, share->first_client);
    (void)sqlite3_bind_int64(s, 6, share->clients);
    return insert(ledger, s, "noting who plays what");
}

int ledger_set_fact(struct ledger *ledger, const char *name, const char *value)
{
    sqlite3_stmt *s = NULL;
    int error = prepare(ledger, "INSERT OR REPLACE INTO meta VALUES (?1, ?2)", &s);
    if (error < 0) {
        return error;
    }
    (void)sqlite3_bind_text(s, 1, name, -1, SQLITE_TRANSIENT);
    (void)sqlite3_bind_text(s, 2, value, -1, SQLITE_TRANSIENT);
    return insert(ledger, s, "noting a fact about the run");
}
