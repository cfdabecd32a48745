/* SPDX-License-Identifier: MIT */
#include "agent/edge/huge_pages.h"

#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_BYTES = 2 * 1024 * 1024 };

#ifndef MADV_COLLAPSE /* Linux 6.1; C libraries of before do not know it */
#define MADV_COLLAPSE 25
#endif

void huge_pages_ask(void *memory, size_t bytes)
{
    uint8_t *first = memory;
    size_t before = (HUGE_BYTES - (uintptr_t)first % HUGE_BYTES) % HUGE_BYTES;
    if (bytes < before + HUGE_BYTES) {
        return;
    }
    size_t whole = (bytes - before) / HUGE_BYTES * HUGE_BYTES;
    (void)madvise(first + before, whole, MADV_HUGEPAGE); /* refused: as it was */
    (void)madvise(first + before, whole, MADV_COLLAPSE); /* what was touched already */
}
