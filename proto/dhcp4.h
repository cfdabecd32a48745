/* SPDX-License-Identifier: MIT */
/*
 * DHCPv4 messages, RFC 2131, 2132, 3046, 3396: strict bounded decode of what a
 * server sends, encode of every message a client or its relay sends.
 *
 * Encoding makes a template (client part, everything that does not change
 * between two packets of one relay and intent) and says at which offsets the
 * changing fields stand, so that the packet path patches bytes instead of
 * building options. All templates are at least 300 bytes (BOOTP minimum,
 * RFC 1542 2.1) and of one size per intent.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"

enum {
    DHCP4_SERVER_PORT = 67,
    DHCP4_CLIENT_PORT = 68,
    DHCP4_MIN_BYTES = 300,
    DHCP4_MAX_BYTES = 1472,   /* largest datagram we send or accept */
    DHCP4_HEADER_BYTES = 240, /* up to and with the magic cookie */
    DHCP4_CLIENT_ID_MAX = 32,
    DHCP4_VENDOR_CLASS_MAX = 128,
    DHCP4_PARAMETERS_MAX = 64
};

/* What a client wants to say; the message type follows. RFC 2131 table 4 and 5. */
enum dhcp4_intent {
    DHCP4_DISCOVER,
    DHCP4_REQUEST, /* SELECTING */
    DHCP4_RENEW,
    DHCP4_REBIND,
    DHCP4_REBOOT, /* INIT-REBOOT */
    DHCP4_DECLINE,
    DHCP4_RELEASE,
    DHCP4_INFORM,
    DHCP4_QUERY, /* DHCPLEASEQUERY by address, RFC 4388: what a relay asks, not a client */
    DHCP4_INTENT_COUNT
};

/* Option 53. */
enum dhcp4_type {
    DHCP4_TYPE_NONE = 0,
    DHCP4_TYPE_DISCOVER = 1,
    DHCP4_TYPE_OFFER,
    DHCP4_TYPE_REQUEST,
    DHCP4_TYPE_DECLINE,
    DHCP4_TYPE_ACK,
    DHCP4_TYPE_NAK,
    DHCP4_TYPE_RELEASE,
    DHCP4_TYPE_INFORM,
    DHCP4_TYPE_LEASEQUERY = 10, /* RFC 4388 */
    DHCP4_TYPE_LEASEUNASSIGNED,
    DHCP4_TYPE_LEASEUNKNOWN,
    DHCP4_TYPE_LEASEACTIVE
};

/* Why bytes are not a DHCP message; each value is counted. */
enum dhcp4_error {
    DHCP4_OK,
    DHCP4_TRUNCATED,
    DHCP4_NOT_A_REPLY,  /* op is not BOOTREPLY */
    DHCP4_BAD_HARDWARE, /* htype, hlen */
    DHCP4_BAD_COOKIE,
    DHCP4_BAD_OPTION,    /* an option runs past its field, or has a length it may not have */
    DHCP4_NO_TYPE,       /* option 53 missing */
    DHCP4_BAD_ADDRESS,   /* yiaddr of an OFFER or ACK is in 0/8, loopback, multicast or above */
    DHCP4_NO_SERVER_ID,  /* OFFER, ACK or NAK without option 54 */
    DHCP4_NO_LEASE_TIME, /* OFFER, or ACK to a REQUEST (yiaddr set), without option 51 */
    DHCP4_ERROR_COUNT
};

/* A decoded server message; absent options are zero with has_* false. */
struct dhcp4_reply {
    uint8_t type; /* enum dhcp4_type, or another number */
    uint8_t hops;
    uint16_t flags;
    uint16_t secs;
    uint32_t xid; /* host order */
    struct mac chaddr;
    struct ipv4 ciaddr, yiaddr, siaddr, giaddr;
    struct ipv4 server_id, mask, router;
    uint32_t lease_s, t1_s, t2_s;
    bool has_server_id, has_mask, has_router, has_lease, has_t1, has_t2;
    uint16_t client_id_bytes; /* echoed, RFC 6842; first DHCP4_CLIENT_ID_MAX kept */
    uint8_t client_id[DHCP4_CLIENT_ID_MAX];
    uint16_t relay_info_bytes; /* option 82 as echoed; 0: absent */
    char message[64];          /* option 56, printable part */
};

/*
 * `out` is filled as far as decoded even on failure (xid, chaddr for the log). An ACK with
 * neither yiaddr nor option 51 is well-formed: it answers an INFORM, and only that. Answers to a
 * DHCPLEASEQUERY name the holder of an address, which may have any hardware, or nobody: their
 * htype and hlen are not looked at, and chaddr is zero where it is not an Ethernet address.
 */
NODISCARD enum dhcp4_error dhcp4_decode_reply(const uint8_t *bytes, size_t size,
                                              struct dhcp4_reply *out);

/* What all packets of one profile share. Zeroed optional parts are left out. */
struct dhcp4_profile {
    uint8_t parameters[DHCP4_PARAMETERS_MAX]; /* option 55 */
    uint8_t parameter_count;
    char vendor_class[DHCP4_VENDOR_CLASS_MAX]; /* option 60 */
    bool sends_client_id;                      /* option 61: type 1 + chaddr */
    uint16_t max_message_bytes;                /* option 57; 0: absent */
};

/* The relay's part; giaddr zero: the client speaks itself (RENEW, RELEASE, INFORM). */
struct dhcp4_relay_part {
    struct ipv4 giaddr;
    const uint8_t *circuit_id, *remote_id; /* option 82, sub-options 1 and 2 */
    uint8_t circuit_id_bytes, remote_id_bytes;
};

/* Offsets of what changes per packet; 0: the field does not occur in this intent. */
struct dhcp4_template {
    uint8_t bytes[DHCP4_MAX_BYTES];
    uint16_t size;
    uint16_t xid_at, secs_at, ciaddr_at, chaddr_at;
    uint16_t client_id_at;    /* of the 6 MAC bytes inside option 61 */
    uint16_t requested_ip_at; /* option 50 */
    uint16_t server_id_at;    /* option 54 */
};

/* False when the profile does not fit into DHCP4_MAX_BYTES. */
NODISCARD bool dhcp4_template_make(enum dhcp4_intent intent, const struct dhcp4_profile *profile,
                                   const struct dhcp4_relay_part *relay,
                                   struct dhcp4_template *out);

/* The per-packet values; fields the intent does not use are ignored. */
struct dhcp4_fill {
    uint32_t xid; /* host order */
    uint16_t secs;
    struct mac chaddr;
    struct ipv4 ciaddr, requested_ip, server_id;
};

/* Writes template->size bytes to `out`. */
void dhcp4_template_fill(const struct dhcp4_template *t, const struct dhcp4_fill *f, uint8_t *out);

/* The profile captured from ISC dhclient 4.4 on Debian 12. */
extern const struct dhcp4_profile dhcp4_profile_dhclient;

const char *dhcp4_intent_name(enum dhcp4_intent intent); /* "discover", "request", "renew" ... */
const char *dhcp4_error_name(enum dhcp4_error e);
