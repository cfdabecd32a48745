/* SPDX-License-Identifier: MIT */
/*
 * A level is a ring of slots; those of level 0 are one tick wide. An entry lies at the lowest
 * level whose ring reaches its tick, and moves down when the time of its slot comes. A ring
 * reaches two slots of the next level, so that the slot that comes next up there can be moved
 * down while the present one lasts: a few entries with each advance, instead of all of them in
 * the moment it begins. What a ring of the last level does not reach waits in its last slot.
 *
 * Slots are rings of links through their heads. The occupied slots of a level are all ahead of
 * the present one; the next of them is found by its bit.
 */
#include "common/timer_wheel.h"

#include <assert.h>
#include <stdlib.h>

enum { LEVELS = 4 };

struct level {
    unsigned first_slot, slots, shift; /* a slot is 2^shift ticks wide */
};

/* Slots of 1/64 ms, 32 ms, 16 s and 2.3 h; the last ring reaches 24 days. */
static const struct level levels[LEVELS] = {
    {0, 4096, 0},
    {4096, 1024, 11},
    {5120, 1024, 20},
    {6144, 256, 29},
};

enum {
    SLOTS = 6400,
    DUE_SLOT = SLOTS, /* what is to be collected */
    HEAD_COUNT,
    WORD_BITS = 64,
    OCCUPIED_WORDS = SLOTS / WORD_BITS,
    AHEAD_PER_ADVANCE = 32 /* entries moved down early: some microseconds */
};

#define HEADS_AT TIMER_WHEEL_ENTRIES_MAX

static_assert(SLOTS % WORD_BITS == 0, "a level's bits are whole words");
static_assert(HEAD_COUNT <= UINT32_MAX - HEADS_AT, "TIMER_WHEEL_ENTRIES_MAX leaves room");

struct timer_wheel {
    struct timer_wheel_entries entries;
    uint8_t *links; /* the first entry's */
    uint64_t origin_ns;
    uint64_t now_tick;
    uint64_t bound_tick; /* no occupied slot begins before it */
    uint64_t set_count;
    uint64_t occupied[OCCUPIED_WORDS]; /* a bit per slot */
    struct timer_link heads[HEAD_COUNT];
};

static struct timer_link *link_at(struct timer_wheel *wheel, uint32_t index)
{
    return index < HEADS_AT
               ? (struct timer_link *)(void *)(wheel->links + index * wheel->entries.stride)
               : &wheel->heads[index - HEADS_AT];
}

/* An entry in a ring has a head for one of its neighbours, or two different ones. */
static bool is_linked(const struct timer_link *link)
{
    return (link->next | link->prev) != 0;
}

static unsigned slot_at(const struct level *level, uint64_t lap)
{
    return level->first_slot + ((unsigned)lap & (level->slots - 1));
}

static bool is_empty(const struct timer_wheel *wheel, unsigned slot)
{
    return wheel->heads[slot].next == HEADS_AT + slot;
}

static void make_empty(struct timer_wheel *wheel, unsigned slot)
{
    wheel->heads[slot] = (struct timer_link){HEADS_AT + slot, HEADS_AT + slot};
}

static void mark(struct timer_wheel *wheel, unsigned slot)
{
    if (slot < SLOTS) {
        wheel->occupied[slot / WORD_BITS] |= UINT64_C(1) << slot % WORD_BITS;
    }
}

static void unmark(struct timer_wheel *wheel, unsigned slot)
{
    if (slot < SLOTS) {
        wheel->occupied[slot / WORD_BITS] &= ~(UINT64_C(1) << slot % WORD_BITS);
    }
}

static void append(struct timer_wheel *wheel, unsigned slot, uint32_t entry)
{
    struct timer_link *head = &wheel->heads[slot];
    *link_at(wheel, entry) = (struct timer_link){HEADS_AT + slot, head->prev};
    link_at(wheel, head->prev)->next = entry;
    head->prev = entry;
    mark(wheel, slot);
}

static void unlink_entry(struct timer_wheel *wheel, struct timer_link *link)
{
    link_at(wheel, link->prev)->next = link->next;
    link_at(wheel, link->next)->prev = link->prev;
    if (link->next == link->prev) { /* the head of an empty slot */
        unmark(wheel, link->next - HEADS_AT);
    }
    *link = (struct timer_link){0, 0};
}

/* Rounded up; far beyond what a clock can say it is all the same. */
static uint64_t tick_of(const struct timer_wheel *wheel, uint64_t deadline_ns)
{
    uint64_t after_ns = deadline_ns > wheel->origin_ns ? deadline_ns - wheel->origin_ns : 0;
    return after_ns / TIMER_WHEEL_TICK_NS + (after_ns % TIMER_WHEEL_TICK_NS != 0);
}

/* Puts an entry that is in no ring where its tick belongs as seen from now. */
static void file_entry(struct timer_wheel *wheel, uint32_t entry, uint64_t tick)
{
    if (tick <= wheel->now_tick) {
        append(wheel, DUE_SLOT, entry);
        return;
    }
    const struct level *level = levels;
    uint64_t lap = tick, ahead = tick - wheel->now_tick;
    while (ahead >= level->slots && level < &levels[LEVELS - 1]) {
        level++;
        lap = tick >> level->shift;
        ahead = lap - (wheel->now_tick >> level->shift);
    }
    if (ahead >= level->slots) {
        lap -= ahead - (level->slots - 1);
    }
    uint64_t begins = lap << level->shift;
    wheel->bound_tick = begins < wheel->bound_tick ? begins : wheel->bound_tick;
    append(wheel, slot_at(level, lap), entry);
}

struct timer_wheel *timer_wheel_new(const struct timer_wheel_entries *entries, uint64_t now_ns)
{
    struct timer_wheel *wheel = calloc(1, sizeof(*wheel));
    if (wheel == NULL) {
        return NULL;
    }
    wheel->entries = *entries;
    wheel->origin_ns = now_ns;
    wheel->bound_tick = UINT64_MAX;
    for (unsigned slot = 0; slot < HEAD_COUNT; slot++) {
        make_empty(wheel, slot);
    }
    timer_wheel_moved(wheel, entries->first);
    return wheel;
}

void timer_wheel_free(struct timer_wheel *wheel)
{
    free(wheel);
}

void timer_wheel_moved(struct timer_wheel *wheel, void *first)
{
    wheel->entries.first = first;
    wheel->links = (uint8_t *)first + wheel->entries.link_offset;
}

size_t timer_wheel_memory_bytes(void)
{
    return sizeof(struct timer_wheel);
}

void timer_wheel_cancel(struct timer_wheel *wheel, uint32_t entry)
{
    assert(entry < TIMER_WHEEL_ENTRIES_MAX);
    struct timer_link *link = link_at(wheel, entry);
    if (is_linked(link)) {
        unlink_entry(wheel, link);
        wheel->set_count--;
    }
}

void timer_wheel_set(struct timer_wheel *wheel, uint32_t entry, uint64_t deadline_ns)
{
    timer_wheel_cancel(wheel, entry);
    if (deadline_ns != UINT64_MAX) {
        file_entry(wheel, entry, tick_of(wheel, deadline_ns));
        wheel->set_count++;
    }
}

bool timer_wheel_is_set(const struct timer_wheel *wheel, uint32_t entry)
{
    assert(entry < TIMER_WHEEL_ENTRIES_MAX);
    const void *link = wheel->links + entry * wheel->entries.stride;
    return is_linked(link);
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
    unsigned present = slot_at(level, lap);
    unsigned slot = first_occupied(wheel, present + 1, end);
    if (slot < end) {
        return (lap + (slot - present)) << level->shift;
    }
    slot = first_occupied(wheel, first, present);
    return slot < present ? (lap + level->slots - (present - slot)) << level->shift : UINT64_MAX;
}

static uint64_t next_tick(const struct timer_wheel *wheel)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < LEVELS; i++) {
        uint64_t tick = next_tick_of(wheel, &levels[i]);
        next = tick < next ? tick : next;
    }
    return next;
}

/* The entry leaves the list that is being taken from its front; returns the one behind it. */
static uint32_t take_first(struct timer_wheel *wheel, uint32_t entry)
{
    struct timer_link *link = link_at(wheel, entry);
    uint32_t next = link->next;
    __builtin_prefetch(link_at(wheel, next)); /* another record, most likely in no cache */
    *link = (struct timer_link){0, 0};
    return next;
}

/* What is left of a list whose first entries were taken, from `entry` on. */
static void begin_at(struct timer_wheel *wheel, unsigned slot, uint32_t entry)
{
    wheel->heads[slot].next = entry;
    link_at(wheel, entry)->prev = HEADS_AT + slot; /* the head's own when nothing is left */
    if (entry == HEADS_AT + slot) {
        unmark(wheel, slot);
    }
}

/* Files up to `count` entries of a slot again, by what their deadline is now; returns how many. */
static uint32_t move_down(struct timer_wheel *wheel, unsigned slot, uint32_t count)
{
    const struct timer_wheel_entries *all = &wheel->entries;
    uint32_t entry = wheel->heads[slot].next, moved = 0;
    for (; moved < count && entry != HEADS_AT + slot; moved++) {
        uint32_t next = take_first(wheel, entry);
        uint64_t deadline_ns = all->deadline_ns(all->context, entry);
        if (deadline_ns == UINT64_MAX) {
            wheel->set_count--;
        } else {
            file_entry(wheel, entry, tick_of(wheel, deadline_ns)); /* never in this slot */
        }
        entry = next;
    }
    begin_at(wheel, slot, entry);
    return moved;
}

/* A slot of level 0 is due as it is. The list of what is due is empty. */
static void make_due(struct timer_wheel *wheel, unsigned slot)
{
    if (is_empty(wheel, slot)) {
        return;
    }
    struct timer_link ring = wheel->heads[slot];
    wheel->heads[DUE_SLOT] = ring;
    link_at(wheel, ring.next)->prev = HEADS_AT + DUE_SLOT;
    link_at(wheel, ring.prev)->next = HEADS_AT + DUE_SLOT;
    make_empty(wheel, slot);
    unmark(wheel, slot);
}

/* Moves time to `tick`, which no occupied slot precedes. */
static void turn_to(struct timer_wheel *wheel, uint64_t tick)
{
    wheel->now_tick = tick;
    make_due(wheel, slot_at(&levels[0], tick));
    for (unsigned i = LEVELS; i-- > 1;) {
        bool begins = (tick & ((UINT64_C(1) << levels[i].shift) - 1)) == 0;
        if (begins) {
            (void)move_down(wheel, slot_at(&levels[i], tick >> levels[i].shift), UINT32_MAX);
        }
    }
    wheel->bound_tick = next_tick(wheel);
}

/* What comes next at each level, a little of it. */
static void move_ahead(struct timer_wheel *wheel)
{
    uint32_t left = AHEAD_PER_ADVANCE;
    for (unsigned i = 1; i < LEVELS && left > 0; i++) {
        uint64_t lap = (wheel->now_tick >> levels[i].shift) + 1;
        left -= move_down(wheel, slot_at(&levels[i], lap), left);
    }
}

static uint32_t collect_due(struct timer_wheel *wheel, uint32_t *out, uint32_t capacity)
{
    uint32_t entry = wheel->heads[DUE_SLOT].next, count = 0;
    while (count < capacity && entry != HEADS_AT + DUE_SLOT) {
        out[count++] = entry;
        entry = take_first(wheel, entry);
    }
    begin_at(wheel, DUE_SLOT, entry);
    wheel->set_count -= count;
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
        if (wheel->bound_tick > target) {
            wheel->now_tick = target;
            move_ahead(wheel);
            break;
        }
        turn_to(wheel, wheel->bound_tick);
        count += collect_due(wheel, out + count, capacity - count);
    }
    return count;
}

uint64_t timer_wheel_next_ns(const struct timer_wheel *wheel)
{
    if (wheel->set_count == 0) {
        return UINT64_MAX;
    }
    uint64_t tick = is_empty(wheel, DUE_SLOT) ? wheel->bound_tick : wheel->now_tick;
    uint64_t after_ns;
    if (__builtin_mul_overflow(tick, (uint64_t)TIMER_WHEEL_TICK_NS, &after_ns) ||
        after_ns > UINT64_MAX - wheel->origin_ns) {
        return UINT64_MAX;
    }
    return wheel->origin_ns + after_ns;
}
