/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/lease_book.h"
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NOW_S UINT64_C(1704585600) /* 2024-01-07 00:00:00 UTC */

static struct ipv4 ip(const char *text)
{
    struct ipv4 a;
    assert_true(inet_parse(text, &a));
    return a;
}

static bool dhcpd(struct lease_book *book, const char *text)
{
    return lease_book_dhcpd(book, text, strlen(text), NOW_S);
}

static bool kea(struct lease_book *book, const char *text)
{
    return lease_book_kea_csv(book, text, strlen(text), NOW_S);
}

static int state_of(const struct lease_book *book, const char *addr)
{
    struct book_lease lease;
    return lease_book_find(book, ip(addr), &lease) ? (int)lease.state : -1;
}

static void garbage_is_counted_and_nothing_else(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "}",
                                        "lease",
                                        "lease {\n}\n",
                                        "lease 300.1.1.1 {\n binding state active;\n}\n",
                                        "lease 10.0.0.1 {",
                                        "binding state active;",
                                        "\"lease 10.0.0.1 {\"\n",
                                        "lease 0.0.0.0 {\n}\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct lease_book book = {0};
        size_t cursor = 0;
        struct book_lease lease;
        (void)dhcpd(&book, texts[i]);
        assert_false(kea(&book, texts[i]));
        assert_false(lease_book_next(&book, &cursor, &lease));
        lease_book_fini(&book);
    }
}

static void a_cut_file_loses_only_its_last_entry(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    dhcpd(&book,
          "lease 10.0.0.1 {\n  binding state active;\n  hardware ethernet 02:00:00:00:00:01;\n}\n"
          "lease 10.0.0.2 {\n  binding state active;\n  hard");
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_UNCLEAR);
    assert_int_equal(book.strange, 1);
    lease_book_fini(&book);
}

#define FREE_1 "lease 10.0.0.1 {\n  binding state free;\n}\n"
#define DHCPD_LEASE(addr, more)                                                                    \
    "lease " addr " {\n  binding state active;\n  hardware ethernet 02:00:00:00:00:01;\n" more "}" \
    "\n"

/* Each of these may be the latest word on any lease: an older one proves nothing then. */
static void what_is_not_understood_is_counted(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        FREE_1 "lease 10.0.0.1",
        FREE_1 "lease 10.0.0.1 {",
        FREE_1 "lease 10.0.0.1 {\n",
        FREE_1 "lea",
        FREE_1 "lease 10.0.0.1\n",
        FREE_1 "lease 10.0.0. {\n  binding state active;\n}\n",
        FREE_1 "ease 10.0.0.1 {\n  binding state active;\n}\n",
        FREE_1 "  binding state active;\n",
        FREE_1 "}\n",
        FREE_1 "lease 10.0.0.1 {\n  binding st",
        FREE_1 "lease 10.0.0.2 {\n  binding st\nlease 10.0.0.1 {\n  binding state free;\n}\n",
        FREE_1 "lease 10.0.0.2 {\n  binding state actve;\n}\n",
        FREE_1 "lease 10.0.0.2 {\n}\n",
        FREE_1 "failover peer \"x\" state {\n  my state normal at 0 2024/01/06 23:00:00;\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct lease_book book = {0};
        assert_true(dhcpd(&book, texts[i]));
        if (book.strange != 1) {
            fail_msg("%zu: %llu\n%s", i, (unsigned long long)book.strange, texts[i]);
        }
        lease_book_fini(&book);
    }
    static const char nul[] = FREE_1 "\0\0\0\n";
    struct lease_book book = {0};
    assert_true(lease_book_dhcpd(&book, nul, sizeof(nul) - 1, NOW_S));
    assert_int_equal(book.strange, 1);
    static const char kea_nul[] = "address,hwaddr,valid_lifetime,expire,state\n\0\0\0\n";
    assert_true(lease_book_kea_csv(&book, kea_nul, sizeof(kea_nul) - 1, NOW_S));
    assert_int_equal(book.strange, 2);
    lease_book_fini(&book);
}

/* The entry that was cut, and the one after it. */
static void a_block_in_a_block_ends_the_first_in_the_middle(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    assert_true(dhcpd(&book, FREE_1 "lease 10.0.0.1 {\n  binding state active;\n" DHCPD_LEASE(
                                 "10.0.0.2", "") "lease 10.0.0.3 {\n  binding state free;\n}\n"));
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_UNCLEAR);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.3"), BOOK_FREE);
    assert_int_equal(book.strange, 1);
    lease_book_fini(&book);
}

/* All that dhcpd writes besides: none of it makes the book a doubtful one. */
static void an_ordinary_file_of_dhcpd_has_nothing_strange(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    assert_true(dhcpd(
        &book, "# The format of this file is documented in the dhcpd.leases(5) manual page.\n"
               "# This lease file was written by isc-dhcp-4.4.1 {\n\n"
               "# authoring-byte-order entry is generated, DO NOT DELETE\n"
               "authoring-byte-order little-endian;\n\n"
               "server-duid \"\\000\\001\\000\\001-{\";\n\n"
               "failover peer \"dhcp failover\" state {\n"
               "  my state normal at 0 2024/01/06 23:00:00;\n"
               "  partner state normal at 0 2024/01/06 23:00:00;\n  mclt 60;\n}\n"
               "class \"voip\" {\n  dynamic;\n  lease limit 4;\n}\n\n"
               "subclass \"voip\" \"x y\" {\n  dynamic;\n}\n"
               "group lab {\n  dynamic;\n}\n"
               "host printer {\n  dynamic;\n  hardware ethernet 02:00:00:00:00:09;\n"
               "  fixed-address 10.0.0.9;\n}\n"
               "lease 10.0.0.1 {\n  starts 0 2024/01/06 23:00:00;\n  ends 0 2024/01/07 01:00:00;\n"
               "  tstp 0 2024/01/07 01:00:00;\n  tsfp 0 2024/01/07 01:00:00;\n"
               "  atsfp 0 2024/01/07 01:00:00;\n  cltt 0 2024/01/06 23:00:00;\n"
               "  binding state active;\n  next binding state expired;\n"
               "  rewind binding state free;\n  hardware ethernet 02:00:00:00:00:01;\n"
               "  uid \"\\001}\\002{\";\n  set vendor-class-identifier = \"leaseherd/x\";\n"
               "  option agent.circuit-id \"}\";\n  reserved;\n  client-hostname \"}\";\n"
               "  on expiry or release {\n    if option x {\n      log \"a\";\n    } else {\n"
               "      log \"b\";\n    }\n  }\n}\n"
               "lease 10.0.0.2 {\n  starts epoch 1704585600; # Sun Jan 07 00:00:00 2024\n"
               "  ends epoch 1704585601; # Sun Jan 07 00:00:01 2024\n  binding state backup;\n}\n"
               "lease 10.0.0.3 {\n  binding state reset;\n}\n"));
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_FREE);
    assert_int_equal(state_of(&book, "10.0.0.3"), BOOK_FREE);
    assert_int_equal(state_of(&book, "10.0.0.9"), -1);
    assert_int_equal(book.strange, 0);
    lease_book_fini(&book);
}

/* Whose it is decides whether it is one of ours: not said is not "somebody else's". */
static void an_active_lease_without_a_mac_is_unclear(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    char why[LEASE_BOOK_WHY_BYTES];
    assert_true(dhcpd(&book, "lease 10.0.0.1 {\n  binding state active;\n}\n"
                             "lease 10.0.0.2 {\n  binding state active;\n"
                             "  hardware token-ring 02:00:00:00:00:02;\n}\n"
                             "lease 10.0.0.3 {\n  binding state active;\n"
                             "  hardware ethernet 00:00:00:00:00:00;\n}\n"
                             "lease 10.0.0.4 {\n  binding state free;\n}\n"));
    assert_true(kea(&book, "address,hwaddr,valid_lifetime,expire,state\n"
                           "10.0.0.5,,600,1704586000,0\n"
                           "10.0.0.6,02:00:00:00:00:00:00:06,600,1704586000,0\n"
                           "10.0.0.7,,600,1704585600,0\n"
                           "10.0.0.8,02:00:00:00:00:08,600,1704586000,9\n"
                           "10.0.0.9,02:00:00:00:00:09,600,1704586000,3\n"));
    static const char text[] =
        "{\"result\": 0, \"arguments\": {\"leases\": [{\"ip-address\": \"10.0.0.10\", "
        "\"cltt\": 1704585500, \"valid-lft\": 600, \"state\": 0}]}}";
    assert_true(lease_book_kea_json(&book, text, strlen(text), NOW_S, why));
    static const int states[] = {BOOK_UNCLEAR, BOOK_UNCLEAR, BOOK_UNCLEAR, BOOK_FREE, BOOK_UNCLEAR,
                                 BOOK_UNCLEAR, BOOK_EXPIRED, BOOK_UNCLEAR, BOOK_FREE, BOOK_UNCLEAR};
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        char addr[IPV4_TEXT_BYTES];
        (void)snprintf(addr, sizeof(addr), "10.0.0.%zu", i + 1);
        if (state_of(&book, addr) != states[i]) {
            fail_msg("%s: %d", addr, state_of(&book, addr));
        }
    }
    assert_int_equal(book.strange, 0); /* all was understood */
    lease_book_fini(&book);
}

/* A file that is not the server's knows no lease: that must not free any. */
static void what_is_no_lease_file_is_told_from_an_empty_one(void **unused)
{
    (void)unused;
    static const char *const others[] = {
        "",     "root:x:0:0:root:/root:/bin/bash\n", "\0\0\0",
        "{}\n", "lease 10.0.0.1 is active\n",        "subnet 10.0.0.0 netmask 255.0.0.0 {\n}\n"};
    struct lease_book book = {0};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_false(dhcpd(&book, others[i]));
        assert_false(kea(&book, others[i]));
    }
    assert_true(dhcpd(&book, "# a comment\n\nauthoring-byte-order little-endian;\n"));
    assert_true(dhcpd(&book, "server-duid \"\\000\\001\";\n"));
    assert_true(dhcpd(&book, "lease 10.0.0.1 {\n}\n"));
    assert_true(kea(&book, "address,hwaddr,valid_lifetime,expire,state\n"));
    assert_int_equal(book.leases.count, 1);
    lease_book_fini(&book);
}

/* Nor must a line that was not understood. */
static void an_address_whose_entry_is_not_understood_is_unclear(void **unused)
{
    (void)unused;
    static const char *const statements[] = {"hardware ethernet 02:00",
                                             "hardware ethernet 02:00:00:00:00:01:02",
                                             "ends yesterday",
                                             "ends epoch -5",
                                             "ends epoch 99999999999999999999",
                                             "ends 4 2024/13/01 0:0:0"};
    struct lease_book book = {0};
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "lease 10.0.0.%zu {\n binding state free;\n %s;\n}\n",
                       i + 1, statements[i]);
        assert_true(dhcpd(&book, text));
        (void)snprintf(text, sizeof(text), "10.0.0.%zu", i + 1);
        assert_int_equal(state_of(&book, text), BOOK_UNCLEAR);
    }
    assert_int_equal(book.strange, ARRAY_LEN(statements));
    assert_true(dhcpd(&book, "lease 10.0.0.1 {\n binding state free;\n}\n"));
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_FREE); /* later it was */
    lease_book_fini(&book);
}

static void the_latest_block_of_dhcpd_counts(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    struct book_lease lease;
    dhcpd(&book,
          "# a comment\nserver-duid \"x\";\n"
          "lease 10.0.0.1 {\n  starts 0 2024/01/06 23:00:00;\n  ends 0 2024/01/07 01:00:00;\n"
          "  binding state active;\n  next binding state expired;\n"
          "  hardware ethernet 02:00:5e:0A:00:01;\n  client-hostname \"binding state free;\";\n}\n"
          "lease 10.0.0.2 {\n  ends 0 2024/01/07 01:00:00;\n  binding state active;\n}\n"
          "lease 10.0.0.2 {\n  ends 0 2024/01/06 23:30:00;\n  binding state released;\n}\n"
          "lease 10.0.0.3 {\n  binding state abandoned;\n}\n" DHCPD_LEASE("10.0.0.4",
                                                                          "  ends never;\n")
              DHCPD_LEASE("10.0.0.5", "  ends epoch 1704585601; # x\n"));
    assert_true(lease_book_find(&book, ip("10.0.0.1"), &lease));
    assert_int_equal(lease.state, BOOK_ACTIVE);
    static const uint8_t mac[MAC_BYTES] = {0x02, 0, 0x5e, 0x0a, 0, 0x01};
    assert_memory_equal(lease.mac.byte, mac, MAC_BYTES);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_FREE);
    assert_int_equal(state_of(&book, "10.0.0.3"), BOOK_DECLINED);
    assert_int_equal(state_of(&book, "10.0.0.4"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.5"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.6"), -1);
    lease_book_fini(&book);
}

static void an_active_lease_whose_time_is_over_is_expired(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    dhcpd(&book, DHCPD_LEASE("10.0.0.1", "  ends 0 2024/01/07 00:00:00;\n")
                     DHCPD_LEASE("10.0.0.2", "  ends 0 2024/01/07 00:00:01;\n")
                         DHCPD_LEASE("10.0.0.3", "  ends 4 2024/02/29 00:00:00;\n"));
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_EXPIRED);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.3"), BOOK_ACTIVE);
    lease_book_fini(&book);
}

#define HEADING                                                                                    \
    "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,"   \
    "user_context\n"

static void the_latest_row_of_kea_counts(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    kea(&book, HEADING "10.0.0.1,02:00:00:00:00:01,,600,1704586000,1,0,0,,0,\n"
                       "10.0.0.2,02:00:00:00:00:02,,600,1704586000,1,0,0,,0,\n"
                       "10.0.0.2,02:00:00:00:00:02,,0,1704586000,1,0,0,,0,\n"
                       "10.0.0.3,,,86400,1704690000,1,0,0,,1,\n"
                       "10.0.0.4,02:00:00:00:00:04,,600,1704585600,1,0,0,,0,\n"
                       "10.0.0.5,02:00:00:00:00:05,,600,1704586000,1,0,0,,2,\n"
                       "10.0.0.6,junk,,600,1704586000,1,0,0,,0,\n"
                       "10.0.0.7,02:00:00:00:00:07,,600");
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_FREE);
    assert_int_equal(state_of(&book, "10.0.0.3"), BOOK_DECLINED);
    assert_int_equal(state_of(&book, "10.0.0.4"), BOOK_EXPIRED);
    assert_int_equal(state_of(&book, "10.0.0.5"), BOOK_EXPIRED);
    assert_int_equal(state_of(&book, "10.0.0.6"), BOOK_UNCLEAR);
    assert_int_equal(state_of(&book, "10.0.0.7"), -1);
    assert_int_equal(book.strange, 2);
    lease_book_fini(&book);
}

static void an_answer_of_kea_that_is_none_says_why(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"",
                                        "[]",
                                        "{",
                                        "null",
                                        "{\"result\": \"0\"}",
                                        "{\"result\": 2, \"text\": \"command not supported\"}",
                                        "{\"result\": 1}",
                                        "{\"result\": 0}",
                                        "{\"result\": 0, \"arguments\": {}}",
                                        "{\"result\": 0, \"arguments\": {\"leases\": 0}}",
                                        "{\"result\": 0, \"arguments\": {\"leases\": {}}}",
                                        "{\"result\": 0, \"leases\": []}",
                                        "{\"result\": 3, \"x\": {\"leases\": []}}",
                                        "{\"result\": 0, \"arguments\": {\"leases\": [], "
                                        "\"leases\": []}}",
                                        "[{\"result\": 0}]",
                                        "[{\"result\": 3}, {\"result\": 3}]",
                                        "[{\"result\": 0, \"arguments\": {\"leases\": []}}, "
                                        "{\"result\": 0, \"arguments\": {\"leases\": []}}]",
                                        "[{\"result\": 0, \"arguments\": {\"leases\": []}}, 1]"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct lease_book book = {0};
        char why[LEASE_BOOK_WHY_BYTES] = "";
        if (lease_book_kea_json(&book, texts[i], strlen(texts[i]), NOW_S, why)) {
            fail_msg("taken for an answer: %s", texts[i]);
        }
        assert_true(strlen(why) > 0);
        lease_book_fini(&book);
    }
}

static void leases_are_read_from_keas_answer(void **unused)
{
    (void)unused;
    static const char text[] =
        "{\"result\": 0, \"arguments\": {\"leases\": ["
        "{\"ip-address\": \"10.0.0.1\", \"hw-address\": \"02:00:00:00:00:01\", \"cltt\": "
        "1704585500,"
        " \"valid-lft\": 600, \"state\": 0},"
        "{\"ip-address\": \"10.0.0.2\", \"hw-address\": \"\", \"cltt\": 1704585500,"
        " \"valid-lft\": 600, \"state\": 1},"
        "{\"ip-address\": \"10.0.0.3\", \"hw-address\": \"02:00:00:00:00:03\", \"cltt\": -1,"
        " \"valid-lft\": 600, \"state\": 0},"
        "{\"ip-address\": \"10.0.0.4\", \"hw-address\": \"02:00:00:00:00:04\", \"cltt\": "
        "1704584000,"
        " \"valid-lft\": 600, \"state\": 0}]}}";
    struct lease_book book = {0};
    char why[LEASE_BOOK_WHY_BYTES];
    assert_true(lease_book_kea_json(&book, text, strlen(text), NOW_S, why));
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_DECLINED);
    assert_int_equal(state_of(&book, "10.0.0.3"), BOOK_UNCLEAR);
    assert_int_equal(state_of(&book, "10.0.0.4"), BOOK_EXPIRED);
    assert_int_equal(book.strange, 1);
    static const char empty[] = "{\"result\": 3, \"text\": \"0 IPv4 lease(s) found.\"}";
    assert_true(lease_book_kea_json(&book, empty, strlen(empty), NOW_S, why));
    static const char *const lists[] = {
        "{\"result\": 0, \"arguments\": {\"leases\": []}}",
        "[{\"result\": 3, \"arguments\": {\"leases\": [ ]}, \"text\": \"0 found\"}]"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        assert_true(lease_book_kea_json(&book, lists[i], strlen(lists[i]), NOW_S, why));
    }
    lease_book_fini(&book);
}

static bool answers(struct lease_book *book, const char *text, char why[LEASE_BOOK_WHY_BYTES])
{
    why[0] = '\0';
    return lease_book_kea_json(book, text, strlen(text), NOW_S, why);
}

static void the_words_of_kea_steer_no_terminal(void **unused)
{
    (void)unused;
    struct lease_book book = {0};
    char why[LEASE_BOOK_WHY_BYTES];
    assert_false(answers(
        &book, "{\"result\": 1, \"text\": \"\\u001b[2J\\nok\\u009b2J\\u0007 all is well\"}", why));
    for (const char *at = why; *at != '\0'; at++) {
        assert_true(*at >= ' ' && *at <= '~');
    }
    assert_non_null(strstr(why, "all is well"));
    lease_book_fini(&book);
}

#define LEASE(addr, more)                                                                          \
    "{\"ip-address\": \"" addr "\", \"hw-address\": \"02:00:00:00:00:01\", \"cltt\": 1704585500,"  \
    " \"valid-lft\": 600, \"state\": 0" more "}"

/* What a client says ends up in the answer: names, identifiers, contexts. */
static void what_clients_said_changes_no_other_lease(void **unused)
{
    (void)unused;
    static const char text[] = "{\"arguments\": {\"leases\": [ " LEASE(
        "10.0.0.1",
        ", \"hostname\": \"]}]}, "
        "\\\"leases\\\": [\\\\\"") ", " LEASE("10.0.0.2",
                                              ", \"user-context\": {\"leases\": [{\"ip-address\": "
                                              "\"10.0.0.9\"}, []]}") " ,,  7 "
                                                                     "\"x]\" [{}] "
                                                                     "{\"a\": "
                                                                     "1} " LEASE("10.0.0."
                                                                                 "3",
                                                                                 "") " ]},"
                                                                                     " \"r"
                                                                                     "esul"
                                                                                     "t\":"
                                                                                     " 0, "
                                                                                     "\"te"
                                                                                     "xt\""
                                                                                     ": "
                                                                                     "\"3"
                                                                                     "\"}";
    struct lease_book book = {0};
    char why[LEASE_BOOK_WHY_BYTES];
    assert_true(answers(&book, text, why));
    assert_int_equal(state_of(&book, "10.0.0.1"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.2"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.3"), BOOK_ACTIVE);
    assert_int_equal(state_of(&book, "10.0.0.9"), -1);
    assert_int_equal(book.strange, 4);
    for (size_t cut = 0; cut < sizeof(text) - 2; cut++) {
        struct lease_book none = {0};
        assert_false(lease_book_kea_json(&none, text, cut, NOW_S, why));
        assert_int_equal(none.leases.count, 0);
        lease_book_fini(&none);
    }
    lease_book_fini(&book);
}

/* A tree of this would take a gigabyte. */
static void a_large_answer_takes_no_more_memory_than_it_has(void **unused)
{
    (void)unused;
    static const char head[] = "{\"arguments\": {\"leases\": [", tail[] = "]}, \"result\": 0}";
    enum { BODY = 32 << 20 };
    size_t bytes = sizeof(head) - 1 + BODY + sizeof(tail) - 1;
    char *text = malloc(bytes), why[LEASE_BOOK_WHY_BYTES];
    assert_non_null(text);
    memcpy(text, head, sizeof(head) - 1);
    for (size_t i = 0; i < BODY; i++) {
        text[sizeof(head) - 1 + i] = i % 2 == 0 ? '1' : ',';
    }
    memcpy(text + bytes - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
    struct lease_book book = {0};
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    assert_true(lease_book_kea_json(&book, text, bytes, NOW_S, why));
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
    assert_int_equal(book.strange, BODY / 2);
    memset(text + sizeof(head) - 1, '{', BODY);
    assert_false(lease_book_kea_json(&book, text, bytes, NOW_S, why));
    memset(text, ' ', bytes);
    assert_false(lease_book_kea_json(&book, text, bytes, NOW_S, why));
    lease_book_fini(&book);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_lease_file_is_told_from_an_empty_one),
        cmocka_unit_test(an_address_whose_entry_is_not_understood_is_unclear),
        cmocka_unit_test(what_is_not_understood_is_counted),
        cmocka_unit_test(a_block_in_a_block_ends_the_first_in_the_middle),
        cmocka_unit_test(an_ordinary_file_of_dhcpd_has_nothing_strange),
        cmocka_unit_test(an_active_lease_without_a_mac_is_unclear),
        cmocka_unit_test(the_words_of_kea_steer_no_terminal),
        cmocka_unit_test(what_clients_said_changes_no_other_lease),
        cmocka_unit_test(a_large_answer_takes_no_more_memory_than_it_has),
        cmocka_unit_test(garbage_is_counted_and_nothing_else),
        cmocka_unit_test(a_cut_file_loses_only_its_last_entry),
        cmocka_unit_test(the_latest_block_of_dhcpd_counts),
        cmocka_unit_test(an_active_lease_whose_time_is_over_is_expired),
        cmocka_unit_test(the_latest_row_of_kea_counts),
        cmocka_unit_test(an_answer_of_kea_that_is_none_says_why),
        cmocka_unit_test(leases_are_read_from_keas_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
