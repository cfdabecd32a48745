/* SPDX-License-Identifier: MIT */
/*
 * Bytes as text of 85 digits, ZeroMQ RFC 32: four bytes are five digits.
 *
 * Pure. Leaves no copies: it also carries secrets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

/* `size` is a multiple of 4; `out` takes size / 4 * 5 digits and the terminator. */
void z85_encode(const uint8_t *bytes, size_t size, char *out);

/* The whole text must be exactly `size` bytes; `out` is untouched on failure. */
NODISCARD bool z85_decode(const char *text, uint8_t *out, size_t size);
