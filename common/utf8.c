/* SPDX-License-Identifier: MIT */
#include "common/utf8.h"

static size_t length_of(uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        return 3;
    }
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

size_t utf8_decode(const char *text, size_t left, uint32_t *out_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t lead = left > 0 ? (uint8_t)text[0] : 0xff;
    size_t length = length_of(lead);
    if (length == 0 || length > left) {
        return 0;
    }
    uint32_t code = length == 1 ? lead : lead & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if ((byte & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (byte & 0x3fU);
    }
    bool is_surrogate = code >= 0xd800 && code < 0xe000;
    if (code < smallest[length] || is_surrogate || code > 0x10ffff) {
        return 0;
    }
    *out_code = code;
    return length;
}

bool utf8_is_printable(uint32_t code)
{
    bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool is_break = code == 0x2028 || code == 0x2029;
    bool is_no_character = (code & 0xfffe) == 0xfffe;
    /* Turns around what stands behind it, so that a line reads as another one. */
    bool is_direction = code == 0x061c || code == 0x200e || code == 0x200f ||
                        (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return !is_control && !is_break && !is_no_character && !is_direction && code != 0xfeff;
}
