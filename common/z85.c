/* SPDX-License-Identifier: MIT */
#include "common/z85.h"

#include <assert.h>
#include <string.h>

static const char digits[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

void z85_encode(const uint8_t *bytes, size_t size, char *out)
{
    assert(size % 4 == 0);
    for (size_t word = 0; word < size / 4; word++) {
        const uint8_t *b = bytes + word * 4;
        uint32_t value = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        for (size_t digit = 5; digit > 0; digit--) {
            out[word * 5 + digit - 1] = digits[value % 85];
            value /= 85;
        }
    }
    out[size / 4 * 5] = '\0';
}

/* False for a digit that is none and for a word above 2^32 - 1. */
static bool read_word(const char *text, uint32_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 5; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL) {
            return false;
        }
        value = value * 85 + (uint64_t)(digit - digits);
    }
    *out = (uint32_t)value;
    return value <= UINT32_MAX;
}

bool z85_decode(const char *text, uint8_t *out, size_t size)
{
    uint32_t value = 0;

    assert(size % 4 == 0);
    if (strlen(text) != size / 4 * 5) {
        return false;
    }
    for (size_t word = 0; word < size / 4; word++) {
        if (!read_word(text + word * 5, &value)) {
            return false;
        }
    }
    for (size_t word = 0; word < size / 4; word++) {
        (void)read_word(text + word * 5, &value); /* it was good a moment ago */
        for (size_t i = 0; i < 4; i++) {
            out[word * 4 + i] = (uint8_t)(value >> (24 - 8 * i));
        }
    }
    return true;
}
