/* SPDX-License-Identifier: MIT */
/* PREFLIGHT: the agents look at their hosts and try the bed; all checks are judged at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/deal.h"
#include "coordinator/run/preflight_checks.h"
#include "coordinator/run/run_internal.h"
#include "coordinator/run/run_journal.h"
#include "coordinator/run/run_preflight.h"

#define PREFLIGHT_NS (60 * NS_PER_S)
/* Others are given so long to say what is wrong with them, too. */
#define REFUSED_NS (3 * NS_PER_S)

/* What one agent told before it was ready. */
struct run_host {
    struct control_fact facts[CONTROL_FACTS_MAX];
    size_t fact_count;
    bool is_refused;
    char refusal[CONTROL_TEXT_BYTES];
};

/* --- what the agents tell --- */

static struct run_host *host_of(struct run *run, const struct roster_agent *a)
{
    if (run->hosts == NULL) {
        run->hosts = calloc(run->roster.count, sizeof(*run->hosts));
    }
    return run->hosts == NULL ? NULL : &run->hosts[roster_index(&run->roster, a)];
}

static void take_facts(struct run *run, const struct roster_agent *a,
                       const struct control_preflight_report *report)
{
    struct run_host *host = report->fact_count == 0 ? NULL : host_of(run, a);
    if (host != NULL) {
        memcpy(host->facts, report->facts, report->fact_count * sizeof(*report->facts));
        host->fact_count = report->fact_count;
    }
}

static bool is_reported(const struct run *run, uint32_t relay)
{
    for (size_t i = 0; i < run->preflight_count; i++) {
        if (run->preflight[i].relay == relay) {
            return true;
        }
    }
    return false;
}

/* Of its own relays, each once: what is said again, or of others' relays, does not count. */
static void take_relays(struct run *run, struct roster_agent *a,
                        const struct control_preflight_report *report)
{
    size_t room = run->preflight_count + report->relay_count;
    struct control_preflight_relay *grown = realloc(run->preflight, (room + 1) * sizeof(*grown));
    if (grown == NULL) {
        run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL, "out of memory");
        return;
    }
    run->preflight = grown;
    for (size_t i = 0; i < report->relay_count; i++) {
        uint32_t relay = report->relays[i].relay;
        if (roster_carries(a, relay) && !a->is_preflighted && !is_reported(run, relay)) {
            run->preflight[run->preflight_count++] = report->relays[i];
            run_note_preflight(run, roster_index(&run->roster, a), &report->relays[i]);
        }
    }
    a->is_preflighted = a->is_preflighted || report->is_last;
}

void run_take_preflight(struct run *run, struct roster_agent *a,
                        const struct control_preflight_report *report)
{
    if (run->phase == RUN_PREPARE) {
        take_facts(run, a, report);
    } else if (run->phase == RUN_PREFLIGHT) {
        take_relays(run, a, report);
    }
}

bool run_preflight_refused(struct run *run, const struct roster_agent *a,
                           const struct control_refuse *refuse)
{
    bool is_of_host = refuse->code == REFUSAL_ADDRESS || refuse->code == REFUSAL_RESOURCES;
    struct run_host *host =
        run->phase == RUN_PREPARE && run->truth != NULL && is_of_host ? host_of(run, a) : NULL;
    if (host == NULL) {
        return false;
    }
    for (size_t i = 0; refuse->code == REFUSAL_RESOURCES && i <= host->fact_count; i++) {
        if (i == host->fact_count) {
            return false; /* memory, not descriptors: no matter of the bed */
        }
        if (host->facts[i].kind == FACT_OPEN_FILES && host->facts[i].value < host->facts[i].limit) {
            break;
        }
    }
    host->is_refused = true;
    (void)snprintf(host->refusal, sizeof(host->refusal), "%s", refuse->text);
    if (run->refused_until_ns == 0) {
        run->refused_until_ns = run->now_ns + REFUSED_NS;
    }
    return true;
}

/* --- judging --- */

static struct preflight_agent agent_of(const struct run *run, size_t index)
{
    const struct roster_agent *a = &run->roster.agents[index];
    const struct run_host *host = run->hosts == NULL ? NULL : &run->hosts[index];
    return (struct preflight_agent){
        .name = a->name,
        .host = a->host,
        .facts = host == NULL ? NULL : host->facts,
        .fact_count = host == NULL ? 0 : host->fact_count,
        .clients = a->hand.clients,
        .relays = a->hand.share_count,
        .clock_uncertainty_ns = clock_map_latest(&a->clock).uncertainty_ns,
        .refusal = host != NULL && host->is_refused ? host->refusal : NULL};
}

static uint32_t carrier_of(const struct run *run, uint32_t relay)
{
    size_t i = 0;
    while (i + 1 < run->roster.count && !roster_carries(&run->roster.agents[i], relay)) {
        i++;
    }
    return (uint32_t)i;
}

static void note_check(struct run *run, const struct preflight_check *c)
{
    run_note(run, &(struct journal_entry){.kind = JOURNAL_PREFLIGHT_CHECK,
                                          .text = {preflight_check_name(c->id),
                                                   preflight_result_name(c->result), c->where,
                                                   c->text, c->remedy}});
}

/* Each that failed is a finding and a reason; false: one has. */
static bool tell_checks(struct run *run, const struct preflight_checks *checks)
{
    bool is_good = true;
    for (size_t i = 0; i < checks->count; i++) {
        const struct preflight_check *c = &checks->item[i];
        note_check(run, c);
        if (c->result == CHECK_FAILED) {
            run_finding(run, c->finding, "error", c->text, "seen in preflight, before any load",
                        c->remedy);
        }
        is_good = is_good && c->result != CHECK_FAILED;
    }
    for (size_t i = 0; i < checks->count; i++) {
        const struct preflight_check *c = &checks->item[i];
        if (c->result == CHECK_FAILED) {
            /* The first ends the run, the others say what else is wrong. */
            run_stop(run, OUTCOME_PREFLIGHT, CLEANUP_ON_FAIL, "%s: %s", c->finding, c->text);
        }
    }
    return is_good;
}

static bool judge(struct run *run, const struct preflight_verdict *verdict)
{
    size_t count = run->roster.count;
    struct preflight_agent *agents = calloc(count + 1, sizeof(*agents));
    uint32_t *report_agent = calloc(run->preflight_count + 1, sizeof(*report_agent));
    struct preflight_checks *checks = calloc(1, sizeof(*checks));
    bool is_good = agents != NULL && report_agent != NULL && checks != NULL;
    if (!is_good) {
        run_stop(run, OUTCOME_INTERNAL, CLEANUP_ON_FAIL, "out of memory");
    } else {
        for (size_t i = 0; i < count; i++) {
            agents[i] = agent_of(run, i);
        }
        for (size_t i = 0; i < run->preflight_count; i++) {
            report_agent[i] = carrier_of(run, run->preflight[i].relay);
        }
        const struct preflight_bed bed = {.scenario = run->scenario,
                                          .plan = &run->plan,
                                          .agents = agents,
                                          .agent_count = count,
                                          .reports = run->preflight,
                                          .report_agent = report_agent,
                                          .report_count = run->preflight_count,
                                          .received = roster_sum(&run->roster).received};
        checks->skip = run->options->skipped_checks;
        preflight_check_hosts(&bed, checks);
        if (verdict != NULL) {
            preflight_check_bed(&bed, verdict, checks);
        }
        is_good = tell_checks(run, checks);
    }
    free(agents);
    free(report_agent);
    free(checks);
    return is_good;
}

void run_preflight_prepare_tick(struct run *run)
{
    bool is_all_said = run->refused_until_ns != 0;
    for (size_t i = 0; i < run->roster.count && is_all_said; i++) {
        is_all_said = run->roster.agents[i].is_ready || run->hosts[i].is_refused;
    }
    if (run->refused_until_ns != 0 && (is_all_said || run->now_ns >= run->refused_until_ns)) {
        run->refused_until_ns = 0;
        (void)judge(run, NULL); /* a refusal is among what failed */
    }
}

static void abort_for_foreign_offer(struct run *run, const struct preflight_verdict *v)
{
    run_finding(run, v->finding, "error", v->reason, "seen in preflight, before any load",
                v->remedy);
    run_stop(run, OUTCOME_ABORTED, CLEANUP_ON_FAIL, "%s: %s", v->finding, v->reason);
}

static void take_path(struct run *run, enum plan_path path)
{
    run->path = path;
    run->path_is_known = true;
    run_note(run, &(struct journal_entry){.kind = JOURNAL_PATH, .a = (uint64_t)path});
    run_event_happened(run, RUN_PREFLIGHT_PASSED);
}

void run_judge_preflight(struct run *run)
{
    struct preflight_verdict v;
    preflight_judge(&run->plan, run->preflight, run->preflight_count,
                    roster_sum(&run->roster).received, &v);
    if (v.result == PREFLIGHT_FOREIGN_OFFER) {
        abort_for_foreign_offer(run, &v);
    } else if (judge(run, &v)) {
        take_path(run, v.path);
    }
}

/* --- PREFLIGHT begins --- */

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

static void skip_all(struct run *run, enum plan_path path)
{
    static const struct preflight_check all = {.result = CHECK_SKIPPED,
                                               .text = "skipped by --no-preflight"};
    for (enum preflight_check_id id = 0; id < CHECK_ID_COUNT; id++) {
        struct preflight_check one = all;
        one.id = id;
        note_check(run, &one);
    }
    take_path(run, path);
}

void run_preflight(struct run *run)
{
    uint32_t skipped = run->options->skipped_checks;
    if (run->options->adoption != NULL) {
        /* No lease is made, so none comes back: which way ACKs would take does not matter. */
        run->path = PLAN_PATH_RELAYED;
        run_event_happened(run, RUN_PREFLIGHT_PASSED);
        return;
    }
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
    m.u.preflight.asks_unmarked = (skipped >> CHECK_UNMARKED & 1) == 0;
    if (skipped == PREFLIGHT_SKIP_ALL) {
        skip_all(run, (enum plan_path)m.u.preflight.path[0]);
        return;
    }
    run_send_all(run, &m);
    run->phase_until_ns = run->now_ns + PREFLIGHT_NS;
}
