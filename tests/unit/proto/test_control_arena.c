/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "proto/control.h"
#include "proto/control_arena.h"

enum { MIB = 1024 * 1024, PIECES_MOST = 20000, FILL = 0xa5 };

static void what_exceeds_the_budget_is_refused_whatever_its_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {MIB + 1, (size_t)1 << 40, SIZE_MAX - 8, SIZE_MAX};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct control_arena *arena = control_arena_new(MIB);
        assert_non_null(arena);
        assert_null(control_arena_take(arena, sizes[i], 1));
        assert_true(arena->is_exhausted);
        assert_null(control_arena_take(arena, sizes[i], SIZE_MAX));
        assert_null(arena->allocator.alloc(arena, sizes[i]));
        control_arena_reset(arena);
        assert_false(arena->is_exhausted);
        assert_non_null(control_arena_take(arena, MIB, 1)); /* all of it in one piece */
        assert_null(control_arena_take(arena, 1, 1));
        control_arena_free(arena);
    }
}

/* Messages of any size after each other: what was taken is whole, apart, aligned and zeroed. */
static void pieces_of_any_size_do_not_touch_each_other(void **state)
{
    (void)state;
    static uint8_t *piece[PIECES_MOST];
    static size_t bytes[PIECES_MOST];
    enum { BUDGET = 5 * MIB + 123 };
    struct control_arena *arena = control_arena_new(BUDGET);
    struct prng prng = prng_seeded(8);
    assert_non_null(arena);
    for (unsigned message = 0; message < 40; message++) {
        size_t count = 0, total = 0, largest = (size_t)1 << prng_below(&prng, 20);
        control_arena_reset(arena);
        for (; count < 1 + prng_below(&prng, PIECES_MOST); count++) {
            bytes[count] = prng_below(&prng, largest);
            piece[count] = control_arena_take(arena, bytes[count], 1);
            if (piece[count] == NULL) {
                break;
            }
            assert_int_equal((uintptr_t)piece[count] % alignof(max_align_t), 0);
            for (size_t i = 0; i < bytes[count]; i++) {
                assert_int_equal(piece[count][i], 0);
            }
            memset(piece[count], FILL ^ (int)(count & 0xff), bytes[count]);
            total += bytes[count];
        }
        assert_true(total <= BUDGET && arena->used >= total && arena->used <= arena->budget);
        for (size_t k = 0; k < count; k++) {
            for (size_t i = 0; i < bytes[k]; i++) {
                assert_int_equal(piece[k][i], (FILL ^ (int)(k & 0xff)) & 0xff);
            }
        }
    }
    control_arena_free(arena);
}

/* An agent's budget is for the largest plan there can be; most hold a small one. */
static void memory_is_held_for_what_messages_are_not_for_what_they_might_be(void **state)
{
    (void)state;
    struct control_arena *arena = control_arena_new(16 * MIB);
    assert_non_null(arena);
    assert_in_range(arena->first_bytes, 1, 64 * 1024);
    for (int i = 0; i < 2; i++) {
        assert_non_null(control_arena_take(arena, 600 * 1024, 1));
        assert_int_equal(arena->more == NULL, i == 1); /* the second time there is room */
        control_arena_reset(arena);
    }
    assert_non_null(control_arena_take(arena, 12 * MIB, 1));
    control_arena_reset(arena);
    assert_null(arena->more);
    assert_in_range(arena->first_bytes, 600 * 1024, MIB);
    control_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_exceeds_the_budget_is_refused_whatever_its_size),
        cmocka_unit_test(pieces_of_any_size_do_not_touch_each_other),
        cmocka_unit_test(memory_is_held_for_what_messages_are_not_for_what_they_might_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
