/* SPDX-License-Identifier: MIT */
/*
 * The state of one run, shared by the files run*.c. Nothing outside coordinator/run
 * includes it; run_internal.h has the functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "coordinator/plan/scenario.h"
#include "coordinator/report/terminal.h"
#include "coordinator/run/actions.h"
#include "coordinator/run/agenda.h"
#include "coordinator/run/allow_watch.h"
#include "coordinator/run/hub.h"
#include "coordinator/run/lease_books.h"
#include "coordinator/run/local_agents.h"
#include "coordinator/run/plan_sig.h"
#include "coordinator/run/roster.h"
#include "coordinator/run/run.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/run/run_fsm.h"
#include "coordinator/run/run_observers.h"
#include "coordinator/run/run_reassign.h"
#include "coordinator/run/search_script.h"
#include "coordinator/report/result.h"
#include "coordinator/truth/ledger.h"
#include "coordinator/truth/truth.h"

struct deferred_event {
    size_t agent;
    struct event event;
};

/* A capacity search under way. */
struct run_search {
    struct search_script script;
    struct search_move move;
    uint64_t round;         /* of the last GO; every GO of a search has its own */
    uint64_t rest_until_ns; /* no round begins before */
    uint64_t until_ns;      /* the move is over then, whatever it came to */
    uint64_t resets;
};

enum run_reset { RUN_RESET_NONE, RUN_RESET_RUNNING, RUN_RESET_DONE, RUN_RESET_FAILED };

struct run {
    const struct run_options *options;
    const struct scenario *scenario;
    char dir[RUN_DIR_PATH_BYTES];

    struct hub *hub;
    struct key_list allowed; /* who may take part, as of now */
    struct allow_watch allow_watch;
    struct local_agents local;
    struct roster roster;
    struct run_observers *observers; /* NULL: none has called */
    struct plan plan;
    uint8_t *plan_bytes;
    size_t plan_size;
    uint8_t plan_hash[PLAN_HASH_BYTES];
    struct plan_sig plan_sig;    /* once the plan is sealed */
    struct sign_key *throw_away; /* of local agents: this run's own operator */

    struct lease_counts stood; /* before the run; none of a small run of `cleanup` */

    struct ledger *ledger;
    bool is_ledger_broken; /* nothing more is written into it */
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
    struct run_host *hosts;    /* run_preflight.c's, per agent; NULL: none has told of its own */
    uint64_t refused_until_ns; /* an agent cannot play; others are waited for; 0: none */

    uint32_t stage, step;
    uint64_t step_begun_ns, step_until_ns; /* canaries: deadline */
    uint64_t steady_look_ns;
    uint64_t fill_milli_per_s; /* leases per second of the latest acquire stage; 0: none */
    uint64_t step_received_base;
    bool stage_is_open;
    struct run_search search;

    struct agenda agenda;
    struct actions *actions; /* NULL: the scenario has no commands */
    char action_faults[RESULT_TEXT_BYTES];
    size_t action_fault_count;
    bool had_fault_before_stop;
    enum run_reset reset; /* of a search, between repeats */

    struct run_reassign reassign;

    int lock_fd;            /* of RUN/run.lock; -1: none */
    uint64_t commit_due_ns; /* 0: nothing pending */
    int exit_code;          /* of a run that ends before there is a report; -1: none */
    bool is_stopping;       /* an outcome was decided; load is ending */
    bool releases_leases;   /* in DRAIN */
    bool is_report_written;
    bool is_resumed;       /* taken over from a coordinator that died */
    bool is_other_boot;    /* ... of this host before it was restarted */
    int stopped_how;       /* ... and had been stopped: enum journal_stop */
    bool is_start_guessed; /* ... and start_ns is by the wall clock alone, as yet */
    int64_t ended_us;      /* ... its latest word, in run time */
    uint64_t resumed_ns;   /* ... and ours began */
    uint64_t awaited_ns;   /* ... and until then agents may come back */
    bool was_told_to_stop; /* by a signal */
};
