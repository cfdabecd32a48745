/* SPDX-License-Identifier: MIT */
/*
 * The capacity search on the wire. For the phases it is one stage; inside, rounds follow each
 * other as search_script.h says, each with a barrier at its end: the next one begins when all
 * agents are done, and with a step, when its results are here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/truth/search_steps.h"

#define START_AHEAD_NS (250 * NS_PER_MS)
/* Between two rounds: the servers' queues run dry, and agents' clocks cannot mix up two steps. */
#define REST_NS  NS_PER_S
#define RESET_NS (600 * NS_PER_S)

static void play_next(struct run *run);

/* Leases held by the agents that are there. */
static uint64_t live_bound(const struct run *run)
{
    uint64_t bound = 0;
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        bound += a->is_lost ? 0 : a->progress.bound;
    }
    return bound;
}

bool run_search_is_stage(const struct run *run, uint32_t stage)
{
    return run->plan.stages[stage].kind == PLAN_LOAD;
}

/* --- a round goes out --- */

static uint64_t not_nothing(uint64_t share)
{
    return share > 0 ? share : 1;
}

/* The move's numbers over the fleet, and each agent's exact part of them. */
struct parts {
    uint64_t total_batch, total_rate_milli_per_s;
    uint64_t share[ROSTER_AGENTS_MAX]; /* leases to be there, or exchanges to be begun */
    uint64_t batch[ROSTER_AGENTS_MAX], rate_milli_per_s[ROSTER_AGENTS_MAX];
};

static void split_share(const struct run *run, uint64_t *out)
{
    const struct search_move *move = &run->search.move;
    bool is_load = move->kind == SEARCH_MOVE_STEP || move->kind == SEARCH_MOVE_CANARY;
    run_split_by_clients(run, is_load ? move->arrivals : move->keep, out);
}

static void split_move(const struct run *run, struct parts *out)
{
    const struct search_move *move = &run->search.move;
    const struct plan_stage *stage = &run->plan.stages[move->stage];
    bool is_refill = move->kind == SEARCH_MOVE_REFILL;
    out->total_batch = is_refill ? stage->batch : 0;
    out->total_rate_milli_per_s = is_refill ? stage->rate_milli_per_s : move->rate_milli_per_s;
    split_share(run, out->share);
    run_split_by_clients(run, out->total_batch, out->batch);
    run_split_by_clients(run, out->total_rate_milli_per_s, out->rate_milli_per_s);
}

/* False: this agent has no part in the move, and is not asked. */
static bool fill_go(const struct run *run, size_t i, const struct parts *parts,
                    struct control_go *go)
{
    const struct roster_agent *a = &run->roster.agents[i];
    uint64_t share = parts->share[i];
    go->batch = (uint32_t)(parts->total_batch > 0 ? not_nothing(parts->batch[i]) : 0);
    go->rate_milli_per_s =
        parts->total_rate_milli_per_s > 0 ? not_nothing(parts->rate_milli_per_s[i]) : 0;
    go->client_limit = (uint32_t)a->hand.clients;
    if (run->search.move.kind == SEARCH_MOVE_REFILL) {
        go->client_limit = (uint32_t)(share < a->hand.clients ? share : a->hand.clients);
        return go->client_limit > 0;
    }
    go->arrivals = share;
    if (run->search.move.kind == SEARCH_MOVE_RELEASE) {
        go->arrivals = a->progress.bound > share ? a->progress.bound - share : 0;
    }
    return go->arrivals > 0;
}

static void send_round(struct run *run, uint64_t start_ns)
{
    static struct parts parts; /* too large for a stack; one thread */
    split_move(run, &parts);
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        struct control_message m = {.kind = CONTROL_GO};
        m.u.go.round = run->search.round;
        m.u.go.stage = run->search.move.stage;
        m.u.go.start_at_ns = clock_map_to_agent_ns(&a->clock, start_ns);
        m.u.go.is_last_step = true;
        if (!a->is_lost && fill_go(run, i, &parts, &m.u.go)) {
            run_send_go(run, a, &m);
        }
    }
}

static bool open_step(struct run *run, uint64_t start_ns)
{
    uint64_t share[ROSTER_AGENTS_MAX];
    split_share(run, share);
    struct truth_search_start start = {
        .round = run->search.round,
        .rate_milli_per_s = run->search.move.rate_milli_per_s,
        .begin_us = run_time_us(run, start_ns),
        .planned = share,
    };
    return truth_search_step_begin(run->truth, &start);
}

static void begin_round(struct run *run)
{
    struct run_search *s = &run->search;
    uint64_t start_ns = run->now_ns + START_AHEAD_NS + 4 * roster_slowest_delay_ns(&run->roster);
    start_ns = start_ns < s->rest_until_ns ? s->rest_until_ns : start_ns;
    s->round++;
    run->step_begun_ns = start_ns;
    s->until_ns = start_ns + s->move.longest_ns;
    log_info("what=round round=%" PRIu64 " stage=%s rate_milli_per_s=%" PRIu64 " arrivals=%" PRIu64
             " keep=%" PRIu64,
             s->round, run->plan.stages[s->move.stage].name, s->move.rate_milli_per_s,
             s->move.arrivals, s->move.keep);
    if (s->move.kind == SEARCH_MOVE_STEP && !open_step(run, start_ns)) {
        run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL, "out of memory");
        return;
    }
    send_round(run, start_ns);
}

/* --- a round is over --- */

/* A whole round of LOAD without any reply: its exchanges are never repeated, so no streak of
 * retransmissions tells. */
static bool is_silent(const struct run *run)
{
    return roster_sum(&run->roster).received == run->step_received_base;
}

static void stop_for(struct run *run, const char *id, const char *summary, const char *evidence,
                     const char *remedy)
{
    run_finding(run, id, "error", summary, evidence, remedy);
    run_stop(run, OUTCOME_FAILED, CLEANUP_ON_FAIL, "%s: %s", id, evidence);
}

static void stop_for_silence(struct run *run)
{
    char evidence[160];
    (void)snprintf(evidence, sizeof(evidence),
                   "none of %" PRIu64 " exchanges at %.0f/s had any reply in %.0f s",
                   run->search.move.arrivals, (double)run->search.move.rate_milli_per_s / 1e3,
                   (double)(run->now_ns - run->step_begun_ns) / (double)NS_PER_S);
    stop_for(run, "server-silent", "the servers have stopped answering altogether", evidence,
             "see whether the servers are alive and reachable from the relays");
}

static void fail_canary(struct run *run)
{
    char evidence[160];
    (void)snprintf(evidence, sizeof(evidence), "%" PRIu64 " of %" PRIu64 " canary clients bound",
                   live_bound(run), run->search.move.keep);
    bool silent = is_silent(run);
    stop_for(run, silent ? "server-silent" : "canary-failed",
             silent ? "no server answered the first clients at all"
                    : "the first few clients did not all get a lease",
             evidence, "look at the servers' logs for these clients before any load is sent");
}

static void close_step(struct run *run)
{
    struct result_search_step step;
    truth_search_step_close(run->truth, &step);
    search_script_learn(&run->search.script, run->search.move.rate_milli_per_s, step.flag);
    char text[RESULT_TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "search: %.0f/s %s, %.2f %% in time%s%s", step.rate_per_s,
                   search_flag_name(step.flag), step.in_time_percent,
                   step.reason[0] == '\0' ? "" : ": ", step.reason);
    run_say(run, text);
    log_info("what=search_step round=%" PRIu64 " rate_per_s=%.3f flag=%s planned=%" PRIu64
             " sent=%" PRIu64 " in_time=%" PRIu64 " answered_per_s=%.1f",
             step.round, step.rate_per_s, search_flag_name(step.flag), step.planned, step.sent,
             step.in_time, step.answered_per_s);
}

static bool round_is_over(const struct run *run)
{
    const struct run_search *s = &run->search;
    if (s->move.kind == SEARCH_MOVE_RESET) {
        return run->reset != RUN_RESET_RUNNING;
    }
    return roster_step_is_done(&run->roster) &&
           (s->move.kind != SEARCH_MOVE_STEP || truth_search_step_is_settled(run->truth));
}

static void refuse_reset(struct run *run)
{
    char reason[RESULT_TEXT_BYTES];
    (void)snprintf(reason, sizeof(reason),
                   "the search ended early: %s; the repeats after it would not have begun from "
                   "the same state",
                   run->search.move.kind == SEARCH_MOVE_RESET
                       ? "the reset between two repeats failed, see actions.log"
                       : "not all clients got a lease again after the reset");
    run_outcome(run, OUTCOME_INVALID, reason);
    run_end_last_stage(run, false);
}

/* --- from move to move --- */

static void play(struct run *run)
{
    switch (run->search.move.kind) {
    case SEARCH_MOVE_CANARY:
    case SEARCH_MOVE_STEP:
    case SEARCH_MOVE_RELEASE:
    case SEARCH_MOVE_REFILL:
        begin_round(run);
        break;
    case SEARCH_MOVE_RESET:
        run->search.until_ns = run->now_ns + RESET_NS;
        run_events_reset(run, ++run->search.resets + 1);
        break;
    case SEARCH_MOVE_RESET_DONE:
        truth_search_reset_done(run->truth);
        play_next(run);
        break;
    case SEARCH_MOVE_DONE:
        run_outcome(run, OUTCOME_COMPLETED, "");
        run_end_last_stage(run, false);
        break;
    case SEARCH_MOVE_CANARY_FAILED:
        fail_canary(run);
        break;
    case SEARCH_MOVE_REFILL_FAILED:
        refuse_reset(run);
        break;
    }
}

static void play_next(struct run *run)
{
    run->search.move =
        search_script_next(&run->search.script, truth_search_next(run->truth), live_bound(run));
    play(run);
}

void run_search_begin(struct run *run, uint64_t start_ns)
{
    run->search = (struct run_search){.rest_until_ns = start_ns};
    search_script_init(&run->search.script, &run->scenario->search, &run->plan);
    search_script_learn(&run->search.script, run->fill_milli_per_s, SEARCH_GOOD);
    play_next(run);
}

static void end_move(struct run *run)
{
    enum search_move_kind kind = run->search.move.kind;
    run->search.rest_until_ns = run->now_ns + REST_NS;
    if (kind == SEARCH_MOVE_STEP && is_silent(run)) {
        stop_for_silence(run); /* the step is left open: servers that are gone have no capacity */
        return;
    }
    if (kind == SEARCH_MOVE_STEP) {
        close_step(run);
    }
    if (kind == SEARCH_MOVE_RESET && run->reset == RUN_RESET_FAILED) {
        refuse_reset(run);
        return;
    }
    if (run->phase == RUN_STAGE) {
        play_next(run);
    }
}

void run_search_tick(struct run *run)
{
    if (round_is_over(run)) {
        end_move(run);
    } else if (run->now_ns >= run->search.until_ns) {
        log_warn("what=round_timeout round=%" PRIu64, run->search.round);
        if (run->search.move.kind == SEARCH_MOVE_RESET) {
            run_events_kill_reset(run, "not ended within ten minutes, killed");
        }
        end_move(run);
    } /* How long all of it may take is said by limits.time: run_stage.c watches it. */
}

void run_search_describe(const struct run *run, char *out, size_t size)
{
    const struct search_move *move = &run->search.move;
    const char *name = run->plan.stages[run->stage].name;
    switch (move->kind) {
    case SEARCH_MOVE_STEP:
        (void)snprintf(out, size, "%s: %.0f/s", name, (double)move->rate_milli_per_s / 1e3);
        break;
    case SEARCH_MOVE_CANARY:
    case SEARCH_MOVE_CANARY_FAILED:
        (void)snprintf(out, size, "%s: first clients", name);
        break;
    case SEARCH_MOVE_RELEASE:
        (void)snprintf(out, size, "%s: giving leases back", name);
        break;
    case SEARCH_MOVE_RESET:
        (void)snprintf(out, size, "%s: reset", name);
        break;
    case SEARCH_MOVE_REFILL:
    case SEARCH_MOVE_REFILL_FAILED:
        (void)snprintf(out, size, "%s: leases again", name);
        break;
    case SEARCH_MOVE_RESET_DONE:
    case SEARCH_MOVE_DONE:
        (void)snprintf(out, size, "%s", name);
        break;
    }
}
