/* SPDX-License-Identifier: MIT */
/* A search and the events: from the file's shape to the program's and back. */
#include "coordinator/plan/scenario_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARMUP_SHARE = 5 }; /* a fifth of a step, when nothing is said */

#define COPY_TEXT(to, from)                                                                        \
    do {                                                                                           \
        static_assert(sizeof(to) >= sizeof(from), "text would be cut");                            \
        memcpy((to), (from), sizeof(from));                                                        \
    } while (0)

static uint64_t rate_of(const struct raw_rate *raw)
{
    uint64_t milli_per_s;
    return schema_scan_rate(raw->text, &milli_per_s) ? milli_per_s : 0;
}

void scenario_take_search(const struct raw_stage *stage, struct scenario *s)
{
    const struct raw_search *raw = &stage->search;
    const struct raw_rate *rates = raw->rates.items, *between = raw->between.items;
    struct scenario_search *to = &s->search;

    s->has_search = true;
    *to = (struct scenario_search){
        .acquire_weight = (uint32_t)raw->mix.acquire,
        .renew_weight = (uint32_t)raw->mix.renew,
        .step_ns = raw->step_ns,
        .warmup_ns = stage->has_warmup ? stage->warmup_ns : raw->step_ns / WARMUP_SHARE,
        .within_ns = raw->within_ns,
        .answered_percent = raw->answered_percent,
        .resolution_percent = raw->resolution_percent,
        .bound = raw->bound,
        .repeat = raw->repeat,
    };
    COPY_TEXT(to->reset, raw->reset);
    if (to->bound == 0 && to->renew_weight > 0) {
        to->bound = scenario_client_count(s) / 2;
    }
    for (size_t i = 0; i < raw->rates.count && i < SCENARIO_SEARCH_RATES_MAX; i++) {
        to->rates_milli_per_s[to->rate_count++] = rate_of(&rates[i]);
    }
    if (raw->between.count == 2) {
        to->low_milli_per_s = rate_of(&between[0]);
        to->high_milli_per_s = rate_of(&between[1]);
    }
}

bool scenario_take_events(const struct raw_scenario *raw, struct scenario *s)
{
    const struct raw_event *from = raw->events.items;
    struct scenario_event *to = calloc(raw->events.count + 1, sizeof(*to));
    if (to == NULL) {
        return false;
    }
    s->events = (struct schema_array){.items = to, .count = raw->events.count};
    for (size_t i = 0; i < raw->events.count; i++) {
        to[i].line = from[i].line;
        to[i].at_ns = from[i].at_ns;
        COPY_TEXT(to[i].name, from[i].name);
        COPY_TEXT(to[i].stage, from[i].stage);
        COPY_TEXT(to[i].run, from[i].run);
    }
    return true;
}

/* As the file would have it: without loss, in the grammar of schema_scan_rate(). */
static void put_rate(uint64_t milli_per_s, struct raw_rate *to)
{
    (void)snprintf(to->text, sizeof(to->text),
                   milli_per_s % 1000 == 0 ? "%" PRIu64 "/s" : "%" PRIu64 ".%03" PRIu64 "/s",
                   milli_per_s / 1000, milli_per_s % 1000);
}

static bool put_rates(const uint64_t *milli_per_s, size_t count, struct schema_array *out)
{
    struct raw_rate *rates = calloc(count + 1, sizeof(*rates));
    if (rates == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        put_rate(milli_per_s[i], &rates[i]);
    }
    *out = (struct schema_array){.items = rates, .count = count};
    return true;
}

bool scenario_put_search(const struct scenario *s, struct raw_search *raw)
{
    const struct scenario_search *from = &s->search;
    const uint64_t ends[] = {from->low_milli_per_s, from->high_milli_per_s};

    *raw = (struct raw_search){
        .mix = {.acquire = from->acquire_weight, .renew = from->renew_weight},
        .bound = from->bound,
        .step_ns = from->step_ns,
        .within_ns = from->within_ns,
        .repeat = from->repeat,
        .answered_percent = from->answered_percent,
        .resolution_percent = from->resolution_percent,
    };
    COPY_TEXT(raw->reset, from->reset);
    return from->rate_count > 0 ? put_rates(from->rates_milli_per_s, from->rate_count, &raw->rates)
                                : put_rates(ends, ARRAY_LEN(ends), &raw->between);
}

void scenario_put_events(const struct scenario *s, struct raw_event *to)
{
    const struct scenario_event *from = s->events.items;
    for (size_t i = 0; i < s->events.count; i++) {
        to[i].at_ns = from[i].at_ns;
        COPY_TEXT(to[i].name, from[i].name);
        COPY_TEXT(to[i].stage, from[i].stage);
        COPY_TEXT(to[i].run, from[i].run);
    }
}
