/* SPDX-License-Identifier: MIT */
#include "proto/control_arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"

enum { ARENA_ALIGN = alignof(max_align_t), FIRST_BYTES = 64 * 1024, KEPT_BYTES = 1024 * 1024 };

struct control_arena_more {
    alignas(ARENA_ALIGN) struct control_arena_more *older;
};

/* As much again as was taken, so that a large message needs few pieces; never beyond the budget. */
static bool add_memory(struct control_arena *arena, size_t least)
{
    size_t rest = arena->budget - arena->used;
    size_t bytes = arena->used > least ? arena->used : least;
    bytes = bytes < rest ? bytes : rest;
    struct control_arena_more *more = malloc(sizeof(*more) + bytes);

    if (more == NULL) {
        return false;
    }
    more->older = arena->more;
    arena->more = more;
    arena->next = (uint8_t *)(more + 1);
    arena->left = bytes;
    return true;
}

static void *arena_alloc(void *arena_data, size_t size)
{
    struct control_arena *arena = arena_data;
    size_t rounded = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

    /* `used` and `budget` are multiples of the alignment, so that rounding up cannot overrun. */
    if (size > arena->budget - arena->used ||
        (rounded > arena->left && !add_memory(arena, rounded))) {
        arena->is_exhausted = true;
        return NULL;
    }
    void *taken = arena->next;
    arena->next += rounded;
    arena->left -= rounded;
    arena->used += rounded;
    return taken;
}

static void arena_free(void *arena_data, void *pointer)
{
    (void)arena_data;
    (void)pointer;
}

struct control_arena *control_arena_new(size_t budget_bytes)
{
    struct control_arena *arena = calloc(1, sizeof(*arena));

    if (arena == NULL) {
        return NULL;
    }
    arena->budget = budget_bytes / ARENA_ALIGN * ARENA_ALIGN;
    arena->first_bytes = arena->budget < FIRST_BYTES ? arena->budget : FIRST_BYTES;
    arena->first = malloc(arena->budget > 0 ? arena->first_bytes : ARENA_ALIGN);
    if (arena->first == NULL) {
        free(arena);
        return NULL;
    }
    arena->allocator =
        (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
    control_arena_reset(arena);
    return arena;
}

static void free_more(struct control_arena *arena)
{
    while (arena->more != NULL) {
        struct control_arena_more *older = arena->more->older;
        free(arena->more);
        arena->more = older;
    }
}

void control_arena_free(struct control_arena *arena)
{
    if (arena != NULL) {
        free_more(arena);
        free(arena->first);
        free(arena);
    }
}

/* The next message is probably like this one. */
static void widen_first(struct control_arena *arena)
{
    size_t bytes = arena->used < KEPT_BYTES ? arena->used : KEPT_BYTES;
    uint8_t *wider = bytes > arena->first_bytes ? malloc(bytes) : NULL;

    if (wider != NULL) {
        free(arena->first);
        arena->first = wider;
        arena->first_bytes = bytes;
    }
}

void control_arena_reset(struct control_arena *arena)
{
    if (arena->more != NULL) {
        free_more(arena);
        widen_first(arena);
    }
    arena->next = arena->first;
    arena->left = arena->first_bytes;
    arena->used = 0;
    arena->is_exhausted = false;
}

void *control_arena_take(struct control_arena *arena, size_t count, size_t element_bytes)
{
    if (element_bytes != 0 && count > arena->budget / element_bytes) {
        arena->is_exhausted = true;
        return NULL;
    }
    void *taken = arena_alloc(arena, count * element_bytes);

    if (taken != NULL) {
        memset(taken, 0, count * element_bytes);
    }
    return taken;
}
