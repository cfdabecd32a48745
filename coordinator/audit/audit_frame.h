/* SPDX-License-Identifier: MIT */
/*
 * The DHCP message in a captured frame: Ethernet (with VLAN tags), Linux cooked v1 and v2, raw
 * IP. What is not UDP on port 67 or 68 over IPv4 is none of ours. Bytes come from a file that
 * anybody may have written: everything is bounded by what was captured. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "proto/dhcp4.h"

enum audit_link {
    AUDIT_LINK_UNKNOWN,
    AUDIT_LINK_ETHERNET,
    AUDIT_LINK_COOKED,  /* tcpdump -i any */
    AUDIT_LINK_COOKED2, /* the same, later: it names the interface */
    AUDIT_LINK_RAW      /* IP without anything before it */
};

struct audit_frame {
    enum audit_link link;
    const uint8_t *bytes;
    size_t size; /* captured */
};

enum audit_found {
    AUDIT_FRAME_OTHER,    /* not DHCP */
    AUDIT_FRAME_CUT,      /* DHCP, but the capture kept only its beginning */
    AUDIT_FRAME_FRAGMENT, /* a piece of an IP datagram that may be DHCP */
    AUDIT_FRAME_DHCP
};

struct audit_datagram {
    struct ipv4 source, destination;
    uint16_t source_port, destination_port, ip_id;
    uint8_t ttl;
    uint32_t interface; /* of a cooked capture; 0: not said */
    bool is_outgoing;   /* of a cooked capture */
    const uint8_t *payload;
    size_t payload_size;
};

enum audit_found audit_frame_open(const struct audit_frame *frame, struct audit_datagram *out);

/* What a client or relay says; false: not a request of DHCPv4 at all. */
struct audit_request {
    uint8_t type; /* enum dhcp4_type, or another number */
    uint32_t xid;
    struct mac chaddr;
    struct ipv4 ciaddr, giaddr;
    bool has_server_id;
};
NODISCARD bool audit_request_read(const uint8_t *bytes, size_t size, struct audit_request *out);
