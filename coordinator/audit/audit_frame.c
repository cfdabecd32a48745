/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_frame.h"

#include <string.h>

#include "common/bytes.h"
#include "proto/dhcp_names.h"
#include "proto/dhcp_options.h"

enum {
    ETHERTYPE_IPV4 = 0x0800,
    ETHERTYPE_VLAN = 0x8100,
    ETHERTYPE_QINQ = 0x88a8,
    VLANS_MAX = 2,
    PACKET_OUTGOING = 4, /* of a cooked header */
    IP_HEADER_LEAST = 20,
    IP_PROTOCOL_UDP = 17,
    IP_FRAGMENT_BITS = 0x3fff, /* more fragments, and the offset */
    IP_OFFSET_BITS = 0x1fff,
    UDP_HEADER = 8
};

static void skip(struct byte_reader *r, size_t bytes)
{
    (void)byte_read_view(r, bytes);
}

/* Past the link's header; false: no IPv4 behind it. */
static bool skip_link(struct byte_reader *r, enum audit_link link, struct audit_datagram *out)
{
    uint16_t protocol = ETHERTYPE_IPV4;
    switch (link) {
    case AUDIT_LINK_ETHERNET:
        skip(r, 2 * MAC_BYTES);
        protocol = byte_read_u16(r);
        break;
    case AUDIT_LINK_COOKED:
        out->is_outgoing = byte_read_u16(r) == PACKET_OUTGOING;
        skip(r, 12); /* hardware type, length and address */
        protocol = byte_read_u16(r);
        break;
    case AUDIT_LINK_COOKED2:
        protocol = byte_read_u16(r);
        skip(r, 2);
        out->interface = byte_read_u32(r);
        skip(r, 2); /* hardware type */
        out->is_outgoing = byte_read_u8(r) == PACKET_OUTGOING;
        skip(r, 9); /* length and address */
        break;
    case AUDIT_LINK_RAW:
        break;
    case AUDIT_LINK_UNKNOWN:
        return false;
    }
    for (unsigned i = 0;
         i < VLANS_MAX && (protocol == ETHERTYPE_VLAN || protocol == ETHERTYPE_QINQ); i++) {
        skip(r, 2);
        protocol = byte_read_u16(r);
    }
    return r->ok && protocol == ETHERTYPE_IPV4;
}

static bool is_dhcp_port(uint16_t port)
{
    return port == DHCP4_SERVER_PORT || port == DHCP4_CLIENT_PORT;
}

/* `r` stands behind the IP header; `ip_left`: what the IP header says is there. */
static enum audit_found open_udp(struct byte_reader *r, size_t ip_left, struct audit_datagram *out)
{
    out->source_port = byte_read_u16(r);
    out->destination_port = byte_read_u16(r);
    size_t udp_size = byte_read_u16(r);
    skip(r, 2); /* the checksum is the network card's affair: often not there yet */
    if (!r->ok || !(is_dhcp_port(out->source_port) || is_dhcp_port(out->destination_port))) {
        return AUDIT_FRAME_OTHER;
    }
    if (udp_size < UDP_HEADER || udp_size > ip_left) {
        return AUDIT_FRAME_OTHER; /* no host would take it for a datagram */
    }
    out->payload_size = udp_size - UDP_HEADER;
    out->payload = byte_reader_left(r) >= out->payload_size ? r->data + r->at : NULL;
    return out->payload == NULL ? AUDIT_FRAME_CUT : AUDIT_FRAME_DHCP;
}

enum audit_found audit_frame_open(const struct audit_frame *frame, struct audit_datagram *out)
{
    struct byte_reader r = byte_reader_over(frame->bytes, frame->size);
    *out = (struct audit_datagram){0};
    if (!skip_link(&r, frame->link, out)) {
        return AUDIT_FRAME_OTHER;
    }
    uint8_t version_and_size = byte_read_u8(&r);
    size_t header = (version_and_size & 0xfU) * 4U;
    skip(&r, 1);
    size_t total = byte_read_u16(&r);
    out->ip_id = byte_read_u16(&r);
    uint16_t fragment = byte_read_u16(&r);
    out->ttl = byte_read_u8(&r);
    uint8_t protocol = byte_read_u8(&r);
    skip(&r, 2);
    out->source = byte_read_ipv4(&r);
    out->destination = byte_read_ipv4(&r);
    if (!r.ok || version_and_size >> 4 != 4 || header < IP_HEADER_LEAST || total < header ||
        protocol != IP_PROTOCOL_UDP) {
        return AUDIT_FRAME_OTHER;
    }
    if ((fragment & IP_OFFSET_BITS) != 0) {
        return AUDIT_FRAME_FRAGMENT; /* without ports: whose it is cannot be seen */
    }
    skip(&r, header - IP_HEADER_LEAST);
    enum audit_found found = open_udp(&r, total - header, out);
    bool is_piece = (fragment & IP_FRAGMENT_BITS) != 0;
    if (is_piece && (is_dhcp_port(out->source_port) || is_dhcp_port(out->destination_port))) {
        return AUDIT_FRAME_FRAGMENT;
    }
    return found;
}

/* --- requests --- */

enum {
    OP_REQUEST = 1,
    XID_AT = 4,
    CIADDR_AT = 12,
    GIADDR_AT = 24,
    CHADDR_AT = 28,
    COOKIE_AT = 236
};
#define COOKIE UINT32_C(0x63825363)

static struct ipv4 address_at(const uint8_t *bytes)
{
    struct ipv4 address;
    memcpy(&address.be, bytes, sizeof(address.be));
    return address;
}

bool audit_request_read(const uint8_t *bytes, size_t size, struct audit_request *out)
{
    if (size < DHCP4_HEADER_BYTES || bytes[0] != OP_REQUEST ||
        bytes_get_u32(bytes + COOKIE_AT) != COOKIE) {
        return false;
    }
    *out = (struct audit_request){
        .xid = bytes_get_u32(bytes + XID_AT),
        .ciaddr = address_at(bytes + CIADDR_AT),
        .giaddr = address_at(bytes + GIADDR_AT),
    };
    memcpy(out->chaddr.byte, bytes + CHADDR_AT, MAC_BYTES);
    struct dhcp_option_walk walk = dhcp_option_walk_over(bytes, size);
    struct dhcp_option option;
    while (dhcp_option_next(&walk, &option)) {
        if (option.code == DHCP_OPTION_MESSAGE_TYPE && option.bytes == 1) {
            out->type = option.value[0];
        }
        out->has_server_id = out->has_server_id || option.code == DHCP_OPTION_SERVER_ID;
    }
    return !walk.damaged && out->type != DHCP4_TYPE_NONE;
}
