/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/edge/policy_file.h"
#include "agent/policy.h"
#include "common/prng.h"
#include "common/sign.h"

#define OPERATOR "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define GOOD                                                                                       \
    "servers: [192.168.1.12, 192.168.2.12]\n"                                                      \
    "prefixes:\n"                                                                                  \
    "  - 172.16.8.0/24\n"                                                                          \
    "  - 10.10.0.0/16\n"                                                                           \
    "packets: 1000/s\n"                                                                            \
    "clients: 500\n"                                                                               \
    "run_time: 1h\n"

static struct ipv4 ip(const char *text)
{
    struct ipv4 a = {0};
    assert_true(inet_parse(text, &a));
    return a;
}

static struct ipv4_net net(const char *text)
{
    struct ipv4_net n = {{0}, 0};
    assert_true(inet_parse_net(text, &n));
    return n;
}

static bool parse(const char *text, struct policy *out, char complaints[4096])
{
    static struct diag why;
    diag_init(&why, "policy.yaml");
    bool is_good = policy_parse(text, strlen(text), out, &why);
    complaints[0] = '\0';
    complaints[diag_print(&why, complaints, 4095)] = '\0';
    return is_good;
}

static void a_bad_policy_is_refused_with_line_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        {"", "empty"},
        {"# nothing but a comment\n", "policy.yaml"},
        {"servers: [10.0.0.1]\n", "prefixes"},
        {"prefixes: [10.0.0.0/8]\n", "servers"},
        {"servers: []\nprefixes: [10.0.0.0/8]\n", "policy.yaml:1: "},
        {"servers: [10.0.0.1]\nprefixes: []\n", "policy.yaml:2: "},
        {"servers: [10.0.0.300]\nprefixes: [10.0.0.0/8]\n", "policy.yaml:1: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.1/8]\n", "policy.yaml:2: "},
        {"servers: [10.0.0.1]\nprefixes: [0.0.0.0/0]\n", "/8 or longer"},
        {"servers: [10.0.0.1]\nprefixes: [224.0.0.0/8]\n", "224.0.0.0/8"},
        {"servers: [255.255.255.255]\nprefixes: [10.0.0.0/8]\n", "broadcast"},
        {"servers: [224.0.0.1]\nprefixes: [10.0.0.0/8]\n", "multicast"},
        {"servers: [0.0.0.0]\nprefixes: [10.0.0.0/8]\n", "0.0.0.0"},
        {"servers: [10.255.255.255]\nprefixes: [10.0.0.0/8]\n", "10.255.255.255"},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\nserver: 1\n", "policy.yaml:3: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\npackets: 20000\n", "policy.yaml:3: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\nclients: 0\n", "policy.yaml:3: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\ntotal_packets: 0\n", "policy.yaml:3: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\nspin: no\n", "policy.yaml:3: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\nrenewals_without_coordinator: 5\n",
         "policy.yaml:3: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\noperators: {a: {}}\n", "policy.yaml:3: "},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\noperators: {a: {key: short}}\n",
         "policy.yaml:3: operators: the key of a is not 44 characters"},
        {"servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\noperators:\n  a: {key: " OPERATOR "}\n"
         "  b: {key: " OPERATOR "}\n",
         "policy.yaml:5: operators: a and b have the same key"},
        {"servers: [10.0.0.1\n", "policy.yaml:"},
        {"[]\n", "policy.yaml:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct policy policy;
        char complaints[4096];
        if (parse(rows[i].text, &policy, complaints) ||
            strstr(complaints, rows[i].complaint) == NULL) {
            fail_msg("row %zu: complaint '%s' instead of '%s'", i, complaints, rows[i].complaint);
        }
        assert_int_equal(policy.servers.count, 0);
    }
}

static void a_short_policy_gets_the_defaults(void **state)
{
    (void)state;
    struct policy policy;
    char complaints[4096];
    assert_true(parse("servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\n", &policy, complaints));
    assert_int_equal(policy.packets_milli_per_s, 20000 * 1000);
    assert_int_equal(policy.clients, 1000000);
    assert_int_equal(policy.run_time_ns, 12 * 3600 * NS_PER_S);
    assert_int_equal(policy.total_packets, 1000000000);
    assert_int_equal(policy.spin, POLICY_SPIN_ON);
    assert_int_equal(policy.renewals_alone_ns, 0);
    assert_int_equal(policy.operators.count, 0);
    assert_true(policy_owns_address(&policy, ip("10.1.2.3")));
    assert_false(policy_owns_address(&policy, ip("11.1.2.3")));
    policy_free(&policy);
    assert_true(
        parse("servers: [10.0.0.1]\nprefixes: [10.0.0.0/8]\nspin: off\n", &policy, complaints));
    assert_int_equal(policy.spin, POLICY_SPIN_OFF);
    policy_free(&policy);
}

static void expect_harmless(const struct policy *policy)
{
    const struct ipv4 *servers = policy->servers.items;
    const struct ipv4_net *prefixes = policy->prefixes.items;
    const struct policy_operator *operators = policy->operators.items;
    uint8_t key[SIGN_PUBLIC_BYTES];
    assert_in_range(policy->servers.count, 1, 64);
    assert_in_range(policy->prefixes.count, 1, 64);
    for (size_t i = 0; i < policy->servers.count; i++) {
        assert_in_range(inet_host(servers[i]) >> 24, 1, 223);
    }
    for (size_t i = 0; i < policy->prefixes.count; i++) {
        assert_in_range(prefixes[i].prefix_bits, 8, 32);
        assert_in_range(inet_host(prefixes[i].base) >> 24, 1, 223);
    }
    for (size_t i = 0; i < policy->operators.count; i++) {
        assert_true(sign_public_from_text(operators[i].key, key));
    }
    assert_in_range(policy->packets_milli_per_s, 1000, UINT64_C(10000000000));
    assert_in_range(policy->clients, 1, PLAN_CLIENTS_MAX);
    assert_true(policy->total_packets > 0 && policy->run_time_ns > 0);
}

/* Up to four bytes changed, 10,000 times: refused with a sentence, or no worse than a policy can
 * be. */
static void a_mutated_policy_is_refused_or_harmless(void **state)
{
    static const char good[] = GOOD "operators: {alice: {key: " OPERATOR "}}\n"
                                    "total_packets: 1000000\n";
    static char bad[sizeof(good)], complaints[4096];
    struct prng prng = prng_seeded(4242);
    unsigned accepted = 0;
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        struct policy policy;
        memcpy(bad, good, sizeof(good));
        for (uint64_t k = 1 + prng_below(&prng, 4); k > 0; k--) {
            char byte = (char)prng_below(&prng, prng_below(&prng, 2) == 0 ? 256 : 128);
            bad[prng_below(&prng, sizeof(good) - 1)] = byte == '\0' ? '0' : byte;
        }
        if (parse(bad, &policy, complaints)) {
            accepted++;
            expect_harmless(&policy);
        } else {
            assert_true(complaints[0] != '\0');
        }
        policy_free(&policy);
    }
    assert_in_range(accepted, 1, 5000);
}

/* --- plans --- */

struct fixture {
    struct policy policy;
    struct plan plan;
    struct plan_relay relays[2];
    struct control_share shares[2];
    struct control_prepare assignment;
};

static void make_fixture(struct fixture *f)
{
    char complaints[4096];
    memset(f, 0, sizeof(*f));
    assert_true(parse(GOOD, &f->policy, complaints));
    f->plan.block = net("10.10.0.0/16");
    f->plan.server_count = 2;
    f->plan.servers[0].address = ip("192.168.1.12");
    f->plan.servers[1].address = ip("192.168.2.12");
    f->plan.relays = f->relays;
    f->plan.relay_count = 2;
    f->plan.client_count = 400;
    f->plan.run_time_max_ns = 1800 * NS_PER_S;
    f->plan.packets_per_s_max = 1001;
    for (uint32_t i = 0; i < 2; i++) {
        struct plan_relay *relay = &f->relays[i];
        (void)snprintf(relay->name, sizeof(relay->name), "bldg-%u", i + 1);
        relay->giaddr = inet_from_host(inet_host(ip("172.16.8.3")) + i);
        relay->via = relay->giaddr;
        relay->subnet = net("10.10.0.0/16");
        relay->first_client = 200 * i;
        relay->client_count = 200;
        f->shares[i] =
            (struct control_share){.relay = i, .first_client = 200 * i, .client_count = 200};
    }
    f->assignment.shares = f->shares;
    f->assignment.share_count = 2;
    f->assignment.packets_per_s_max = 1000;
}

static void server_elsewhere(struct fixture *f)
{
    f->plan.servers[1].address = ip("192.168.2.13");
}

static void via_elsewhere(struct fixture *f)
{
    f->relays[1].via = ip("172.16.9.3");
}

static void giaddr_elsewhere(struct fixture *f)
{
    f->relays[1].giaddr = ip("192.168.1.12");
}

static void subnet_too_wide(struct fixture *f)
{
    f->relays[0].subnet = net("10.0.0.0/8");
}

static void block_elsewhere(struct fixture *f)
{
    f->plan.block = net("10.11.0.0/16");
}

static void too_many_packets(struct fixture *f)
{
    f->assignment.packets_per_s_max = 1001;
}

static void more_packets_than_signed(struct fixture *f)
{
    f->plan.packets_per_s_max = 999;
}

static void too_long(struct fixture *f)
{
    f->plan.run_time_max_ns = 3601 * NS_PER_S;
}

static void too_many_clients(struct fixture *f)
{
    f->relays[1].client_count = 301;
    f->shares[1].client_count = 301;
}

static void a_plan_beyond_the_policy_is_refused_with_its_value(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct fixture *f);
        const char *complaint;
    } rows[] = {
        {server_elsewhere, "192.168.2.13"},
        {via_elsewhere, "172.16.9.3"},
        {giaddr_elsewhere, "giaddr"},
        {subnet_too_wide, "10.0.0.0/8"},
        {block_elsewhere, "10.11.0.0/16"},
        {too_many_packets, "1001"},
        {more_packets_than_signed, "the signed plan for 999/s"},
        {too_long, "3601 s"},
        {too_many_clients, "501"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        make_fixture(&f);
        rows[i].spoil(&f);
        char why[POLICY_WHY_BYTES] = "";
        assert_true(assignment_is_inside(&f.plan, &f.assignment, why));
        if (policy_check_plan(&f.policy, &f.plan, &f.assignment, why) ||
            strstr(why, rows[i].complaint) == NULL) {
            fail_msg("row %zu: '%s' instead of '%s'", i, why, rows[i].complaint);
        }
        policy_free(&f.policy);
    }
}

static void a_relay_of_another_agent_is_not_our_policys_business(void **state)
{
    (void)state;
    struct fixture f;
    char why[POLICY_WHY_BYTES] = "";
    make_fixture(&f);
    via_elsewhere(&f);
    f.assignment.share_count = 1;
    f.assignment.packets_per_s_max = 501;
    assert_true(policy_check_plan(&f.policy, &f.plan, &f.assignment, why));
    policy_free(&f.policy);
}

static void a_plan_inside_the_policy_passes(void **state)
{
    (void)state;
    struct fixture f;
    char why[POLICY_WHY_BYTES] = "";
    make_fixture(&f);
    assert_true(assignment_is_inside(&f.plan, &f.assignment, why));
    assert_true(policy_check_plan(&f.policy, &f.plan, &f.assignment, why));
    policy_free(&f.policy);
}

static void shares_outside_the_plan_are_refused(void **state)
{
    (void)state;
    static const struct control_share bad[] = {
        {.relay = 2, .first_client = 0, .client_count = 1},
        {.relay = 0, .first_client = 0, .client_count = 201},
        {.relay = 1, .first_client = 199, .client_count = 1},
        {.relay = 0, .first_client = 0, .client_count = 0},
        {.relay = 1, .first_client = UINT32_MAX, .client_count = UINT32_MAX},
        {.relay = 1, .first_client = 399, .client_count = 1}, /* twice: the other share has it */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct fixture f;
        char why[POLICY_WHY_BYTES] = "";
        make_fixture(&f);
        f.shares[0] = bad[i];
        assert_false(assignment_is_inside(&f.plan, &f.assignment, why));
        assert_true(why[0] != '\0');
        policy_free(&f.policy);
    }
    struct fixture f;
    char why[POLICY_WHY_BYTES] = "";
    make_fixture(&f);
    f.assignment.share_count = 0;
    assert_false(assignment_is_inside(&f.plan, &f.assignment, why));
    policy_free(&f.policy);
}

/* --- files --- */

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static bool read_policy(const char *path, char complaints[4096])
{
    static struct diag why;
    struct policy policy;
    bool is_good = policy_file_read(path, &policy, &why);
    complaints[diag_print(&why, complaints, 4095)] = '\0';
    policy_free(&policy);
    return is_good;
}

static void a_file_others_could_have_written_is_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/leaseherd-policy-XXXXXX";
    char path[64], complaints[4096];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/policy.yaml", dir);

    assert_false(read_policy(path, complaints));
    assert_non_null(strstr(complaints, "No such file"));
    assert_false(read_policy(dir, complaints));
    assert_non_null(strstr(complaints, "not a regular file"));
    write_file(path, GOOD, 0664);
    assert_false(read_policy(path, complaints));
    assert_non_null(strstr(complaints, "chmod go-w"));
    assert_int_equal(chmod(path, 0602), 0);
    assert_false(read_policy(path, complaints));
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(read_policy(path, complaints));
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 0), 0);
        assert_false(read_policy(path, complaints));
        assert_non_null(strstr(complaints, "12345"));
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* --- the man page --- */

static void every_key_stands_in_the_man_page_with_its_default(void **state)
{
    (void)state;
    static char page[65536];
    FILE *file = fopen(SOURCE_DIR "/deploy/man/leaseherd-agent.1", "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    for (const struct schema_row *row = policy_rows; row->key != NULL; row++) {
        char entry[128];
        (void)snprintf(entry, sizeof(entry), ".It Cm %s Pq ", row->key);
        const char *at = strstr(page, entry);
        const char *end = at == NULL ? NULL : strchr(at, '\n');
        const char *note = row->is_required      ? "required"
                           : row->preset != NULL ? row->preset
                                                 : "default none";
        const char *found = at == NULL ? NULL : strstr(at, note);
        if (end == NULL || found == NULL || found > end || strstr(page, row->help) == NULL) {
            fail_msg("%s", row->key);
        }
    }
}

/* deal_split() gives each the whole part below or above its exact one, nobody less than one. */
static void the_parts_of_honest_agents_pass_and_those_of_greedy_ones_do_not(void **state)
{
    (void)state;
    struct fixture fixture, *f = &fixture;
    char why[POLICY_WHY_BYTES];
    make_fixture(f);
    static const struct {
        uint64_t all, clients, most;
    } cases[] = {{1000, 400, 1000}, {1000, 200, 501}, {999, 200, 501}, {1000, 1, 4},    {1, 1, 1},
                 {2, 1, 2},         {399, 1, 2},      {401, 1, 3},     {1000, 399, 999}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->plan.packets_per_s_max = cases[i].all;
        f->shares[0].client_count = (uint32_t)cases[i].clients;
        f->assignment.share_count = 1;
        f->assignment.packets_per_s_max = cases[i].most;
        assert_int_equal(policy_packets_per_s(&f->policy, &f->plan, f->shares, 1), cases[i].most);
        assert_true(policy_check_caps(&f->policy, &f->plan, &f->assignment, why));
        f->assignment.packets_per_s_max++;
        assert_false(policy_check_caps(&f->policy, &f->plan, &f->assignment, why));
    }
    policy_free(&f->policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_policy_is_refused_with_line_and_remedy),
        cmocka_unit_test(a_short_policy_gets_the_defaults),
        cmocka_unit_test(a_mutated_policy_is_refused_or_harmless),
        cmocka_unit_test(a_plan_beyond_the_policy_is_refused_with_its_value),
        cmocka_unit_test(a_relay_of_another_agent_is_not_our_policys_business),
        cmocka_unit_test(a_plan_inside_the_policy_passes),
        cmocka_unit_test(shares_outside_the_plan_are_refused),
        cmocka_unit_test(the_parts_of_honest_agents_pass_and_those_of_greedy_ones_do_not),
        cmocka_unit_test(a_file_others_could_have_written_is_refused),
        cmocka_unit_test(every_key_stands_in_the_man_page_with_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
