/* SPDX-License-Identifier: MIT */
#include "proto/dhcp_options.h"

#include "proto/dhcp4.h"
#include "proto/dhcp_names.h"
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

enum { SNAME_AT = 44, FILE_AT = 108, SNAME_BYTES = 64, FILE_BYTES = 128 };

/* Options field, file and sname of one message; unused bytes are pads. */
struct places {
    uint8_t bytes[DHCP4_HEADER_BYTES + 300];
    size_t size;
};

static struct places with(const uint8_t *options, size_t size)
{
    struct places p = {.size = DHCP4_HEADER_BYTES + size};
    memcpy(p.bytes + DHCP4_HEADER_BYTES, options, size);
    return p;
}
#define WITH(...) with((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Codes in the order met, as text ("53 54 !": damaged at the end). */
static const char *codes(const struct places *p, char *out, size_t room)
{
    struct dhcp_option_walk walk = dhcp_option_walk_over(p->bytes, p->size);
    struct dhcp_option option;
    size_t at = 0;
    out[0] = '\0';
    while (dhcp_option_next(&walk, &option)) {
        at += (size_t)snprintf(out + at, room - at, "%s%u", at ? " " : "", option.code);
        assert_true(at < room);
    }
    assert_false(dhcp_option_next(&walk, &option)); /* and it stays at the end */
    if (walk.damaged) {
        (void)snprintf(out + at, room - at, "%s!", at ? " " : "");
    }
    return out;
}

static void assert_codes(const struct places *p, const char *expected)
{
    char text[1024];
    assert_string_equal(codes(p, text, sizeof(text)), expected);
}

static void a_piece_that_overruns_its_place_is_damage(void **unused)
{
    (void)unused;
    assert_codes(&(struct places){.size = DHCP4_HEADER_BYTES}, "!");
    struct places cut = WITH(53, 1, 5, 12);
    assert_codes(&cut, "53 !");
    struct places overrun = WITH(53, 1, 5, 12, 3, 'a', 'b');
    assert_codes(&overrun, "53 !");
    struct places no_end = WITH(53, 1, 5, 0, 0);
    assert_codes(&no_end, "53 !");
}

static void an_unlawful_overload_is_damage(void **unused)
{
    (void)unused;
    struct places zero = WITH(52, 1, 0, 255);
    assert_codes(&zero, "!");
    struct places four = WITH(52, 1, 4, 255);
    assert_codes(&four, "!");
    struct places empty = WITH(52, 0, 255);
    assert_codes(&empty, "!");
    struct places wide = WITH(52, 2, 1, 1, 255);
    assert_codes(&wide, "!");
    struct places twice = WITH(52, 1, 1, 52, 1, 2, 255);
    assert_codes(&twice, "52 !");
}

static void overloaded_places_cannot_send_the_walk_round_again(void **unused)
{
    (void)unused;
    static const uint8_t again[] = {12, 1, 'x', 52, 1, 3, 255};
    struct places p = WITH(52, 1, 3, 255);
    memcpy(p.bytes + FILE_AT, again, sizeof(again));
    memcpy(p.bytes + SNAME_AT, again, sizeof(again));
    assert_codes(&p, "52 12 !");
}

static void an_overloaded_place_without_end_is_damage(void **unused)
{
    (void)unused;
    struct places p = WITH(52, 1, 1, 255);
    p.bytes[FILE_AT + FILE_BYTES - 1] = 12; /* its length would stand outside */
    assert_codes(&p, "52 !");
    p.bytes[FILE_AT + FILE_BYTES - 1] = 0;
    p.bytes[FILE_AT + FILE_BYTES - 2] = 12;
    p.bytes[FILE_AT + FILE_BYTES - 1] = 1;
    assert_codes(&p, "52 !");
}

static void places_are_visited_as_overload_says(void **unused)
{
    (void)unused;
    static const char *const expected[] = {"", "52 61", "52 12", "52 61 12"};
    for (uint8_t overload = 1; overload <= 3; overload++) {
        struct places p = WITH(0, 52, 1, overload, 0, 255, 7, 7);
        memcpy(p.bytes + FILE_AT, (const uint8_t[]){61, 0, 255, 9}, 4);
        memcpy(p.bytes + SNAME_AT, (const uint8_t[]){0, 12, 1, 'x', 255}, 5);
        assert_codes(&p, expected[overload]);
    }
    struct places none = WITH(53, 1, 5, 255);
    memset(none.bytes + SNAME_AT, 'x', SNAME_BYTES + FILE_BYTES); /* names, not options */
    assert_codes(&none, "53");
}

static void a_full_place_of_an_overloaded_message_needs_no_end(void **unused)
{
    (void)unused;
    struct places p = WITH(53, 1, 5, 52, 1, 3); /* as dhcpd sends it */
    p.bytes[FILE_AT] = 12;
    p.bytes[FILE_AT + 1] = FILE_BYTES - 2;
    p.bytes[SNAME_AT] = 15;
    p.bytes[SNAME_AT + 1] = SNAME_BYTES - 2;
    assert_codes(&p, "53 52 12 15");
}

static void pieces_are_joined_and_counted_beyond_what_is_kept(void **unused)
{
    (void)unused;
    uint8_t kept[5] = {0};
    struct dhcp_option_value v = {.out = kept, .room = 4};
    dhcp_option_value_add(&v, &(struct dhcp_option){.code = 61, .value = NULL});
    assert_true(v.present);
    assert_int_equal(v.bytes, 0);
    static const uint8_t one[] = {1, 2, 3}, two[255] = {4, 5};
    dhcp_option_value_add(&v, &(struct dhcp_option){61, 3, one});
    dhcp_option_value_add(&v, &(struct dhcp_option){61, 255, two});
    assert_int_equal(v.bytes, 258);
    assert_memory_equal(kept, ((const uint8_t[]){1, 2, 3, 4, 0}), 5);
    for (unsigned i = 0; i < 300; i++) {
        dhcp_option_value_add(&v, &(struct dhcp_option){61, 255, two});
    }
    assert_int_equal(v.bytes, UINT16_MAX);
}

static void an_empty_relay_option_is_not_whole(void **unused)
{
    (void)unused;
    assert_false(dhcp_relay_info_is_whole((const uint8_t *)"", 0));
    assert_false(dhcp_relay_info_is_whole((const uint8_t[]){1, 2, 3}, 3));
    assert_true(dhcp_relay_info_is_whole((const uint8_t[]){1, 1, 3, 2, 0}, 5));
}

static void numbers_have_names(void **unused)
{
    (void)unused;
    assert_string_equal(dhcp_option_name(DHCP_OPTION_RELAY_INFO), "relay-agent-information");
    assert_string_equal(dhcp_option_name(255), "end");
    assert_string_equal(dhcp_option_name(254), "unknown");
    assert_string_equal(dhcp_message_name(DHCP4_TYPE_ACK), "DHCPACK");
    assert_string_equal(dhcp_message_name(DHCP4_TYPE_INFORM), "DHCPINFORM");
    assert_string_equal(dhcp_message_name(0), "unknown");
    assert_string_equal(dhcp_message_name(255), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_that_overruns_its_place_is_damage),
        cmocka_unit_test(an_unlawful_overload_is_damage),
        cmocka_unit_test(overloaded_places_cannot_send_the_walk_round_again),
        cmocka_unit_test(an_overloaded_place_without_end_is_damage),
        cmocka_unit_test(places_are_visited_as_overload_says),
        cmocka_unit_test(a_full_place_of_an_overloaded_message_needs_no_end),
        cmocka_unit_test(pieces_are_joined_and_counted_beyond_what_is_kept),
        cmocka_unit_test(an_empty_relay_option_is_not_whole),
        cmocka_unit_test(numbers_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
