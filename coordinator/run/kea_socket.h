/* SPDX-License-Identifier: MIT */
/* One question to Kea's control socket, which answers and closes. Edge. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

/*
 * Waits until `patience_ns` for the whole answer, whatever the other side does, and
 * takes `bytes_max` of it at most. 0 and *out (malloc'd, the caller's), or -errno:
 * -ETIMEDOUT, -EFBIG, -EPIPE when it closed without a word.
 */
NODISCARD int kea_socket_ask(const char *path, const char *question, uint64_t patience_ns,
                             size_t bytes_max, char **out, size_t *out_size);
