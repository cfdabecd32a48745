/* SPDX-License-Identifier: MIT */
#include "agent/edge/lane_thread.h"
#include "agent/edge/huge_pages.h"
#include "agent/edge/lane_thread_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"

static int make_shared(struct lane_thread *t, size_t relay_count)
{
    t->preflight = calloc(relay_count + 1, sizeof(*t->preflight));
    t->preflight_room = relay_count;
    t->histogram_version = calloc(lane_histogram_count(t->lane) + 1, sizeof(uint64_t));
    t->copy = calloc(1, sizeof(*t->copy));
    if (t->preflight == NULL || t->histogram_version == NULL || t->copy == NULL ||
        spsc_init(&t->commands, LANE_THREAD_COMMANDS, sizeof(struct lane_command)) < 0 ||
        spsc_init(&t->events, LANE_THREAD_EVENTS, sizeof(struct event)) < 0 ||
        spsc_init(&t->histograms, LANE_THREAD_HISTOGRAMS, sizeof(struct lane_histogram_copy)) < 0) {
        return -ENOMEM;
    }
    t->wake_lane_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->wake_link_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return t->wake_lane_fd < 0 || t->wake_link_fd < 0 ? -errno : 0;
}

/* Commands the lane did not come to. */
static void forget_commands(struct lane_thread *t)
{
    struct lane_command command;
    while (spsc_pop(&t->commands, &command)) {
        if (command.kind == LANE_DO_ADOPT) {
            free(command.u.adopt.leases);
        } else if (command.kind == LANE_DO_TAKE) {
            free(command.u.take);
        }
    }
}

static void release(struct lane_thread *t)
{
    forget_commands(t);
    lane_free(t->lane);
    udp_close(t->udp);
    spsc_fini(&t->commands);
    spsc_fini(&t->events);
    spsc_fini(&t->histograms);
    if (t->wake_lane_fd >= 0) {
        (void)close(t->wake_lane_fd);
    }
    if (t->wake_link_fd >= 0) {
        (void)close(t->wake_link_fd);
    }
    free(t->preflight);
    free(t->histogram_version);
    free(t->copy);
    free(t);
}

/* Signals are the link thread's business. */
static int start_blocked(struct lane_thread *t)
{
    sigset_t all, former;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &former);
    if (rc != 0) {
        return -rc;
    }
    rc = pthread_create(&t->thread, NULL, lane_loop, t);
    int restored = pthread_sigmask(SIG_SETMASK, &former, NULL);
    return rc != 0 ? -rc : -restored;
}

int lane_thread_start(struct lane *lane_take, struct udp *udp_take, size_t relay_count,
                      bool may_spin, struct lane_thread **out)
{
    struct lane_thread *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        lane_free(lane_take);
        udp_close(udp_take);
        return -ENOMEM;
    }
    t->lane = lane_take;
    t->udp = udp_take;
    t->may_spin = may_spin;
    t->wake_lane_fd = -1;
    t->wake_link_fd = -1;
    t->ready_ns = clock_monotonic_ns();
    t->cpu_at_ready_ns = lane_loop_cpu_ns();
    size_t record_bytes;
    void *records = lane_records(t->lane, &record_bytes);
    huge_pages_ask(records, record_bytes);
    int rc = make_shared(t, relay_count);
    if (rc == 0) {
        rc = udp_watch(t->udp, t->wake_lane_fd);
    }
    if (rc == 0) {
        rc = start_blocked(t);
    }
    if (rc < 0) {
        release(t);
        return rc;
    }
    *out = t;
    return 0;
}

static void wake_lane(struct lane_thread *t)
{
    uint64_t one = 1;
    /* Fails only when the counter is full, and then the lane is awake anyway. */
    ssize_t ignored = write(t->wake_lane_fd, &one, sizeof(one));
    (void)ignored;
}

void lane_thread_free(struct lane_thread *t)
{
    if (t == NULL) {
        return;
    }
    atomic_store_explicit(&t->alone_until_ns, 0, memory_order_release);
    atomic_store_explicit(&t->lease_until_ns, 0, memory_order_release);
    atomic_store_explicit(&t->is_stopping, true, memory_order_release);
    wake_lane(t);
    (void)pthread_join(t->thread, NULL); /* cannot fail: it is ours and not joined */
    release(t);
}

int lane_thread_fd(const struct lane_thread *t)
{
    return t->wake_link_fd;
}

void lane_thread_awake(struct lane_thread *t)
{
    uint64_t count = 0;
    ssize_t ignored = read(t->wake_link_fd, &count, sizeof(count)); /* EAGAIN: nothing was told */
    (void)ignored;
    atomic_store_explicit(&t->has_news, false, memory_order_seq_cst);
}

bool lane_thread_command(struct lane_thread *t, const struct lane_command *command)
{
    if (!spsc_push(&t->commands, command)) {
        return false;
    }
    wake_lane(t);
    return true;
}

bool lane_thread_adopt(struct lane_thread *t, const struct control_adopt *adopt)
{
    struct lane_command command = {.kind = LANE_DO_ADOPT};
    struct lane_adoption *copy = &command.u.adopt;
    copy->lease_count = adopt->lease_count;
    copy->leases = calloc(adopt->lease_count + 1, sizeof(*copy->leases));
    if (copy->leases == NULL) {
        return false;
    }
    memcpy(copy->leases, adopt->leases, adopt->lease_count * sizeof(*copy->leases));
    if (!lane_thread_command(t, &command)) {
        free(copy->leases);
        return false;
    }
    return true;
}

bool lane_thread_take(struct lane_thread *t, const struct control_take *take)
{
    size_t shares = take->share_count * sizeof(*take->shares);
    size_t clients = take->client_count * sizeof(*take->clients);
    struct control_take *copy = malloc(sizeof(*copy) + shares + clients);
    if (copy == NULL) {
        return false;
    }
    *copy = *take;
    uint8_t *rows = (uint8_t *)(copy + 1);
    memcpy(rows, take->shares, shares);
    if (clients > 0) {
        memcpy(rows + shares, take->clients, clients);
    }
    copy->shares = (const struct control_take_share *)(const void *)rows;
    copy->clients = (const struct control_taken *)(const void *)(rows + shares);
    const struct lane_command command = {.kind = LANE_DO_TAKE, .u.take = copy};
    if (!lane_thread_command(t, &command)) {
        free(copy);
        return false;
    }
    return true;
}

bool lane_thread_take_done(struct lane_thread *t, bool *out_was_taken)
{
    int state = atomic_exchange_explicit(&t->take_state, TAKE_NONE, memory_order_acq_rel);
    *out_was_taken = state == TAKE_DONE;
    return state != TAKE_NONE;
}

void lane_thread_set_lease(struct lane_thread *t, uint64_t until_boottime_ns,
                           uint64_t alone_until_boottime_ns)
{
    atomic_store_explicit(&t->alone_until_ns, alone_until_boottime_ns, memory_order_release);
    uint64_t former =
        atomic_exchange_explicit(&t->lease_until_ns, until_boottime_ns, memory_order_acq_rel);
    if (former <= clock_boottime_ns()) {
        wake_lane(t); /* it had none: due sends are waiting */
    }
}

bool lane_thread_take_halt(struct lane_thread *t, struct send_halt *out)
{
    if (!atomic_load_explicit(&t->halt_is_full, memory_order_acquire)) {
        return false;
    }
    *out = t->halt;
    atomic_store_explicit(&t->halt_is_full, false, memory_order_release);
    return true;
}

void lane_thread_set_pressure(struct lane_thread *t, uint32_t permille)
{
    atomic_store_explicit(&t->pressure_permille, permille, memory_order_relaxed);
}

size_t lane_thread_take_events(struct lane_thread *t, struct event *out, size_t count)
{
    return spsc_pop_many(&t->events, out, count);
}

size_t lane_thread_events_waiting(struct lane_thread *t)
{
    return spsc_used(&t->events);
}

bool lane_thread_take_progress(struct lane_thread *t, struct control_progress *out)
{
    if (!atomic_load_explicit(&t->progress_is_full, memory_order_acquire)) {
        return false;
    }
    *out = t->progress;
    atomic_store_explicit(&t->progress_is_full, false, memory_order_release);
    return true;
}

bool lane_thread_take_histogram(struct lane_thread *t, struct lane_histogram_copy *out)
{
    return spsc_pop(&t->histograms, out);
}

bool lane_thread_take_snapshot(struct lane_thread *t, struct snapshot *out)
{
    if (!atomic_load_explicit(&t->snapshot_is_full, memory_order_acquire)) {
        return false;
    }
    *out = t->snapshot;
    atomic_store_explicit(&t->snapshot_is_full, false, memory_order_release);
    return true;
}

bool lane_thread_take_preflight(struct lane_thread *t,
                                const struct control_preflight_relay **out_relays,
                                size_t *out_count)
{
    if (!atomic_load_explicit(&t->preflight_is_full, memory_order_acquire)) {
        return false;
    }
    *out_relays = t->preflight;
    *out_count = t->preflight_count;
    atomic_store_explicit(&t->preflight_is_full, false, memory_order_release);
    return true;
}

bool lane_thread_is_drained(const struct lane_thread *t)
{
    return atomic_load_explicit(&t->is_drained, memory_order_acquire);
}
