/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/ledger_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/plan.h"

struct walk {
    struct ledger *ledger;
    sqlite3_stmt *select;
    char (*name)[PLAN_NAME_BYTES];
    struct ledger_clocks *clocks;
};

static int check_is_ours(struct ledger *ledger)
{
    int application_id = 0, version = 0;
    sqlite3_stmt *s = NULL;
    const char *sql = "SELECT a.application_id, v.user_version FROM pragma_application_id a,"
                      " pragma_user_version v";
    if (sqlite3_prepare_v2(ledger->db, sql, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        int error = ledger_fail(ledger, "reading its version");
        (void)sqlite3_finalize(s);
        return error;
    }
    application_id = sqlite3_column_int(s, 0);
    version = sqlite3_column_int(s, 1);
    (void)sqlite3_finalize(s);
    if (application_id != LEDGER_APPLICATION_ID) {
        return -EBADMSG;
    }
    return version == LEDGER_SCHEMA_VERSION ? 0 : -EPROTONOSUPPORT;
}

/*
 * A ledger may come from anybody: in place of a table it could hold a view that never ends, a
 * module's table, triggers, or columns computed at every row. `readable`, a view for people, is not
 * read.
 */
static int distrust_schema(struct ledger *ledger)
{
    enum { VALUE_BYTES_MAX = 1000000 };
    sqlite3 *db = ledger->db;
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    if (sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL) != SQLITE_OK) {
        return ledger_fail(ledger, "guarding against its schema");
    }
    return 0;
}

static int check_tables(struct ledger *ledger)
{
    enum { TABLES = 9 };
    static const char sql[] =
        "SELECT count(*) FROM sqlite_master AS m"
        " WHERE m.name COLLATE NOCASE IN ('meta', 'agent', 'stream', 'clock',"
        " 'event', 'share', 'journal', 'final_counter', 'final_server')"
        " AND m.type = 'table' AND m.rootpage > 0 AND m.sql LIKE 'CREATE TABLE %'"
        " AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(m.name) WHERE hidden <> 0)";
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(ledger->db, sql, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW) {
        int error = ledger_fail(ledger, "reading its schema");
        (void)sqlite3_finalize(s);
        return error;
    }
    int count = sqlite3_column_int(s, 0);
    (void)sqlite3_finalize(s);
    return count == TABLES ? 0 : -EBADMSG;
}

static int read_streams(struct ledger *ledger)
{
    sqlite3_stmt *s = NULL;
    const char *sql = "SELECT agent, committed_seq, events, duplicates FROM stream";
    if (sqlite3_prepare_v2(ledger->db, sql, -1, &s, NULL) != SQLITE_OK) {
        return ledger_fail(ledger, "reading its streams");
    }
    while (sqlite3_step(s) == SQLITE_ROW) {
        sqlite3_int64 agent = sqlite3_column_int64(s, 0);
        if (agent < 0 || agent >= LEDGER_AGENTS_MAX) {
            continue;
        }
        struct ledger_stream *stream = &ledger->stream[agent];
        stream->is_known = true;
        stream->committed_seq = stream->appended_seq = (uint64_t)sqlite3_column_int64(s, 1);
        stream->committed_events = stream->appended_events = (uint64_t)sqlite3_column_int64(s, 2);
        stream->duplicates_dropped = (uint64_t)sqlite3_column_int64(s, 3);
    }
    return sqlite3_finalize(s) == SQLITE_OK ? 0 : ledger_fail(ledger, "reading its streams");
}

int ledger_check(struct ledger *ledger)
{
    int error = distrust_schema(ledger);
    if (error == 0) {
        error = check_is_ours(ledger);
    }
    if (error == 0) {
        error = check_tables(ledger);
    }
    return error == 0 ? read_streams(ledger) : error;
}

/* SQLite would wait for ever for somebody to write a FIFO. */
int ledger_check_is_file(const char *path)
{
    struct stat about;
    if (lstat(path, &about) < 0) { /* nor would a link be this run's */
        return -errno;
    }
    return S_ISREG(about.st_mode) ? 0 : -EBADMSG;
}

int ledger_open(const char *path, struct ledger **out)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        return -ENOMEM;
    }
    int error = ledger_check_is_file(path);
    if (error == 0 && sqlite3_open_v2(path, &ledger->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                                      NULL) != SQLITE_OK) {
        error = ledger->db == NULL ? -ENOMEM : ledger_fail(ledger, "opening it");
    }
    if (error == 0) {
        error = ledger_check(ledger);
    }
    if (error < 0) {
        ledger_close(ledger);
        return error;
    }
    *out = ledger;
    return 0;
}

static int load_names(struct walk *walk)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(walk->ledger->db, "SELECT agent, name FROM agent", -1, &s, NULL) !=
        SQLITE_OK) {
        return ledger_fail(walk->ledger, "reading its agents");
    }
    while (sqlite3_step(s) == SQLITE_ROW) {
        sqlite3_int64 agent = sqlite3_column_int64(s, 0);
        const unsigned char *name = sqlite3_column_text(s, 1);
        if (agent >= 0 && agent < LEDGER_AGENTS_MAX && name != NULL) {
            (void)snprintf(walk->name[agent], PLAN_NAME_BYTES, "%s", (const char *)name);
        }
    }
    return sqlite3_finalize(s) == SQLITE_OK ? 0 : ledger_fail(walk->ledger, "reading its agents");
}

void ledger_read_event(sqlite3_stmt *s, struct event *out)
{
    out->t_us = (uint64_t)sqlite3_column_int64(s, 1);
    out->client = (uint32_t)sqlite3_column_int64(s, 2);
    out->kind = (uint8_t)sqlite3_column_int(s, 3);
    out->result = (uint8_t)sqlite3_column_int(s, 4);
    out->stage = (uint8_t)sqlite3_column_int(s, 5);
    out->flags = (uint16_t)sqlite3_column_int(s, 6);
    out->tries = (uint16_t)sqlite3_column_int(s, 7);
    out->xid = (uint32_t)sqlite3_column_int64(s, 8);
    out->addr = inet_from_host((uint32_t)sqlite3_column_int64(s, 9));
    out->server = inet_from_host((uint32_t)sqlite3_column_int64(s, 10));
    out->lease_s = (uint32_t)sqlite3_column_int64(s, 11);
    out->offer_us = (uint32_t)sqlite3_column_int64(s, 12);
    out->took_us = (uint32_t)sqlite3_column_int64(s, 13);
    out->wait_us = (uint32_t)sqlite3_column_int64(s, 14);
}

static int walk_events(struct walk *walk, ledger_visit *visit, void *context)
{
    int error = ledger_prepare(walk->ledger, LEDGER_SELECT_EVENTS, &walk->select);
    if (error < 0) {
        return error;
    }
    bool goes_on = true;
    int code = SQLITE_ROW;
    while (goes_on && (code = sqlite3_step(walk->select)) == SQLITE_ROW) {
        sqlite3_int64 agent = sqlite3_column_int64(walk->select, 0);
        if (agent < 0 || agent >= LEDGER_AGENTS_MAX) {
            return -EBADMSG;
        }
        struct event e;
        ledger_read_event(walk->select, &e);
        goes_on = visit(context, walk->name[agent], &e,
                        ledger_clocks_run_us(walk->clocks, (uint32_t)agent, e.t_us));
    }
    return !goes_on || code == SQLITE_DONE ? 0 : ledger_fail(walk->ledger, "reading its events");
}

int ledger_walk(struct ledger *ledger, ledger_visit *visit, void *context)
{
    struct walk walk = {.ledger = ledger};
    walk.name = calloc(LEDGER_AGENTS_MAX, sizeof(*walk.name));
    int error = walk.name == NULL ? -ENOMEM : load_names(&walk);
    if (error == 0) {
        error = ledger_clocks_load(ledger, &walk.clocks);
    }
    if (error == 0) {
        error = walk_events(&walk, visit, context);
    }
    (void)sqlite3_finalize(walk.select);
    ledger_clocks_free(walk.clocks);
    free(walk.name);
    return error;
}
