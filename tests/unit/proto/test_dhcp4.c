/* SPDX-License-Identifier: MIT */
/* Decoding what servers send. Encoding: test_dhcp4_encode.c. */
#include "proto/dhcp4.h"

#include "common/bytes.h"
#include "tests/support/testing.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a message under construction ---- */

enum { YIADDR_AT = 16, MESSAGE_ROOM = 4096 };

struct message {
    uint8_t bytes[MESSAGE_ROOM];
    size_t size;
};

static struct message start(void)
{
    static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};
    static const uint8_t xid[] = {1, 2, 3, 4}, chaddr[] = {2, 0, 0, 0, 0, 9};
    static const uint8_t yiaddr[] = {10, 10, 0, 7}, giaddr[] = {172, 16, 8, 3};
    struct message m = {.bytes = {2, 1, 6, 1}, .size = DHCP4_HEADER_BYTES};
    memcpy(m.bytes + 4, xid, sizeof(xid));
    memcpy(m.bytes + YIADDR_AT, yiaddr, sizeof(yiaddr));
    memcpy(m.bytes + 24, giaddr, sizeof(giaddr));
    memcpy(m.bytes + 28, chaddr, sizeof(chaddr));
    memcpy(m.bytes + 236, cookie, sizeof(cookie));
    return m;
}

static void raw(struct message *m, const void *bytes, size_t size)
{
    assert_true(m->size + size <= sizeof(m->bytes));
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

/* `size` zero bytes behind code and length, but for a type or address that must make sense. */
static void option(struct message *m, uint8_t code, uint8_t size)
{
    uint8_t value[255] = {0};
    if (code == 53) {
        value[0] = DHCP4_TYPE_ACK;
    } else if (code == 54) {
        memcpy(value, (const uint8_t[]){192, 168, 1, 12}, 4);
    } else if (code == 82 && size >= 2) {
        value[0] = 1;
        value[1] = (uint8_t)(size - 2);
    }
    raw(m, (const uint8_t[]){code, size}, 2);
    raw(m, value, size);
}

static void end(struct message *m)
{
    raw(m, (const uint8_t[]){255}, 1);
}

static struct message ack(void)
{
    struct message m = start();
    raw(&m, (const uint8_t[]){53, 1, DHCP4_TYPE_ACK}, 3);
    raw(&m, (const uint8_t[]){54, 4, 192, 168, 1, 12}, 6);
    raw(&m, (const uint8_t[]){51, 4, 0, 0, 0x0e, 0x10}, 6);
    return m;
}

static enum dhcp4_error decode(const struct message *m)
{
    /* An exact copy on the heap, so that one byte too far is seen. */
    uint8_t *copy = malloc(m->size > 0 ? m->size : 1);
    assert_non_null(copy);
    memcpy(copy, m->bytes, m->size);
    struct dhcp4_reply reply;
    enum dhcp4_error e = dhcp4_decode_reply(copy, m->size, &reply);
    free(copy);
    return e;
}

/* ---- what must be refused ---- */

static void an_ack_cut_off_anywhere_is_refused(void **unused)
{
    (void)unused;
    struct message m = ack();
    option(&m, 1, 4);
    option(&m, 82, 20);
    end(&m);
    assert_int_equal(decode(&m), DHCP4_OK);
    while (m.size-- > 0) {
        assert_int_equal(decode(&m),
                         m.size < DHCP4_HEADER_BYTES ? DHCP4_TRUNCATED : DHCP4_BAD_OPTION);
    }
}

static void a_wrong_header_is_told_apart(void **unused)
{
    (void)unused;
    static const struct {
        size_t at;
        uint8_t value;
        enum dhcp4_error expected;
    } cases[] = {
        {0, 1, DHCP4_NOT_A_REPLY},   {0, 0, DHCP4_NOT_A_REPLY},  {1, 6, DHCP4_BAD_HARDWARE},
        {2, 16, DHCP4_BAD_HARDWARE}, {2, 0, DHCP4_BAD_HARDWARE}, {236, 0, DHCP4_BAD_COOKIE},
        {239, 0, DHCP4_BAD_COOKIE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message m = ack();
        end(&m);
        m.bytes[cases[i].at] = cases[i].value;
        assert_int_equal(decode(&m), cases[i].expected);
    }
}

static void every_option_must_have_its_lawful_length(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t code, least, most, multiple_of;
    } rules[] = {
        {1, 4, 4, 4},  {3, 4, 252, 4},  {51, 4, 4, 4},   {52, 1, 1, 1},
        {53, 1, 1, 1}, {54, 4, 4, 4},   {56, 1, 255, 1}, {58, 4, 4, 4},
        {59, 4, 4, 4}, {61, 2, 255, 1}, {82, 2, 255, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        for (unsigned size = 0; size <= 255; size++) {
            struct message m = start();
            static const uint8_t needed[] = {53, 54, 51};
            for (size_t n = 0; n < sizeof(needed); n++) {
                if (needed[n] != rules[i].code) {
                    option(&m, needed[n], needed[n] == 53 ? 1 : 4);
                }
            }
            option(&m, rules[i].code, (uint8_t)size);
            end(&m);
            bool lawful = size >= rules[i].least && size <= rules[i].most &&
                          size % rules[i].multiple_of == 0 && rules[i].code != 52;
            /* The value 0 of option 52 is unlawful at any length. */
            assert_int_equal(decode(&m), lawful ? DHCP4_OK : DHCP4_BAD_OPTION);
        }
    }
}

static void an_option_that_stands_twice_is_one_longer_value(void **unused)
{
    (void)unused;
    static const uint8_t fixed[] = {1, 51, 53, 54, 58, 59};
    for (size_t i = 0; i < sizeof(fixed); i++) {
        struct message m = ack();
        uint8_t size = fixed[i] == 53 ? 1 : 4;
        option(&m, fixed[i], size);
        option(&m, fixed[i], size);
        end(&m);
        assert_int_equal(decode(&m), DHCP4_BAD_OPTION);
    }
}

static void giant_options_are_walked_and_not_kept(void **unused)
{
    (void)unused;
    struct message m = ack();
    for (unsigned i = 0; i < 5; i++) {
        option(&m, 61, 255);
        option(&m, 56, 255);
    }
    end(&m);
    struct dhcp4_reply reply;
    assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &reply), DHCP4_OK);
    assert_int_equal(reply.client_id_bytes, 5 * 255);
    assert_string_equal(reply.message, "");

    m = ack();
    option(&m, 82, 255);
    option(&m, 82, 2);
    end(&m);
    assert_int_equal(decode(&m), DHCP4_BAD_OPTION);
}

static void a_relay_option_must_be_made_of_whole_suboptions(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t value[6];
        uint8_t size;
        enum dhcp4_error expected;
    } cases[] = {
        {{1}, 1, DHCP4_BAD_OPTION},
        {{1, 1}, 2, DHCP4_BAD_OPTION},
        {{1, 4, 0, 0, 0}, 5, DHCP4_BAD_OPTION},
        {{1, 1, 7, 2}, 4, DHCP4_BAD_OPTION},
        {{1, 0}, 2, DHCP4_OK},
        {{1, 1, 7, 151, 1, 8}, 6, DHCP4_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message m = ack();
        raw(&m, (const uint8_t[]){82, cases[i].size}, 2);
        raw(&m, cases[i].value, cases[i].size);
        end(&m);
        assert_int_equal(decode(&m), cases[i].expected);
    }
}

static void what_an_answer_must_carry_is_missed(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t type;
        bool yiaddr, server_id, lease;
        enum dhcp4_error expected;
    } cases[] = {
        {0, true, true, true, DHCP4_NO_TYPE},
        {DHCP4_TYPE_OFFER, true, false, true, DHCP4_NO_SERVER_ID},
        {DHCP4_TYPE_OFFER, true, true, false, DHCP4_NO_LEASE_TIME},
        {DHCP4_TYPE_OFFER, false, true, true, DHCP4_BAD_ADDRESS},
        {DHCP4_TYPE_OFFER, false, true, false, DHCP4_BAD_ADDRESS},
        {DHCP4_TYPE_ACK, true, false, true, DHCP4_NO_SERVER_ID},
        {DHCP4_TYPE_ACK, true, true, false, DHCP4_NO_LEASE_TIME},
        {DHCP4_TYPE_ACK, false, true, true, DHCP4_BAD_ADDRESS},
        {DHCP4_TYPE_ACK, false, false, false, DHCP4_NO_SERVER_ID},
        {DHCP4_TYPE_NAK, false, false, false, DHCP4_NO_SERVER_ID},
        {DHCP4_TYPE_OFFER, true, true, true, DHCP4_OK},
        {DHCP4_TYPE_ACK, true, true, true, DHCP4_OK},
        {DHCP4_TYPE_ACK, false, true, false, DHCP4_OK}, /* the answer to an INFORM */
        {DHCP4_TYPE_NAK, false, true, false, DHCP4_OK},
        {13, false, false, false, DHCP4_OK}, /* LEASEACTIVE: not ours to judge */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message m = start();
        if (cases[i].type != 0) {
            raw(&m, (const uint8_t[]){53, 1, cases[i].type}, 3);
        }
        if (!cases[i].yiaddr) {
            memset(m.bytes + YIADDR_AT, 0, 4);
        }
        if (cases[i].server_id) {
            option(&m, 54, 4);
        }
        if (cases[i].lease) {
            option(&m, 51, 4);
        }
        end(&m);
        assert_int_equal(decode(&m), cases[i].expected);
    }
}

static void an_address_nobody_can_have_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *yiaddr;
        enum dhcp4_error expected;
    } cases[] = {
        {"0.0.0.0", DHCP4_BAD_ADDRESS},         {"0.0.0.1", DHCP4_BAD_ADDRESS},
        {"0.255.255.255", DHCP4_BAD_ADDRESS},   {"127.0.0.1", DHCP4_BAD_ADDRESS},
        {"127.255.255.255", DHCP4_BAD_ADDRESS}, {"224.0.0.1", DHCP4_BAD_ADDRESS},
        {"239.255.255.255", DHCP4_BAD_ADDRESS}, {"240.0.0.1", DHCP4_BAD_ADDRESS},
        {"255.255.255.255", DHCP4_BAD_ADDRESS}, {"1.0.0.0", DHCP4_OK},
        {"126.255.255.255", DHCP4_OK},          {"128.0.0.0", DHCP4_OK},
        {"223.255.255.255", DHCP4_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message m = ack();
        end(&m);
        struct ipv4 address;
        assert_true(inet_parse(cases[i].yiaddr, &address));
        memcpy(m.bytes + YIADDR_AT, &address.be, 4);
        assert_int_equal(decode(&m), cases[i].expected);
        m.bytes[DHCP4_HEADER_BYTES + 2] = DHCP4_TYPE_OFFER;
        assert_int_equal(decode(&m), cases[i].expected);
        m.bytes[DHCP4_HEADER_BYTES + 2] = DHCP4_TYPE_NAK;
        assert_int_equal(decode(&m), DHCP4_OK);
    }
}

/* ---- what is taken from a good one ---- */

static void a_refused_message_still_says_whose_it_was(void **unused)
{
    (void)unused;
    struct message m = start();
    option(&m, 53, 9);
    struct dhcp4_reply reply;
    assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &reply), DHCP4_BAD_OPTION);
    assert_int_equal(reply.xid, 0x01020304);
    assert_int_equal(reply.chaddr.byte[5], 9);
    assert_int_equal(dhcp4_decode_reply(m.bytes, 34, &reply), DHCP4_TRUNCATED);
    assert_int_equal(reply.xid, 0x01020304);
    assert_int_equal(reply.chaddr.byte[5], 9);
}

static void absent_options_are_zero(void **unused)
{
    (void)unused;
    struct message m = ack();
    end(&m);
    struct dhcp4_reply r;
    memset(&r, 0xa5, sizeof(r));
    assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r), DHCP4_OK);
    assert_false(r.has_mask || r.has_router || r.has_t1 || r.has_t2);
    assert_true(inet_is_zero(r.mask) && inet_is_zero(r.router));
    assert_int_equal(r.t1_s | r.t2_s | r.client_id_bytes | r.relay_info_bytes, 0);
    assert_string_equal(r.message, "");
}

static void an_ack_tells_all_it_carries(void **unused)
{
    (void)unused;
    struct message m = ack();
    raw(&m, (const uint8_t[]){1, 4, 255, 255, 0, 0, 3, 8, 10, 10, 0, 1, 10, 10, 0, 2}, 16);
    raw(&m, (const uint8_t[]){58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 12, 78}, 12);
    raw(&m, (const uint8_t[]){61, 3, 1, 2, 3, 56, 6, 'a', '\n', 0x80, 'z', 0, 'q'}, 13);
    raw(&m, (const uint8_t[]){82, 3, 1, 1, 9}, 5);
    end(&m);
    m.bytes[3] = 2;
    m.bytes[9] = 5;
    m.bytes[10] = 0x80;
    struct dhcp4_reply r;
    assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r), DHCP4_OK);
    assert_int_equal(r.type, DHCP4_TYPE_ACK);
    assert_int_equal(r.hops, 2);
    assert_int_equal(r.secs, 5);
    assert_int_equal(r.flags, 0x8000);
    assert_int_equal(inet_host(r.yiaddr), 0x0a0a0007);
    assert_int_equal(inet_host(r.giaddr), 0xac100803);
    assert_true(r.has_server_id && r.has_mask && r.has_router && r.has_lease && r.has_t1 &&
                r.has_t2);
    assert_int_equal(inet_host(r.server_id), 0xc0a8010c);
    assert_int_equal(inet_host(r.mask), 0xffff0000);
    assert_int_equal(inet_host(r.router), 0x0a0a0001);
    assert_int_equal(r.lease_s, 3600);
    assert_int_equal(r.t1_s, 1800);
    assert_int_equal(r.t2_s, 3150);
    assert_int_equal(r.client_id_bytes, 3);
    assert_memory_equal(r.client_id, ((const uint8_t[]){1, 2, 3}), 3);
    assert_int_equal(r.relay_info_bytes, 3);
    assert_string_equal(r.message, "a??z");
}

static void a_long_message_text_is_cut(void **unused)
{
    (void)unused;
    struct message m = ack();
    uint8_t text[200];
    memset(text, 'x', sizeof(text));
    raw(&m, (const uint8_t[]){56, sizeof(text)}, 2);
    raw(&m, text, sizeof(text));
    end(&m);
    struct dhcp4_reply r;
    assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r), DHCP4_OK);
    assert_int_equal(strlen(r.message), sizeof(r.message) - 1);
}

static void a_value_cut_in_pieces_is_put_together(void **unused)
{
    (void)unused;
    struct message m = start();
    raw(&m, (const uint8_t[]){53, 1, DHCP4_TYPE_ACK, 54, 2, 192, 168, 51, 1, 0}, 10);
    raw(&m, (const uint8_t[]){54, 2, 1, 12, 51, 0, 51, 3, 0, 14, 16}, 11);
    end(&m);
    struct dhcp4_reply r;
    assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r), DHCP4_OK);
    assert_int_equal(inet_host(r.server_id), 0xc0a8010c);
    assert_int_equal(r.lease_s, 3600);
}

/* ---- what real servers sent ---- */

/* Captured from ISC dhcpd 4.4.3-P1 and Kea 2.2.0; the file name begins with the server's. */
static void real_servers_are_understood(void **unused)
{
    (void)unused;
    static const char folder[] = SOURCE_DIR "/tests/fuzz/corpus/dhcp4";
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    unsigned seen = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        bool is_dhcpd = strncmp(entry->d_name, "dhcpd-", 6) == 0;
        if (!is_dhcpd && strncmp(entry->d_name, "kea-", 4) != 0) {
            continue;
        }
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        uint8_t bytes[DHCP4_MAX_BYTES];
        size_t size = fread(bytes, 1, sizeof(bytes), file);
        (void)fclose(file);

        struct dhcp4_reply r;
        enum dhcp4_error e = dhcp4_decode_reply(bytes, size, &r);
        if (e != DHCP4_OK) {
            print_error("%s: %s\n", entry->d_name, dhcp4_error_name(e));
        }
        assert_int_equal(e, DHCP4_OK);
        assert_int_equal(inet_host(r.server_id), 0xac10080c);
        bool leases = !strstr(entry->d_name, "nak") && !strstr(entry->d_name, "inform");
        assert_int_equal(r.lease_s, leases ? 60 : 0);
        assert_int_equal(r.t1_s, leases && !is_dhcpd ? 30 : 0);
        seen++;
    }
    (void)closedir(dir);
    assert_true(seen >= 30);
}

/* RFC 4388 6.4: nobody holds the address, or something that is no Ethernet card. */
static void an_answer_to_a_query_may_have_any_hardware_and_nothing_else_may(void **unused)
{
    (void)unused;
    for (uint8_t type = 1; type < 20; type++) {
        bool answers = type >= DHCP4_TYPE_LEASEUNASSIGNED && type <= DHCP4_TYPE_LEASEACTIVE;
        struct message m = start();
        raw(&m, (const uint8_t[]){53, 1, type}, 3);
        raw(&m, (const uint8_t[]){54, 4, 192, 168, 1, 12}, 6);
        raw(&m, (const uint8_t[]){51, 4, 0, 0, 0x0e, 0x10}, 6);
        end(&m);
        m.bytes[1] = m.bytes[2] = 0;
        struct dhcp4_reply r;
        assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r),
                         answers ? DHCP4_OK : DHCP4_BAD_HARDWARE);
        assert_int_equal(r.chaddr.byte[5], answers ? 0 : 9);
        assert_int_equal(r.xid, 0x01020304);
        m.bytes[1] = 1;
        m.bytes[2] = MAC_BYTES;
        assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r), DHCP4_OK);
        assert_int_equal(r.chaddr.byte[5], 9);
        m.bytes[1] = 0;
        m.bytes[236] = 0;
        assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r), DHCP4_BAD_HARDWARE);
        m.bytes[236] = 0x63;
        m.bytes[DHCP4_HEADER_BYTES + 1] = 250; /* option 53 runs past the end */
        assert_int_equal(dhcp4_decode_reply(m.bytes, m.size, &r), DHCP4_BAD_HARDWARE);
    }
}

/* dhcpd 4.4.3-P1 with `allow leasequery`, asked with what DHCP4_QUERY writes. */
static void a_real_servers_answers_to_a_query_are_understood(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        uint8_t type, chaddr;
    } cases[] = {{"active", DHCP4_TYPE_LEASEACTIVE, 0xee},
                 {"unassigned", DHCP4_TYPE_LEASEUNASSIGNED, 0},
                 {"unknown", DHCP4_TYPE_LEASEUNKNOWN, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[512];
        uint8_t bytes[DHCP4_MAX_BYTES];
        struct dhcp4_reply r;
        (void)snprintf(path, sizeof(path), SOURCE_DIR "/tests/fuzz/corpus/dhcp4/leasequery-%s",
                       cases[i].name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t size = fread(bytes, 1, sizeof(bytes), file);
        (void)fclose(file);
        assert_int_equal(dhcp4_decode_reply(bytes, size, &r), DHCP4_OK);
        assert_int_equal(r.type, cases[i].type);
        assert_int_equal(r.chaddr.byte[5], cases[i].chaddr);
        assert_int_equal(inet_host(r.giaddr), 0xac100803);
        assert_true(r.has_server_id && inet_host(r.ciaddr) >> 16 == 0x0a0a);
    }
}

static void every_value_has_a_name(void **unused)
{
    (void)unused;
    for (unsigned e = 0; e < DHCP4_ERROR_COUNT; e++) {
        assert_non_null(dhcp4_error_name((enum dhcp4_error)e));
    }
    assert_string_equal(dhcp4_error_name(DHCP4_NO_SERVER_ID), "no-server-id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ack_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_wrong_header_is_told_apart),
        cmocka_unit_test(every_option_must_have_its_lawful_length),
        cmocka_unit_test(an_option_that_stands_twice_is_one_longer_value),
        cmocka_unit_test(giant_options_are_walked_and_not_kept),
        cmocka_unit_test(a_relay_option_must_be_made_of_whole_suboptions),
        cmocka_unit_test(what_an_answer_must_carry_is_missed),
        cmocka_unit_test(an_address_nobody_can_have_is_refused),
        cmocka_unit_test(a_refused_message_still_says_whose_it_was),
        cmocka_unit_test(absent_options_are_zero),
        cmocka_unit_test(an_ack_tells_all_it_carries),
        cmocka_unit_test(a_long_message_text_is_cut),
        cmocka_unit_test(a_value_cut_in_pieces_is_put_together),
        cmocka_unit_test(real_servers_are_understood),
        cmocka_unit_test(an_answer_to_a_query_may_have_any_hardware_and_nothing_else_may),
        cmocka_unit_test(a_real_servers_answers_to_a_query_are_understood),
        cmocka_unit_test(every_value_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
