/* SPDX-License-Identifier: MIT */
/*
 * Millions of records are met in no order: in pages of 4 KiB each of them costs a walk through the
 * page tables besides. Edge.
 */
#pragma once

#include <stddef.h>

/*
 * Asks for large pages for this memory, what is in it stays; its size in memory as well. A kernel
 * that cannot, or may not, leaves it as it is, which is only slower.
 */
void huge_pages_ask(void *memory, size_t bytes);
