/* SPDX-License-Identifier: MIT */
/*
 * What the decoders and validators of proto/ share: refusing with a sentence,
 * and text that may reach a terminal, a path or a database.
 *
 * Internal to proto/. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"
#include "proto/control.h"
#include "proto/plan.h"

enum { WIRE_WHY_BYTES = 200, WIRE_UNKNOWN_FIELDS_MAX = 16 };

_Static_assert((int)WIRE_WHY_BYTES == CONTROL_WHY_BYTES, "one buffer serves both");
_Static_assert((int)WIRE_WHY_BYTES == PLAN_WHY_BYTES, "one buffer serves both");

/* Writes the sentence and returns false, so that it can stand in a return statement. */
bool wire_refuse(char why[WIRE_WHY_BYTES], const char *format, ...) PRINTF_LIKE(2, 3);

/* Printable ASCII and blanks only, NUL-terminated within `size`. */
bool wire_text_is_printable(const char *text, size_t size);

/*
 * Copies received bytes into a field of `out_bytes` with its terminator.
 * Refuses text that does not fit or holds NUL or anything but printable ASCII.
 */
NODISCARD bool wire_take_text(const uint8_t *bytes, size_t size, char *out, size_t out_bytes,
                              const char *field, char why[WIRE_WHY_BYTES]);

/* Copies a field of exactly `out_bytes`. */
NODISCARD bool wire_take_exact(const uint8_t *bytes, size_t size, uint8_t *out, size_t out_bytes,
                               const char *field, char why[WIRE_WHY_BYTES]);

/* Not zero, multicast, reserved or broadcast; loopback is a host's own business. */
bool wire_is_unicast(struct ipv4 a);
