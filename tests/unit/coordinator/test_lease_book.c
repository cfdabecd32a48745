/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/lease_book.h"
#include "tests/support/testing.h"

#include <string.h>

#define NOW_S UINT64_C(1704585600) /* 2024-01-07 00:00:00 UTC */

static struct ipv4 ip(const char *text)
{
    struct ipv4 a;
    assert_true(inet_parse(text, &a));
    return a;
}

static void dhcpd(struct lease_book *book, const char *text)
{
    lease_book_dhcpd(book, text, strlen(text), NOW_S);
}

static void kea(struct lease_book *book, const char *text)
{
    lease_book_kea_csv(book, text, strlen(text), NOW_S);
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
        dhcpd(&book, texts[i]);
        kea(&book, texts[i]);
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
    assert_int_equal(state_of(&book, "10.0.0.2"), -1);
    assert_int_equal(book.strange, 1);
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
          "lease 10.0.0.3 {\n  binding state abandoned;\n}\n"
          "lease 10.0.0.4 {\n  ends never;\n  binding state active;\n}\n"
          "lease 10.0.0.5 {\n  ends epoch 1704585601; # x\n  binding state active;\n}\n");
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
    dhcpd(&book, "lease 10.0.0.1 {\n  ends 0 2024/01/07 00:00:00;\n  binding state active;\n}\n"
                 "lease 10.0.0.2 {\n  ends 0 2024/01/07 00:00:01;\n  binding state active;\n}\n"
                 "lease 10.0.0.3 {\n  ends 4 2024/02/29 00:00:00;\n  binding state active;\n}\n");
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
    assert_int_equal(state_of(&book, "10.0.0.6"), -1);
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
                                        "{\"result\": 1}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct lease_book book = {0};
        char why[LEASE_BOOK_WHY_BYTES] = "";
        assert_false(lease_book_kea_json(&book, texts[i], strlen(texts[i]), NOW_S, why));
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
    assert_int_equal(state_of(&book, "10.0.0.3"), -1);
    assert_int_equal(state_of(&book, "10.0.0.4"), BOOK_EXPIRED);
    assert_int_equal(book.strange, 1);
    static const char empty[] = "{\"result\": 3, \"text\": \"0 IPv4 lease(s) found.\"}";
    assert_true(lease_book_kea_json(&book, empty, strlen(empty), NOW_S, why));
    lease_book_fini(&book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
