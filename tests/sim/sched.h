/* SPDX-License-Identifier: MIT */
/*
 * Virtual time: one heap of instants, and coroutines in place of threads. A
 * part is what a process is in the world: it has a host with clocks, it can be
 * stopped, suspended and killed. A task is one of its threads.
 *
 * Everything that happens, happens in a callback of the heap; equal instants keep
 * their order. So a seed gives the same run each time, whatever the machine does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A task that turns more often has lost its way: the world ends. */
enum { SIM_TASKS_MAX = 4, SIM_NAME_BYTES = 16, SIM_TURNS_MOST_PER_S = 60000 };

/* A host's clocks, from true time. */
struct sim_host {
    uint64_t boot_ns;      /* CLOCK_MONOTONIC and CLOCK_BOOTTIME at true time 0 */
    int64_t drift_ppb;     /* faster than true time */
    uint64_t suspended_ns; /* CLOCK_MONOTONIC stood still for so long */
    int64_t wall_step_ns;  /* CLOCK_REALTIME was set */
};

struct sim_task;

struct sim_part {
    char name[SIM_NAME_BYTES];
    struct sim_host host;
    struct sim_task *task[SIM_TASKS_MAX];
    bool is_dead;
    unsigned stops;             /* stopped as often as this; runs at 0 */
    uint64_t suspended_from_ns; /* true time; 0: not suspended */
    void (*died)(struct sim_part *part);
};

typedef void sim_callback(void *context, uint64_t value);
typedef void *sim_function(void *argument);

uint64_t sim_now(void); /* true time, ns since the world began */
/* Runs fn(context, value) at that instant; one in the past runs next. */
void sim_at(uint64_t at_ns, sim_callback *fn, void *context, uint64_t value);
void sim_after(uint64_t span_ns, sim_callback *fn, void *context, uint64_t value);
/* Until the heap is empty, sim_end() is called or `until_ns` has come. */
void sim_run(uint64_t until_ns);
void sim_end(void);
/* How late a task that is due may come to run, at most. */
void sim_set_sluggishness(uint64_t ns, uint64_t seed);

/* The task begins when the heap next runs. */
struct sim_task *sim_task_new(struct sim_part *part, size_t stack_bytes, sim_function *fn,
                              void *argument);
struct sim_task *sim_current(void); /* NULL: a callback runs */
struct sim_part *sim_current_part(void);
bool sim_task_is_over(const struct sim_task *task);

/* For tasks: waits so long by its host's clock, or until woken; true when woken. */
bool sim_wait(uint64_t host_ns);
void sim_wake(struct sim_task *task); /* NULL and the dead are fine */
void sim_join(struct sim_task *task); /* waits for its end */

void sim_stop(struct sim_part *part); /* SIGSTOP; counted */
void sim_continue(struct sim_part *part);
/* The host sleeps: CLOCK_MONOTONIC stands still meanwhile, CLOCK_BOOTTIME does not. */
void sim_suspend(struct sim_part *part);
void sim_resume(struct sim_part *part);
/* SIGKILL. Called by a task of the part itself it does not return. */
void sim_kill(struct sim_part *part);

uint64_t sim_host_monotonic(const struct sim_part *part);
uint64_t sim_host_boottime(const struct sim_part *part);

/* The trace: everything that happens is mixed in, in its order. */
void sim_trace(const char *what, const void *bytes, size_t size);
void sim_trace_number(const char *what, uint64_t value);
uint64_t sim_trace_hash(void);
/* Turns of tasks so far, and the most within one virtual second of one task. */
uint64_t sim_turns(void);
uint64_t sim_most_turns_per_s(void);
