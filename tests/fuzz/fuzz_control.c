/* SPDX-License-Identifier: MIT */
/*
 * control_decode(): whatever it accepts must encode, and what that gives must
 * decode to the same message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct control_arena *new_arena(void)
{
    struct control_arena *arena = control_arena_new(CONTROL_ARENA_UP_BYTES);

    if (arena == NULL) {
        abort();
    }
    return arena;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct control_arena *first, *second;
    static uint8_t packed[512 * 1024], again[512 * 1024];
    struct control_message m;
    char why[CONTROL_WHY_BYTES];

    if (first == NULL) {
        first = new_arena();
        second = new_arena();
    }
    if (!control_decode(first, data, size, &m, why)) {
        return 0;
    }
    size_t packed_size = control_encode(&m, packed, sizeof(packed));
    if (packed_size == 0 || packed_size > sizeof(packed)) {
        abort();
    }
    struct control_message back;
    if (!control_decode(second, packed, packed_size, &back, why)) {
        abort();
    }
    if (back.kind != m.kind || control_encode(&back, again, sizeof(again)) != packed_size ||
        memcmp(packed, again, packed_size) != 0) {
        abort();
    }
    return 0;
}
