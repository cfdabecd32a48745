/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/table.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PART_BITS = 8,
    PARTS = 1 << PART_BITS,
    CURSOR_SHIFT = 8 * sizeof(size_t) - PART_BITS, /* a cursor is a part and a slot */
    FIRST_CAPACITY = 8,
    DOUBLED_UNTIL = 512, /* slots; from there on a sixteenth more */
    GROWTH_SHARE = 16,
    FULL_OF_8 = 7 /* so many eighths full, a part grows */
};

static_assert(sizeof(struct table_entry) == 16, "16 bytes per live lease: DESIGN section 11");

/* Addresses and clients come in runs; multiplying spreads them over the table. */
static uint64_t spread(uint32_t key)
{
    return key * UINT64_C(0x9e3779b97f4a7c15);
}

static struct table_part *part_of(const struct table *table, uint32_t key)
{
    return &table->parts[spread(key) >> (64 - PART_BITS)];
}

/* The bits below those that chose the part, as a share of the capacity. */
static uint32_t home_of(const struct table_part *part, uint32_t key)
{
    uint64_t share = (spread(key) << PART_BITS) >> 32;
    return (uint32_t)(share * part->capacity >> 32);
}

static uint32_t after(const struct table_part *part, uint32_t at)
{
    return at + 1 == part->capacity ? 0 : at + 1;
}

/* Steps forward from one slot to another. */
static uint32_t distance(const struct table_part *part, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + part->capacity - from;
}

static struct table_entry *slot_of(const struct table_part *part, uint32_t key)
{
    uint32_t at = home_of(part, key);
    while (part->slots[at].key != 0 && part->slots[at].key != key) {
        at = after(part, at);
    }
    return &part->slots[at];
}

struct table_entry *table_find(const struct table *table, uint32_t key)
{
    assert(key != 0);
    if (table->parts == NULL) {
        return NULL;
    }
    const struct table_part *part = part_of(table, key);
    struct table_entry *slot = part->capacity == 0 ? NULL : slot_of(part, key);
    return slot != NULL && slot->key == key ? slot : NULL;
}

static uint32_t larger_than(uint32_t capacity)
{
    if (capacity == 0) {
        return FIRST_CAPACITY;
    }
    return capacity < DOUBLED_UNTIL ? 2 * capacity : capacity + capacity / GROWTH_SHARE;
}

static bool grow(struct table_part *part)
{
    struct table_part larger = {.capacity = larger_than(part->capacity), .count = part->count};
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < part->capacity; i++) {
        if (part->slots[i].key != 0) {
            *slot_of(&larger, part->slots[i].key) = part->slots[i];
        }
    }
    free(part->slots);
    *part = larger;
    return true;
}

struct table_entry *table_put(struct table *table, uint32_t key)
{
    if (table->parts == NULL) {
        table->parts = calloc(PARTS, sizeof(*table->parts));
        if (table->parts == NULL) {
            return NULL;
        }
    }
    struct table_entry *there = table_find(table, key);
    if (there != NULL) {
        return there;
    }
    struct table_part *part = part_of(table, key);
    if (8 * ((uint64_t)part->count + 1) > FULL_OF_8 * (uint64_t)part->capacity && !grow(part)) {
        return NULL;
    }
    struct table_entry *slot = slot_of(part, key);
    *slot = (struct table_entry){.key = key};
    part->count++;
    table->count++;
    return slot;
}

void table_remove(struct table *table, uint32_t key)
{
    struct table_entry *slot = table_find(table, key);
    if (slot == NULL) {
        return;
    }
    struct table_part *part = part_of(table, key);
    uint32_t hole = (uint32_t)(slot - part->slots);
    for (uint32_t at = after(part, hole); part->slots[at].key != 0; at = after(part, at)) {
        /* An entry may fill the hole unless its home lies between the hole and itself. */
        uint32_t home = home_of(part, part->slots[at].key);
        if (distance(part, home, at) >= distance(part, hole, at)) {
            part->slots[hole] = part->slots[at];
            hole = at;
        }
    }
    part->slots[hole] = (struct table_entry){0};
    part->count--;
    table->count--;
}

const struct table_entry *table_next(const struct table *table, size_t *cursor)
{
    size_t part = *cursor >> CURSOR_SHIFT;
    size_t at = *cursor & (((size_t)1 << CURSOR_SHIFT) - 1);
    for (; table->parts != NULL && part < PARTS; part++, at = 0) {
        for (; at < table->parts[part].capacity; at++) {
            if (table->parts[part].slots[at].key != 0) {
                *cursor = part << CURSOR_SHIFT | (at + 1);
                return &table->parts[part].slots[at];
            }
        }
    }
    return NULL;
}

void table_fini(struct table *table)
{
    for (size_t i = 0; table->parts != NULL && i < PARTS; i++) {
        free(table->parts[i].slots);
    }
    free(table->parts);
    *table = (struct table){0};
}
