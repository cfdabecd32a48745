/* SPDX-License-Identifier: MIT */
/*
 * usage: leaseherd-bench-wheel ENTRIES
 *
 * What a timer costs with so many of them, in records of 64 bytes: set for the first time, moved,
 * fired and set anew, deadlines uniform in half an hour; and the longest turn of a millisecond.
 * Every firing is checked. Prints JSON, CPU time. exit: 0, 2 usage, 6 out of memory or a timer that
 * was early or late.
 */
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/edge/huge_pages.h"
#include "common/attrs.h"
#include "common/clock.h"
#include "common/prng.h"
#include "common/timer_wheel.h"

enum { RECORD_BYTES = 64, FIRED_PER_CALL = 256, SPAN_S = 1800, STRIDE = 7919 };

#define SPAN_NS (SPAN_S * NS_PER_S)

struct record {
    struct timer_link link;
    uint64_t deadline_ns;
    uint8_t other[RECORD_BYTES - sizeof(struct timer_link) - sizeof(uint64_t)];
};

static_assert(sizeof(struct record) == RECORD_BYTES, "a record is a cache line");

struct bench {
    struct timer_wheel *wheel;
    struct record *records;
    uint32_t count;
    struct prng prng;
    uint64_t now_ns;
    bool is_wrong;
};

static uint64_t deadline_of(const void *context, uint32_t entry)
{
    const struct bench *b = context;
    return b->records[entry].deadline_ns;
}

static void arm(struct bench *b, uint32_t entry)
{
    uint64_t at_ns = b->now_ns + prng_below(&b->prng, SPAN_NS);
    b->records[entry].deadline_ns = at_ns;
    timer_wheel_set(b->wheel, entry, at_ns);
}

/* CPU time: other processes are not the wheel's doing. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* cannot fail: every kernel has it */
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static double set_all(struct bench *b, uint32_t stride)
{
    uint64_t begun_ns = cpu_ns();
    for (uint64_t i = 0; i < b->count; i++) {
        arm(b, (uint32_t)(i * stride % b->count));
    }
    return (double)(cpu_ns() - begun_ns) / b->count;
}

/* A turn of a lane: time goes on, what is due is armed again. */
static uint32_t turn(struct bench *b)
{
    uint32_t fired[FIRED_PER_CALL], total = 0, count;
    uint64_t before_ns = b->now_ns;
    b->now_ns += NS_PER_MS;
    do {
        count = timer_wheel_advance(b->wheel, b->now_ns, fired, FIRED_PER_CALL);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t at_ns = b->records[fired[i]].deadline_ns;
            b->is_wrong =
                b->is_wrong || at_ns > b->now_ns || at_ns + TIMER_WHEEL_TICK_NS < before_ns;
            arm(b, fired[i]);
        }
        total += count;
    } while (count == FIRED_PER_CALL);
    return total;
}

int main(int argc, char **argv)
{
    uint64_t count = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (count < 1 || count > 50 * 1000 * 1000 || count % STRIDE == 0) {
        fprintf(stderr, "usage: leaseherd-bench-wheel ENTRIES (1 to 50000000, not k * %d)\n",
                STRIDE);
        return 2;
    }
    struct bench b = {.count = (uint32_t)count, .prng = prng_seeded(1), .now_ns = NS_PER_S};
    b.records = aligned_alloc(RECORD_BYTES, count * sizeof(*b.records));
    const struct timer_wheel_entries entries = {b.records, sizeof(*b.records),
                                                offsetof(struct record, link), deadline_of, &b};
    b.wheel = timer_wheel_new(&entries, b.now_ns);
    if (b.records == NULL || b.wheel == NULL) {
        return 6;
    }
    memset(b.records, 0, count * sizeof(*b.records));
    huge_pages_ask(b.records, count * sizeof(*b.records));
    double set_ns = set_all(&b, 1);
    double move_ns = set_all(&b, 1);
    double scattered_ns = set_all(&b, STRIDE);
    uint64_t fired = 0, begun_ns = cpu_ns(), at_ns = clock_monotonic_ns(), longest_ns = 0;
    while (fired < 2 * count) {
        fired += turn(&b);
        uint64_t before_ns = at_ns;
        at_ns = clock_monotonic_ns();
        longest_ns = at_ns - before_ns > longest_ns ? at_ns - before_ns : longest_ns;
    }
    double fire_ns = (double)(cpu_ns() - begun_ns) / (double)fired;
    printf("{\"entries\": %" PRIu64 ", \"set_ns\": %.1f, \"move_ns\": %.1f, \"move_scattered_ns\": "
           "%.1f, \"fire_and_set_ns\": %.1f, \"longest_turn_us\": %.1f}\n",
           count, set_ns, move_ns, scattered_ns, fire_ns, (double)longest_ns / 1000);
    timer_wheel_free(b.wheel);
    free(b.records);
    if (b.is_wrong) {
        fprintf(stderr, "bench wheel: a timer fired early or late\n");
        return 6;
    }
    return 0;
}
