/* SPDX-License-Identifier: MIT */
/*
 * What happened, as it comes in: the way into truth/. It keeps the latest
 * snapshot and histograms of every agent (merge), the accounting of events,
 * addresses live at two clients, outages, the timeline; and at the end fills
 * one struct result that every report is written from.
 *
 * Nothing here is per client except one open-addressing table of live leases, one
 * of clients that wait for an answer past T2 or have no lease they want (16 bytes
 * each), and bitmaps.
 *
 * Pure: time comes in. Not thread-safe. Owns its memory: truth_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"
#include "proto/control.h"
#include "proto/event.h"
#include "proto/plan.h"
#include "proto/snapshot.h"

struct truth;
struct result; /* coordinator/report/result.h */

struct truth_agent {
    char name[PLAN_NAME_BYTES];
    uint64_t clients;
};

/* `scenario` and `plan` must outlive it. NULL when out of memory. */
NODISCARD struct truth *truth_new(const struct scenario *scenario, const struct plan *plan,
                                  const struct truth_agent *agents, size_t agent_count);
void truth_free(struct truth *truth); /* NULL is fine */

/*
 * One committed event. `run_us`: e->t_us mapped to microseconds since the
 * start instant (may be negative for preflight); `uncertainty_us` of that mapping.
 */
void truth_event(struct truth *truth, size_t agent, const struct event *e, int64_t run_us,
                 uint64_t uncertainty_us);
void truth_snapshot(struct truth *truth, size_t agent, const struct snapshot *s);
/* The agent's latest; NULL: none has come. */
const struct snapshot *truth_latest(const struct truth *truth, size_t agent);
void truth_histogram(struct truth *truth, size_t agent, const struct control_histogram *h);
/* The agent's result streams are complete up to this run time: overlaps before it are decided. */
void truth_watermark(struct truth *truth, size_t agent, int64_t run_us);

struct result_preflight_check;
void truth_preflight_check(struct truth *truth, const struct result_preflight_check *check);
void truth_preflight(struct truth *truth, size_t agent, const struct control_preflight_relay *r);
void truth_agent_lost(struct truth *truth, size_t agent, int64_t run_us);
/* An agent's clock as the coordinator knows it now, for agents[]. */
struct truth_clock {
    int64_t offset_us;
    uint64_t uncertainty_us;
    double rate_ppm; /* faster than the coordinator's; NAN: not known yet */
    uint32_t breaks; /* times it did what no clock does */
};
void truth_agent_clock(struct truth *truth, size_t agent, const struct truth_clock *clock);

/*
 * `on_agent_loss: reassign`. Clients `first` .. `first` + `count` - 1 are dealt to agent `to`:
 * what older agents still tell of them is history. truth_taken(): so many have arrived there and
 * are on its account, no longer on that of `from`.
 */
void truth_moved(struct truth *truth, size_t to, uint32_t first, uint32_t count);
void truth_taken(struct truth *truth, size_t from, size_t to, uint64_t count);
/*
 * It says that an exchange or a lease came to nothing while the agent could not send, of a
 * client that went on elsewhere: that never happened (EVENT_VOID).
 */
bool truth_is_void(const struct truth *truth, size_t agent, const struct event *e);
/*
 * What is known of the clients of these shares at `run_us`: a row for each that has started;
 * leases as they stand then. Shares ascend; `out` has room for all their clients. Returns how many
 * rows there are. One pass over all leases.
 */
size_t truth_past(struct truth *truth, const struct control_take_share *shares, size_t share_count,
                  int64_t run_us, struct control_taken *out);
/* Stages as they really began and ended. */
void truth_stage_begin(struct truth *truth, uint32_t stage, int64_t run_us);
void truth_stage_end(struct truth *truth, uint32_t stage, int64_t run_us, bool timed_out);
/*
 * The stage's own load begins now, after its canaries: its warm-up counts from
 * here, and what was seen of it so far is not judged. Without a warm-up: nothing.
 */
void truth_stage_load(struct truth *truth, uint32_t stage, int64_t run_us);
/*
 * An event of the scenario happened: `event_index` in scenario->events. Told at
 * once, before any result of a later time; the time axis is marked with its name.
 */
void truth_scenario_event(struct truth *truth, size_t event_index, int64_t run_us);
/*
 * For `hold: until-steady`, at any time from the second after its begin: true when
 * the stage may end as steady. `why` (STEADY_WHY_BYTES of steady.h) says what is, or
 * what is not yet: when the stage times out it is the reason for OUTCOME_INVALID.
 */
bool truth_is_steady(const struct truth *truth, uint32_t stage, int64_t run_us, char *why,
                     size_t size);
/* A mark on the time axis ("pause", "agent a2 lost"). */
void truth_mark(struct truth *truth, int64_t run_us, const char *text);

/*
 * How the run ended and why, besides what the judgements say. The first call
 * wins for the reason order; severity only grows.
 */
enum run_outcome {
    OUTCOME_COMPLETED,
    OUTCOME_FAILED, /* server-silent, canary-failed: FAIL */
    OUTCOME_INVALID,
    OUTCOME_ABORTED,   /* operator, foreign offer, agents lost beyond policy */
    OUTCOME_PREFLIGHT, /* exit 5 */
    OUTCOME_INTERNAL   /* exit 6 */
};
void truth_outcome(struct truth *truth, enum run_outcome outcome, const char *reason);

/* A finding the run itself knows: id as in the docs ("foreign-offer"), summary, evidence, remedy.
 */
void truth_finding(struct truth *truth, const char *id, const char *severity, const char *summary,
                   const char *evidence, const char *remedy);

/* Live figures for the terminal: cheap, any time. */
struct truth_now {
    uint64_t bound, open, failed, acquired, renewed, rebound, expired;
    uint64_t sent, received, events;
    double acquired_per_s, renewed_per_s; /* over the last 5 s */
    const char *latency;     /* the running stage's main one; NULL: none, or too few samples */
    uint64_t p50_us, p99_us; /* of it, from the intended instant; p99 UINT64_MAX: too few samples */
};
void truth_now(const struct truth *truth, int64_t run_us, struct truth_now *out);

struct truth_closing {
    int64_t run_us;        /* when RECONCILE ended */
    uint64_t started_at_s; /* wall clock, for the heading */
    enum plan_path path;   /* that was used */
    bool path_is_known;
    uint64_t ledger_events, duplicates_dropped; /* from the ledger, all agents */
    uint64_t missing_batches;                   /* announced and never received */
};

/* Decides everything and fills `out` (result_free() it). False when out of memory. */
NODISCARD bool truth_finish(struct truth *truth, const struct truth_closing *closing,
                            struct result *out);
