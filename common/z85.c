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

/* Value of a digit plus one; 0: it is none. From '!' on; a key is read with every message. */
static const uint8_t value_of[] = {
    69, 0,  85, 84, 83, 73, 0,  76, 77, 71, 66, 0,  64, 63, 70, 1,  2,  3,  4,  5,  6,  7,  8,  9,
    10, 65, 0,  74, 67, 75, 72, 82, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
    53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 78, 0,  79, 68, 0,  0,  11, 12, 13, 14, 15, 16, 17, 18,
    19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 80, 0,  81,
};

/* False for a digit that is none and for a word above 2^32 - 1. */
static bool read_word(const char *text, uint32_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 5; i++) {
        unsigned at = (unsigned)(unsigned char)text[i] - '!';
        if (at >= sizeof(value_of) || value_of[at] == 0) {
            return false;
        }
        value = value * 85 + (value_of[at] - 1U);
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
