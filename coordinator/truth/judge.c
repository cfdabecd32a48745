/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/judge.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coordinator/truth/judge_terms.h"
#include "coordinator/truth/statistics.h"

bool judge_check(const char *text, const struct scenario *scenario, char why[JUDGE_WHY_BYTES])
{
    struct judge_term term;
    return judge_terms_parse(text, scenario, &term, why);
}

uint64_t judge_samples_needed(double percent)
{
    return statistics_samples_needed(percent);
}

/* Infinity compares as one expects; NAN never gets here. */
static bool holds(double value, enum judge_operator comparison, double limit)
{
    switch (comparison) {
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

/* NAN and a note: cannot be told. INFINITY: lies among the unfinished. */
static double latency_value(const struct judge_term *term, const struct judge_facts *facts,
                            char note[RESULT_TEXT_BYTES])
{
    const struct histogram *h = facts->latency(facts->context, term->latency, term->stage);
    uint64_t unfinished =
        term->latency == LATENCY_ACQUIRE ? facts->unfinished(facts->context, term->stage) : 0;
    uint64_t total = (h == NULL ? 0 : h->count) + unfinished;
    uint64_t needed =
        term->figure == JUDGE_PERCENTILE ? statistics_samples_needed(term->percent) : 1;
    if (total < needed) {
        (void)snprintf(note, RESULT_TEXT_BYTES,
                       "n too small: %" PRIu64 " samples, %" PRIu64 " needed", total, needed);
        return NAN;
    }
    if (h == NULL || h->count == 0 || (term->figure != JUDGE_PERCENTILE && unfinished > 0)) {
        (void)snprintf(note, RESULT_TEXT_BYTES, "%" PRIu64 " starts never finished", unfinished);
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
                       "lies among the %" PRIu64 " starts that never finished", unfinished);
        return INFINITY;
    }
    (void)snprintf(note, RESULT_TEXT_BYTES, "over %" PRIu64 " samples", total);
    return (double)ns / 1e3;
}

static double value_of(const struct judge_term *term, const struct judge_facts *facts,
                       char note[RESULT_TEXT_BYTES])
{
    const char *result = (const char *)facts->result;
    uint64_t count = RESULT_UNKNOWN;
    double number = NAN;
    switch (term->source) {
    case JUDGE_FROM_LATENCY:
        return latency_value(term, facts, note);
    case JUDGE_FROM_LEASES:
        count = *(const uint64_t *)(const void *)((const char *)facts->leases(facts->context,
                                                                              term->stage) +
                                                  term->offset);
        break;
    case JUDGE_FROM_RESULT_U64:
        count = *(const uint64_t *)(const void *)(result + term->offset);
        break;
    case JUDGE_FROM_RESULT_DOUBLE:
        number = *(const double *)(const void *)(result + term->offset);
        break;
    }
    if (count != RESULT_UNKNOWN) {
        number = (double)count;
    }
    if (isnan(number)) {
        (void)snprintf(note, RESULT_TEXT_BYTES, "no such figure came about in this run");
    }
    return number;
}

void judge_evaluate(const char *text, const struct judge_facts *facts, struct result_judgement *out)
{
    struct judge_term term;
    char why[JUDGE_WHY_BYTES];
    *out = (struct result_judgement){.value = NAN, .limit = NAN, .result = JUDGEMENT_NOT_JUDGED};
    (void)snprintf(out->expression, sizeof(out->expression), "%s", text);
    if (!judge_terms_parse(text, facts->scenario, &term, why)) {
        (void)snprintf(out->note, sizeof(out->note), "%s", why);
        return;
    }
    out->limit = term.limit;
    double value = value_of(&term, facts, out->note);
    if (isnan(value)) {
        return;
    }
    out->result = holds(value, term.comparison, term.limit) ? JUDGEMENT_PASS : JUDGEMENT_MISS;
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
