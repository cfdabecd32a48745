/* SPDX-License-Identifier: MIT */
/* Whom a plan names when it is sealed. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/run/run_internal.h"
#include "proto/plan_seal.h"

static const char scenario_text[] =
    "leaseherd: 1\nscenario: sealed\nservers:\n  a: {address: 192.168.1.12}\nnetwork:\n"
    "  block: 10.10.0.0/16\n  relays:\n"
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 100}\n"
    "run:\n  - {name: x, acquire: {batch: 5}}\n";

/* a1 is in a rotation: its old key is out of date. a2 is listed and did not join. */
static struct key_entry entries[] = {
    {.name = "a1", .role = KEY_ROLE_AGENT, .public_key = {1}, .expires = "2020-01-01"},
    {.name = "a1", .role = KEY_ROLE_AGENT, .public_key = {2}, .expires = "2999-12-31"},
    {.name = "a1", .role = KEY_ROLE_AGENT, .public_key = {3}, .expires = "-"},
    {.name = "a1", .role = KEY_ROLE_OBSERVER, .public_key = {4}, .expires = "-"},
    {.name = "a2", .role = KEY_ROLE_AGENT, .public_key = {5}, .expires = "-"},
};

static struct scenario scenario;
static struct run *run;

static int set_up(void **state)
{
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {1};
    static struct diag why;
    (void)state;
    run = calloc(1, sizeof(*run));
    diag_init(&why, "test");
    assert_true(scenario_parse(scenario_text, strlen(scenario_text), &scenario, &why));
    run->scenario = &scenario;
    assert_true(scenario_to_plan(&scenario, run_id, "run-1", &run->plan));
    assert_true(roster_init(&run->roster, 1));
    run->roster.count = 1;
    (void)strcpy(run->roster.agents[0].name, "a1");
    run->allowed = (struct key_list){entries, ARRAY_LEN(entries)};
    run->throw_away = sign_key_make();
    (void)strcpy(run->dir, "/tmp/leaseherd-test-seal-XXXXXX");
    return run->throw_away != NULL && mkdtemp(run->dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"plan.bin", "plan.sig"};
    char path[RUN_DIR_PATH_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)unlink(run_dir_path(run->dir, names[i], path));
    }
    (void)rmdir(run->dir);
    sign_key_free(run->throw_away);
    roster_fini(&run->roster);
    plan_free(&run->plan);
    free(run->plan_bytes);
    scenario_free(&scenario);
    free(run);
    return 0;
}

static void a_key_out_of_date_is_not_named(void **state)
{
    (void)state;
    assert_true(run_seal(run));
    assert_false(plan_names_agent(&run->plan, entries[0].public_key));
    assert_true(plan_names_agent(&run->plan, entries[1].public_key));
    assert_true(plan_names_agent(&run->plan, entries[2].public_key));
    assert_false(plan_names_agent(&run->plan, entries[3].public_key));
    assert_false(plan_names_agent(&run->plan, entries[4].public_key));
    assert_int_equal(run->plan.agent_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_out_of_date_is_not_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
