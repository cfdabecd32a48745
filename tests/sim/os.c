/* SPDX-License-Identifier: MIT */
#include "tests/sim/os.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/clock.h"
#include "tests/sim/world.h"

enum { FD_FIRST = 1 << 20, FDS_MAX = 4096, SIGNALS_MAX = 8, LANE_STACK_BYTES = 512 * 1024 };

/* 2026-01-01T00:00:00Z: when every world begins. */
#define WALL_BEGIN_NS (UINT64_C(1767225600) * NS_PER_S)

int __real_close(int fd);
long __real_sysconf(int name);
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __real_write(int fd, const void *buffer, size_t size);

int __wrap_close(int fd);
int __wrap_eventfd(unsigned count, int flags);
void clock_wait_until_ns(uint64_t monotonic_ns, bool spins)
{
    (void)spins; /* there is nobody to take the processor from */
    for (uint64_t now_ns; (now_ns = clock_monotonic_ns()) < monotonic_ns;) {
        (void)sim_wait(monotonic_ns - now_ns);
    }
}

int __wrap_gethostname(char *name, size_t size);
int __wrap_getrusage(int who, struct rusage *usage);
int __wrap_posix_fallocate(int fd, off_t at, off_t size);
int __wrap_signalfd(int fd, const sigset_t *set, int flags);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, sim_function *fn,
                          void *argument);
int __wrap_pthread_join(pthread_t thread, void **out);
long __wrap_sysconf(int name);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);

struct world_fd {
    bool is_signals;
    uint64_t count;
    struct sim_task *watcher;
};

static struct world_fd fds[FDS_MAX];
static size_t fd_count;
static int signals[SIGNALS_MAX];
static size_t signal_count;
static struct sim_task *signal_watcher;

/* --- descriptors --- */

static struct world_fd *find(int fd)
{
    return fd >= FD_FIRST && (size_t)(fd - FD_FIRST) < fd_count ? &fds[fd - FD_FIRST] : NULL;
}

int os_event_fd(void)
{
    assert(fd_count < FDS_MAX);
    memset(&fds[fd_count], 0, sizeof(fds[fd_count]));
    return FD_FIRST + (int)fd_count++;
}

void os_event_set(int fd)
{
    struct world_fd *w = find(fd);
    assert(w != NULL);
    w->count++;
    sim_wake(w->watcher);
}

static bool is_ready(const struct world_fd *w)
{
    return w->is_signals ? signal_count > 0 : w->count > 0;
}

bool os_fd_look(int fd, bool *out_ready)
{
    const struct world_fd *w = find(fd);
    if (w != NULL) {
        *out_ready = is_ready(w);
    }
    return w != NULL;
}

void os_fd_watch(int fd, struct sim_task *task)
{
    struct world_fd *w = find(fd);
    if (w != NULL) {
        w->watcher = task;
        signal_watcher = w->is_signals ? task : signal_watcher;
    }
}

int os_poll(struct pollfd *polled, size_t count, struct sim_task *task)
{
    int ready = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_readable = false;
        polled[i].revents = 0;
        if (os_fd_look(polled[i].fd, &is_readable) && is_readable) {
            polled[i].revents = POLLIN;
            ready++;
        }
        os_fd_watch(polled[i].fd, task);
    }
    return ready;
}

void os_signal(int signal_number)
{
    if (signal_count < SIGNALS_MAX) {
        signals[signal_count++] = signal_number;
        sim_wake(signal_watcher);
    }
}

void os_forget_signals(void)
{
    signal_count = 0;
    signal_watcher = NULL;
}

static ssize_t read_signal(void *buffer, size_t size)
{
    struct signalfd_siginfo info;
    if (signal_count == 0) {
        errno = EAGAIN;
        return -1;
    }
    assert(size == sizeof(info));
    memset(&info, 0, sizeof(info));
    info.ssi_signo = (uint32_t)signals[0];
    signal_count--;
    memmove(signals, signals + 1, signal_count * sizeof(signals[0]));
    memcpy(buffer, &info, sizeof(info));
    return (ssize_t)sizeof(info);
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    struct world_fd *w = find(fd);
    if (w == NULL) {
        return __real_read(fd, buffer, size);
    }
    if (w->is_signals) {
        return read_signal(buffer, size);
    }
    if (w->count == 0) {
        errno = EAGAIN;
        return -1;
    }
    assert(size == sizeof(w->count));
    memcpy(buffer, &w->count, sizeof(w->count));
    w->count = 0;
    return (ssize_t)sizeof(w->count);
}

ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
    if (find(fd) == NULL) {
        return __real_write(fd, buffer, size);
    }
    os_event_set(fd);
    return (ssize_t)size;
}

int __wrap_close(int fd)
{
    struct world_fd *w = find(fd);
    if (w == NULL) {
        return __real_close(fd);
    }
    w->watcher = NULL;
    return 0;
}

int __wrap_eventfd(unsigned count, int flags)
{
    (void)flags;
    assert(count == 0);
    return os_event_fd();
}

int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
    (void)set;
    (void)flags;
    assert(fd == -1);
    int made = os_event_fd();
    find(made)->is_signals = true;
    return made;
}

/* --- threads --- */

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, sim_function *fn,
                          void *argument)
{
    assert(attr == NULL);
    struct sim_task *task = sim_task_new(sim_current_part(), LANE_STACK_BYTES, fn, argument);
    static_assert(sizeof(*out) >= sizeof(struct sim_task *), "a handle holds a pointer");
    memset(out, 0, sizeof(*out));
    memcpy(out, &task, sizeof(struct sim_task *));
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **out)
{
    struct sim_task *task;
    assert(out == NULL);
    memcpy(&task, &thread, sizeof(struct sim_task *));
    sim_join(task);
    return 0;
}

/* --- the host --- */

/* A file system of memory would take 64 MiB of it for each agent's ring. */
int __wrap_posix_fallocate(int fd, off_t at, off_t size)
{
    return ftruncate(fd, at + size) == 0 ? 0 : errno;
}

static const struct sim_part *here(void)
{
    const struct sim_part *part = sim_current_part();
    return part != NULL ? part : world_any_part();
}

uint64_t clock_monotonic_ns(void)
{
    return sim_host_monotonic(here());
}

uint64_t clock_boottime_ns(void)
{
    return sim_host_boottime(here());
}

uint64_t clock_realtime_ns(void)
{
    return WALL_BEGIN_NS + sim_now() + (uint64_t)here()->host.wall_step_ns;
}

int __wrap_gethostname(char *name, size_t size)
{
    (void)snprintf(name, size, "host-%s", here()->name);
    return 0;
}

long __wrap_sysconf(int name)
{
    return name == _SC_NPROCESSORS_ONLN ? 2 : __real_sysconf(name);
}

int __wrap_getrusage(int who, struct rusage *usage)
{
    (void)who;
    memset(usage, 0, sizeof(*usage));
    uint64_t used_us = sim_now() / NS_PER_US * OS_CPU_PERMILLE / 1000;
    usage->ru_utime.tv_sec = (time_t)(used_us / 1000000);
    usage->ru_utime.tv_usec = (__typeof__(usage->ru_utime.tv_usec))(used_us % 1000000);
    return 0;
}
