/* SPDX-License-Identifier: MIT */
/*
 * Input made to cost the decoder more than its sender: 256 KiB each, far above
 * what a socket lets through. Without the arena protobuf-c takes 22 MB for the
 * first of them and a third of a second for the last.
 */
#include "tests/support/testing.h"

#include <string.h>
#include <time.h>

#include "proto/control_arena.h"
#include "tests/support/control_samples.h"

enum { HOSTILE_BYTES = 256 * 1024, CPU_MS_MAX = 200 };

static uint8_t hostile[HOSTILE_BYTES];

/* Repeats a unit over the whole buffer; the last one may be cut. */
static size_t fill_with(const uint8_t *unit, size_t unit_bytes)
{
    size_t size = HOSTILE_BYTES / unit_bytes * unit_bytes;

    for (size_t i = 0; i < size; i++) {
        hostile[i] = unit[i % unit_bytes];
    }
    return size;
}

/* One body of the field, with the rest of the buffer as its content. */
static size_t wrap(uint8_t tag_low, uint8_t tag_high, const uint8_t *unit, size_t unit_bytes)
{
    size_t header = 5;
    size_t size = (HOSTILE_BYTES - header) / unit_bytes * unit_bytes;

    hostile[0] = tag_low;
    hostile[1] = tag_high;
    hostile[2] = (uint8_t)(size | 0x80);
    hostile[3] = (uint8_t)(size >> 7 | 0x80);
    hostile[4] = (uint8_t)(size >> 14);
    for (size_t i = 0; i < size; i++) {
        hostile[header + i] = unit[i % unit_bytes];
    }
    return header + size;
}

static void expect_cheap_refusal(const char *what, size_t budget, size_t size)
{
    struct control_arena *arena = control_arena_new(budget);
    struct control_message m;
    char why[CONTROL_WHY_BYTES] = "";

    assert_non_null(arena);
    clock_t before = clock();
    bool is_accepted = control_decode(arena, hostile, size, &m, why);
    double ms = (double)(clock() - before) * 1000 / CLOCKS_PER_SEC;
    print_message("%s: %zu of %zu bytes used, %.1f ms: %s\n", what, arena->used, budget, ms, why);
    assert_false(is_accepted);
    assert_true(arena->used <= arena->budget);
    assert_true(arena->budget <= budget);
    assert_true(ms < CPU_MS_MAX);
    control_arena_free(arena);
}

static void expect_cheap(const char *what, size_t size)
{
    expect_cheap_refusal(what, CONTROL_ARENA_UP_BYTES, size);
    expect_cheap_refusal(what, CONTROL_ARENA_DOWN_BYTES, size);
}

static void repeated_bodies_do_not_merge_and_do_not_pile_up(void **state)
{
    const uint8_t empty_hello[] = {0x52, 0x00};                 /* field 10 */
    const uint8_t empty_batch[] = {0x9a, 0x03, 0x00};           /* field 51 */
    const uint8_t small_ack[] = {0xb2, 0x03, 0x02, 0x10, 0x01}; /* field 54 */
    const uint8_t hello_text[] = {0x52, 0x03, 0x1a, 0x01, 'x'}; /* with a build to merge */

    (void)state;
    expect_cheap("empty HELLOs", fill_with(empty_hello, sizeof(empty_hello)));
    expect_cheap("empty BATCHes", fill_with(empty_batch, sizeof(empty_batch)));
    expect_cheap("HELLOs with text", fill_with(hello_text, sizeof(hello_text)));
    size_t size = fill_with(small_ack, sizeof(small_ack));
    expect_cheap("ACKs", size); /* the last one wins, and is not valid */
}

static void unknown_fields_do_not_pile_up(void **state)
{
    const uint8_t unknown_varint[] = {0xd8, 0x06, 0x01};
    const uint8_t unknown_bytes[] = {0xda, 0x06, 0x00};

    (void)state;
    expect_cheap("unknown varints", fill_with(unknown_varint, sizeof(unknown_varint)));
    expect_cheap("unknown bytes", fill_with(unknown_bytes, sizeof(unknown_bytes)));
    expect_cheap("unknown varints in ACK",
                 wrap(0xb2, 0x03, unknown_varint, sizeof(unknown_varint)));
}

static void columns_do_not_grow_beyond_the_budget(void **state)
{
    const uint8_t unpacked_kind[] = {0x40, 0x01}; /* kind as single elements */
    const uint8_t unpacked_step[] = {0x28, 0x02};

    (void)state;
    expect_cheap("a BATCH of kinds", wrap(0x9a, 0x03, unpacked_kind, sizeof(unpacked_kind)));
    expect_cheap("a BATCH of steps", wrap(0x9a, 0x03, unpacked_step, sizeof(unpacked_step)));
    /* One packed column of one-byte varints: eight bytes of memory for one. */
    size_t size = HOSTILE_BYTES;
    memset(hostile, 0x02, size);
    const uint8_t head[] = {0x9a, 0x03, 0xfb, 0xff, 0x0f, 0x2a, 0xf7, 0xff, 0x0f};
    memcpy(hostile, head, sizeof(head));
    expect_cheap("a packed column", size);
}

static void a_plan_of_empty_relays_stays_in_its_budget(void **state)
{
    const uint8_t empty_relay[] = {0x5a, 0x00};
    const uint8_t empty_stage[] = {0x62, 0x00};
    struct plan plan;
    char why[PLAN_WHY_BYTES] = "";

    (void)state;
    assert_false(plan_decode(hostile, fill_with(empty_relay, sizeof(empty_relay)), &plan, why));
    assert_non_null(strstr(why, "do not decode"));
    assert_false(plan_decode(hostile, fill_with(empty_stage, sizeof(empty_stage)), &plan, why));
    assert_non_null(strstr(why, "do not decode"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_bodies_do_not_merge_and_do_not_pile_up),
        cmocka_unit_test(unknown_fields_do_not_pile_up),
        cmocka_unit_test(columns_do_not_grow_beyond_the_budget),
        cmocka_unit_test(a_plan_of_empty_relays_stays_in_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
