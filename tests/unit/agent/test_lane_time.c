/* SPDX-License-Identifier: MIT */
/* When a lane wants its turn, and what a turn may not do: spin, or allocate. */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/lane_world.h"

/* --- every allocation of the process is counted --- */

/* volatile: the compiler believes that malloc() changes nothing of ours. */
static volatile size_t allocations;

#if defined(__has_feature) /* clang */
#define HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

#if HAS_SANITIZER
/* Of the sanitizers' runtime, whose header gcc does not bring along. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void count_allocation(const volatile void *memory, size_t size)
{
    (void)memory;
    (void)size;
    allocations++;
}

static void ignore_free(const volatile void *memory)
{
    (void)memory;
}

static void count_allocations(void)
{
    int slot = __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free);
    assert_true(slot > 0);
}
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}

static void count_allocations(void)
{
}
#endif

/* --- worlds --- */

static struct lane_world world, other;

static void begin(struct lane_world *w, uint32_t clients)
{
    lane_world_init(w, 2, clients / 2, 2);
    lane_world_add_stage(w, PLAN_ACQUIRE, 0);
    lane_world_add_stage(w, PLAN_HOLD, 200 * NS_PER_S);
    lane_world_add_stage(w, PLAN_INFORM, 0);
    lane_world_add_stage(w, PLAN_REBOOT, 0);
    lane_world_add_stage(w, PLAN_DECLINE, 0);
    lane_world_add_stage(w, PLAN_RELEASE, 0);
}

/* Everything that can happen, on instants both ways of driving have in common. */
static void live(struct lane_world *w, bool only_when_asked)
{
    static const struct control_preflight paths = {.path = {PLAN_PATH_EGRESS}, .path_count = 1};
    begin(w, 400);
    w->turns_only_when_asked = only_when_asked;
    w->plan.fuzz_permille = 50;
    w->loses_every = 23;
    w->servers[1].drops_every = 17;
    lane_world_start(w);
    lane_preflight(w->lane, &paths, w->now_ns);
    lane_world_run(w, 10 * NS_PER_S);
    lane_world_go(w, 0, 0, 100000);
    lane_world_run(w, 70 * NS_PER_S);
    lane_world_go(w, 1, 0, 0);
    lane_world_run(w, 30 * NS_PER_S);
    w->servers[0].is_silent = true;
    lane_world_run(w, 70 * NS_PER_S);
    w->servers[0].is_silent = false;
    lane_world_run(w, 60 * NS_PER_S);
    for (uint32_t stage = 2; stage < 6; stage++) {
        lane_world_go(w, stage, 0, 100000);
        lane_world_run(w, 70 * NS_PER_S);
    }
    lane_world_drain(w, DRAIN_GRACEFUL, 100000);
    lane_world_run(w, 30 * NS_PER_S);
    assert_true(lane_is_drained(w->lane));
    lane_world_check(w);
}

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->t_us != y->t_us) {
        return x->t_us < y->t_us ? -1 : 1;
    }
    return x->client != y->client ? (x->client < y->client ? -1 : 1)
                                  : (x->kind > y->kind) - (x->kind < y->kind);
}

static void sort_events(struct lane_world *w)
{
    qsort(w->events, w->event_count, sizeof(*w->events), compare_events);
}

static bool is_same_event(const struct event *a, const struct event *b)
{
    return a->t_us == b->t_us && a->client == b->client && a->xid == b->xid &&
           a->lease_s == b->lease_s && a->offer_us == b->offer_us && a->took_us == b->took_us &&
           a->wait_us == b->wait_us && inet_equal(a->addr, b->addr) &&
           inet_equal(a->server, b->server) && a->tries == b->tries && a->flags == b->flags &&
           a->kind == b->kind && a->result == b->result && a->stage == b->stage;
}

static void a_turn_only_when_asked_for_gives_the_same_events_as_one_every_millisecond(void **state)
{
    (void)state;
    live(&world, false);
    live(&other, true);
    sort_events(&world);
    sort_events(&other);
    assert_true(world.event_count > 3000);
    assert_int_equal(world.event_count, other.event_count);
    for (size_t i = 0; i < world.event_count; i++) {
        if (!is_same_event(&world.events[i], &other.events[i])) {
            fail_msg("event %zu: client %u %s %s at %llu, and client %u %s %s at %llu", i,
                     world.events[i].client, event_kind_name((enum event_kind)world.events[i].kind),
                     event_result_name((enum event_result)world.events[i].result),
                     (unsigned long long)world.events[i].t_us, other.events[i].client,
                     event_kind_name((enum event_kind)other.events[i].kind),
                     event_result_name((enum event_result)other.events[i].result),
                     (unsigned long long)other.events[i].t_us);
        }
    }
    assert_int_equal(world.sent_count, other.sent_count);
    assert_true(other.turns < world.turns / 4);
    assert_true(other.most_turns_at_once <= 8);
    lane_world_fini(&world);
    lane_world_fini(&other);
}

static void an_idle_lane_wants_hardly_a_turn(void **state)
{
    (void)state;
    begin(&world, 400);
    world.turns_only_when_asked = true;
    world.servers[0].lease_s = world.servers[1].lease_s = 3600;
    lane_world_start(&world);
    lane_world_run(&world, 10 * NS_PER_S); /* before the first stage: nothing at all */
    assert_true(world.turns <= 2);
    lane_world_go(&world, 0, 300, 0);
    assert_true(lane_world_run_step(&world, 20 * NS_PER_S));
    lane_world_go(&world, 1, 0, 0);
    lane_world_run(&world, 5 * NS_PER_S);
    uint64_t before = world.turns;
    lane_world_run(&world, 1000 * NS_PER_S);
    assert_true(world.turns - before <= 1000);
    lane_world_fini(&world);
}

static void clients_that_wait_for_a_silent_server_let_the_lane_sleep(void **state)
{
    (void)state;
    begin(&world, 400);
    world.turns_only_when_asked = true;
    world.servers[0].is_silent = world.servers[1].is_silent = true;
    lane_world_start(&world);
    lane_world_go(&world, 0, 100, 0);
    lane_world_run(&world, 2 * NS_PER_S);
    uint64_t before = world.turns;
    lane_world_run(&world, 40 * NS_PER_S);
    /* 100 clients in flight, three retransmissions each: a turn for each, and a few of the wheel.
     */
    assert_true(world.turns - before <= 100 * 3 * 4);
    assert_true(world.most_turns_at_once <= 8);
    lane_world_fini(&world);
}

/* Whatever holds a lane up, it asks for a turn at most about a thousand times a second. */
static void a_lane_that_is_held_up_does_not_spin(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        begin(&world, 400);
        world.turns_only_when_asked = true;
        world.packets_per_s_max = what == 0 ? 10 : 0;
        lane_world_start(&world);
        lane_world_go(&world, 0, 0, 1000000);
        lane_world_run(&world, 20 * NS_PER_MS);
        if (what == 1) {
            lane_set_pressure(world.lane, 1000);
        } else if (what == 2) {
            lane_set_may_send(world.lane, false, world.now_ns);
        } else if (what == 3) {
            lane_world_drain(&world, DRAIN_GRACEFUL, 100);
        }
        uint64_t before = world.turns;
        lane_world_run(&world, 3 * NS_PER_S);
        assert_true(world.turns - before <= 3 * 1100);
        assert_true(world.most_turns_at_once <= 8);
        lane_world_check(&world);
        lane_world_fini(&world);
    }
}

static void after_a_drain_there_is_never_anything_to_do(void **state)
{
    (void)state;
    begin(&world, 400);
    world.turns_only_when_asked = true;
    lane_world_start(&world);
    lane_world_go(&world, 0, 300, 0);
    assert_true(lane_world_run_step(&world, 20 * NS_PER_S));
    lane_world_drain(&world, DRAIN_GRACEFUL, 100000);
    assert_true(lane_world_run_drained(&world, 20 * NS_PER_S));
    assert_true(lane_next_ns(world.lane) == UINT64_MAX);
    lane_world_fini(&world);
}

static void time_running_backwards_or_leaping_ahead_does_no_harm(void **state)
{
    (void)state;
    begin(&world, 400);
    lane_world_start(&world);
    lane_world_go(&world, 0, 300, 0);
    assert_true(lane_world_run_step(&world, 20 * NS_PER_S));
    lane_turn(world.lane, 0);
    lane_turn(world.lane, world.now_ns - 5 * NS_PER_S);
    world.now_ns += 7 * 86400 * NS_PER_S; /* the machine slept for a week */
    lane_world_turn(&world);
    lane_world_check(&world);
    assert_int_equal(lane_world_counter(&world, COUNTER_leases_expired), 400);
    lane_world_run(&world, 10 * NS_PER_S);
    assert_int_equal(lane_world_counter(&world, COUNTER_leases_reacquired), 400);
    lane_world_check(&world);
    lane_world_fini(&world);
}

/* The counter counts, or the next test would prove nothing. */
static void the_counter_of_allocations_counts(void **state)
{
    (void)state;
    size_t before = allocations;
    void *volatile memory = malloc(10);
    free(memory);
    assert_true(allocations > before);
}

static void nothing_is_allocated_after_the_lane_was_made(void **state)
{
    (void)state;
    begin(&world, 400);
    lane_world_start(&world);
    /* The world's own arrays grow; make them large before. */
    lane_world_go(&world, 0, 300, 0);
    for (uint64_t ms = 0; ms < 70000; ms++) {
        const struct lane_out *out;
        const struct event *events;
        struct control_progress progress;
        static struct snapshot snapshot;
        world.now_ns += NS_PER_MS;
        size_t before = allocations;
        lane_turn(world.lane, world.now_ns);
        size_t count = lane_outbox(world.lane, &out);
        for (size_t i = 0; i < count; i++) {
            struct model_reply replies[MODEL_REPLIES_MAX];
            size_t server = inet_equal(out[i].destination, world.servers[0].address) ? 0 : 1;
            lane_sent(world.lane, i, ms % 1000 == 7 ? 1 : 0, world.now_ns);
            if (model_server_take(&world.servers[server], out[i].bytes, out[i].size, world.now_ns,
                                  replies) > 0) {
                lane_world_inject(&world, out[i].carrier, out[i].port, 67, replies[0].bytes,
                                  replies[0].size);
            }
        }
        lane_outbox_clear(world.lane);
        lane_events_clear(world.lane, lane_events(world.lane, &events));
        lane_progress(world.lane, &progress);
        lane_snapshot(world.lane, &snapshot);
        (void)lane_next_ns(world.lane);
        if (ms == 40000) {
            lane_world_drain(&world, DRAIN_GRACEFUL, 100000);
        }
        assert_int_equal(allocations, before);
    }
    assert_true(lane_is_drained(world.lane));
    assert_true(lane_world_counter(&world, COUNTER_leases_renewed) > 0);
    lane_world_fini(&world);
}

/* DESIGN section 8: a client is a cache line, with its timer and its place in a queue. */
static void a_million_clients_take_hardly_more_than_their_cache_lines(void **state)
{
    (void)state;
    lane_world_init(&world, 2, 500000, 2);
    lane_world_add_stage(&world, PLAN_ACQUIRE, 0);
    lane_world_start(&world);
    assert_true(lane_memory_bytes(world.lane) >= UINT64_C(64) * 1000000);
    assert_true(lane_memory_bytes(world.lane) < UINT64_C(68) * 1000000);
    lane_world_fini(&world);
}

int main(void)
{
    count_allocations();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_of_allocations_counts),
        cmocka_unit_test(nothing_is_allocated_after_the_lane_was_made),
        cmocka_unit_test(time_running_backwards_or_leaping_ahead_does_no_harm),
        cmocka_unit_test(an_idle_lane_wants_hardly_a_turn),
        cmocka_unit_test(clients_that_wait_for_a_silent_server_let_the_lane_sleep),
        cmocka_unit_test(a_lane_that_is_held_up_does_not_spin),
        cmocka_unit_test(after_a_drain_there_is_never_anything_to_do),
        cmocka_unit_test(a_turn_only_when_asked_for_gives_the_same_events_as_one_every_millisecond),
        cmocka_unit_test(a_million_clients_take_hardly_more_than_their_cache_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
