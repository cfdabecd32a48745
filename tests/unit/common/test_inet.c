/* SPDX-License-Identifier: MIT */
#include "common/inet.h"

#include "tests/support/testing.h"

#include <string.h>

static struct ipv4 address(const char *text)
{
    struct ipv4 a;
    assert_true(inet_parse(text, &a));
    return a;
}

static struct ipv4_net net(const char *text)
{
    struct ipv4_net n;
    assert_true(inet_parse_net(text, &n));
    return n;
}

static void what_is_not_a_dotted_quad_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          " ",         "1",        "1.2.3",       "1.2.3.",    "1.2.3.4.",
        "1.2.3.4.5", ".1.2.3.4",  "1..2.3",   "256.1.1.1",   "1.1.1.256", "1.2.3.4 ",
        " 1.2.3.4",  "1.2.3.-4",  "+1.2.3.4", "01.2.3.4",    "1.2.3.004", "0x1.2.3.4",
        "1.2.3.4/8", "1.2.3.4\n", "a.b.c.d",  "1,2,3,4",     "::1",       "4294967296.0.0.1",
        "localhost", "1.2.3.4x",  "1. 2.3.4", "99999999999", "1.2.3.1e1", "00.0.0.0",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ipv4 out = {42};
        if (inet_parse(bad[i], &out)) {
            fail_msg("\"%s\" was taken for an address", bad[i]);
        }
        assert_int_equal(out.be, 42); /* untouched */
    }
}

static void what_is_not_a_prefix_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/08",
        "10.0.0.1/8",
        "10.10.0.0/15x",
        "10.0.0/8",
        "10.0.0.0//8",
        "10.0.0.0/ 8",
        "128.0.0.0/0",
        "10.10.0.1/31",
        "10.0.0.0/255.0.0.0",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ipv4_net out = {{42}, 7};
        if (inet_parse_net(bad[i], &out)) {
            fail_msg("\"%s\" was taken for a prefix", bad[i]);
        }
        assert_int_equal(out.base.be, 42);
        assert_int_equal(out.prefix_bits, 7);
    }
}

static void an_address_survives_text_and_back(void **state)
{
    (void)state;
    static const char *const good[] = {"0.0.0.0", "10.10.95.254", "255.255.255.255", "1.2.3.4"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char text[IPV4_TEXT_BYTES];
        assert_string_equal(inet_text(address(good[i]), text), good[i]);
    }
}

static void an_address_stands_in_network_order(void **state)
{
    (void)state;
    struct ipv4 a = address("10.1.2.3");
    static const uint8_t wire[4] = {10, 1, 2, 3};
    assert_memory_equal(&a, wire, 4);
    assert_int_equal(inet_host(a), 0x0a010203);
    assert_true(inet_equal(inet_from_host(0x0a010203), a));
    assert_false(inet_is_zero(a));
    assert_true(inet_is_zero(address("0.0.0.0")));
}

static void a_prefix_survives_text_and_back(void **state)
{
    (void)state;
    static const char *const good[] = {"0.0.0.0/0", "10.10.0.0/16", "192.168.1.12/32",
                                       "128.0.0.0/1", "255.255.255.254/31"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char text[IPV4_NET_TEXT_BYTES];
        assert_string_equal(inet_net_text(net(good[i]), text), good[i]);
    }
}

static void a_bare_address_is_a_prefix_of_one(void **state)
{
    (void)state;
    struct ipv4_net one = net("192.168.1.12");
    assert_int_equal(one.prefix_bits, 32);
    assert_int_equal(inet_net_size(one), 1);
}

static void a_prefix_contains_its_first_and_last_address_only(void **state)
{
    (void)state;
    static const struct {
        const char *net, *first, *last, *before, *after;
        uint64_t size;
    } rows[] = {
        {"10.10.0.0/16", "10.10.0.0", "10.10.255.255", "10.9.255.255", "10.11.0.0", 65536},
        {"10.0.0.4/30", "10.0.0.4", "10.0.0.7", "10.0.0.3", "10.0.0.8", 4},
        {"10.0.0.4/32", "10.0.0.4", "10.0.0.4", "10.0.0.3", "10.0.0.5", 1},
        {"128.0.0.0/1", "128.0.0.0", "255.255.255.255", "127.255.255.255", "0.0.0.0", 1U << 31},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipv4_net n = net(rows[i].net);
        assert_true(inet_net_contains(n, address(rows[i].first)));
        assert_true(inet_net_contains(n, address(rows[i].last)));
        assert_false(inet_net_contains(n, address(rows[i].before)));
        assert_false(inet_net_contains(n, address(rows[i].after)));
        assert_int_equal(inet_net_size(n), rows[i].size);
    }
    struct ipv4_net all = net("0.0.0.0/0");
    assert_true(inet_net_contains(all, address("255.255.255.255")));
    assert_true(inet_net_size(all) == UINT64_C(1) << 32);
    assert_int_equal(inet_net_mask(all).be, 0);
}

static void prefixes_cover_and_overlap(void **state)
{
    (void)state;
    struct ipv4_net wide = net("10.10.0.0/16");
    struct ipv4_net narrow = net("10.10.4.0/24");
    struct ipv4_net other = net("10.11.0.0/16");
    assert_true(inet_net_covers(wide, narrow));
    assert_true(inet_net_covers(wide, wide));
    assert_false(inet_net_covers(narrow, wide));
    assert_false(inet_net_covers(wide, other));
    assert_true(inet_net_overlaps(narrow, wide));
    assert_true(inet_net_overlaps(wide, narrow));
    assert_false(inet_net_overlaps(wide, other));
}

static void a_mac_is_written_with_colons(void **state)
{
    (void)state;
    char text[MAC_TEXT_BYTES];
    struct mac mac = {{0x02, 0x4c, 0x00, 0xff, 0x0a, 0x01}};
    assert_string_equal(mac_text(mac, text), "02:4c:00:ff:0a:01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_a_dotted_quad_is_refused),
        cmocka_unit_test(what_is_not_a_prefix_is_refused),
        cmocka_unit_test(an_address_survives_text_and_back),
        cmocka_unit_test(an_address_stands_in_network_order),
        cmocka_unit_test(a_prefix_survives_text_and_back),
        cmocka_unit_test(a_bare_address_is_a_prefix_of_one),
        cmocka_unit_test(a_prefix_contains_its_first_and_last_address_only),
        cmocka_unit_test(prefixes_cover_and_overlap),
        cmocka_unit_test(a_mac_is_written_with_colons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
