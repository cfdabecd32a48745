/* SPDX-License-Identifier: MIT */
/*
 * IPv4 addresses, prefixes and ranges as values that cannot be mixed with
 * integers. The address is kept in network order, as it stands in packets and
 * in struct in_addr; inet_host() gives the number to calculate with.
 *
 * Pure. Nothing to free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

struct ipv4 {
    uint32_t be;
};

struct ipv4_net {
    struct ipv4 base; /* host bits are zero */
    uint8_t prefix_bits;
};

enum { IPV4_TEXT_BYTES = 16, IPV4_NET_TEXT_BYTES = 19, MAC_BYTES = 6, MAC_TEXT_BYTES = 18 };

struct mac {
    uint8_t byte[MAC_BYTES];
};

uint32_t inet_host(struct ipv4 a);
struct ipv4 inet_from_host(uint32_t host_order);
bool inet_equal(struct ipv4 a, struct ipv4 b);
bool inet_is_zero(struct ipv4 a);

/* Dotted quad only, whole string; `out` is untouched on failure. */
NODISCARD bool inet_parse(const char *text, struct ipv4 *out);

/* "a.b.c.d/len"; host bits that are set are refused. A bare address is a /32. */
NODISCARD bool inet_parse_net(const char *text, struct ipv4_net *out);

/* Write into `buffer` and return it, so that they can stand in a printf argument. */
const char *inet_text(struct ipv4 a, char buffer[IPV4_TEXT_BYTES]);
const char *inet_net_text(struct ipv4_net net, char buffer[IPV4_NET_TEXT_BYTES]);
const char *mac_text(struct mac mac, char buffer[MAC_TEXT_BYTES]);

struct ipv4 inet_net_mask(struct ipv4_net net);
bool inet_net_contains(struct ipv4_net net, struct ipv4 a);
bool inet_net_covers(struct ipv4_net outer, struct ipv4_net inner);
bool inet_net_overlaps(struct ipv4_net a, struct ipv4_net b);
uint64_t inet_net_size(struct ipv4_net net);
