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
#include "coordinator/truth/evidence.h"
#include "coordinator/truth/lease_times.h"
#include "coordinator/truth/lens.h"
#include "coordinator/truth/live_addresses.h"
#include "coordinator/truth/merge.h"
#include "coordinator/truth/observers.h"
#include "coordinator/truth/outage.h"
#include "coordinator/truth/ramp.h"
#include "coordinator/truth/renewal_wave.h"
#include "coordinator/truth/steady.h"
#include "coordinator/truth/timeline.h"
#include "coordinator/truth/tries.h"
#include "coordinator/truth/truth.h"
#include "coordinator/truth/truth_evidence.h"
#include "coordinator/truth/truth_agent_state.h"
#include "coordinator/truth/truth_parts.h"
#include "coordinator/truth/window.h"

enum { TRUTH_RATE_SECONDS = 8 };
#define TRUTH_NO_AGENT UINT32_MAX

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
    struct evidence wire;        /* see evidence_wire.h */
    struct truth_relay *relays;  /* of the plan */
    struct observers *observers; /* NULL: none has joined */
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
    struct result_preflight_check *preflight_checks;
    size_t preflight_check_count;
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
