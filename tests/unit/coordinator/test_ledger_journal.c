/* SPDX-License-Identifier: MIT */
#include "tests/support/ledger_bed.h"

#include <errno.h>
#include <string.h>

#include "coordinator/truth/ledger_journal.h"

static int set_up(void **state)
{
    struct ledger_bed *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    ledger_bed_init(f);
    assert_int_equal(ledger_create(f->path, "run-1", &f->ledger), 0);
    assert_int_equal(ledger_add_agent(f->ledger, 0, "a1", UINT64_MAX), 0);
    assert_int_equal(ledger_add_agent(f->ledger, 1, "a2", 7), 0);
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

/* As a coordinator that is killed: what is not committed is gone. */
static int reopen(struct ledger_bed *f)
{
    ledger_close(f->ledger);
    f->ledger = NULL;
    return ledger_reopen(f->path, &f->ledger);
}

static void add_events(struct ledger_bed *f, uint32_t agent, uint64_t seq, uint32_t client)
{
    const struct event e = {.t_us = 1000 * seq, .client = client, .result = EVENT_ACK};
    assert_int_equal(ledger_append(f->ledger, agent, seq, &e, 1), 1);
}

static void note(struct ledger_bed *f, enum journal_kind kind, uint64_t a, const char *text)
{
    const struct journal_entry entry = {.kind = kind, .run_us = -5, .a = a, .text = {text}};
    assert_int_equal(ledger_note(f->ledger, &entry), 0);
}

/* What a replay tells, in one line. */
struct story {
    char text[1024];
};

static void tell(struct story *story, const char *word, uint64_t number, const char *text)
{
    size_t at = strlen(story->text);
    (void)snprintf(story->text + at, sizeof(story->text) - at, "%s%llu%s ", word,
                   (unsigned long long)number, text);
}

static bool on_event(void *context, uint32_t agent, const struct event *e, int64_t run_us,
                     uint64_t uncertainty_us)
{
    (void)agent;
    (void)run_us;
    (void)uncertainty_us;
    tell(context, "e", e->client, "");
    return e->client != 99;
}

static bool on_entry(void *context, const struct journal_entry *e)
{
    tell(context, "j", e->a, e->text[0] == NULL ? "" : e->text[0]);
    return true;
}

static int replay(struct ledger_bed *f, struct story *story)
{
    *story = (struct story){{0}};
    const struct ledger_replay to = {.context = story, .event = on_event, .entry = on_entry};
    return ledger_replay(f->ledger, &to);
}

static void what_was_not_committed_did_not_happen(void **state)
{
    struct ledger_bed *f = *state;
    struct story story;
    add_events(f, 0, 1, 10);
    note(f, JOURNAL_MARK, 1, "kept");
    assert_int_equal(ledger_commit(f->ledger), 0);
    add_events(f, 0, 2, 11);
    note(f, JOURNAL_MARK, 2, "gone");
    assert_int_equal(reopen(f), 0);
    assert_int_equal(replay(f, &story), 0);
    assert_string_equal(story.text, "e10 j1kept ");
    assert_int_equal(ledger_committed(f->ledger, 0), 1);
}

static void decisions_stand_in_their_place_among_events(void **state)
{
    struct ledger_bed *f = *state;
    struct story story;
    note(f, JOURNAL_START, 1, NULL);
    add_events(f, 0, 1, 10);
    add_events(f, 1, 1, 20);
    note(f, JOURNAL_STEP, 2, NULL);
    assert_int_equal(ledger_commit(f->ledger), 0);
    add_events(f, 0, 2, 11);
    note(f, JOURNAL_MARK, 3, "so\x1b[2J\n");
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(reopen(f), 0);
    assert_int_equal(replay(f, &story), 0);
    assert_string_equal(story.text, "j1 e10 e20 j2 e11 j3so?[2J? ");
}

static void the_streams_go_on_after_a_reopen(void **state)
{
    struct ledger_bed *f = *state;
    struct story story;
    const struct event e = {.client = 5, .result = EVENT_ACK};
    add_events(f, 0, 1, 10);
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(reopen(f), 0);
    assert_int_equal(ledger_append(f->ledger, 0, 1, &e, 1), 0); /* was acknowledged: again */
    assert_int_equal(ledger_append(f->ledger, 0, 3, &e, 1), -EPROTO);
    assert_int_equal(ledger_append(f->ledger, 1, 1, &e, 1), 1); /* had sent nothing yet */
    assert_int_equal(ledger_append(f->ledger, 0, 2, &e, 1), 1);
    assert_int_equal(ledger_finish(f->ledger), 0);
    assert_int_equal(reopen(f), 0); /* killed between that and the report */
    assert_int_equal(replay(f, &story), 0);
    assert_string_equal(story.text, "e10 e5 e5 ");
    assert_int_equal(ledger_finish(f->ledger), 0);
}

static void facts_agents_and_shares_come_back(void **state)
{
    struct ledger_bed *f = *state;
    const struct ledger_share share = {
        .agent = 1, .epoch = 2, .relay = 3, .via = 4, .first_client = UINT32_MAX - 1, .clients = 6};
    char value[LEDGER_FACT_BYTES];
    assert_int_equal(ledger_add_share(f->ledger, &share), 0);
    assert_int_equal(ledger_set_fact(f->ledger, "port", "1"), 0);
    assert_int_equal(ledger_set_fact(f->ledger, "port", "6767"), 0);
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(reopen(f), 0);
    assert_false(ledger_fact(f->ledger, "host", value));
    assert_true(ledger_fact(f->ledger, "port", value));
    assert_string_equal(value, "6767");
    struct ledger_agent *agents = NULL;
    struct ledger_share *shares = NULL;
    size_t count = 0;
    assert_int_equal(ledger_read_agents(f->ledger, &agents, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(agents[1].name, "a2");
    assert_true(agents[0].epoch == UINT64_MAX);
    assert_int_equal(ledger_read_shares(f->ledger, &shares, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(shares[0].agent, share.agent);
    assert_true(shares[0].epoch == share.epoch);
    assert_int_equal(shares[0].relay, share.relay);
    assert_int_equal(shares[0].via, share.via);
    assert_true(shares[0].first_client == share.first_client);
    assert_int_equal(shares[0].clients, share.clients);
    free(agents);
    free(shares);
}

static void alter(struct ledger_bed *f, const char *sql)
{
    sqlite3 *db = NULL;
    ledger_close(f->ledger);
    f->ledger = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_strangers_ledger_is_not_believed(void **state)
{
    struct ledger_bed *f = *state;
    struct story story;
    struct ledger_agent *agents = NULL;
    struct ledger_share *shares = NULL;
    size_t count = 0;
    static const char *const entries[] = {
        "INSERT INTO journal (kind, events, run_us) VALUES (-1, 0, 0)",
        "INSERT INTO journal (kind, events, run_us) VALUES (1000, 0, 0)",
        "INSERT INTO journal (kind, events, run_us, bytes) VALUES (0, 0, 0, zeroblob(100000))",
    };
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        alter(f, entries[i]);
        assert_int_equal(ledger_reopen(f->path, &f->ledger), 0);
        assert_int_equal(replay(f, &story), -EBADMSG);
        alter(f, "DELETE FROM journal");
    }
    alter(f, "UPDATE agent SET agent = 5 WHERE name = 'a1'");
    assert_int_equal(ledger_reopen(f->path, &f->ledger), 0);
    assert_int_equal(ledger_read_agents(f->ledger, &agents, &count), -EBADMSG);
    alter(f, "INSERT INTO share VALUES (0, 1, -1, 0, 0, 5)");
    assert_int_equal(ledger_reopen(f->path, &f->ledger), 0);
    assert_int_equal(ledger_read_shares(f->ledger, &shares, &count), -EBADMSG);
    alter(f, "DROP TABLE journal; CREATE VIEW journal AS SELECT 1 AS kind");
    assert_int_equal(ledger_reopen(f->path, &f->ledger), -EBADMSG);
}

/* A trigger of a stranger's ledger would change what is written into it. */
static void no_trigger_runs(void **state)
{
    struct ledger_bed *f = *state;
    struct story story;
    alter(f, "CREATE TRIGGER evil AFTER INSERT ON event BEGIN DELETE FROM event; END");
    assert_int_equal(ledger_reopen(f->path, &f->ledger), 0);
    add_events(f, 0, 1, 10);
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(replay(f, &story), 0);
    assert_string_equal(story.text, "e10 ");
}

static void a_visitor_can_stop(void **state)
{
    struct ledger_bed *f = *state;
    struct story story;
    add_events(f, 0, 1, 99);
    add_events(f, 0, 2, 1);
    assert_int_equal(ledger_commit(f->ledger), 0);
    assert_int_equal(replay(f, &story), -ECANCELED);
    assert_string_equal(story.text, "e99 ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_was_not_committed_did_not_happen),
        CASE(decisions_stand_in_their_place_among_events),
        CASE(the_streams_go_on_after_a_reopen),
        CASE(facts_agents_and_shares_come_back),
        CASE(a_strangers_ledger_is_not_believed),
        CASE(no_trigger_runs),
        CASE(a_visitor_can_stop),
    };
    return cmocka_run_group_tests_name("ledger_journal", tests, NULL, NULL);
}
