/* SPDX-License-Identifier: MIT */
/*
 * A set of 32-bit numbers (addresses, clients) that takes memory only where
 * numbers are: pages of 65,536 bits, taken when first touched.
 *
 * Pure; owns its pages: sparse_bitmap_fini(). A zeroed one is a valid empty set.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/attrs.h"

struct sparse_bitmap {
    uint64_t **pages; /* 65,536 of them, or NULL */
    uint64_t count;   /* members */
};

/* False when out of memory; adding a member twice is fine. */
NODISCARD bool sparse_bitmap_add(struct sparse_bitmap *set, uint32_t member);
bool sparse_bitmap_has(const struct sparse_bitmap *set, uint32_t member);
void sparse_bitmap_fini(struct sparse_bitmap *set);
