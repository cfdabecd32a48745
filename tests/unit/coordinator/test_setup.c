/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/setup.h"

static void parse(struct scenario *s, const char *servers, const char *relays, const char *rest)
{
    static struct diag why;
    char text[4096];
    int length = snprintf(text, sizeof(text),
                          "leaseherd: 1\nscenario: bed\nservers:\n%snetwork:\n"
                          "  block: 10.10.0.0/16\n  relays:\n%s%s"
                          "run:\n  - {name: x, acquire: {batch: 1}}\n",
                          servers, relays, rest);
    assert_true(length > 0 && (size_t)length < sizeof(text));
    diag_init(&why, "bed.yaml");
    assert_true(scenario_parse(text, (size_t)length, s, &why));
}

static const char one[] = "  a: {address: 192.168.1.12}\n";
static const char two[] = "  a: {address: 192.168.1.12}\n  b: {address: 192.168.2.12}\n";
static const char shared[] =
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 300}\n"
    "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.0.0/16, clients: 200}\n";

static void refused(const char *servers, const char *relays, struct setup_wish wish,
                    const char *word)
{
    struct scenario s;
    struct setup setup;
    char why[SETUP_WHY_BYTES] = "";
    parse(&s, servers, relays, "");
    bool is_made = setup_make(&s, &wish, &setup, why);
    if (is_made || strstr(why, word) == NULL) {
        fail_msg("wanted '%s', got '%s'", word, is_made ? "a setup" : why);
    }
    setup_fini(&setup);
    scenario_free(&s);
}

static void what_no_server_can_serve_is_refused(void **unused)
{
    (void)unused;
    refused(two, shared, (struct setup_wish){0}, "--server a");
    refused(two, shared, (struct setup_wish){.server = "c"}, "no server 'c'");
    refused("  a: {address: 192.168.1.12}\n  b: {address: 192.168.2.12}\n"
            "  c: {address: 192.168.3.12}\n",
            shared, (struct setup_wish){.server = "a"}, "failover is between two");
    refused(one,
            "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 3}\n"
            "    - {name: r2, giaddr: 172.16.9.3, subnet: 10.10.8.0/24, clients: 3}\n",
            (struct setup_wish){0}, "overlap");
    refused(two,
            "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.10.0.0/16, clients: 3, to: [b]}\n",
            (struct setup_wish){.server = "a"}, "no relay forwards");
    struct setup_wish pool = {.has_pool = true};
    assert_true(inet_parse("10.10.0.9", &pool.pool_first));
    assert_true(inet_parse("10.11.0.1", &pool.pool_last));
    refused(one, shared, pool, "not within");
}

static void too_small(void **unused)
{
    (void)unused;
    /* 254 addresses less the relay's own: as the relay stands in the middle, 200 are in no row. */
    refused(one, "    - {name: r1, giaddr: 10.10.0.128, subnet: 10.10.0.0/24, clients: 200}\n",
            (struct setup_wish){0}, "127 addresses in a row for 200 clients");
}

static void check_pool(const struct setup_network *n, const char *first, const char *last)
{
    char a[IPV4_TEXT_BYTES], b[IPV4_TEXT_BYTES];
    assert_string_equal(inet_text(n->pool_first, a), first);
    assert_string_equal(inet_text(n->pool_last, b), last);
}

/* Left alone, a server has only its half of the free addresses for all clients. */
static void a_pair_has_twice_the_addresses(void **unused)
{
    (void)unused;
    struct scenario s;
    struct setup setup;
    char why[SETUP_WHY_BYTES];
    parse(&s, two, shared, "expect: {lease: 10m, mclt: 45s}\n");
    assert_true(setup_make(&s, &(struct setup_wish){.server = "b"}, &setup, why));
    assert_int_equal(setup.network_count, 1);
    assert_int_equal(setup.networks[0].clients, 500);
    check_pool(&setup.networks[0], "10.10.0.1", "10.10.3.232");
    assert_false(setup.is_primary || setup.networks[0].is_scarce);
    assert_int_equal(setup.lease_s, 600);
    assert_int_equal(setup.mclt_s, 45);
    setup_fini(&setup);
    scenario_free(&s);
}

static void a_pool_that_cannot_be_doubled_is_said_to_be_scarce(void **unused)
{
    (void)unused;
    struct scenario s;
    struct setup setup;
    char why[SETUP_WHY_BYTES];
    parse(&s, two, "    - {name: r1, giaddr: 10.10.4.1, subnet: 10.10.4.0/24, clients: 200}\n", "");
    assert_true(setup_make(&s, &(struct setup_wish){.server = "a"}, &setup, why));
    assert_true(setup.networks[0].is_scarce && setup.is_primary);
    check_pool(&setup.networks[0], "10.10.4.2", "10.10.4.254");
    char *text = setup_print(&setup, SETUP_ISC_DHCPD);
    assert_non_null(text);
    assert_non_null(strstr(text, "too few for one server alone"));
    assert_null(strstr(text, "subnet 10.10.4.1 netmask")); /* the relay is inside */
    free(text);
    setup_fini(&setup);
    scenario_free(&s);
}

static char *printed(const char *rest, struct setup_wish wish, enum setup_dialect dialect)
{
    struct scenario s;
    struct setup setup;
    char why[SETUP_WHY_BYTES];
    parse(&s, two, shared, rest);
    assert_true(setup_make(&s, &wish, &setup, why));
    char *text = setup_print(&setup, dialect);
    assert_non_null(text);
    setup_fini(&setup);
    scenario_free(&s);
    return text;
}

/* A guard that a vendor class could break out of would let production into the test. */
static void a_guard_cannot_be_broken(void **unused)
{
    (void)unused;
    static const char rest[] = "clients: {seed: 1, vendor_class: 'a\"; } b\\'}\n";
    char *text = printed(rest, (struct setup_wish){.server = "a"}, SETUP_ISC_DHCPD);
    assert_non_null(strstr(text, "vendor-class-identifier, 0, 8) = \"a\\\"; } b\\\\\";\n}\n"));
    free(text);
    text = printed(rest, (struct setup_wish){.server = "a"}, SETUP_KEA);
    assert_non_null(strstr(text, "0, 8) == 0x61223b207d20625c"));
    free(text);
}

/* What is said of a pool is true of the pool that is printed, whoever has chosen it. */
static void a_pool_that_is_given_is_not_said_to_suffice(void **unused)
{
    (void)unused;
    static const struct {
        const char *servers, *last, *said;
    } rows[] = {
        {one, "10.10.1.244", "# 500 clients; the pool is the one asked for\n"},
        {one, "10.10.1.243", "# 500 clients; the pool asked for is too small for them\n"},
        {two, "10.10.3.232", "# 500 clients; the pool is the one asked for\n"},
        {two, "10.10.3.231",
         "# 500 clients; the pool asked for is too small for one server alone\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scenario s;
        struct setup setup;
        char why[SETUP_WHY_BYTES];
        struct setup_wish wish = {.server = "a", .has_pool = true, .is_open = true};
        assert_true(inet_parse("10.10.0.1", &wish.pool_first));
        assert_true(inet_parse(rows[i].last, &wish.pool_last));
        parse(&s, rows[i].servers, shared, "");
        assert_true(setup_make(&s, &wish, &setup, why));
        char *text = setup_print(&setup, SETUP_ISC_DHCPD);
        assert_non_null(text);
        if (strstr(text, rows[i].said) == NULL || strstr(text, "guard below") != NULL) {
            fail_msg("row %zu: %s", i, text);
        }
        free(text);
        setup_fini(&setup);
        scenario_free(&s);
    }
}

static void an_open_server_has_no_guard(void **unused)
{
    (void)unused;
    for (int dialect = 0; dialect < SETUP_NFT; dialect++) {
        struct setup_wish wish = {.server = "a", .is_open = true};
        char *text = printed("", wish, (enum setup_dialect)dialect);
        assert_null(strstr(text, dialect == SETUP_IOS ? "class" : "vendor-class"));
        assert_null(strstr(text, "production\""));
        free(text);
        wish.is_open = false;
        text = printed("", wish, (enum setup_dialect)dialect);
        assert_non_null(strstr(text, dialect == SETUP_IOS ? "class LEASEHERD" : "leaseherd\""));
        free(text);
    }
}

/* IOS knows no failover: two servers that gave out the same addresses would be worse than none. */
static void servers_without_failover_have_halves(void **unused)
{
    (void)unused;
    char *a = printed("", (struct setup_wish){.server = "a"}, SETUP_IOS);
    char *b = printed("", (struct setup_wish){.server = "b"}, SETUP_IOS);
    assert_non_null(strstr(a, "address range 10.10.0.1 10.10.1.244\n"));
    assert_non_null(strstr(b, "address range 10.10.1.245 10.10.3.232\n"));
    free(a);
    free(b);
}

/* As `leaseherd testbed` says them: two relays share a subnet, the xid's first byte tells them
 * apart. */
static void the_rules_are_those_of_the_test_bed(void **unused)
{
    (void)unused;
    char *text = printed("", (struct setup_wish){.server = "a", .interface = "ens3"}, SETUP_NFT);
    assert_non_null(strstr(text, "hook egress device \"ens3\""));
    assert_non_null(strstr(text, "ip daddr 10.10.0.0/16 udp sport 67 udp dport 68 "));
    assert_non_null(strstr(text, "0x01 : 172.16.8.3, 0x02 : 172.16.9.3"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_server_can_serve_is_refused),
        cmocka_unit_test(too_small),
        cmocka_unit_test(a_pair_has_twice_the_addresses),
        cmocka_unit_test(a_pool_that_cannot_be_doubled_is_said_to_be_scarce),
        cmocka_unit_test(a_guard_cannot_be_broken),
        cmocka_unit_test(a_pool_that_is_given_is_not_said_to_suffice),
        cmocka_unit_test(an_open_server_has_no_guard),
        cmocka_unit_test(the_rules_are_those_of_the_test_bed),
        cmocka_unit_test(servers_without_failover_have_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
