/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/ledger_final.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/truth/ledger_db.h"

enum { NAME_BYTES = 64, HALF_WORDS = 2 * SNAPSHOT_LOW_PORT_WORDS };

/* Beside the counters' own names, which have a '_' where these have a '.'. */
static const char name_last_batch[] = "stream.last_batch_seq";
static const char name_run_us[] = "came.run_us";
static const char name_wall_s[] = "came.wall_s";

static int put(struct ledger *ledger, sqlite3_stmt *s, uint32_t agent, const char *name,
               int64_t value)
{
    (void)sqlite3_bind_int64(s, 1, agent);
    (void)sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 3, value);
    return ledger_step(ledger, s, "keeping an agent's final counters");
}

static int put_counters(struct ledger *ledger, uint32_t agent, const struct snapshot *final,
                        const struct ledger_instant *at)
{
    sqlite3_stmt *s = NULL;
    int error =
        ledger_prepare(ledger, "INSERT OR REPLACE INTO final_counter VALUES (?1, ?2, ?3)", &s);
    for (unsigned c = 0; error == 0 && c < COUNTER_COUNT; c++) {
        error = put(ledger, s, agent, snapshot_counter_name((enum snapshot_counter)c),
                    (int64_t) final->counter[c]);
    }
    if (error == 0) {
        error = put(ledger, s, agent, name_last_batch, (int64_t) final->last_batch_seq);
    }
    if (error == 0) {
        error = put(ledger, s, agent, name_run_us, at->run_us);
    }
    if (error == 0) {
        error = put(ledger, s, agent, name_wall_s, (int64_t)at->wall_s);
    }
    (void)sqlite3_finalize(s);
    return error;
}

/* Numbers that may be 0 are left out, and half words are never negative. */
static int put_numbered(struct ledger *ledger, sqlite3_stmt *s, uint32_t agent, const char *what,
                        uint32_t server, const char *which, uint64_t value)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof(name), "%s.%u.%s", what, (unsigned)server, which);
    return value == 0 ? 0 : put(ledger, s, agent, name, (int64_t)value);
}

static int put_packets_of(struct ledger *ledger, sqlite3_stmt *s, uint32_t agent, uint32_t server,
                          const struct snapshot_packets *p)
{
    int error =
        put_numbered(ledger, s, agent, "source", server, "wrong", inet_host(p->wrong_source));
    for (unsigned i = 0; error == 0 && i < PACKET_COUNT; i++) {
        const char *name = snapshot_packet_name((enum snapshot_packet)i);
        error = put_numbered(ledger, s, agent, "packets", server, name, p->count[i]);
    }
    for (unsigned i = 0; error == 0 && i < HALF_WORDS; i++) {
        char which[NAME_BYTES / 4];
        (void)snprintf(which, sizeof(which), "%u", i);
        error = put_numbered(ledger, s, agent, "ports", server, which,
                             p->low_port[i / 2] >> (i % 2 * 32) & UINT32_MAX);
    }
    return error;
}

static int put_packets(struct ledger *ledger, uint32_t agent, const struct snapshot *final,
                       uint32_t server_count)
{
    sqlite3_stmt *s = NULL;
    int error =
        ledger_prepare(ledger, "INSERT OR REPLACE INTO final_counter VALUES (?1, ?2, ?3)", &s);
    for (uint32_t i = 0; error == 0 && i < server_count; i++) {
        error = put_packets_of(ledger, s, agent, i, &final->packets[i]);
    }
    (void)sqlite3_finalize(s);
    return error;
}

static int put_servers(struct ledger *ledger, uint32_t agent, const struct snapshot *final,
                       uint32_t server_count)
{
    sqlite3_stmt *s = NULL;
    int error = ledger_prepare(
        ledger, "INSERT OR REPLACE INTO final_server VALUES (?1, ?2, ?3, ?4, ?5)", &s);
    for (uint32_t i = 0; error == 0 && i < server_count; i++) {
        const struct snapshot_server *server = &final->server[i];
        (void)sqlite3_bind_int64(s, 1, agent);
        (void)sqlite3_bind_int64(s, 2, i);
        (void)sqlite3_bind_int64(s, 3, (sqlite3_int64)server->offers);
        (void)sqlite3_bind_int64(s, 4, (sqlite3_int64)server->acks);
        (void)sqlite3_bind_int64(s, 5, (sqlite3_int64)server->naks);
        error = ledger_step(ledger, s, "keeping an agent's final counters");
    }
    (void)sqlite3_finalize(s);
    return error;
}

int ledger_add_final(struct ledger *ledger, uint32_t agent, const struct snapshot *final,
                     uint32_t server_count, const struct ledger_instant *at)
{
    assert(agent < LEDGER_AGENTS_MAX && server_count <= PLAN_SERVERS_MAX);

    int error = ledger_begin(ledger);
    if (error == 0) {
        error = put_counters(ledger, agent, final, at);
    }
    if (error == 0) {
        error = put_servers(ledger, agent, final, server_count);
    }
    if (error == 0) {
        error = put_packets(ledger, agent, final, server_count);
    }
    if (error < 0) {
        ledger_roll_back(ledger);
        return error;
    }
    ledger->pending++;
    return 0;
}

/* --- to read --- */

/* "packets.1.sent_renew", "ports.1.15", "source.1.wrong"; others are none of ours. */
static void take_numbered(struct ledger_final *f, const char *name, uint64_t value)
{
    char what[NAME_BYTES], which[NAME_BYTES];
    unsigned server, half;
    char rest;
    if (sscanf(name, "%63[a-z].%2u.%63s", what, &server, which) != 3 ||
        server >= PLAN_SERVERS_MAX) {
        return;
    }
    struct snapshot_packets *p = &f->packets[server];
    if (strcmp(what, "source") == 0 && value <= UINT32_MAX) {
        p->wrong_source = inet_from_host((uint32_t)value);
    } else if (strcmp(what, "ports") == 0 && value <= UINT32_MAX &&
               sscanf(which, "%2u%c", &half, &rest) == 1 && half < HALF_WORDS) {
        p->low_port[half / 2] |= value << (half % 2 * 32);
    }
    for (unsigned i = 0; strcmp(what, "packets") == 0 && i < PACKET_COUNT; i++) {
        if (strcmp(which, snapshot_packet_name((enum snapshot_packet)i)) == 0) {
            p->count[i] = value;
        }
    }
}

static void take_counter(struct ledger_final *f, const char *name, int64_t value)
{
    if (strcmp(name, name_last_batch) == 0) {
        f->has_last_batch_seq = true;
        f->last_batch_seq = (uint64_t)value;
    } else if (strcmp(name, name_run_us) == 0) {
        f->at.run_us = value;
    } else if (strcmp(name, name_wall_s) == 0) {
        f->has_instant = true;
        f->at.wall_s = (uint64_t)value;
    }
    if (strchr(name, '.') != NULL) {
        take_numbered(f, name, (uint64_t)value);
        return;
    }
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if (strcmp(name, snapshot_counter_name((enum snapshot_counter)c)) == 0) {
            f->has_counter[c] = true;
            f->counter[c] = (uint64_t)value;
        }
    }
}

/* Times small enough that sums of a few stay numbers: 36,000 years. */
static bool is_possible(const char *name, int64_t value)
{
    const int64_t most = INT64_C(1) << 60;
    if (strcmp(name, name_run_us) == 0) {
        return value > -most && value < most;
    }
    return value >= 0 && (strcmp(name, name_wall_s) != 0 || value < most);
}

/* The row's agent; NULL: there is none of that number. */
static struct ledger_final *final_of(sqlite3_stmt *s, struct ledger_final *out, size_t count)
{
    sqlite3_int64 agent = sqlite3_column_int64(s, 0);
    return agent >= 0 && (uint64_t)agent < count ? &out[agent] : NULL;
}

static int read_counters(struct ledger *ledger, struct ledger_final *out, size_t count)
{
    sqlite3_stmt *s = NULL;
    int error = ledger_prepare(ledger, "SELECT agent, name, value FROM final_counter", &s);
    int code = SQLITE_DONE;
    while (error == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct ledger_final *f = final_of(s, out, count);
        const char *name = (const char *)sqlite3_column_text(s, 1);
        int64_t value = sqlite3_column_int64(s, 2);
        if (f == NULL || name == NULL || sqlite3_column_type(s, 2) != SQLITE_INTEGER ||
            !is_possible(name, value)) {
            error = -EBADMSG;
            break;
        }
        f->is_known = true;
        take_counter(f, name, value);
    }
    if (error == 0 && code != SQLITE_DONE) {
        error = ledger_fail(ledger, "reading the final counters");
    }
    (void)sqlite3_finalize(s);
    return error;
}

static int read_servers(struct ledger *ledger, struct ledger_final *out, size_t count)
{
    sqlite3_stmt *s = NULL;
    int error =
        ledger_prepare(ledger, "SELECT agent, server, offers, acks, naks FROM final_server", &s);
    int code = SQLITE_DONE;
    while (error == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct ledger_final *f = final_of(s, out, count);
        sqlite3_int64 server = sqlite3_column_int64(s, 1);
        if (f == NULL || server < 0 || server >= PLAN_SERVERS_MAX ||
            sqlite3_column_int64(s, 2) < 0 || sqlite3_column_int64(s, 3) < 0 ||
            sqlite3_column_int64(s, 4) < 0) {
            error = -EBADMSG;
            break;
        }
        f->has_server[server] = true;
        f->server[server] = (struct snapshot_server){.offers = (uint64_t)sqlite3_column_int64(s, 2),
                                                     .acks = (uint64_t)sqlite3_column_int64(s, 3),
                                                     .naks = (uint64_t)sqlite3_column_int64(s, 4)};
    }
    if (error == 0 && code != SQLITE_DONE) {
        error = ledger_fail(ledger, "reading the final counters");
    }
    (void)sqlite3_finalize(s);
    return error;
}

int ledger_read_finals(struct ledger *ledger, struct ledger_final *out, size_t count)
{
    memset(out, 0, count * sizeof(*out));
    int error = read_counters(ledger, out, count);
    return error == 0 ? read_servers(ledger, out, count) : error;
}
