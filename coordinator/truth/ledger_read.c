/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/ledger_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/plan.h"

/* An agent's clock samples, by its own time. */
struct clock_samples {
    struct {
        uint64_t agent_us;
        int64_t offset_us;
    } * sample;
    size_t count;
};

struct walk {
    struct ledger *ledger;
    sqlite3_stmt *select;
    char (*name)[PLAN_NAME_BYTES];
    struct clock_samples *clock;
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
 * module's table, or columns computed at every row. `readable`, a view for people, is not read.
 */
static int distrust_schema(struct ledger *ledger)
{
    enum { VALUE_BYTES_MAX = 1000000 };
    sqlite3 *db = ledger->db;
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    if (sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL) != SQLITE_OK) {
        return ledger_fail(ledger, "guarding against its schema");
    }
    return 0;
}

static int check_tables(struct ledger *ledger)
{
    enum { TABLES = 4 };
    static const char sql[] =
        "SELECT count(*) FROM sqlite_master AS m"
        " WHERE m.name COLLATE NOCASE IN ('agent', 'stream', 'clock', 'event')"
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

/* SQLite would wait for ever for somebody to write a FIFO. */
static int check_is_file(const char *path)
{
    struct stat about;
    if (stat(path, &about) < 0) {
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
    int error = check_is_file(path);
    if (error == 0 && sqlite3_open_v2(path, &ledger->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                                      NULL) != SQLITE_OK) {
        error = ledger->db == NULL ? -ENOMEM : ledger_fail(ledger, "opening it");
    }
    if (error == 0) {
        error = distrust_schema(ledger);
    }
    if (error == 0) {
        error = check_is_ours(ledger);
    }
    if (error == 0) {
        error = check_tables(ledger);
    }
    if (error == 0) {
        error = read_streams(ledger);
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

static bool add_sample(struct clock_samples *clock, uint64_t agent_us, int64_t offset_us)
{
    /* Grown at powers of two. */
    if ((clock->count & (clock->count - 1)) == 0) {
        size_t capacity = clock->count == 0 ? 1 : 2 * clock->count;
        void *grown = realloc(clock->sample, capacity * sizeof(*clock->sample));
        if (grown == NULL) {
            return false;
        }
        clock->sample = grown;
    }
    clock->sample[clock->count].agent_us = agent_us;
    clock->sample[clock->count].offset_us = offset_us;
    clock->count++;
    return true;
}

/* Of any clock, and small enough that sums of a few stay numbers: 36,000 years. */
static bool is_a_time(sqlite3_int64 us)
{
    enum { BITS = 60 };
    return us < INT64_C(1) << BITS && us > -(INT64_C(1) << BITS);
}

static int load_clocks(struct walk *walk)
{
    sqlite3_stmt *s = NULL;
    const char *sql = "SELECT agent, agent_us, offset_us FROM clock ORDER BY agent, agent_us";
    if (sqlite3_prepare_v2(walk->ledger->db, sql, -1, &s, NULL) != SQLITE_OK) {
        return ledger_fail(walk->ledger, "reading its clocks");
    }
    int error = 0;
    while (error == 0 && sqlite3_step(s) == SQLITE_ROW) {
        sqlite3_int64 agent = sqlite3_column_int64(s, 0);
        if (agent < 0 || agent >= LEDGER_AGENTS_MAX) {
            continue;
        }
        if (sqlite3_column_int64(s, 1) < 0 || !is_a_time(sqlite3_column_int64(s, 1)) ||
            !is_a_time(sqlite3_column_int64(s, 2))) {
            error = -EBADMSG;
            break;
        }
        if (!add_sample(&walk->clock[agent], (uint64_t)sqlite3_column_int64(s, 1),
                        sqlite3_column_int64(s, 2))) {
            error = -ENOMEM;
        }
    }
    int code = sqlite3_finalize(s);
    if (error == 0 && code != SQLITE_OK) {
        error = ledger_fail(walk->ledger, "reading its clocks");
    }
    return error;
}

/* On the line between the samples around it, as clocks drift; that of the first or last beyond. */
static int64_t run_us_of(const struct clock_samples *clock, uint64_t t_us)
{
    if (clock->count == 0) {
        return (int64_t)t_us;
    }
    size_t low = 0, high = clock->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (clock->sample[middle].agent_us <= t_us) {
            low = middle;
        } else {
            high = middle;
        }
    }
    int64_t offset_us = clock->sample[low].offset_us;
    if (low + 1 < clock->count && t_us > clock->sample[low].agent_us) {
        double share = (double)(t_us - clock->sample[low].agent_us) /
                       (double)(clock->sample[low + 1].agent_us - clock->sample[low].agent_us);
        offset_us += (int64_t)(share * (double)(clock->sample[low + 1].offset_us - offset_us));
    }
    return (int64_t)(t_us + (uint64_t)offset_us);
}

static void read_event(sqlite3_stmt *s, struct event *out)
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
    static const char sql[] = "SELECT agent, t_us, client, kind, result, stage, flags, tries, xid,"
                              " addr, server, lease_s, offer_us, took_us, wait_us"
                              " FROM event ORDER BY rowid";
    if (sqlite3_prepare_v2(walk->ledger->db, sql, -1, &walk->select, NULL) != SQLITE_OK) {
        return ledger_fail(walk->ledger, "reading its events");
    }
    bool goes_on = true;
    int code = SQLITE_ROW;
    while (goes_on && (code = sqlite3_step(walk->select)) == SQLITE_ROW) {
        sqlite3_int64 agent = sqlite3_column_int64(walk->select, 0);
        if (agent < 0 || agent >= LEDGER_AGENTS_MAX) {
            return -EBADMSG;
        }
        struct event e;
        read_event(walk->select, &e);
        goes_on = visit(context, walk->name[agent], &e, run_us_of(&walk->clock[agent], e.t_us));
    }
    return !goes_on || code == SQLITE_DONE ? 0 : ledger_fail(walk->ledger, "reading its events");
}

int ledger_walk(struct ledger *ledger, ledger_visit *visit, void *context)
{
    struct walk walk = {.ledger = ledger};
    walk.name = calloc(LEDGER_AGENTS_MAX, sizeof(*walk.name));
    walk.clock = calloc(LEDGER_AGENTS_MAX, sizeof(*walk.clock));
    int error = walk.name == NULL || walk.clock == NULL ? -ENOMEM : 0;
    if (error == 0) {
        error = load_names(&walk);
    }
    if (error == 0) {
        error = load_clocks(&walk);
    }
    if (error == 0) {
        error = walk_events(&walk, visit, context);
    }
    (void)sqlite3_finalize(walk.select);
    for (size_t i = 0; walk.clock != NULL && i < LEDGER_AGENTS_MAX; i++) {
        free(walk.clock[i].sample);
    }
    free(walk.clock);
    free(walk.name);
    return error;
}
