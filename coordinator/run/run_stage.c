/* SPDX-License-Identifier: MIT */
/* The stages: who is let loose when, what ends a stage, what stops the load. */
#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/steps.h"

#define START_AHEAD_NS (250 * NS_PER_MS)
#define STEADY_LOOK_NS NS_PER_S
enum { SILENT_EXCHANGES_MAX = 100, FOREIGN_OFFERS_MAX = 3 };

static const struct scenario_stage *scenario_stage(const struct run *run, uint32_t stage)
{
    const struct scenario_stage *stages = run->scenario->stages.items;
    return &stages[stage];
}

void run_send_go(struct run *run, struct roster_agent *a, struct control_message *m)
{
    roster_ask(a, &m->u.go);
    run_send(run, a, m);
}

/* How the step's numbers fall to the agents, as the hands are now. */
struct parts {
    uint64_t limit[ROSTER_AGENTS_MAX], batch[ROSTER_AGENTS_MAX], rate[ROSTER_AGENTS_MAX];
};

static void split_step(const struct run *run, struct parts *out)
{
    const struct plan_stage *stage = &run->plan.stages[run->stage];
    run_split_by_clients(run, steps_client_limit(&run->plan, run->stage, run->step), out->limit);
    run_split_by_clients(run, stage->batch, out->batch);
    run_split_by_clients(run, stage->rate_milli_per_s, out->rate);
}

static struct control_go go_of(const struct run *run, size_t i, const struct parts *parts,
                               uint64_t start_ns)
{
    const struct plan_stage *stage = &run->plan.stages[run->stage];
    const struct roster_agent *a = &run->roster.agents[i];
    bool is_last = run->step + 1 == steps_count(&run->plan, run->stage);
    return (struct control_go){
        .stage = run->stage,
        .step = run->step,
        .start_at_ns = clock_map_to_agent_ns(&a->clock, start_ns),
        .client_limit = (uint32_t)(is_last ? a->hand.clients : parts->limit[i]),
        /* A share of nothing would never end: the smallest window is one exchange. */
        .batch = (uint32_t)(stage->batch > 0 && parts->batch[i] == 0 ? 1 : parts->batch[i]),
        .rate_milli_per_s = stage->rate_milli_per_s > 0 && parts->rate[i] == 0 ? 1 : parts->rate[i],
        .is_last_step = is_last,
    };
}

/* To all agents, or to the one that has come back (resume) and may not have heard it. */
static void send_go(struct run *run, uint64_t start_ns, const struct roster_agent *only)
{
    struct parts parts;
    split_step(run, &parts);
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        struct control_message m = {.kind = CONTROL_GO, .u.go = go_of(run, i, &parts, start_ns)};
        if (!a->is_lost && (only == NULL || only == a)) {
            run_send_go(run, a, &m);
        }
    }
}

bool run_go_for(const struct run *run, const struct roster_agent *a, struct control_go *out)
{
    struct parts parts;
    if (!run->stage_is_open || run_search_is_stage(run, run->stage)) {
        return false;
    }
    split_step(run, &parts);
    *out = go_of(run, roster_index(&run->roster, a), &parts, run->step_begun_ns);
    return true;
}

void run_repeat_go(struct run *run, const struct roster_agent *a)
{
    send_go(run, run->step_begun_ns, a);
}

static void begin_step(struct run *run)
{
    const struct plan_stage *stage = &run->plan.stages[run->stage];
    uint64_t start_ns = run->now_ns + START_AHEAD_NS + 4 * roster_slowest_delay_ns(&run->roster);
    if (run->start_ns == 0) {
        run->start_ns = start_ns;
        uint64_t wall_ns = clock_realtime_ns() + (start_ns - run->now_ns);
        run_note(run, &(struct journal_entry){.kind = JOURNAL_START, .a = start_ns, .b = wall_ns});
        run_note_clocks(run);
        run_events_run_begins(run, start_ns);
        run_flush_deferred(run);
    }
    if (run->step == 0) {
        run->stage_is_open = true;
        run->phase_until_ns = start_ns + stage->timeout_ns;
        run_note_stage(run, JOURNAL_STAGE_BEGIN, run_time_us(run, start_ns), false);
        agenda_stage_begins(&run->agenda, stage->name, start_ns);
    }
    if (run_search_is_stage(run, run->stage)) {
        run_search_begin(run, start_ns);
        return;
    }
    run->step_begun_ns = start_ns;
    run->steady_look_ns = start_ns + STEADY_LOOK_NS;
    run->step_until_ns = steps_is_canary(&run->plan, run->stage, run->step)
                             ? start_ns + run->plan.acquire_deadline_ns
                             : 0;
    log_info("what=step stage=%s step=%u clients=%" PRIu64 " start_at_ns=%" PRIu64, stage->name,
             (unsigned)run->step, steps_client_limit(&run->plan, run->stage, run->step), start_ns);
    if (run->step > 0 && run->step + 1 == steps_count(&run->plan, run->stage)) {
        run_note_stage(run, JOURNAL_STAGE_LOAD, run_time_us(run, start_ns), false);
    }
    run_note_now(run, &(struct journal_entry){.kind = JOURNAL_STEP,
                                              .run_us = run_time_us(run, start_ns),
                                              .a = run->stage,
                                              .b = run->step,
                                              .c = run->step_received_base});
    if (run->phase == RUN_STAGE) { /* the ledger took it */
        send_go(run, start_ns, NULL);
    }
}

void run_end_stage(struct run *run, bool timed_out)
{
    if (!run->stage_is_open) {
        return;
    }
    run->stage_is_open = false;
    run_note_stage(run, JOURNAL_STAGE_END, run_time_us(run, run->now_ns), timed_out);
    agenda_stage_ended(&run->agenda, run->plan.stages[run->stage].name, run->now_ns);
}

void run_next_step(struct run *run)
{
    if (!run->stage_is_open && run->start_ns == 0) {
        run->stage = 0;
        run->step = 0;
    } else if (run->step + 1 < steps_count(&run->plan, run->stage) && run->stage_is_open) {
        run->step++;
    } else {
        run->stage++;
        run->step = 0;
    }
    begin_step(run);
}

/* Of the agents that are still there: who started, is bound. */
static bool canary_is_bound(const struct run *run)
{
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        if (!a->is_lost && a->progress.bound < a->progress.started) {
            return false;
        }
    }
    return true;
}

/* A canary that is not clean: nothing more is let loose. True when the run stops. */
static bool judge_canary(struct run *run, bool is_over)
{
    if (!steps_is_canary(&run->plan, run->stage, run->step)) {
        return false;
    }
    struct control_progress sum = roster_sum(&run->roster);
    uint64_t limit = steps_client_limit(&run->plan, run->stage, run->step);
    if (!is_over && run->now_ns < run->step_until_ns) {
        return false;
    }
    if (is_over && canary_is_bound(run) && sum.foreign_offers == 0) {
        return false;
    }
    bool is_silent = sum.received == run->step_received_base;
    const char *id = is_silent ? "server-silent" : "canary-failed";
    char evidence[160];
    snprintf(evidence, sizeof(evidence),
             "%u of %" PRIu64 " canary clients bound after %.1f s, %" PRIu64
             " packets received in this step",
             (unsigned)sum.bound, limit,
             (double)(run->now_ns - run->step_begun_ns) / (double)NS_PER_S,
             sum.received - run->step_received_base);
    run_finding(run, id, "error",
                is_silent ? "no server answered the first clients at all"
                          : "the first few clients did not all get a lease",
                evidence, "look at the servers' logs for these clients before any load is sent");
    run_end_stage(run, false);
    run_stop(run, OUTCOME_FAILED, CLEANUP_ON_FAIL, "%s: %s", id, evidence);
    return true;
}

void run_end_last_stage(struct run *run, bool timed_out)
{
    run_end_stage(run, timed_out);
    run->releases_leases = scenario_cleans_up(run->scenario, CLEANUP_ON_END);
    run_event_happened(run, RUN_STAGES_DONE);
}

/* The stage is over; the release stage of a search is played inside the search. */
static void go_on(struct run *run, bool timed_out)
{
    if (run->stage + 1 < run->plan.stage_count) {
        run_end_stage(run, timed_out);
        run_event_happened(run, RUN_STEP_DONE);
    } else {
        run_end_last_stage(run, timed_out);
    }
}

/* What the servers bore in the load of an acquire stage: a search after it begins from there. */
static void note_fill(struct run *run)
{
    double took_s = (double)(run->now_ns - run->step_begun_ns) / (double)NS_PER_S;
    if (run->plan.stages[run->stage].kind == PLAN_ACQUIRE && run->now_ns > run->step_begun_ns) {
        double per_s = (double)roster_sum(&run->roster).finished / took_s;
        run->fill_milli_per_s = (uint64_t)(per_s * 1e3);
    }
}

static void step_is_done(struct run *run)
{
    if (judge_canary(run, true)) {
        return;
    }
    bool last_step = run->step + 1 == steps_count(&run->plan, run->stage);
    if (!last_step) {
        run_event_happened(run, RUN_STEP_DONE);
        return;
    }
    note_fill(run);
    run_outcome(run, OUTCOME_COMPLETED, "");
    go_on(run, false);
}

/* What ends any stage for the sake of others' networks. True when the run stops. */
static bool watch_safety(struct run *run)
{
    struct control_progress sum = roster_sum(&run->roster);
    if (sum.foreign_offers >= FOREIGN_OFFERS_MAX) {
        char addr[IPV4_TEXT_BYTES], server[IPV4_TEXT_BYTES], evidence[200];
        snprintf(evidence, sizeof(evidence), "%" PRIu64 " foreign OFFERs, the latest of %s by %s",
                 sum.foreign_offers, inet_text(sum.foreign_offer_addr, addr),
                 inet_text(sum.foreign_offer_server, server));
        run_finding(
            run, "foreign-offer", "error",
            "addresses outside the test block, or from a server that is not in `servers`, were "
            "offered; none was requested",
            evidence,
            "correct network.block and servers, or keep that pool away from the test relays");
        run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL, "foreign-offer: %s", evidence);
        return true;
    }
    if (roster_silent_streak(&run->roster) >= SILENT_EXCHANGES_MAX) {
        char evidence[160];
        snprintf(evidence, sizeof(evidence),
                 "%" PRIu64 " exchanges in a row had no reply after their second retransmission",
                 roster_silent_streak(&run->roster));
        run_finding(run, "server-silent", "error", "the servers have stopped answering altogether",
                    evidence, "see whether the servers are alive and reachable from the relays");
        run_stop(run, OUTCOME_FAILED, CLEANUP_ON_FAIL, "server-silent: %s", evidence);
        return true;
    }
    int64_t run_us = run_time_us(run, run->now_ns);
    if (!run->is_start_guessed && run_us > 0 &&
        (uint64_t)run_us > run->plan.run_time_max_ns / NS_PER_US) {
        run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_STOP,
                 "limits.time (%" PRIu64 " s) is reached; raise it or shorten the stages",
                 run->plan.run_time_max_ns / NS_PER_S);
        return true;
    }
    return false;
}

/* What a stage did not get done in its time was not sustained: that is no PASS. */
static void time_out_stage(struct run *run)
{
    struct control_progress sum = roster_sum(&run->roster);
    char reason[160];
    snprintf(reason, sizeof(reason),
             "stage %s ended at its timeout, with %u of %" PRIu32 " clients finished",
             scenario_stage(run, run->stage)->name, (unsigned)sum.finished, run->plan.client_count);
    log_warn("what=stage_timeout stage=%s", scenario_stage(run, run->stage)->name);
    if (run->plan.stages[run->stage].kind != PLAN_HOLD) {
        run_outcome(run, OUTCOME_FAILED, reason);
    }
    go_on(run, true);
}

/* `hold: until-steady`: true when it is, and the stage is over before its longest time. */
static bool hold_is_steady(struct run *run)
{
    char why[RESULT_TEXT_BYTES];
    if (run->now_ns < run->steady_look_ns) {
        return false;
    }
    run->steady_look_ns = run->now_ns + STEADY_LOOK_NS;
    if (!scenario_stage(run, run->stage)->is_until_steady ||
        !truth_is_steady(run->truth, run->stage, run_time_us(run, run->now_ns), why, sizeof(why))) {
        return false;
    }
    log_info("what=steady stage=%s why=\"%s\"", scenario_stage(run, run->stage)->name, why);
    run_say(run, why);
    return true;
}

/* A hold that never became steady: what is measured after it is no steady state. */
static void judge_hold(struct run *run)
{
    char why[RESULT_TEXT_BYTES], reason[RESULT_TEXT_BYTES];
    const struct scenario_stage *stage = scenario_stage(run, run->stage);
    if (stage->is_until_steady &&
        !truth_is_steady(run->truth, run->stage, run_time_us(run, run->now_ns), why, sizeof(why))) {
        snprintf(reason, sizeof(reason), "stage %.63s did not become steady in %.0f s: %.200s",
                 stage->name, (double)stage->duration_ns / (double)NS_PER_S, why);
        run_outcome(run, OUTCOME_INVALID, reason);
    }
}

/* What was received before the step's start instant is not its: PROGRESS comes a little later. */
static void update_base(struct run *run)
{
    /* By run time: after a resume it may have begun before the clock did. */
    if (run_time_us(run, run->now_ns) < run_time_us(run, run->step_begun_ns)) {
        run->step_received_base = roster_sum(&run->roster).received;
    }
}

void run_stage_tick(struct run *run)
{
    update_base(run);
    if (watch_safety(run)) {
        run_end_stage(run, false);
    } else if (run_search_is_stage(run, run->stage)) {
        run_search_tick(run);
    } else if (roster_step_is_done(&run->roster) && !run_reassign_is_open(run)) {
        judge_hold(run);
        step_is_done(run);
    } else if (hold_is_steady(run)) {
        step_is_done(run);
    } else if (!judge_canary(run, false) && run->now_ns >= run->phase_until_ns) {
        judge_hold(run);
        time_out_stage(run);
    }
}
