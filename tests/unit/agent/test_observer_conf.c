/* SPDX-License-Identifier: MIT */
/* dhcpd's configuration: sizes of pools, settings, and text that nobody promised to be one. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/dhcpd_conf.h"
#include "common/attrs.h"

static struct dhcpd_conf c;

/* From memory that ends with the text, so that a sanitizer sees what is read behind it. */
static void take_more(const char *text, size_t size)
{
    char *exact = malloc(size + (size == 0));
    assert_non_null(exact);
    memcpy(exact, text, size);
    dhcpd_conf_take(&c, exact, size);
    free(exact);
}

static void take(const char *text)
{
    memset(&c, 0, sizeof(c));
    take_more(text, strlen(text));
}

static void ranges_are_summed_wherever_they_stand(void **state)
{
    (void)state;
    take("authoritative;\n"
         "shared-network lab {\n"
         "  subnet 10.10.0.0 netmask 255.255.0.0 {\n"
         "    option routers 10.10.0.1;\n"
         "    range 10.10.0.1 10.10.0.100;\n"
         "    pool { failover peer \"a\"; RANGE dynamic-bootp 10.10.1.0\n"
         "           10.10.1.255; deny members of \"x\"; }\n"
         "    pool { range 10.10.2.7; range 10.10.3.10 10.10.3.1; }\n"
         "  }\n"
         "}\n");
    assert_int_equal(c.ranges, 4);
    assert_int_equal(c.addresses, 100 + 256 + 1 + 10);
    take("range 0.0.0.0 255.255.255.255;");
    assert_true(c.addresses == UINT64_C(1) << 32);
}

static void what_only_looks_like_a_range_is_none(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",
        "range",
        "range;",
        "range 10.10.0.1 10.10.0.9", /* no end of the statement */
        "# range 10.10.0.1 10.10.0.9;",
        "#\nrange 10.10.0.1 # 10.10.0.9;\n",
        "option domain-name \"range 10.10.0.1 10.10.0.9;\";",
        "option domain-name \"x\\\"; range 10.10.0.1 10.10.0.9; \";",
        "range \"10.10.0.1\" \"10.10.0.9\";",
        "range 10.10.0.1 10.10.0.9 10.10.0.12;",
        "range dynamic-bootp;",
        "range dynamic-bootp 10.10.0.1 10.10.0.9 10.10.0.12;",
        "range 10.10.0.1 10.10.0.999;",
        "range 10.10.0.1 10.10.0.1000000000000000000000;",
        "range 10.10.0.1, 10.10.0.9;",
        "range6 2001:db8::1 2001:db8::9;",
        "option range 10.10.0.1;",
        "range { 10.10.0.1; }",
        "\"range\" 10.10.0.1;",
        "\"",
        "\"\\",
        "a b c d e f g h i j k l m n o p q r s t u v w x y z;",
    };
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        take(none[i]);
        if (c.ranges != 0 || c.addresses != 0) {
            fail_msg("taken for a range: %s", none[i]);
        }
    }
}

static void the_settings_that_decide_findings_are_told(void **state)
{
    (void)state;
    char text[257];
    take("ping-check false; Delayed-Ack 28; max-ack-delay 250000; dhcp-cache-threshold 0;\n"
         "default-lease-time 60; subnet 10.0.0.0 netmask 255.0.0.0 { default-lease-time 20; }\n"
         "host x { option host-name \"ping-check true;\"; }");
    dhcpd_conf_tell(&c, text, sizeof(text));
    assert_string_equal(text, "ping-check false, delayed-ack 28, max-ack-delay 250000, "
                              "dont-use-fsync not set, dhcp-cache-threshold 0, default-lease-time "
                              "20 (and others), min-lease-time not set, max-lease-time not set");
    take("ping-check \x01\xff; delayed-ack 99999999999999999999999999999999999999; max-ack-delay;");
    dhcpd_conf_tell(&c, text, sizeof(text));
    assert_non_null(strstr(text, "ping-check ??, delayed-ack not set, max-ack-delay not set"));
    char little[32];
    dhcpd_conf_tell(&c, little, sizeof(little));
    assert_true(strlen(little) < sizeof(little));
}

static void what_it_includes_is_listed_or_missed(void **state)
{
    (void)state;
    char path[DHCPD_CONF_PATH_BYTES + 64];
    take("include \"/etc/dhcp/pools.conf\"; group { include \"/x y\"; }");
    assert_int_equal(c.include_count, 2);
    assert_string_equal(c.include[0], "/etc/dhcp/pools.conf");
    assert_string_equal(c.include[1], "/x y");
    assert_false(c.is_incomplete);
    static const char *const unusable[] = {"include \"pools.conf\";", "include \"\";",
                                           "include /etc/x;", "include \"/a\\\"b\";"};
    for (size_t i = 0; i < ARRAY_LEN(unusable); i++) {
        take(unusable[i]);
        assert_true(c.is_incomplete && c.include_count == 0);
    }
    snprintf(path, sizeof(path), "include \"/%0*d\";", DHCPD_CONF_PATH_BYTES, 1);
    take(path);
    assert_true(c.is_incomplete && c.include_count == 0);
    take("");
    for (size_t i = 0; i <= DHCPD_CONF_INCLUDES_MAX; i++) {
        assert_false(c.is_incomplete);
        take_more("include \"/a\";", strlen("include \"/a\";"));
    }
    assert_true(c.is_incomplete);
    assert_int_equal(c.include_count, DHCPD_CONF_INCLUDES_MAX);
}

/* Every beginning of a configuration, and each with a byte spoilt. */
static void text_of_any_kind_is_taken(void **state)
{
    (void)state;
    static const char whole[] = "include \"/a\\\"\"; range dynamic-bootp 10.0.0.1 10.0.0.9; # x\n"
                                "pool { ping-check true; range 10.1.0.0 10.1.0.255; }\n";
    for (size_t size = 0; size < sizeof(whole); size++) {
        memset(&c, 0, sizeof(c));
        take_more(whole, size);
        assert_true(c.ranges <= 2);
        for (size_t at = 0; at < size; at++) {
            char spoilt[sizeof(whole)];
            memcpy(spoilt, whole, sizeof(whole));
            spoilt[at] = "\0\"{};#\\\xff"[at % 8];
            take_more(spoilt, size);
        }
        assert_true(c.include_count <= DHCPD_CONF_INCLUDES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_summed_wherever_they_stand),
        cmocka_unit_test(what_only_looks_like_a_range_is_none),
        cmocka_unit_test(the_settings_that_decide_findings_are_told),
        cmocka_unit_test(what_it_includes_is_listed_or_missed),
        cmocka_unit_test(text_of_any_kind_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
