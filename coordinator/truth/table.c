/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/table.h"

#include <assert.h>
#include <stdlib.h>

enum { TABLE_FIRST_CAPACITY = 1024 };

static_assert(sizeof(struct table_entry) == 16, "16 bytes per live lease: DESIGN section 11");

/* Addresses and clients come in runs; multiplying spreads them over the table. */
static size_t home_of(const struct table *table, uint32_t key)
{
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (table->capacity - 1);
}

static struct table_entry *slot_of(const struct table *table, uint32_t key)
{
    size_t at = home_of(table, key);
    while (table->slots[at].key != 0 && table->slots[at].key != key) {
        at = (at + 1) & (table->capacity - 1);
    }
    return &table->slots[at];
}

struct table_entry *table_find(const struct table *table, uint32_t key)
{
    assert(key != 0);
    if (table->capacity == 0) {
        return NULL;
    }
    struct table_entry *slot = slot_of(table, key);
    return slot->key == key ? slot : NULL;
}

static bool grow(struct table *table)
{
    struct table larger = {.capacity =
                               table->capacity == 0 ? TABLE_FIRST_CAPACITY : 2 * table->capacity,
                           .count = table->count};
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].key != 0) {
            *slot_of(&larger, table->slots[i].key) = table->slots[i];
        }
    }
    free(table->slots);
    *table = larger;
    return true;
}

struct table_entry *table_put(struct table *table, uint32_t key)
{
    struct table_entry *there = table_find(table, key);
    if (there != NULL) {
        return there;
    }
    if (4 * (table->count + 1) > 3 * table->capacity && !grow(table)) {
        return NULL;
    }
    struct table_entry *slot = slot_of(table, key);
    *slot = (struct table_entry){.key = key};
    table->count++;
    return slot;
}

void table_remove(struct table *table, uint32_t key)
{
    struct table_entry *slot = table_find(table, key);
    if (slot == NULL) {
        return;
    }
    size_t mask = table->capacity - 1;
    size_t hole = (size_t)(slot - table->slots);
    for (size_t at = (hole + 1) & mask; table->slots[at].key != 0; at = (at + 1) & mask) {
        /* An entry may fill the hole unless its home lies between the hole and itself. */
        size_t home = home_of(table, table->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole] = (struct table_entry){0};
    table->count--;
}

void table_fini(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}
