/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/judge_terms.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"
#include "coordinator/truth/judge_metrics.h"
#include "coordinator/truth/statistics.h"

enum { WORD_BYTES = 64 };

#define GRAMMAR "METRIC OP VALUE [over WINDOW] [in STAGE] [after|except DURATION after \"EVENT\"]"

/* Shorter windows would be finer than the events are in order. */
static const uint64_t window_min_ns = NS_PER_S;

static const struct {
    const char *text;
    enum judge_operator comparison;
} operator_rows[] = {{"==", JUDGE_EQ}, {"!=", JUDGE_NE}, {"<=", JUDGE_LE},
                     {">=", JUDGE_GE}, {"<", JUDGE_LT},  {">", JUDGE_GT}};

struct reader {
    const char *at;
    const struct scenario *scenario;
    char *why; /* JUDGE_WHY_BYTES */
};

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

/* Copies up to white space or one of `stops`; false: empty or too long. */
static bool take_word(struct reader *r, const char *stops, char out[WORD_BYTES])
{
    const char *begin = skip_space(r->at), *end = begin;
    while (*end != '\0' && !isspace((unsigned char)*end) && strchr(stops, *end) == NULL) {
        end++;
    }
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= WORD_BYTES) {
        return false;
    }
    memcpy(out, begin, length);
    out[length] = '\0';
    r->at = end;
    return true;
}

static bool refuse(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

static bool refuse(struct reader *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(r->why, JUDGE_WHY_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

/* "unknown X 'word'; did you mean 'near'?" */
static bool refuse_name(struct reader *r, const char *what, const char *word,
                        const char *const *words, const char *otherwise)
{
    const char *near = schema_nearest(word, words);
    if (near != NULL) {
        return refuse(r, "there is no %s '%s'; did you mean '%s'?", what, word, near);
    }
    return refuse(r, "there is no %s '%s'; %s", what, word, otherwise);
}

static bool take_operator(struct reader *r, struct judge_term *out)
{
    r->at = skip_space(r->at);
    for (size_t i = 0; i < ARRAY_LEN(operator_rows); i++) {
        size_t length = strlen(operator_rows[i].text);
        if (strncmp(r->at, operator_rows[i].text, length) == 0) {
            out->comparison = operator_rows[i].comparison;
            r->at += length;
            return true;
        }
    }
    return refuse(r,
                  "expected a comparison after the metric, one of == != < <= > >=; write " GRAMMAR);
}

/* Digits with `_` between them and at most one point, `suffix` behind. */
static bool scan_number(const char *word, const char *suffix, double *out)
{
    char digits[WORD_BYTES];
    size_t length = 0, size = strlen(word), tail = strlen(suffix);
    if (size <= tail || strcmp(word + size - tail, suffix) != 0) {
        return false;
    }
    for (const char *at = word; at < word + size - tail; at++) {
        bool is_separator = *at == '_' && at > word && isdigit((unsigned char)at[1]);
        if (!isdigit((unsigned char)*at) && *at != '.' && !is_separator) {
            return false;
        }
        if (*at != '_') {
            digits[length++] = *at;
        }
    }
    digits[length] = '\0';
    char *end = NULL;
    double value = strtod(digits, &end);
    if (length == 0 || *end != '\0') {
        return false;
    }
    *out = value;
    return true;
}

/* Only 0 is the same in every unit. */
static bool scan_value(struct reader *r, const char *word, struct judge_term *out)
{
    uint64_t scaled = 0;
    switch (out->unit) {
    case JUDGE_LATENCY:
    case JUDGE_SECONDS:
        if (!schema_scan_duration(word, &scaled)) {
            return refuse(r, "'%s' is no time; give a number with its unit, such as 500ms or 30s",
                          word);
        }
        out->limit = (double)scaled / (out->unit == JUDGE_LATENCY ? 1e3 : 1e9);
        return true;
    case JUDGE_PER_S:
        if (!schema_scan_rate(word, &scaled)) {
            return refuse(r, "'%s' is no rate; give a number with its unit, such as 600/s", word);
        }
        out->limit = (double)scaled / 1e3;
        return true;
    case JUDGE_PERCENT:
        if (!scan_number(word, "%", &out->limit) || out->limit > 100) {
            return refuse(r, "'%s' is no share; give 0%% to 100%% with its unit, such as 99.9%%",
                          word);
        }
        return true;
    case JUDGE_COUNT:
        break;
    }
    if (!scan_number(word, "", &out->limit) || out->limit > 1e15 ||
        floor(out->limit) < out->limit) {
        return refuse(r, "'%s' is not a value for %s; give a whole number without a unit", word,
                      out->metric);
    }
    return true;
}

static bool take_value(struct reader *r, struct judge_term *out)
{
    char word[WORD_BYTES];
    if (!take_word(r, "", word)) {
        return refuse(r, "a value is missing; write " GRAMMAR);
    }
    return scan_value(r, word, out);
}

/* --- what may follow --- */

static bool take_window(struct reader *r, struct judge_term *out)
{
    char word[WORD_BYTES] = "";
    if (!take_word(r, "", word) || !schema_scan_duration(word, &out->window_ns) ||
        out->window_ns < window_min_ns) {
        return refuse(r,
                      "'over %s' is no window; give a time of at least 1s with its unit, such "
                      "as over 30s",
                      word);
    }
    return true;
}

static bool take_stage(struct reader *r, struct judge_term *out)
{
    const struct scenario_stage *stages = r->scenario->stages.items;
    const char *words[PLAN_STAGES_MAX + 1] = {0};
    char word[WORD_BYTES];
    if (!take_word(r, "", word)) {
        return refuse(r, "a stage is missing after 'in'; write " GRAMMAR);
    }
    for (size_t i = 0; i < r->scenario->stages.count && i < PLAN_STAGES_MAX; i++) {
        words[i] = stages[i].name;
        if (strcmp(stages[i].name, word) == 0) {
            out->stage = (uint8_t)i;
            return true;
        }
    }
    return refuse_name(r, "stage", word, words, "use a name from the run block");
}

static bool take_quoted(struct reader *r, char out[2 * WORD_BYTES])
{
    const char *begin = skip_space(r->at);
    const char *end = *begin == '"' ? strchr(begin + 1, '"') : NULL;
    if (end == NULL || end == begin + 1 || (size_t)(end - begin) > 2 * WORD_BYTES) {
        return false;
    }
    size_t length = (size_t)(end - begin) - 1;
    memcpy(out, begin + 1, length);
    out[length] = '\0';
    r->at = end + 1;
    return true;
}

static bool find_event(struct reader *r, const char *name, struct judge_term *out)
{
    const struct scenario_event *events = r->scenario->events.items;
    const char *words[SCENARIO_EVENTS_MAX + 1] = {0};
    for (size_t i = 0; i < r->scenario->events.count && i < SCENARIO_EVENTS_MAX; i++) {
        words[i] = events[i].name;
        if (strcmp(events[i].name, name) == 0) {
            out->event = i;
            return true;
        }
    }
    return refuse_name(r, "event", name, words, "use a name from the events block");
}

static bool take_filter(struct reader *r, enum judge_filter filter, struct judge_term *out)
{
    const char *keyword = filter == JUDGE_AFTER ? "after" : "except";
    char word[WORD_BYTES] = "", name[2 * WORD_BYTES];
    if (!take_word(r, "\"", word) || !schema_scan_duration(word, &out->filter_ns)) {
        return refuse(r, "'%s %s' lacks a time; write %s 30s after \"EVENT\"", keyword, word,
                      keyword);
    }
    if (filter == JUDGE_EXCEPT && out->filter_ns == 0) {
        return refuse(r, "'except %s' leaves nothing out; give a time such as 30s", word);
    }
    if (!take_word(r, "\"", word) || strcmp(word, "after") != 0 || !take_quoted(r, name)) {
        return refuse(r, "the event must follow in double quotes; write %s 30s after \"EVENT\"",
                      keyword);
    }
    out->filter = filter;
    return find_event(r, name, out);
}

static bool take_clause(struct reader *r, const char *word, struct judge_term *out)
{
    static const char *const keywords[] = {"over", "in", "after", "except", NULL};
    bool is_after = strcmp(word, "after") == 0, is_except = strcmp(word, "except") == 0;
    bool is_over = strcmp(word, "over") == 0, is_in = strcmp(word, "in") == 0;
    if (!is_after && !is_except && !is_over && !is_in) {
        const char *near = schema_nearest(word, keywords);
        return refuse(r, "'%s' may not follow the value%s%s%s; write " GRAMMAR, word,
                      near == NULL ? "" : ", did you mean '", near == NULL ? "" : near,
                      near == NULL ? "" : "'");
    }
    bool is_again = (is_over && out->window_ns > 0) || (is_in && out->stage != JUDGE_ALL_STAGES) ||
                    ((is_after || is_except) && out->filter != JUDGE_WHOLE_STAGE);
    if (is_again) {
        return refuse(r, "'%s' stands there for the second time; write " GRAMMAR, word);
    }
    if (!judge_source_takes_stage(out->source)) {
        return refuse(r, "%s is known for the whole run only; leave out what follows the value",
                      out->metric);
    }
    if (is_over) {
        return take_window(r, out);
    }
    return is_in ? take_stage(r, out) : take_filter(r, is_after ? JUDGE_AFTER : JUDGE_EXCEPT, out);
}

bool judge_terms_parse(const char *text, const struct scenario *scenario, struct judge_term *out,
                       char why[JUDGE_WHY_BYTES])
{
    struct judge_term term;
    struct reader r = {.at = text, .scenario = scenario, .why = why};
    char word[WORD_BYTES];
    if (!take_word(&r, "=!<>", word)) {
        return refuse(&r, "a judgement begins with a metric; write " GRAMMAR);
    }
    if (!judge_metrics_find(word, &term)) {
        judge_metrics_suggest(word, why);
        return false;
    }
    if (strncmp(term.metric, "search.", strlen("search.")) == 0 && !scenario->has_search) {
        return refuse(&r, "%s: this scenario has no search; give its last stage one", term.metric);
    }
    if (!take_operator(&r, &term) || !take_value(&r, &term)) {
        return false;
    }
    for (r.at = skip_space(r.at); *r.at != '\0'; r.at = skip_space(r.at)) {
        if (!take_word(&r, "", word)) {
            return refuse(&r, "what follows the value is too long; write " GRAMMAR);
        }
        if (!take_clause(&r, word, &term)) {
            return false;
        }
    }
    *out = term;
    return true;
}

bool judge_term_needs_lens(const struct judge_term *term)
{
    return term->window_ns > 0 || term->filter != JUDGE_WHOLE_STAGE;
}

uint64_t judge_term_samples_needed(const struct judge_term *term)
{
    switch (term->source) {
    case JUDGE_FROM_LATENCY:
        return term->figure == JUDGE_PERCENTILE ? statistics_samples_needed(term->percent) : 1;
    case JUDGE_FROM_FIRST_TRY:
    case JUDGE_FROM_ANSWERED:
        return 1;
    case JUDGE_FROM_RESULT_U64:
    case JUDGE_FROM_RESULT_DOUBLE:
    case JUDGE_FROM_LEASES:
    case JUDGE_FROM_LEASE_RATE:
        break;
    }
    return 0;
}

const char *judge_unit_text(enum judge_unit unit)
{
    static const char *const texts[] = {
        [JUDGE_COUNT] = "",     [JUDGE_SECONDS] = "s", [JUDGE_PER_S] = "1/s",
        [JUDGE_LATENCY] = "us", [JUDGE_PERCENT] = "%",
    };
    return texts[unit];
}
