/* SPDX-License-Identifier: MIT */
#include "tests/sim/sched.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "common/attrs.h"
#include "common/prng.h"
#include "tests/sim/fibre.h"

struct sim_task {
    struct sim_part *part;
    struct fibre fibre;
    sim_function *fn;
    void *argument;
    uint64_t wait_number; /* of its latest wait: older wake-ups mean nothing */
    bool is_waiting, was_woken, is_over;
    bool is_held_back; /* it was due while its part was stopped */
    struct sim_task *joiner;
    uint64_t second, turns_in_second;
};

struct instant {
    uint64_t at_ns, order;
    sim_callback *fn;
    void *context;
    uint64_t value;
};

static struct {
    uint64_t now_ns, order;
    struct instant *heap;
    size_t count, room;
    bool is_ended;
    struct fibre outside;
    struct sim_task *current;
    uint64_t sluggish_ns;
    struct prng prng;
    uint64_t hash, turns, most_turns_per_s;
} sim;

uint64_t sim_now(void)
{
    return sim.now_ns;
}

/* --- the heap --- */

static bool is_before(const struct instant *a, const struct instant *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

void sim_at(uint64_t at_ns, sim_callback *fn, void *context, uint64_t value)
{
    if (sim.count == sim.room) {
        sim.room = sim.room == 0 ? 1024 : 2 * sim.room;
        sim.heap = realloc(sim.heap, sim.room * sizeof(*sim.heap));
        assert(sim.heap != NULL);
    }
    struct instant new = {at_ns > sim.now_ns ? at_ns : sim.now_ns, sim.order++, fn, context, value};
    size_t i = sim.count++;
    for (; i > 0 && is_before(&new, &sim.heap[(i - 1) / 2]); i = (i - 1) / 2) {
        sim.heap[i] = sim.heap[(i - 1) / 2];
    }
    sim.heap[i] = new;
}

void sim_after(uint64_t span_ns, sim_callback *fn, void *context, uint64_t value)
{
    uint64_t left_ns = UINT64_MAX - sim.now_ns;
    sim_at(sim.now_ns + (span_ns < left_ns ? span_ns : left_ns), fn, context, value);
}

static struct instant take_first(void)
{
    struct instant first = sim.heap[0], last = sim.heap[--sim.count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= sim.count) {
            break;
        }
        if (child + 1 < sim.count && is_before(&sim.heap[child + 1], &sim.heap[child])) {
            child++;
        }
        if (!is_before(&sim.heap[child], &last)) {
            break;
        }
        sim.heap[i] = sim.heap[child];
        i = child;
    }
    sim.heap[i] = last;
    return first;
}

void sim_run(uint64_t until_ns)
{
    assert(sim.current == NULL);
    while (sim.count > 0 && !sim.is_ended && sim.heap[0].at_ns <= until_ns) {
        struct instant next = take_first();
        sim.now_ns = next.at_ns;
        next.fn(next.context, next.value);
    }
    sim.is_ended = false;
}

void sim_end(void)
{
    sim.is_ended = true;
}

void sim_set_sluggishness(uint64_t ns, uint64_t seed)
{
    sim.sluggish_ns = ns;
    sim.prng = prng_seeded(seed);
}

/* --- the trace --- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
        hash ^= hash >> 29;
    }
    for (; size > 0; size--, at++) {
        hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    }
    return hash ^ (hash >> 32);
}

void sim_trace(const char *what, const void *bytes, size_t size)
{
    sim.hash = hash_bytes(sim.hash ^ sim.now_ns, what, strlen(what));
    sim.hash = hash_bytes(sim.hash, bytes, size);
}

void sim_trace_number(const char *what, uint64_t value)
{
    sim_trace(what, &value, sizeof(value));
}

uint64_t sim_trace_hash(void)
{
    return sim.hash;
}

uint64_t sim_turns(void)
{
    return sim.turns;
}

uint64_t sim_most_turns_per_s(void)
{
    return sim.most_turns_per_s;
}

/* --- clocks --- */

static uint64_t drifted(const struct sim_host *host)
{
    int64_t gained = (int64_t)(sim.now_ns / 1000) * (host->drift_ppb / 1000) / 1000;
    return host->boot_ns + sim.now_ns + (uint64_t)gained;
}

uint64_t sim_host_boottime(const struct sim_part *part)
{
    return drifted(&part->host);
}

uint64_t sim_host_monotonic(const struct sim_part *part)
{
    uint64_t asleep_ns = part->suspended_from_ns == 0 ? 0 : sim.now_ns - part->suspended_from_ns;
    return drifted(&part->host) - part->host.suspended_ns - asleep_ns;
}

/* --- tasks --- */

struct sim_task *sim_current(void)
{
    return sim.current;
}

struct sim_part *sim_current_part(void)
{
    return sim.current == NULL ? NULL : sim.current->part;
}

bool sim_task_is_over(const struct sim_task *task)
{
    return task->is_over;
}

static void count_turn(struct sim_task *task)
{
    uint64_t second = sim.now_ns / NS_PER_S;
    if (task->second != second) {
        task->second = second;
        task->turns_in_second = 0;
    }
    task->turns_in_second++;
    sim.turns++;
    if (task->turns_in_second > sim.most_turns_per_s) {
        sim.most_turns_per_s = task->turns_in_second;
    }
    if (task->turns_in_second > SIM_TURNS_MOST_PER_S) {
        sim_end();
    }
}

static void run_task(struct sim_task *task)
{
    assert(sim.current == NULL);
    count_turn(task);
    sim.current = task;
    fibre_switch(&sim.outside, &task->fibre, false);
    sim.current = NULL;
    if (task->is_over || task->part->is_dead) {
        fibre_free(&task->fibre);
    }
}

static void leave(bool for_ever)
{
    struct sim_task *task = sim.current;
    fibre_switch(&task->fibre, &sim.outside, for_ever);
}

static void begin_task(void *argument)
{
    struct sim_task *task = argument;
    (void)task->fn(task->argument);
    task->is_over = true;
    sim_wake(task->joiner);
    leave(true);
    assert(false);
}

/* A wait has run its time, or was woken: the task runs, or waits for its part to go on. */
static void task_is_due(void *context, uint64_t wait_number)
{
    struct sim_task *task = context;
    if (task->is_over || task->part->is_dead || !task->is_waiting ||
        task->wait_number != wait_number) {
        return;
    }
    if (task->part->stops > 0) {
        task->is_held_back = true;
        return;
    }
    task->is_waiting = false;
    run_task(task);
}

struct sim_task *sim_task_new(struct sim_part *part, size_t stack_bytes, sim_function *fn,
                              void *argument)
{
    struct sim_task *task = calloc(1, sizeof(*task));
    assert(task != NULL);
    task->part = part;
    task->fn = fn;
    task->argument = argument;
    fibre_new(&task->fibre, stack_bytes, begin_task, task);
    size_t i = 0;
    while (i < SIM_TASKS_MAX && part->task[i] != NULL && !part->task[i]->is_over) {
        i++;
    }
    assert(i < SIM_TASKS_MAX);
    part->task[i] = task;
    task->is_waiting = true;
    sim_at(sim.now_ns, task_is_due, task, task->wait_number);
    return task;
}

static uint64_t delay_of_scheduler(void)
{
    return sim.sluggish_ns == 0 ? 0 : prng_below(&sim.prng, sim.sluggish_ns);
}

bool sim_wait(uint64_t host_ns)
{
    struct sim_task *task = sim.current;
    assert(task != NULL && !task->part->is_dead);
    task->wait_number++;
    task->is_waiting = true;
    task->was_woken = false;
    task->is_held_back = false;
    /* A turn costs time, too: nobody who never sleeps may stop the world. */
    uint64_t late_ns = NS_PER_US + delay_of_scheduler();
    uint64_t most_ns = UINT64_MAX / 4;
    sim_after((host_ns < most_ns ? host_ns : most_ns) + late_ns, task_is_due, task,
              task->wait_number);
    leave(false);
    return task->was_woken;
}

void sim_wake(struct sim_task *task)
{
    if (task == NULL || task->is_over || task->part->is_dead || !task->is_waiting ||
        task->was_woken) {
        return;
    }
    task->was_woken = true;
    sim_after(delay_of_scheduler(), task_is_due, task, task->wait_number);
}

void sim_join(struct sim_task *task)
{
    task->joiner = sim.current;
    while (!task->is_over) {
        (void)sim_wait(3600 * NS_PER_S);
    }
}

/* --- parts --- */

void sim_stop(struct sim_part *part)
{
    part->stops++;
}

void sim_continue(struct sim_part *part)
{
    assert(part->stops > 0);
    part->stops--;
    for (size_t i = 0; part->stops == 0 && i < SIM_TASKS_MAX; i++) {
        struct sim_task *task = part->task[i];
        if (task != NULL && task->is_held_back) {
            task->is_held_back = false;
            sim_after(delay_of_scheduler(), task_is_due, task, task->wait_number);
        }
    }
}

void sim_suspend(struct sim_part *part)
{
    assert(part->suspended_from_ns == 0);
    part->suspended_from_ns = sim.now_ns;
    sim_stop(part);
}

void sim_resume(struct sim_part *part)
{
    part->host.suspended_ns += sim.now_ns - part->suspended_from_ns;
    part->suspended_from_ns = 0;
    sim_continue(part);
}

void sim_kill(struct sim_part *part)
{
    if (part->is_dead) {
        return;
    }
    bool is_own = sim_current_part() == part;
    part->is_dead = true;
    if (part->died != NULL) {
        part->died(part);
    }
    for (size_t i = 0; i < SIM_TASKS_MAX; i++) {
        if (part->task[i] != NULL && !part->task[i]->is_over && part->task[i] != sim.current) {
            fibre_free(&part->task[i]->fibre);
        }
    }
    if (is_own) {
        leave(true);
    }
}
