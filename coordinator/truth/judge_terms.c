/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/judge_terms.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"

enum { WORD_BYTES = 64 };

struct metric_row {
    const char *name;
    enum judge_source source;
    enum judge_unit unit;
    size_t offset;
};

#define RESULT_U64(name, field)                                                                    \
    {                                                                                              \
        name, JUDGE_FROM_RESULT_U64, JUDGE_COUNT, offsetof(struct result, field)                   \
    }
#define RESULT_DOUBLE(name, field, unit)                                                           \
    {                                                                                              \
        name, JUDGE_FROM_RESULT_DOUBLE, unit, offsetof(struct result, field)                       \
    }
#define SAME_U64(field) RESULT_U64(#field, field)
#define LEASES(key)                                                                                \
    {                                                                                              \
        "leases." #key, JUDGE_FROM_LEASES, JUDGE_COUNT, offsetof(struct result_leases, key)        \
    }

static const struct metric_row metric_rows[] = {
    LEASES(acquired),
    LEASES(reacquired),
    LEASES(late_bound),
    LEASES(renewed),
    LEASES(rebound),
    LEASES(expired),
    LEASES(released),
    LEASES(failed),
    LEASES(nak),
    SAME_U64(addresses.distinct),
    SAME_U64(addresses.duplicate),
    SAME_U64(addresses.outside_subnet),
    SAME_U64(addresses.changed_on_renew),
    SAME_U64(outage.clients),
    SAME_U64(outage.at_risk),
    RESULT_DOUBLE("outage.client_seconds", outage.client_seconds, JUDGE_SECONDS),
    RESULT_DOUBLE("outage.longest_s", outage.longest_s, JUDGE_SECONDS),
    RESULT_DOUBLE("outage.p50_s", outage.p50_s, JUDGE_SECONDS),
    RESULT_DOUBLE("outage.p99_s", outage.p99_s, JUDGE_SECONDS),
    RESULT_DOUBLE("outage.first_answer_s", outage.first_answer_s, JUDGE_SECONDS),
    SAME_U64(accounting.assigned),
    SAME_U64(accounting.bound),
    SAME_U64(accounting.released),
    SAME_U64(accounting.expired),
    SAME_U64(accounting.failed),
    SAME_U64(accounting.never_started),
    SAME_U64(accounting.lost_with_agent),
    SAME_U64(accounting.agent_events),
    SAME_U64(accounting.ledger_events),
    SAME_U64(accounting.duplicates_dropped),
    SAME_U64(accounting.missing),
    RESULT_U64("messages.sent.discover", messages.sent_discover),
    RESULT_U64("messages.sent.request", messages.sent_request),
    RESULT_U64("messages.sent.renew", messages.sent_renew),
    RESULT_U64("messages.sent.rebind", messages.sent_rebind),
    RESULT_U64("messages.sent.reboot", messages.sent_reboot),
    RESULT_U64("messages.sent.decline", messages.sent_decline),
    RESULT_U64("messages.sent.release", messages.sent_release),
    RESULT_U64("messages.sent.inform", messages.sent_inform),
    RESULT_U64("messages.received.offer", messages.received_offer),
    RESULT_U64("messages.received.ack", messages.received_ack),
    RESULT_U64("messages.received.nak", messages.received_nak),
    RESULT_U64("messages.received.other", messages.received_other),
    RESULT_U64("messages.received.malformed", messages.received_malformed),
    RESULT_U64("messages.fate.answer", messages.fate_answer),
    RESULT_U64("messages.fate.late", messages.fate_late),
    RESULT_U64("messages.fate.duplicate", messages.fate_duplicate),
    RESULT_U64("messages.fate.alien", messages.fate_alien),
    RESULT_U64("messages.fate.misrouted", messages.fate_misrouted),
    RESULT_U64("messages.fate.malformed", messages.fate_malformed),
    SAME_U64(messages.wrong_source_port),
    RESULT_DOUBLE("rates.planned_per_s", rates.planned_per_s, JUDGE_PER_S),
    RESULT_DOUBLE("rates.sent_per_s", rates.sent_per_s, JUDGE_PER_S),
    RESULT_DOUBLE("rates.acquired_per_s_mean", rates.acquired_per_s_mean, JUDGE_PER_S),
    RESULT_DOUBLE("rates.acquired_per_s_peak", rates.acquired_per_s_peak, JUDGE_PER_S),
};

static const struct {
    const char *name;
    enum judge_figure figure;
    double percent;
} figure_rows[] = {{"p50", JUDGE_PERCENTILE, 50}, {"p90", JUDGE_PERCENTILE, 90},
                   {"p99", JUDGE_PERCENTILE, 99}, {"p999", JUDGE_PERCENTILE, 99.9},
                   {"max", JUDGE_MAX, 0},         {"mean", JUDGE_MEAN, 0}};

static const struct {
    const char *name;
    enum latency_metric metric;
} latency_rows[] = {{"discover_offer", LATENCY_DISCOVER_OFFER},
                    {"request_ack", LATENCY_REQUEST_ACK},
                    {"acquire", LATENCY_ACQUIRE},
                    {"renew", LATENCY_RENEW},
                    {"rebind", LATENCY_REBIND}};

static const struct {
    const char *text;
    enum judge_operator comparison;
} operator_rows[] = {{"==", JUDGE_EQ}, {"!=", JUDGE_NE}, {"<=", JUDGE_LE},
                     {">=", JUDGE_GE}, {"<", JUDGE_LT},  {">", JUDGE_GT}};

/* A metric is complete when every word that could stand there is listed. */
static bool find_latency(const char *word, struct judge_term *out)
{
    for (size_t f = 0; f < ARRAY_LEN(figure_rows); f++) {
        for (size_t l = 0; l < ARRAY_LEN(latency_rows); l++) {
            char name[WORD_BYTES];
            (void)snprintf(name, sizeof(name), "%s(%s)", figure_rows[f].name, latency_rows[l].name);
            if (strcmp(word, name) == 0) {
                out->metric = latency_rows[l].name;
                out->source = JUDGE_FROM_LATENCY;
                out->unit = JUDGE_LATENCY;
                out->figure = figure_rows[f].figure;
                out->percent = figure_rows[f].percent;
                out->latency = latency_rows[l].metric;
                return true;
            }
        }
    }
    return false;
}

static void suggest(const char *word, char why[JUDGE_WHY_BYTES])
{
    enum { LATENCIES = ARRAY_LEN(figure_rows) * ARRAY_LEN(latency_rows) };
    char names[LATENCIES][WORD_BYTES];
    const char *words[ARRAY_LEN(metric_rows) + LATENCIES + 1] = {0};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(metric_rows); i++) {
        words[count++] = metric_rows[i].name;
    }
    for (size_t i = 0; i < LATENCIES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s(%s)",
                       figure_rows[i / ARRAY_LEN(latency_rows)].name,
                       latency_rows[i % ARRAY_LEN(latency_rows)].name);
        words[count++] = names[i];
    }
    const char *near = schema_nearest(word, words);
    if (near != NULL) {
        (void)snprintf(why, JUDGE_WHY_BYTES, "unknown metric '%s'; did you mean '%s'?", word, near);
    } else {
        (void)snprintf(why, JUDGE_WHY_BYTES,
                       "unknown metric '%s'; use a key of report.json such as leases.failed, or a"
                       " latency such as p99(renew)",
                       word);
    }
}

static bool find_metric(const char *word, struct judge_term *out, char why[JUDGE_WHY_BYTES])
{
    for (size_t i = 0; i < ARRAY_LEN(metric_rows); i++) {
        if (strcmp(word, metric_rows[i].name) == 0) {
            out->metric = metric_rows[i].name;
            out->source = metric_rows[i].source;
            out->unit = metric_rows[i].unit;
            out->offset = metric_rows[i].offset;
            return true;
        }
    }
    if (find_latency(word, out)) {
        return true;
    }
    suggest(word, why);
    return false;
}

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

/* Copies up to white space or one of `stops`; false: empty or too long. */
static bool take_word(const char **at, const char *stops, char out[WORD_BYTES])
{
    const char *begin = skip_space(*at), *end = begin;
    while (*end != '\0' && !isspace((unsigned char)*end) && strchr(stops, *end) == NULL) {
        end++;
    }
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= WORD_BYTES) {
        return false;
    }
    memcpy(out, begin, length);
    out[length] = '\0';
    *at = end;
    return true;
}

static bool take_operator(const char **at, struct judge_term *out, char why[JUDGE_WHY_BYTES])
{
    *at = skip_space(*at);
    for (size_t i = 0; i < ARRAY_LEN(operator_rows); i++) {
        size_t length = strlen(operator_rows[i].text);
        if (strncmp(*at, operator_rows[i].text, length) == 0) {
            out->comparison = operator_rows[i].comparison;
            *at += length;
            return true;
        }
    }
    (void)snprintf(
        why, JUDGE_WHY_BYTES,
        "expected a comparison after the metric; write METRIC OP VALUE [in STAGE] with OP"
        " one of == != < <= > >=");
    return false;
}

static bool scan_number(const char *word, double *out)
{
    char digits[WORD_BYTES];
    size_t length = 0;
    for (const char *at = word; *at != '\0'; at++) {
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

static bool scan_value(const char *word, struct judge_term *out, char why[JUDGE_WHY_BYTES])
{
    uint64_t scaled = 0;
    double number = 0;
    bool is_number = scan_number(word, &number);
    switch (out->unit) {
    case JUDGE_LATENCY:
        if (!schema_scan_duration(word, &scaled)) {
            (void)snprintf(why, JUDGE_WHY_BYTES,
                           "'%s' is no latency; give a number with its unit, such as 500ms", word);
            return false;
        }
        out->limit = (double)scaled / 1e3;
        return true;
    case JUDGE_SECONDS:
        if (!is_number && schema_scan_duration(word, &scaled)) {
            number = (double)scaled / 1e9;
            is_number = true;
        }
        break;
    case JUDGE_PER_S:
        if (!is_number && schema_scan_rate(word, &scaled)) {
            number = (double)scaled / 1e3;
            is_number = true;
        }
        break;
    case JUDGE_COUNT:
        is_number = is_number && number >= 0 && number <= 1e15 && floor(number) >= number;
        break;
    }
    if (!is_number) {
        (void)snprintf(why, JUDGE_WHY_BYTES, "'%s' is not a value for %s; give a %s", word,
                       out->metric, out->unit == JUDGE_COUNT ? "whole number" : "number");
        return false;
    }
    out->limit = number;
    return true;
}

static bool find_stage(const char *word, const struct scenario *scenario, struct judge_term *out,
                       char why[JUDGE_WHY_BYTES])
{
    const struct scenario_stage *stages = scenario->stages.items;
    const char *words[PLAN_STAGES_MAX + 1] = {0};
    for (size_t i = 0; i < scenario->stages.count && i < PLAN_STAGES_MAX; i++) {
        words[i] = stages[i].name;
        if (strcmp(stages[i].name, word) == 0) {
            if (out->source != JUDGE_FROM_LEASES && out->source != JUDGE_FROM_LATENCY) {
                (void)snprintf(why, JUDGE_WHY_BYTES,
                               "%s is known for the whole run only; leave out 'in %s'", out->metric,
                               word);
                return false;
            }
            out->stage = (uint8_t)i;
            return true;
        }
    }
    const char *near = schema_nearest(word, words);
    (void)snprintf(why, JUDGE_WHY_BYTES, "there is no stage '%s'; %s%s%s", word,
                   near != NULL ? "did you mean '" : "use a name from the run block",
                   near != NULL ? near : "", near != NULL ? "'?" : "");
    return false;
}

bool judge_terms_parse(const char *text, const struct scenario *scenario, struct judge_term *out,
                       char why[JUDGE_WHY_BYTES])
{
    struct judge_term term = {.stage = JUDGE_ALL_STAGES};
    char word[WORD_BYTES];
    const char *at = text;
    if (!take_word(&at, "=!<>", word)) {
        (void)snprintf(why, JUDGE_WHY_BYTES,
                       "a judgement begins with a metric; write METRIC OP VALUE [in STAGE]");
        return false;
    }
    if (!find_metric(word, &term, why) || !take_operator(&at, &term, why)) {
        return false;
    }
    if (!take_word(&at, "", word)) {
        (void)snprintf(why, JUDGE_WHY_BYTES,
                       "a value is missing; write METRIC OP VALUE [in STAGE]");
        return false;
    }
    if (!scan_value(word, &term, why)) {
        return false;
    }
    at = skip_space(at);
    if (*at != '\0') {
        char stage[WORD_BYTES] = "";
        bool is_in = take_word(&at, "", word) && strcmp(word, "in") == 0;
        if (!is_in || !take_word(&at, "", stage) || *skip_space(at) != '\0') {
            (void)snprintf(
                why, JUDGE_WHY_BYTES,
                "only 'in STAGE' may follow the value; write METRIC OP VALUE [in STAGE]");
            return false;
        }
        if (!find_stage(stage, scenario, &term, why)) {
            return false;
        }
    }
    *out = term;
    return true;
}
