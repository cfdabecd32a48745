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

enum { RUN_BOOT_ID_BYTES = 40 };
/* Of this boot of the host; "unknown" where the kernel does not say. */
const char *run_boot_id(char out[RUN_BOOT_ID_BYTES]);
int run_block_signals(void); /* a signalfd, or below 0 */
/* Until the run is over. */
void run_loop(struct run *run, int signal_fd);
/* The exit code. */
int run_report(struct run *run);
void run_say_bye(struct run *run);
void run_close(struct run *run);

/* --- run_prepare.c --- */

void run_prepare(struct run *run);
void run_arm(struct run *run);
/* A fleet-wide number, exactly, over the agents that are not lost; out[ROSTER_AGENTS_MAX]. */
void run_split_by_clients(const struct run *run, uint64_t total, uint64_t *out);

/* --- run_seal.c --- */

/* Names the agents and the time in the plan and signs it; false: refused, said why. */
NODISCARD bool run_seal(struct run *run);

/* --- run_stage.c --- */

void run_next_step(struct run *run);
void run_stage_tick(struct run *run);
/* The GO of the step under way, with the agent's numbers as they are now; false: there is none. */
bool run_go_for(const struct run *run, const struct roster_agent *agent, struct control_go *out);
/* The step's GO once more for an agent; one that has it already ignores it. */
void run_repeat_go(struct run *run, const struct roster_agent *agent);
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
/* 0 or -errno with one sentence in `why`. */
NODISCARD int run_events_open(struct run *run, char why[RUN_DIR_WHY_BYTES]);
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
/* DRAIN once more for an agent; one that drains already does not mind. */
void run_repeat_drain(struct run *run, struct roster_agent *agent);
/* When a drain that begins now has to be over. */
uint64_t run_drain_until_ns(const struct run *run);
/* --- run_outcome.c --- */

/* Ends the load in order; the first outcome given is the one that counts. */
void run_stop(struct run *run, enum run_outcome outcome, enum scenario_cleanup_on reason,
              const char *format, ...) PRINTF_LIKE(4, 5);
/* Ends before any load, with an exit code and one sentence on stderr. */
void run_refuse(struct run *run, int exit_code, const char *format, ...) PRINTF_LIKE(3, 4);
/* An agent is silent, gone or refused: DESIGN `on_agent_loss`. */
void run_lose_agent(struct run *run, struct roster_agent *agent, const char *how);

/* --- run_allow.c --- */

/* Follows agents.allow: who is revoked or out of date loses its session. */
void run_allow_tick(struct run *run);

/* --- run_control.c --- */

void run_receive_control(struct run *run);
/* How run time follows from each agent's clock now, for whoever reads the ledger. */
void run_note_clocks(struct run *run);
/* Clock samples and loss of agents. */
void run_control_tick(struct run *run);
void run_send(struct run *run, struct roster_agent *agent, struct control_message *m);
void run_send_all(struct run *run, struct control_message *m);

/* --- run_space.c --- */

/* Says so when the run directory has less room than the scenario lets expect. */
void run_space_warn(struct run *run);
/* What stands in the way when something there could not be written, and what to do. */
void run_space_explain(const struct run *run, char *out, size_t size);

/* --- run_data.c --- */

enum { RUN_WATERMARK_SLACK_US = 2000000 }; /* events of one agent are this well in order */

void run_receive_data(struct run *run);
/* Commits what is pending when it is time (or `now` forces it) and acknowledges it. */
void run_commit(struct run *run, bool is_forced);
/* The start instant is known: events that came before it get their run time. */
void run_flush_deferred(struct run *run);
int64_t run_time_us(const struct run *run, uint64_t coordinator_ns);
/* Run time 0 is another instant; how long a stage and its canaries may still take stays. */
void run_move_start(struct run *run, uint64_t start_ns);
/* run_resume.c: how long there was no coordinator, once that is known or never will be. */
void run_note_absence(struct run *run);
/*
 * After a resume: an agent that had told all before the coordinator ended, and is not heard any
 * more, is done as the ledger has it, and not lost. False: it had not.
 */
bool run_take_kept_final(struct run *run, struct roster_agent *agent);
/* A result that is in the ledger: to truth, and a line of problems.log where it is one. */
void run_take_result(struct run *run, size_t agent, const struct event *e, int64_t run_us,
                     uint64_t uncertainty_us);
/* The run ends; nothing more is written into the ledger. */
void run_ledger_failed(struct run *run);
/* The final counters as they came last, into the ledger, which is finished next. */
void run_keep_finals(struct run *run);
