/* SPDX-License-Identifier: MIT */
/*
 * A level is a ring of slots; those of level 0 are one tick wide, those of the
 * next level as wide as all of the one below. An entry lies at the lowest level
 * whose ring reaches its tick, and moves down when the time of its slot comes.
 * The occupied slots of a level are all ahead of the present one, so idle time is
 * skipped by looking for the next set bit of each level.
 *
 * Slots of level 1 are one second wide and reach 131 s: what moves down at once
 * is one second's worth of timers even when a million clients hold short leases.
 *
 * Slots are lists of links; their heads stand behind the entries in the array.
 */
#include "common/timer_wheel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 5 };

struct level {
    unsigned first_slot, slots, shift; /* a slot is 2^shift ticks wide */
};

static const struct level levels[LEVELS] = {
    {0, 1024, 0}, {1024, 128, 10}, {1152, 32, 17}, {1184, 32, 22}, {1216, 32, 27},
};

enum {
    FAR_SLOT = 1248, /* beyond the last level */
    DUE_SLOT,
    SLOT_COUNT,
    FAR_TURN_SHIFT = 31, /* how often the far entries are looked through: 2^31 ticks */
    FAR_SHIFT = 10,      /* ticks of far entries are kept in units of 2^10 */
    WORD_BITS = 64,
    OCCUPIED_WORDS = (FAR_SLOT + WORD_BITS - 1) / WORD_BITS
};

static_assert(SLOT_COUNT <= 2048, "TIMER_WHEEL_ENTRIES_MAX leaves room for the slots");

static const uint32_t NOT_SET = UINT32_MAX;

struct link {
    uint32_t next, prev; /* indices into links; next is NOT_SET when the entry is in no ring */
    uint32_t tick;       /* low 32 bits of the tick it fires at; FAR_SLOT: see FAR_SHIFT */
};

static_assert(sizeof(struct link) == 12, "memory per client is promised");

struct timer_wheel {
    uint64_t origin_ns;
    uint64_t now_tick;
    uint32_t entries;
    uint64_t occupied[OCCUPIED_WORDS]; /* a bit per slot below FAR_SLOT */
    struct link links[];               /* entries, then SLOT_COUNT heads */
};

static unsigned slot_at(const struct level *level, uint64_t tick)
{
    return level->first_slot + ((unsigned)(tick >> level->shift) & (level->slots - 1));
}

static uint32_t head_of(const struct timer_wheel *wheel, unsigned slot)
{
    return wheel->entries + slot;
}

static bool is_empty(const struct timer_wheel *wheel, unsigned slot)
{
    uint32_t head = head_of(wheel, slot);
    return wheel->links[head].next == head;
}

static void mark(struct timer_wheel *wheel, unsigned slot, bool is_occupied)
{
    if (slot < FAR_SLOT) {
        uint64_t bit = UINT64_C(1) << slot % WORD_BITS;
        uint64_t *word = &wheel->occupied[slot / WORD_BITS];
        *word = is_occupied ? *word | bit : *word & ~bit;
    }
}

static void append(struct timer_wheel *wheel, unsigned slot, uint32_t entry)
{
    uint32_t head = head_of(wheel, slot);
    uint32_t last = wheel->links[head].prev;
    wheel->links[entry].next = head;
    wheel->links[entry].prev = last;
    wheel->links[last].next = entry;
    wheel->links[head].prev = entry;
    mark(wheel, slot, true);
}

static void unlink_entry(struct timer_wheel *wheel, uint32_t entry)
{
    struct link *link = &wheel->links[entry];
    wheel->links[link->prev].next = link->next;
    wheel->links[link->next].prev = link->prev;
    if (link->next == link->prev && link->next >= wheel->entries) {
        mark(wheel, link->next - wheel->entries, false);
    }
    link->next = NOT_SET;
}

/* Puts an entry that is in no ring where its tick belongs as seen from now. */
static void file_entry(struct timer_wheel *wheel, uint32_t entry, uint64_t tick)
{
    struct link *link = &wheel->links[entry];
    if (tick <= wheel->now_tick) {
        append(wheel, DUE_SLOT, entry);
        return;
    }
    for (unsigned i = 0; i < LEVELS; i++) {
        const struct level *level = &levels[i];
        if ((tick >> level->shift) - (wheel->now_tick >> level->shift) < level->slots) {
            link->tick = (uint32_t)tick;
            append(wheel, slot_at(level, tick), entry);
            return;
        }
    }
    uint64_t coarse = (tick >> FAR_SHIFT) + ((tick & ((1U << FAR_SHIFT) - 1)) != 0);
    link->tick = coarse < UINT32_MAX ? (uint32_t)coarse : UINT32_MAX;
    append(wheel, FAR_SLOT, entry);
}

struct timer_wheel *timer_wheel_new(uint32_t entries, uint64_t now_ns)
{
    assert(entries <= TIMER_WHEEL_ENTRIES_MAX);
    size_t links = (size_t)entries + SLOT_COUNT;
    struct timer_wheel *wheel = calloc(1, sizeof(*wheel) + links * sizeof(wheel->links[0]));
    if (wheel == NULL) {
        return NULL;
    }
    wheel->origin_ns = now_ns;
    wheel->entries = entries;
    for (uint32_t i = 0; i < entries; i++) {
        wheel->links[i].next = NOT_SET;
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint32_t head = head_of(wheel, slot);
        wheel->links[head].next = head;
        wheel->links[head].prev = head;
    }
    return wheel;
}

/* A head stands `more` links further on than it did. */
static uint32_t moved(uint32_t index, uint32_t heads_at, uint32_t more)
{
    return index != NOT_SET && index >= heads_at ? index + more : index;
}

struct timer_wheel *timer_wheel_grow(struct timer_wheel *wheel, uint32_t entries)
{
    uint32_t before = wheel->entries;
    assert(entries <= TIMER_WHEEL_ENTRIES_MAX);
    if (entries <= before) {
        return wheel;
    }
    uint32_t more = entries - before;
    struct timer_wheel *grown = timer_wheel_new(entries, wheel->origin_ns);
    if (grown == NULL) {
        return NULL;
    }
    grown->now_tick = wheel->now_tick;
    memcpy(grown->occupied, wheel->occupied, sizeof(grown->occupied));
    for (uint32_t i = 0; i < before + SLOT_COUNT; i++) {
        const struct link *from = &wheel->links[i];
        grown->links[moved(i, before, more)] = (struct link){
            moved(from->next, before, more), moved(from->prev, before, more), from->tick};
    }
    timer_wheel_free(wheel);
    return grown;
}

void timer_wheel_free(struct timer_wheel *wheel)
{
    free(wheel);
}

void timer_wheel_set(struct timer_wheel *wheel, uint32_t entry, uint64_t deadline_ns)
{
    assert(entry < wheel->entries);
    if (wheel->links[entry].next != NOT_SET) {
        unlink_entry(wheel, entry);
    }
    uint64_t after_ns = deadline_ns > wheel->origin_ns ? deadline_ns - wheel->origin_ns : 0;
    uint64_t tick = after_ns / TIMER_WHEEL_TICK_NS + (after_ns % TIMER_WHEEL_TICK_NS != 0);
    file_entry(wheel, entry, tick);
}

void timer_wheel_cancel(struct timer_wheel *wheel, uint32_t entry)
{
    assert(entry < wheel->entries);
    if (wheel->links[entry].next != NOT_SET) {
        unlink_entry(wheel, entry);
    }
}

bool timer_wheel_is_set(const struct timer_wheel *wheel, uint32_t entry)
{
    assert(entry < wheel->entries);
    return wheel->links[entry].next != NOT_SET;
}

/* The first occupied slot of [from, to), or `to`. */
static unsigned first_occupied(const struct timer_wheel *wheel, unsigned from, unsigned to)
{
    while (from < to) {
        uint64_t word = wheel->occupied[from / WORD_BITS] >> from % WORD_BITS;
        if (word != 0) {
            unsigned slot = from + (unsigned)__builtin_ctzll(word);
            return slot < to ? slot : to;
        }
        from += WORD_BITS - from % WORD_BITS;
    }
    return to;
}

/* The tick at which the next occupied slot of a level begins; UINT64_MAX: none is occupied. */
static uint64_t next_tick_of(const struct timer_wheel *wheel, const struct level *level)
{
    uint64_t lap = wheel->now_tick >> level->shift;
    unsigned first = level->first_slot;
    unsigned end = first + level->slots;
    unsigned present = slot_at(level, wheel->now_tick);
    unsigned slot = first_occupied(wheel, present + 1, end);
    if (slot < end) {
        return (lap + (slot - present)) << level->shift;
    }
    slot = first_occupied(wheel, first, present);
    return slot < present ? (lap + level->slots - (present - slot)) << level->shift : UINT64_MAX;
}

/* The tick at which anything begins to move; UINT64_MAX: nothing is set but what is due. */
static uint64_t next_tick(const struct timer_wheel *wheel)
{
    uint64_t next = UINT64_MAX;
    if (!is_empty(wheel, FAR_SLOT)) {
        next = ((wheel->now_tick >> FAR_TURN_SHIFT) + 1) << FAR_TURN_SHIFT;
    }
    for (unsigned i = 0; i < LEVELS; i++) {
        uint64_t tick = next_tick_of(wheel, &levels[i]);
        next = tick < next ? tick : next;
    }
    return next;
}

/* Files the entries of a slot again, now that its time has come. */
static void cascade(struct timer_wheel *wheel, unsigned slot)
{
    uint32_t head = head_of(wheel, slot);
    uint32_t entry = wheel->links[head].next;
    wheel->links[head].next = head;
    wheel->links[head].prev = head;
    mark(wheel, slot, false);
    while (entry != head) {
        const struct link *link = &wheel->links[entry];
        uint32_t next = link->next;
        uint64_t tick = (uint64_t)link->tick << FAR_SHIFT;
        if (slot != FAR_SLOT) {
            tick = wheel->now_tick + (uint32_t)(link->tick - (uint32_t)wheel->now_tick);
        }
        file_entry(wheel, entry, tick);
        entry = next;
    }
}

/* Moves time to `tick`, which no occupied slot precedes. */
static void turn_to(struct timer_wheel *wheel, uint64_t tick)
{
    wheel->now_tick = tick;
    if ((tick & ((UINT64_C(1) << FAR_TURN_SHIFT) - 1)) == 0) {
        cascade(wheel, FAR_SLOT);
    }
    for (unsigned i = LEVELS; i-- > 0;) {
        bool begins = (tick & ((UINT64_C(1) << levels[i].shift) - 1)) == 0;
        if (begins) {
            cascade(wheel, slot_at(&levels[i], tick));
        }
    }
}

static uint32_t collect_due(struct timer_wheel *wheel, uint32_t *out, uint32_t capacity)
{
    uint32_t head = head_of(wheel, DUE_SLOT);
    uint32_t count = 0;
    while (count < capacity && wheel->links[head].next != head) {
        uint32_t entry = wheel->links[head].next;
        unlink_entry(wheel, entry);
        out[count++] = entry;
    }
    return count;
}

uint32_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ns, uint32_t *out,
                             uint32_t capacity)
{
    uint64_t target = 0;
    if (now_ns > wheel->origin_ns) {
        target = (now_ns - wheel->origin_ns) / TIMER_WHEEL_TICK_NS;
    }
    uint32_t count = collect_due(wheel, out, capacity);
    while (is_empty(wheel, DUE_SLOT) && target > wheel->now_tick) {
        uint64_t tick = next_tick(wheel);
        if (tick > target) {
            wheel->now_tick = target;
            break;
        }
        turn_to(wheel, tick);
        count += collect_due(wheel, out + count, capacity - count);
    }
    return count;
}

uint64_t timer_wheel_next_ns(const struct timer_wheel *wheel)
{
    uint64_t tick = is_empty(wheel, DUE_SLOT) ? next_tick(wheel) : wheel->now_tick;
    uint64_t after_ns;
    if (__builtin_mul_overflow(tick, (uint64_t)TIMER_WHEEL_TICK_NS, &after_ns) ||
        after_ns > UINT64_MAX - wheel->origin_ns) {
        return UINT64_MAX;
    }
    return wheel->origin_ns + after_ns;
}
