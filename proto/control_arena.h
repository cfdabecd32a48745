/* SPDX-License-Identifier: MIT */
/*
 * Memory for decoding one message, with a hard budget. protobuf-c multiplies
 * hostile input by up to 84; here it runs into the end of the budget and the
 * message is refused. Nothing is freed singly: the next decode starts again at
 * the beginning.
 *
 * A budget is for the largest message, and most are small: memory is taken as a message needs it
 * and kept for the next, up to a megabyte; what is more goes with the next reset.
 *
 * Internal to proto/. Pure but for that memory. Not thread-safe.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory beyond the first piece; what is taken follows it. */
struct control_arena_more;

struct control_arena {
    ProtobufCAllocator allocator; /* takes from this arena */
    uint8_t *first;
    size_t first_bytes;
    struct control_arena_more *more; /* the newest first */
    uint8_t *next;                   /* what is taken next, and how much of it there is */
    size_t left;
    size_t budget, used;
    bool is_exhausted; /* a request since the last reset did not fit */
};

void control_arena_reset(struct control_arena *arena);

/* Zeroed, aligned for any type; NULL when the budget, or memory, is spent. A size of 0 is not NULL.
 */
void *control_arena_take(struct control_arena *arena, size_t count, size_t element_bytes);
