/* SPDX-License-Identifier: MIT */
/*
 * Shared by lane_thread.c (the link's side), lane_loop.c (the thread) and
 * lane_report.c (what it tells); nobody else includes it.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "agent/edge/lane_thread.h"
#include "agent/edge/spsc.h"
#include "agent/lane/lane_watch.h"

enum { LANE_THREAD_HISTOGRAMS = 16 };

enum take_state { TAKE_NONE, TAKE_DONE, TAKE_FAILED };

/* Full: the link's to read. Empty: the lane's to write. */
struct lane_thread {
    pthread_t thread;
    int wake_lane_fd, wake_link_fd;
    struct spsc commands, events, histograms;
    _Atomic uint64_t lease_until_ns, alone_until_ns; /* CLOCK_BOOTTIME */
    _Atomic int take_state;                          /* enum take_state */
    _Atomic uint32_t pressure_permille;
    _Atomic bool is_stopping;
    _Atomic bool has_news; /* wake_link_fd was written and not read yet */
    _Atomic bool is_drained;
    _Atomic bool progress_is_full, snapshot_is_full, preflight_is_full, halt_is_full;
    struct send_halt halt;
    struct control_progress progress;
    struct snapshot snapshot;
    struct control_preflight_relay *preflight;
    size_t preflight_room, preflight_count;

    /* --- from here on the lane's own --- */
    struct lane *lane;
    struct udp *udp;
    uint64_t ready_ns, cpu_at_ready_ns;
    struct lane_watch watch;
    int usage_fd; /* lane_usage_open() */
    bool may_spin;
    uint64_t now_ns;       /* of this turn */
    uint64_t boot_ns;      /* the same instant, CLOCK_BOOTTIME */
    uint64_t turned_at_ns; /* when the turn began */
    size_t received, sent; /* packets, in this turn */
    int64_t asleep_ns;     /* CLOCK_BOOTTIME - CLOCK_MONOTONIC as last seen */
    enum lane_right right;
    bool is_drain_asked, is_preflight_told;
    struct send_health health;
    bool is_halted;        /* nothing is sent any more */
    size_t outbox_at;      /* packets before it are dealt with */
    bool has_started;      /* `start_stage` is a stage that was let loose */
    bool is_start_awaited; /* ... and has not begun */
    uint32_t start_stage;
    uint64_t start_round;
    uint64_t start_at_ns;
    uint64_t retry_at_ns;         /* 0: nothing is kept back */
    uint64_t patience_until_ns;   /* of the congestion that began; 0: none */
    struct control_progress told; /* the last progress handed over */
    uint64_t told_ns;
    bool is_snapshot_asked;
    struct lane_snapshot_request request;
    size_t histogram_at;         /* next slot to look at */
    uint64_t *histogram_version; /* per slot, as last handed over */
    struct lane_histogram_copy *copy;
};

/* lane_report.c: the end of a turn, what the link is to know. */
void lane_report(struct lane_thread *t);
void lane_tell_link(struct lane_thread *t);

/* The thread's function. */
void *lane_loop(void *lane_thread);
/* CPU time of the process. */
uint64_t lane_loop_cpu_ns(void);
