/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/run/run_found.h"
#include "coordinator/truth/ledger_journal.h"

struct fixture {
    char dir[64];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_run_found_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    *state = f;
    return 0;
}

static const char *name_in(const struct fixture *f, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", f->dir, name);
    return out;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"scenario.yaml", "report.json",   "coordinator.log",
                                        "ledger.db",     "ledger.db-wal", "ledger.db-shm",
                                        "other.txt"};
    struct fixture *f = *state;
    char path[128];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unlink(name_in(f, names[i], path));
    }
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    char path[128];
    FILE *file = fopen(name_in(f, name, path), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A ledger with events of the preflight, and the entry if there is one. */
static void put_ledger(const struct fixture *f, const enum journal_kind *kind)
{
    const struct event e = {.t_us = 1, .client = 0, .result = EVENT_ACK, .flags = EVENT_PREFLIGHT};
    struct ledger *ledger = NULL;
    char path[128];
    assert_int_equal(ledger_create(name_in(f, "ledger.db", path), "run-1", &ledger), 0);
    assert_int_equal(ledger_add_agent(ledger, 0, "a1", 1), 0);
    assert_int_equal(ledger_append(ledger, 0, 1, &e, 1), 1);
    if (kind != NULL) {
        const struct journal_entry entry = {.kind = *kind};
        const struct journal_entry later = {.kind = JOURNAL_DRAIN};
        assert_int_equal(ledger_note(ledger, &entry), 0);
        assert_int_equal(ledger_note(ledger, &later), 0);
    }
    assert_int_equal(ledger_commit(ledger), 0);
    ledger_close(ledger);
}

static void what_is_no_run_is_none(void **state)
{
    const struct fixture *f = *state;
    assert_int_equal(run_found("/nowhere/at/all"), RUN_FOUND_NONE);
    assert_int_equal(run_found(f->dir), RUN_FOUND_NONE);
    put(f, "other.txt", "");
    assert_int_equal(run_found(f->dir), RUN_FOUND_NONE);
}

static void a_run_without_load_is_unbegun(void **state)
{
    const struct fixture *f = *state;
    const enum journal_kind refused = JOURNAL_OUTCOME;
    put(f, "coordinator.log", "");
    assert_int_equal(run_found(f->dir), RUN_FOUND_UNBEGUN);
    put(f, "scenario.yaml", "");
    assert_int_equal(run_found(f->dir), RUN_FOUND_UNBEGUN);
    put_ledger(f, &refused);
    assert_int_equal(run_found(f->dir), RUN_FOUND_UNBEGUN);
}

static void a_ledger_of_a_preflight_only_is_unbegun(void **state)
{
    const struct fixture *f = *state;
    put_ledger(f, NULL);
    assert_int_equal(run_found(f->dir), RUN_FOUND_UNBEGUN);
}

static void a_run_whose_load_had_begun_was_cut_off_or_has_its_report(void **state)
{
    const struct fixture *f = *state;
    const enum journal_kind begun = JOURNAL_STAGE_BEGIN;
    put_ledger(f, &begun);
    assert_int_equal(run_found(f->dir), RUN_FOUND_CUT_OFF);
    put(f, "report.json", "{}");
    assert_int_equal(run_found(f->dir), RUN_FOUND_REPORTED);
}

static void what_a_damaged_ledger_held_is_unknown(void **state)
{
    const struct fixture *f = *state;
    put(f, "scenario.yaml", "");
    put(f, "ledger.db", "no ledger at all, but long enough to be looked at");
    assert_int_equal(run_found(f->dir), RUN_FOUND_UNKNOWN);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_is_no_run_is_none),
        CASE(a_run_without_load_is_unbegun),
        CASE(a_ledger_of_a_preflight_only_is_unbegun),
        CASE(a_run_whose_load_had_begun_was_cut_off_or_has_its_report),
        CASE(what_a_damaged_ledger_held_is_unknown),
    };
    return cmocka_run_group_tests_name("run_found", tests, NULL, NULL);
}
