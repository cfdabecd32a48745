/* SPDX-License-Identifier: MIT */
/* Who is ready, in which order, and which arrivals are of which kind. */
#include "tests/support/testing.h"

#include <string.h>

#include "agent/lane/mix.h"
#include "agent/lane/pacer.h"
#include "agent/lane/ready.h"
#include "common/attrs.h"
#include "common/prng.h"

enum { CLIENTS = 50 };

static int make(void **state)
{
    static struct ready r;
    *state = &r;
    return ready_init(&r, CLIENTS) ? 0 : -1;
}

static int unmake(void **state)
{
    ready_fini(*state);
    return 0;
}

static void nobody_is_ready_at_first_nor_after_a_clear(void **state)
{
    struct ready *r = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ready_first(r, READY_FREE), READY_NOBODY);
        assert_int_equal(ready_first(r, READY_BOUND), READY_NOBODY);
        ready_postpone_first(r, READY_BOUND);
        ready_put(r, 3, READY_NOT);
        ready_put(r, 3, READY_BOUND);
        ready_put(r, 4, READY_FREE);
        ready_clear(r);
    }
    assert_int_equal(r->count[READY_FREE] + r->count[READY_BOUND], 0);
}

static void who_stands_in_a_list_keeps_the_place_there(void **state)
{
    struct ready *r = *state;
    for (uint32_t i = 0; i < 3; i++) {
        ready_put(r, i, READY_BOUND);
    }
    ready_put(r, 0, READY_BOUND);
    assert_int_equal(ready_first(r, READY_BOUND), 0);
    ready_postpone_first(r, READY_BOUND);
    assert_int_equal(ready_first(r, READY_BOUND), 1);
    ready_put(r, 1, READY_FREE);
    assert_int_equal(ready_first(r, READY_BOUND), 2);
    assert_int_equal(ready_first(r, READY_FREE), 1);
    ready_put(r, 2, READY_NOT);
    assert_int_equal(ready_first(r, READY_BOUND), 0);
    assert_int_equal(r->count[READY_BOUND], 1);
}

/* A list of its own, the slow way. */
struct slow {
    uint32_t client[READY_KIND_COUNT][CLIENTS];
    uint32_t count[READY_KIND_COUNT];
    enum ready_kind where[CLIENTS];
};

static void slow_put(struct slow *s, uint32_t client, enum ready_kind kind)
{
    enum ready_kind former = s->where[client];
    if (former == kind) {
        return;
    }
    if (former != READY_NOT) {
        uint32_t at = 0;
        while (s->client[former][at] != client) {
            at++;
        }
        s->count[former]--;
        memmove(&s->client[former][at], &s->client[former][at + 1],
                (s->count[former] - at) * sizeof(uint32_t));
    }
    if (kind != READY_NOT) {
        s->client[kind][s->count[kind]++] = client;
    }
    s->where[client] = kind;
}

static void whatever_happens_the_order_is_that_of_coming(void **state)
{
    struct ready *r = *state;
    static struct slow s;
    memset(&s, 0, sizeof(s));
    for (size_t i = 0; i < CLIENTS; i++) {
        s.where[i] = READY_NOT;
    }
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t random = prng_mix(1, i, 2);
        uint32_t client = (uint32_t)(random % CLIENTS);
        enum ready_kind kind = (enum ready_kind)(random / CLIENTS % (READY_KIND_COUNT + 1));
        ready_put(r, client, kind);
        slow_put(&s, client, kind);
        for (int k = 0; k < READY_KIND_COUNT; k++) {
            assert_int_equal(r->count[k], s.count[k]);
            assert_int_equal(ready_first(r, (enum ready_kind)k),
                             s.count[k] > 0 ? s.client[k][0] : READY_NOBODY);
        }
    }
}

/* Both sequences together are 0, 1, 2 ..., each once, and never more than one exchange off. */
static void the_places_of_a_mix_are_all_arrivals_once(void **state)
{
    (void)state;
    static const struct mix mixes[] = {{{1, 1}},    {{1, 20}},      {{20, 1}},
                                       {{3, 7}},    {{0, 5}},       {{10000, 0}},
                                       {{1, 9999}}, {{4999, 5001}}, {{2, 4}}};
    for (size_t m = 0; m < ARRAY_LEN(mixes); m++) {
        uint64_t next[MIX_KIND_COUNT] = {0};
        uint64_t all = mixes[m].weight[MIX_ACQUIRE] + mixes[m].weight[MIX_RENEW];
        for (uint64_t place = 0; place < 30000; place++) {
            bool is_acquire = mix_place(mixes[m], MIX_ACQUIRE, next[MIX_ACQUIRE]) == place;
            bool is_renew = mix_place(mixes[m], MIX_RENEW, next[MIX_RENEW]) == place;
            assert_true(is_acquire != is_renew);
            next[is_acquire ? MIX_ACQUIRE : MIX_RENEW]++;
            assert_int_equal(next[MIX_ACQUIRE], (place + 1) * mixes[m].weight[MIX_ACQUIRE] / all);
        }
    }
}

static void a_skipped_arrival_was_as_if_taken(void **state)
{
    (void)state;
    for (int is_poisson = 0; is_poisson < 2; is_poisson++) {
        struct pacer slow, fast;
        pacer_begin(&slow, 0, 333333, is_poisson, 5, NS_PER_S);
        fast = slow;
        for (uint64_t arrival = 0; arrival < 5000; arrival += 7) {
            pacer_skip_to(&fast, arrival);
            while (slow.arrivals < arrival) {
                pacer_started(&slow);
            }
            assert_int_equal(fast.arrivals, arrival);
            assert_int_equal(fast.arrival_ns, slow.arrival_ns);
            pacer_skip_to(&fast, arrival > 0 ? arrival - 1 : 0); /* never back */
            assert_int_equal(fast.arrivals, arrival);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_ready_at_first_nor_after_a_clear, make, unmake),
        cmocka_unit_test_setup_teardown(who_stands_in_a_list_keeps_the_place_there, make, unmake),
        cmocka_unit_test_setup_teardown(whatever_happens_the_order_is_that_of_coming, make, unmake),
        cmocka_unit_test(the_places_of_a_mix_are_all_arrivals_once),
        cmocka_unit_test(a_skipped_arrival_was_as_if_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
