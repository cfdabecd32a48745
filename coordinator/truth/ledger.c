/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/ledger_db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Rows are inserted in the order the batches came, without any index: an index
 * on (agent, seq) would cost more than all the rest. Addresses are in host order.
 */
static const char create_tables[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "CREATE TABLE agent (agent INTEGER PRIMARY KEY, name TEXT NOT NULL, epoch INTEGER NOT NULL);"
    "CREATE TABLE stream (agent INTEGER PRIMARY KEY, committed_seq INTEGER NOT NULL,"
    " events INTEGER NOT NULL, duplicates INTEGER NOT NULL);"
    "CREATE TABLE clock (agent INTEGER NOT NULL, agent_us INTEGER NOT NULL,"
    " offset_us INTEGER NOT NULL, uncertainty_us INTEGER NOT NULL);"
    "CREATE TABLE event (agent INTEGER, t_us INTEGER, client INTEGER, kind INTEGER,"
    " result INTEGER, stage INTEGER, flags INTEGER, tries INTEGER, xid INTEGER, addr INTEGER,"
    " server INTEGER, lease_s INTEGER, offer_us INTEGER, took_us INTEGER, wait_us INTEGER);"
    "CREATE TABLE share (agent INTEGER NOT NULL, epoch INTEGER NOT NULL, relay INTEGER NOT NULL,"
    " via INTEGER NOT NULL, first_client INTEGER NOT NULL, clients INTEGER NOT NULL);"
    "CREATE TABLE journal (kind INTEGER NOT NULL, events INTEGER NOT NULL, run_us INTEGER NOT NULL,"
    " a INTEGER, b INTEGER, c INTEGER, d INTEGER,"
    " t0 TEXT, t1 TEXT, t2 TEXT, t3 TEXT, t4 TEXT, bytes BLOB);"
    "CREATE TABLE final_counter (agent INTEGER NOT NULL, name TEXT NOT NULL,"
    " value INTEGER NOT NULL, PRIMARY KEY (agent, name)) WITHOUT ROWID;"
    "CREATE TABLE final_server (agent INTEGER NOT NULL, server INTEGER NOT NULL,"
    " offers INTEGER NOT NULL, acks INTEGER NOT NULL, naks INTEGER NOT NULL,"
    " PRIMARY KEY (agent, server)) WITHOUT ROWID;";

/* Beginning and ending a statement costs a third of a row: events are inserted so many at a time.
 */
enum { EVENT_COLUMNS = 15, EVENTS_AT_ONCE = 16, INSERT_BYTES = 64 + EVENTS_AT_ONCE * 64 };

static const char save_stream[] = "INSERT INTO stream VALUES (?1,?2,?3,?4) ON CONFLICT (agent) DO"
                                  " UPDATE SET committed_seq=?2, events=?3, duplicates=?4";

static int errno_of(sqlite3 *db)
{
    switch (sqlite3_errcode(db)) {
    case SQLITE_OK:
        return 0;
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_READONLY:
        return EROFS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    case SQLITE_PERM:
        return EACCES;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return EBADMSG;
    case SQLITE_CANTOPEN:
        return sqlite3_system_errno(db) != 0 ? sqlite3_system_errno(db) : ENOENT;
    default:
        /* SQLITE_IOERR with its many kinds: the kernel's own word where there is one. */
        return sqlite3_system_errno(db) != 0 ? sqlite3_system_errno(db) : EIO;
    }
}

int ledger_fail(struct ledger *ledger, const char *doing)
{
    int error = errno_of(ledger->db);
    error = error == 0 ? EIO : error;
    (void)snprintf(ledger->why, sizeof(ledger->why), "ledger: %s failed: %s (%s)", doing,
                   sqlite3_errmsg(ledger->db), strerror(error));
    return -error;
}

int ledger_run(struct ledger *ledger, const char *doing, const char *sql)
{
    if (sqlite3_exec(ledger->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return ledger_fail(ledger, doing);
    }
    return 0;
}

int ledger_prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **out)
{
    if (sqlite3_prepare_v3(ledger->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) !=
        SQLITE_OK) {
        return ledger_fail(ledger, "preparing a statement");
    }
    return 0;
}

static void put_insert(char out[INSERT_BYTES], int rows)
{
    int at = snprintf(out, INSERT_BYTES, "INSERT INTO event VALUES ");
    for (int row = 0; row < rows; row++) {
        at += snprintf(out + at, (size_t)(INSERT_BYTES - at), row == 0 ? "(?" : ",(?");
        for (int column = 1; column < EVENT_COLUMNS; column++) {
            at += snprintf(out + at, (size_t)(INSERT_BYTES - at), ",?");
        }
        at += snprintf(out + at, (size_t)(INSERT_BYTES - at), ")");
    }
    assert(at < INSERT_BYTES);
}

int ledger_prepare_all(struct ledger *ledger)
{
    char insert_one[INSERT_BYTES], insert_many[INSERT_BYTES];
    put_insert(insert_one, 1);
    put_insert(insert_many, EVENTS_AT_ONCE);
    const struct {
        const char *sql;
        sqlite3_stmt **out;
    } statements[] = {{insert_one, &ledger->insert_event}, {insert_many, &ledger->insert_events},
                      {save_stream, &ledger->save_stream}, {"BEGIN IMMEDIATE", &ledger->begin},
                      {"COMMIT", &ledger->commit},         {"ROLLBACK", &ledger->rollback}};
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        int error = ledger_prepare(ledger, statements[i].sql, statements[i].out);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

int ledger_choose_journal(struct ledger *ledger)
{
    return ledger_run(ledger, "choosing the journal",
                      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                      "PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY;");
}

static int set_up_tables(struct ledger *ledger, const char *run_name)
{
    char sql[256];
    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                   (int)LEDGER_APPLICATION_ID, (int)LEDGER_SCHEMA_VERSION);
    int error = ledger_run(ledger, "setting its version", sql);
    if (error == 0) {
        error = ledger_choose_journal(ledger);
    }
    if (error == 0) {
        error = ledger_run(ledger, "creating its tables", create_tables);
    }
    sqlite3_stmt *meta = NULL;
    if (error == 0) {
        error = ledger_prepare(ledger, "INSERT INTO meta VALUES ('run', ?1)", &meta);
    }
    if (error == 0) {
        (void)sqlite3_bind_text(meta, 1, run_name, -1, SQLITE_TRANSIENT);
        error = sqlite3_step(meta) == SQLITE_DONE ? 0 : ledger_fail(ledger, "naming the run");
    }
    (void)sqlite3_finalize(meta);
    return error;
}

int ledger_create(const char *path, const char *run_name, struct ledger **out)
{
    /* SQLite has no "create, or fail if there is one": the empty file is made here. */
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    (void)close(fd);

    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        return -ENOMEM;
    }
    int error = 0;
    if (sqlite3_open_v2(path, &ledger->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        error = ledger->db == NULL ? -ENOMEM : ledger_fail(ledger, "opening it");
    }
    if (error == 0) {
        error = set_up_tables(ledger, run_name);
    }
    if (error == 0) {
        error = ledger_prepare_all(ledger);
    }
    if (error < 0) {
        ledger_close(ledger);
        return error;
    }
    *out = ledger;
    return 0;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    (void)sqlite3_finalize(ledger->insert_event);
    (void)sqlite3_finalize(ledger->insert_events);
    (void)sqlite3_finalize(ledger->save_stream);
    (void)sqlite3_finalize(ledger->begin);
    (void)sqlite3_finalize(ledger->commit);
    (void)sqlite3_finalize(ledger->rollback);
    /* An open transaction is rolled back by closing: it was never acknowledged. */
    (void)sqlite3_close(ledger->db);
    free(ledger);
}

const char *ledger_why(const struct ledger *ledger)
{
    return ledger == NULL ? "" : ledger->why;
}

int ledger_step(struct ledger *ledger, sqlite3_stmt *statement, const char *doing)
{
    int code = sqlite3_step(statement);
    int error = code == SQLITE_DONE ? 0 : ledger_fail(ledger, doing);
    (void)sqlite3_reset(statement);
    return error;
}

int ledger_add_agent(struct ledger *ledger, uint32_t agent, const char *name, uint64_t epoch)
{
    assert(agent < LEDGER_AGENTS_MAX);
    assert(!ledger->stream[agent].is_known);

    sqlite3_stmt *insert = NULL;
    int error = ledger_prepare(ledger, "INSERT INTO agent VALUES (?1, ?2, ?3)", &insert);
    if (error < 0) {
        return error;
    }
    (void)sqlite3_bind_int64(insert, 1, agent);
    (void)sqlite3_bind_text(insert, 2, name, -1, SQLITE_TRANSIENT);
    (void)sqlite3_bind_int64(insert, 3, (sqlite3_int64)epoch);
    error = ledger_step(ledger, insert, "adding an agent");
    (void)sqlite3_finalize(insert);
    if (error == 0) {
        ledger->stream[agent].is_known = true;
    }
    return error;
}

/* Into the parameters of the statement's row, from 0. */
static void bind_event(sqlite3_stmt *s, int row, uint32_t agent, const struct event *e)
{
    int at = row * EVENT_COLUMNS;
    (void)sqlite3_bind_int64(s, ++at, agent);
    (void)sqlite3_bind_int64(s, ++at, (sqlite3_int64)e->t_us);
    (void)sqlite3_bind_int64(s, ++at, e->client);
    (void)sqlite3_bind_int64(s, ++at, e->kind);
    (void)sqlite3_bind_int64(s, ++at, e->result);
    (void)sqlite3_bind_int64(s, ++at, e->stage);
    (void)sqlite3_bind_int64(s, ++at, e->flags);
    (void)sqlite3_bind_int64(s, ++at, e->tries);
    (void)sqlite3_bind_int64(s, ++at, e->xid);
    (void)sqlite3_bind_int64(s, ++at, inet_host(e->addr));
    (void)sqlite3_bind_int64(s, ++at, inet_host(e->server));
    (void)sqlite3_bind_int64(s, ++at, e->lease_s);
    (void)sqlite3_bind_int64(s, ++at, e->offer_us);
    (void)sqlite3_bind_int64(s, ++at, e->took_us);
    (void)sqlite3_bind_int64(s, ++at, e->wait_us);
}

/* What was appended since the last commit is forgotten, here as in the file. */
void ledger_roll_back(struct ledger *ledger)
{
    (void)sqlite3_step(ledger->rollback); /* fails when SQLite has already rolled back */
    (void)sqlite3_reset(ledger->rollback);
    for (size_t i = 0; i < LEDGER_AGENTS_MAX; i++) {
        struct ledger_stream *stream = &ledger->stream[i];
        stream->appended_seq = stream->committed_seq;
        stream->appended_events = stream->committed_events;
    }
    ledger->pending = 0;
    ledger->is_in_transaction = false;
}

int ledger_begin(struct ledger *ledger)
{
    if (ledger->is_in_transaction) {
        return 0;
    }
    int error = ledger_step(ledger, ledger->begin, "beginning a transaction");
    ledger->is_in_transaction = error == 0;
    return error;
}

int ledger_append(struct ledger *ledger, uint32_t agent, uint64_t seq, const struct event *events,
                  size_t count)
{
    assert(agent < LEDGER_AGENTS_MAX && ledger->stream[agent].is_known);

    struct ledger_stream *stream = &ledger->stream[agent];
    if (seq <= stream->appended_seq) {
        stream->duplicates_dropped += count;
        stream->is_dirty = true;
        return 0;
    }
    if (seq != stream->appended_seq + 1) {
        (void)snprintf(ledger->why, sizeof(ledger->why),
                       "ledger: batch %" PRIu64 " of agent %" PRIu32 " came after %" PRIu64, seq,
                       agent, stream->appended_seq);
        return -EPROTO;
    }
    int error = ledger_begin(ledger);
    for (size_t i = 0; error == 0 && i < count;) {
        size_t rows = count - i < EVENTS_AT_ONCE ? 1 : EVENTS_AT_ONCE;
        sqlite3_stmt *insert = rows == 1 ? ledger->insert_event : ledger->insert_events;
        for (size_t row = 0; row < rows; row++) {
            bind_event(insert, (int)row, agent, &events[i++]);
        }
        error = ledger_step(ledger, insert, "adding events");
    }
    if (error < 0) {
        ledger_roll_back(ledger);
        return error;
    }
    stream->appended_seq = seq;
    stream->appended_events += count;
    stream->is_dirty = true;
    ledger->pending += count;
    return 1;
}

size_t ledger_pending(const struct ledger *ledger)
{
    return ledger->pending;
}

static int save_streams(struct ledger *ledger)
{
    for (uint32_t i = 0; i < LEDGER_AGENTS_MAX; i++) {
        const struct ledger_stream *stream = &ledger->stream[i];
        if (!stream->is_dirty) {
            continue;
        }
        sqlite3_stmt *s = ledger->save_stream;
        (void)sqlite3_bind_int64(s, 1, i);
        (void)sqlite3_bind_int64(s, 2, (sqlite3_int64)stream->appended_seq);
        (void)sqlite3_bind_int64(s, 3, (sqlite3_int64)stream->appended_events);
        (void)sqlite3_bind_int64(s, 4, (sqlite3_int64)stream->duplicates_dropped);
        int error = ledger_step(ledger, s, "saving how far the agents' streams came");
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

int ledger_commit(struct ledger *ledger)
{
    if (!ledger->is_in_transaction) {
        return 0;
    }
    int error = save_streams(ledger);
    if (error == 0) {
        error = ledger_step(ledger, ledger->commit, "committing");
    }
    if (error < 0) {
        ledger_roll_back(ledger);
        return error;
    }
    for (size_t i = 0; i < LEDGER_AGENTS_MAX; i++) {
        struct ledger_stream *stream = &ledger->stream[i];
        stream->committed_seq = stream->appended_seq;
        stream->committed_events = stream->appended_events;
        stream->is_dirty = false;
    }
    ledger->pending = 0;
    ledger->is_in_transaction = false;
    return 0;
}

uint64_t ledger_committed(const struct ledger *ledger, uint32_t agent)
{
    return agent < LEDGER_AGENTS_MAX ? ledger->stream[agent].committed_seq : 0;
}

struct ledger_totals ledger_totals(const struct ledger *ledger, uint32_t agent)
{
    if (agent >= LEDGER_AGENTS_MAX) {
        return (struct ledger_totals){0};
    }
    const struct ledger_stream *stream = &ledger->stream[agent];
    return (struct ledger_totals){.events = stream->committed_events,
                                  .duplicates_dropped = stream->duplicates_dropped};
}

int ledger_add_clock(struct ledger *ledger, uint32_t agent, uint64_t agent_us, int64_t offset_us,
                     uint64_t uncertainty_us)
{
    sqlite3_stmt *insert = NULL;
    int error = ledger_begin(ledger);
    if (error == 0) {
        error = ledger_prepare(ledger, "INSERT INTO clock VALUES (?1, ?2, ?3, ?4)", &insert);
    }
    if (error < 0) {
        return error;
    }
    (void)sqlite3_bind_int64(insert, 1, agent);
    (void)sqlite3_bind_int64(insert, 2, (sqlite3_int64)agent_us);
    (void)sqlite3_bind_int64(insert, 3, offset_us);
    (void)sqlite3_bind_int64(insert, 4, (sqlite3_int64)uncertainty_us);
    error = ledger_step(ledger, insert, "adding a clock sample");
    (void)sqlite3_finalize(insert);
    if (error < 0) {
        ledger_roll_back(ledger);
        return error;
    }
    ledger->pending++;
    return 0;
}

/* For people with sqlite3 in their hands: names instead of numbers, addresses as text. */
static int create_view(struct ledger *ledger)
{
    static const char ip[] = "printf('%%d.%%d.%%d.%%d',%s>>24,(%s>>16)&255,(%s>>8)&255,%s&255)";
    char kinds[320] = "CASE kind", results[240] = "CASE result", addr[128], server[128], sql[2048];
    for (int i = 0; i < EVENT_KIND_COUNT; i++) {
        size_t at = strlen(kinds);
        (void)snprintf(kinds + at, sizeof(kinds) - at, " WHEN %d THEN '%s'", i,
                       event_kind_name((enum event_kind)i));
    }
    for (int i = 0; i < EVENT_RESULT_COUNT; i++) {
        size_t at = strlen(results);
        (void)snprintf(results + at, sizeof(results) - at, " WHEN %d THEN '%s'", i,
                       event_result_name((enum event_result)i));
    }
    (void)snprintf(addr, sizeof(addr), ip, "addr", "addr", "addr", "addr");
    (void)snprintf(server, sizeof(server), ip, "server", "server", "server", "server");
    (void)snprintf(sql, sizeof(sql),
                   "CREATE VIEW IF NOT EXISTS readable AS SELECT agent.name AS agent, t_us, client,"
                   " %s END AS kind, %s END AS result, stage, flags, tries,"
                   " printf('0x%%08x', xid) AS xid, %s AS addr, %s AS server, lease_s,"
                   " nullif(offer_us, %u) AS offer_us, nullif(took_us, %u) AS took_us,"
                   " nullif(wait_us, %u) AS wait_us FROM event JOIN agent USING (agent)",
                   kinds, results, addr, server, EVENT_SPAN_NONE, EVENT_SPAN_NONE, EVENT_SPAN_NONE);
    return ledger_run(ledger, "creating its view", sql);
}

int ledger_finish(struct ledger *ledger)
{
    int error = ledger_begin(ledger);
    if (error == 0) {
        error = ledger_commit(ledger); /* with the duplicates counted since the last one */
    }
    if (error == 0) {
        error = ledger_run(ledger, "creating its index",
                           "CREATE INDEX IF NOT EXISTS event_of_client ON event (client, t_us)");
    }
    if (error == 0) {
        error = create_view(ledger);
    }
    if (error == 0) {
        /* One file without companions: it can be copied and read from read-only places. */
        error = ledger_run(ledger, "closing its journal", "PRAGMA journal_mode=DELETE");
    }
    return error;
}
