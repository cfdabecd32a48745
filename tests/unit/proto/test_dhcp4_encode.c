/* SPDX-License-Identifier: MIT */
/* Encoding what clients and their relay send, RFC 2131 table 5. Decoding: test_dhcp4.c. */
#include "proto/dhcp4.h"

#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

static const struct dhcp4_profile full_profile = {
    .parameters = {1, 3},
    .parameter_count = 2,
    .vendor_class = "lh",
    .sends_client_id = true,
    .max_message_bytes = 1472,
};
static const struct dhcp4_profile empty_profile;

static const struct dhcp4_fill values = {
    .xid = 0x01020304,
    .secs = 0x0506,
    .chaddr = {{0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee}},
};

static struct dhcp4_relay_part relay_at(const char *giaddr)
{
    struct dhcp4_relay_part relay = {0};
    assert_true(inet_parse(giaddr, &relay.giaddr));
    return relay;
}

static struct dhcp4_template make(enum dhcp4_intent intent, const struct dhcp4_profile *profile,
                                  struct dhcp4_relay_part relay)
{
    struct dhcp4_template t;
    assert_true(dhcp4_template_make(intent, profile, &relay, &t));
    return t;
}

/* Every field gets a value, whether the intent uses it or not. */
static void fill(const struct dhcp4_template *t, uint8_t *out)
{
    struct dhcp4_fill f = values;
    assert_true(inet_parse("10.10.0.7", &f.ciaddr));
    assert_true(inet_parse("10.10.0.8", &f.requested_ip));
    assert_true(inet_parse("192.168.1.12", &f.server_id));
    dhcp4_template_fill(t, &f, out);
}

/* ---- what must be refused ---- */

static void a_relay_option_that_does_not_fit_is_refused(void **unused)
{
    (void)unused;
    static const uint8_t id[255] = {0};
    static const struct {
        uint8_t circuit, remote;
        bool fits;
    } cases[] = {{255, 0, false},   {254, 0, false}, {0, 254, false}, {126, 126, false},
                 {255, 255, false}, {253, 0, true},  {0, 253, true},  {126, 125, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dhcp4_relay_part relay = relay_at("172.16.8.3");
        relay.circuit_id = relay.remote_id = id;
        relay.circuit_id_bytes = cases[i].circuit;
        relay.remote_id_bytes = cases[i].remote;
        struct dhcp4_template t = {.size = 7};
        assert_int_equal(dhcp4_template_make(DHCP4_DISCOVER, &full_profile, &relay, &t),
                         cases[i].fits);
        assert_int_equal(t.size == 7, !cases[i].fits); /* untouched on failure */
    }
}

static void too_many_parameters_are_refused(void **unused)
{
    (void)unused;
    struct dhcp4_profile profile = {.parameter_count = DHCP4_PARAMETERS_MAX + 1};
    struct dhcp4_relay_part relay = {0};
    struct dhcp4_template t;
    assert_false(dhcp4_template_make(DHCP4_DISCOVER, &profile, &relay, &t));
}

/* ---- byte by byte ---- */

struct wire_case {
    enum dhcp4_intent intent;
    const char *giaddr;
    bool secs, ciaddr;   /* set in the header */
    const char *options; /* hex of everything from offset 240 to and with option 255 */
};

#define CLIENT_ID "3d070102aabbccddee"
#define PROFILE                                                                                    \
    "390205c0"                                                                                     \
    "3c026c68"                                                                                     \
    "37020103"
#define SERVER_ID "3604c0a8010c"
#define REQUESTED "32040a0a0008"
#define RELAY     "172.16.8.3"
#define CLIENT    "0.0.0.0"

/* clang-format off */
static const struct wire_case wire_cases[] = {
    {DHCP4_DISCOVER, RELAY,  true,  false, "350101" CLIENT_ID PROFILE "ff"},
    {DHCP4_REQUEST,  RELAY,  true,  false, "350103" SERVER_ID REQUESTED CLIENT_ID PROFILE "ff"},
    {DHCP4_RENEW,    CLIENT, true,  true,  "350103" CLIENT_ID PROFILE "ff"},
    {DHCP4_RENEW,    RELAY,  true,  true,  "350103" CLIENT_ID PROFILE "ff"},
    {DHCP4_REBIND,   RELAY,  true,  true,  "350103" CLIENT_ID PROFILE "ff"},
    {DHCP4_REBOOT,   RELAY,  true,  false, "350103" REQUESTED CLIENT_ID PROFILE "ff"},
    {DHCP4_DECLINE,  RELAY,  false, false, "350104" SERVER_ID REQUESTED CLIENT_ID "ff"},
    {DHCP4_RELEASE,  CLIENT, false, true,  "350107" SERVER_ID CLIENT_ID "ff"},
    {DHCP4_INFORM,   CLIENT, true,  true,  "350108" CLIENT_ID PROFILE "ff"},
};
/* clang-format on */

static size_t from_hex(const char *text, uint8_t *out)
{
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        out[i] = (uint8_t)value;
    }
    return size;
}

/* Written out here a second time on purpose, field by field from RFC 2131 figure 1. */
static void expected_header(const struct wire_case *c, uint8_t *out)
{
    bool relayed = strcmp(c->giaddr, CLIENT) != 0;
    (void)from_hex("010106", out);
    out[3] = relayed ? 1 : 0;
    (void)from_hex("01020304", out + 4);
    (void)from_hex(c->secs ? "0506" : "0000", out + 8);
    (void)from_hex(c->ciaddr ? "0a0a0007" : "00000000", out + 12);
    (void)from_hex(relayed ? "ac100803" : "00000000", out + 24);
    (void)from_hex("02aabbccddee", out + 28);
    (void)from_hex("63825363", out + 236);
}

static void every_intent_is_written_as_the_table_says(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(wire_cases); i++) {
        const struct wire_case *c = &wire_cases[i];
        uint8_t expected[DHCP4_MIN_BYTES] = {0}, got[DHCP4_MAX_BYTES];
        expected_header(c, expected);
        (void)from_hex(c->options, expected + DHCP4_HEADER_BYTES);

        struct dhcp4_template t = make(c->intent, &full_profile, relay_at(c->giaddr));
        assert_int_equal(t.size, DHCP4_MIN_BYTES);
        fill(&t, got);
        for (size_t at = 0; at < t.size; at++) {
            if (got[at] != expected[at]) {
                print_error("%s via %s: byte %zu is %02x, not %02x\n", dhcp4_intent_name(c->intent),
                            c->giaddr, at, got[at], expected[at]);
            }
        }
        assert_memory_equal(got, expected, sizeof(expected));
    }
}

static void offsets_are_zero_for_what_the_intent_does_not_carry(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(wire_cases); i++) {
        const struct wire_case *c = &wire_cases[i];
        struct dhcp4_template t = make(c->intent, &full_profile, relay_at(c->giaddr));
        assert_int_equal(t.xid_at, 4);
        assert_int_equal(t.chaddr_at, 28);
        assert_int_equal(t.secs_at, c->secs ? 8 : 0);
        assert_int_equal(t.ciaddr_at, c->ciaddr ? 12 : 0);
        assert_int_equal(t.requested_ip_at != 0, strstr(c->options, REQUESTED) != NULL);
        assert_int_equal(t.server_id_at != 0, strstr(c->options, SERVER_ID) != NULL);
        assert_true(t.client_id_at > DHCP4_HEADER_BYTES);
    }
}

static void the_relay_option_is_the_last_and_only_the_relay_writes_it(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(wire_cases); i++) {
        const struct wire_case *c = &wire_cases[i];
        struct dhcp4_relay_part relay = relay_at(c->giaddr);
        relay.circuit_id = (const uint8_t *)"eth0";
        relay.circuit_id_bytes = 4;
        relay.remote_id = (const uint8_t *)"sw";
        relay.remote_id_bytes = 2;
        struct dhcp4_template t = make(c->intent, &empty_profile, relay);
        static const uint8_t tail[] = {82, 10, 1, 4, 'e', 't', 'h', '0', 2, 2, 's', 'w', 255, 0};
        bool found = memmem(t.bytes + DHCP4_HEADER_BYTES, t.size - DHCP4_HEADER_BYTES, tail,
                            sizeof(tail)) != NULL;
        assert_int_equal(found, !inet_is_zero(relay.giaddr));
        assert_int_equal(memmem(t.bytes, t.size, "eth0", 4) != NULL, found);
    }
}

static void an_empty_profile_sends_the_bare_minimum(void **unused)
{
    (void)unused;
    struct dhcp4_template t = make(DHCP4_DISCOVER, &empty_profile, relay_at(RELAY));
    assert_memory_equal(t.bytes + DHCP4_HEADER_BYTES, ((const uint8_t[]){53, 1, 1, 255, 0}), 5);
    assert_int_equal(t.size, DHCP4_MIN_BYTES);
    assert_int_equal(t.client_id_at, 0);
}

static void the_largest_profile_fits_and_grows_the_message(void **unused)
{
    (void)unused;
    static const uint8_t id[253] = {0};
    struct dhcp4_profile profile = full_profile;
    profile.parameter_count = DHCP4_PARAMETERS_MAX;
    memset(profile.vendor_class, 'v', sizeof(profile.vendor_class)); /* no NUL: all 128 count */
    struct dhcp4_relay_part relay = relay_at(RELAY);
    relay.circuit_id = id;
    relay.circuit_id_bytes = sizeof(id);
    struct dhcp4_template t = make(DHCP4_REQUEST, &profile, relay);
    /* header, 53, 54, 50, 61, 57, 60, 55, 82, 255 */
    assert_int_equal(t.size, 240 + 3 + 6 + 6 + 9 + 4 + 130 + 66 + 257 + 1);
    assert_int_equal(t.bytes[t.size - 1], 255);
}

static void filling_twice_leaves_nothing_of_the_first_client(void **unused)
{
    (void)unused;
    struct dhcp4_template t = make(DHCP4_REQUEST, &full_profile, relay_at(RELAY));
    uint8_t first[DHCP4_MAX_BYTES], second[DHCP4_MAX_BYTES], blank[DHCP4_MAX_BYTES];
    const struct dhcp4_fill nobody = {0};
    dhcp4_template_fill(&t, &nobody, blank);
    fill(&t, first);
    dhcp4_template_fill(&t, &nobody, second);
    assert_memory_equal(second, blank, t.size);
    assert_memory_not_equal(first, blank, t.size);
}

static void dhclient_asks_for_what_the_captured_one_asked_for(void **unused)
{
    (void)unused;
    static const uint8_t captured[] = {55,  13, 1,  28, 2,  3,   15, 6,
                                       119, 12, 44, 47, 26, 121, 42, 255};
    struct dhcp4_template t = make(DHCP4_DISCOVER, &dhcp4_profile_dhclient, relay_at(RELAY));
    assert_memory_equal(t.bytes + DHCP4_HEADER_BYTES + 3, captured, sizeof(captured));
    assert_int_equal(t.size, DHCP4_MIN_BYTES);
}

/* RFC 4388 6.3: by address, htype, hlen and chaddr are zero and there is no option 61. */
static void a_query_by_address_names_no_client(void **unused)
{
    (void)unused;
    uint8_t expected[DHCP4_MIN_BYTES] = {0}, got[DHCP4_MAX_BYTES];
    struct dhcp4_relay_part relay = relay_at(RELAY);
    relay.circuit_id = (const uint8_t *)"eth0";
    relay.circuit_id_bytes = 4;
    (void)from_hex("0100000001020304", expected);
    (void)from_hex("0a0a0007", expected + 12);
    (void)from_hex("ac100803", expected + 24);
    (void)from_hex("63825363", expected + 236);
    (void)from_hex("35010a3703333d5bff", expected + DHCP4_HEADER_BYTES);
    struct dhcp4_template t = make(DHCP4_QUERY, &full_profile, relay);
    fill(&t, got);
    assert_int_equal(t.size, sizeof(expected));
    assert_memory_equal(got, expected, sizeof(expected));
    assert_int_equal(t.chaddr_at, 0);
    assert_int_equal(t.client_id_at, 0);
}

static void every_intent_has_its_name(void **unused)
{
    (void)unused;
    static const char *const names[DHCP4_INTENT_COUNT] = {"discover", "request", "renew",
                                                          "rebind",   "reboot",  "decline",
                                                          "release",  "inform",  "query"};
    for (unsigned i = 0; i < DHCP4_INTENT_COUNT; i++) {
        assert_string_equal(dhcp4_intent_name((enum dhcp4_intent)i), names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_option_that_does_not_fit_is_refused),
        cmocka_unit_test(too_many_parameters_are_refused),
        cmocka_unit_test(every_intent_is_written_as_the_table_says),
        cmocka_unit_test(offsets_are_zero_for_what_the_intent_does_not_carry),
        cmocka_unit_test(the_relay_option_is_the_last_and_only_the_relay_writes_it),
        cmocka_unit_test(an_empty_profile_sends_the_bare_minimum),
        cmocka_unit_test(the_largest_profile_fits_and_grows_the_message),
        cmocka_unit_test(filling_twice_leaves_nothing_of_the_first_client),
        cmocka_unit_test(dhclient_asks_for_what_the_captured_one_asked_for),
        cmocka_unit_test(a_query_by_address_names_no_client),
        cmocka_unit_test(every_intent_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
