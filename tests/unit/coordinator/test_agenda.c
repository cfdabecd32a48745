/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/run/agenda.h"

#define AT_S(s) ((uint64_t)(s)*NS_PER_S)

static struct scenario_event events[4];
static struct scenario scenario;
static struct agenda agenda;

static int setup(void **state)
{
    (void)state;
    memset(events, 0, sizeof(events));
    scenario = (struct scenario){.events = {.items = events, .count = 4}};
    static const struct {
        const char *name, *stage, *run;
        uint64_t at_s;
    } given[] = {
        {"b off", "keep", "halt b", 60},
        {"look", "", "", 30},
        {"b on", "keep", "start b", 90},
        {"late", "later", "x", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        snprintf(events[i].name, sizeof(events[i].name), "%s", given[i].name);
        snprintf(events[i].stage, sizeof(events[i].stage), "%s", given[i].stage);
        snprintf(events[i].run, sizeof(events[i].run), "%s", given[i].run);
        events[i].at_ns = AT_S(given[i].at_s);
    }
    agenda_init(&agenda, &scenario);
    return 0;
}

static void nothing_is_due_before_its_stage_begins(void **state)
{
    (void)state;
    size_t index = 99;
    assert_false(agenda_take(&agenda, AT_S(100000), &index));
    agenda_run_begins(&agenda, AT_S(1000));
    assert_false(agenda_take(&agenda, AT_S(1029), &index));
    assert_true(agenda_take(&agenda, AT_S(1030), &index));
    assert_int_equal(index, 1);
    assert_int_equal(agenda.item[1].state, AGENDA_ENDED); /* a mark has no command to wait for */
    assert_false(agenda_take(&agenda, AT_S(100000), &index));
}

static void an_event_counts_from_its_stage_and_happens_once(void **state)
{
    (void)state;
    size_t index = 99;
    agenda_run_begins(&agenda, AT_S(1000));
    agenda_stage_begins(&agenda, "keep", AT_S(1100));
    assert_true(agenda_take(&agenda, AT_S(1300), &index)); /* all of them overdue: by time */
    assert_int_equal(index, 1);
    assert_true(agenda_take(&agenda, AT_S(1300), &index));
    assert_int_equal(index, 0);
    assert_true(agenda_take(&agenda, AT_S(1300), &index));
    assert_int_equal(index, 2);
    assert_false(agenda_take(&agenda, AT_S(1300), &index));
    assert_true(agenda_end(&agenda, 0));
    assert_false(agenda_end(&agenda, 0));
    assert_false(agenda_end(&agenda, 3)); /* never begun */
    assert_false(agenda_end(&agenda, 17));
    assert_int_equal(agenda.item[2].state, AGENDA_BEGUN);
}

static void what_the_stage_did_not_reach_is_missed(void **state)
{
    (void)state;
    size_t index = 99;
    agenda_run_begins(&agenda, AT_S(1000));
    agenda_stage_begins(&agenda, "keep", AT_S(1000));
    assert_true(agenda_take(&agenda, AT_S(1059), &index));
    agenda_stage_ended(&agenda, "keep", AT_S(1060));
    assert_int_equal(agenda.item[0].state, AGENDA_WAITING); /* due at that very instant */
    assert_int_equal(agenda.item[2].state, AGENDA_MISSED);
    assert_true(agenda_take(&agenda, AT_S(1060), &index));
    assert_int_equal(index, 0);
    agenda_stages_over(&agenda);
    assert_int_equal(agenda.item[0].state, AGENDA_BEGUN); /* its command may still run */
    assert_int_equal(agenda.item[3].state, AGENDA_MISSED);
    assert_false(agenda_take(&agenda, AT_S(100000), &index));
}

/* After a restart of the host: its clock began while the run went on, and then it is corrected. */
static void instants_may_be_of_before_this_boot(void **state)
{
    (void)state;
    size_t index = 99;
    agenda_run_begins(&agenda, AT_S(5) - AT_S(100));
    agenda_stage_begins(&agenda, "keep", AT_S(5) - AT_S(40));
    agenda_move(&agenda, AT_S(2));
    assert_int_equal(agenda.item[3].due_ns, 0); /* still unknown */
    agenda_stage_begins(&agenda, "later", AT_S(5));
    assert_true(agenda_take(&agenda, AT_S(26), &index)); /* overdue for 89 s */
    assert_int_equal(index, 1);
    assert_true(agenda_take(&agenda, AT_S(26), &index)); /* for 20 s */
    assert_int_equal(index, 3);
    assert_false(agenda_take(&agenda, AT_S(26), &index));
    agenda_move(&agenda, 0 - AT_S(1));
    assert_true(agenda_take(&agenda, AT_S(26), &index));
    assert_int_equal(index, 0);
    agenda_stage_ended(&agenda, "keep", AT_S(0) - AT_S(3));
    assert_int_equal(agenda.item[2].state, AGENDA_MISSED);
}

static void commands_are_listed_and_marks_are_not(void **state)
{
    (void)state;
    char list[AGENDA_LIST_BYTES];
    assert_int_equal(agenda_list_commands(&scenario, list), 3);
    assert_string_equal(list, "\"b off\", \"b on\", \"late\"");
    scenario.has_search = true;
    assert_int_equal(agenda_list_commands(&scenario, list), 3);
    snprintf(scenario.search.reset, sizeof(scenario.search.reset), "reset");
    assert_int_equal(agenda_list_commands(&scenario, list), 4);
    assert_non_null(strstr(list, ", the search's reset"));
    scenario.events.count = 0;
    scenario.has_search = false;
    assert_int_equal(agenda_list_commands(&scenario, list), 0);
    assert_string_equal(list, "");
}

static void a_long_list_is_cut(void **state)
{
    (void)state;
    static struct scenario_event many[SCENARIO_EVENTS_MAX];
    char list[AGENDA_LIST_BYTES];
    for (size_t i = 0; i < SCENARIO_EVENTS_MAX; i++) {
        memset(many[i].name, 'n', sizeof(many[i].name) - 1);
        snprintf(many[i].run, sizeof(many[i].run), "x");
    }
    scenario.events = (struct schema_array){.items = many, .count = SCENARIO_EVENTS_MAX};
    assert_int_equal(agenda_list_commands(&scenario, list), SCENARIO_EVENTS_MAX);
    assert_true(strlen(list) < sizeof(list));
    assert_string_equal(list + strlen(list) - 5, ", ...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_due_before_its_stage_begins, setup),
        cmocka_unit_test_setup(an_event_counts_from_its_stage_and_happens_once, setup),
        cmocka_unit_test_setup(what_the_stage_did_not_reach_is_missed, setup),
        cmocka_unit_test_setup(instants_may_be_of_before_this_boot, setup),
        cmocka_unit_test_setup(commands_are_listed_and_marks_are_not, setup),
        cmocka_unit_test_setup(a_long_list_is_cut, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
