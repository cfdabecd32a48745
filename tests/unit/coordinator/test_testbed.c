/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/testbed.h"
#include "proto/plan.h"

static void parse(struct scenario *s, const char *relays, size_t bytes)
{
    static struct diag why;
    char *text = malloc(bytes + 512);
    assert_non_null(text);
    (void)sprintf(text,
                  "leaseherd: 1\nscenario: bed\nservers:\n  a: {address: 192.168.1.12}\n"
                  "network:\n  block: 10.10.0.0/16\n  relays:\n%s"
                  "run:\n  - {name: x, acquire: {batch: 1}}\n",
                  relays);
    diag_init(&why, "bed.yaml");
    assert_true(scenario_parse(text, strlen(text), s, &why));
    free(text);
}

static void the_directives_are_block_and_relays(void **unused)
{
    (void)unused;
    static const char relays[] =
        "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 5}\n"
        "    - {name: r2, giaddr: 172.16.9.1, via: 172.16.8.4, subnet: 10.10.128.0/17, clients: "
        "5}\n";
    struct scenario s;
    parse(&s, relays, sizeof(relays));
    char *text = testbed_directives(&s);
    assert_non_null(text);
    const char *first = strstr(text, "block ");
    assert_non_null(first);
    assert_string_equal(first,
                        "block 10.10.0.0/16\n"
                        "relay r1 giaddr 172.16.8.3 via 172.16.8.3 subnet 10.10.0.0/17 slot 1\n"
                        "relay r2 giaddr 172.16.9.1 via 172.16.8.4 subnet 10.10.128.0/17 slot 2\n");
    for (const char *line = text; line < first; line = strchr(line, '\n') + 1) {
        assert_int_equal(line[0], '#');
    }
    free(text);
    scenario_free(&s);
}

/* The rules on servers are made from the directives, the packets from the plan. */
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
    parse(&s, relays, (size_t)used);
    char *text = testbed_directives(&s);
    assert_non_null(text);
    assert_true(scenario_to_plan(&s, run_id, "bed", &plan));
    const char *line = strstr(text, "relay ");
    for (uint32_t i = 0; i < plan.relay_count; i++) {
        unsigned slot = 0;
        assert_non_null(line);
        assert_int_equal(sscanf(line, "relay %*s giaddr %*s via %*s subnet %*s slot %u", &slot), 1);
        assert_int_equal(slot, plan.relays[i].xid_slot);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    assert_string_equal(line, "");
    free(relays);
    free(text);
    plan_free(&plan);
    scenario_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_directives_are_block_and_relays),
        cmocka_unit_test(slots_are_those_of_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
