/* SPDX-License-Identifier: MIT */
#include "proto/control_arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"

enum { ARENA_ALIGN = alignof(max_align_t) };

static void *arena_alloc(void *arena_data, size_t size)
{
    struct control_arena *arena = arena_data;

    /* `used` and `budget` are multiples of the alignment, so that rounding up cannot overrun. */
    if (size > arena->budget - arena->used) {
        arena->is_exhausted = true;
        return NULL;
    }
    void *taken = arena->bytes + arena->used;
    arena->used += (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
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
    arena->bytes = malloc(arena->budget > 0 ? arena->budget : ARENA_ALIGN);
    if (arena->bytes == NULL) {
        free(arena);
        return NULL;
    }
    arena->allocator =
        (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
    return arena;
}

void control_arena_free(struct control_arena *arena)
{
    if (arena != NULL) {
        free(arena->bytes);
        free(arena);
    }
}

void control_arena_reset(struct control_arena *arena)
{
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
