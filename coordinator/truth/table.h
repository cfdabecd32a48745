/* SPDX-License-Identifier: MIT */
/*
 * Open-addressing table with entries of 16 bytes: the only things truth keeps
 * per live lease, and per client without one. Linear probing, at most 3/4 full,
 * deletion by shifting back, so that years of churn leave no tombstones.
 *
 * Keys are not 0. Pure; owns its slots: table_fini(). A zeroed one is valid and
 * empty. Pointers live until the next table_put() or table_remove().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

struct table_entry {
    uint32_t key;   /* 0: free slot */
    uint32_t value; /* value and word are the caller's */
    uint64_t word;
};

struct table {
    struct table_entry *slots;
    size_t capacity; /* a power of two */
    size_t count;
};

/* NULL: not there. */
struct table_entry *table_find(const struct table *table, uint32_t key);
/* The entry of this key, made (zeroed) when it is not there; NULL when out of memory. */
NODISCARD struct table_entry *table_put(struct table *table, uint32_t key);
void table_remove(struct table *table, uint32_t key);
void table_fini(struct table *table);
