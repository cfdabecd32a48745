/* SPDX-License-Identifier: MIT */
/*
 * What truth.c gathers and truth_finish.c and the findings read; nobody else
 * includes it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/report/result.h"
#include "coordinator/truth/accounting.h"
#include "coordinator/truth/lease_times.h"
#include "coordinator/truth/lens.h"
#include "coordinator/truth/live_addresses.h"
#include "coordinator/truth/merge.h"
#include "coordinator/truth/outage.h"
#include "coordinator/truth/ramp.h"
#include "coordinator/truth/renewal_wave.h"
#include "coordinator/truth/steady.h"
#include "coordinator/truth/timeline.h"
#include "coordinator/truth/tries.h"
#include "coordinator/truth/truth.h"
#include "coordinator/truth/truth_parts.h"
#include "coordinator/truth/window.h"

enum { TRUTH_RATE_SECONDS = 8, TRUTH_LEASE_TIMES = 6 };
#define TRUTH_NO_AGENT UINT32_MAX

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

/* What only the events can tell about what went wrong. */
struct truth_evidence {
    uint64_t acquire_acks, acquire_naks, held_naks;
    uint64_t gave_up_with_offer;
    /*
     * Gave up, or were cut off, after at least two unanswered retransmissions of
     * DISCOVER; of these, overtaken: somebody who began later got a lease.
     */
    uint64_t starved, starved_overtaken;
    int64_t first_starved_begin_us; /* of those not overtaken */
    int64_t last_acquired_begin_us; /* begin of the latest-begun exchange that got a lease */
    int64_t last_answer_us;
    uint64_t renew_gave_up, rebind_gave_up;
    struct ramp ramp; /* of the first acquire stage */
    /* ACKs with a lease time that was not expected, by that time. */
    uint64_t off_lease;
    struct {
        uint32_t lease_s;
        uint64_t acks;
    } off_times[TRUTH_LEASE_TIMES];
    uint64_t wrong_port_acks;
    uint64_t shortfall_agents; /* agents that stayed behind their open-model schedule */
    uint64_t strange_events;   /* of clients or stages the plan does not have */
    double worst_shortfall_percent;
};

struct truth_server {
    uint64_t acks;                   /* answered exchanges */
    uint64_t renewed, renew_gave_up; /* RENEWs to it */
    uint64_t renew_ignored;          /* given up although it acknowledged others meanwhile */
    int64_t last_ack_us;             /* INT64_MIN: none */
};

/* Exchanges that were open when the drain lost its patience. */
struct truth_unanswered {
    bool is_known;
    uint64_t total, by_server[LIVE_SERVERS];
};

struct truth_relay {
    uint32_t agent; /* TRUTH_NO_AGENT */
    uint64_t acquired, renewed, rebound, expired, failed, naks;
};

struct truth {
    const struct scenario *scenario;
    const struct plan *plan;
    size_t agent_count;
    struct truth_agent_state *agents;
    uint64_t *clients;   /* per agent */
    bool *is_lost;       /* per agent */
    uint64_t *moved;     /* per agent: clients that went on elsewhere */
    uint16_t *past;      /* per client, truth_moves.c; NULL: clients are not reassigned */
    uint32_t lost_agent; /* any that is lost */

    struct merge *merge;
    struct accounting accounting;
    struct live_addresses *live;
    struct outage outage;
    struct lease_times lease_times;
    struct renewal_wave renewals;
    struct steady steady; /* records only where a stage is to become steady */
    struct timeline *timeline;
    struct window window;
    struct tries tries;
    struct lens **lenses;  /* by judgement; NULL: it needs none */
    int64_t *watermark_us; /* per agent; INT64_MIN: none yet */
    int64_t lens_watermark_us;
    int64_t measured_from_us[PLAN_STAGES_MAX]; /* of the stages begun */
    struct truth_evidence evidence;
    struct truth_relay *relays; /* of the plan */
    struct truth_server servers[PLAN_SERVERS_MAX];
    struct truth_unanswered unanswered;
    uint64_t bound_total, open_total; /* of the living agents' latest snapshots */

    struct result_stage stages[PLAN_STAGES_MAX];
    uint32_t stage; /* the latest begun */
    bool is_any_stage_begun;

    struct {
        int64_t second;
        uint64_t acquired, renewed;
    } rate[TRUTH_RATE_SECONDS];

    struct result_preflight_relay *preflight;
    size_t preflight_count, preflight_capacity;
    struct result_mark *marks;
    size_t mark_count, mark_capacity;
    struct result_finding findings[RESULT_FINDINGS_MAX];
    size_t finding_count;
    struct truth_search *search; /* search_state.h; NULL: none has begun */
    struct result_start_state start_state[PLAN_SERVERS_MAX];
    char lost_text[RESULT_TEXT_BYTES]; /* "a2 at 12.3 s, ..." */

    enum run_outcome outcome;
    char reasons[RESULT_RUN_REASONS_MAX][RESULT_TEXT_BYTES];
    size_t reason_count;
    bool is_out_of_memory;
};
