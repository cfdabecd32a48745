/* SPDX-License-Identifier: MIT */
/* Packet rules as nft 1.0.6 and iptables 1.8.9 print them, and as nobody should. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/ruleset.h"
#include "common/attrs.h"

struct sample {
    char *bytes;
    size_t size;
};

static struct sample sample_of(const char *name)
{
    enum { SAMPLE_BYTES_MAX = 1 << 16 };
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/tests/support/observer/%s", SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    struct sample s = {calloc(1, SAMPLE_BYTES_MAX), 0};
    assert_non_null(file);
    assert_non_null(s.bytes);
    s.size = fread(s.bytes, 1, SAMPLE_BYTES_MAX - 1, file);
    assert_true(s.size > 0);
    assert_int_equal(fclose(file), 0);
    return s;
}

/* Of a host's lists; NULL: it has no such program. */
static void judge_samples(const char *iptables, const char *json, const char *text,
                          struct ruleset_verdict *out)
{
    struct ruleset *r = ruleset_new();
    struct sample t = {NULL, 0}, j = sample_of(json);
    assert_non_null(r);
    if (iptables != NULL) {
        struct sample i = sample_of(iptables);
        assert_true(ruleset_read_iptables(r, i.bytes, i.size, true));
        free(i.bytes);
    }
    if (text != NULL) {
        t = sample_of(text);
    }
    assert_true(ruleset_read_nft(r, j.bytes, j.size, t.bytes, t.size));
    ruleset_judge(r, out);
    ruleset_free(r);
    free(t.bytes);
    free(j.bytes);
}

static void judge_iptables(const char *text, struct ruleset_verdict *out)
{
    struct ruleset *r = ruleset_new();
    assert_non_null(r);
    assert_true(ruleset_read_iptables(r, text, strlen(text), true));
    ruleset_judge(r, out);
    ruleset_free(r);
}

/* One base chain of nft's with these statements, a rule each. */
static void judge_nft(const char *family, const char *hook, const char *policy,
                      const char *const *rules, size_t count, struct ruleset_verdict *out)
{
    char json[4096];
    int size = snprintf(json, sizeof(json),
                        "{\"nftables\": [{\"chain\": {\"family\": \"%s\", \"table\": \"t\", "
                        "\"name\": \"c\", \"handle\": 1, \"type\": \"filter\", \"hook\": \"%s\", "
                        "\"prio\": 0, \"policy\": \"%s\"}}",
                        family, hook, policy);
    for (size_t i = 0; i < count; i++) {
        size += snprintf(json + size, sizeof(json) - (size_t)size,
                         ", {\"rule\": {\"family\": \"%s\", \"table\": \"t\", \"chain\": \"c\", "
                         "\"handle\": %zu, \"expr\": [%s]}}",
                         family, i + 2, rules[i]);
    }
    size += snprintf(json + size, sizeof(json) - (size_t)size, "]}");
    struct ruleset *r = ruleset_new();
    assert_non_null(r);
    assert_true(ruleset_read_nft(r, json, (size_t)size, NULL, 0));
    ruleset_judge(r, out);
    ruleset_free(r);
}

static void the_bed_of_2012_is_seen(void **state)
{
    (void)state;
    struct ruleset_verdict v;
    judge_samples("dnat.iptables", "dnat.nft.json", "dnat.nft.txt", &v);
    assert_int_equal(v.nat_output, 1);
    assert_int_equal(v.notrack_prerouting, 1);
    assert_int_equal(v.notrack_output, 0);
    assert_int_equal(v.drop_output, 0);
    assert_int_equal(v.rewrite_egress, 0);
    assert_false(v.is_partial);
    assert_string_equal(v.nat_rule, "iptables -t nat -A LEASEHERD -d 10.10.0.0/16 -p udp -j DNAT "
                                    "--to-destination 172.16.8.3:68");
    assert_string_equal(v.notrack_rule, "iptables -t raw -A LEASEHERD -p udp -m multiport --dports "
                                        "67,68 -j CT --notrack");
}

/* The same host without iptables-save: nft knows targets by their names. */
static void rules_of_iptables_are_seen_by_nft_alone(void **state)
{
    (void)state;
    struct ruleset_verdict v;
    judge_samples(NULL, "dnat.nft.json", "dnat.nft.txt", &v);
    assert_int_equal(v.nat_output, 1);
    assert_int_equal(v.notrack_prerouting, 1);
    assert_int_equal(v.notrack_output, 0);
    assert_string_equal(v.nat_rule, "ip nat LEASEHERD: meta l4proto udp ip daddr 10.10.0.0/16 "
                                    "counter packets 0 bytes 0 dnat to 172.16.8.3:68");
    judge_samples(NULL, "dnat.nft.json", NULL, &v);
    assert_int_equal(v.nat_output, 1);
    assert_string_equal(v.nat_rule, "ip nat LEASEHERD: rule 2");
}

static void each_rule_is_counted_once_whoever_tells_of_it(void **state)
{
    (void)state;
    struct ruleset_verdict v;
    judge_samples("mixed.iptables", "mixed.nft.json", "mixed.nft.txt", &v);
    assert_int_equal(v.nat_output, 1); /* not the masquerade of containers */
    assert_int_equal(v.notrack_prerouting, 1);
    assert_int_equal(v.notrack_output, 1);
    /* iptables' DROP; nft's limit and its reject, behind which nothing comes; none of TCP. */
    assert_int_equal(v.drop_output, 3);
    assert_int_equal(v.rewrite_egress, 1);
    struct ruleset_verdict alone;
    judge_samples(NULL, "mixed.nft.json", "mixed.nft.txt", &alone);
    assert_int_equal(alone.nat_output, v.nat_output);
    assert_int_equal(alone.notrack_prerouting, v.notrack_prerouting);
    assert_int_equal(alone.notrack_output, v.notrack_output);
    assert_int_equal(alone.drop_output, v.drop_output);
    assert_int_equal(alone.rewrite_egress, v.rewrite_egress);
}

static void rules_of_iptables_count_when_they_can_meet_dhcp(void **state)
{
    (void)state;
    static const struct {
        const char *table, *rule;
        unsigned nat, notrack_in, notrack_out, drop;
    } rows[] = {
        {"nat", "OUTPUT -d 10.10.0.0/16 -p udp -m udp --dport 68 -j DNAT --to 1.2.3.4:68", 1, 0, 0,
         0},
        {"nat", "OUTPUT -d 10.10.0.0/16 -j DNAT --to 1.2.3.4", 1, 0, 0, 0},
        {"nat", "OUTPUT -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353", 0, 0, 0, 0},
        {"nat", "OUTPUT -p tcp -m tcp --dport 68 -j DNAT --to 1.2.3.4:68", 0, 0, 0, 0},
        {"nat", "OUTPUT -d 127.0.0.0/8 -j DNAT --to 1.2.3.4", 0, 0, 0, 0},
        {"nat", "OUTPUT ! -p udp -j DNAT --to 1.2.3.4", 0, 0, 0, 0},
        {"nat", "PREROUTING -p udp -j DNAT --to 1.2.3.4", 0, 0, 0, 0},
        {"nat", "POSTROUTING -p udp -m udp --sport 67 -j SNAT --to 1.2.3.4", 1, 0, 0, 0},
        {"nat", "POSTROUTING -o eth0 -j MASQUERADE", 1, 0, 0, 0},
        {"nat", "POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", 0, 0, 0, 0},
        {"raw", "PREROUTING -p udp -m multiport --dports 67,68 -j NOTRACK", 0, 1, 0, 0},
        {"raw", "PREROUTING -p udp -m udp --dport 53 -j CT --notrack", 0, 0, 0, 0},
        {"raw", "OUTPUT -p udp -m udp --sport 60:70 -j CT --notrack", 0, 0, 1, 0},
        {"raw", "OUTPUT -p udp -m udp --sport 67 -j CT --zone 3", 0, 0, 0, 0},
        {"filter", "OUTPUT -p udp -m udp --sport 67 -j DROP", 0, 0, 0, 1},
        {"filter", "OUTPUT -p udp -m udp ! --sport 67 -j DROP", 0, 0, 0, 0},
        {"filter", "OUTPUT -p udp -m udp --dport 68 -j REJECT --reject-with icmp-port-unreachable",
         0, 0, 0, 1},
        {"filter", "OUTPUT -m set --match-set bad dst -j DROP", 0, 0, 0, 1},
        {"filter", "OUTPUT -o lo -j DROP", 0, 0, 0, 0},
        {"filter", "OUTPUT -p udp -m comment --comment \"a -j DROP \\\" b\" -j ACCEPT", 0, 0, 0, 0},
        {"filter", "OUTPUT -j LOG --log-prefix \"-j DROP\"", 0, 0, 0, 0},
        {"filter", "INPUT -j DROP", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        struct ruleset_verdict v;
        (void)snprintf(text, sizeof(text),
                       "*%s\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
                       ":POSTROUTING ACCEPT [0:0]\n-A %s\nCOMMIT\n",
                       rows[i].table, rows[i].rule);
        judge_iptables(text, &v);
        if (v.nat_output != rows[i].nat || v.notrack_prerouting != rows[i].notrack_in ||
            v.notrack_output != rows[i].notrack_out || v.drop_output != rows[i].drop) {
            fail_msg("%s: %u %u %u %u", rows[i].rule, v.nat_output, v.notrack_prerouting,
                     v.notrack_output, v.drop_output);
        }
    }
}

static void what_was_accepted_is_not_dropped_behind(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        unsigned drops;
    } rows[] = {
        {":OUTPUT DROP [0:0]\n-A OUTPUT -p udp -m udp --sport 67 -j ACCEPT\n", 0},
        {":OUTPUT DROP [0:0]\n-A OUTPUT -p udp -m udp --dport 68 -j ACCEPT\n", 1},
        {":OUTPUT DROP [0:0]\n-A OUTPUT -m state --state ESTABLISHED -j ACCEPT\n", 1},
        {":OUTPUT ACCEPT [0:0]\n:x - [0:0]\n-A OUTPUT -p udp -j x\n-A OUTPUT -j DROP\n"
         "-A x -p udp -m udp --sport 67 -j ACCEPT\n",
         0},
        {":OUTPUT ACCEPT [0:0]\n:x - [0:0]\n-A OUTPUT -p udp -j x\n-A OUTPUT -j DROP\n"
         "-A x -p udp -m udp --sport 67 -j RETURN\n-A x -j DROP\n",
         1},
        /* The last rule counts only for those who come back from x. */
        {":OUTPUT ACCEPT [0:0]\n:x - [0:0]\n-A OUTPUT -d 10.0.0.0/8 -g x\n-A x -j RETURN\n"
         "-A x -j DROP\n",
         0},
        {":OUTPUT ACCEPT [0:0]\n:x - [0:0]\n-A OUTPUT -g x\n-A OUTPUT -j DROP\n-A x -p tcp -j "
         "DROP\n",
         0},
        /* A chain that jumps to itself, which no kernel takes. */
        {":OUTPUT ACCEPT [0:0]\n:x - [0:0]\n-A OUTPUT -j x\n-A x -j x\n", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        struct ruleset_verdict v;
        (void)snprintf(text, sizeof(text), "*filter\n%sCOMMIT\n", rows[i].rules);
        judge_iptables(text, &v);
        if (v.drop_output != rows[i].drops) {
            fail_msg("%s: %u", rows[i].rules, v.drop_output);
        }
    }
}

#define MATCH(left, op, right)                                                                     \
    "{\"match\": {\"op\": \"" op "\", \"left\": " left ", \"right\": " right "}}"
#define SPORT "{\"payload\": {\"protocol\": \"udp\", \"field\": \"sport\"}}"
#define DPORT "{\"payload\": {\"protocol\": \"udp\", \"field\": \"dport\"}}"
#define L4    "{\"meta\": {\"key\": \"l4proto\"}}"
#define DROP  ", {\"drop\": null}"

static void conditions_of_nft_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        unsigned drops;
    } rows[] = {
        {MATCH(SPORT, "==", "67") DROP, 1},
        {MATCH(SPORT, "==", "53") DROP, 0},
        {MATCH(SPORT, "!=", "67") DROP, 0},
        {MATCH(SPORT, "==", "{\"range\": [60, 66]}") DROP, 0},
        {MATCH(SPORT, "==", "{\"set\": [53, {\"range\": [67, 69]}]}") DROP, 1},
        {MATCH(SPORT, "==", "\"@ports\"") DROP, 1},
        {MATCH(SPORT, "<", "67") DROP, 0},
        {MATCH(SPORT, "<=", "67") DROP, 1},
        {MATCH(SPORT, ">", "1024") DROP, 0},
        {MATCH(DPORT, "==", "68") DROP, 1},
        {MATCH(DPORT, "!=", "{\"set\": [67, 68]}") DROP, 0},
        {MATCH(L4, "==", "\"tcp\"") DROP, 0},
        {MATCH(L4, "==", "{\"set\": [\"tcp\", \"udp\"]}") DROP, 1},
        {MATCH(L4, "!=", "\"udp\"") DROP, 0},
        {MATCH("{\"payload\": {\"protocol\": \"tcp\", \"field\": \"dport\"}}", "!=", "22") DROP, 0},
        {MATCH("{\"payload\": {\"protocol\": \"ip6\", \"field\": \"daddr\"}}", "!=", "\"::1\"")
             DROP,
         0},
        {MATCH("{\"payload\": {\"protocol\": \"ip\", \"field\": \"protocol\"}}", "==", "17") DROP,
         1},
        {MATCH("{\"meta\": {\"key\": \"oifname\"}}", "==", "\"lo\"") DROP, 0},
        {MATCH("{\"meta\": {\"key\": \"oifname\"}}", "!=", "\"lo\"") DROP, 1},
        {MATCH("{\"ct\": {\"key\": \"state\"}}", "in", "\"invalid\"") DROP, 1},
        {MATCH("{\"payload\": {\"protocol\": \"ip\", \"field\": \"daddr\"}}",
               "==", "{\"prefix\": {\"addr\": \"224.0.0.0\", \"len\": 4}}") DROP,
         0},
        {"{\"limit\": {\"rate\": 200, \"per\": \"second\", \"inv\": true}}" DROP, 1},
        {"{\"something\": {\"new\": 1}}" DROP, 1},
        {"{\"counter\": {\"packets\": 0, \"bytes\": 0}}, {\"accept\": null}", 0},
        {MATCH("null", "==", "null") DROP, 1},
        {"null, 7, \"x\", []" DROP, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ruleset_verdict v;
        judge_nft("inet", "output", "accept", &rows[i].rule, 1, &v);
        if (v.drop_output != rows[i].drops) {
            fail_msg("%s: %u", rows[i].rule, v.drop_output);
        }
    }
}

static void policies_hooks_and_families_of_nft_matter(void **state)
{
    (void)state;
    static const char *const accepting[] = {MATCH(SPORT, "==", "67") ", {\"accept\": null}"};
    static const char *const limiting[] = {MATCH(SPORT, "==", "67") ", {\"limit\": {\"rate\": 9}}"
                                                                    ", {\"accept\": null}"};
    static const char *const dropping[] = {"{\"drop\": null}"};
    static const struct {
        const char *family, *hook, *policy;
        const char *const *rules;
        unsigned drops;
    } rows[] = {
        {"inet", "output", "drop", accepting, 0},     {"inet", "output", "drop", limiting, 1},
        {"inet", "input", "drop", limiting, 0},       {"ip6", "output", "accept", dropping, 0},
        {"netdev", "egress", "accept", dropping, 1},  {"ip", "postrouting", "accept", dropping, 1},
        {"inet", "forward", "accept", dropping, 0},   {"arp", "output", "accept", dropping, 0},
        {"netdev", "ingress", "accept", dropping, 0}, {"ip", "prerouting", "drop", dropping, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ruleset_verdict v;
        judge_nft(rows[i].family, rows[i].hook, rows[i].policy, rows[i].rules, 1, &v);
        if (v.drop_output != rows[i].drops) {
            fail_msg("row %zu: %u", i, v.drop_output);
        }
    }
}

static void a_raw_rewrite_of_the_destination_is_one(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "{\"mangle\": {\"key\": {\"payload\": {\"base\": \"nh\", \"offset\": 128, \"len\": 32}}, "
        "\"value\": 174260227}}",
        "{\"mangle\": {\"key\": {\"meta\": {\"key\": \"mark\"}}, \"value\": 1}}",
        "{\"mangle\": {\"key\": {\"payload\": {\"protocol\": \"ip\", \"field\": \"dscp\"}}, "
        "\"value\": 1}}"};
    struct ruleset_verdict v;
    judge_nft("ip", "output", "accept", rules, ARRAY_LEN(rules), &v);
    assert_int_equal(v.rewrite_egress, 1);
}

static void what_nobody_prints_is_refused_or_nothing(void **state)
{
    (void)state;
    static const char *const jsons[] = {
        "", "{", "[]", "{\"nftables\": 7}", "null", "{\"nftables\": {}}"};
    static const char *const nothings[] = {
        "{\"nftables\": []}", "{\"nftables\": [null, 7, {}, {\"rule\": 7}, {\"chain\": []}]}",
        "{\"nftables\": [{\"rule\": {\"family\": \"ip\", \"expr\": {}}}]}",
        "{\"nftables\": [{\"chain\": {\"family\": \"ip\", \"hook\": \"output\"}}]}"};
    struct ruleset_verdict v;
    for (size_t i = 0; i < ARRAY_LEN(jsons); i++) {
        struct ruleset *r = ruleset_new();
        assert_false(ruleset_read_nft(r, jsons[i], strlen(jsons[i]), NULL, 0));
        ruleset_free(r);
    }
    for (size_t i = 0; i < ARRAY_LEN(nothings); i++) {
        struct ruleset *r = ruleset_new();
        assert_true(ruleset_read_nft(r, nothings[i], strlen(nothings[i]), "table", 5));
        ruleset_judge(r, &v);
        assert_int_equal(v.drop_output + v.nat_output, 0);
        ruleset_free(r);
    }
    judge_iptables("-A OUTPUT -j DROP\n*\n:\n: \n*filter\n-A\n-A \n-A OUTPUT\n-A OUTPUT -j\n-j\n!\n"
                   ":OUTPUT\n-A OUTPUT ! ! -p\n-A OUTPUT \"",
                   &v);
    assert_int_equal(v.drop_output, 0);
}

/* A host may have both: nft's table is then another one, and told by nft. */
static void tables_of_iptables_legacy_are_others(void **state)
{
    (void)state;
    static const char legacy[] =
        "*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p udp -j DNAT --to 1.2.3.4\n"
        "COMMIT\n";
    struct ruleset *r = ruleset_new();
    struct ruleset_verdict v;
    struct sample j = sample_of("dnat.nft.json");
    assert_non_null(r);
    assert_true(ruleset_read_iptables(r, legacy, strlen(legacy), false));
    assert_true(ruleset_read_nft(r, j.bytes, j.size, NULL, 0));
    ruleset_judge(r, &v);
    assert_int_equal(v.nat_output, 2);
    assert_string_equal(v.nat_rule, "iptables-legacy -t nat -A OUTPUT -p udp -j DNAT --to 1.2.3.4");
    ruleset_free(r);
    free(j.bytes);
}

static void names_that_are_too_long_are_told_as_too_much(void **state)
{
    (void)state;
    char text[700];
    memset(text, 'x', sizeof(text));
    memcpy(text, "*filter\n-A ", 11);
    memcpy(text + sizeof(text) - 9, " -j DROP", 9);
    struct ruleset *r = ruleset_new();
    struct ruleset_verdict v;
    assert_false(ruleset_read_iptables(r, text, sizeof(text) - 1, true));
    ruleset_judge(r, &v);
    assert_true(v.is_partial);
    ruleset_free(r);
    ruleset_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bed_of_2012_is_seen),
        cmocka_unit_test(rules_of_iptables_are_seen_by_nft_alone),
        cmocka_unit_test(each_rule_is_counted_once_whoever_tells_of_it),
        cmocka_unit_test(rules_of_iptables_count_when_they_can_meet_dhcp),
        cmocka_unit_test(what_was_accepted_is_not_dropped_behind),
        cmocka_unit_test(conditions_of_nft_are_understood),
        cmocka_unit_test(policies_hooks_and_families_of_nft_matter),
        cmocka_unit_test(a_raw_rewrite_of_the_destination_is_one),
        cmocka_unit_test(what_nobody_prints_is_refused_or_nothing),
        cmocka_unit_test(tables_of_iptables_legacy_are_others),
        cmocka_unit_test(names_that_are_too_long_are_told_as_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
