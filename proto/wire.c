/* SPDX-License-Identifier: MIT */
#include "proto/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool wire_refuse(char why[WIRE_WHY_BYTES], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, WIRE_WHY_BYTES, format, arguments); /* a cut sentence still says what */
    va_end(arguments);
    return false;
}

static bool is_printable(uint8_t c)
{
    return c >= 0x20 && c < 0x7f;
}

bool wire_text_is_printable(const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    for (size_t i = 0; i < length; i++) {
        if (!is_printable((uint8_t)text[i])) {
            return false;
        }
    }
    return length < size;
}

bool wire_take_text(const uint8_t *bytes, size_t size, char *out, size_t out_bytes,
                    const char *field, char why[WIRE_WHY_BYTES])
{
    if (size >= out_bytes) {
        return wire_refuse(why, "%s has %zu characters; at most %zu are allowed", field, size,
                           out_bytes - 1);
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_printable(bytes[i])) {
            return wire_refuse(why, "%s holds the byte 0x%02x; only printable ASCII is allowed",
                               field, (unsigned)bytes[i]);
        }
    }
    if (size > 0) {
        memcpy(out, bytes, size);
    }
    out[size] = '\0';
    return true;
}

bool wire_take_exact(const uint8_t *bytes, size_t size, uint8_t *out, size_t out_bytes,
                     const char *field, char why[WIRE_WHY_BYTES])
{
    if (size != out_bytes) {
        return wire_refuse(why, "%s has %zu bytes instead of %zu", field, size, out_bytes);
    }
    memcpy(out, bytes, out_bytes);
    return true;
}

bool wire_is_unicast(struct ipv4 a)
{
    uint32_t first = inet_host(a) >> 24;

    return first != 0 && first < 224;
}
