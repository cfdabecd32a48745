/* SPDX-License-Identifier: MIT */
#include "agent/observer/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/observer/parse/proc_text.h"
#include "agent/observer/parse/text.h"
#include "agent/observer/read_text.h"

enum { PATH_BYTES = 96, STAT_BYTES = 1024, STATUS_BYTES = 4096 };

#define US_PER_S  UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

void threads_init(struct threads *t)
{
    memset(t, 0, sizeof(*t));
}

static void close_looks(struct threads *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->stat_fd[i] >= 0) {
            (void)close(t->stat_fd[i]); /* it was read only */
        }
    }
    t->count = 0;
}

void threads_close(struct threads *t)
{
    close_looks(t);
}

static void begin_anew(struct threads *t, uint64_t instance)
{
    close_looks(t);
    threads_init(t);
    t->instance = instance;
}

/* --- looks --- */

static bool is_list_old(const struct threads *t, const struct observer_target *target)
{
    size_t count =
        target->thread_count < THREADS_LOOKED_AT ? target->thread_count : THREADS_LOOKED_AT;
    return t->count != count ||
           memcmp(t->thread, target->thread, count * sizeof(t->thread[0])) != 0;
}

static void open_looks(struct threads *t, const struct observer_target *target)
{
    close_looks(t);
    for (size_t i = 0; i < target->thread_count && i < THREADS_LOOKED_AT; i++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)target->pid,
                       (int)target->thread[i]);
        t->thread[t->count] = target->thread[i];
        t->stat_fd[t->count++] = open(path, O_RDONLY | O_CLOEXEC);
    }
}

void threads_look(struct threads *t, const struct observer_target *target)
{
    if (t->instance != target->instance) {
        begin_anew(t, target->instance);
    }
    if (is_list_old(t, target)) {
        open_looks(t, target);
    }
    bool was_seen = false, is_in_disk = false;
    for (size_t i = 0; i < t->count; i++) {
        char text[STAT_BYTES];
        struct proc_stat stat;
        if (t->stat_fd[i] >= 0 && read_text_at(t->stat_fd[i], text, sizeof(text)) > 0 &&
            proc_parse_stat(text, &stat)) {
            was_seen = true;
            is_in_disk = is_in_disk || stat.state == 'D';
        }
    }
    t->looks += was_seen;
    t->looks_in_disk += is_in_disk;
}

/* --- once a second --- */

/* Ticks are what the kernel shows them in, whatever it counts in. */
static double ticks_to_us(uint64_t ticks)
{
    long per_s = sysconf(_SC_CLK_TCK);
    return (double)ticks * (double)US_PER_S / (double)(per_s > 0 ? per_s : 100);
}

static void observe_process(const struct observer_target *target, struct observation *out)
{
    char path[PATH_BYTES], text[STAT_BYTES];
    struct proc_stat stat;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)target->pid);
    int rc = read_text(path, text, sizeof(text));
    if (rc <= 0 || !proc_parse_stat(text, &stat)) {
        /* Every kernel has it: the process ended since it was looked for. */
        enum availability why = rc == -ENOENT ? AVAILABLE_NOT_APPLICABLE : availability_of(rc);
        observation_lacks(out, OBSERVER_cpu_user, why);
        observation_lacks(out, OBSERVER_cpu_system, why);
        observation_lacks(out, OBSERVER_rss, why);
        return;
    }
    long page_bytes = sysconf(_SC_PAGESIZE);
    observation_set(out, OBSERVER_cpu_user, ticks_to_us(stat.user_ticks));
    observation_set(out, OBSERVER_cpu_system, ticks_to_us(stat.system_ticks));
    observation_set(out, OBSERVER_rss, (double)stat.resident_pages * (double)page_bytes);
}

/* False: this kernel does not count it, or the thread has ended. */
static bool add_times(struct threads *t, pid_t pid, pid_t thread)
{
    char path[PATH_BYTES], text[STAT_BYTES];
    uint64_t run_ns = 0, wait_ns = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)thread);
    if (read_text(path, text, sizeof(text)) <= 0 ||
        !proc_parse_schedstat(text, &run_ns, &wait_ns)) {
        return false;
    }
    tally_add(&t->run_ns, (uint64_t)thread, run_ns);
    tally_add(&t->wait_ns, (uint64_t)thread, wait_ns);
    return true;
}

static bool add_switches(struct threads *t, pid_t pid, pid_t thread)
{
    char path[PATH_BYTES], text[STATUS_BYTES];
    uint64_t voluntary = 0, involuntary = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)thread);
    if (read_text(path, text, sizeof(text)) <= 0 ||
        !text_named_number(text, "voluntary_ctxt_switches", &voluntary) ||
        !text_named_number(text, "nonvoluntary_ctxt_switches", &involuntary)) {
        return false;
    }
    tally_add(&t->voluntary, (uint64_t)thread, voluntary);
    tally_add(&t->involuntary, (uint64_t)thread, involuntary);
    return true;
}

static void set_or_lack(struct observation *out, enum observer_metric m, bool is_known,
                        uint64_t value)
{
    if (is_known) {
        observation_set(out, m, (double)value);
    } else {
        observation_lacks(out, m, AVAILABLE_NO_KERNEL);
    }
}

static void observe_threads(struct threads *t, const struct observer_target *target,
                            struct observation *out)
{
    bool has_times = false, has_switches = false;
    struct tally *all[] = {&t->run_ns, &t->wait_ns, &t->voluntary, &t->involuntary};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        tally_begin(all[i]);
    }
    for (size_t i = 0; i < target->thread_count; i++) {
        has_times = add_times(t, target->pid, target->thread[i]) || has_times;
        has_switches = add_switches(t, target->pid, target->thread[i]) || has_switches;
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        tally_end(all[i]);
    }
    set_or_lack(out, OBSERVER_cpu_busiest_thread, has_times, t->run_ns.largest / NS_PER_US);
    set_or_lack(out, OBSERVER_runqueue_wait, has_times, t->wait_ns.total / NS_PER_US);
    set_or_lack(out, OBSERVER_runqueue_wait_busiest, has_times, t->wait_ns.largest / NS_PER_US);
    set_or_lack(out, OBSERVER_switches_voluntary, has_switches, t->voluntary.total);
    set_or_lack(out, OBSERVER_switches_involuntary, has_switches, t->involuntary.total);
    observation_set(out, OBSERVER_threads, (double)target->thread_count);
}

/* Of the whole process, threads that have ended included. */
static void observe_writes(const struct observer_target *target, struct observation *out)
{
    char path[PATH_BYTES], text[STAT_BYTES];
    uint64_t calls = 0, bytes = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/io", (int)target->pid);
    int rc = read_text(path, text, sizeof(text));
    if (rc > 0 && text_named_number(text, "syscw", &calls) &&
        text_named_number(text, "write_bytes", &bytes)) {
        observation_set(out, OBSERVER_io_write_calls, (double)calls);
        observation_set(out, OBSERVER_io_write_bytes, (double)bytes);
        return;
    }
    observation_lacks(out, OBSERVER_io_write_calls, availability_of(rc));
    observation_lacks(out, OBSERVER_io_write_bytes, availability_of(rc));
}

static void observe_nobody(struct observation *out)
{
    static const enum observer_metric mine[] = {OBSERVER_cpu_user,
                                                OBSERVER_cpu_system,
                                                OBSERVER_cpu_busiest_thread,
                                                OBSERVER_runqueue_wait,
                                                OBSERVER_runqueue_wait_busiest,
                                                OBSERVER_switches_voluntary,
                                                OBSERVER_switches_involuntary,
                                                OBSERVER_threads,
                                                OBSERVER_rss,
                                                OBSERVER_state_samples,
                                                OBSERVER_state_disk,
                                                OBSERVER_io_write_calls,
                                                OBSERVER_io_write_bytes};
    for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
        observation_lacks(out, mine[i], AVAILABLE_NOT_APPLICABLE);
    }
}

void threads_observe(struct threads *t, const struct observer_target *target,
                     struct observation *out)
{
    if (t->instance != target->instance) {
        begin_anew(t, target->instance);
    }
    if (target->pid == 0) {
        observe_nobody(out);
        return;
    }
    observe_process(target, out);
    observe_threads(t, target, out);
    observation_set(out, OBSERVER_state_samples, (double)t->looks);
    observation_set(out, OBSERVER_state_disk, (double)t->looks_in_disk);
    observe_writes(target, out);
}
