/* SPDX-License-Identifier: MIT */
/* What a run has left, read by other means than it was written: SQL of our own, and JSON. */
#include <assert.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/sim/oracle.h"
#include "tests/sim/oracle_stream.h"
#include "tests/sim/plot.h"

enum { AGENTS_MAX = 64, PATH_BYTES = 512, EVENTS_MAX = 1 << 20, EXIT_PASS = 0, EXIT_INTERNAL = 6 };

#define CERTAIN_NS (3 * NS_PER_S)

/* The ledger as it lies there. */
static struct {
    struct event *events;
    size_t *agent; /* of each: index among the ledger's agents */
    size_t count;
    struct {
        char name[KEY_NAME_BYTES];
        uint64_t epoch;
    } agents[AGENTS_MAX];
    size_t agent_count;
} book;

static uint64_t column(sqlite3_stmt *s, int i)
{
    return (uint64_t)sqlite3_column_int64(s, i);
}

static struct event event_of(sqlite3_stmt *s)
{
    struct event e;
    memset(&e, 0, sizeof(e));
    e.t_us = column(s, 1);
    e.client = (uint32_t)column(s, 2);
    e.kind = (uint8_t)column(s, 3);
    e.result = (uint8_t)column(s, 4);
    e.stage = (uint8_t)column(s, 5);
    e.flags = (uint16_t)column(s, 6);
    e.tries = (uint16_t)column(s, 7);
    e.xid = (uint32_t)column(s, 8);
    e.addr = inet_from_host((uint32_t)column(s, 9));
    e.server = inet_from_host((uint32_t)column(s, 10));
    e.lease_s = (uint32_t)column(s, 11);
    e.offer_us = (uint32_t)column(s, 12);
    e.took_us = (uint32_t)column(s, 13);
    e.wait_us = (uint32_t)column(s, 14);
    return e;
}

static void read_agents(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    book.agent_count = 0;
    int rc =
        sqlite3_prepare_v2(db, "SELECT agent, name, epoch FROM agent ORDER BY agent", -1, &s, NULL);
    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        size_t i = column(s, 0);
        if (i >= ARRAY_LEN(book.agents)) {
            oracle_violation(PROMISE_ACKED_IS_KEPT, "the ledger has an agent %zu", i);
            break;
        }
        (void)snprintf(book.agents[i].name, sizeof(book.agents[i].name), "%s",
                       (const char *)sqlite3_column_text(s, 1));
        book.agents[i].epoch = column(s, 2);
        book.agent_count = i + 1;
    }
    (void)sqlite3_finalize(s);
}

static void read_events(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    size_t room = 0;
    book.count = 0;
    int rc = sqlite3_prepare_v2(
        db,
        "SELECT agent, t_us, client, kind, result, stage, flags, tries, xid, addr, server,"
        " lease_s, offer_us, took_us, wait_us FROM event ORDER BY rowid",
        -1, &s, NULL);
    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW && book.count < EVENTS_MAX) {
        if (book.count == room) {
            room = room == 0 ? 4096 : 2 * room;
            book.events = realloc(book.events, room * sizeof(*book.events));
            book.agent = realloc(book.agent, room * sizeof(*book.agent));
            assert(book.events != NULL && book.agent != NULL);
        }
        book.agent[book.count] = column(s, 0);
        book.events[book.count++] = event_of(s);
    }
    if (rc != SQLITE_OK) {
        oracle_violation(PROMISE_ACKED_IS_KEPT, "the ledger cannot be read: %s",
                         sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(s);
}

/* False: there is none. */
static bool read_ledger(const char *dir, bool may_be_broken)
{
    char path[PATH_BYTES];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/ledger.db", dir);
    book.count = book.agent_count = 0;
    if (access(path, F_OK) != 0) {
        return false;
    }
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        oracle_violation(PROMISE_ACKED_IS_KEPT, "the ledger cannot be opened");
    } else if (!may_be_broken || sqlite3_exec(db, "SELECT 1 FROM event", NULL, NULL, NULL) == 0) {
        read_agents(db);
        read_events(db);
    }
    (void)sqlite3_close(db);
    return true;
}

/* --- against the streams --- */

static size_t agent_of(const struct oracle_stream *s)
{
    for (size_t i = 0; i < book.agent_count; i++) {
        if (strcmp(book.agents[i].name, s->agent->name) == 0 && book.agents[i].epoch == s->epoch) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void say_event(const char *what, const struct event *e)
{
    log_info("*** %s: t_us=%llu client=%u %s/%s stage=%u flags=%x tries=%u xid=%08x lease_s=%u "
             "offer_us=%u took_us=%u wait_us=%u",
             what, (unsigned long long)e->t_us, e->client,
             event_kind_name((enum event_kind)e->kind),
             event_result_name((enum event_result)e->result), e->stage, e->flags, e->tries, e->xid,
             e->lease_s, e->offer_us, e->took_us, e->wait_us);
}

/* But for the coordinator's own remark about what a lost agent has done. */
static bool is_as_sent(const struct event *sent, const struct event *kept)
{
    struct event e = *kept;
    e.flags = (uint16_t)(e.flags & ~(unsigned)EVENT_VOID);
    return oracle_same_events(sent, &e, 1);
}

/* Its rows are the first so many batches, whole and in order, and all that was acknowledged. */
static void check_stream(const struct oracle_stream *s)
{
    size_t agent = agent_of(s), at = 0;
    uint64_t seq = 0;
    size_t inside = 0;
    for (; at < book.count; at++) {
        if (book.agent[at] != agent) {
            continue;
        }
        while (seq < s->known && inside == s->batches[seq].count) {
            seq++;
            inside = 0;
        }
        if (seq == s->known || !is_as_sent(&s->batches[seq].events[inside], &book.events[at])) {
            say_event("in the ledger", &book.events[at]);
            if (seq < s->known) {
                say_event("as sent", &s->batches[seq].events[inside]);
            }
            oracle_violation(PROMISE_NOTHING_TWICE,
                             "row %zu of the ledger is not what %s sent in batch %llu", at + 1,
                             s->agent->name, (unsigned long long)seq + 1);
            return;
        }
        inside++;
    }
    uint64_t whole = seq < s->known && inside == s->batches[seq].count ? seq + 1 : seq;
    if (seq < s->known && inside > 0 && inside < s->batches[seq].count) {
        oracle_violation(PROMISE_NOTHING_TWICE, "batch %llu of %s is in the ledger by a part",
                         (unsigned long long)seq + 1, s->agent->name);
    }
    if (whole < s->acked) {
        oracle_violation(PROMISE_ACKED_IS_KEPT, "%s: %llu batches acknowledged, %llu kept",
                         s->agent->name, (unsigned long long)s->acked, (unsigned long long)whole);
    }
}

static int compare_ends(const void *a, const void *b)
{
    const struct event *x = &book.events[*(const size_t *)a];
    const struct event *y = &book.events[*(const size_t *)b];
    if (x->client != y->client) {
        return x->client < y->client ? -1 : 1;
    }
    return x->xid != y->xid ? (x->xid < y->xid ? -1 : 1) : 0;
}

/* An exchange has one end: a client's xid is answered once. */
static void check_ends(void)
{
    size_t *order = calloc(book.count + 1, sizeof(*order)), count = 0;
    assert(order != NULL);
    for (size_t i = 0; i < book.count; i++) {
        const struct event *e = &book.events[i];
        bool is_answered =
            e->result == EVENT_ACK || e->result == EVENT_NAK || e->result == EVENT_CHANGED;
        if (is_answered && e->xid != 0) {
            order[count++] = i;
        }
    }
    qsort(order, count, sizeof(*order), compare_ends);
    for (size_t i = 1; i < count; i++) {
        if (compare_ends(&order[i - 1], &order[i]) == 0) {
            oracle_violation(PROMISE_NOTHING_TWICE, "exchange %08x of client %u ends twice",
                             (unsigned)book.events[order[i]].xid,
                             (unsigned)book.events[order[i]].client);
        }
    }
    free(order);
}

static void check_final(const struct oracle_stream *s)
{
    uint64_t events = 0;
    for (uint64_t i = 0; i < s->known; i++) {
        events += s->batches[i].count;
    }
    if (s->has_final && s->final.last_batch_seq == s->known &&
        s->final.counter[COUNTER_events] != events + s->final.counter[COUNTER_results_coalesced]) {
        oracle_violation(PROMISE_ACCOUNTING_CLOSES, "%s counted %llu events and sent %llu",
                         s->agent->name, (unsigned long long)s->final.counter[COUNTER_events],
                         (unsigned long long)events);
    }
}

/* --- the report --- */

struct leases {
    uint64_t acquired, reacquired, renewed, rebound, expired, released, nak;
};

static struct leases leases_of_ledger(void)
{
    struct leases n = {0};
    for (size_t i = 0; i < book.count; i++) {
        const struct event *e = &book.events[i];
        bool is_ack = e->result == EVENT_ACK || e->result == EVENT_CHANGED;
        bool is_first = (e->flags & EVENT_FIRST_LEASE) != 0;
        if ((e->flags & (EVENT_PREFLIGHT | EVENT_VOID)) != 0) {
            continue;
        }
        n.acquired += is_ack && e->kind == EVENT_ACQUIRE && is_first;
        n.reacquired +=
            is_ack && ((e->kind == EVENT_ACQUIRE && !is_first) || e->kind == EVENT_REBOOT);
        n.renewed += is_ack && e->kind == EVENT_RENEW;
        n.rebound += is_ack && e->kind == EVENT_REBIND;
        n.expired += e->kind == EVENT_EXPIRE;
        n.released += e->kind == EVENT_RELEASE && e->tries > 0;
        n.nak += e->result == EVENT_NAK;
    }
    return n;
}

static void check_number(json_t *report, const char *block, const char *key, uint64_t expected)
{
    json_t *value = json_object_get(json_object_get(report, block), key);
    if (!json_is_integer(value) || (uint64_t)json_integer_value(value) != expected) {
        oracle_violation(PROMISE_ACCOUNTING_CLOSES, "the report says %s.%s = %lld, it is %llu",
                         block, key,
                         json_is_integer(value) ? (long long)json_integer_value(value) : -1LL,
                         (unsigned long long)expected);
    }
}

static void check_leases(json_t *report)
{
    struct leases n = leases_of_ledger();
    check_number(report, "leases", "acquired", n.acquired);
    check_number(report, "leases", "reacquired", n.reacquired);
    check_number(report, "leases", "renewed", n.renewed);
    check_number(report, "leases", "rebound", n.rebound);
    check_number(report, "leases", "expired", n.expired);
    check_number(report, "leases", "released", n.released);
    check_number(report, "leases", "nak", n.nak);
    check_number(report, "accounting", "ledger_events", book.count);
}

static void check_proof(json_t *report)
{
    json_t *checks = json_object_get(json_object_get(report, "accounting"), "checks"), *check;
    size_t i;
    json_array_foreach(checks, i, check)
    {
        if (!json_is_true(json_object_get(check, "passed"))) {
            oracle_violation(PROMISE_ACCOUNTING_CLOSES, "the report's check %s: %s",
                             json_string_value(json_object_get(check, "name")),
                             json_string_value(json_object_get(check, "text")));
        }
    }
}

/* Whoever held one address together for seconds must be found; nobody else. */
static void check_duplicates(json_t *report)
{
    json_t *value = json_object_get(json_object_get(report, "addresses"), "duplicate");
    bool is_found = json_is_integer(value) && json_integer_value(value) > 0;
    if (!is_found && oracle_duplicates(CERTAIN_NS, oracle_load_began_ns()) > 0) {
        oracle_violation(PROMISE_VERDICT, "an address was live at two clients, and none is told");
    } else if (is_found && oracle_duplicates(0, 0) == 0) {
        oracle_violation(PROMISE_VERDICT,
                         "an address is told to be live at two clients: it was not");
    }
}

static void check_report(const struct oracle_end *end)
{
    char path[PATH_BYTES];
    json_error_t error;
    (void)snprintf(path, sizeof(path), "%s/report.json", end->dir);
    json_t *report = json_load_file(path, 0, &error);
    if (report == NULL) {
        if (!end->may_be_refused && !end->had_disk_error) {
            oracle_violation(PROMISE_VERDICT, "exit code %d, and no report: %s", end->exit_code,
                             error.text);
        }
        return;
    }
    if (!end->had_disk_error) {
        check_leases(report);
    }
    bool is_whole = !end->lost_agent && !end->may_be_incomplete && end->exit_code != 4 &&
                    end->exit_code != EXIT_INTERNAL;
    if (is_whole || end->exit_code == EXIT_PASS) {
        check_proof(report);
    }
    if (is_whole) {
        check_duplicates(report);
    }
    json_decref(report);
}

void oracle_run_ended(const struct oracle_end *end)
{
    bool has_ledger = read_ledger(end->dir, end->had_disk_error);
    for (size_t i = 0; i < oracle_stream_count(); i++) {
        const struct oracle_stream *s = oracle_stream(i);
        if (memcmp(s->run_id, oracle_run_id(), PLAN_RUN_ID_BYTES) == 0) {
            check_stream(s);
            check_final(s);
            if (!has_ledger && s->acked > 0) {
                oracle_violation(PROMISE_ACKED_IS_KEPT, "there is no ledger");
            }
        }
    }
    check_ends();
    if (!end->was_killed) {
        check_report(end);
        bool is_known = (end->exit_code >= 0 && end->exit_code <= 1) ||
                        (end->exit_code >= 3 && end->exit_code <= EXIT_INTERNAL);
        if (!is_known || (end->exit_code == EXIT_INTERNAL && !end->had_disk_error)) {
            oracle_violation(PROMISE_VERDICT, "exit code %d", end->exit_code);
        }
        if (!end->is_disturbed && plot.is_plain && end->exit_code != EXIT_PASS) {
            oracle_violation(PROMISE_VERDICT, "exit code %d, and nothing was wrong",
                             end->exit_code);
        }
    }
}
