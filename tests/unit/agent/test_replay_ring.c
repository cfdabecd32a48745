/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <string.h>

#include "agent/edge/replay_ring.h"
#include "common/prng.h"

enum { SMALL_BYTES = 4096, LARGEST_PAYLOAD = 900, STEPS = 20000 };

#define SALT UINT64_C(0x1f2e3d4c5b6a7988)

struct small_ring {
    struct replay_ring ring;
    _Alignas(8) uint8_t region[SMALL_BYTES];
};

/* The payload of a record follows from its number alone. */
static size_t payload_of(uint64_t seq, uint8_t out[LARGEST_PAYLOAD])
{
    size_t size = 1 + (size_t)(prng_mix(42, seq, 0) % LARGEST_PAYLOAD);
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(prng_mix(43, seq, i / 8) >> (8 * (i % 8)));
    }
    return size;
}

static bool append_next(struct replay_ring *ring)
{
    uint8_t payload[LARGEST_PAYLOAD];
    size_t size = payload_of(ring->next_seq, payload);
    return replay_ring_append(ring, payload, size);
}

static void assert_is_record(uint64_t seq, const uint8_t *payload, size_t size)
{
    uint8_t expected[LARGEST_PAYLOAD];
    assert_int_equal(size, payload_of(seq, expected));
    assert_memory_equal(payload, expected, size);
}

static void a_full_ring_refuses_and_changes_nothing(void **state)
{
    (void)state;
    static struct small_ring s;
    replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 0);
    while (append_next(&s.ring)) {
    }
    uint64_t next = s.ring.next_seq;
    assert_false(append_next(&s.ring));
    assert_int_equal(s.ring.next_seq, next);
    assert_true(replay_ring_used_permille(&s.ring) > 700);
    struct replay_cursor cursor = replay_ring_rewind(&s.ring);
    uint64_t seq = 0;
    const uint8_t *payload;
    size_t size;
    for (uint64_t i = 1; i < next; i++) {
        assert_int_equal(replay_ring_read(&s.ring, &cursor, &seq, &payload, &size), REPLAY_RECORD);
        assert_int_equal(seq, i);
        assert_is_record(seq, payload, size);
    }
    assert_int_equal(replay_ring_read(&s.ring, &cursor, &seq, &payload, &size), REPLAY_END);
}

static void a_record_larger_than_the_ring_is_refused(void **state)
{
    (void)state;
    static struct small_ring s;
    static const uint8_t large[2 * SMALL_BYTES];
    replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 0);
    assert_false(replay_ring_append(&s.ring, large, sizeof(large)));
    assert_int_equal(replay_ring_used_permille(&s.ring), 0);
}

/* Each byte in turn, whatever it means: header or payload. */
static void a_changed_byte_is_noticed(void **state)
{
    (void)state;
    static struct small_ring s;
    static const uint8_t payload[16] = "sixteen bytes...";
    for (size_t i = 0; i < 16 + sizeof(payload); i++) {
        replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 0);
        assert_true(replay_ring_append(&s.ring, payload, sizeof(payload)));
        s.region[i] ^= 0x10;
        struct replay_cursor cursor = replay_ring_rewind(&s.ring);
        uint64_t seq;
        const uint8_t *read;
        size_t size;
        assert_int_equal(replay_ring_read(&s.ring, &cursor, &seq, &read, &size), REPLAY_CORRUPT);
    }
}

static void an_old_or_future_acknowledgement_frees_only_what_exists(void **state)
{
    (void)state;
    static struct small_ring s;
    replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 5);
    assert_true(append_next(&s.ring));
    assert_true(append_next(&s.ring));
    replay_ring_ack(&s.ring, 3);
    assert_int_equal(s.ring.acked_seq, 5);
    replay_ring_ack(&s.ring, 999);
    assert_int_equal(s.ring.acked_seq, 7);
    assert_int_equal(replay_ring_used_permille(&s.ring), 0);
    assert_true(append_next(&s.ring));
    assert_int_equal(s.ring.next_seq, 9);
}

static void numbering_goes_on_after_what_is_committed(void **state)
{
    (void)state;
    static struct small_ring s;
    replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 41);
    assert_true(append_next(&s.ring));
    struct replay_cursor cursor = replay_ring_rewind(&s.ring);
    uint64_t seq = 0;
    const uint8_t *payload;
    size_t size;
    assert_int_equal(replay_ring_read(&s.ring, &cursor, &seq, &payload, &size), REPLAY_RECORD);
    assert_int_equal(seq, 42);
}

static void a_cursor_behind_the_acknowledged_is_moved_up(void **state)
{
    (void)state;
    static struct small_ring s;
    replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 0);
    struct replay_cursor cursor = replay_ring_rewind(&s.ring);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(append_next(&s.ring));
    }
    replay_ring_ack(&s.ring, 2);
    uint64_t seq = 0;
    const uint8_t *payload;
    size_t size;
    assert_int_equal(replay_ring_read(&s.ring, &cursor, &seq, &payload, &size), REPLAY_RECORD);
    assert_int_equal(seq, 3);
    assert_is_record(seq, payload, size);
}

/* One random step against the simplest model: numbers acked < sent <= next. */
static void random_step(struct replay_ring *ring, struct prng *prng, struct replay_cursor *cursor,
                        uint64_t *expected)
{
    uint64_t seq = 0;
    const uint8_t *payload = NULL;
    size_t size = 0;
    switch (prng_below(prng, 8)) {
    case 0:
        *cursor = replay_ring_rewind(ring); /* the connection broke */
        *expected = ring->acked_seq + 1;
        break;
    case 1:
        replay_ring_ack(ring, ring->acked_seq + prng_below(prng, 4));
        *expected = *expected <= ring->acked_seq ? ring->acked_seq + 1 : *expected;
        break;
    case 2:
    case 3:
    case 4:
        (void)append_next(ring);
        break;
    default:
        if (replay_ring_read(ring, cursor, &seq, &payload, &size) == REPLAY_RECORD) {
            assert_int_equal(seq, *expected);
            assert_is_record(seq, payload, size);
            (*expected)++;
        } else {
            assert_int_equal(*expected, ring->next_seq);
        }
        break;
    }
}

static void whatever_happens_records_come_out_whole_and_in_order(void **state)
{
    (void)state;
    static struct small_ring s;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct prng prng = prng_seeded(seed);
        /* Odd sizes too: the end of the region is then too short for a header at times. */
        size_t bytes = SMALL_BYTES - 8 * (size_t)seed;
        replay_ring_init(&s.ring, s.region, bytes, SALT, seed);
        struct replay_cursor cursor = replay_ring_rewind(&s.ring);
        uint64_t expected = seed + 1;
        for (unsigned i = 0; i < STEPS; i++) {
            random_step(&s.ring, &prng, &cursor, &expected);
        }
        assert_true(s.ring.next_seq > STEPS / 10);
        replay_ring_ack(&s.ring, s.ring.next_seq);
        assert_int_equal(replay_ring_used_permille(&s.ring), 0);
    }
}

/* All that the ring holds from its oldest record on, by a ring made from the region alone. */
static void expect_recovered(struct small_ring *s, size_t bytes)
{
    static struct replay_ring found;
    assert_true(replay_ring_recover(&found, s->region, bytes, s->ring.salt, s->ring.oldest,
                                    s->ring.acked_seq));
    assert_int_equal(found.next_seq, s->ring.next_seq);
    assert_int_equal(found.end, s->ring.end);
    assert_int_equal(found.used, s->ring.used);
    struct replay_cursor cursor = replay_ring_rewind(&found);
    for (uint64_t i = found.acked_seq + 1; i < found.next_seq; i++) {
        uint64_t seq = 0;
        const uint8_t *payload = NULL;
        size_t size = 0;
        assert_int_equal(replay_ring_read(&found, &cursor, &seq, &payload, &size), REPLAY_RECORD);
        assert_int_equal(seq, i);
        assert_is_record(seq, payload, size);
    }
}

/* A ring that is full may skip its end without a record behind: `used` says so before the next. */
static void after_every_step_the_region_alone_tells_what_is_in_it(void **state)
{
    (void)state;
    static struct small_ring s;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct prng prng = prng_seeded(seed);
        size_t bytes = SMALL_BYTES - 8 * (size_t)seed;
        replay_ring_init(&s.ring, s.region, bytes, SALT + seed, seed);
        for (unsigned i = 0; i < STEPS / 10; i++) {
            if (prng_below(&prng, 3) == 0) {
                replay_ring_ack(&s.ring, s.ring.acked_seq + prng_below(&prng, 4));
            } else {
                (void)append_next(&s.ring);
            }
            expect_recovered(&s, bytes);
        }
    }
}

/* kill -9 in the middle of an append: as much of the record as was written, from either end. */
static void a_torn_tail_is_dropped_and_what_is_before_it_is_kept(void **state)
{
    (void)state;
    static struct small_ring s;
    static uint8_t before[SMALL_BYTES], after[SMALL_BYTES];
    replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 0);
    assert_true(append_next(&s.ring));
    assert_true(append_next(&s.ring));
    memcpy(before, s.region, sizeof(before));
    assert_true(append_next(&s.ring));
    memcpy(after, s.region, sizeof(after));
    for (size_t written = 0; written < s.ring.end; written++) {
        static struct replay_ring found;
        memcpy(s.region, before, sizeof(before));
        memcpy(s.region, after, written);
        assert_true(replay_ring_recover(&found, s.region, sizeof(s.region), SALT, 0, 0));
        assert_in_range(found.next_seq, 3, 4);
        memcpy(s.region, after, sizeof(after));
        memcpy(s.region, before, written);
        assert_true(replay_ring_recover(&found, s.region, sizeof(s.region), SALT, 0, 0));
        assert_in_range(found.next_seq, 3, 4);
    }
}

static void what_an_earlier_ring_left_is_no_record_of_this_one(void **state)
{
    (void)state;
    static struct small_ring s;
    static struct replay_ring found;
    replay_ring_init(&s.ring, s.region, sizeof(s.region), SALT, 0);
    while (append_next(&s.ring)) {
    }
    assert_true(replay_ring_recover(&found, s.region, sizeof(s.region), SALT + 1, 0, 0));
    assert_int_equal(found.next_seq, 1);
    assert_int_equal(found.used, 0);
}

static void a_place_that_cannot_be_is_refused_and_any_bytes_are_survived(void **state)
{
    (void)state;
    static struct small_ring s;
    static struct replay_ring found;
    assert_false(replay_ring_recover(&found, s.region, sizeof(s.region), SALT, SMALL_BYTES + 8, 0));
    assert_false(replay_ring_recover(&found, s.region, sizeof(s.region), SALT, 12, 0));
    assert_false(replay_ring_recover(&found, s.region, sizeof(s.region), SALT, 0, UINT64_MAX));
    assert_true(replay_ring_recover(&found, s.region, sizeof(s.region), SALT, SMALL_BYTES, 7));
    assert_int_equal(found.next_seq, 8);
    struct prng prng = prng_seeded(9);
    for (unsigned i = 0; i < 2000; i++) {
        for (size_t k = 0; k < sizeof(s.region); k++) {
            s.region[k] = (uint8_t)(prng_below(&prng, 3) == 0 ? 0xff : prng_below(&prng, 256));
        }
        uint64_t oldest = 8 * prng_below(&prng, SMALL_BYTES / 8 + 1);
        assert_true(replay_ring_recover(&found, s.region, sizeof(s.region), SALT, oldest, 0));
        assert_int_equal(found.next_seq, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_every_step_the_region_alone_tells_what_is_in_it),
        cmocka_unit_test(a_torn_tail_is_dropped_and_what_is_before_it_is_kept),
        cmocka_unit_test(what_an_earlier_ring_left_is_no_record_of_this_one),
        cmocka_unit_test(a_place_that_cannot_be_is_refused_and_any_bytes_are_survived),
        cmocka_unit_test(a_full_ring_refuses_and_changes_nothing),
        cmocka_unit_test(a_record_larger_than_the_ring_is_refused),
        cmocka_unit_test(a_changed_byte_is_noticed),
        cmocka_unit_test(an_old_or_future_acknowledgement_frees_only_what_exists),
        cmocka_unit_test(numbering_goes_on_after_what_is_committed),
        cmocka_unit_test(a_cursor_behind_the_acknowledged_is_moved_up),
        cmocka_unit_test(whatever_happens_records_come_out_whole_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
