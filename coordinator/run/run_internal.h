/* SPDX-License-Identifier: MIT */
/*
 * What the files of a run ask of each other: run.c (loop), run_phase.c (the table's
 * actions), run_prepare.c (PREPARE to ARM), run_stage.c (stages and steps), run_search.c (the
 * capacity search), run_events.c (what the scenario has planned for the operator's machine),
 * run_outcome.c (how it ends), run_control.c (CTRL messages), run_data.c (DATA messages, ledger).
 * Nothing outside coordinator/run includes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/run/run_state.h"

/* One message of several lines at most to the operator, beside the live block. */
void run_say(struct run *run, const char *text);

/* --- run_prepare.c --- */

void run_prepare(struct run *run);
void run_preflight(struct run *run);
void run_judge_preflight(struct run *run);
void run_arm(struct run *run);
/* A fleet-wide number, exactly, over the agents that are not lost; out[ROSTER_AGENTS_MAX]. */
void run_split_by_clients(const struct run *run, uint64_t total, uint64_t *out);

/* --- run_stage.c --- */

void run_next_step(struct run *run);
void run_stage_tick(struct run *run);
void run_end_stage(struct run *run, bool timed_out); /* does nothing when none is open */

/* Ends the last stage, and with it the load; the outcome is told before. */
void run_end_last_stage(struct run *run, bool timed_out);
/* Sends a GO, which is what the agent's PROGRESS is compared with from now on. */
void run_send_go(struct run *run, struct roster_agent *agent, struct control_message *go);

/* --- run_search.c --- */

bool run_search_is_stage(const struct run *run, uint32_t stage);
void run_search_begin(struct run *run, uint64_t start_ns);
void run_search_tick(struct run *run);
/* "limit: 400/s" for the operator. */
void run_search_describe(const struct run *run, char *out, size_t size);

/* --- run_events.c --- */

/* True: the scenario has commands that the operator has not allowed; said on stderr. */
bool run_events_refuse(const struct run_options *options);
NODISCARD int run_events_open(struct run *run); /* 0 or -errno */
void run_events_run_begins(struct run *run, uint64_t at_ns);
void run_events_tick(struct run *run);
/* Starts the search's reset; run->reset tells what becomes of it. */
void run_events_reset(struct run *run, uint64_t repeat);
void run_events_kill_reset(struct run *run, const char *why);
/* Before the report: what still runs is ended; what failed becomes a finding. */
void run_events_finish(struct run *run);

/* --- run_phase.c --- */

/* Feeds the state machine and carries out its action. */
void run_event_happened(struct run *run, enum run_event event);
/* Looks whether the phase's condition is met or its time is over. */
void run_phase_tick(struct run *run);
/* --- run_outcome.c --- */

/* Ends the load in order; the first outcome given is the one that counts. */
void run_stop(struct run *run, enum run_outcome outcome, enum scenario_cleanup_on reason,
              const char *format, ...) PRINTF_LIKE(4, 5);
/* Ends before any load, with an exit code and one sentence on stderr. */
void run_refuse(struct run *run, int exit_code, const char *format, ...) PRINTF_LIKE(3, 4);
/* An agent is silent, gone or refused: DESIGN `on_agent_loss`. */
void run_lose_agent(struct run *run, struct roster_agent *agent, const char *how);

/* --- run_control.c --- */

void run_receive_control(struct run *run);
/* Clock samples and loss of agents. */
void run_control_tick(struct run *run);
void run_send(struct run *run, struct roster_agent *agent, struct control_message *m);
void run_send_all(struct run *run, struct control_message *m);

/* --- run_data.c --- */

void run_receive_data(struct run *run);
/* Commits what is pending when it is time (or `now` forces it) and acknowledges it. */
void run_commit(struct run *run, bool is_forced);
/* The start instant is known: events that came before it get their run time. */
void run_flush_deferred(struct run *run);
int64_t run_time_us(const struct run *run, uint64_t coordinator_ns);
