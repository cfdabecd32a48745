/* SPDX-License-Identifier: MIT */
/* Events, and the stage that is a search: what no single row can see. */
#include "coordinator/plan/scenario_rows.h"

#include <inttypes.h>
#include <string.h>

#include "coordinator/plan/forecast_search.h"

static const struct raw_stage *stages_of(const struct raw_scenario *raw)
{
    return raw->stages.items;
}

/* NULL when there is no stage of this name. */
static const struct scenario_stage *stage_named(const struct scenario *s, const char *name)
{
    const struct scenario_stage *stages = s->stages.items;
    for (size_t i = 0; i < s->stages.count; i++) {
        if (strcmp(stages[i].name, name) == 0) {
            return &stages[i];
        }
    }
    return NULL;
}

static void complain_of_stage(const struct raw_event *event, const struct scenario *s,
                              struct diag *why)
{
    const struct scenario_stage *stages = s->stages.items;
    const char *names[PLAN_STAGES_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < s->stages.count && i < PLAN_STAGES_MAX; i++) {
        names[count++] = stages[i].name;
    }
    names[count] = NULL;
    const char *near = schema_nearest(event->stage, names);
    diag_add(why, event->in_line, "event \"%s\": there is no stage '%s'; %s%s%s", event->name,
             event->stage, near != NULL ? "did you mean '" : "name one of `run`",
             near != NULL ? near : "", near != NULL ? "'?" : "");
}

static void check_event_time(const struct raw_event *event, const struct scenario *s,
                             struct diag *why)
{
    if (event->stage[0] == '\0') {
        if (s->time_ns > 0 && event->at_ns >= s->time_ns) {
            diag_add(why, event->at_line,
                     "event \"%s\" is after the end of the run (limits.time is %" PRIu64
                     " s); raise the limit or let it happen sooner",
                     event->name, s->time_ns / NS_PER_S);
        }
        return;
    }
    const struct scenario_stage *stage = stage_named(s, event->stage);
    if (stage == NULL) {
        complain_of_stage(event, s, why);
    } else if (stage->kind == PLAN_LOAD) {
        diag_add(why, event->in_line,
                 "event \"%s\": stage %s is a search, whose steps must be alike; put the event in "
                 "another stage",
                 event->name, stage->name);
    } else {
        bool is_hold = stage->kind == PLAN_HOLD;
        uint64_t end_ns = is_hold ? stage->duration_ns : stage->timeout_ns;
        if (end_ns > 0 && event->at_ns >= end_ns) {
            diag_add(why, event->at_line,
                     "event \"%s\" never happens: stage %s ends after %" PRIu64
                     " s; let it happen sooner or lengthen the stage",
                     event->name, stage->name, end_ns / NS_PER_S);
        }
    }
}

void scenario_check_events(const struct raw_scenario *raw, const struct scenario *s,
                           struct diag *why)
{
    const struct raw_event *events = raw->events.items;
    if (raw->events.count > SCENARIO_EVENTS_MAX) {
        return; /* the schema has complained */
    }
    for (size_t i = 0; i < raw->events.count; i++) {
        if (events[i].line != 0 && events[i].name[0] == '\0' &&
            !scenario_has_complaint(why, events[i].line)) {
            diag_add(why, events[i].line, "an event has an empty name; write a few words");
        }
        if (strchr(events[i].name, '"') != NULL) {
            diag_add(why, events[i].line,
                     "event '%s': the name has a quotation mark, and judgements put it between "
                     "two; leave it out",
                     events[i].name);
        }
        for (size_t j = 0; j < i; j++) {
            if (events[i].name[0] != '\0' && strcmp(events[i].name, events[j].name) == 0) {
                diag_add(why, events[i].line,
                         "two events are named \"%s\", the other in line %u; rename one",
                         events[i].name, events[j].line);
            }
        }
        check_event_time(&events[i], s, why);
    }
}

/* --- the search --- */

static void check_rates(const struct raw_stage *stage, const struct scenario_search *parsed,
                        struct diag *why)
{
    const struct raw_search *search = &stage->search;
    const struct raw_rate *rates = search->rates.items;
    for (size_t i = 0; i < parsed->rate_count; i++) {
        uint64_t rate = parsed->rates_milli_per_s[i];
        if (scenario_has_complaint(why, rates[i].line)) {
            return;
        }
        if (rate == 0) {
            diag_add(why, rates[i].line, "stage %s: '%s' is no rate above 0; write it like 500/s",
                     stage->name, rates[i].text);
        } else if (i > 0 && rate <= parsed->rates_milli_per_s[i - 1]) {
            diag_add(why, rates[i].line,
                     "stage %s: rate %s comes after %s; write the rates in ascending order, each "
                     "once",
                     stage->name, rates[i].text, rates[i - 1].text);
        }
    }
}

static void check_between(const struct raw_stage *stage, const struct scenario_search *parsed,
                          struct diag *why)
{
    const struct raw_search *search = &stage->search;
    const struct raw_rate *ends = search->between.items;
    if (search->between.count != 2 || scenario_has_complaint(why, search->between_line)) {
        return; /* the schema has complained */
    }
    for (size_t i = 0; i < 2; i++) {
        uint64_t rate;
        if (!schema_scan_rate(ends[i].text, &rate) || rate == 0) {
            diag_add(why, ends[i].line, "stage %s: '%s' is no rate above 0; write it like 500/s",
                     stage->name, ends[i].text);
            return;
        }
    }
    if (parsed->low_milli_per_s >= parsed->high_milli_per_s) {
        diag_add(why, search->between_line,
                 "stage %s: between begins at %s and ends at %s; the lower rate comes first, as in "
                 "`between: [500/s, 20000/s]`",
                 stage->name, ends[0].text, ends[1].text);
    }
}

static void check_range(const struct raw_stage *stage, const struct scenario *s, struct diag *why)
{
    const struct raw_search *search = &stage->search;
    bool has_rates = search->rates_line != 0, has_between = search->between_line != 0;
    if (has_rates == has_between) {
        diag_add(why, has_rates ? search->between_line : stage->kind_line[PLAN_LOAD],
                 "stage %s: give exactly one of `rates: [500/s, 1000/s]`, which are tried one "
                 "after the other, and `between: [500/s, 20000/s]`, where the rate is looked for",
                 stage->name);
        return;
    }
    check_rates(stage, &s->search, why);
    check_between(stage, &s->search, why);
    if (forecast_search_highest(s) > UINT64_C(10000000) * 1000) {
        diag_add(why, has_rates ? search->rates_line : search->between_line,
                 "stage %s: no rate may be above 10000000/s; lower it", stage->name);
    }
}

static void check_mix(const struct raw_scenario *raw, const struct raw_stage *stage,
                      struct diag *why)
{
    const struct raw_search *search = &stage->search;
    bool is_first = stage == stages_of(raw);
    if (search->mix.acquire == 0 && search->mix.renew == 0 &&
        !scenario_has_complaint(why, search->mix_line)) {
        diag_add(why, search->mix_line,
                 "stage %s: the mix is empty; give a weight, as in `mix: {acquire: 1, renew: 20}`",
                 stage->name);
    }
    if (search->bound > 0 && search->mix.renew == 0 &&
        !scenario_has_complaint(why, search->mix_line)) {
        diag_add(why, search->bound_line,
                 "stage %s: bound is for renewals and the mix has none; leave it out or add "
                 "`renew` to the mix",
                 stage->name);
    }
    if (search->mix.renew > 0 && is_first) {
        diag_add(why, search->mix_line,
                 "stage %s renews leases before any stage acquires them; put an acquire stage "
                 "before it",
                 stage->name);
    }
}

/* Nobody acquires twice in a step, and who is bound for the renewals does not acquire. */
static void check_population(const struct raw_stage *stage, const struct scenario *s,
                             struct diag *why)
{
    const struct raw_search *search = &stage->search;
    uint64_t clients = scenario_client_count(s), needed = forecast_search_clients(s);
    if (s->search.bound > clients) {
        diag_add(why, search->bound_line != 0 ? search->bound_line : stage->kind_line[PLAN_LOAD],
                 "stage %s: bound is %" PRIu64 " and there are %" PRIu64
                 " clients; lower it or take more clients",
                 stage->name, s->search.bound, clients);
    } else if (forecast_search_exchanges(s) > PLAN_CLIENTS_MAX) {
        diag_add(why, stage->kind_line[PLAN_LOAD],
                 "stage %s: a step of %" PRIu64 " s at %" PRIu64
                 "/s has more than %d exchanges; take shorter steps or a lower rate",
                 stage->name, s->search.step_ns / NS_PER_S, forecast_search_highest(s) / 1000,
                 PLAN_CLIENTS_MAX);
    } else if (needed > clients) {
        diag_add(why, stage->kind_line[PLAN_LOAD],
                 "stage %s: a step of %" PRIu64 " s at %" PRIu64 "/s needs %" PRIu64
                 " clients (%" PRIu64 " bound, one per acquisition) and there are %" PRIu64
                 "; take more clients, shorter steps or a lower rate",
                 stage->name, s->search.step_ns / NS_PER_S, forecast_search_highest(s) / 1000,
                 needed, s->search.bound, clients);
    } else if (s->search.renew_weight > 0 && s->search.bound == 0) {
        diag_add(why, stage->kind_line[PLAN_LOAD],
                 "stage %s renews, and no client would be bound; take more clients", stage->name);
    }
}

/* The gate of limits.packets must never be what the search finds. */
static void check_gate(const struct raw_scenario *raw, const struct raw_stage *stage,
                       const struct scenario *s, struct diag *why)
{
    double packets_per_s = forecast_search_packets_per_s(s);
    double limit_per_s = (double)s->packets_milli_per_s / 1000;
    if (limit_per_s > 0 && packets_per_s > limit_per_s) {
        diag_add(why,
                 raw->limits.packets_line != 0 ? raw->limits.packets_line
                                               : stage->kind_line[PLAN_LOAD],
                 "stage %s sends up to %.0f packets/s and limits.packets is %.0f/s, so that the "
                 "limit would be found instead of the servers'; raise the limit or lower the "
                 "highest rate",
                 stage->name, packets_per_s, limit_per_s);
    }
}

static void check_step(const struct raw_stage *stage, const struct scenario *s, struct diag *why)
{
    const struct scenario_search *search = &s->search;
    /* In the microseconds in which they are measured. */
    if (search->step_ns > 0 && search->warmup_ns / NS_PER_US >= search->step_ns / NS_PER_US) {
        diag_add(why, stage->warmup_line,
                 "stage %s: the warmup takes the whole step and nothing would be measured; shorten "
                 "it or lengthen the step",
                 stage->name);
    }
    if (stage->timeout_line != 0) {
        diag_add(why, stage->timeout_line,
                 "stage %s: a search ends by itself, and its steps after their own time; leave the "
                 "timeout out",
                 stage->name);
    }
    if (strlen(stage->name) + strlen(SCENARIO_RELEASE_SUFFIX) >= PLAN_NAME_BYTES) {
        diag_add(why, stage->line,
                 "stage %s: the name of a search has at most %zu letters, since its releases are "
                 "shown as NAME" SCENARIO_RELEASE_SUFFIX "; shorten it",
                 stage->name, PLAN_NAME_BYTES - 1 - strlen(SCENARIO_RELEASE_SUFFIX));
    }
}

/* The stage that the plan gets behind the search takes a name and a place. */
static void check_release_stage(const struct raw_scenario *raw, const struct raw_stage *stage,
                                struct diag *why)
{
    size_t length = strlen(stage->name);
    for (size_t i = 0; i < raw->stages.count; i++) {
        const char *name = stages_of(raw)[i].name;
        if (length > 0 && strncmp(name, stage->name, length) == 0 &&
            strcmp(name + length, SCENARIO_RELEASE_SUFFIX) == 0) {
            diag_add(why, stages_of(raw)[i].line,
                     "'%s' is the name of the releases between the steps of %s; rename the stage",
                     name, stage->name);
        }
    }
    if (raw->stages.count == PLAN_STAGES_MAX) {
        diag_add(why, raw->run_line,
                 "with a search there are at most %d stages, since its releases are one more; "
                 "remove one",
                 PLAN_STAGES_MAX - 1);
    }
}

/* Figures of a search are worth something only when what they are made of was read. */
static bool is_readable(const struct raw_search *search, const struct diag *why)
{
    const unsigned lines[] = {search->rates_line, search->between_line, search->mix_line,
                              search->bound_line, search->step_line,    search->within_line};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (lines[i] != 0 && scenario_has_complaint(why, lines[i])) {
            return false;
        }
    }
    return true;
}

void scenario_check_search(const struct raw_scenario *raw, const struct scenario *s,
                           struct diag *why)
{
    const struct raw_stage *stages = stages_of(raw);
    const struct raw_stage *first = NULL;
    for (size_t i = 0; i < raw->stages.count; i++) {
        if (!stages[i].is_given[PLAN_LOAD]) {
            continue;
        }
        if (first != NULL) {
            diag_add(why, stages[i].kind_line[PLAN_LOAD],
                     "stage %s is a second search, after stage %s; a run has one, so put this one "
                     "into a scenario of its own",
                     stages[i].name, first->name);
            return;
        }
        if (i + 1 < raw->stages.count && !stages[i + 1].is_given[PLAN_LOAD]) {
            diag_add(why, stages[i].kind_line[PLAN_LOAD],
                     "stage %s is a search and stage %s comes after it; a search is the last stage",
                     stages[i].name, stages[i + 1].name);
        }
        first = &stages[i];
    }
    if (first == NULL) {
        return;
    }
    size_t before = why->count;
    check_range(first, s, why);
    check_mix(raw, first, why);
    check_step(first, s, why);
    check_release_stage(raw, first, why);
    if (why->count == before && is_readable(&first->search, why)) {
        check_population(first, s, why);
        check_gate(raw, first, s, why);
    }
}
