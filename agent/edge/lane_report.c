/* SPDX-License-Identifier: MIT */
#include "agent/edge/lane_thread_internal.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "agent/edge/lane_usage.h"
#include "common/clock.h"

enum { EVENTS_WORTH_WAKING = CONTROL_BATCH_EVENTS_MAX };

#define PROGRESS_CHANGED_NS (100 * NS_PER_MS)
#define PROGRESS_LONGEST_NS NS_PER_S

void lane_tell_link(struct lane_thread *t)
{
    if (!atomic_exchange_explicit(&t->has_news, true, memory_order_seq_cst)) {
        uint64_t one = 1;
        ssize_t ignored = write(t->wake_link_fd, &one, sizeof(one)); /* cannot overflow */
        (void)ignored;
    }
}

static void hand_events(struct lane_thread *t)
{
    const struct event *events = NULL;
    size_t count = lane_events(t->lane, &events);
    size_t taken = count > 0 ? spsc_push_many(&t->events, events, count) : 0;
    if (taken > 0) {
        lane_events_clear(t->lane, taken);
        if (spsc_used(&t->events) >= EVENTS_WORTH_WAKING) {
            lane_tell_link(t);
        }
    }
}

static bool is_urgent(const struct control_progress *now, const struct control_progress *told)
{
    bool is_other_step =
        now->round != told->round || now->stage != told->stage || now->step != told->step;
    return (now->is_step_done && (is_other_step || !told->is_step_done)) ||
           now->foreign_offers != told->foreign_offers ||
           now->assignment_epoch != told->assignment_epoch;
}

static void hand_progress(struct lane_thread *t)
{
    struct control_progress now;
    memset(&now, 0, sizeof(now)); /* compared as bytes */
    lane_progress(t->lane, &now);
    uint64_t age_ns = t->now_ns - t->told_ns;
    bool is_changed = memcmp(&now, &t->told, sizeof(now)) != 0;
    if (!is_urgent(&now, &t->told) && age_ns < PROGRESS_LONGEST_NS &&
        !(is_changed && age_ns >= PROGRESS_CHANGED_NS)) {
        return;
    }
    if (atomic_load_explicit(&t->progress_is_full, memory_order_acquire)) {
        return;
    }
    t->progress = now;
    t->told = now;
    t->told_ns = t->now_ns;
    atomic_store_explicit(&t->progress_is_full, true, memory_order_release);
    lane_tell_link(t);
}

static void hand_preflight(struct lane_thread *t)
{
    if (t->is_preflight_told || !lane_preflight_is_done(t->lane)) {
        return;
    }
    const struct control_preflight_relay *relays = NULL;
    size_t count = lane_preflight_relays(t->lane, &relays);
    assert(count <= t->preflight_room);
    t->preflight_count = count;
    memcpy(t->preflight, relays, count * sizeof(*relays));
    t->is_preflight_told = true;
    atomic_store_explicit(&t->preflight_is_full, true, memory_order_release);
    lane_tell_link(t);
}

/* True when all that changed are in the ring. */
static bool hand_histograms(struct lane_thread *t)
{
    size_t slots = lane_histogram_count(t->lane);
    for (; t->histogram_at < slots; t->histogram_at++) {
        uint64_t version = 0;
        struct histogram_key key;
        const struct histogram *h = lane_histogram(t->lane, t->histogram_at, &key, &version);
        if (h->count == 0 ||
            (version == t->histogram_version[t->histogram_at] && !t->request.is_complete)) {
            continue;
        }
        t->copy->snapshot_seq = t->request.seq;
        t->copy->key = key;
        t->copy->histogram = *h;
        if (!spsc_push(&t->histograms, t->copy)) {
            lane_tell_link(t);
            return false;
        }
        t->histogram_version[t->histogram_at] = version;
        lane_tell_link(t);
        if (!t->request.is_final) {
            /* One a turn: copying them all at once would hold packets up. */
            t->histogram_at++;
            return false;
        }
    }
    return true;
}

static void hand_snapshot(struct lane_thread *t)
{
    if (!t->is_snapshot_asked || !hand_histograms(t) ||
        atomic_load_explicit(&t->snapshot_is_full, memory_order_acquire)) {
        return;
    }
    udp_poll_drops(t->udp);
    struct udp_rx_facts facts = udp_take_rx_facts(t->udp);
    lane_count_rx(t->lane, facts.drops, facts.stamps_replaced, facts.truncated);
    memset(&t->snapshot, 0, sizeof(t->snapshot));
    lane_snapshot(t->lane, &t->snapshot);
    t->snapshot.seq = t->request.seq;
    t->snapshot.at_ns = t->now_ns;
    t->snapshot.is_final = t->request.is_final;
    t->snapshot.last_batch_seq = t->request.last_batch_seq;
    t->snapshot.counter[COUNTER_cpu_ns] = lane_loop_cpu_ns() - t->cpu_at_ready_ns;
    t->snapshot.counter[COUNTER_elapsed_ns] = t->now_ns - t->ready_ns;
    struct lane_usage usage;
    lane_usage_read(t->usage_fd, &usage);
    lane_watch_look(&t->watch, &usage, clock_monotonic_ns(), t->snapshot.counter);
    t->is_snapshot_asked = false;
    atomic_store_explicit(&t->snapshot_is_full, true, memory_order_release);
    lane_tell_link(t);
}

static void tell_drained(struct lane_thread *t)
{
    const struct event *events = NULL;
    if (t->is_drain_asked && lane_is_drained(t->lane) && lane_events(t->lane, &events) == 0 &&
        t->outbox_at == 0 &&
        !atomic_exchange_explicit(&t->is_drained, true, memory_order_acq_rel)) {
        lane_tell_link(t);
    }
}

void lane_report(struct lane_thread *t)
{
    hand_events(t);
    hand_progress(t);
    hand_preflight(t);
    hand_snapshot(t);
    tell_drained(t);
}
