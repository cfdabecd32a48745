/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/tally.h"

#include <string.h>

void tally_init(struct tally *t)
{
    memset(t, 0, sizeof(*t));
}

void tally_begin(struct tally *t)
{
    t->growth = 0;
    for (size_t i = 0; i < t->count; i++) {
        t->part[i].is_seen = false;
    }
}

static struct tally_part *part_of(struct tally *t, uint64_t key)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->part[i].key == key) {
            return &t->part[i];
        }
    }
    if (t->count == TALLY_PARTS_MAX) {
        return NULL;
    }
    t->part[t->count] = (struct tally_part){.key = key};
    return &t->part[t->count++];
}

void tally_add(struct tally *t, uint64_t key, uint64_t now)
{
    struct tally_part *part = part_of(t, key);
    if (part == NULL) {
        return;
    }
    /* Less than before: the key is another part's by now, which began at nothing. */
    uint64_t growth = now >= part->last ? now - part->last : now;
    part->last = now;
    part->is_seen = true;
    t->total += growth;
    t->growth = growth > t->growth ? growth : t->growth;
}

void tally_end(struct tally *t)
{
    t->largest += t->growth;
    for (size_t i = 0; i < t->count;) {
        if (t->part[i].is_seen) {
            i++;
        } else {
            t->part[i] = t->part[--t->count];
        }
    }
}
