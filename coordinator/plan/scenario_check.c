/* SPDX-License-Identifier: MIT */
/* Clients, expectations, stages, limits, judgements: what no single row can see. */
#include "coordinator/plan/scenario_rows.h"

#include <inttypes.h>
#include <string.h>

#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_search.h"
#include "coordinator/truth/judge.h"
#include "proto/plan.h"

bool scenario_has_complaint(const struct diag *why, unsigned line)
{
    for (size_t i = 0; i < why->count && i < DIAG_ITEMS_MAX; i++) {
        if (why->item[i].line == line) {
            return true;
        }
    }
    return false;
}

/* Option 60 and what stands in logs and captures. */
static bool is_plain_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

static void check_clients(const struct raw_scenario *raw, struct diag *why)
{
    const struct raw_clients *c = &raw->clients;
    static const char returning[] = "returning";
    const char *word = c->identity;
    if (strncmp(word, returning, strlen(returning)) == 0) {
        const char *path = word + strlen(returning);
        if (path[0] != ' ' || path[1] == '\0' || path[1] == ' ') {
            diag_add(why, c->identity_line,
                     "identity '%s' does not name a run; write it as \"returning runs/DIR\", with "
                     "the directory of the run whose clients return",
                     word);
        } else if (strlen(path + 1) >= SCENARIO_PATH_BYTES) {
            diag_add(why, c->identity_line,
                     "the run directory of `identity` has more than %d bytes; shorten the path",
                     SCENARIO_PATH_BYTES - 1);
        }
    } else if (word[0] != '\0' && strcmp(word, "fresh") != 0 && strcmp(word, "fixed") != 0) {
        diag_add(why, c->identity_line,
                 "identity '%s' is unknown; use fresh, fixed or \"returning RUN\"", word);
    }
    if (c->profile[0] != '\0' && strcmp(c->profile, "dhclient") != 0) {
        diag_add(why, c->profile_line,
                 "profile '%s' is not offered by this version; use `profile: dhclient`",
                 c->profile);
    }
    if (!is_plain_ascii(c->vendor_class)) {
        diag_add(why, c->vendor_class_line,
                 "vendor_class holds what is not printable ASCII; write it without accents");
    }
}

static void check_expect(const struct raw_scenario *raw, struct diag *why)
{
    const struct raw_expect *e = &raw->expect;
    const struct {
        const char *key;
        uint64_t value_ns;
        unsigned line;
    } whole[] = {
        {"lease", e->lease_ns, e->lease_line},
        {"production_lease", e->production_lease_ns, e->production_lease_line},
        {"mclt", e->mclt_ns, e->mclt_line},
    };
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        if (whole[i].value_ns % NS_PER_S != 0) {
            diag_add(why, whole[i].line, "%s is in whole seconds on the wire; round it",
                     whole[i].key);
        }
    }
    if (e->production_lease_ns > 0 && e->lease_line == 0) {
        diag_add(why, e->production_lease_line,
                 "production_lease says nothing without the lease of the test; give `lease` too");
    }
    if (e->production_lease_ns > 0 && e->production_lease_ns < e->lease_ns) {
        diag_add(why, e->production_lease_line,
                 "production_lease is shorter than lease; swap them, or test with a shorter lease");
    }
}

/* The open and the closed model exclude each other. */
static void check_pace(const struct raw_stage *stage, enum plan_stage_kind kind, struct diag *why)
{
    const struct raw_pace *p = &stage->pace[kind];
    unsigned line = stage->kind_line[kind];
    if (p->batch > 0 && p->rate_milli_per_s > 0) {
        diag_add(why, p->rate_line,
                 "stage %s: batch is the closed model and rate the open one; give exactly one",
                 stage->name);
    }
    if (p->batch == 0 && p->rate_milli_per_s == 0 && !scenario_has_complaint(why, line) &&
        !scenario_has_complaint(why, p->batch_line) && !scenario_has_complaint(why, p->rate_line)) {
        diag_add(why, line,
                 "stage %s: %s has no pace; give `batch: 300` (closed model) or `rate: 500/s` "
                 "(open model)",
                 stage->name, plan_stage_kind_name(kind));
    }
    if (kind == PLAN_ACQUIRE && p->arrivals != 0 && p->batch > 0) {
        diag_add(
            why, p->arrivals_line,
            "stage %s: arrivals are spread only in the open model; give a rate or leave it out",
            stage->name);
    }
}

#define HOLD_NS_MAX (UINT64_C(30) * 86400 * NS_PER_S)

static void check_until_steady(const struct raw_stage *raw, const struct scenario_stage *stage,
                               struct diag *why)
{
    if (stage->duration_ns == 0) {
        diag_add(why, raw->kind_line[PLAN_HOLD],
                 "stage %s: when renewals are steady follows from the lease time, which is not "
                 "known; give `expect: {lease: ...}` or a duration",
                 raw->name);
        return;
    }
    if (stage->duration_ns > HOLD_NS_MAX) {
        diag_add(why, raw->kind_line[PLAN_HOLD],
                 "stage %s: until-steady may take 3 T1, which is %" PRIu64
                 " s with this lease and more than a hold may last; give a duration, or test with "
                 "a shorter lease",
                 raw->name, stage->duration_ns / NS_PER_S);
        return;
    }
    if (raw->timeout_ns > 0 && raw->timeout_ns < stage->duration_ns) {
        diag_add(why, raw->timeout_line,
                 "stage %s: the timeout is shorter than 3 T1 (%" PRIu64
                 " s), which until-steady may take; lengthen it or leave it out",
                 raw->name, stage->duration_ns / NS_PER_S);
    }
    if (stage->warmup_ns >= stage->duration_ns) {
        diag_add(why, raw->warmup_line,
                 "stage %s: the warmup is as long as until-steady may take; leave it out",
                 raw->name);
    }
}

static void check_hold(const struct raw_stage *raw, const struct scenario_stage *stage,
                       struct diag *why)
{
    unsigned line = raw->kind_line[PLAN_HOLD];
    uint64_t ns;
    if (strcmp(raw->hold, "until-steady") == 0) {
        check_until_steady(raw, stage, why);
        return;
    }
    if (raw->hold[0] == '\0' && scenario_has_complaint(why, line)) {
        return;
    }
    if (!schema_scan_duration(raw->hold, &ns)) {
        diag_add(
            why, line,
            "stage %s: hold '%s' is no duration; write it as 90s, 10m or 2h, or as until-steady",
            raw->name, raw->hold);
        return;
    }
    if (ns < NS_PER_S || ns > HOLD_NS_MAX) {
        diag_add(why, line, "stage %s: hold %s is out of range; from 1s to 720h", raw->name,
                 raw->hold);
        return;
    }
    if (raw->timeout_ns > 0 && raw->timeout_ns < ns) {
        diag_add(why, raw->timeout_line,
                 "stage %s: the timeout is shorter than the hold itself; lengthen it or leave it "
                 "out",
                 raw->name);
    }
    if (stage->warmup_ns >= ns) {
        diag_add(
            why, raw->warmup_line,
            "stage %s: the warmup takes the whole hold and nothing would be judged; shorten it",
            raw->name);
    }
}

/* Each stage is one thing; complains otherwise. */
static void check_kind(const struct raw_stage *raw, struct diag *why)
{
    size_t given = 0;
    for (size_t kind = 0; kind < PLAN_STAGE_KIND_COUNT; kind++) {
        given += raw->is_given[kind];
    }
    if (given != 1 && raw->line != 0 && !scenario_has_complaint(why, raw->line)) {
        diag_add(why, raw->line,
                 "stage %s does %s; each stage is exactly one of acquire, hold, reboot, release, "
                 "inform, decline, search",
                 raw->name, given == 0 ? "nothing" : "several things");
    }
}

static void check_one_stage(const struct raw_stage *raw, const struct scenario_stage *stage,
                            struct diag *why)
{
    check_kind(raw, why);
    for (size_t kind = 0; kind < PLAN_STAGE_KIND_COUNT; kind++) {
        if (raw->is_given[kind] && kind == PLAN_HOLD) {
            check_hold(raw, stage, why);
        } else if (raw->is_given[kind] && kind != PLAN_LOAD) {
            check_pace(raw, (enum plan_stage_kind)kind, why);
        }
    }
    if (!raw->is_given[PLAN_HOLD] && !raw->is_given[PLAN_LOAD] && raw->timeout_ns > 0 &&
        raw->warmup_ns >= raw->timeout_ns) {
        diag_add(why, raw->warmup_line,
                 "stage %s: the warmup is as long as the timeout and nothing would be judged; "
                 "shorten it",
                 raw->name);
    }
    /* Numbers of the preflight are kept under this name. */
    if (strcmp(raw->name, "preflight") == 0) {
        diag_add(why, raw->line, "'preflight' is what comes before the stages; rename the stage");
    }
}

/* Zero: the schema refused it. */
static bool differ(uint64_t a, uint64_t b)
{
    return a != b && a != 0 && b != 0;
}

/* The plan has one value of each for the whole run. */
static void check_same_persistence(const struct raw_scenario *raw, struct diag *why)
{
    const struct raw_stage *stages = raw->stages.items;
    const struct raw_stage *first = NULL;
    for (size_t i = 0; i < raw->stages.count; i++) {
        if (!stages[i].is_given[PLAN_ACQUIRE]) {
            continue;
        }
        const struct raw_pace *p = &stages[i].pace[PLAN_ACQUIRE];
        if (first == NULL) {
            first = &stages[i];
        } else if (differ(p->tries, first->pace[PLAN_ACQUIRE].tries) ||
                   differ(p->deadline_ns, first->pace[PLAN_ACQUIRE].deadline_ns)) {
            diag_add(why, stages[i].kind_line[PLAN_ACQUIRE],
                     "stage %s has other tries or another deadline than stage %s; all acquire "
                     "stages of a run share them",
                     stages[i].name, first->name);
        }
    }
}

/* One complaint is enough: what comes later follows from it. */
static void check_order(const struct raw_scenario *raw, struct diag *why)
{
    const struct raw_stage *first = raw->stages.items;
    if (raw->stages.count == 0 || first->is_given[PLAN_ACQUIRE] || first->is_given[PLAN_LOAD] ||
        scenario_has_complaint(why, first->line)) {
        return;
    }
    if (first->is_given[PLAN_HOLD]) {
        diag_add(why, first->kind_line[PLAN_HOLD],
                 "stage %s holds leases before any stage acquires them; put an acquire stage "
                 "before it",
                 first->name);
    } else {
        diag_add(why, first->line,
                 "the first stage is '%s'; it must be an acquire stage, since nobody has a lease "
                 "yet",
                 first->name);
    }
}

static void check_stages(const struct raw_scenario *raw, const struct scenario *s, struct diag *why)
{
    const struct raw_stage *stages = raw->stages.items;
    const struct scenario_stage *parsed = s->stages.items;
    for (size_t i = 0; i < raw->stages.count; i++) {
        check_one_stage(&stages[i], &parsed[i], why);
        for (size_t j = 0; j < i; j++) {
            if (stages[i].name[0] != '\0' && strcmp(stages[i].name, stages[j].name) == 0) {
                diag_add(why, stages[i].line,
                         "two stages are named '%s', the other in line %u; rename one",
                         stages[i].name, stages[j].line);
            }
        }
    }
    check_order(raw, why);
    check_same_persistence(raw, why);
}

/* What the stages ask for, against what the limits allow. */
static void check_limits(const struct raw_scenario *raw, const struct scenario *s, struct diag *why)
{
    const struct scenario_stage *stages = s->stages.items;
    const struct raw_stage *lines = raw->stages.items;
    uint64_t at_least_ns = 0, search_ns = 0;
    for (size_t i = 0; i < s->stages.count; i++) {
        if (stages[i].batch > 0 && stages[i].rate_milli_per_s > 0) {
            continue; /* check_pace() has complained */
        }
        if (stages[i].kind == PLAN_LOAD) {
            search_ns = forecast_search_time_max_ns(s);
            continue; /* its packets: scenario_check_search() */
        }
        at_least_ns += forecast_stage_minimum_ns(s, &stages[i]);
        double packets_per_s = (double)stages[i].rate_milli_per_s / 1000 *
                               forecast_packets_per_exchange(s, stages[i].kind);
        double limit_per_s = (double)raw->limits.packets_milli_per_s / 1000;
        if (limit_per_s > 0 && packets_per_s > limit_per_s) {
            diag_add(why, lines[i].pace[stages[i].kind].rate_line,
                     "stage %s sends up to %.0f packets/s and limits.packets is %.0f/s; lower the "
                     "rate or raise the limit",
                     stages[i].name, packets_per_s, limit_per_s);
        }
    }
    if (raw->limits.time_ns > 0 && at_least_ns > raw->limits.time_ns) {
        diag_add(why, raw->limits.time_line,
                 "the stages take at least %" PRIu64 " s and limits.time is %" PRIu64
                 " s; raise it or shorten the stages",
                 at_least_ns / NS_PER_S, raw->limits.time_ns / NS_PER_S);
    } else if (raw->limits.time_ns > 0 && at_least_ns + search_ns > raw->limits.time_ns) {
        diag_add(why, raw->limits.time_line != 0 ? raw->limits.time_line : raw->run_line,
                 "the search may take %" PRIu64 " s, after at least %" PRIu64
                 " s of other stages, and limits.time is %" PRIu64
                 " s; raise it, or take shorter steps or fewer repeats",
                 search_ns / NS_PER_S, at_least_ns / NS_PER_S, raw->limits.time_ns / NS_PER_S);
    }
}

static void check_judgements(const struct scenario *s, struct diag *why)
{
    const struct scenario_judgement *judgements = s->judgements.items;
    for (size_t i = 0; i < s->judgements.count; i++) {
        char sentence[JUDGE_WHY_BYTES];
        if (!judge_check(judgements[i].text, s, sentence)) {
            diag_add(why, judgements[i].line, "judgement '%s': %s", judgements[i].text, sentence);
        }
    }
}

void scenario_check(const struct raw_scenario *raw, const struct scenario *s, struct diag *why)
{
    scenario_check_network(raw, s, why);
    check_clients(raw, why);
    scenario_check_losses(raw, s, why);
    check_expect(raw, why);
    if (raw->stages.count <= PLAN_STAGES_MAX) {
        check_stages(raw, s, why);
        scenario_check_events(raw, s, why);
        scenario_check_search(raw, s, why);
        check_limits(raw, s, why);
        check_judgements(s, why);
    }
}
