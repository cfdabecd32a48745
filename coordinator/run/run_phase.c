/* SPDX-License-Identifier: MIT */
/* The table's actions carried out, the conditions of each phase, DRAIN and RECONCILE. */
#include <stdio.h>

#include "common/log.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_preflight.h"

#define DRAIN_SLACK_NS (25 * NS_PER_S) /* 10 s for open exchanges, and the way of the results */
#define RECONCILE_NS   (15 * NS_PER_S)
/* One that was given up and came back delivers what it has kept: so long without a batch, ... */
#define DELIVERY_PAUSE_NS (5 * NS_PER_S)
/* ... and so long in all beyond the phase's own time. */
#define DELIVERY_NS (60 * NS_PER_S)

/* --- DRAIN, RECONCILE --- */

static uint64_t release_milli_per_s(const struct run *run)
{
    return run->releases_leases ? run->scenario->release_milli_per_s : 0;
}

/* To all agents, or to one. */
static void send_drain(struct run *run, const struct roster_agent *only)
{
    uint64_t total = release_milli_per_s(run);
    uint64_t share[ROSTER_AGENTS_MAX];
    run_split_by_clients(run, total, share);
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        struct control_message m = {.kind = CONTROL_DRAIN};
        m.u.drain.mode = DRAIN_GRACEFUL;
        m.u.drain.release_milli_per_s = total > 0 && share[i] == 0 ? 1 : share[i];
        if (!a->is_lost && (only == NULL || only == a)) {
            run_send(run, a, &m);
        }
    }
}

void run_repeat_drain(struct run *run, struct roster_agent *a)
{
    send_drain(run, a);
}

uint64_t run_drain_until_ns(const struct run *run)
{
    /* After a resume whoever is still to come has to be told of it. */
    uint64_t begins_ns = run->awaited_ns > run->now_ns ? run->awaited_ns : run->now_ns;
    uint64_t total = release_milli_per_s(run);
    uint64_t release_ns =
        total == 0
            ? 0
            : (uint64_t)((double)run->plan.client_count * 1e3 / (double)total * (double)NS_PER_S);
    return begins_ns + DRAIN_SLACK_NS + release_ns + release_ns / 4;
}

static void drain(struct run *run)
{
    run_end_stage(run, false);
    agenda_stages_over(&run->agenda);
    run_note_now(run, &(struct journal_entry){.kind = JOURNAL_DRAIN, .a = run->releases_leases});
    send_drain(run, NULL);
    run->phase_until_ns = run_drain_until_ns(run);
}

static bool books_are_complete(const struct run *run)
{
    if (run->is_ledger_broken) {
        return true; /* nothing more will come into them */
    }
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        if (!a->is_lost &&
            !(a->has_final && ledger_committed(run->ledger, (uint32_t)i) >= a->final_batch_seq)) {
            return false;
        }
    }
    return true;
}

static bool is_delivering(const struct run *run)
{
    return !run->is_ledger_broken && run->now_ns < run->phase_until_ns + DELIVERY_NS &&
           roster_is_delivering(&run->roster, run->now_ns, DELIVERY_PAUSE_NS);
}

static void abort_now(struct run *run)
{
    struct control_message m = {.kind = CONTROL_DRAIN};
    m.u.drain.mode = DRAIN_NOW;
    run_send_all(run, &m);
}

void run_event_happened(struct run *run, enum run_event event)
{
    enum run_phase before = run->phase;
    enum run_action action = run_fsm_step(&run->phase, event);
    if (run->phase != before) {
        log_info("what=phase phase=%s", run_phase_name(run->phase));
    }
    switch (action) {
    case RUN_IGNORE:
        break;
    case RUN_DO_PREPARE:
        run_prepare(run);
        break;
    case RUN_DO_PREFLIGHT:
        run_preflight(run);
        break;
    case RUN_DO_ARM:
        run_arm(run);
        break;
    case RUN_DO_NEXT_STEP:
        run_next_step(run);
        break;
    case RUN_DO_DRAIN:
        drain(run);
        break;
    case RUN_DO_RECONCILE:
        run->phase_until_ns = run->now_ns + RECONCILE_NS;
        break;
    case RUN_DO_ABORT:
        abort_now(run);
        break;
    case RUN_DO_FINISH:
        break;
    }
}

static bool gather_is_complete(const struct run *run)
{
    return run->roster.count == run->roster.wanted && roster_all(&run->roster, roster_has_clock);
}

static bool all_ready(const struct run *run)
{
    return roster_all(&run->roster, roster_is_ready) &&
           roster_all(&run->roster, roster_has_session_route);
}

static void phase_timed_out(struct run *run)
{
    char missing[300] = "";
    int at = 0;
    for (size_t i = 0; i < run->roster.count && at >= 0 && (size_t)at < sizeof(missing); i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        bool is_there = run->phase == RUN_GATHER      ? true
                        : run->phase == RUN_PREPARE   ? a->is_ready && a->data.size > 0
                        : run->phase == RUN_PREFLIGHT ? a->is_preflighted
                                                      : a->is_armed;
        at += is_there ? 0 : snprintf(missing + at, sizeof(missing) - (size_t)at, " %s", a->name);
    }
    if (run->phase == RUN_GATHER) {
        run_refuse(run, 4,
                   "only %zu of %zu agents joined in time; start the others, or ask for fewer with "
                   "--agents",
                   run->roster.count, run->roster.wanted);
    } else if (run->phase == RUN_PREPARE) {
        run_refuse(run, 4, "not ready in time:%s; see the agents' logs", missing);
    } else if (run->phase == RUN_PREFLIGHT || run->phase == RUN_ARM) {
        run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL, "no answer in phase %s from:%s",
                 run_phase_name(run->phase), missing);
    } else {
        run_event_happened(run, RUN_PHASE_TIMEOUT);
    }
}

void run_phase_tick(struct run *run)
{
    static roster_question *const asked[RUN_PHASE_COUNT] = {
        [RUN_PREFLIGHT] = roster_is_preflighted,
        [RUN_ARM] = roster_is_armed,
        [RUN_DRAIN] = roster_is_done,
    };
    if (run->phase == RUN_STAGE) {
        run_stage_tick(run);
    } else if (run->phase == RUN_GATHER && gather_is_complete(run)) {
        run_event_happened(run, RUN_ALL_JOINED);
    } else if (run->phase == RUN_PREPARE && run->refused_until_ns != 0) {
        run_preflight_prepare_tick(run);
    } else if (run->phase == RUN_PREPARE && all_ready(run)) {
        run_event_happened(run, RUN_ALL_READY);
    } else if (run->phase == RUN_PREFLIGHT && roster_all(&run->roster, asked[run->phase])) {
        run_judge_preflight(run);
    } else if (run->phase == RUN_ARM && roster_all(&run->roster, asked[run->phase])) {
        run_event_happened(run, RUN_ALL_ARMED);
    } else if (run->phase == RUN_DRAIN && (roster_all(&run->roster, asked[run->phase]) ||
                                           roster_live_count(&run->roster) == 0)) {
        run_event_happened(run, RUN_ALL_DRAINED);
    } else if (run->phase == RUN_RECONCILE && is_delivering(run)) {
        return;
    } else if (run->phase == RUN_RECONCILE && books_are_complete(run)) {
        run_event_happened(run, RUN_RECONCILED);
    } else if (run->phase_until_ns != 0 && run->now_ns >= run->phase_until_ns &&
               run->phase != RUN_OVER) {
        phase_timed_out(run);
    }
}
