/* SPDX-License-Identifier: MIT */
/* Reading what the kernel shows as text files. Edge. */
#pragma once

#include <stddef.h>

#include "common/attrs.h"
#include "proto/observation.h"

/*
 * The whole file, or its beginning where it is longer than `size` - 1 bytes; a NUL is put behind
 * it. Bytes read, or -errno.
 */
NODISCARD int read_text(const char *path, char *out, size_t size);
/* The same from an open descriptor, from its beginning. */
NODISCARD int read_text_at(int fd, char *out, size_t size);
/* One number, as sysctls have it. 0 or -errno, -EINVAL: it is none. */
NODISCARD int read_number(const char *path, uint64_t *out);

/* Why there is no figure, from -errno of reading a file that a kernel may lack. */
enum availability availability_of(int negative_errno);
