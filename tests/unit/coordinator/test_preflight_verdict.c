/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/run/preflight_verdict.h"

static struct plan_relay relays[2];
static struct plan plan;
static struct control_preflight_relay report[2];
static struct preflight_verdict v;

/* Two relays on which everything works, by egress and relayed. */
static int setup(void **state)
{
    (void)state;
    memset(&plan, 0, sizeof(plan));
    memset(report, 0, sizeof(report));
    plan.relays = relays;
    plan.relay_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        snprintf(relays[i].name, sizeof(relays[i].name), "bldg-%u", (unsigned)(i + 1));
        report[i] = (struct control_preflight_relay){
            .relay = i, .clients = 3, .offered = 3, .bound = 3, .path_count = 3};
        report[i].path[0] =
            (struct control_preflight_path){.path = PLAN_PATH_ROUTED, .send_errno = EINVAL};
        report[i].path[1] = (struct control_preflight_path){
            .path = PLAN_PATH_EGRESS, .renew_sent = 3, .renew_acked = 3};
        report[i].path[2] = (struct control_preflight_path){
            .path = PLAN_PATH_RELAYED, .renew_sent = 3, .renew_acked = 3};
    }
    return 0;
}

static void a_foreign_offer_outweighs_everything(void **state)
{
    (void)state;
    report[0].offered = report[0].bound = 0;
    report[1].bound = 0;
    report[1].foreign_offers = 3;
    preflight_judge(&plan, report, 2, 40, &v);
    assert_int_equal(v.result, PREFLIGHT_FOREIGN_OFFER);
    assert_string_equal(v.finding, "foreign-offer");
    assert_non_null(strstr(v.reason, "bldg-2"));
}

static void silence_refusal_and_send_errors_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        uint32_t offered, bound, naks, send_errno;
        const char *finding, *word;
    } cases[] = {
        {0, 0, 0, 0, "server-silent", "no server answered"},
        {3, 0, 3, 0, "server-naks", "NAK"},
        {3, 1, 0, 0, "server-silent", "only 1 an ACK"},
        {0, 0, 0, EPERM, "send-errors", "Operation not permitted"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        setup(NULL);
        report[1].offered = cases[i].offered;
        report[1].bound = cases[i].bound;
        report[1].naks = cases[i].naks;
        report[1].send_errno = cases[i].send_errno;
        preflight_judge(&plan, report, 2, 40, &v);
        assert_int_equal(v.result, PREFLIGHT_REFUSED);
        assert_string_equal(v.finding, cases[i].finding);
        assert_non_null(strstr(v.reason, cases[i].word));
        assert_non_null(strstr(v.reason, "bldg-2"));
        assert_true(v.remedy != NULL && v.remedy[0] != '\0');
    }
}

static void garbage_is_not_silence(void **state)
{
    (void)state;
    static const struct {
        uint64_t received;
        uint32_t elsewhere; /* offers that the other relay got */
        const char *finding, *word;
    } cases[] = {
        {0, 0, "server-silent", "no server answered"},
        {17, 0, "no-usable-answer", "17 packets came back"},
        {17, 3, "server-silent", "no server answered"}, /* they are the other relay's */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        setup(NULL);
        report[0].offered = report[0].bound = cases[i].elsewhere;
        report[1].offered = report[1].bound = 0;
        preflight_judge(&plan, report, 2, cases[i].received, &v);
        assert_int_equal(v.result, PREFLIGHT_REFUSED);
        assert_string_equal(v.finding, cases[i].finding);
        assert_non_null(strstr(v.reason, cases[i].word));
    }
}

static void a_path_must_work_on_every_relay(void **state)
{
    (void)state;
    preflight_judge(&plan, report, 2, 40, &v);
    assert_int_equal(v.result, PREFLIGHT_PASSED);
    assert_int_equal(v.path, PLAN_PATH_EGRESS);
    report[1].path[1].renew_acked = 2;
    preflight_judge(&plan, report, 2, 40, &v);
    assert_int_equal(v.path, PLAN_PATH_RELAYED);
    report[0].path[2].renew_acked = 0;
    preflight_judge(&plan, report, 2, 40, &v);
    assert_int_equal(v.result, PREFLIGHT_REFUSED);
    assert_string_equal(v.finding, "no-client-path");
    assert_non_null(strstr(v.reason, "bldg-2 by egress 2 of 3"));
}

/* Egress alone is allowed and fails, as `acked` of three of each relay's clients say. */
static void only_egress(uint32_t acked_1, uint32_t acked_2)
{
    const uint32_t acked[2] = {acked_1, acked_2};
    setup(NULL);
    for (uint32_t i = 0; i < 2; i++) {
        report[i].path_count = 1;
        report[i].path[0] = (struct control_preflight_path){
            .path = PLAN_PATH_EGRESS, .renew_sent = 3, .renew_acked = acked[i]};
    }
}

static void expect_refusal(const char *finding, const char *words)
{
    preflight_judge(&plan, report, 2, 40, &v);
    assert_int_equal(v.result, PREFLIGHT_REFUSED);
    assert_string_equal(v.finding, finding);
    assert_non_null(strstr(v.reason, words));
    assert_true(v.remedy != NULL && v.remedy[0] != '\0');
}

static void replies_that_never_come_back_are_told_apart(void **state)
{
    (void)state;
    only_egress(0, 0);
    expect_refusal("no-return-path", "do not come back: bldg-1 by egress 0 of 3; bldg-2");
    assert_true(v.is_of_path);
    only_egress(3, 0); /* the rules know one subnet only */
    expect_refusal("no-return-path", "do not come back: bldg-2 by egress 0 of 3");
    only_egress(1, 0); /* some do come back: a ceiling, or chance */
    expect_refusal("no-client-path", "bldg-1 by egress 1 of 3");
    only_egress(1, 3); /* all of one server's do, none of the other's */
    report[0].way_count = 2;
    report[0].way[0] = (struct control_preflight_way){.path = PLAN_PATH_EGRESS, .sent = 2};
    report[0].way[1] = (struct control_preflight_way){
        .server = 1, .path = PLAN_PATH_EGRESS, .sent = 1, .acked = 1};
    expect_refusal("no-return-path", "bldg-1 by egress 1 of 3");
    report[0].way[0].acked = 1;
    expect_refusal("no-client-path", "bldg-1 by egress 1 of 3");
}

static void silence_that_may_be_the_servers_is_not_blamed_on_the_way(void **state)
{
    (void)state;
    only_egress(0, 0);
    report[1].naks = 3; /* something came back */
    expect_refusal("no-client-path", "bldg-2 by egress 0 of 3");
    only_egress(0, 0);
    report[0].path[0].send_errno = report[1].path[0].send_errno = EPERM; /* none was sent */
    expect_refusal("no-client-path", "bldg-1 by egress 0 of 3");
    only_egress(0, 3);
    relays[0].circuit_id_bytes = 4; /* a server may want it of renewals, too */
    expect_refusal("no-client-path", "bldg-1 by egress 0 of 3");
    relays[0].circuit_id_bytes = 0;
    only_egress(0, 0);
    report[0].path_count = report[1].path_count = 2;
    report[0].path[1] = report[1].path[1] =
        (struct control_preflight_path){.path = PLAN_PATH_RELAYED, .renew_sent = 3};
    expect_refusal("no-client-path", "bldg-1 by relayed 0 of 3"); /* nor by the relay */
}

static void addresses_of_another_subnet_outweigh_paths(void **state)
{
    (void)state;
    only_egress(0, 3);
    assert_true(inet_parse_net("10.10.32.0/19", &relays[0].subnet));
    assert_true(inet_parse("10.10.0.7", &report[0].outside_addr));
    expect_refusal("wrong-subnet", "lease 10.10.0.7, the scenario's subnet is 10.10.32.0/19");
    assert_true(v.is_of_path);
    only_egress(3, 3);
    report[0].outside_addr = (struct ipv4){0};
    preflight_judge(&plan, report, 2, 40, &v);
    assert_int_equal(v.result, PREFLIGHT_PASSED);
}

static void routed_comes_first_but_only_where_subnets_are_whole(void **state)
{
    (void)state;
    struct scenario s = {.client_path = SCENARIO_PATH_AUTO};
    uint32_t path[PLAN_PATH_COUNT];
    assert_int_equal(preflight_candidates(&s, true, path), 3);
    assert_int_equal(path[0], PLAN_PATH_ROUTED);
    assert_int_equal(preflight_candidates(&s, false, path), 2);
    assert_int_equal(path[0], PLAN_PATH_EGRESS);
    s.client_path = SCENARIO_PATH_DNAT;
    assert_int_equal(preflight_candidates(&s, true, path), 1);
    assert_int_equal(path[0], PLAN_PATH_EGRESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_foreign_offer_outweighs_everything, setup),
        cmocka_unit_test_setup(silence_refusal_and_send_errors_are_told_apart, setup),
        cmocka_unit_test_setup(garbage_is_not_silence, setup),
        cmocka_unit_test_setup(a_path_must_work_on_every_relay, setup),
        cmocka_unit_test_setup(replies_that_never_come_back_are_told_apart, setup),
        cmocka_unit_test_setup(silence_that_may_be_the_servers_is_not_blamed_on_the_way, setup),
        cmocka_unit_test_setup(addresses_of_another_subnet_outweigh_paths, setup),
        cmocka_unit_test_setup(routed_comes_first_but_only_where_subnets_are_whole, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
