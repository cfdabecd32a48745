/* SPDX-License-Identifier: MIT */
/*
 * Memory for decoding one message, with a hard budget. protobuf-c multiplies
 * hostile input by up to 84; here it runs into the end of one buffer and the
 * message is refused. Nothing is freed singly: the next decode starts again at
 * the beginning.
 *
 * Internal to proto/. Pure but for the buffer, which is allocated once. Not thread-safe.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control_arena {
    ProtobufCAllocator allocator; /* takes from this arena */
    uint8_t *bytes;
    size_t budget, used;
    bool is_exhausted; /* a request since the last reset did not fit */
};

void control_arena_reset(struct control_arena *arena);

/* Zeroed, aligned for any type; NULL when the budget is spent. A size of 0 is not NULL. */
void *control_arena_take(struct control_arena *arena, size_t count, size_t element_bytes);
