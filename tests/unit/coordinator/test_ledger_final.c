/* SPDX-License-Identifier: MIT */
/* Final counters, kept and read again; rows that nobody writes are refused. */
#include "tests/support/ledger_bed.h"

#include <errno.h>
#include <string.h>

#include "coordinator/truth/ledger_final.h"

struct fixture {
    struct ledger_bed bed;
    struct snapshot snapshot;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    ledger_bed_init(&f->bed);
    assert_int_equal(ledger_create(f->bed.path, "run-1", &f->bed.ledger), 0);
    assert_int_equal(ledger_add_agent(f->bed.ledger, 0, "a1", 1), 0);
    assert_int_equal(ledger_add_agent(f->bed.ledger, 1, "a2", 2), 0);
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        f->snapshot.counter[c] = 1000 + c;
    }
    f->snapshot.is_final = true;
    f->snapshot.last_batch_seq = 7;
    f->snapshot.server[1] = (struct snapshot_server){11, 12, 13};
    struct snapshot_packets *p = &f->snapshot.packets[1];
    p->count[PACKET_sent_renew] = 4711;
    p->count[PACKET_mask_not_subnet] = 3;
    p->low_port[0] = UINT64_C(0x8000000180000001);
    p->low_port[7] = UINT64_C(1) << 63;
    p->wrong_source = inet_from_host(0xa9fe6301);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    ledger_bed_fini(&f->bed);
    free(f);
    return 0;
}

static void add(struct fixture *f, uint32_t agent, int64_t run_us)
{
    const struct ledger_instant at = {.run_us = run_us, .wall_s = 1700000000};
    assert_int_equal(ledger_add_final(f->bed.ledger, agent, &f->snapshot, 2, &at), 0);
}

static void reopen(struct fixture *f)
{
    assert_int_equal(ledger_finish(f->bed.ledger), 0);
    ledger_close(f->bed.ledger);
    f->bed.ledger = NULL;
    assert_int_equal(ledger_open(f->bed.path, &f->bed.ledger), 0);
}

static void what_was_kept_is_read_again(void **state)
{
    struct fixture *f = *state;
    struct ledger_final finals[2];
    add(f, 1, -5);
    f->snapshot.counter[COUNTER_events] = 42; /* said again after the connection broke */
    add(f, 1, -4);
    assert_true(ledger_pending(f->bed.ledger) > 0);
    reopen(f);
    assert_int_equal(ledger_read_finals(f->bed.ledger, finals, 2), 0);
    assert_false(finals[0].is_known);
    assert_true(finals[1].is_known);
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        assert_true(finals[1].has_counter[c]);
        assert_int_equal(finals[1].counter[c], f->snapshot.counter[c]);
        assert_false(finals[0].has_counter[c]);
    }
    assert_true(finals[1].has_last_batch_seq && finals[1].last_batch_seq == 7);
    assert_true(finals[1].has_instant && finals[1].at.run_us == -4);
    assert_int_equal(finals[1].at.wall_s, 1700000000);
    assert_true(finals[1].has_server[0] && finals[1].has_server[1] && !finals[1].has_server[2]);
    assert_int_equal(finals[1].server[1].offers, 11);
    assert_int_equal(finals[1].server[1].acks, 12);
    assert_int_equal(finals[1].server[1].naks, 13);
    for (unsigned i = 0; i < PLAN_SERVERS_MAX; i++) {
        assert_memory_equal(finals[1].packets[i].count, f->snapshot.packets[i].count,
                            sizeof(finals[1].packets[i].count));
        assert_memory_equal(finals[1].packets[i].low_port, f->snapshot.packets[i].low_port,
                            sizeof(finals[1].packets[i].low_port));
    }
    assert_int_equal(inet_host(finals[1].packets[1].wrong_source), 0xa9fe6301);
}

static void rows_that_no_coordinator_writes_are_refused(void **state)
{
    static const char *const rows[] = {
        "INSERT INTO final_counter VALUES (2, 'events', 1)",
        "INSERT INTO final_counter VALUES (-1, 'events', 1)",
        "UPDATE final_counter SET value = -1 WHERE name = 'events'",
        "UPDATE final_counter SET value = 'many' WHERE name = 'events'",
        "UPDATE final_counter SET value = 4e18 WHERE name = 'came.run_us'",
        "UPDATE final_counter SET value = 9223372036854775807 WHERE name = 'came.wall_s'",
        "INSERT INTO final_counter VALUES (0, 'packets.1.acks', -1)",
        "INSERT INTO final_server VALUES (0, 16, 1, 1, 1)",
        "INSERT INTO final_server VALUES (3, 0, 1, 1, 1)",
        "UPDATE final_server SET acks = -1 WHERE server = 1",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ledger_final finals[2];
        struct fixture *f;
        void *own = NULL;
        sqlite3 *db = NULL;
        assert_int_equal(set_up(&own), 0);
        f = own;
        add(f, 0, 1);
        reopen(f);
        ledger_close(f->bed.ledger);
        f->bed.ledger = NULL;
        assert_int_equal(sqlite3_open(f->bed.path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, rows[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(ledger_open(f->bed.path, &f->bed.ledger), 0);
        if (ledger_read_finals(f->bed.ledger, finals, 2) != -EBADMSG) {
            print_message("%s\n", rows[i]);
            fail();
        }
        tear_down(&own);
    }
    (void)state;
}

static void names_that_no_packet_has_change_nothing(void **state)
{
    struct fixture *f = *state;
    static struct ledger_final finals[2];
    static const struct snapshot_packets none;
    static const char *const names[] = {"packets.16.acks", "packets.1.aks",   "ports.1.16",
                                        "ports.1.x",       "source.99.wrong", "packets",
                                        "packets..acks",   "ports.1.3.3.3"};
    memset(f->snapshot.packets, 0, sizeof(f->snapshot.packets));
    add(f, 0, 1);
    reopen(f);
    ledger_close(f->bed.ledger);
    f->bed.ledger = NULL;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->bed.path, &db), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char text[160];
        (void)snprintf(text, sizeof(text), "INSERT INTO final_counter VALUES (0, '%s', 5)",
                       names[i]);
        assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(ledger_open(f->bed.path, &f->bed.ledger), 0);
    assert_int_equal(ledger_read_finals(f->bed.ledger, finals, 2), 0);
    for (unsigned i = 0; i < PLAN_SERVERS_MAX; i++) {
        assert_memory_equal(&finals[0].packets[i], &none, sizeof(none));
    }
}

static void a_view_in_place_of_a_table_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"final_counter", "final_server"};
    ledger_close(f->bed.ledger);
    f->bed.ledger = NULL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char sql[400];
        sqlite3 *db = NULL;
        (void)snprintf(sql, sizeof(sql),
                       "ALTER TABLE %s RENAME TO other; CREATE VIEW %s AS WITH RECURSIVE n(i) AS "
                       "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 0 AS agent FROM n",
                       names[i], names[i]);
        assert_int_equal(sqlite3_open(f->bed.path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(ledger_open(f->bed.path, &f->bed.ledger), -EBADMSG);
        (void)snprintf(sql, sizeof(sql), "DROP VIEW %s; ALTER TABLE other RENAME TO %s", names[i],
                       names[i]);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_kept_is_read_again, set_up, tear_down),
        cmocka_unit_test(rows_that_no_coordinator_writes_are_refused),
        cmocka_unit_test_setup_teardown(names_that_no_packet_has_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_view_in_place_of_a_table_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
