/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/judge.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coordinator/truth/judge_metrics.h"
#include "coordinator/truth/judge_terms.h"

bool judge_check(const char *text, const struct scenario *scenario, char why[JUDGE_WHY_BYTES])
{
    struct judge_term term;
    return judge_terms_parse(text, scenario, &term, why);
}

/* Infinity compares as one expects; NAN never gets here. */
bool judge_holds(const struct judge_term *term, double value)
{
    double limit = term->limit;
    switch (term->comparison) {
    case JUDGE_EQ:
        return value <= limit && value >= limit;
    case JUDGE_NE:
        return value < limit || value > limit;
    case JUDGE_LT:
        return value < limit;
    case JUDGE_LE:
        return value <= limit;
    case JUDGE_GT:
        return value > limit;
    case JUDGE_GE:
        return value >= limit;
    }
    return false;
}

static double latency_value(const struct judge_term *term, const struct judge_tally *tally,
                            char note[RESULT_TEXT_BYTES])
{
    const struct histogram *h = tally->latency;
    uint64_t unfinished = term->is_success_only ? 0 : tally->unfinished;
    uint64_t total = (h == NULL ? 0 : h->count) + unfinished;
    if (h == NULL || h->count == 0 || (term->figure != JUDGE_PERCENTILE && unfinished > 0)) {
        (void)snprintf(note, RESULT_TEXT_BYTES, "%" PRIu64 " exchanges never finished", unfinished);
        return INFINITY;
    }
    switch (term->figure) {
    case JUDGE_MAX:
        return (double)h->max_ns / 1e3;
    case JUDGE_MEAN:
        return (double)h->sum_ns / (double)h->count / 1e3;
    case JUDGE_PERCENTILE:
        break;
    }
    uint64_t ns = histogram_percentile_of_total_ns(h, term->percent, total);
    if (ns == UINT64_MAX) {
        (void)snprintf(note, RESULT_TEXT_BYTES,
                       "lies among the %" PRIu64 " exchanges that never finished", unfinished);
        return INFINITY;
    }
    (void)snprintf(note, RESULT_TEXT_BYTES, "over %" PRIu64 " samples", total);
    return (double)ns / 1e3;
}

static double share_value(const struct judge_term *term, const struct judge_tally *tally,
                          char note[RESULT_TEXT_BYTES])
{
    uint64_t total = tally->answered + tally->unfinished;
    uint64_t part = term->source == JUDGE_FROM_FIRST_TRY ? tally->first_try : tally->answered;
    (void)snprintf(note, RESULT_TEXT_BYTES, "%" PRIu64 " of %" PRIu64, part, total);
    return 100 * (double)part / (double)total;
}

static uint64_t samples_of(const struct judge_term *term, const struct judge_tally *tally)
{
    if (term->source != JUDGE_FROM_LATENCY) {
        return tally->answered + tally->unfinished;
    }
    uint64_t unfinished = term->is_success_only ? 0 : tally->unfinished;
    return (tally->latency == NULL ? 0 : tally->latency->count) + unfinished;
}

double judge_value(const struct judge_term *term, const struct judge_tally *tally,
                   char note[RESULT_TEXT_BYTES])
{
    uint64_t needed = judge_term_samples_needed(term);
    if (needed > 0 && samples_of(term, tally) < needed) {
        (void)snprintf(note, RESULT_TEXT_BYTES,
                       "n too small: %" PRIu64 " samples, %" PRIu64 " needed",
                       samples_of(term, tally), needed);
        return NAN;
    }
    switch (term->source) {
    case JUDGE_FROM_LATENCY:
        return latency_value(term, tally, note);
    case JUDGE_FROM_FIRST_TRY:
    case JUDGE_FROM_ANSWERED:
        return share_value(term, tally, note);
    case JUDGE_FROM_LEASES:
        return (double)tally->count;
    case JUDGE_FROM_LEASE_RATE:
        if (tally->seconds > 0) {
            return (double)tally->count / tally->seconds;
        }
        break;
    case JUDGE_FROM_RESULT_U64:
    case JUDGE_FROM_RESULT_DOUBLE:
        break;
    }
    (void)snprintf(note, RESULT_TEXT_BYTES, "nothing was measured");
    return NAN;
}

static double value_of(const struct judge_term *term, const struct judge_facts *facts,
                       char note[RESULT_TEXT_BYTES])
{
    if (judge_source_takes_stage(term->source)) {
        struct judge_tally tally = {.seconds = NAN};
        facts->tally(facts->context, term, &tally);
        return judge_value(term, &tally, note);
    }
    const char *at = (const char *)facts->result + term->offset;
    double number = NAN;
    if (term->source == JUDGE_FROM_RESULT_DOUBLE) {
        number = *(const double *)(const void *)at;
    } else if (*(const uint64_t *)(const void *)at != RESULT_UNKNOWN) {
        number = (double)*(const uint64_t *)(const void *)at;
    }
    if (isnan(number)) {
        (void)snprintf(note, RESULT_TEXT_BYTES, "no such figure came about in this run");
    }
    return number;
}

void judge_begin(const struct judge_term *term, const char *text, struct result_judgement *out)
{
    *out = (struct result_judgement){.unit = "",
                                     .value = NAN,
                                     .limit = NAN,
                                     .result = JUDGEMENT_NOT_JUDGED,
                                     .window_begin_s = NAN,
                                     .window_end_s = NAN};
    (void)snprintf(out->expression, sizeof(out->expression), "%s", text);
    if (term != NULL) {
        out->unit = judge_unit_text(term->unit);
        out->limit = term->limit;
        out->has_windows = term->window_ns > 0;
    }
}

void judge_evaluate(const char *text, const struct judge_facts *facts, struct result_judgement *out)
{
    struct judge_term term;
    char why[JUDGE_WHY_BYTES];
    if (!judge_terms_parse(text, facts->scenario, &term, why)) {
        judge_begin(NULL, text, out);
        (void)snprintf(out->note, sizeof(out->note), "%s", why);
        return;
    }
    judge_begin(&term, text, out);
    if (judge_term_needs_lens(&term)) {
        (void)snprintf(out->note, sizeof(out->note), "its events were not watched");
        return;
    }
    double value = value_of(&term, facts, out->note);
    if (isnan(value)) {
        return;
    }
    out->result = judge_holds(&term, value) ? JUDGEMENT_PASS : JUDGEMENT_MISS;
    out->value = isinf(value) ? NAN : value;
}

uint64_t judge_smallest_latency_ns(const struct scenario *scenario, uint8_t stage)
{
    const struct scenario_judgement *judgements = scenario->judgements.items;
    double smallest_us = INFINITY;
    for (size_t i = 0; i < scenario->judgements.count; i++) {
        struct judge_term term;
        char why[JUDGE_WHY_BYTES];
        if (!judge_terms_parse(judgements[i].text, scenario, &term, why) ||
            term.unit != JUDGE_LATENCY) {
            continue;
        }
        bool is_upper = term.comparison == JUDGE_LT || term.comparison == JUDGE_LE;
        if (is_upper && (term.stage == JUDGE_ALL_STAGES || term.stage == stage)) {
            smallest_us = fmin(smallest_us, term.limit);
        }
    }
    return isinf(smallest_us) ? 0 : (uint64_t)(smallest_us * 1e3);
}
