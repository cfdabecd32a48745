/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <string.h>

#include "agent/edge/replay_ring.h"
#include "common/prng.h"

enum { SMALL_BYTES = 4096, LARGEST_PAYLOAD = 900, STEPS = 20000 };

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
    replay_ring_init(&s.ring, s.region, sizeof(s.region), 0);
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
    replay_ring_init(&s.ring, s.region, sizeof(s.region), 0);
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
        replay_ring_init(&s.ring, s.region, sizeof(s.region), 0);
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
    replay_ring_init(&s.ring, s.region, sizeof(s.region), 5);
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
    replay_ring_init(&s.ring, s.region, sizeof(s.region), 41);
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
    replay_ring_init(&s.ring, s.region, sizeof(s.region), 0);
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
        replay_ring_init(&s.ring, s.region, bytes, seed);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
