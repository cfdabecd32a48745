/* SPDX-License-Identifier: MIT */
/* Measured windows, and what the judgements look at. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/judge.h"
#include "coordinator/truth/judge_terms.h"
#include "coordinator/truth/statistics.h"
#include "coordinator/truth/truth_state.h"

static const struct scenario_judgement *judgement_of(const struct truth *t, size_t i)
{
    return (const struct scenario_judgement *)t->scenario->judgements.items + i;
}

bool truth_judge_init(struct truth *t)
{
    size_t count = t->scenario->judgements.count;
    t->lenses = calloc(count + 1, sizeof(*t->lenses));
    t->watermark_us = calloc(t->agent_count + 1, sizeof(*t->watermark_us));
    if (t->lenses == NULL || t->watermark_us == NULL) {
        return false;
    }
    for (size_t i = 0; i < t->agent_count; i++) {
        t->watermark_us[i] = INT64_MIN;
    }
    t->lens_watermark_us = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        struct judge_term term;
        char why[JUDGE_WHY_BYTES];
        if (judge_terms_parse(judgement_of(t, i)->text, t->scenario, &term, why) &&
            judge_term_needs_lens(&term)) {
            t->lenses[i] = lens_new(&term);
            if (t->lenses[i] == NULL) {
                return false;
            }
        }
    }
    return true;
}

void truth_judge_fini(struct truth *t)
{
    for (size_t i = 0; t->lenses != NULL && i < t->scenario->judgements.count; i++) {
        lens_free(t->lenses[i]);
    }
    free(t->lenses);
    free(t->watermark_us);
}

/* --- while it runs --- */

void truth_judge_event(struct truth *t, const struct event *e, int64_t run_us)
{
    for (size_t i = 0; i < t->scenario->judgements.count; i++) {
        if (t->lenses[i] != NULL) {
            lens_event(t->lenses[i], e, run_us, t->plan->stages[e->stage].kind == PLAN_LOAD);
        }
    }
}

void truth_judge_watermark(struct truth *t, size_t agent, int64_t run_us)
{
    if (run_us <= t->watermark_us[agent]) {
        return;
    }
    bool is_last_one = t->watermark_us[agent] == t->lens_watermark_us;
    t->watermark_us[agent] = run_us;
    if (!is_last_one) {
        return; /* another agent is behind it still */
    }
    int64_t all_us = INT64_MAX;
    for (size_t i = 0; i < t->agent_count; i++) {
        all_us = t->watermark_us[i] < all_us ? t->watermark_us[i] : all_us;
    }
    if (all_us == t->lens_watermark_us || all_us == INT64_MAX) {
        return; /* with no agent left, the end of the run says what there is */
    }
    t->lens_watermark_us = all_us;
    for (size_t i = 0; i < t->scenario->judgements.count; i++) {
        if (t->lenses[i] != NULL) {
            lens_watermark(t->lenses[i], all_us);
        }
    }
}

void truth_judge_stage_begin(struct truth *t, uint32_t stage, int64_t measured_from_us)
{
    t->measured_from_us[stage] = measured_from_us;
    for (size_t i = 0; i < t->scenario->judgements.count; i++) {
        if (t->lenses[i] != NULL) {
            lens_stage_begin(t->lenses[i], (uint8_t)stage, measured_from_us);
        }
    }
}

void truth_judge_stage_end(struct truth *t, uint32_t stage, int64_t run_us)
{
    for (size_t i = 0; i < t->scenario->judgements.count; i++) {
        if (t->lenses[i] != NULL) {
            lens_stage_end(t->lenses[i], (uint8_t)stage, run_us);
        }
    }
}

void truth_stage_load(struct truth *t, uint32_t stage, int64_t run_us)
{
    assert(stage < t->plan->stage_count);
    uint64_t warmup_us = t->plan->stages[stage].warmup_ns / NS_PER_US;
    if (warmup_us == 0) {
        return; /* the canaries are acquisitions like others */
    }
    t->accounting.judged[stage] = (struct result_leases){0};
    memset(t->tries.of[stage], 0, sizeof(t->tries.of[stage]));
    window_forget(&t->window, stage);
    truth_judge_stage_begin(t, stage, run_us + (int64_t)warmup_us);
}

void truth_scenario_event(struct truth *t, size_t event_index, int64_t run_us)
{
    assert(event_index < t->scenario->events.count);
    const struct scenario_event *event =
        (const struct scenario_event *)t->scenario->events.items + event_index;
    truth_mark_as(t, run_us, MARK_EVENT, event->name);
    for (size_t i = 0; i < t->scenario->judgements.count; i++) {
        if (t->lenses[i] != NULL) {
            lens_scenario_event(t->lenses[i], event_index, run_us);
        }
    }
}

/* --- at the end --- */

static enum latency_metric metric_of_stage(enum plan_stage_kind kind)
{
    switch (kind) {
    case PLAN_ACQUIRE:
        return LATENCY_ACQUIRE;
    case PLAN_REBOOT:
        return LATENCY_REBOOT;
    case PLAN_INFORM:
        return LATENCY_INFORM;
    case PLAN_HOLD:
    case PLAN_RELEASE:
    case PLAN_DECLINE:
    case PLAN_LOAD:
    case PLAN_QUERY:
    case PLAN_RENEW:
    case PLAN_STAGE_KIND_COUNT:
        break;
    }
    return LATENCY_METRIC_COUNT;
}

/* All closed-model stages of that metric; in them a slot's usual pace is their median. */
static void add_closed(const struct truth *t, enum latency_metric metric, struct histogram *out)
{
    *out = (struct histogram){0};
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        const struct plan_stage *stage = &t->plan->stages[i];
        if (stage->batch > 0 && metric_of_stage(stage->kind) == metric) {
            struct merge_query query = {
                .metric = metric, .clock = LATENCY_INTENDED, .stage = i, .agent = SIZE_MAX};
            struct histogram h;
            truth_latency(t, &query, &h);
            histogram_merge(out, &h);
        }
    }
}

void truth_fill_paced(const struct truth *t, struct result *out)
{
    for (int metric = 0; metric < LATENCY_METRIC_COUNT; metric++) {
        struct histogram h;
        add_closed(t, (enum latency_metric)metric, &h);
        uint64_t pace_ns = histogram_percentile_ns(&h, 50);
        out->is_any_paced[metric] = pace_ns > 0;
        for (unsigned i = 0; i < RESULT_PERCENTILES; i++) {
            bool is_known =
                pace_ns > 0 && h.count >= statistics_samples_needed(statistics_percent[i]);
            out->paced_us[metric][i] =
                is_known ? statistics_us(statistics_paced_ns(&h, pace_ns, statistics_percent[i]))
                         : RESULT_UNKNOWN;
        }
    }
}

/* DESIGN section 7a.4: a closed model asks a slow server less, and its latencies cannot show that.
 */
void truth_say_window_limited(const struct truth *t, struct result *out)
{
    char stages[RESULT_TEXT_BYTES] = "", wait[96] = "is not known";
    unsigned count = 0;
    for (uint32_t i = 0; i < t->plan->stage_count; i++) {
        if (t->plan->stages[i].batch > 0 && t->stages[i].was_begun) {
            size_t at = strlen(stages);
            (void)snprintf(stages + at, sizeof(stages) - at, "%s%s (batch %" PRIu32 ")",
                           count == 0 ? "" : ", ", t->stages[i].name, t->plan->stages[i].batch);
            count++;
        }
    }
    if (count == 0) {
        return;
    }
    if (isfinite(out->rates.retransmission_wait_percent)) {
        (void)snprintf(wait, sizeof(wait), "was %.1f %%", out->rates.retransmission_wait_percent);
    }
    (void)snprintf(out->window_limited, sizeof(out->window_limited),
                   "window-limited: stage%s %s %s closed: a new exchange begins when another one "
                   "ends, so the servers' own pace decides the rate, and a slow server is asked "
                   "less: latencies count from the instant a slot was free, and what would have "
                   "come meanwhile was never asked. `at an even pace` counts that too, as if "
                   "each slot had gone on asking at its median pace. The share of the slots' time "
                   "that was spent "
                   "waiting to repeat what had no answer %s.",
                   count == 1 ? "" : "s", stages, count == 1 ? "is" : "are", wait);
}

struct judge_context {
    const struct truth *truth;
    const struct result *result;
    struct histogram scratch;
};

/* Sum of the measured parts; stages that had none add nothing. */
static double measured_s(const struct result *r, uint8_t stage)
{
    double seconds = 0;
    for (size_t i = 0; i < r->run.stage_count; i++) {
        const struct result_stage *s = &r->run.stages[i];
        if ((stage == JUDGE_ALL_STAGES || stage == i) && isfinite(s->measured_from_s)) {
            seconds += s->measured_until_s - s->measured_from_s;
        }
    }
    return seconds;
}

static uint64_t lease_count(const struct judge_context *c, const struct judge_term *term)
{
    const struct accounting *a = &c->truth->accounting;
    struct result_leases sum = {0};
    const struct result_leases *leases = &sum;
    if (term->stage != JUDGE_ALL_STAGES) {
        leases = &a->judged[term->stage];
    } else if (term->source == JUDGE_FROM_LEASES) {
        leases = &a->total; /* of the whole run, warm-ups too: books must balance */
    } else {
        uint64_t count = 0;
        for (uint32_t i = 0; i < c->truth->plan->stage_count; i++) {
            count += *(const uint64_t *)(const void *)((const char *)&a->judged[i] + term->offset);
        }
        return count;
    }
    return *(const uint64_t *)(const void *)((const char *)leases + term->offset);
}

static void tally_of(void *context, const struct judge_term *term, struct judge_tally *out)
{
    struct judge_context *c = context;
    bool is_all = term->stage == JUDGE_ALL_STAGES;
    out->seconds = measured_s(c->result, term->stage);
    if (term->source == JUDGE_FROM_LEASES || term->source == JUDGE_FROM_LEASE_RATE) {
        out->count = lease_count(c, term);
        return;
    }
    unsigned stage = is_all ? PLAN_STAGES_MAX : term->stage;
    struct result_tries tries = tries_of(&c->truth->tries, stage, term->latency);
    out->answered = tries_answered(&tries);
    out->first_try = tries.answered[0];
    out->unfinished = truth_gave_up(c->truth, term->latency, term->stage);
    if (term->source == JUDGE_FROM_LATENCY) {
        struct merge_query query = {.metric = term->latency,
                                    .clock = LATENCY_INTENDED,
                                    .stage = is_all ? MERGE_ANY : term->stage,
                                    .agent = SIZE_MAX};
        truth_latency(c->truth, &query, &c->scratch);
        out->latency = &c->scratch;
    }
}

static const char *event_name_of(const struct truth *t, const char *text)
{
    struct judge_term term;
    char why[JUDGE_WHY_BYTES];
    bool is_filtered =
        judge_terms_parse(text, t->scenario, &term, why) && term.filter != JUDGE_WHOLE_STAGE;
    const struct scenario_event *events = t->scenario->events.items;
    return is_filtered ? events[term.event].name : NULL;
}

bool truth_fill_judgements(struct truth *t, const struct truth_closing *closing, struct result *out)
{
    size_t count = t->scenario->judgements.count;
    out->judgements = calloc(count + 1, sizeof(*out->judgements));
    if (out->judgements == NULL) {
        return false;
    }
    out->judgement_count = count;
    struct judge_context context = {.truth = t, .result = out};
    const struct judge_facts facts = {
        .result = out, .scenario = t->scenario, .context = &context, .tally = tally_of};
    for (size_t i = 0; i < count; i++) {
        struct result_judgement *j = &out->judgements[i];
        const char *text = judgement_of(t, i)->text;
        if (t->lenses[i] == NULL) {
            judge_evaluate(text, &facts, j);
        } else if (!lens_judge(t->lenses[i], closing->run_us, text, event_name_of(t, text), j)) {
            return false;
        }
        if (!t->is_any_stage_begun) {
            j->result = JUDGEMENT_NOT_JUDGED;
            j->value = NAN;
            (void)snprintf(j->note, sizeof(j->note), "no stage was begun");
        }
    }
    return true;
}
