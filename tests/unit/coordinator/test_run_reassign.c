/* SPDX-License-Identifier: MIT */
/* When and to whom a lost agent's clients go, and on whose account they are meanwhile. */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_replay.h"
#include "coordinator/truth/truth.h"
#include "coordinator/truth/truth_state.h"

enum { AGENTS = 3, EACH = 100 };

static const char scenario_text[] =
    "leaseherd: 1\nscenario: lost\nservers:\n  a: {address: 192.168.1.12}\nnetwork:\n"
    "  block: 10.10.0.0/16\n  relays:\n"
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 100}\n"
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: 100}\n"
    "    - {name: r3, giaddr: 172.16.10.3, subnet: 10.10.0.0/16, clients: 100}\n"
    "run:\n  - {name: x, acquire: {batch: 5}}\non_agent_loss: reassign\n";

/* Its a2 plays more clients than fit into two messages. */
enum { MANY = 2 * CONTROL_TAKE_CLIENTS_MAX };

static const char many_text[] =
    "leaseherd: 1\nscenario: many\nservers:\n  a: {address: 192.168.1.12}\nnetwork:\n"
    "  block: 10.0.0.0/12\n  relays:\n"
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.0.0.0/12, clients: 100}\n"
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.0.0.0/12, clients: 65536}\n"
    "    - {name: r3, giaddr: 172.16.10.3, subnet: 10.0.0.0/12, clients: 100}\n"
    "run:\n  - {name: x, acquire: {batch: 5}}\non_agent_loss: reassign\n";

static struct scenario scenario;
static struct run *run;

/* In the middle of the first stage; nobody can be sent anything: messages go nowhere. */
static int begin(const char *text, const uint32_t clients[AGENTS])
{
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {1};
    static const char *const names[AGENTS] = {"a1", "a2", "a3"};
    static struct diag why;
    struct truth_agent agents[AGENTS] = {{{0}, 0}};
    run = calloc(1, sizeof(*run));
    diag_init(&why, "test");
    assert_true(scenario_parse(text, strlen(text), &scenario, &why));
    run->scenario = &scenario;
    assert_true(scenario_to_plan(&scenario, run_id, "run-1", &run->plan));
    assert_true(roster_init(&run->roster, AGENTS));
    run->roster.count = AGENTS;
    run->now_ns = 1000 * NS_PER_S;
    run->start_ns = 900 * NS_PER_S;
    run->phase = RUN_STAGE;
    run->stage_is_open = true;
    run->exit_code = -1;
    for (uint32_t i = 0, first = 0; i < AGENTS; first += clients[i++]) {
        struct roster_agent *a = &run->roster.agents[i];
        (void)strcpy(a->name, names[i]);
        (void)strcpy(agents[i].name, names[i]);
        agents[i].clients = clients[i];
        a->cores = 1;
        a->last_grant_ns = run->now_ns - NS_PER_S;
        assert_true(roster_give(a, &(struct control_share){.relay = i,
                                                           .first_client = first,
                                                           .client_count = clients[i]}));
    }
    run->truth = truth_new(&scenario, &run->plan, agents, AGENTS);
    return run->truth != NULL ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    return begin(scenario_text, (const uint32_t[AGENTS]){EACH, EACH, EACH});
}

static int set_up_many(void **state)
{
    (void)state;
    return begin(many_text, (const uint32_t[AGENTS]){EACH, MANY, EACH});
}

static int tear_down(void **state)
{
    (void)state;
    run_reassign_fini(&run->reassign);
    truth_free(run->truth);
    roster_fini(&run->roster);
    plan_free(&run->plan);
    scenario_free(&scenario);
    free(run);
    return 0;
}

static struct roster_agent *agent(size_t i)
{
    return &run->roster.agents[i];
}

static void lose(size_t i)
{
    run_lose_agent(run, agent(i), "was not heard");
}

static void pass(uint64_t span_ns)
{
    run->now_ns += span_ns;
    run_reassign_tick(run);
}

static void tell(size_t i, uint64_t epoch)
{
    const struct control_progress p = {.assignment_epoch = epoch};
    run_reassign_progress(run, agent(i), &p);
}

static uint64_t on_account(size_t i)
{
    return run->truth->clients[i];
}

static void nobody_is_dealt_before_the_lost_agents_lease_must_have_ended(void **state)
{
    (void)state;
    lose(1);
    pass(4499 * NS_PER_MS); /* its last grant left a second before */
    assert_false(agent(1)->is_dealt_on);
    assert_true(run_reassign_is_open(run));
    assert_int_equal(agent(0)->hand.clients, EACH);
    pass(NS_PER_MS);
    assert_true(agent(1)->is_dealt_on);
    assert_int_equal(agent(0)->hand.clients, EACH + 50);
    assert_int_equal(agent(2)->hand.clients, EACH + 50);
    assert_true(roster_plays(agent(1), 150)); /* what it tells late is still its own */
    assert_true(roster_plays(agent(0), 100));
    assert_true(roster_plays(agent(2), 199));
    assert_false(roster_carries(agent(0), 2));
}

static void after_a_resume_nobody_knows_what_was_granted_last(void **state)
{
    (void)state;
    run->is_resumed = true;
    agent(1)->last_grant_ns = 0;
    lose(1);
    pass(5400 * NS_PER_MS);
    assert_false(agent(1)->is_dealt_on);
    pass(200 * NS_PER_MS);
    assert_true(agent(1)->is_dealt_on);
}

static void one_lost_before_the_resume_is_waited_for_as_well(void **state)
{
    (void)state;
    run->is_resumed = true;
    agent(1)->is_lost = true; /* the journal says so */
    pass(0);
    pass(5400 * NS_PER_MS);
    assert_false(agent(1)->is_dealt_on);
    pass(200 * NS_PER_MS);
    assert_true(agent(1)->is_dealt_on);
}

static void nothing_is_dealt_outside_the_stages(void **state)
{
    (void)state;
    lose(1);
    run->phase = RUN_DRAIN;
    pass(60 * NS_PER_S);
    assert_false(agent(1)->is_dealt_on);
}

static void they_are_on_the_new_account_when_it_says_so_and_not_twice(void **state)
{
    (void)state;
    lose(1);
    pass(6 * NS_PER_S);
    assert_int_equal(on_account(1), EACH);
    assert_true(run_reassign_is_open(run));
    tell(0, 1);  /* as at PREPARE */
    tell(0, 77); /* no such TAKE was ever sent: what there is counts as done, no more */
    assert_int_equal(on_account(0), EACH + 50);
    assert_int_equal(agent(0)->assignment_epoch, 2);
    tell(0, 2);
    assert_int_equal(on_account(0), EACH + 50);
    assert_true(run_reassign_is_open(run));
    tell(2, 2);
    assert_int_equal(on_account(2), EACH + 50);
    assert_int_equal(on_account(1), 0);
    assert_false(run_reassign_is_open(run));
}

static void what_was_on_its_way_goes_on_from_the_first_account(void **state)
{
    (void)state;
    lose(1);
    pass(6 * NS_PER_S);
    tell(2, 2);
    agent(0)->last_grant_ns = run->now_ns;
    lose(0); /* it never said whether it took the 50 */
    pass(5 * NS_PER_S);
    assert_false(agent(0)->is_dealt_on);
    pass(NS_PER_S);
    assert_int_equal(agent(2)->hand.clients, 3 * EACH);
    tell(0, 2); /* too late: it is lost */
    while (run_reassign_is_open(run)) {
        uint64_t before = agent(2)->assignment_epoch;
        tell(2, before + 1);
        assert_int_equal(agent(2)->assignment_epoch, before + 1);
    }
    assert_int_equal(on_account(0), 0);
    assert_int_equal(on_account(1), 0);
    assert_int_equal(on_account(2), 3 * EACH);
}

static void one_take_holds_clients_of_one_account(void **state)
{
    (void)state;
    lose(1);
    pass(6 * NS_PER_S);
    lose(0);
    pass(6 * NS_PER_S);
    uint32_t from_of[8] = {0};
    bool is_known[8] = {false};
    for (size_t i = 0; i < run->reassign.count; i++) {
        const struct run_move *m = &run->reassign.moves[i];
        if (m->deal.to != 2) {
            continue;
        }
        assert_true(m->epoch < ARRAY_LEN(from_of));
        assert_true(!is_known[m->epoch] || from_of[m->epoch] == m->deal.from);
        is_known[m->epoch] = true;
        from_of[m->epoch] = m->deal.from;
    }
    assert_true(is_known[2]);
}

static void who_refuses_goes_on_and_others_take_them(void **state)
{
    (void)state;
    lose(1);
    pass(6 * NS_PER_S);
    struct control_refuse r = {.code = REFUSAL_POLICY, .assignment_epoch = 2};
    assert_true(run_reassign_refused(run, agent(0), &r));
    assert_false(agent(0)->is_lost);
    assert_int_equal(agent(0)->hand.clients, EACH);
    assert_int_equal(agent(2)->hand.clients, 2 * EACH);
    assert_true(run_reassign_refused(run, agent(0), &r)); /* said again */
    assert_int_equal(agent(2)->hand.clients, 2 * EACH);
    r.assignment_epoch = 0; /* of the run itself */
    assert_false(run_reassign_refused(run, agent(0), &r));
    tell(2, 2);
    tell(2, 3);
    assert_int_equal(on_account(2), 2 * EACH);
    assert_false(run_reassign_is_open(run));
}

static void whom_nobody_takes_is_said(void **state)
{
    (void)state;
    agent(0)->takes_none = agent(2)->takes_none = true;
    lose(1);
    pass(6 * NS_PER_S);
    assert_true(agent(1)->is_dealt_on);
    assert_false(run_reassign_is_open(run));
    assert_int_equal(on_account(1), EACH);
    assert_int_equal(run->truth->finding_count, 1);
    assert_string_equal(run->truth->findings[0].id, "no-second-home");
    assert_non_null(strstr(run->truth->findings[0].evidence, "relay r2, subnet 10.10.0.0/16"));
}

/* --- what the journal brings back --- */

static struct journal_entry move_entry(uint64_t to, uint64_t epoch, uint64_t first, uint64_t count,
                                       uint64_t from)
{
    return (struct journal_entry){.kind = JOURNAL_MOVE,
                                  .a = to,
                                  .b = epoch,
                                  .c = first | count << 32,
                                  .d = 1 | 0 << 16 | from << 32};
}

static void replay(struct journal_entry entry)
{
    assert_true(run_tell_note(run, &entry));
    assert_true(run_reassign_replay(run, &entry));
}

static void the_journal_brings_hands_and_debts_back(void **state)
{
    (void)state;
    agent(1)->is_lost = true;
    replay(move_entry(0, 2, 100, 50, 1));
    replay(move_entry(2, 2, 150, 50, 1));
    replay((struct journal_entry){.kind = JOURNAL_DEALT_ON, .a = 1});
    replay((struct journal_entry){.kind = JOURNAL_TAKEN, .a = 0, .b = 2});
    assert_int_equal(agent(0)->hand.clients, EACH + 50);
    assert_int_equal(on_account(0), EACH + 50);
    assert_int_equal(on_account(2), EACH);
    assert_true(run_reassign_is_open(run)); /* a3 has not said so */
    tell(2, 2);
    assert_false(run_reassign_is_open(run));
    pass(60 * NS_PER_S); /* and it is not dealt again */
    assert_int_equal(agent(0)->hand.clients, EACH + 50);
}

static void what_cannot_be_of_this_run_is_refused(void **state)
{
    (void)state;
    const struct journal_entry bad[] = {
        move_entry(3, 2, 100, 50, 1),
        move_entry(0, 2, 100, 50, 3),
        move_entry(0, 1, 100, 50, 1),
        move_entry(0, 2, 300, 1, 1),
        move_entry(0, 2, 299, 2, 1),
        move_entry(0, 2, 100, 0, 1),
        {.kind = JOURNAL_TAKEN, .a = 3, .b = 2},
        {.kind = JOURNAL_DEALT_ON, .a = 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(run_tell_note(run, &bad[i]));
    }
}

static void refuse(struct journal_entry entry)
{
    size_t moves = run->reassign.count;
    assert_true(run_tell_note(run, &entry)); /* each by itself is possible */
    assert_false(run_reassign_replay(run, &entry));
    assert_int_equal(run->reassign.count, moves);
}

/* It would be told in part, and its other clients be nobody's. */
static void more_moves_of_one_epoch_than_one_message_holds_are_refused(void **state)
{
    (void)state;
    agent(1)->is_lost = true;
    replay(move_entry(0, 2, EACH, CONTROL_TAKE_CLIENTS_MAX - 1, 1));
    replay(move_entry(0, 2, EACH + CONTROL_TAKE_CLIENTS_MAX - 1, 1, 1));
    refuse(move_entry(0, 2, EACH + CONTROL_TAKE_CLIENTS_MAX, 1, 1));
    const uint32_t rest = EACH + CONTROL_TAKE_CLIENTS_MAX;
    replay(move_entry(2, 2, rest, 1, 1)); /* another agent has epochs of its own */
    for (uint32_t i = 1; i < CONTROL_TAKE_SHARES_MAX; i++) {
        replay(move_entry(2, 2, rest + i, 1, 1));
    }
    refuse(move_entry(2, 2, rest + CONTROL_TAKE_SHARES_MAX, 1, 1));
    replay(move_entry(2, 3, rest + CONTROL_TAKE_SHARES_MAX, 1, 1));
}

static void moves_that_do_not_follow_one_another_are_refused(void **state)
{
    (void)state;
    agent(1)->is_lost = agent(2)->is_lost = true;
    refuse(move_entry(0, 3, 100, 10, 1));
    replay(move_entry(0, 2, 100, 10, 1));
    refuse(move_entry(0, 2, 200, 10, 2)); /* of another account */
    refuse(move_entry(0, 4, 110, 10, 1));
    refuse(move_entry(0, UINT64_MAX, 110, 10, 1));
    replay(move_entry(0, 3, 110, 10, 1));
    refuse(move_entry(0, 2, 120, 10, 1));
    refuse((struct journal_entry){.kind = JOURNAL_TAKEN, .a = 0, .b = 3});
    replay((struct journal_entry){.kind = JOURNAL_TAKEN, .a = 0, .b = 2});
    refuse((struct journal_entry){.kind = JOURNAL_TAKEN, .a = 0, .b = 2});
    replay((struct journal_entry){.kind = JOURNAL_TAKEN, .a = 0, .b = 3});
    refuse((struct journal_entry){.kind = JOURNAL_TAKEN, .a = 0, .b = 4});
    refuse((struct journal_entry){.kind = JOURNAL_TAKEN, .a = 2, .b = 1});
}

/* One client would be played twice, or at an agent that was not asked. */
static void clients_that_are_not_a_lost_agents_are_refused(void **state)
{
    (void)state;
    refuse(move_entry(0, 2, 100, 50, 1)); /* it is still there */
    agent(1)->is_lost = true;
    refuse(move_entry(0, 2, 200, 50, 1)); /* a3's */
    refuse(move_entry(0, 2, 150, 51, 1)); /* one of them a3's */
    refuse(move_entry(0, 2, 99, 2, 1));   /* one of them a1's */
    refuse(move_entry(1, 2, 100, 50, 1)); /* to one that is lost */
    replay(move_entry(0, 2, 100, 50, 1));
    refuse(move_entry(2, 2, 149, 2, 1)); /* one of them is a1's by now */
    refuse(move_entry(2, 2, 100, 100, 1));
    refuse(move_entry(0, 2, 100, 50, 1));
    replay(move_entry(2, 2, 150, 50, 1));
}

/* Of one that was lost before it had taken them, or that refused them. */
static void what_came_nowhere_may_go_to_another(void **state)
{
    (void)state;
    agent(1)->is_lost = true;
    replay(move_entry(0, 2, 100, 50, 1));
    replay(move_entry(2, 2, 150, 50, 1));
    replay((struct journal_entry){.kind = JOURNAL_DEALT_ON, .a = 1});
    replay((struct journal_entry){.kind = JOURNAL_NOT_TAKEN, .a = 0});
    replay(move_entry(2, 3, 100, 50, 1));
    agent(2)->is_lost = true;
    agent(0)->takes_none = false;
    replay(move_entry(0, 2, 150, 50, 1));
}

/* What `leaseherd resume` is told of a ledger with these two moves to one agent. */
static int replay_ledger_with(struct journal_entry first, struct journal_entry second)
{
    const struct journal_entry entries[] = {{.kind = JOURNAL_START, .a = run->start_ns},
                                            {.kind = JOURNAL_STAGE_BEGIN},
                                            {.kind = JOURNAL_AGENT_LOST, .a = 1},
                                            first,
                                            second};
    char dir[] = "/tmp/leaseherd-reassign-XXXXXX", path[64];
    int64_t last_us = 0;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/ledger.db", dir);
    assert_int_equal(ledger_create(path, "run-1", &run->ledger), 0);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        assert_int_equal(ledger_note(run->ledger, &entries[i]), 0);
    }
    assert_int_equal(ledger_commit(run->ledger), 0);
    ledger_close(run->ledger);
    assert_int_equal(ledger_reopen(path, &run->ledger), 0);
    int rc = run_replay_ledger(run, &last_us);
    ledger_close(run->ledger);
    run->ledger = NULL;
    assert_int_equal(unlink(path), 0);
    char other[80];
    (void)snprintf(other, sizeof(other), "%s-wal", path);
    (void)unlink(other);
    (void)snprintf(other, sizeof(other), "%s-shm", path);
    (void)unlink(other);
    assert_int_equal(rmdir(dir), 0);
    return rc;
}

static void a_ledger_that_overfills_an_epoch_is_damaged(void **state)
{
    (void)state;
    const uint32_t most = CONTROL_TAKE_CLIENTS_MAX;
    assert_int_equal(
        replay_ledger_with(move_entry(0, 2, EACH, most, 1), move_entry(0, 2, EACH + most, most, 1)),
        -EBADMSG);
    assert_true(run->start_ns != 0); /* so that it is said to be damaged, not unbegun */
}

/* Both limits at once: nothing is cut off. */
static void a_ledger_with_two_full_epochs_is_told_whole(void **state)
{
    (void)state;
    const uint32_t most = CONTROL_TAKE_CLIENTS_MAX;
    struct roster_agent *a = agent(0);
    assert_int_equal(
        replay_ledger_with(move_entry(0, 2, EACH, most, 1), move_entry(0, 3, EACH + most, most, 1)),
        0);
    agent(1)->is_dealt_on = true;
    struct event e = {.kind = EVENT_ACQUIRE, .result = EVENT_GAVE_UP};
    for (; e.client < run->plan.client_count; e.client++) {
        truth_moves_event(run->truth, &e); /* each has started */
    }
    for (uint64_t t = run->now_ns - NS_PER_S; !roster_has_clock(a) && t < run->now_ns; t += 10) {
        assert_true(clock_map_add(&a->clock, t, t + 1, t + 2, t + 3));
    }
    assert_true(roster_has_clock(a));
    for (uint64_t epoch = 2; epoch <= 3; epoch++) {
        a->take_sent_ns = 0;
        pass(0);
        assert_true(a->take_sent_ns == run->now_ns); /* ASan sees a row behind the message's last */
        tell(0, epoch);
    }
    assert_int_equal(a->hand.clients, EACH + MANY);
    assert_int_equal(on_account(0), EACH + MANY);
    assert_false(run_reassign_is_open(run));
}

int main(void)
{
#define TEST(f)      cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define TEST_MANY(f) cmocka_unit_test_setup_teardown(f, set_up_many, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_dealt_before_the_lost_agents_lease_must_have_ended),
        TEST(after_a_resume_nobody_knows_what_was_granted_last),
        TEST(one_lost_before_the_resume_is_waited_for_as_well),
        TEST(nothing_is_dealt_outside_the_stages),
        TEST(they_are_on_the_new_account_when_it_says_so_and_not_twice),
        TEST(what_was_on_its_way_goes_on_from_the_first_account),
        TEST(one_take_holds_clients_of_one_account),
        TEST(who_refuses_goes_on_and_others_take_them),
        TEST(whom_nobody_takes_is_said),
        TEST(the_journal_brings_hands_and_debts_back),
        TEST(what_cannot_be_of_this_run_is_refused),
        TEST(moves_that_do_not_follow_one_another_are_refused),
        TEST(clients_that_are_not_a_lost_agents_are_refused),
        TEST(what_came_nowhere_may_go_to_another),
        TEST_MANY(more_moves_of_one_epoch_than_one_message_holds_are_refused),
        TEST_MANY(a_ledger_that_overfills_an_epoch_is_damaged),
        TEST_MANY(a_ledger_with_two_full_epochs_is_told_whole),
    };
#undef TEST
#undef TEST_MANY
    return cmocka_run_group_tests(tests, NULL, NULL);
}
