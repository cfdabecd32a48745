/* SPDX-License-Identifier: MIT */
/* Numbers and words out of lines of text that ends with a NUL. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

/*
 * The number at `*at`, behind spaces and tabs; base 10 or 16, no sign, ended by white space, or by
 * the end of the text. Moves `*at` behind it. What has no room in 64 bits is no number.
 */
NODISCARD bool text_take_number(const char **at, unsigned base, uint64_t *out);

/* Behind the next word of the line, and the white space in front of it; false: there is none. */
NODISCARD bool text_skip_word(const char **at);

/* The begin of the next line; NULL: there is none. */
const char *text_next_line(const char *at);

/* Of "NAME: 17 ..." at the begin of a line. */
NODISCARD bool text_named_number(const char *text, const char *name, uint64_t *out);
