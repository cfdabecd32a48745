/* SPDX-License-Identifier: MIT */
/*
 * The options of one DHCPv4 message, piece by piece and put together.
 *
 * Options may stand in three places: the options field, then (where option 52
 * says so) `file`, then `sname`; and one value may be cut into several pieces
 * with the same code, which are joined in that order (RFC 2131 4.1, RFC 3396).
 * The places are visited once each, in this fixed order, so no message can make
 * the walk repeat itself.
 *
 * Stricter than most receivers, because a test has to see what is wrong: every
 * place must end with option 255 (but for one that is exactly full in a message
 * with option 52, as dhcpd sends it), option 52 must be one byte 1..3, stand in
 * the options field, and once.
 *
 * Pure. Borrows the message; nothing to free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/bytes.h"

struct dhcp_option {
    uint8_t code; /* never 0 (pad) or 255 (end) */
    uint8_t bytes;
    const uint8_t *value; /* inside the message */
};

/* Private to the functions below, but for `damaged`. */
struct dhcp_option_walk {
    const uint8_t *message;
    struct byte_reader field;
    uint8_t overload; /* places still to come: bit 0 file, bit 1 sname */
    bool in_options_field;
    bool has_overload;
    bool finished;
    bool damaged;
};

/* `size` must be at least DHCP4_HEADER_BYTES; `message` must outlive the walk. */
struct dhcp_option_walk dhcp_option_walk_over(const uint8_t *message, size_t size);

/* False at the end and at the first damage; `walk->damaged` tells which. */
NODISCARD bool dhcp_option_next(struct dhcp_option_walk *walk, struct dhcp_option *out);

/* A value as it is put together: `bytes` counts all of it, `out` keeps what fits. */
struct dhcp_option_value {
    uint8_t *out;
    uint16_t room;
    uint16_t bytes;
    bool present; /* an option of length 0 is present too */
};

void dhcp_option_value_add(struct dhcp_option_value *value, const struct dhcp_option *piece);

/* Are these bytes a sequence of whole sub-options, at least one? RFC 3046 2.0. */
NODISCARD bool dhcp_relay_info_is_whole(const uint8_t *value, size_t size);
