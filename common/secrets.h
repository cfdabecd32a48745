/* SPDX-License-Identifier: MIT */
/*
 * Where secret bytes may lie: between guard pages, locked as far as the limit of
 * locked memory allows, and wiped when released. And what keeps them in the process:
 * no core dump, no tracing by equals.
 *
 * libzmq keeps copies of its own of a socket's key while that socket is open, and
 * frees them without wiping: secrets_wipe_freed() has the allocator do it. So the
 * boundary is the process, not the buffer.
 *
 * Edge. Thread-safe but for secrets_wipe_freed(), which belongs to the start.
 */
#pragma once

#include <stddef.h>

#include "common/attrs.h"

/* Zeroed bytes, or NULL when out of memory. */
void *secrets_new(size_t size);
void secrets_free(void *secret); /* wipes; NULL is fine */

/* No core file and not dumpable, for good. 0 or -errno. Call before the first secret is read. */
NODISCARD int secrets_forbid_dumps(void);

/*
 * From now on free() overwrites what it gets, where the C library knows how (glibc, and
 * blocks above the 1 KiB that its thread caches keep). Costs a memset per malloc and free.
 */
void secrets_wipe_freed(void);
