/* SPDX-License-Identifier: MIT */
/*
 * Open-addressing table with entries of 16 bytes: the only things truth keeps
 * per live lease, and per client without one. Linear probing, deletion by shifting
 * back, so that years of churn leave no tombstones.
 *
 * It lies in parts that grow one by one, a sixteenth at a time: a large table is
 * 82 to 88 % full, is never copied as a whole, and stops nobody for long.
 *
 * Keys are not 0. Pure; owns its parts: table_fini(). A zeroed one is valid and
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

struct table_part {
    struct table_entry *slots;
    uint32_t capacity, count;
};

struct table {
    struct table_part *parts; /* NULL while empty */
    size_t count;
};

/* NULL: not there. */
struct table_entry *table_find(const struct table *table, uint32_t key);
/* The entry of this key, made (zeroed) when it is not there; NULL when out of memory. */
NODISCARD struct table_entry *table_put(struct table *table, uint32_t key);
void table_remove(struct table *table, uint32_t key);
/*
 * All entries, in no order: `*cursor` is 0 before the first call; NULL after the last.
 * The table must not change meanwhile.
 */
const struct table_entry *table_next(const struct table *table, size_t *cursor);
void table_fini(struct table *table);
