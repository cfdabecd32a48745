/* SPDX-License-Identifier: MIT */
/*
 * usage: leaseherd-bench-insert LEDGER OUT
 *
 * What SQLite alone needs for the rows of a ledger: the same rows, in their order, into a table of
 * the same shape, with the same pragmas, a prepared statement and the same rows per transaction.
 * Reading them is not counted. Prints rows, seconds, CPU seconds and bytes of the file as JSON.
 * exit: 0, 2 usage, 6 SQLite says no.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/attrs.h"

enum { COMMIT_ROWS = 5000, COLUMNS_MAX = 32 };

static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                              "PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY;";

struct chunk {
    int columns;
    size_t rows;
    struct {
        int64_t value[COLUMNS_MAX];
        bool is_null[COLUMNS_MAX];
    } row[COMMIT_ROWS];
};

struct spent {
    uint64_t ns, cpu_ns;
};

static void fail(sqlite3 *db, const char *what)
{
    fprintf(stderr, "bench insert: %s: %s\n", what, sqlite3_errmsg(db));
    exit(6);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail(db, sql);
    }
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        fail(db, sql);
    }
    return statement;
}

static uint64_t cpu_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* The shape of the ledger's table of events, as the ledger itself says it. */
static void make_table(sqlite3 *from, sqlite3 *to)
{
    sqlite3_stmt *shape = prepare(from, "SELECT sql FROM sqlite_master WHERE name = 'event'");
    if (sqlite3_step(shape) != SQLITE_ROW) {
        fail(from, "the ledger has no events");
    }
    run(to, (const char *)sqlite3_column_text(shape, 0));
    (void)sqlite3_finalize(shape);
}

static bool read_chunk(sqlite3_stmt *rows, struct chunk *out)
{
    out->columns = sqlite3_column_count(rows);
    for (out->rows = 0; out->rows < COMMIT_ROWS && sqlite3_step(rows) == SQLITE_ROW; out->rows++) {
        for (int i = 0; i < out->columns; i++) {
            out->row[out->rows].value[i] = sqlite3_column_int64(rows, i);
            out->row[out->rows].is_null[i] = sqlite3_column_type(rows, i) == SQLITE_NULL;
        }
    }
    return out->rows > 0;
}

static void insert_chunk(sqlite3 *db, sqlite3_stmt *insert, const struct chunk *chunk)
{
    run(db, "BEGIN IMMEDIATE");
    for (size_t row = 0; row < chunk->rows; row++) {
        for (int i = 0; i < chunk->columns; i++) {
            if (chunk->row[row].is_null[i]) {
                (void)sqlite3_bind_null(insert, i + 1);
            } else {
                (void)sqlite3_bind_int64(insert, i + 1, chunk->row[row].value[i]);
            }
        }
        if (sqlite3_step(insert) != SQLITE_DONE) {
            fail(db, "inserting");
        }
        (void)sqlite3_reset(insert);
    }
    run(db, "COMMIT");
}

static sqlite3_stmt *prepare_insert(sqlite3 *db, int columns)
{
    char sql[256] = "INSERT INTO event VALUES (?1";
    for (int i = 2; i <= columns; i++) {
        size_t at = strlen(sql);
        (void)snprintf(sql + at, sizeof(sql) - at, ",?%d", i);
    }
    strcat(sql, ")");
    return prepare(db, sql);
}

static uint64_t copy(sqlite3 *from, sqlite3 *to, struct spent *spent)
{
    static struct chunk chunk;
    sqlite3_stmt *rows = prepare(from, "SELECT * FROM event ORDER BY rowid");
    uint64_t count = 0;
    if (sqlite3_column_count(rows) > COLUMNS_MAX) {
        fail(from, "more columns than this bench knows");
    }
    sqlite3_stmt *insert = prepare_insert(to, sqlite3_column_count(rows));
    while (read_chunk(rows, &chunk)) {
        uint64_t begun_ns = clock_monotonic_ns(), begun_cpu_ns = cpu_now_ns();
        insert_chunk(to, insert, &chunk);
        spent->ns += clock_monotonic_ns() - begun_ns;
        spent->cpu_ns += cpu_now_ns() - begun_cpu_ns;
        count += chunk.rows;
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_finalize(insert);
    return count;
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = prepare(db, sql);
    int64_t value = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return value;
}

int main(int argc, char **argv)
{
    sqlite3 *from = NULL, *to = NULL;
    struct spent spent = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: leaseherd-bench-insert LEDGER OUT\n");
        return 2;
    }
    if (sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        fail(from, argv[1]);
    }
    if (sqlite3_open_v2(argv[2], &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK) {
        fail(to, argv[2]);
    }
    run(to, pragmas);
    make_table(from, to);
    uint64_t rows = copy(from, to, &spent);
    run(to, "PRAGMA wal_checkpoint(TRUNCATE)");
    int64_t bytes = number(to, "PRAGMA page_count") * number(to, "PRAGMA page_size");
    printf("{\"rows\": %" PRIu64 ", \"seconds\": %.4f, \"cpu_s\": %.4f, \"bytes\": %" PRId64 "}\n",
           rows, (double)spent.ns / (double)NS_PER_S, (double)spent.cpu_ns / (double)NS_PER_S,
           bytes);
    (void)sqlite3_close(from);
    (void)sqlite3_close(to);
    return 0;
}
