/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/testbed_verdict.h"

static void parse(struct scenario *s)
{
    static const char text[] =
        "leaseherd: 1\nscenario: bed\n"
        "servers: {a: {address: 192.168.1.12}, b: {address: 192.168.2.12}}\n"
        "network:\n  block: 10.10.0.0/16\n  relays:\n"
        "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/17, clients: 5}\n"
        "    - {name: r2, giaddr: 172.16.9.1, via: 172.16.8.4, subnet: 10.10.128.0/17, clients: "
        "5}\n"
        "run:\n  - {name: x, acquire: {batch: 1}}\n";
    static struct diag why;
    diag_init(&why, "bed.yaml");
    assert_true(scenario_parse(text, strlen(text), s, &why));
}

#define SENT .informs = 8, .discovers = 8
#define A    SCENARIO_PATH_AUTO
#define E    SCENARIO_PATH_EGRESS
#define R    SCENARIO_PATH_ROUTED
#define Y    SCENARIO_PATH_RELAYED
#define D    SCENARIO_PATH_DNAT

static const struct {
    enum scenario_path wanted;
    struct testbed_seen relay[2], server[2];
    bool works;
    const char *says;
} rows[] = {
    {E,
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     true,
     "ok    path egress works: of 16 DHCPINFORMs for clients of 2 relays, 16 were"},
    {A,
     {{SENT, .to_client = 8, .offers = 8}, {SENT, .to_client = 8, .offers = 4}},
     {{SENT, .to_client = 8, .offers = 8}, {SENT, .to_client = 8, .offers = 4}},
     true,
     "path routed"},
    {E,
     {{SENT, .to_client = 8, .offers = 8}, {SENT, .to_client = 8, .offers = 4}},
     {{SENT, .to_client = 8, .offers = 8}, {SENT, .to_client = 8, .offers = 4}},
     false,
     "come to the clients' own addresses"},
    {R,
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     false,
     "come to the carrying addresses"},
    {R,
     {{SENT, .to_client = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     {{SENT, .to_client = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     false,
     "come back in different ways, though relays are answered: leaseherd testbed SCENARIO show"},
    /* nothing leads back to clients: only what is relayed works */
    {A,
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     true,
     "path relayed works"},
    {Y,
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     true,
     "path relayed works"},
    {E,
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     false,
     "clients of relay r1 (10.10.0.0/17, port 68) comes back"},
    {R,
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     {{SENT, .offers = 8}, {SENT, .offers = 8}},
     false,
     "clients of relay r1"},
    /* one relay was forgotten, one server was */
    {E,
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .offers = 8}},
     {{SENT, .to_carrier = 4, .offers = 8}, {SENT, .to_carrier = 4, .offers = 8}},
     false,
     "clients of relay r2 (10.10.128.0/17"},
    {E,
     {{SENT, .to_carrier = 4, .offers = 8}, {SENT, .to_carrier = 4, .offers = 8}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .offers = 8}},
     false,
     "no reply of server b to clients"},
    /* a standby is no fault, and is said */
    {E,
     {{SENT, .to_carrier = 4, .offers = 4}, {SENT, .to_carrier = 4, .offers = 4}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT}},
     true,
     "note  server b answered nothing at all"},
    /* the giaddr of a router */
    {A,
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8}},
     false,
     "no OFFER for relay r2 comes back: replies to its giaddr 172.16.9.1, which is not this "
     "host's, "
     "have to be brought to 172.16.8.4"},
    {A,
     {{SENT}, {SENT}},
     {{SENT}, {SENT}},
     false,
     "between it and this host; and giaddr 172.16.9.1 of relay r2 is not this host's"},
    /* DNAT, where it was asked for and where it was not */
    {D,
     {{SENT, .to_carrier = 8, .wrong_port = 7, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     true,
     "note  7 replies were not from port 67"},
    {E,
     {{SENT, .to_carrier = 8, .wrong_port = 7, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     false,
     "rewrites source ports (7 replies"},
    {A,
     {{SENT, .to_carrier = 8, .wrong_port = 7, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     {{SENT, .to_carrier = 8, .offers = 8}, {SENT, .to_carrier = 8, .offers = 8}},
     true,
     "path dnat works"},
};

static void a_verdict_follows_from_what_came(void **unused)
{
    (void)unused;
    struct scenario s;
    parse(&s);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct testbed_probe p = {.relay_count = 2, .relays_here = 2, .relay = {0, 1}};
        struct plan_text t = {.is_heap = true};
        memcpy(p.of_relay, rows[i].relay, sizeof(rows[i].relay));
        memcpy(p.of_server, rows[i].server, sizeof(rows[i].server));
        bool works = testbed_judge(&s, rows[i].wanted, &p, &t);
        char *text = plan_text_take(&t);
        assert_non_null(text);
        if (works != rows[i].works || strstr(text, rows[i].says) == NULL) {
            fail_msg("row %zu: %d, %s", i, works, text);
        }
        assert_true((strncmp(text, "FAIL", 4) == 0) == !works);
        free(text);
    }
    scenario_free(&s);
}

static void what_was_not_tried_is_said(void **unused)
{
    (void)unused;
    struct scenario s;
    parse(&s);
    struct testbed_probe p = {.relay_count = 1, .relays_here = 2, .relay = {1}};
    p.of_relay[0] = p.of_server[0] = (struct testbed_seen){SENT, .to_carrier = 8, .offers = 8};
    struct plan_text t = {.is_heap = true};
    assert_true(testbed_judge(&s, SCENARIO_PATH_EGRESS, &p, &t));
    char *text = plan_text_take(&t);
    assert_non_null(strstr(text, "note  1 of the 2 relays of this host were tried"));
    free(text);
    scenario_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_follows_from_what_came),
        cmocka_unit_test(what_was_not_tried_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
