/* SPDX-License-Identifier: MIT */
/* The ledger of an unfinished run, opened to go on with it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/ledger_db.h"
#include "coordinator/truth/ledger_journal.h"

/* Also those that have sent nothing yet. */
static int know_agents(struct ledger *ledger)
{
    sqlite3_stmt *s = NULL;
    int error = ledger_prepare(ledger, "SELECT agent FROM agent", &s);
    while (error == 0 && sqlite3_step(s) == SQLITE_ROW) {
        sqlite3_int64 agent = sqlite3_column_int64(s, 0);
        if (agent >= 0 && agent < LEDGER_AGENTS_MAX) {
            ledger->stream[agent].is_known = true;
        }
    }
    int code = sqlite3_finalize(s);
    return error == 0 && code != SQLITE_OK ? ledger_fail(ledger, "reading its agents") : error;
}

int ledger_reopen(const char *path, struct ledger **out)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        return -ENOMEM;
    }
    int error = ledger_check_is_file(path);
    if (error == 0 &&
        sqlite3_open_v2(path, &ledger->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK) {
        error = ledger->db == NULL ? -ENOMEM : ledger_fail(ledger, "opening it");
    }
    if (error == 0) {
        error = ledger_check(ledger);
    }
    if (error == 0) {
        error = ledger_choose_journal(ledger);
    }
    if (error == 0) {
        error = ledger_prepare_all(ledger);
    }
    if (error == 0) {
        error = know_agents(ledger);
    }
    if (error < 0) {
        ledger_close(ledger);
        return error;
    }
    *out = ledger;
    return 0;
}

bool ledger_fact(struct ledger *ledger, const char *name, char out[LEDGER_FACT_BYTES])
{
    sqlite3_stmt *s = NULL;
    if (ledger_prepare(ledger, "SELECT value FROM meta WHERE key = ?1", &s) < 0) {
        return false;
    }
    (void)sqlite3_bind_text(s, 1, name, -1, SQLITE_TRANSIENT);
    const char *value =
        sqlite3_step(s) == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    bool is_good = value != NULL && strlen(value) < LEDGER_FACT_BYTES;
    if (is_good) {
        (void)snprintf(out, LEDGER_FACT_BYTES, "%s", value);
    }
    (void)sqlite3_finalize(s);
    return is_good;
}

/* --- lists --- */

/* Room for `count` + 1 things of `size`; grows by doubling. */
static bool make_room(void **list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0) {
        return true;
    }
    void *grown = realloc(*list, (count == 0 ? 1 : 2 * count) * size);
    if (grown == NULL) {
        return false;
    }
    *list = grown;
    return true;
}

typedef bool take_row(sqlite3_stmt *s, size_t index, void *out);

static int read_list(struct ledger *ledger, const char *sql, size_t size, take_row *take,
                     void **out, size_t *out_count)
{
    sqlite3_stmt *s = NULL;
    void *list = NULL;
    size_t count = 0;
    int error = ledger_prepare(ledger, sql, &s);
    while (error == 0 && sqlite3_step(s) == SQLITE_ROW) {
        if (!make_room(&list, count, size)) {
            error = -ENOMEM;
        } else if (!take(s, count, (uint8_t *)list + count * size)) {
            error = -EBADMSG;
        } else {
            count++;
        }
    }
    int code = sqlite3_finalize(s);
    if (error == 0 && code != SQLITE_OK) {
        error = ledger_fail(ledger, "reading who plays what");
    }
    if (error < 0) {
        free(list);
        return error;
    }
    *out = list;
    *out_count = count;
    return 0;
}

static bool take_agent(sqlite3_stmt *s, size_t index, void *out)
{
    struct ledger_agent *agent = out;
    const char *name = (const char *)sqlite3_column_text(s, 1);
    if (sqlite3_column_int64(s, 0) != (sqlite3_int64)index || index >= LEDGER_AGENTS_MAX ||
        name == NULL || strlen(name) >= sizeof(agent->name)) {
        return false;
    }
    (void)snprintf(agent->name, sizeof(agent->name), "%s", name);
    agent->epoch = (uint64_t)sqlite3_column_int64(s, 2);
    return true;
}

int ledger_read_agents(struct ledger *ledger, struct ledger_agent **out, size_t *out_count)
{
    void *list = NULL;
    int error = read_list(ledger, "SELECT agent, name, epoch FROM agent ORDER BY agent",
                          sizeof(**out), take_agent, &list, out_count);
    *out = list;
    return error;
}

static bool fits(sqlite3_int64 value)
{
    return value >= 0 && value <= UINT32_MAX;
}

static bool take_share(sqlite3_stmt *s, size_t index, void *out)
{
    struct ledger_share *share = out;
    (void)index;
    for (int column = 0; column < 6; column++) {
        if (column != 1 && !fits(sqlite3_column_int64(s, column))) {
            return false;
        }
    }
    *share = (struct ledger_share){.agent = (uint32_t)sqlite3_column_int64(s, 0),
                                   .epoch = (uint64_t)sqlite3_column_int64(s, 1),
                                   .relay = (uint32_t)sqlite3_column_int64(s, 2),
                                   .via = (uint32_t)sqlite3_column_int64(s, 3),
                                   .first_client = (uint32_t)sqlite3_column_int64(s, 4),
                                   .clients = (uint32_t)sqlite3_column_int64(s, 5)};
    return true;
}

int ledger_read_shares(struct ledger *ledger, struct ledger_share **out, size_t *out_count)
{
    void *list = NULL;
    int error = read_list(ledger,
                          "SELECT agent, epoch, relay, via, first_client, clients FROM share"
                          " ORDER BY rowid",
                          sizeof(**out), take_share, &list, out_count);
    *out = list;
    return error;
}

/* --- replay --- */

struct replay {
    struct ledger *ledger;
    const struct ledger_replay *to;
    struct ledger_clocks *clocks;
    sqlite3_stmt *events;
    bool has_event; /* `events` stands on a row that was not given yet */
};

static int next_event(struct replay *r)
{
    int code = sqlite3_step(r->events);
    r->has_event = code == SQLITE_ROW;
    return r->has_event || code == SQLITE_DONE ? 0 : ledger_fail(r->ledger, "reading its events");
}

/* The events up to that row. */
static int give_events(struct replay *r, sqlite3_int64 last_row)
{
    int error = 0;
    while (error == 0 && r->has_event &&
           sqlite3_column_int64(r->events, LEDGER_EVENT_COLUMNS) <= last_row) {
        sqlite3_int64 agent = sqlite3_column_int64(r->events, 0);
        struct event e;
        if (agent < 0 || agent >= LEDGER_AGENTS_MAX) {
            return -EBADMSG;
        }
        ledger_read_event(r->events, &e);
        bool goes_on = r->to->event(r->to->context, (uint32_t)agent, &e,
                                    ledger_clocks_run_us(r->clocks, (uint32_t)agent, e.t_us),
                                    ledger_clocks_uncertainty_us(r->clocks, (uint32_t)agent));
        error = goes_on ? next_event(r) : -ECANCELED;
    }
    return error;
}

/* A run directory may come from anybody: nothing in a text commands a terminal. */
static const char *clean_text(sqlite3_stmt *s, int column, char out[JOURNAL_TEXT_BYTES])
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    if (text == NULL) {
        return NULL;
    }
    (void)snprintf(out, JOURNAL_TEXT_BYTES, "%s", text);
    for (char *at = out; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = '?';
        }
    }
    return out;
}

static int give_entry(struct replay *r, sqlite3_stmt *s)
{
    enum { FIRST_TEXT = 7, BYTES = FIRST_TEXT + JOURNAL_TEXTS };
    char text[JOURNAL_TEXTS][JOURNAL_TEXT_BYTES];
    sqlite3_int64 kind = sqlite3_column_int64(s, 0);
    int size = sqlite3_column_bytes(s, BYTES);
    if (kind < 0 || kind >= JOURNAL_KIND_COUNT || size < 0 || size > JOURNAL_BYTES_MAX) {
        return -EBADMSG;
    }
    struct journal_entry entry = {.kind = (enum journal_kind)kind,
                                  .run_us = sqlite3_column_int64(s, 2),
                                  .a = (uint64_t)sqlite3_column_int64(s, 3),
                                  .b = (uint64_t)sqlite3_column_int64(s, 4),
                                  .c = (uint64_t)sqlite3_column_int64(s, 5),
                                  .d = (uint64_t)sqlite3_column_int64(s, 6),
                                  .bytes = sqlite3_column_blob(s, BYTES),
                                  .size = (size_t)size};
    for (int i = 0; i < JOURNAL_TEXTS; i++) {
        entry.text[i] = clean_text(s, FIRST_TEXT + i, text[i]);
    }
    return r->to->entry(r->to->context, &entry) ? 0 : -ECANCELED;
}

static int play(struct replay *r)
{
    sqlite3_stmt *s = NULL;
    int error = ledger_prepare(r->ledger,
                               "SELECT kind, events, run_us, a, b, c, d, t0, t1, t2, t3, t4,"
                               " bytes FROM journal ORDER BY rowid",
                               &s);
    if (error == 0) {
        error = next_event(r);
    }
    while (error == 0 && sqlite3_step(s) == SQLITE_ROW) {
        error = give_events(r, sqlite3_column_int64(s, 1));
        if (error == 0) {
            error = give_entry(r, s);
        }
    }
    int code = sqlite3_finalize(s);
    if (error == 0 && code != SQLITE_OK) {
        error = ledger_fail(r->ledger, "reading its journal");
    }
    return error == 0 ? give_events(r, INT64_MAX) : error;
}

int ledger_replay(struct ledger *ledger, const struct ledger_replay *to)
{
    struct replay r = {.ledger = ledger, .to = to};
    int error = ledger_clocks_load(ledger, &r.clocks);
    if (error == 0) {
        error = ledger_prepare(ledger, LEDGER_SELECT_EVENTS, &r.events);
    }
    if (error == 0) {
        error = play(&r);
    }
    (void)sqlite3_finalize(r.events);
    ledger_clocks_free(r.clocks);
    return error;
}
