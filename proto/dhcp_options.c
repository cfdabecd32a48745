/* SPDX-License-Identifier: MIT */
#include "proto/dhcp_options.h"

#include "proto/dhcp4.h"
#include "proto/dhcp_names.h"

#include <assert.h>
#include <string.h>

enum { SNAME_AT = 44, SNAME_BYTES = 64, FILE_AT = 108, FILE_BYTES = 128 };
enum { OVERLOAD_FILE = 1, OVERLOAD_SNAME = 2 }; /* RFC 2132 9.3 */

struct dhcp_option_walk dhcp_option_walk_over(const uint8_t *message, size_t size)
{
    assert(size >= DHCP4_HEADER_BYTES);
    return (struct dhcp_option_walk){
        .message = message,
        .field = byte_reader_over(message + DHCP4_HEADER_BYTES, size - DHCP4_HEADER_BYTES),
        .in_options_field = true,
    };
}

/* Steps into the next place that holds options; false when there is none. */
static bool enter_next_field(struct dhcp_option_walk *walk)
{
    walk->in_options_field = false;
    if (walk->overload & OVERLOAD_FILE) {
        walk->overload = (uint8_t)(walk->overload & ~OVERLOAD_FILE);
        walk->field = byte_reader_over(walk->message + FILE_AT, FILE_BYTES);
        return true;
    }
    if (walk->overload & OVERLOAD_SNAME) {
        walk->overload = (uint8_t)(walk->overload & ~OVERLOAD_SNAME);
        walk->field = byte_reader_over(walk->message + SNAME_AT, SNAME_BYTES);
        return true;
    }
    return false;
}

static bool note_overload(struct dhcp_option_walk *walk, const struct dhcp_option *option)
{
    if (!walk->in_options_field || walk->has_overload || option->bytes != 1 ||
        option->value[0] < OVERLOAD_FILE || option->value[0] > (OVERLOAD_FILE | OVERLOAD_SNAME)) {
        return false;
    }
    walk->has_overload = true;
    walk->overload = option->value[0];
    return true;
}

/* Reads the piece that starts with `code`; false when it is damaged. */
static bool read_piece(struct dhcp_option_walk *walk, uint8_t code, struct dhcp_option *out)
{
    struct dhcp_option option = {.code = code, .bytes = byte_read_u8(&walk->field)};
    option.value = byte_read_view(&walk->field, option.bytes);
    if (!walk->field.ok || (code == DHCP_OPTION_OVERLOAD && !note_overload(walk, &option))) {
        return false;
    }
    *out = option;
    return true;
}

bool dhcp_option_next(struct dhcp_option_walk *walk, struct dhcp_option *out)
{
    while (!walk->damaged && !walk->finished) {
        uint8_t code = byte_read_u8(&walk->field);
        /* dhcpd 4.4 fills an overloaded place to its last byte and writes no end (captured). */
        bool is_full = !walk->field.ok && walk->has_overload;
        if (!walk->field.ok && !is_full) {
            walk->damaged = true;
        } else if (is_full || code == DHCP_OPTION_END) {
            walk->finished = !enter_next_field(walk);
        } else if (code != DHCP_OPTION_PAD) {
            walk->damaged = !read_piece(walk, code, out);
            return !walk->damaged;
        }
    }
    return false;
}

void dhcp_option_value_add(struct dhcp_option_value *value, const struct dhcp_option *piece)
{
    if (value->bytes < value->room && piece->bytes > 0) {
        size_t room = (size_t)value->room - value->bytes;
        size_t kept = piece->bytes < room ? piece->bytes : room;
        memcpy(value->out + value->bytes, piece->value, kept);
    }
    /* A datagram cannot carry this much; the cap keeps the sum from wrapping all the same. */
    unsigned total = (unsigned)value->bytes + piece->bytes;
    value->bytes = (uint16_t)(total < UINT16_MAX ? total : UINT16_MAX);
    value->present = true;
}

bool dhcp_relay_info_is_whole(const uint8_t *value, size_t size)
{
    struct byte_reader r = byte_reader_over(value, size);
    while (r.ok && byte_reader_left(&r) > 0) {
        (void)byte_read_u8(&r); /* any sub-option code: servers echo what they do not know */
        uint8_t bytes = byte_read_u8(&r);
        (void)byte_read_view(&r, bytes);
    }
    return r.ok && size > 0;
}
