/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/search_result.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "coordinator/plan/plan_text.h"
#include "coordinator/truth/bootstrap.h"
#include "coordinator/truth/search_state.h"
#include "coordinator/truth/search_steps.h"
#include "coordinator/truth/truth_state.h"

enum { REPEATS_FOR_INTERVAL = 3 };

const char *search_rate_text(double per_s, char cell[SEARCH_CELL_BYTES])
{
    if (!isfinite(per_s)) {
        (void)snprintf(cell, SEARCH_CELL_BYTES, "-");
        return cell;
    }
    if (per_s < 100) {
        (void)snprintf(cell, SEARCH_CELL_BYTES, "%.3g", per_s);
        return cell;
    }
    static_assert((int)SEARCH_CELL_BYTES >= (int)COUNT_TEXT_BYTES, "a count fits into a cell");
    return plan_count_text(fmin(per_s, 1e15), cell);
}

/* --- the bracket of all repeats --- */

struct ends {
    double low[BOOTSTRAP_VALUES_MAX], high[BOOTSTRAP_VALUES_MAX], middle[BOOTSTRAP_VALUES_MAX];
    size_t count;
};

static void collect(const struct result_search *s, struct ends *out)
{
    out->count = 0;
    for (size_t i = 0; i < s->repeat_count && out->count < BOOTSTRAP_VALUES_MAX; i++) {
        const struct result_search_repeat *r = &s->repeats[i];
        if (r->limit == SEARCH_LIMIT_SERVER) {
            out->low[out->count] = r->low_per_s;
            out->high[out->count] = r->high_per_s;
            out->middle[out->count] = sqrt(r->low_per_s * r->high_per_s);
            out->count++;
        }
    }
}

static void take_hull(const struct result_search *s, double *low, double *high)
{
    for (size_t i = 0; i < s->repeat_count; i++) {
        *low = fmin(*low, s->repeats[i].low_per_s); /* fmin() and fmax() pass over a NAN */
        *high = fmax(*high, s->repeats[i].high_per_s);
    }
}

static struct result_search_units units_of(const struct result_search *s, double per_s)
{
    double all = (double)s->acquire_weight + (double)s->renew_weight;
    struct result_search_units u = {.exchanges_per_s = per_s,
                                    .dora_per_s = per_s * s->acquire_weight / all,
                                    .renewals_per_s = per_s * s->renew_weight / all};
    u.clients = s->renew_weight > 0 ? u.renewals_per_s * s->t1_s : NAN;
    return u;
}

/*
 * A tester that was too slow, and then a search that was cut off, say how all of it ended, because
 * they make the run invalid; else the first repeat that found no bracket.
 */
static enum search_limit limit_of(const struct result_search *s)
{
    enum search_limit first = SEARCH_LIMIT_SERVER;
    bool is_cut_off = s->repeat_count < s->repeats_planned;
    for (size_t i = 0; i < s->repeat_count; i++) {
        enum search_limit limit = s->repeats[i].limit;
        if (limit == SEARCH_LIMIT_TESTER) {
            return limit;
        }
        is_cut_off = is_cut_off || limit == SEARCH_LIMIT_CUT_OFF;
        first = first == SEARCH_LIMIT_SERVER ? limit : first;
    }
    return is_cut_off ? SEARCH_LIMIT_CUT_OFF : first;
}

static void take_interval(struct result_search *s, const struct ends *e, uint64_t seed)
{
    s->median_per_s = s->interval_low_per_s = s->interval_high_per_s = s->spread_percent = NAN;
    s->interval_percent = NAN;
    if (e->count >= 2) {
        double least = e->middle[0], most = e->middle[0];
        for (size_t i = 1; i < e->count; i++) {
            least = fmin(least, e->middle[i]);
            most = fmax(most, e->middle[i]);
        }
        s->spread_percent = 100 * (most - least) / bootstrap_median(e->middle, e->count);
    }
    if (e->count >= REPEATS_FOR_INTERVAL) {
        s->median_per_s = bootstrap_median(e->middle, e->count);
        s->interval_low_per_s = bootstrap_median_interval(e->low, e->count, seed).low;
        s->interval_high_per_s = bootstrap_median_interval(e->high, e->count, seed).high;
        s->interval_percent = bootstrap_coverage_percent(e->count);
    }
}

/* --- the sentence --- */

struct writer {
    char *text;
    size_t size, at;
};

static void PRINTF_LIKE(2, 3) put(struct writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(w->text + w->at, w->size - w->at, format, args);
    va_end(args);
    size_t room = w->size - w->at - 1;
    w->at += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room;
}

static const char *unit_of(const struct result_search *s)
{
    return s->renew_weight == 0 ? "DORA/s" : s->acquire_weight == 0 ? "renewals/s" : "exchanges/s";
}

/* "between 9,870 and 10,240", "at least 9,870", "less than 10,240". */
static void put_range(struct writer *w, double low, double high)
{
    char a[SEARCH_CELL_BYTES], b[SEARCH_CELL_BYTES];
    if (isfinite(low) && isfinite(high)) {
        put(w, "between %s and %s", search_rate_text(low, a), search_rate_text(high, b));
    } else if (isfinite(low)) {
        put(w, "at least %s", search_rate_text(low, a));
    } else {
        put(w, "less than %s", search_rate_text(high, b));
    }
}

static void put_capacity(struct writer *w, const struct result_search *s)
{
    bool is_mixed = s->acquire_weight > 0 && s->renew_weight > 0;
    put(w, "sustains ");
    put_range(w, s->low.exchanges_per_s, s->high.exchanges_per_s);
    put(w, " %s", unit_of(s));
    if (is_mixed) {
        put(w, " (");
        put_range(w, s->low.dora_per_s, s->high.dora_per_s);
        put(w, " DORA/s and ");
        put_range(w, s->low.renewals_per_s, s->high.renewals_per_s);
        put(w, " renewals/s together)");
    }
    if (isfinite(s->low.clients) || isfinite(s->high.clients)) {
        put(w, ", the renewals of ");
        put_range(w, s->low.clients, s->high.clients);
        put(w, " clients with T1 = %g s", s->t1_s);
    }
}

static void put_repeats(struct writer *w, const struct result_search *s)
{
    char a[SEARCH_CELL_BYTES];
    if (isfinite(s->median_per_s)) {
        put(w, "; median of %zu repeats %s/s, spread %.1f %%, interval %.4g %%", s->repeat_count,
            search_rate_text(s->median_per_s, a), s->spread_percent, s->interval_percent);
    } else if (s->repeat_count == 1) {
        put(w, "; one repeat: how much it varies from run to run is not known");
    } else if (isfinite(s->spread_percent)) {
        put(w, "; spread %.1f %%; too few repeats for an interval", s->spread_percent);
    }
}

/* Share of the renewals in good steps that cost the servers no write; 0: none, or not known. */
static double cached_percent(const struct result_search *s)
{
    uint64_t cached = 0, renewed = 0;
    for (size_t i = 0; i < s->repeat_count; i++) {
        for (size_t k = 0; k < s->repeats[i].step_count; k++) {
            const struct result_search_step *step = &s->repeats[i].steps[k];
            bool is_good = step->flag == SEARCH_GOOD;
            cached += is_good ? step->cached_renewals : 0;
            renewed += is_good ? step->renew.answered : 0;
        }
    }
    return renewed == 0 ? 0 : 100 * (double)cached / (double)renewed;
}

static void put_cache(struct writer *w, const struct result_search *s)
{
    double percent = cached_percent(s);
    if (percent >= 1) {
        put(w,
            "; %.0f %% of the renewals got the rest of their lease out of the servers' lease "
            "cache: renewals at T1 may cost them more",
            percent);
    }
}

static void put_sentence(struct result_search *s)
{
    struct writer w = {.text = s->sentence, .size = sizeof(s->sentence)};
    char a[SEARCH_CELL_BYTES];
    bool is_any = isfinite(s->low.exchanges_per_s) || isfinite(s->high.exchanges_per_s);
    const struct result_search_repeat *last = &s->repeats[s->repeat_count - 1];
    s->sentence[0] = '\0';
    if (s->limit == SEARCH_LIMIT_TESTER) {
        put(&w, "the tester was the limit at %s/s", search_rate_text(last->tester_per_s, a));
        put(&w, is_any ? "; it " : "; nothing is known about the servers");
    } else if (s->limit == SEARCH_LIMIT_CUT_OFF) {
        put(&w, "the search was cut off");
        put(&w, is_any ? "; as far as it came, it " : " before it found anything");
    }
    if (is_any) {
        put_capacity(&w, s);
        put_repeats(&w, s);
        put_cache(&w, s);
    }
    if (s->limit == SEARCH_LIMIT_ABOVE_HIGH) {
        put(&w, "; the highest rate asked for was still good: ask for more");
    } else if (s->limit == SEARCH_LIMIT_BELOW_LOW) {
        put(&w, "; the lowest rate asked for was bad already: begin lower");
    }
}

void search_conclude(struct result_search *s, uint64_t seed)
{
    struct ends e;
    collect(s, &e);
    take_interval(s, &e, seed);
    double low = s->interval_low_per_s, high = s->interval_high_per_s;
    s->limit = limit_of(s);
    if (!isfinite(low) || s->limit != SEARCH_LIMIT_SERVER) {
        low = high = NAN;
        take_hull(s, &low, &high);
    }
    /* One repeat that found no end leaves that end of all open. */
    for (size_t i = 0; i < s->repeat_count; i++) {
        enum search_limit limit = s->repeats[i].limit;
        s->is_low_open = s->is_low_open || limit == SEARCH_LIMIT_BELOW_LOW;
        s->is_high_open = s->is_high_open || limit == SEARCH_LIMIT_ABOVE_HIGH;
    }
    s->is_low_open = s->is_low_open || !isfinite(low);
    s->is_high_open = s->is_high_open || !isfinite(high);
    s->low = units_of(s, s->is_low_open ? NAN : low);
    s->high = units_of(s, s->is_high_open ? NAN : high);
    put_sentence(s);
}

/* --- out of the truth --- */

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static bool copy_repeats(const struct truth_search *from, struct result_search *to)
{
    to->repeats = calloc(from->repeat_count + 1, sizeof(*to->repeats));
    if (to->repeats == NULL) {
        return false;
    }
    for (size_t i = 0; i < from->repeat_count; i++) {
        const struct result_search_repeat *r = &from->repeats[i];
        struct result_search_step *steps = calloc(r->step_count + 1, sizeof(*steps));
        if (steps == NULL) {
            return false;
        }
        memcpy(steps, r->steps, r->step_count * sizeof(*steps));
        to->repeats[i] = *r;
        to->repeats[i].steps = steps;
        to->repeat_count++;
    }
    return true;
}

static void fill_start_state(const struct truth *t, struct result *out)
{
    for (uint32_t i = 0; i < t->plan->server_count; i++) {
        struct result_start_state *s = &out->start_state[i];
        *s = t->start_state[i];
        if (s->how[0] == '\0') {
            s->active = s->expired = s->free = RESULT_UNKNOWN;
            (void)snprintf(s->how, sizeof(s->how), "unknown");
        }
        (void)snprintf(s->server, sizeof(s->server), "%s", t->plan->servers[i].name);
    }
}

bool truth_search_finish(const struct truth *t, struct result *out)
{
    const struct scenario_search *c = &t->scenario->search;
    struct result_search *s = &out->search;
    const struct result_search_units unknown = {NAN, NAN, NAN, NAN};
    fill_start_state(t, out);
    if (t->search == NULL || t->search->repeat_count == 0) {
        s->low = s->high = unknown; /* a judgement on it is not judged */
        return true;
    }
    uint64_t lease_ns = t->scenario->production_lease_ns > 0 ? t->scenario->production_lease_ns
                                                             : t->scenario->lease_ns;
    *s = (struct result_search){
        .was_run = true,
        .acquire_weight = c->acquire_weight,
        .renew_weight = c->renew_weight,
        .within_s = seconds(c->within_ns),
        .answered_percent = c->answered_percent,
        .resolution_percent = c->resolution_percent,
        .step_s = seconds(c->step_ns),
        .warmup_s = seconds(c->warmup_ns),
        .t1_s = lease_ns > 0 ? seconds(lease_ns) / 2 : NAN,
        .repeats_planned = c->repeat,
    };
    if (!copy_repeats(t->search, s)) {
        return false;
    }
    search_conclude(s, t->plan->seed);
    return true;
}
