/* SPDX-License-Identifier: MIT */
/*
 * The thread that owns a lane and its sockets. Edge.
 *
 * A turn is: receive, commands, lane_turn (expire, pace), send, report. The
 * thread never waits for the link: commands come and events go through rings,
 * the rest through slots that hold one value until it is taken (C11 atomics,
 * no lock). All functions here are for the one link thread.
 *
 * Nothing is sent without the run lease: one comparison with CLOCK_BOOTTIME
 * before every send call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/edge/udp.h"
#include "agent/lane/lane.h"
#include "agent/lane/send_health.h"
#include "common/attrs.h"
#include "proto/control.h"
#include "proto/event.h"
#include "proto/snapshot.h"

struct lane_thread;

enum { LANE_THREAD_EVENTS = 65536, LANE_THREAD_COMMANDS = 256 };

enum lane_command_kind {
    LANE_DO_PREFLIGHT,
    LANE_DO_ARM,
    LANE_DO_GO,
    LANE_DO_DRAIN,
    LANE_DO_SNAPSHOT,
    LANE_DO_ADOPT, /* by lane_thread_adopt() only */
    LANE_DO_TAKE   /* by lane_thread_take() only */
};

/* What the snapshot asked for is to say about itself. */
struct lane_snapshot_request {
    uint64_t seq, last_batch_seq;
    bool is_final;
    bool is_complete; /* all histograms, not only those changed since the last request */
};

struct lane_command {
    enum lane_command_kind kind;
    union {
        struct control_preflight preflight;
        enum plan_path path;
        struct control_go go;
        struct control_drain drain;
        struct lane_snapshot_request snapshot;
        struct lane_adoption {
            struct control_adopted *leases; /* the command's own */
            size_t lease_count;
        } adopt;
        struct control_take *take; /* the command's own, in one piece */
    } u;
};

/* One of the histograms of a snapshot; they all come before the snapshot itself. */
struct lane_histogram_copy {
    uint64_t snapshot_seq;
    struct histogram_key key;
    struct histogram histogram;
};

/*
 * Takes lane and udp over in any case, also when it fails. 0 or -errno.
 * `relay_count`: the most relays the lane's preflight can report. Signals are
 * blocked in the new thread. No lease is held at first. `may_spin`: agent/lane/wake.h.
 */
NODISCARD int lane_thread_start(struct lane *lane_take, struct udp *udp_take, size_t relay_count,
                                bool may_spin, struct lane_thread **out);
/* Sends nothing more from this call on, ends the thread, frees everything. NULL is fine. */
void lane_thread_free(struct lane_thread *t);

/* Readable when there is something to take. The caller reads it with lane_thread_awake(). */
int lane_thread_fd(const struct lane_thread *t);
void lane_thread_awake(struct lane_thread *t);

/* False when the ring of commands is full. */
NODISCARD bool lane_thread_command(struct lane_thread *t, const struct lane_command *command);
/* Copies the leases for the lane. False when out of memory or the ring of commands is full. */
NODISCARD bool lane_thread_adopt(struct lane_thread *t, const struct control_adopt *adopt);
/* Copies it for the lane, one at a time. False as above. */
NODISCARD bool lane_thread_take(struct lane_thread *t, const struct control_take *take);
/* The lane has come to it, once; `out_was_taken` false: it could not. */
bool lane_thread_take_done(struct lane_thread *t, bool *out_was_taken);
/*
 * The run lease: packets may be sent until then (CLOCK_BOOTTIME), 0: not at all; and renewals
 * of leases that are held until `alone_until_boottime_ns`, not before the other.
 */
void lane_thread_set_lease(struct lane_thread *t, uint64_t until_boottime_ns,
                           uint64_t alone_until_boottime_ns);
/* How full the way to the coordinator is. */
void lane_thread_set_pressure(struct lane_thread *t, uint32_t permille);

/* Up to `count` events, oldest first. */
size_t lane_thread_take_events(struct lane_thread *t, struct event *out, size_t count);
size_t lane_thread_events_waiting(struct lane_thread *t);
bool lane_thread_take_progress(struct lane_thread *t, struct control_progress *out);
bool lane_thread_take_histogram(struct lane_thread *t, struct lane_histogram_copy *out);
bool lane_thread_take_snapshot(struct lane_thread *t, struct snapshot *out);

/*
 * The preflight's result, once: a view that lives as long as the thread. False
 * while it is not done or was taken.
 */
bool lane_thread_take_preflight(struct lane_thread *t,
                                const struct control_preflight_relay **out_relays,
                                size_t *out_count);

/* Once: why this lane sends nothing any more, for good; agent/lane/send_health.h. */
bool lane_thread_take_halt(struct lane_thread *t, struct send_halt *out);

/* After DRAIN: nothing is left to send, and no event will come that is not in the ring. */
bool lane_thread_is_drained(const struct lane_thread *t);
