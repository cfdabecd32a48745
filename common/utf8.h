/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629), strictly. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The code point at `text` and how many of the `left` bytes it takes; 0 when they
 * are not UTF-8 (cut, overlong, a surrogate, beyond U+10FFFF) or left is 0.
 */
size_t utf8_decode(const char *text, size_t left, uint32_t *out_code);

/*
 * False for control characters, line and paragraph separators, what changes the direction
 * of writing, U+FEFF and non-characters.
 */
bool utf8_is_printable(uint32_t code);
