/* SPDX-License-Identifier: MIT */
/* What truth keeps of one agent; of truth_state.h, and only it includes this. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/truth/truth.h"
#include "proto/plan.h"

struct truth_agent_state {
    char name[PLAN_NAME_BYTES];
    bool has_clock, has_offset, has_snapshot_time;
    struct truth_clock clock;
    uint64_t event_uncertainty_us; /* the largest with which an event was dated */
    int64_t offset_us;             /* agent's t_us to run time, as the latest event was mapped */
    int64_t snapshot_at_us;
    uint64_t snapshot_sent, snapshot_received;
    uint64_t bound, open; /* of the latest snapshot; 0 once lost */
    struct truth_absence {
        uint64_t counted_ns; /* of the agent's counter, as of the latest snapshot */
        uint64_t lasted_ns;  /* of the one that goes on, or ended a moment ago; 0: none */
        int64_t begin_us;
    } pause, alone;
    bool has_drain_figures; /* told how many exchanges stayed open to the end of the drain */
    uint64_t unanswered;
    /* Without those of a search, whose steps are judged one by one. */
    uint64_t planned_starts, actual_starts;
    uint32_t shortfall_streak; /* snapshots in a row in which starts were behind the plan */
};
