/* SPDX-License-Identifier: MIT */
/*
 * The state of one run, shared by run.c (loop), run_phase.c (what each phase
 * does), run_outcome.c (how it ends), run_control.c (CTRL messages) and run_data.c (DATA messages,
 * ledger). Nothing outside coordinator/run includes it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "coordinator/plan/scenario.h"
#include "coordinator/report/terminal.h"
#include "coordinator/run/hub.h"
#include "coordinator/run/local_agents.h"
#include "coordinator/run/roster.h"
#include "coordinator/run/run.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/run/run_fsm.h"
#include "coordinator/truth/ledger.h"
#include "coordinator/truth/truth.h"

struct deferred_event {
    size_t agent;
    struct event event;
};

struct run {
    const struct run_options *options;
    const struct scenario *scenario;
    char dir[RUN_DIR_PATH_BYTES];

    struct hub *hub;
    struct local_agents local;
    struct roster roster;
    struct plan plan;
    uint8_t *plan_bytes;
    size_t plan_size;
    uint8_t plan_hash[PLAN_HASH_BYTES];

    struct ledger *ledger;
    struct truth *truth;
    struct terminal *terminal;
    FILE *problems;
    uint64_t problem_lines, problems_unwritten;

    enum run_phase phase;
    uint64_t phase_until_ns; /* deadline of the phase or stage; 0: none */
    uint64_t now_ns;         /* of this turn of the loop */
    uint64_t ticked_ns;      /* previous turn: a gap is a stall of our own */
    uint64_t started_wall_s;

    uint64_t start_ns; /* run time 0: the start instant of the first stage; 0: not set yet */
    struct deferred_event *deferred; /* events that came before it was set */
    size_t deferred_count, deferred_room;

    uint64_t arm_generation;
    bool path_is_known;
    enum plan_path path;
    struct control_preflight_relay *preflight; /* one per relay share reported */
    size_t preflight_count;

    uint32_t stage, step;
    uint64_t step_begun_ns, step_until_ns; /* canaries: deadline */
    uint64_t step_started_base, step_received_base;
    bool stage_is_open;

    uint64_t commit_due_ns; /* 0: nothing pending */
    int exit_code;          /* of a run that ends before there is a report; -1: none */
    bool is_stopping;       /* an outcome was decided; load is ending */
    bool releases_leases;   /* in DRAIN */
    unsigned signals;       /* Ctrl-C count */
};

/* One message of several lines at most to the operator, beside the live block. */
void run_say(struct run *run, const char *text);

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
