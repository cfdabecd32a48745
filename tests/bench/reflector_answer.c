/* SPDX-License-Identifier: MIT */
#include "tests/bench/reflector_answer.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/bytes.h"
#include "proto/dhcp4.h"
#include "proto/dhcp_names.h"

bool reflector_read(const uint8_t *bytes, size_t size, struct reflector_question *out)
{
    if (size < DHCP4_HEADER_BYTES || bytes[0] != 1) {
        return false;
    }
    *out = (struct reflector_question){.bytes = bytes};
    memcpy(&out->ciaddr.be, bytes + 12, 4);
    memcpy(&out->giaddr.be, bytes + 24, 4);
    struct dhcp_option_walk walk = dhcp_option_walk_over(bytes, size);
    struct dhcp_option option;
    while (dhcp_option_next(&walk, &option)) {
        if (option.code == DHCP_OPTION_MESSAGE_TYPE && option.bytes == 1) {
            out->type = option.value[0];
        } else if (option.code == DHCP_OPTION_CLIENT_ID) {
            out->client_id = option;
        } else if (option.code == DHCP_OPTION_RELAY_INFO) {
            out->relay_info = option;
        }
    }
    return !walk.damaged && out->type != DHCP4_TYPE_NONE;
}

static struct ipv4 address_for(const struct reflector_config *config, const uint8_t *chaddr)
{
    uint32_t low = bytes_get_u32(chaddr + 2);
    uint32_t host_bits = (uint32_t)(inet_net_size(config->base) - 1);
    return inet_from_host(inet_host(config->base.base) | (low & host_bits));
}

static void write_u32_option(struct byte_writer *w, uint8_t code, uint32_t value)
{
    byte_write_u8(w, code);
    byte_write_u8(w, 4);
    byte_write_u32(w, value);
}

static void echo_option(struct byte_writer *w, const struct dhcp_option *option)
{
    if (option->value != NULL) {
        byte_write_u8(w, option->code);
        byte_write_u8(w, option->bytes);
        byte_write_copy(w, option->value, option->bytes);
    }
}

size_t reflector_write(const struct reflector_config *config, const struct reflector_question *q,
                       uint8_t *out)
{
    bool gives_lease = q->type != DHCP4_TYPE_INFORM;
    memcpy(out, q->bytes, DHCP4_HEADER_BYTES);
    out[0] = 2;             /* BOOTREPLY */
    memset(out + 8, 0, 2);  /* secs */
    memset(out + 16, 0, 8); /* yiaddr, siaddr */
    if (gives_lease) {
        struct ipv4 yiaddr = address_for(config, q->bytes + 28);
        memcpy(out + 16, &yiaddr.be, 4);
    }
    struct byte_writer w = byte_writer_over(out, DHCP4_MAX_BYTES);
    w.at = DHCP4_HEADER_BYTES;
    byte_write_u8(&w, DHCP_OPTION_MESSAGE_TYPE);
    byte_write_u8(&w, 1);
    byte_write_u8(&w, q->type == DHCP4_TYPE_DISCOVER ? DHCP4_TYPE_OFFER : DHCP4_TYPE_ACK);
    write_u32_option(&w, DHCP_OPTION_SERVER_ID, inet_host(config->address));
    if (gives_lease) {
        write_u32_option(&w, DHCP_OPTION_LEASE_TIME, config->lease_s);
        write_u32_option(&w, DHCP_OPTION_RENEWAL_TIME, config->lease_s / 2);
        write_u32_option(&w, DHCP_OPTION_REBINDING_TIME, config->lease_s - config->lease_s / 8);
    }
    write_u32_option(&w, DHCP_OPTION_SUBNET_MASK, inet_host(inet_net_mask(config->base)));
    echo_option(&w, &q->client_id);
    echo_option(&w, &q->relay_info);
    byte_write_u8(&w, DHCP_OPTION_END);
    if (w.at < DHCP4_MIN_BYTES) {
        byte_write_fill(&w, DHCP_OPTION_PAD, DHCP4_MIN_BYTES - w.at);
    }
    return w.at;
}

bool reflector_address(const struct reflector_config *config, const struct reflector_question *q,
                       const struct sockaddr_in *from, struct sockaddr_in *to)
{
    *to = *from;
    if (!inet_is_zero(q->giaddr) && q->type != DHCP4_TYPE_INFORM) {
        to->sin_addr.s_addr = q->giaddr.be;
        to->sin_port = htons(DHCP4_SERVER_PORT);
        return true;
    }
    if (inet_is_zero(q->ciaddr)) {
        return false;
    }
    if (!config->renew_to_source) {
        to->sin_addr.s_addr = q->ciaddr.be;
        to->sin_port = htons(DHCP4_CLIENT_PORT);
    }
    return true;
}

bool reflector_counts(const struct reflector_question *q, struct reflector_totals *totals)
{
    switch (q->type) {
    case DHCP4_TYPE_DISCOVER:
        totals->discover++;
        return true;
    case DHCP4_TYPE_REQUEST:
        totals->request++;
        return true;
    case DHCP4_TYPE_INFORM:
        totals->inform++;
        return true;
    default:
        totals->other++; /* RELEASE, DECLINE: nothing to say */
        return false;
    }
}
