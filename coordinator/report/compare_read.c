/* SPDX-License-Identifier: MIT */
/* report.json to struct compare_run. Nothing in it is believed. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/report/compare.h"
#include "coordinator/report/result_search.h"

enum { ITEMS_MAX = 16384, TEXT_SHOWN = 60 };

struct reader {
    char *why; /* COMPARE_WHY_BYTES; the first complaint stays */
    bool is_bad;
};

static void PRINTF_LIKE(2, 3) complain(struct reader *r, const char *format, ...)
{
    if (r->is_bad) {
        return;
    }
    r->is_bad = true;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->why, COMPARE_WHY_BYTES, format, args);
    va_end(args);
}

static const json_t *object_at(struct reader *r, const json_t *in, const char *key)
{
    const json_t *value = json_object_get(in, key);
    if (!json_is_object(value)) {
        complain(r, "\"%s\" is not an object", key);
        return NULL;
    }
    return value;
}

/* NAN: null, or not there (an older report). */
static double number_at(struct reader *r, const json_t *in, const char *key)
{
    const json_t *value = json_object_get(in, key);
    if (value == NULL || json_is_null(value)) {
        return NAN;
    }
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (!isfinite(number) || number < 0 || number >= COMPARE_GIVE_UP_US) {
        complain(r, "\"%s\" is not a number from 0 on", key);
        return NAN;
    }
    return number;
}

/* Printable and short, or a complaint; "-" for null. */
static const char *text_at(struct reader *r, const json_t *in, const char *key)
{
    const json_t *value = json_object_get(in, key);
    if (value == NULL || json_is_null(value)) {
        return "-";
    }
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) > TEXT_SHOWN + 4) {
        complain(r, "\"%s\" is not a short text", key);
        return "-";
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7e) {
            complain(r, "\"%s\" holds a character that cannot be printed", key);
            return "-";
        }
    }
    return text;
}

static void read_verdict(struct reader *r, const json_t *root, struct compare_run *out)
{
    const char *text = text_at(r, object_at(r, root, "verdict"), "result");
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (strcmp(text, verdict_name((enum verdict)v)) == 0) {
            out->verdict = (enum verdict)v;
            return;
        }
    }
    complain(r, "\"result\" of \"verdict\" is none of PASS, FAIL, INVALID ...");
}

/* --- the shape --- */

struct shape {
    struct reader *r;
    char *text;
    size_t at;
};

static void PRINTF_LIKE(2, 3) add_line(struct shape *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(s->text + s->at, COMPARE_SHAPE_BYTES - s->at, format, args);
    va_end(args);
    size_t room = COMPARE_SHAPE_BYTES - s->at;
    if (length < 0 || (size_t)length >= room) {
        complain(s->r, "the scenario's stages are more than can be compared");
        return;
    }
    s->at += (size_t)length;
}

static const char *amount(double value, char cell[32])
{
    (void)snprintf(cell, 32, isfinite(value) ? "%.10g" : "none", value);
    return cell;
}

static void add_relays(struct shape *s, const json_t *root)
{
    const json_t *relays = json_object_get(root, "relays");
    if (!json_is_array(relays) || json_array_size(relays) > ITEMS_MAX) {
        complain(s->r, "\"relays\" is not a list");
        return;
    }
    double clients = 0;
    char cell[32];
    for (size_t i = 0; i < json_array_size(relays); i++) {
        double of_relay = number_at(s->r, json_array_get(relays, i), "clients");
        clients += isfinite(of_relay) ? of_relay : 0;
    }
    add_line(s, "clients: %s\nrelays: %zu\n", amount(clients, cell), json_array_size(relays));
}

static void add_stages(struct shape *s, const json_t *run)
{
    const json_t *stages = json_object_get(run, "stages");
    if (!json_is_array(stages) || json_array_size(stages) > PLAN_STAGES_MAX) {
        complain(s->r, "\"stages\" is not a list of stages");
        return;
    }
    add_line(s, "stages: %zu\n", json_array_size(stages));
    for (size_t i = 0; i < json_array_size(stages); i++) {
        const json_t *stage = json_array_get(stages, i);
        char batch[32], rate[32], duration[32];
        add_line(s, "stage %zu: %s batch %s rate %s duration %s\n", i + 1,
                 text_at(s->r, stage, "kind"), amount(number_at(s->r, stage, "batch"), batch),
                 amount(number_at(s->r, stage, "rate_per_s"), rate),
                 amount(number_at(s->r, stage, "duration_s"), duration));
    }
}

static void add_search(struct shape *s, const json_t *root)
{
    static const char *const keys[] = {"mix_acquire", "mix_renew",        "within_s",
                                       "step_s",      "answered_percent", "warmup_s"};
    const json_t *search = json_object_get(root, "search");
    if (!json_is_object(search)) {
        add_line(s, "search: none\n");
        return;
    }
    const json_t *terms = object_at(s->r, search, "terms");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char cell[32];
        add_line(s, "search %s: %s\n", keys[i], amount(number_at(s->r, terms, keys[i]), cell));
    }
}

static void read_shape(struct reader *r, const json_t *root, struct compare_run *out)
{
    struct shape s = {.r = r, .text = out->shape};
    const json_t *run = object_at(r, root, "run");
    char lease[32], production[32];
    (void)snprintf(out->identity, sizeof(out->identity), "%s", text_at(r, run, "identity"));
    add_line(&s, "client path: %s\n", text_at(r, run, "client_path"));
    add_relays(&s, root);
    add_line(&s, "lease: %s s\nproduction lease: %s s\n",
             amount(number_at(r, run, "lease_s"), lease),
             amount(number_at(r, run, "production_lease_s"), production));
    add_stages(&s, run);
    add_search(&s, root);
}

/* --- the figures --- */

/* One count against chance alone: the square root of a count varies by about 1/2. */
static struct compare_value counted(double count)
{
    double low = fmax(sqrt(count) - 1, 0), high = sqrt(count + 1) + 1;
    return isfinite(count) ? (struct compare_value){count, low * low, high * high}
                           : (struct compare_value){NAN, NAN, NAN};
}

static struct compare_value percentile(struct reader *r, const json_t *metric, const char *name,
                                       double needed)
{
    struct compare_value v = {number_at(r, metric, name), NAN, NAN};
    double count = number_at(r, metric, "count"), unfinished = number_at(r, metric, "unfinished");
    if (!isfinite(v.value)) {
        /* Enough samples, and no figure: it lies among those that never ended. */
        bool is_given_up = count + unfinished >= needed && unfinished > 0;
        v.value = v.low = v.high = is_given_up ? COMPARE_GIVE_UP_US : NAN;
        return v;
    }
    const json_t *interval = json_object_get(json_object_get(metric, "ci95"), name);
    if (!json_is_array(interval) || json_array_size(interval) != 2) {
        return v;
    }
    const json_t *low = json_array_get(interval, 0), *high = json_array_get(interval, 1);
    v.low = json_is_number(low) ? json_number_value(low) : NAN;
    v.high = json_is_number(high) ? json_number_value(high) : COMPARE_GIVE_UP_US;
    if (!(v.low >= 0 && v.low <= v.value && v.value <= v.high && v.high <= COMPARE_GIVE_UP_US)) {
        complain(r, "the interval of %s does not hold its value", name);
    }
    return v;
}

static void read_latency(struct reader *r, const json_t *all, const char *name,
                         struct compare_value *p50, struct compare_value *p99)
{
    const json_t *metric = object_at(r, all, name);
    *p50 = percentile(r, metric, "p50", 20);
    *p99 = percentile(r, metric, "p99", 1000);
}

/* A tester's limit or a search cut off says nothing about the server: no sample. */
static void read_repeat(struct reader *r, const json_t *repeat, struct compare_run *out)
{
    double low = number_at(r, repeat, "low_per_s"), high = number_at(r, repeat, "high_per_s");
    const char *limit = text_at(r, repeat, "limit");
    double value = NAN, at = NAN;
    if (strcmp(limit, search_limit_name(SEARCH_LIMIT_SERVER)) == 0) {
        value = at = sqrt(low * high);
    } else if (strcmp(limit, search_limit_name(SEARCH_LIMIT_BELOW_LOW)) == 0) {
        value = -COMPARE_OPEN_PER_S;
        at = high;
    } else if (strcmp(limit, search_limit_name(SEARCH_LIMIT_ABOVE_HIGH)) == 0) {
        value = COMPARE_OPEN_PER_S;
        at = low;
    }
    if (isfinite(at)) {
        out->capacity[out->capacity_count] = value;
        out->capacity_at[out->capacity_count++] = at;
    }
}

static void read_capacity(struct reader *r, const json_t *search, struct compare_run *out)
{
    struct compare_value *v = &out->of[COMPARE_CAPACITY];
    *v = (struct compare_value){NAN, NAN, NAN};
    if (!json_is_object(search)) {
        return;
    }
    out->is_searched = true;
    v->low = number_at(r, object_at(r, search, "low"), "exchanges_per_s");
    v->high = number_at(r, object_at(r, search, "high"), "exchanges_per_s");
    v->value = sqrt(v->low * v->high);
    const json_t *repeats = json_object_get(search, "repeats");
    if (!json_is_array(repeats) || json_array_size(repeats) > COMPARE_SAMPLES_MAX) {
        complain(r, "\"repeats\" is not a list of repeats");
        return;
    }
    for (size_t i = 0; i < json_array_size(repeats); i++) {
        read_repeat(r, json_array_get(repeats, i), out);
    }
    /* An end that the search left open is one only if a repeat came to it. */
    for (size_t i = 0; i < out->capacity_count; i++) {
        if (out->capacity[i] <= -COMPARE_OPEN_PER_S && isnan(v->low)) {
            v->low = -COMPARE_OPEN_PER_S;
        } else if (out->capacity[i] >= COMPARE_OPEN_PER_S && isnan(v->high)) {
            v->high = COMPARE_OPEN_PER_S;
        }
    }
}

static void read_measures(struct reader *r, const json_t *root, struct compare_run *out)
{
    const json_t *latencies = object_at(r, root, "latency_us");
    const json_t *leases = object_at(r, root, "leases");
    read_latency(r, latencies, "acquire", &out->of[COMPARE_ACQUIRE_P50],
                 &out->of[COMPARE_ACQUIRE_P99]);
    read_latency(r, latencies, "renew", &out->of[COMPARE_RENEW_P50], &out->of[COMPARE_RENEW_P99]);
    out->of[COMPARE_FAILED] = counted(number_at(r, leases, "failed"));
    out->of[COMPARE_EXPIRED] = counted(number_at(r, leases, "expired"));
    double outage = number_at(r, object_at(r, root, "outage"), "client_seconds");
    out->of[COMPARE_OUTAGE] = (struct compare_value){outage, NAN, NAN};
    read_capacity(r, json_object_get(root, "search"), out);
}

/* Before a list of a million lists becomes a tree of them. */
static bool can_be_report(const char *json, size_t bytes, char why[COMPARE_WHY_BYTES])
{
    size_t at = 0;
    if (bytes > COMPARE_JSON_BYTES_MAX) {
        (void)snprintf(why, COMPARE_WHY_BYTES, "it is longer than any report, %d MiB",
                       COMPARE_JSON_BYTES_MAX / (1024 * 1024));
        return false;
    }
    while (at < bytes && memchr(" \t\r\n", json[at], 4) != NULL) {
        at++;
    }
    if (at == bytes || json[at] != '{') {
        (void)snprintf(why, COMPARE_WHY_BYTES, "it is not JSON that begins with {, as a report");
        return false;
    }
    return true;
}

bool compare_read(const char *json, size_t bytes, struct compare_run *out,
                  char why[COMPARE_WHY_BYTES])
{
    json_error_t error;
    struct reader r = {.why = why};
    if (!can_be_report(json, bytes, why)) {
        return false;
    }
    json_t *root = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        /* jansson quotes the text near the error: its printable part only, by its position. */
        (void)snprintf(why, COMPARE_WHY_BYTES, "it is not JSON (line %d, column %d)", error.line,
                       error.column);
        return false;
    }
    struct compare_run run = {0};
    if (strcmp(text_at(&r, root, "schema"), "leaseherd.report/1") != 0) {
        complain(&r, "it is not a report of schema leaseherd.report/1");
    }
    read_verdict(&r, root, &run);
    read_shape(&r, root, &run);
    read_measures(&r, root, &run);
    json_decref(root);
    if (r.is_bad) {
        return false;
    }
    *out = run;
    return true;
}
