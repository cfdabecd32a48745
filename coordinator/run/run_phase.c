/* SPDX-License-Identifier: MIT */
#include "coordinator/run/run_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "coordinator/plan/deal.h"
#include "coordinator/run/preflight_verdict.h"
#include "coordinator/run/steps.h"

#define PREPARE_NS     (30 * NS_PER_S)
#define PREFLIGHT_NS   (60 * NS_PER_S)
#define ARM_NS         (10 * NS_PER_S)
#define DRAIN_SLACK_NS (25 * NS_PER_S) /* 10 s for open exchanges, and the way of the results */
#define RECONCILE_NS   (15 * NS_PER_S)
#define START_AHEAD_NS (250 * NS_PER_MS)
enum { SILENT_EXCHANGES_MAX = 100, FOREIGN_OFFERS_MAX = 3 };

static const struct scenario_stage *scenario_stage(const struct run *run, uint32_t stage)
{
    const struct scenario_stage *stages = run->scenario->stages.items;
    return &stages[stage];
}

/* --- PREPARE --- */

static bool deal_the_plan(struct run *run)
{
    size_t count = run->roster.count;
    struct deal_agent *agents = calloc(count, sizeof(*agents));
    struct deal_hand *hands = calloc(count, sizeof(*hands));
    struct diag *why = calloc(1, sizeof(*why));
    bool ok = agents != NULL && hands != NULL && why != NULL;
    if (!ok) {
        run_refuse(run, 6, "out of memory");
    }
    for (size_t i = 0; ok && i < count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        snprintf(agents[i].name, sizeof(agents[i].name), "%s", a->name);
        agents[i].cores = a->cores;
        agents[i].addresses = a->addresses;
        agents[i].address_count = a->address_count;
    }
    if (ok) {
        diag_init(why, run->options->scenario_path);
        ok = deal_relays(run->scenario, &run->plan, agents, count, hands, why);
        for (size_t i = 0; i < count; i++) {
            run->roster.agents[i].hand = hands[i];
        }
    }
    if (!ok && why != NULL && run->exit_code < 0) {
        char text[DIAG_ITEMS_MAX * (DIAG_TEXT_BYTES + DIAG_FILE_BYTES)];
        size_t size = diag_print(why, text, sizeof(text) - 1);
        text[size] = '\0';
        run_say(run, text);
        run_refuse(run, 2, "the relays cannot be dealt to these agents, for the reasons above");
    }
    free(agents);
    free(hands);
    free(why);
    return ok;
}

static bool open_books(struct run *run)
{
    size_t count = run->roster.count;
    struct truth_agent *agents = calloc(count, sizeof(*agents));
    for (size_t i = 0; agents != NULL && i < count; i++) {
        snprintf(agents[i].name, sizeof(agents[i].name), "%s", run->roster.agents[i].name);
        agents[i].clients = run->roster.agents[i].hand.clients;
    }
    struct truth *truth =
        agents == NULL ? NULL : truth_new(run->scenario, &run->plan, agents, count);
    free(agents);
    if (truth == NULL) {
        run_refuse(run, 6, "out of memory");
        return false;
    }
    char path[RUN_DIR_PATH_BYTES];
    int rc =
        ledger_create(run_dir_path(run->dir, "ledger.db", path), run->plan.run_name, &run->ledger);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = ledger_add_agent(run->ledger, (uint32_t)i, run->roster.agents[i].name,
                              run->roster.agents[i].epoch);
    }
    if (rc < 0) {
        truth_free(truth);
        run_refuse(run, 6, "cannot create %s: %s", path,
                   run->ledger != NULL ? ledger_why(run->ledger) : strerror(-rc));
        return false;
    }
    run->truth = truth;
    return true;
}

static void split_by_clients(const struct run *run, uint64_t total, uint64_t *out)
{
    uint64_t weights[ROSTER_AGENTS_MAX];
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        weights[i] = a->is_lost ? 0 : a->hand.clients;
    }
    deal_split(total, weights, run->roster.count, out);
}

static void prepare(struct run *run)
{
    roster_seal(&run->roster);
    if (!deal_the_plan(run) || !open_books(run)) {
        return;
    }
    uint64_t packets[ROSTER_AGENTS_MAX];
    split_by_clients(run, run->plan.packets_per_s_max, packets);
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        struct control_message m = {.kind = CONTROL_PREPARE};
        m.u.prepare.plan = run->plan_bytes;
        m.u.prepare.plan_bytes = run->plan_size;
        memcpy(m.u.prepare.plan_hash, run->plan_hash, PLAN_HASH_BYTES);
        m.u.prepare.assignment_epoch = 1;
        m.u.prepare.shares = a->hand.shares;
        m.u.prepare.share_count = a->hand.share_count;
        m.u.prepare.packets_per_s_max = packets[i] > 0 ? packets[i] : 1;
        run_send(run, a, &m);
    }
    run->phase_until_ns = run->now_ns + PREPARE_NS;
}

/* --- PREFLIGHT, ARM --- */

/* Asked before anything is sent: such a plan cannot work with this fleet. */
static bool subnets_fit_the_path(struct run *run, bool are_whole)
{
    enum scenario_path path = run->scenario->client_path;
    if (are_whole || (path != SCENARIO_PATH_ROUTED && path != SCENARIO_PATH_DNAT)) {
        return true;
    }
    run_refuse(run, 2,
               "client_path routed and dnat need every subnet at one agent; pin the relays of a "
               "subnet to one agent, or use client_path: egress");
    return false;
}

static void preflight(struct run *run)
{
    struct deal_hand hands[ROSTER_AGENTS_MAX];
    for (size_t i = 0; i < run->roster.count; i++) {
        hands[i] = run->roster.agents[i].hand;
    }
    bool are_whole = deal_subnets_are_whole(&run->plan, hands, run->roster.count);
    if (!subnets_fit_the_path(run, are_whole)) {
        return;
    }
    struct control_message m = {.kind = CONTROL_PREFLIGHT};
    m.u.preflight.path_count = preflight_candidates(run->scenario, are_whole, m.u.preflight.path);
    run_send_all(run, &m);
    run->phase_until_ns = run->now_ns + PREFLIGHT_NS;
}

static void judge_preflight(struct run *run)
{
    struct preflight_verdict v;
    preflight_judge(&run->plan, run->preflight, run->preflight_count, &v);
    if (v.result == PREFLIGHT_PASSED) {
        run->path = v.path;
        run->path_is_known = true;
        run_event_happened(run, RUN_PREFLIGHT_PASSED);
        return;
    }
    bool is_foreign = v.result == PREFLIGHT_FOREIGN_OFFER;
    truth_finding(run->truth, v.finding, "error", v.reason, "seen in preflight, before any load",
                  is_foreign
                      ? "correct network.block and servers, or keep production pools away from "
                        "the test relays"
                      : "mend this and run again; no load was sent");
    run_stop(run, is_foreign ? OUTCOME_ABORTED : OUTCOME_PREFLIGHT, CLEANUP_ON_FAIL, "%s: %s",
             v.finding, v.reason);
}

static void arm(struct run *run)
{
    struct control_message m = {.kind = CONTROL_ARM};
    m.u.arm.generation = ++run->arm_generation;
    m.u.arm.path = (uint32_t)run->path;
    run_send_all(run, &m);
    run->phase_until_ns = run->now_ns + ARM_NS;
}

/* --- STAGE --- */

static void send_go(struct run *run, uint64_t start_ns)
{
    const struct plan_stage *stage = &run->plan.stages[run->stage];
    bool is_last = run->step + 1 == steps_count(&run->plan, run->stage);
    uint64_t limit[ROSTER_AGENTS_MAX], batch[ROSTER_AGENTS_MAX], rate[ROSTER_AGENTS_MAX];
    split_by_clients(run, steps_client_limit(&run->plan, run->stage, run->step), limit);
    split_by_clients(run, stage->batch, batch);
    split_by_clients(run, stage->rate_milli_per_s, rate);
    for (size_t i = 0; i < run->roster.count; i++) {
        struct roster_agent *a = &run->roster.agents[i];
        struct control_message m = {.kind = CONTROL_GO};
        m.u.go.stage = run->stage;
        m.u.go.step = run->step;
        m.u.go.start_at_ns = clock_map_to_agent_ns(&a->clock, start_ns);
        m.u.go.client_limit = (uint32_t)(is_last ? a->hand.clients : limit[i]);
        /* A share of nothing would never end: the smallest window is one exchange. */
        m.u.go.batch = (uint32_t)(stage->batch > 0 && batch[i] == 0 ? 1 : batch[i]);
        m.u.go.rate_milli_per_s = stage->rate_milli_per_s > 0 && rate[i] == 0 ? 1 : rate[i];
        m.u.go.is_last_step = is_last;
        if (!a->is_lost) {
            run_send(run, a, &m);
        }
    }
}

static void begin_step(struct run *run)
{
    const struct plan_stage *stage = &run->plan.stages[run->stage];
    uint64_t start_ns = run->now_ns + START_AHEAD_NS + 4 * roster_slowest_delay_ns(&run->roster);
    if (run->start_ns == 0) {
        run->start_ns = start_ns;
        run_flush_deferred(run);
    }
    if (run->step == 0) {
        run->stage_is_open = true;
        run->phase_until_ns = start_ns + stage->timeout_ns;
        truth_stage_begin(run->truth, run->stage, run_time_us(run, start_ns));
    }
    struct control_progress sum = roster_sum(&run->roster);
    run->step_begun_ns = start_ns;
    run->step_received_base = sum.received;
    run->step_until_ns = steps_is_canary(&run->plan, run->stage, run->step)
                             ? start_ns + run->plan.acquire_deadline_ns
                             : 0;
    log_info("what=step stage=%s step=%u clients=%" PRIu64, stage->name, (unsigned)run->step,
             steps_client_limit(&run->plan, run->stage, run->step));
    send_go(run, start_ns);
}

static void end_stage(struct run *run, bool timed_out)
{
    if (!run->stage_is_open) {
        return;
    }
    run->stage_is_open = false;
    truth_stage_end(run->truth, run->stage, run_time_us(run, run->now_ns), timed_out);
}

static void next_step(struct run *run)
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
    truth_finding(run->truth, id, "error",
                  is_silent ? "no server answered the first clients at all"
                            : "the first few clients did not all get a lease",
                  evidence, "look at the servers' logs for these clients before any load is sent");
    end_stage(run, false);
    run_stop(run, OUTCOME_FAILED, CLEANUP_ON_FAIL, "%s: %s", id, evidence);
    return true;
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
    end_stage(run, false);
    if (run->stage + 1 < run->plan.stage_count) {
        run_event_happened(run, RUN_STEP_DONE);
    } else {
        run->releases_leases = scenario_cleans_up(run->scenario, CLEANUP_ON_END);
        truth_outcome(run->truth, OUTCOME_COMPLETED, "");
        run_event_happened(run, RUN_STAGES_DONE);
    }
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
        truth_finding(
            run->truth, "foreign-offer", "error",
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
        truth_finding(run->truth, "server-silent", "error",
                      "the servers have stopped answering altogether", evidence,
                      "see whether the servers are alive and reachable from the relays");
        run_stop(run, OUTCOME_FAILED, CLEANUP_ON_FAIL, "server-silent: %s", evidence);
        return true;
    }
    if (run->now_ns > run->start_ns && run->now_ns - run->start_ns > run->plan.run_time_max_ns) {
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
        truth_outcome(run->truth, OUTCOME_FAILED, reason);
    }
    end_stage(run, true);
}

static void stage_tick(struct run *run)
{
    if (watch_safety(run)) {
        end_stage(run, false);
        return;
    }
    if (roster_step_is_done(&run->roster, run->stage, run->step)) {
        step_is_done(run);
    } else if (!judge_canary(run, false) && run->now_ns >= run->phase_until_ns) {
        time_out_stage(run);
        if (run->stage + 1 < run->plan.stage_count) {
            run_event_happened(run, RUN_STEP_DONE);
        } else {
            run->releases_leases = scenario_cleans_up(run->scenario, CLEANUP_ON_END);
            run_event_happened(run, RUN_STAGES_DONE);
        }
    }
}

/* --- DRAIN, RECONCILE --- */

static void drain(struct run *run)
{
    end_stage(run, false);
    uint64_t total = run->releases_leases ? run->scenario->release_milli_per_s : 0;
    uint64_t share[ROSTER_AGENTS_MAX];
    split_by_clients(run, total, share);
    for (size_t i = 0; i < run->roster.count; i++) {
        struct control_message m = {.kind = CONTROL_DRAIN};
        m.u.drain.mode = DRAIN_GRACEFUL;
        m.u.drain.release_milli_per_s = total > 0 && share[i] == 0 ? 1 : share[i];
        if (!run->roster.agents[i].is_lost) {
            run_send(run, &run->roster.agents[i], &m);
        }
    }
    uint64_t release_ns =
        total == 0
            ? 0
            : (uint64_t)((double)run->plan.client_count * 1e3 / (double)total * (double)NS_PER_S);
    run->phase_until_ns = run->now_ns + DRAIN_SLACK_NS + release_ns + release_ns / 4;
}

static bool books_are_complete(const struct run *run)
{
    for (size_t i = 0; i < run->roster.count; i++) {
        const struct roster_agent *a = &run->roster.agents[i];
        if (!a->is_lost &&
            !(a->has_final && ledger_committed(run->ledger, (uint32_t)i) >= a->final_batch_seq)) {
            return false;
        }
    }
    return true;
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
        prepare(run);
        break;
    case RUN_DO_PREFLIGHT:
        preflight(run);
        break;
    case RUN_DO_ARM:
        arm(run);
        break;
    case RUN_DO_NEXT_STEP:
        next_step(run);
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
        stage_tick(run);
    } else if (run->phase == RUN_GATHER && gather_is_complete(run)) {
        run_event_happened(run, RUN_ALL_JOINED);
    } else if (run->phase == RUN_PREPARE && all_ready(run)) {
        run_event_happened(run, RUN_ALL_READY);
    } else if (run->phase == RUN_PREFLIGHT && roster_all(&run->roster, asked[run->phase])) {
        judge_preflight(run);
    } else if (run->phase == RUN_ARM && roster_all(&run->roster, asked[run->phase])) {
        run_event_happened(run, RUN_ALL_ARMED);
    } else if (run->phase == RUN_DRAIN && (roster_all(&run->roster, asked[run->phase]) ||
                                           roster_live_count(&run->roster) == 0)) {
        run_event_happened(run, RUN_ALL_DRAINED);
    } else if (run->phase == RUN_RECONCILE && books_are_complete(run)) {
        run_event_happened(run, RUN_RECONCILED);
    } else if (run->phase_until_ns != 0 && run->now_ns >= run->phase_until_ns &&
               run->phase != RUN_OVER) {
        phase_timed_out(run);
    }
}
