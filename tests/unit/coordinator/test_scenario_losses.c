/* SPDX-License-Identifier: MIT */
/* on_agent_loss and on_coordinator_loss: what goes together. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/forecast_losses.h"
#include "coordinator/plan/scenario.h"

static struct scenario s;
static struct diag why;

/* Two relays in subnets of their own or in one; the lines in `tail` come last. */
static bool parse(const char *path, bool is_shared, const char *stage, const char *tail)
{
    char text[4096];
    int length = snprintf(text, sizeof(text),
                          "leaseherd: 1\nscenario: losses\nservers:\n  a: {address: 192.168.1.12}\n"
                          "network:\n  block: 10.10.0.0/16\n  client_path: %s\n  relays:\n"
                          "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 9}\n"
                          "    - {name: r2, giaddr: 172.16.9.3, subnet: %s, clients: 9}\n"
                          "limits: {packets: 1000/s, time: 30m}\nrun:\n  - {name: x, %s}\n%s",
                          path, is_shared ? "10.10.0.0/17" : "10.10.128.0/17", stage, tail);
    diag_init(&why, "losses.yaml");
    return scenario_parse(text, (size_t)length, &s, &why);
}

#define ACQUIRE "acquire: {batch: 5}"

static void expect_complaint(const char *path, bool is_shared, const char *stage, const char *tail,
                             const char *words)
{
    if (parse(path, is_shared, stage, tail)) {
        scenario_free(&s);
        fail_msg("accepted: %s", tail);
    }
    for (size_t i = 0; i < why.count && i < DIAG_ITEMS_MAX; i++) {
        if (why.item[i].line > 10 && strstr(why.item[i].text, words) != NULL) {
            return;
        }
    }
    fail_msg("'%s' does not say '%s'", why.item[0].text, words);
}

static void what_cannot_go_together_is_refused(void **unused)
{
    (void)unused;
    static const char reassign[] = "on_agent_loss: reassign\n";
    expect_complaint("auto", false, ACQUIRE, reassign, "no subnet here has two");
    expect_complaint("routed", true, ACQUIRE, reassign, "need each subnet at one agent");
    expect_complaint("dnat", true, ACQUIRE, reassign, "need each subnet at one agent");
    expect_complaint("auto", true, "search: {between: [10/s, 20/s], step: 10s}", reassign,
                     "a search on fewer agents");
    expect_complaint("auto", true, ACQUIRE,
                     "on_agent_loss: reassign\non_coordinator_loss: {renewals: 15m}\n",
                     "exclude each other");
    expect_complaint("auto", true, ACQUIRE, "on_coordinator_loss: {renewals: 31m}\n",
                     "limits.time (1800 s)");
    expect_complaint("auto", true, ACQUIRE, "on_coordinator_loss: {renewals: 1500ms}\n",
                     "whole seconds");
    expect_complaint("auto", true, ACQUIRE, "on_coordinator_loss: {new: start}\n", "stop");
    expect_complaint("auto", true, ACQUIRE, "on_agent_loss: cry\n",
                     "must be one of fail, continue, reassign");
}

static void reassign_is_read_and_printed(void **unused)
{
    (void)unused;
    assert_true(parse("auto", true, ACQUIRE, "on_agent_loss: reassign\n"));
    assert_int_equal(s.on_agent_loss, AGENT_LOSS_REASSIGN);
    assert_int_equal(s.renewals_alone_ns, 0);
    char *text = scenario_print(&s);
    assert_non_null(strstr(text, "on_agent_loss: reassign"));
    assert_null(strstr(text, "on_coordinator_loss"));
    free(text);
    scenario_free(&s);
}

static void renewals_alone_go_into_the_plan_and_back_into_the_file(void **unused)
{
    (void)unused;
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {9};
    struct scenario again;
    struct plan plan;
    assert_true(parse("auto", false, ACQUIRE, "on_coordinator_loss: {new: stop, renewals: 15m}\n"));
    assert_true(s.renewals_alone_ns == 900 * NS_PER_S);
    assert_true(scenario_to_plan(&s, run_id, "alone", &plan));
    assert_true(plan.renewals_alone_ns == 900 * NS_PER_S);
    plan_free(&plan);
    char *text = scenario_print(&s);
    diag_init(&why, "again");
    assert_true(scenario_parse(text, strlen(text), &again, &why));
    assert_true(again.renewals_alone_ns == 900 * NS_PER_S);
    scenario_free(&again);
    scenario_free(&s);
    free(text);
}

static void expect_forecast(const char *tail, const char *words)
{
    char text[512];
    assert_true(parse("auto", true, ACQUIRE, tail));
    forecast_losses_text(&s, text, sizeof(text));
    scenario_free(&s);
    if (strstr(text, words) == NULL) {
        fail_msg("'%s' does not say '%s'", text, words);
    }
}

static void check_says_what_is_lost_with_whom(void **unused)
{
    (void)unused;
    expect_forecast("", "agent lost: the run ends (on_agent_loss: fail)\n"
                        "coordinator lost: every agent has stopped sending within 6 s\n");
    expect_forecast("on_agent_loss: continue\n", "goes on without its clients");
    expect_forecast("on_agent_loss: reassign\n", "its clients go to other agents' relays");
    expect_forecast("on_coordinator_loss: {renewals: 15m}\n",
                    "coordinator lost: renewals for up to 15 min; needs "
                    "renewals_without_coordinator: 15m in every policy\n");
    expect_forecast("on_coordinator_loss: {renewals: 90s}\n",
                    "for up to 90 s; needs renewals_without_coordinator: 90s in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_go_together_is_refused),
        cmocka_unit_test(reassign_is_read_and_printed),
        cmocka_unit_test(renewals_alone_go_into_the_plan_and_back_into_the_file),
        cmocka_unit_test(check_says_what_is_lost_with_whom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
