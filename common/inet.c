/* SPDX-License-Identifier: MIT */
#include "common/inet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

uint32_t inet_host(struct ipv4 a)
{
    return ntohl(a.be);
}

struct ipv4 inet_from_host(uint32_t host_order)
{
    return (struct ipv4){.be = htonl(host_order)};
}

bool inet_equal(struct ipv4 a, struct ipv4 b)
{
    return a.be == b.be;
}

bool inet_is_zero(struct ipv4 a)
{
    return a.be == 0;
}

/*
 * One decimal number without sign, blank or leading zero (inet_aton() would read
 * 010 as octal). Returns what follows it, NULL when there is none.
 */
static const char *parse_number(const char *text, unsigned max, unsigned *out)
{
    unsigned value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (unsigned)(*at - '0');
        if (value > max) {
            return NULL;
        }
    }
    if (at == text || (text[0] == '0' && at - text > 1)) {
        return NULL;
    }
    *out = value;
    return at;
}

/* Returns what follows the address, NULL when there is none. */
static const char *parse_quad(const char *text, uint32_t *out_host)
{
    uint32_t host = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned byte;
        if (i > 0 && *text++ != '.') {
            return NULL;
        }
        text = parse_number(text, UINT8_MAX, &byte);
        if (text == NULL) {
            return NULL;
        }
        host = host << 8 | byte;
    }
    *out_host = host;
    return text;
}

bool inet_parse(const char *text, struct ipv4 *out)
{
    uint32_t host;
    const char *rest = parse_quad(text, &host);
    if (rest == NULL || *rest != '\0') {
        return false;
    }
    *out = inet_from_host(host);
    return true;
}

bool inet_parse_net(const char *text, struct ipv4_net *out)
{
    uint32_t host;
    unsigned bits = 32;
    const char *rest = parse_quad(text, &host);
    if (rest != NULL && *rest == '/') {
        rest = parse_number(rest + 1, 32, &bits);
    }
    if (rest == NULL || *rest != '\0') {
        return false;
    }
    struct ipv4_net net = {inet_from_host(host), (uint8_t)bits};
    if ((net.base.be & ~inet_net_mask(net).be) != 0) {
        return false;
    }
    *out = net;
    return true;
}

const char *inet_text(struct ipv4 a, char buffer[IPV4_TEXT_BYTES])
{
    uint32_t host = inet_host(a);
    (void)snprintf(buffer, IPV4_TEXT_BYTES, "%u.%u.%u.%u", host >> 24, host >> 16 & 255,
                   host >> 8 & 255, host & 255);
    return buffer;
}

const char *inet_net_text(struct ipv4_net net, char buffer[IPV4_NET_TEXT_BYTES])
{
    char base[IPV4_TEXT_BYTES];
    (void)snprintf(buffer, IPV4_NET_TEXT_BYTES, "%s/%u", inet_text(net.base, base),
                   net.prefix_bits % 100U);
    return buffer;
}

const char *mac_text(struct mac mac, char buffer[MAC_TEXT_BYTES])
{
    (void)snprintf(buffer, MAC_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac.byte[0],
                   mac.byte[1], mac.byte[2], mac.byte[3], mac.byte[4], mac.byte[5]);
    return buffer;
}

struct ipv4 inet_net_mask(struct ipv4_net net)
{
    /* Shifting a uint32_t by 32 is undefined, hence the wider type. */
    uint64_t mask = UINT64_C(0xffffffff) << (32 - net.prefix_bits);
    return inet_from_host((uint32_t)mask);
}

bool inet_net_contains(struct ipv4_net net, struct ipv4 a)
{
    return ((a.be ^ net.base.be) & inet_net_mask(net).be) == 0;
}

bool inet_net_covers(struct ipv4_net outer, struct ipv4_net inner)
{
    return outer.prefix_bits <= inner.prefix_bits && inet_net_contains(outer, inner.base);
}

bool inet_net_overlaps(struct ipv4_net a, struct ipv4_net b)
{
    return inet_net_covers(a, b) || inet_net_covers(b, a);
}

uint64_t inet_net_size(struct ipv4_net net)
{
    return UINT64_C(1) << (32 - net.prefix_bits);
}
