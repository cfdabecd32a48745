/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <pthread.h>

#include "agent/edge/spsc.h"
#include "common/prng.h"

enum { CAPACITY = 8, HANDED_OVER = 200000 };

struct item {
    uint64_t number;
    uint64_t complement;
};

static struct item item_of(uint64_t number)
{
    return (struct item){.number = number, .complement = ~number};
}

static void an_empty_ring_gives_nothing(void **state)
{
    (void)state;
    struct spsc ring;
    struct item got = item_of(7);
    assert_int_equal(spsc_init(&ring, CAPACITY, sizeof(got)), 0);
    assert_false(spsc_pop(&ring, &got));
    assert_int_equal(got.number, 7);
    assert_int_equal(spsc_used(&ring), 0);
    spsc_fini(&ring);
}

static void a_full_ring_refuses_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct spsc ring;
    assert_int_equal(spsc_init(&ring, CAPACITY, sizeof(struct item)), 0);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        struct item one = item_of(i);
        assert_true(spsc_push(&ring, &one));
    }
    struct item more = item_of(99);
    assert_false(spsc_push(&ring, &more));
    assert_int_equal(spsc_used(&ring), CAPACITY);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        struct item got;
        assert_true(spsc_pop(&ring, &got));
        assert_int_equal(got.number, i);
    }
    assert_false(spsc_pop(&ring, &more));
    spsc_fini(&ring);
}

static void many_are_taken_as_far_as_there_is_room(void **state)
{
    (void)state;
    struct spsc ring;
    struct item in[CAPACITY + 3], out[CAPACITY + 3];
    assert_int_equal(spsc_init(&ring, CAPACITY, sizeof(struct item)), 0);
    for (uint64_t i = 0; i < ARRAY_LEN(in); i++) {
        in[i] = item_of(i);
    }
    assert_int_equal(spsc_push_many(&ring, in, 5), 5);
    assert_int_equal(spsc_pop_many(&ring, out, 3), 3);
    assert_int_equal(spsc_push_many(&ring, in + 5, 6), 6);
    assert_int_equal(spsc_pop_many(&ring, out, ARRAY_LEN(out)), CAPACITY);
    assert_int_equal(out[0].number, 3);
    assert_int_equal(out[CAPACITY - 1].number, 10);
    spsc_fini(&ring);
}

static void *push_all(void *ring)
{
    struct prng prng = prng_seeded(1);
    struct item batch[5];
    uint64_t next = 0;
    while (next < HANDED_OVER) {
        size_t count = 1 + (size_t)prng_below(&prng, ARRAY_LEN(batch));
        for (size_t i = 0; i < count; i++) {
            batch[i] = item_of(next + i);
        }
        next += spsc_push_many(ring, batch, count);
    }
    return NULL;
}

/* Also the test that ThreadSanitizer looks at. */
static void between_two_threads_nothing_is_lost_torn_or_reordered(void **state)
{
    (void)state;
    struct spsc ring;
    pthread_t pusher;
    assert_int_equal(spsc_init(&ring, 64, sizeof(struct item)), 0);
    assert_int_equal(pthread_create(&pusher, NULL, push_all, &ring), 0);
    uint64_t next = 0;
    while (next < HANDED_OVER) {
        struct item got[7];
        size_t count = spsc_pop_many(&ring, got, ARRAY_LEN(got));
        for (size_t i = 0; i < count; i++) {
            assert_true(got[i].number == next && got[i].complement == ~next);
            next++;
        }
        assert_true(spsc_used(&ring) <= 64);
    }
    assert_int_equal(pthread_join(pusher, NULL), 0);
    spsc_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ring_gives_nothing),
        cmocka_unit_test(a_full_ring_refuses_and_keeps_what_it_has),
        cmocka_unit_test(many_are_taken_as_far_as_there_is_room),
        cmocka_unit_test(between_two_threads_nothing_is_lost_torn_or_reordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
