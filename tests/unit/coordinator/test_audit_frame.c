/* SPDX-License-Identifier: MIT */
/* DHCP out of captured frames, of every link there is, and of bytes that are none. */
#include "tests/support/testing.h"

#include <string.h>

#include "common/bytes.h"
#include "coordinator/audit/audit_frame.h"
#include "coordinator/audit/audit_once.h"

enum { ROOM = 600 };

struct made {
    uint8_t bytes[ROOM];
    size_t size, ip_at;
};

static void put_ip(struct byte_writer *w, unsigned words, uint16_t fragment, uint16_t udp_size)
{
    byte_write_u16(w, (uint16_t)((0x40 | words) << 8));
    byte_write_u16(w, (uint16_t)(words * 4 + udp_size));
    byte_write_u16(w, 0x1234);
    byte_write_u16(w, fragment);
    byte_write_u16(w, 63 << 8 | 17);
    byte_write_u16(w, 0);
    byte_write_u32(w, 0x0a000001);
    byte_write_u32(w, 0x0a000002);
    byte_write_fill(w, 1, (words - 5) * 4);
}

static struct made make(enum audit_link link, unsigned words, uint16_t fragment, uint16_t port)
{
    struct made m = {.size = 0};
    struct byte_writer w = byte_writer_over(m.bytes, sizeof(m.bytes));
    if (link == AUDIT_LINK_ETHERNET) {
        byte_write_fill(&w, 9, 12);
        byte_write_u16(&w, 0x0800);
    } else if (link == AUDIT_LINK_COOKED) {
        byte_write_u16(&w, 4);
        byte_write_fill(&w, 9, 12);
        byte_write_u16(&w, 0x0800);
    } else if (link == AUDIT_LINK_COOKED2) {
        byte_write_u16(&w, 0x0800);
        byte_write_u16(&w, 0);
        byte_write_u32(&w, 77);
        byte_write_u16(&w, 1);
        byte_write_u8(&w, 4);
        byte_write_fill(&w, 9, 9);
    }
    m.ip_at = w.at;
    put_ip(&w, words, fragment, 8 + 300);
    byte_write_u16(&w, 67);
    byte_write_u16(&w, port);
    byte_write_u16(&w, 8 + 300);
    byte_write_u16(&w, 0);
    byte_write_fill(&w, 5, 300);
    assert_true(w.ok);
    m.size = w.at;
    return m;
}

static enum audit_found look(enum audit_link link, const uint8_t *bytes, size_t size,
                             struct audit_datagram *out)
{
    const struct audit_frame frame = {.link = link, .bytes = bytes, .size = size};
    return audit_frame_open(&frame, out);
}

static void every_length_below_the_whole_is_no_datagram(void **state)
{
    (void)state;
    static const enum audit_link links[] = {AUDIT_LINK_ETHERNET, AUDIT_LINK_COOKED,
                                            AUDIT_LINK_COOKED2, AUDIT_LINK_RAW};
    struct audit_datagram d;
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        struct made m = make(links[i], 5, 0x4000, 68);
        for (size_t size = 0; size < m.size; size++) {
            /* Behind the ports it is known to be DHCP, and to be cut. */
            enum audit_found want = size < m.ip_at + 28 ? AUDIT_FRAME_OTHER : AUDIT_FRAME_CUT;
            assert_int_equal(look(links[i], m.bytes, size, &d), want);
        }
        assert_int_equal(look(links[i], m.bytes, m.size, &d), AUDIT_FRAME_DHCP);
        assert_int_equal(d.payload_size, 300);
        assert_int_equal(d.payload[0], 5);
        assert_int_equal(d.ip_id, 0x1234);
        assert_int_equal(d.ttl, 63);
        assert_int_equal(inet_host(d.source), 0x0a000001);
        assert_int_equal(inet_host(d.destination), 0x0a000002);
        assert_int_equal(d.destination_port, 68);
        assert_int_equal(d.interface, links[i] == AUDIT_LINK_COOKED2 ? 77 : 0);
        assert_int_equal(d.is_outgoing,
                         links[i] == AUDIT_LINK_COOKED || links[i] == AUDIT_LINK_COOKED2);
    }
}

static void what_is_no_dhcp_over_ipv4_is_left_alone(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {
        {12, 0x86}, {13, 0x06}, /* IPv6 by its ether type, ARP */
        {14, 0x65}, {14, 0x44}, /* version 6; a header of 16 bytes */
        {23, 6},                /* TCP */
        {17, 0},                /* a total length below its header: 256 * x + 0 */
        {38, 0xff}, {39, 0x07}, /* a UDP length beyond the packet, and below itself */
    };
    struct audit_datagram d;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct made m = make(AUDIT_LINK_ETHERNET, 5, 0, 67);
        m.bytes[rows[i].at] = rows[i].value;
        if (rows[i].at == 17 || rows[i].at == 39) {
            m.bytes[rows[i].at - 1] = 0;
        }
        assert_int_equal(look(AUDIT_LINK_ETHERNET, m.bytes, m.size, &d), AUDIT_FRAME_OTHER);
    }
    struct made m = make(AUDIT_LINK_ETHERNET, 5, 0, 67);
    assert_int_equal(look(AUDIT_LINK_UNKNOWN, m.bytes, m.size, &d), AUDIT_FRAME_OTHER);
    bytes_put_u16(m.bytes + 34, 53);
    bytes_put_u16(m.bytes + 36, 5353);
    assert_int_equal(look(AUDIT_LINK_ETHERNET, m.bytes, m.size, &d), AUDIT_FRAME_OTHER);
}

static void options_vlans_and_fragments_are_understood(void **state)
{
    (void)state;
    struct audit_datagram d;
    struct made m = make(AUDIT_LINK_RAW, 15, 0, 67);
    assert_int_equal(look(AUDIT_LINK_RAW, m.bytes, m.size, &d), AUDIT_FRAME_DHCP);
    m = make(AUDIT_LINK_RAW, 5, 0x2000, 67); /* the first piece */
    assert_int_equal(look(AUDIT_LINK_RAW, m.bytes, m.size, &d), AUDIT_FRAME_FRAGMENT);
    m = make(AUDIT_LINK_RAW, 5, 0x0010, 67); /* a later one */
    assert_int_equal(look(AUDIT_LINK_RAW, m.bytes, m.size, &d), AUDIT_FRAME_FRAGMENT);
    struct made plain = make(AUDIT_LINK_ETHERNET, 5, 0, 68);
    uint8_t tagged[ROOM + 8];
    memcpy(tagged, plain.bytes, 12);
    bytes_put_u32(tagged + 12, 0x88a80007);
    bytes_put_u32(tagged + 16, 0x81000007);
    memcpy(tagged + 20, plain.bytes + 12, plain.size - 12);
    assert_int_equal(look(AUDIT_LINK_ETHERNET, tagged, plain.size + 8, &d), AUDIT_FRAME_DHCP);
    assert_int_equal(d.payload_size, 300);
}

static void requests_are_read_and_what_is_none_is_refused(void **state)
{
    (void)state;
    static struct dhcp4_template t;
    uint8_t bytes[DHCP4_MAX_BYTES];
    const struct dhcp4_relay_part part = {.giaddr = inet_from_host(0x0a0a0a0a)};
    const struct dhcp4_fill fill = {.xid = 0x01020304, .chaddr = {{2, 1, 2, 3, 4, 5}}};
    struct audit_request q = {0};
    assert_true(dhcp4_template_make(DHCP4_REQUEST, &dhcp4_profile_dhclient, &part, &t));
    dhcp4_template_fill(&t, &fill, bytes);
    assert_true(audit_request_read(bytes, t.size, &q));
    assert_int_equal(q.type, DHCP4_TYPE_REQUEST);
    assert_int_equal(q.xid, 0x01020304);
    assert_int_equal(q.chaddr.byte[5], 5);
    assert_int_equal(inet_host(q.giaddr), 0x0a0a0a0a);
    assert_true(q.has_server_id);
    assert_true(dhcp4_template_make(DHCP4_REBOOT, &dhcp4_profile_dhclient, &part, &t));
    dhcp4_template_fill(&t, &fill, bytes);
    assert_true(audit_request_read(bytes, t.size, &q));
    assert_false(q.has_server_id);
    for (size_t size = 0; size < DHCP4_HEADER_BYTES + 1; size++) {
        assert_false(audit_request_read(bytes, size, &q));
    }
    bytes[0] = 2;
    assert_false(audit_request_read(bytes, t.size, &q));
    bytes[0] = 1;
    bytes[236] ^= 1;
    assert_false(audit_request_read(bytes, t.size, &q));
}

static void a_datagram_is_counted_at_the_point_that_saw_it_most(void **state)
{
    (void)state;
    struct audit_once once = {0};
    struct made m = make(AUDIT_LINK_RAW, 5, 0, 67);
    struct audit_datagram d;
    assert_int_equal(look(AUDIT_LINK_RAW, m.bytes, m.size, &d), AUDIT_FRAME_DHCP);
    assert_int_equal(audit_once(&once, 0, &d, d.source), AUDIT_NEW);
    assert_int_equal(audit_once(&once, 1, &d, d.source), AUDIT_SEEN); /* another file */
    assert_int_equal(audit_once(&once, 0, &d, d.source), AUDIT_NEW);  /* repeated on the wire */
    assert_int_equal(audit_once(&once, 1, &d, d.source), AUDIT_SEEN);
    assert_int_equal(audit_once(&once, 1, &d, d.source), AUDIT_NEW); /* file 1 saw a third */
    d.ttl--;
    assert_int_equal(audit_once(&once, 0, &d, d.source), AUDIT_SEEN); /* one hop on */
    d.interface = 9;
    assert_int_equal(audit_once(&once, 0, &d, d.source), AUDIT_SEEN);
    d.ip_id++;
    assert_int_equal(audit_once(&once, 0, &d, d.source), AUDIT_NEW);
    assert_int_equal(audit_once(&once, 0, &d, d.destination), AUDIT_NEW); /* the way there */
    for (uint32_t i = 0; i < 50000; i++) { /* grows, and forgets nothing */
        bytes_put_u32(m.bytes + 28, i);
        assert_int_equal(audit_once(&once, 0, &d, d.source),
                         i == 0x05050505 ? AUDIT_SEEN : AUDIT_NEW);
        assert_int_equal(audit_once(&once, 2, &d, d.source), AUDIT_SEEN);
    }
    audit_once_fini(&once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_below_the_whole_is_no_datagram),
        cmocka_unit_test(what_is_no_dhcp_over_ipv4_is_left_alone),
        cmocka_unit_test(options_vlans_and_fragments_are_understood),
        cmocka_unit_test(requests_are_read_and_what_is_none_is_refused),
        cmocka_unit_test(a_datagram_is_counted_at_the_point_that_saw_it_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
