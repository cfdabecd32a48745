/* SPDX-License-Identifier: MIT */
/*
 * What the files of truth (truth*.c, findings*.c, search_*.c) offer each other about
 * struct truth, which is in truth_state.h; nobody else includes it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/histogram.h"
#include "coordinator/report/result.h"
#include "coordinator/truth/live_addresses.h"
#include "coordinator/truth/merge.h"
#include "coordinator/truth/ramp.h"
#include "coordinator/truth/truth.h"
#include "proto/event.h"

/* Judgements of a part of a stage (truth_judge.c). False: out of memory. */
NODISCARD bool truth_judge_init(struct truth *truth);
void truth_judge_fini(struct truth *truth);
void truth_judge_event(struct truth *truth, const struct event *e, int64_t run_us);
/* Of an agent; INT64_MAX: it is lost. */
void truth_judge_watermark(struct truth *truth, size_t agent, int64_t run_us);
void truth_judge_stage_begin(struct truth *truth, uint32_t stage, int64_t measured_from_us);
void truth_judge_stage_end(struct truth *truth, uint32_t stage, int64_t run_us);
NODISCARD bool truth_fill_judgements(struct truth *truth, const struct truth_closing *closing,
                                     struct result *out);
void truth_fill_paced(const struct truth *truth, struct result *out);
/* Needs out->rates. */
void truth_say_window_limited(const struct truth *truth, struct result *out);
/* Exchanges of a metric that ended, or were cut off, without an answer. */
uint64_t truth_gave_up(const struct truth *truth, enum latency_metric metric, uint8_t stage);

/* truth_preflight.c; false when out of memory. */
NODISCARD bool truth_fill_preflight_checks(const struct truth *t, struct result *out);

/* Outage, lease times, renewals foretold (truth_failover.c). False: out of memory. */
NODISCARD bool truth_failover_init(struct truth *truth);
void truth_failover_fini(struct truth *truth);
/* `held`: the lease as it was before the event; NULL: none is known of. */
void truth_failover_event(struct truth *truth, const struct event *e, int64_t run_us,
                          const struct live_lease *held);
NODISCARD bool truth_failover_fill(struct truth *truth, const struct truth_closing *closing,
                                   struct result *out);
/* Adds its series to the filled timeline. */
NODISCARD bool truth_failover_series(const struct truth *truth, struct result_timeline *out);
bool truth_failover_has_memory(const struct truth *truth);

void truth_mark_as(struct truth *truth, int64_t run_us, enum result_mark_kind kind,
                   const char *text);

/* The burst of the first acquire stage; false: there was none. */
bool truth_burst(const struct truth *truth, struct ramp_burst *out);
/* Agent that plays a client, as its events have shown; 0 when none has come yet. */
uint32_t truth_agent_of(const void *truth, uint32_t client);
/* When the lease of an ACK began to count. */
int64_t truth_lease_start_us(const struct event *e, int64_t run_us);
/* Index of a server in the plan; SIZE_MAX: unknown. */
size_t truth_server_of(const struct truth *truth, struct ipv4 address);
/* Acquisitions of a stage (or all, JUDGE_ALL_STAGES) that never came to a lease. */
uint64_t truth_unfinished(const struct truth *truth, uint8_t stage);
/* Merged latencies: of one agent as it counted them, of all agents without warm-ups. */
void truth_latency(const struct truth *truth, const struct merge_query *query,
                   struct histogram *out);
uint64_t truth_sent_total(const struct truth *truth);
uint64_t truth_received_total(const struct truth *truth);

/* --- truth_moves.c: clients that go on at another agent --- */

NODISCARD bool truth_moves_init(struct truth *t);
void truth_moves_fini(struct truth *t);
void truth_moves_event(struct truth *t, const struct event *e);
/* The agent has lost this client to another one: what it tells late has been overtaken. */
bool truth_is_history(const struct truth *t, size_t agent, uint32_t client);
/* Whose stream tells of a client that was moved; TRUTH_NO_AGENT: it was not. */
uint32_t truth_moved_to(const struct truth *t, uint32_t client);

/* --- truth_pauses.c: time without the right to send, as marks on the time axis --- */

void truth_pauses_snapshot(struct truth *t, size_t agent, const struct snapshot *s, int64_t run_us);
void truth_pauses_finish(struct truth *t);
