/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/search_steps.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/search_gather.h"
#include "coordinator/truth/search_state.h"
#include "coordinator/truth/truth_state.h"

/* One transmission each, given up after so long: proto/plan.h, struct plan_stage. */
enum { LAST_END_US = 4000000, LATE_LAG_PERCENT = 10, NATURAL_PERCENT = 1, SENT_PERCENT = 99 };

static uint32_t load_stage_of(const struct plan *plan)
{
    uint32_t stage = 0;
    while (stage < plan->stage_count && plan->stages[stage].kind != PLAN_LOAD) {
        stage++;
    }
    return stage;
}

/* Made when it is first needed. NULL when out of memory. */
static struct truth_search *search_of(struct truth *t)
{
    if (t->search != NULL || !t->scenario->has_search) {
        return t->search;
    }
    struct truth_search *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->planned = calloc(t->agent_count + 1, sizeof(*s->planned));
    s->seen = calloc(t->agent_count + 1, sizeof(*s->seen));
    if (s->planned == NULL || s->seen == NULL) {
        free(s->planned);
        free(s->seen);
        free(s);
        return NULL;
    }
    s->stage = load_stage_of(t->plan);
    search_init(&s->controller, &t->scenario->search);
    t->search = s;
    return s;
}

void truth_search_free(struct truth *t)
{
    struct truth_search *s = t->search;
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->repeat_count; i++) {
        free(s->repeats[i].steps);
    }
    free(s->repeats);
    free(s->planned);
    free(s->seen);
    free(s);
    t->search = NULL;
}

struct search_order truth_search_next(const struct truth *t)
{
    if (!t->scenario->has_search) {
        return (struct search_order){.kind = SEARCH_ORDER_DONE};
    }
    if (t->search != NULL) {
        return search_next(&t->search->controller);
    }
    struct search first;
    search_init(&first, &t->scenario->search);
    return search_next(&first);
}

/* Room for one more step of the repeat under way, and the repeat itself. */
static struct result_search_repeat *make_room(struct truth_search *s)
{
    bool is_new = s->repeat_count == s->controller.repeats_done;
    if (is_new) {
        void *grown = realloc(s->repeats, (s->repeat_count + 1) * sizeof(*s->repeats));
        if (grown == NULL) {
            return NULL;
        }
        s->repeats = grown;
        s->repeats[s->repeat_count++] = s->controller.repeat;
    }
    struct result_search_repeat *r = &s->repeats[s->repeat_count - 1];
    void *grown = realloc(r->steps, (r->step_count + 1) * sizeof(*r->steps));
    if (grown == NULL) {
        return NULL;
    }
    r->steps = grown;
    return r;
}

bool truth_search_step_begin(struct truth *t, const struct truth_search_start *start)
{
    struct truth_search *s = search_of(t);
    if (s == NULL || make_room(s) == NULL) {
        return false;
    }
    const struct scenario_search *c = &t->scenario->search;
    const struct search_gather_plan plan = {
        .begin_us = start->begin_us,
        .step_us = c->step_ns / NS_PER_US,
        .warmup_us = c->warmup_ns / NS_PER_US,
        .within_us = c->within_ns / NS_PER_US,
        .slack_us = TRUTH_SEARCH_SLACK_US,
        .rate_per_s = (double)start->rate_milli_per_s / 1000,
        .lease_s = t->plan->expect_lease_s,
        .mclt_s = t->plan->expect_mclt_s,
    };
    search_gather_begin(&s->gather, &plan);
    s->is_open = true;
    s->round = start->round;
    s->planned_all = 0;
    s->agents_loaded = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        s->planned[i] = start->planned[i];
        s->seen[i] = 0;
        s->planned_all += start->planned[i];
        s->agents_loaded += start->planned[i] > 0;
    }
    s->rx_drops_before = merge_total(t->merge, COUNTER_rx_drops);
    s->send_errors_before = merge_total(t->merge, COUNTER_send_errors);
    return true;
}

void truth_search_event(struct truth *t, size_t agent, const struct event *e, int64_t run_us)
{
    struct truth_search *s = t->search;
    if (s != NULL && s->is_open && e->stage == s->stage &&
        search_gather_event(&s->gather, e, run_us)) {
        s->seen[agent]++;
    }
}

/* An agent that has told all its events up to the latest end an exchange of the step can have. */
static bool has_told_all(const struct truth *t, size_t agent)
{
    const struct truth_search *s = t->search;
    const struct truth_agent_state *a = &t->agents[agent];
    uint64_t within_us = s->gather.within_us;
    int64_t last_us = s->gather.end_us + TRUTH_SEARCH_SLACK_US +
                      (int64_t)(within_us > LAST_END_US ? within_us : LAST_END_US);
    return s->seen[agent] >= s->planned[agent] ||
           (a->has_snapshot_time && a->snapshot_at_us >= last_us &&
            t->accounting.agents[agent].events >= merge_counter(t->merge, agent, COUNTER_events));
}

bool truth_search_step_is_settled(const struct truth *t)
{
    if (t->search == NULL || !t->search->is_open) {
        return true;
    }
    for (size_t i = 0; i < t->agent_count; i++) {
        if (!t->is_lost[i] && !has_told_all(t, i)) {
            return false;
        }
    }
    return true;
}

/* --- was it the load that was ordered? --- */

static void name_the_slowest(const struct truth *t, char *why, size_t size)
{
    const struct truth_search *s = t->search;
    size_t worst = 0;
    double least = 2;
    for (size_t i = 0; i < t->agent_count; i++) {
        double share = s->planned[i] == 0 ? 2 : (double)s->seen[i] / (double)s->planned[i];
        worst = share < least ? i : worst;
        least = share < least ? share : least;
    }
    (void)snprintf(why, size, " (agent %s: %llu of %llu)", t->agents[worst].name,
                   (unsigned long long)s->seen[worst], (unsigned long long)s->planned[worst]);
}

/* Lost, late, or telling what cannot be. */
static bool is_agents_fault(const struct truth *t, char why[RESULT_SEARCH_TEXT_BYTES])
{
    const struct truth_search *s = t->search;
    for (size_t i = 0; i < t->agent_count; i++) {
        if (t->is_lost[i] && s->planned[i] > 0) {
            (void)snprintf(why, RESULT_SEARCH_TEXT_BYTES, "agent %s was lost", t->agents[i].name);
            return true;
        }
    }
    for (size_t i = 0; i < t->agent_count; i++) {
        if (s->seen[i] > s->planned[i]) {
            (void)snprintf(why, RESULT_SEARCH_TEXT_BYTES,
                           "agent %s told of %llu exchanges, and %llu were asked for",
                           t->agents[i].name, (unsigned long long)s->seen[i],
                           (unsigned long long)s->planned[i]);
            return true;
        }
    }
    if (!truth_search_step_is_settled(t)) {
        (void)snprintf(why, RESULT_SEARCH_TEXT_BYTES,
                       "the agents' results lag behind: %llu of %llu exchanges are known to have "
                       "ended",
                       (unsigned long long)s->gather.all, (unsigned long long)s->planned_all);
        return true;
    }
    return false;
}

static bool is_own_loss(const struct truth *t, const struct result_search_step *step,
                        char why[RESULT_SEARCH_TEXT_BYTES])
{
    uint64_t errors = merge_total(t->merge, COUNTER_send_errors) - t->search->send_errors_before;
    if (step->rx_drops > 0) {
        (void)snprintf(why, RESULT_SEARCH_TEXT_BYTES,
                       "the agents' own sockets dropped %llu packets",
                       (unsigned long long)step->rx_drops);
    } else if (errors > 0) {
        (void)snprintf(why, RESULT_SEARCH_TEXT_BYTES,
                       "the agents' kernels refused to send %llu packets",
                       (unsigned long long)errors);
    }
    return step->rx_drops > 0 || errors > 0;
}

/*
 * Of what was sent too little came back in time: clients that wait for an answer cannot
 * begin another exchange. The servers do not sustain the smaller load either.
 */
static bool is_overloaded_already(const struct truth *t, const struct result_search_step *step)
{
    return step->sent > 0 &&
           (double)step->in_time * 100 < (double)step->sent * t->scenario->search.answered_percent;
}

/* So many had no answer at all that no packet of ours, however late, can be the reason. */
static bool is_lost_anyway(const struct truth *t, const struct result_search_step *step)
{
    return (double)(step->lost + step->nak) * 100 >
           (double)step->planned * (100 - t->scenario->search.answered_percent);
}

static bool is_load_short(const struct truth *t, const struct result_search_step *step,
                          char why[RESULT_SEARCH_TEXT_BYTES])
{
    uint64_t within_us = t->search->gather.within_us;
    if (step->send_lag_p99_us != RESULT_UNKNOWN &&
        step->send_lag_p99_us * 100 > within_us * LATE_LAG_PERCENT && !is_lost_anyway(t, step)) {
        (void)snprintf(why, RESULT_SEARCH_TEXT_BYTES,
                       "packets left up to %.1f ms late (p99), more than a tenth of the %.0f ms "
                       "an answer may take",
                       (double)step->send_lag_p99_us / 1e3, (double)within_us / 1e3);
        return true;
    }
    if (step->natural_renewals * 100 > step->planned_all * NATURAL_PERCENT) {
        (void)snprintf(why, RESULT_SEARCH_TEXT_BYTES,
                       "%llu clients renewed because their T1 came, beside the %llu exchanges "
                       "asked for: let the servers give longer leases",
                       (unsigned long long)step->natural_renewals,
                       (unsigned long long)step->planned_all);
        return true;
    }
    if (step->sent_all * 100 < step->planned_all * SENT_PERCENT &&
        !is_overloaded_already(t, step)) {
        int length =
            snprintf(why, RESULT_SEARCH_TEXT_BYTES, "the agents began %llu of %llu exchanges",
                     (unsigned long long)step->sent_all, (unsigned long long)step->planned_all);
        name_the_slowest(t, why + length, RESULT_SEARCH_TEXT_BYTES - (size_t)length);
        return true;
    }
    return false;
}

static uint64_t open_exchanges(const struct truth *t)
{
    uint64_t open = 0;
    for (size_t i = 0; i < t->agent_count; i++) {
        open += t->search->seen[i] >= t->search->planned[i] ? 0 : t->agents[i].open;
    }
    return open;
}

void truth_search_step_close(struct truth *t, struct result_search_step *out)
{
    struct truth_search *s = t->search;
    assert(s != NULL && s->is_open);
    struct result_search_step step;
    search_gather_close(&s->gather, s->planned_all, open_exchanges(t), s->agents_loaded, &step);
    step.round = s->round;
    step.rx_drops = merge_total(t->merge, COUNTER_rx_drops) - s->rx_drops_before;

    char why[RESULT_SEARCH_TEXT_BYTES] = "";
    bool is_short = is_agents_fault(t, why) || is_own_loss(t, &step, why);
    if (!is_short) {
        (void)is_load_short(t, &step, why); /* an empty `why` says it was not */
    }
    search_judge(&t->scenario->search, why, &step);
    struct result_search_repeat *repeat = &s->repeats[s->repeat_count - 1];
    repeat->steps[repeat->step_count++] = step;
    (void)search_step_done(&s->controller, &step); /* truth_search_next() tells */
    struct result_search_repeat bracket = s->controller.repeat;
    bracket.steps = repeat->steps;
    bracket.step_count = repeat->step_count;
    *repeat = bracket;
    s->is_open = false;
    if (out != NULL) {
        *out = step;
    }
}

void truth_search_reset_done(struct truth *t)
{
    assert(t->search != NULL);
    search_reset_done(&t->search->controller);
}

void truth_start_state(struct truth *t, uint32_t server, uint64_t active, uint64_t expired,
                       uint64_t free_addresses, const char *how)
{
    assert(server < t->plan->server_count);
    struct result_start_state *s = &t->start_state[server];
    s->active = active;
    s->expired = expired;
    s->free = free_addresses;
    (void)snprintf(s->how, sizeof(s->how), "%s", how);
}
