/* SPDX-License-Identifier: MIT */
#include "tests/support/ledger_bed.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int set_up(void **state)
{
    struct ledger_bed *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    ledger_bed_init(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct ledger_bed *f = *state;
    ledger_bed_fini(f);
    free(f);
    return 0;
}

static struct event event_of(uint32_t client, uint64_t t_us)
{
    return (struct event){
        .t_us = t_us,
        .client = client,
        .xid = 0xfedcba98,
        .lease_s = 60,
        .offer_us = EVENT_SPAN_NONE,
        .took_us = 1500,
        .wait_us = 1600,
        .addr = inet_from_host(0xfffffffe),
        .server = inet_from_host(0x0a000001),
        .tries = 2,
        .flags = EVENT_FIRST_LEASE,
        .kind = EVENT_ACQUIRE,
        .result = EVENT_ACK,
        .stage = 3,
    };
}

static void create(struct ledger_bed *f)
{
    assert_int_equal(ledger_create(f->path, "run-1", &f->ledger), 0);
    assert_int_equal(ledger_add_agent(f->ledger, 0, "a1", UINT64_MAX), 0);
    assert_int_equal(ledger_add_agent(f->ledger, 7, "a2", 1), 0);
}

static void an_existing_file_is_never_overwritten(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct ledger *second = NULL;
    assert_int_equal(ledger_create(f->path, "run-2", &second), -EEXIST);
    assert_null(second);
}

static void a_directory_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct ledger *none = NULL;
    assert_int_equal(ledger_create("/nowhere/ledger.db", "run", &none), -ENOENT);
    assert_int_equal(ledger_open("/nowhere/ledger.db", &none), -ENOENT);
}

static void a_file_that_is_no_ledger_is_refused(void **state)
{
    struct ledger_bed *f = *state;
    FILE *out = fopen(f->path, "w");
    assert_non_null(out);
    for (int i = 0; i < 2000; i++) {
        (void)fputs("no database ", out);
    }
    (void)fclose(out);
    struct ledger *none = NULL;
    assert_int_equal(ledger_open(f->path, &none), -EBADMSG);

    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0); /* nobody writes it */
    assert_int_equal(ledger_open(f->path, &none), -EBADMSG);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(ledger_open(f->path, &none), -ENOENT);
    out = fopen(f->path, "w");
    assert_non_null(out);
    (void)fclose(out);
    assert_int_equal(truncate(f->path, 0), 0); /* an empty file is an empty database */
    assert_int_equal(ledger_open(f->path, &none), -EBADMSG);
}

static void alter(const struct ledger_bed *f, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        print_error("%s: %s\n", sql, why);
        fail();
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define ENDLESS(columns)                                                                           \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT " columns " FROM n"

/* A stranger's ledger may not keep us for ever: where it has no table, it is none. */
static void a_ledger_whose_tables_are_none_is_refused(void **state)
{
    struct ledger_bed *f = *state;
    static const char *const rows[] = {
        "DROP TABLE stream; CREATE VIEW stream AS " ENDLESS(
            "1 AS agent, 1 AS committed_seq, 1 AS events, 1 AS duplicates"),
        "DROP TABLE agent; CREATE VIEW agent AS " ENDLESS("0 AS agent, 'x' AS name"),
        "DROP TABLE clock; CREATE VIEW Clock AS " ENDLESS(
            "-1 AS agent, 0 AS agent_us, 0 AS offset_us"),
        "DROP TABLE event; CREATE VIEW event AS " ENDLESS("0 AS agent, i AS t_us"),
        "DROP TABLE event",
        "DROP TABLE agent; CREATE VIRTUAL TABLE agent USING fts4(name)",
        "DROP TABLE agent; CREATE TABLE agent (agent, name AS (hex(zeroblob(400000000 + agent))))",
        "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = 'CREATE VIEW stream "
        "AS " ENDLESS(
            "1 AS agent, 1 AS committed_seq, 1 AS events, 1 AS duplicates") "' WHERE name = "
                                                                            "'stream'",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        create(f);
        assert_int_equal(ledger_finish(f->ledger), 0);
        ledger_close(f->ledger);
        f->ledger = NULL;
        alter(f, "DROP VIEW readable");
        alter(f, rows[i]);
        struct ledger *none = NULL;
        (void)alarm(20); /* what never ends fails all the same */
        int error = ledger_open(f->path, &none);
        (void)alarm(0);
        if (error == 0) {
            print_error("row %zu was opened\n", i);
        }
        assert_true(error < 0);
        assert_int_equal(unlink(f->path), 0);
    }
}

static void a_gap_is_refused_and_adds_nothing(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct event e = event_of(1, 10);
    assert_int_equal(ledger_append(f->ledger, 0, 2, &e, 1), -EPROTO);
    assert_int_equal(ledger_pending(f->ledger), 0);
    assert_non_null(strstr(ledger_why(f->ledger), "batch 2"));
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e, 1), 1);
    assert_int_equal(ledger_append(f->ledger, 0, 3, &e, 1), -EPROTO);
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(ledger_committed(f->ledger, 0), 1);
}

static void a_batch_that_comes_twice_is_counted_and_dropped(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct event e[2] = {event_of(1, 10), event_of(2, 11)};
    assert_int_equal(ledger_append(f->ledger, 0, 1, e, 2), 1);
    assert_int_equal(ledger_append(f->ledger, 0, 1, e, 2), 0); /* still uncommitted */
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(ledger_append(f->ledger, 0, 1, e, 2), 0);
    struct ledger_totals totals = ledger_totals(f->ledger, 0);
    assert_int_equal(totals.events, 2);
    assert_int_equal(totals.duplicates_dropped, 4);
    assert_int_equal(ledger_totals(f->ledger, 7).events, 0);
}

static void nothing_is_committed_before_the_commit(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct event e = event_of(1, 10);
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e, 1), 1);
    assert_int_equal(ledger_pending(f->ledger), 1);
    assert_int_equal(ledger_committed(f->ledger, 0), 0);
    assert_int_equal(ledger_totals(f->ledger, 0).events, 0);
    ledger_close(f->ledger); /* as a crash would */
    f->ledger = NULL;
    struct ledger *again = NULL;
    assert_int_equal(ledger_open(f->path, &again), 0);
    assert_int_equal(ledger_committed(again, 0), 0);
    ledger_close(again);
}

static void agents_streams_are_apart(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct event e = event_of(1, 10);
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e, 1), 1);
    assert_int_equal(ledger_append(f->ledger, 7, 1, &e, 1), 1);
    assert_int_equal(ledger_append(f->ledger, 7, 2, &e, 1), 1);
    assert_int_equal(ledger_pending(f->ledger), 3);
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(ledger_pending(f->ledger), 0);
    assert_int_equal(ledger_committed(f->ledger, 0), 1);
    assert_int_equal(ledger_committed(f->ledger, 7), 2);
}

struct seen {
    size_t count, stop_after;
    struct event event[8];
    int64_t run_us[8];
    char agent[8][16];
};

static bool see(void *context, const char *agent, const struct event *e, int64_t run_us)
{
    struct seen *seen = context;
    assert_true(seen->count < 8);
    seen->event[seen->count] = *e;
    seen->run_us[seen->count] = run_us;
    (void)snprintf(seen->agent[seen->count], sizeof(seen->agent[0]), "%s", agent);
    seen->count++;
    return seen->count != seen->stop_after;
}

static void assert_same_event(const struct event *a, const struct event *b)
{
    assert_int_equal(a->t_us, b->t_us);
    assert_int_equal(a->client, b->client);
    assert_int_equal(a->xid, b->xid);
    assert_int_equal(a->lease_s, b->lease_s);
    assert_int_equal(a->offer_us, b->offer_us);
    assert_int_equal(a->took_us, b->took_us);
    assert_int_equal(a->wait_us, b->wait_us);
    assert_int_equal(a->addr.be, b->addr.be);
    assert_int_equal(a->server.be, b->server.be);
    assert_int_equal(a->tries, b->tries);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->result, b->result);
    assert_int_equal(a->stage, b->stage);
}

static void what_was_written_is_read_back_in_order(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct event e[3] = {event_of(1, 1000), event_of(UINT32_MAX, 2000), event_of(3, 9000)};
    e[2].kind = EVENT_EXPIRE;
    e[2].result = EVENT_ENDED;
    assert_int_equal(ledger_append(f->ledger, 7, 1, &e[0], 1), 1);
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e[1], 2), 1);
    assert_int_equal(ledger_add_clock(f->ledger, 7, 500, -900, 20), 0);
    assert_int_equal(ledger_add_clock(f->ledger, 0, 100, 5, 10), 0);
    assert_int_equal(ledger_add_clock(f->ledger, 0, 5000, 54, 10), 0);
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e[1], 2), 0);
    assert_int_equal(ledger_finish(f->ledger), 0);
    ledger_close(f->ledger);
    f->ledger = NULL;

    assert_int_equal(ledger_open(f->path, &f->ledger), 0);
    struct seen seen = {0};
    assert_int_equal(ledger_walk(f->ledger, see, &seen), 0);
    assert_int_equal(seen.count, 3);
    assert_same_event(&seen.event[0], &e[0]);
    assert_same_event(&seen.event[1], &e[1]);
    assert_same_event(&seen.event[2], &e[2]);
    assert_string_equal(seen.agent[0], "a2");
    assert_string_equal(seen.agent[1], "a1");
    assert_int_equal(seen.run_us[0], 100);
    assert_int_equal(seen.run_us[1], 2024); /* between the samples: on the line */
    assert_int_equal(seen.run_us[2], 9054); /* the last sample's offset */
    assert_int_equal(ledger_totals(f->ledger, 0).duplicates_dropped, 2);

    struct seen first = {.stop_after = 1};
    assert_int_equal(ledger_walk(f->ledger, see, &first), 0);
    assert_int_equal(first.count, 1);
}

/* More columns than ours, in another order: those are read that are named. */
static void columns_are_read_by_their_names(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct event e = event_of(5, 10);
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e, 1), 1);
    assert_int_equal(ledger_finish(f->ledger), 0);
    ledger_close(f->ledger);
    f->ledger = NULL;
    alter(f, "ALTER TABLE event RENAME TO old; CREATE TABLE event AS SELECT 9 AS more, client,"
             " agent, t_us, kind, result, stage, flags, tries, xid, addr, server, lease_s,"
             " offer_us, took_us, wait_us FROM old");
    assert_int_equal(ledger_open(f->path, &f->ledger), 0);
    struct seen seen = {0};
    assert_int_equal(ledger_walk(f->ledger, see, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_same_event(&seen.event[0], &e);
}

static void a_finished_ledger_is_one_file(void **state)
{
    struct ledger_bed *f = *state;
    create(f);
    struct event e = event_of(1, 10);
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e, 1), 1);
    assert_int_equal(ledger_finish(f->ledger), 0);
    assert_int_equal(ledger_committed(f->ledger, 0), 1);
    char path[112];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s-wal", f->path);
    assert_int_equal(stat(path, &st), -1);
}

/* A tmpfs of 300 KiB: the first failed write is told, nothing half-written is ever counted. */
static void a_full_disk_is_told_and_rolls_back(void **state)
{
    struct ledger_bed *f = *state;
    char dir[80];
    (void)snprintf(dir, sizeof(dir), "%s/small", f->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=300k") < 0) {
        (void)rmdir(dir);
        print_message("not root: the full disk is not tested\n");
        return;
    }
    char path[112];
    (void)snprintf(path, sizeof(path), "%s/ledger.db", dir);
    struct ledger *ledger = NULL;
    assert_int_equal(ledger_create(path, "run", &ledger), 0);
    assert_int_equal(ledger_add_agent(ledger, 0, "a1", 1), 0);
    struct event e[500];
    for (uint32_t i = 0; i < 500; i++) {
        e[i] = event_of(i, i);
    }
    int error = 0;
    uint64_t seq = 0, committed = 0;
    while (error >= 0 && seq < 1000) {
        committed = seq;
        seq++;
        error = ledger_append(ledger, 0, seq, e, 500);
        error = error < 0 ? error : ledger_commit(ledger);
    }
    assert_int_equal(error, -ENOSPC);
    assert_true(committed > 0);
    assert_int_equal(ledger_committed(ledger, 0), committed);
    assert_int_equal(ledger_totals(ledger, 0).events, 500 * committed);
    assert_int_equal(ledger_pending(ledger), 0);
    assert_non_null(strstr(ledger_why(ledger), "No space left"));
    ledger_close(ledger);
    assert_int_equal(umount2(dir, MNT_DETACH), 0);
    (void)rmdir(dir);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_existing_file_is_never_overwritten),
        TEST(a_directory_that_is_not_there_is_told),
        TEST(a_file_that_is_no_ledger_is_refused),
        TEST(a_ledger_whose_tables_are_none_is_refused),
        TEST(columns_are_read_by_their_names),
        TEST(a_gap_is_refused_and_adds_nothing),
        TEST(a_batch_that_comes_twice_is_counted_and_dropped),
        TEST(nothing_is_committed_before_the_commit),
        TEST(agents_streams_are_apart),
        TEST(what_was_written_is_read_back_in_order),
        TEST(a_finished_ledger_is_one_file),
        TEST(a_full_disk_is_told_and_rolls_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
