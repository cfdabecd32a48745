/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/testbed.h"
#include "proto/plan.h"

static void parse(struct scenario *s, const char *relays)
{
    static struct diag why;
    size_t size = strlen(relays) + 512;
    char *text = malloc(size);
    assert_non_null(text);
    (void)snprintf(text, size,
                   "leaseherd: 1\nscenario: bed\nservers:\n  a: {address: 192.168.1.12}\n"
                   "network:\n  block: 10.10.0.0/16\n  relays:\n%s"
                   "run:\n  - {name: x, acquire: {batch: 1}}\n",
                   relays);
    diag_init(&why, "bed.yaml");
    assert_true(scenario_parse(text, strlen(text), s, &why));
    free(text);
}

static char *script_of(const char *relays, const struct testbed_options *o)
{
    struct scenario s;
    bool is_usage = false;
    char why[TESTBED_WHY_BYTES] = "";
    parse(&s, relays);
    char *script = testbed_script(&s, o, TESTBED_APPLY, &is_usage, why);
    if (script == NULL) {
        fail_msg("%s", why);
    }
    scenario_free(&s);
    return script;
}

static const char apart[] =
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 5}\n"
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.128.0/17, clients: 5}\n";
static const char sharing[] =
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 5}\n"
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: 5}\n";
static const char carried[] =
    "    - {name: r1, giaddr: 172.16.8.1, via: 172.16.8.3, subnet: 10.10.0.0/17, clients: 5}\n"
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.128.0/17, clients: 5}\n";

/* What stands in the script, for each way to bring it. */
static const struct {
    const char *relays;
    struct testbed_options o;
    const char *has[4], *lacks[2];
} forms[] = {
    {apart,
     {.path = TESTBED_EGRESS},
     {"type filter hook egress devices = { $devices } priority 0;",
      "ip daddr { 10.10.0.0/17, 10.10.128.0/17 } udp sport 67 udp dport 68 counter ip daddr "
      "set "
      "ip daddr map { 10.10.0.0/17 : 172.16.8.3, 10.10.128.0/17 : 172.16.9.3 } accept\n"},
     {"notrack", "route add"}},
    {sharing,
     {.path = TESTBED_EGRESS},
     {"ip daddr 10.10.0.0/16 udp sport 67 udp dport 68 counter ip daddr set @th,96,8 map { "
      "0x01 "
      ": 172.16.8.3, 0x02 : 172.16.9.3 } accept\n"},
     {"dport 67 ", "dnat to"}},
    {sharing,
     {.path = TESTBED_EGRESS, .is_route_hook = true},
     {"type route hook output priority -300;",
      "ip saddr { 172.16.8.3, 172.16.9.3 } udp dport 67 counter notrack\n",
      "udp sport 67 udp dport 68 counter notrack ip daddr set @th,96,8 map"},
     {"table netdev leaseherd {"}},
    {carried,
     {.path = TESTBED_EGRESS},
     {"ip daddr { 172.16.8.1 } udp sport 67 udp dport 67 @th,192,32 & 0xffff0000 == 0x0a0a0000 "
      "counter ip daddr set ip daddr map { 172.16.8.1 : 172.16.8.3 } accept\n",
      "ip daddr { 172.16.8.1 } udp sport 67 udp dport 67 @th,160,32 & 0xffff0000 == 0x0a0a0000",
      "ip daddr . @th,96,8 { 172.16.8.1 . 0x01 } udp sport 67 udp dport 67 @th,160,64 0x0 "
      "@th,288,8 & 0x03 == 0x02",
      "route get 172.16.8.1\n"},
     {"172.16.9.3 : 172.16.9.3"}},
    {carried,
     {.path = TESTBED_RELAYED},
     {"@th,192,32 & 0xffff0000", "ways_wanted=1\n"},
     {"udp dport 68 counter"}},
    {apart,
     {.path = TESTBED_RELAYED},
     {"needs nothing here"},
     {"rules()", "table netdev leaseherd {"}},
    {apart,
     {.path = TESTBED_DNAT, .notrack = TESTBED_NOTRACK_REQUESTS},
     {"ip daddr 10.10.0.0/17 udp sport 67 udp dport 68 counter dnat to 172.16.8.3:68\n",
      "hook prerouting priority -300"},
     {"hook output priority -300"}},
    {apart,
     {.path = TESTBED_DNAT, .notrack = TESTBED_NOTRACK_REPLIES},
     {"ip daddr 10.10.0.0/16 udp sport 67 udp dport 68 counter notrack\n",
      "bad 'NOTRACK in OUTPUT"},
     {"hook prerouting"}},
    {apart,
     {.path = TESTBED_ROUTED},
     {"has 172.16.8.3 && say 'route add local 10.10.0.0/17 dev lo proto 67'\n",
      "ip daddr 10.10.0.0/16 icmp type echo-request counter drop\n",
      "#   10.10.128.0/17 by way of 172.16.9.3\n", "\tto 172.16.8.3\n\tlead 10.10.0.0/17\n"},
     {"table netdev leaseherd {"}},
    {sharing,
     {.path = TESTBED_ROUTED},
     {"\ttogether 10.10.0.0/16 172.16.8.3 172.16.9.3\n"},
     {NULL}},
    {sharing,
     {.path = TESTBED_ROUTED, .role = TESTBED_ROUTER, .next_hop = {0x0100007f}},
     {"say 'route add 10.10.0.0/16 via 127.0.0.1 proto 67'\n", "roles=router\n"},
     {"\tlead "}},
};

static void rules_follow_from_scenario_and_path(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        char *script = script_of(forms[i].relays, &forms[i].o);
        for (size_t k = 0; k < ARRAY_LEN(forms[i].has) && forms[i].has[k] != NULL; k++) {
            if (strstr(script, forms[i].has[k]) == NULL) {
                fail_msg("row %zu lacks '%s' in:\n%s", i, forms[i].has[k], script);
            }
        }
        for (size_t k = 0; k < ARRAY_LEN(forms[i].lacks) && forms[i].lacks[k] != NULL; k++) {
            if (strstr(script, forms[i].lacks[k]) != NULL) {
                fail_msg("row %zu has '%s'", i, forms[i].lacks[k]);
            }
        }
        free(script);
    }
}

/* Whatever the path: a statement of nft names addresses and ports of the test, or pings to it. */
static void every_rule_names_addresses_and_ports(void **unused)
{
    (void)unused;
    static const char *const all[] = {apart, carried};
    unsigned rules = 0;
    for (unsigned form = 0; form < 2 * 4 * 2; form++) {
        const struct testbed_options o = {.path = (enum testbed_path)(form / 2 % 4),
                                          .is_route_hook = form % 2 == 1,
                                          .notrack = 3};
        char *script = script_of(all[form / 8], &o), *rest = script;
        for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
            if (strncmp(line, "\t\t", 2) != 0 || strstr(line, " counter ") == NULL) {
                continue;
            }
            bool is_ours = (strncmp(line, "\t\tip daddr ", 11) == 0 &&
                            (strstr(line, " udp sport 67 udp dport 6") != NULL ||
                             strstr(line, " icmp type echo-request ") != NULL)) ||
                           (strncmp(line, "\t\tip saddr ", 11) == 0 &&
                            strstr(line, " udp dport 67 counter notrack") != NULL) ||
                           strstr(line, "grep -c") != NULL;
            if (!is_ours) {
                fail_msg("form %u: %s", form, line);
            }
            rules++;
        }
        free(script);
    }
    assert_true(rules > 20);
}

static void what_a_path_cannot_part_is_refused(void **unused)
{
    (void)unused;
    static const char around[] =
        "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 5}\n";
    static const struct {
        const char *relays;
        struct testbed_options o;
        const char *says;
    } rows[] = {
        {sharing, {.path = TESTBED_DNAT}, "relays r1 and r2 share addresses of 10.10.0.0/16"},
        {sharing, {.path = TESTBED_ROUTED, .role = TESTBED_ROUTER}, "use --path egress"},
        {around, {.path = TESTBED_ROUTED}, "server a has the address 10.10.7.7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s;
        bool is_usage = false;
        char why[TESTBED_WHY_BYTES] = "";
        parse(&s, rows[i].relays);
        if (rows[i].relays == around) {
            ((struct scenario_server *)s.servers.items)[0].address = inet_from_host(0x0a0a0707);
        }
        assert_null(testbed_script(&s, &rows[i].o, TESTBED_APPLY, &is_usage, why));
        assert_true(is_usage);
        assert_non_null(strstr(why, rows[i].says));
        char *undo = testbed_script(&s, &rows[i].o, TESTBED_UNDO, &is_usage, why);
        assert_non_null(undo); /* what was made once can always be removed */
        free(undo);
        scenario_free(&s);
    }
}

/* The rules on servers are made from the scenario, the packets from the plan. */
static void slots_are_those_of_the_plan(void **unused)
{
    (void)unused;
    enum { RELAYS = 300 };
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {1};
    char *relays = malloc(RELAYS * 120);
    assert_non_null(relays);
    int used = 0;
    for (int i = 0; i < RELAYS; i++) {
        used += sprintf(relays + used,
                        "    - {name: r%d, giaddr: 172.16.%d.%d, subnet: 10.10.%d.%d/28, clients: "
                        "1}\n",
                        i, i / 100, 1 + i % 100, i / 16, i % 16 * 16);
    }
    struct scenario s;
    struct plan plan;
    const struct testbed_options o = {.path = TESTBED_EGRESS};
    char *text = script_of(relays, &o);
    parse(&s, relays);
    assert_true(scenario_to_plan(&s, run_id, "bed", &plan));
    const char *line = strstr(text, "# relay ");
    for (uint32_t i = 0; i < plan.relay_count; i++) {
        unsigned slot = 0;
        assert_non_null(line);
        assert_int_equal(sscanf(line, "# relay %*s giaddr %*s via %*s subnet %*s slot %u", &slot),
                         1);
        assert_int_equal(slot, plan.relays[i].xid_slot);
        line = strstr(line + 1, "# relay ");
    }
    assert_null(line);
    free(relays);
    free(text);
    plan_free(&plan);
    scenario_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_follow_from_scenario_and_path),
        cmocka_unit_test(every_rule_names_addresses_and_ports),
        cmocka_unit_test(what_a_path_cannot_part_is_refused),
        cmocka_unit_test(slots_are_those_of_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
