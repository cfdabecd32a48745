/* SPDX-License-Identifier: MIT */
/* Taking frames in. */
#include "coordinator/truth/observers.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/observers_state.h"

enum {
    FIRST_ROOM = 64,
    NEWS_MAX = 64,
    RIVAL_FRAMES = 5 /* two see a restart within seconds of each other */
};
#define SILENT_S 5.5 /* longer without a frame: what was between is not known */

struct observers *observers_new(const struct plan *plan)
{
    struct observers *o = calloc(1, sizeof(*o));
    if (o != NULL) {
        o->plan = plan;
    }
    return o;
}

void observers_free(struct observers *o)
{
    for (size_t i = 0; o != NULL && i < o->count; i++) {
        struct observers_one *one = o->one[i];
        for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
            free(one->metric[m].value);
            free(one->metric[m].peak);
        }
        free(one->at_s);
        free(one);
    }
    free(o);
}

static size_t server_with(const struct plan *plan, const struct control_observer_hello *hello)
{
    for (uint32_t s = 0; s < plan->server_count; s++) {
        for (size_t i = 0; i < hello->address_count; i++) {
            if (inet_equal(plan->servers[s].address, hello->addresses[i])) {
                return s;
            }
        }
    }
    return OBSERVERS_NO_SERVER;
}

bool observers_join(struct observers *o, const char *name,
                    const struct control_observer_hello *hello)
{
    struct observers_one *one = o->count < OBSERVERS_MAX ? calloc(1, sizeof(*one)) : NULL;
    if (one == NULL) {
        return false;
    }
    (void)snprintf(one->name, sizeof(one->name), "%s", name);
    (void)snprintf(one->host, sizeof(one->host), "%s", hello->host);
    (void)snprintf(one->program, sizeof(one->program), "%s", hello->program);
    (void)snprintf(one->build, sizeof(one->build), "%s", hello->build);
    one->server = server_with(o->plan, hello);
    one->stride = 1;
    one->band.seen_s = NAN;
    o->one[o->count++] = one;
    return true;
}

size_t observers_count(const struct observers *o)
{
    return o->count;
}

size_t observers_server_of(const struct observers *o, size_t index)
{
    assert(index < o->count);
    return o->one[index]->server;
}

/* --- rows --- */

static bool widen(double **column, size_t from, size_t room)
{
    double *grown = realloc(*column, room * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    for (size_t i = from; i < room; i++) {
        grown[i] = NAN;
    }
    *column = grown;
    return true;
}

static bool make_room(struct observers_one *one)
{
    if (one->rows < one->room) {
        return true;
    }
    size_t room = one->room == 0 ? FIRST_ROOM : 2 * one->room;
    bool is_good = widen(&one->at_s, one->room, room);
    for (int m = 0; is_good && m < OBSERVER_METRIC_COUNT; m++) {
        struct observers_metric *metric = &one->metric[m];
        is_good = (metric->value == NULL || widen(&metric->value, one->room, room)) &&
                  (metric->peak == NULL || widen(&metric->peak, one->room, room));
    }
    one->room = is_good ? room : one->room;
    return is_good;
}

/* The first row stays as it is, as the base of all growth; the later of each pair after it. */
static void join_column(double *column, size_t rows, bool is_peak)
{
    for (size_t i = 1; column != NULL && i < rows; i += 2) {
        double later = i + 1 < rows ? column[i + 1] : column[i];
        if (is_peak) {
            later = fmax(column[i], later);
        }
        column[1 + i / 2] = isnan(later) ? column[i] : later;
    }
    for (size_t i = 1 + rows / 2; column != NULL && i < rows; i++) {
        column[i] = NAN;
    }
}

static void join_rows(struct observers_one *one)
{
    for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
        join_column(one->metric[m].value, one->rows, false);
        join_column(one->metric[m].peak, one->rows, true);
    }
    join_column(one->at_s, one->rows, false);
    bool is_last_whole = one->rows % 2 == 1;
    one->rows = 1 + one->rows / 2;
    one->stride *= 2;
    one->joined = is_last_whole ? one->stride : one->joined;
}

/* The row the frame goes into; SIZE_MAX when out of memory. */
static size_t open_row(struct observers_one *one, double at_s)
{
    if (one->rows > 1 && one->joined < one->stride) {
        one->joined++;
        one->at_s[one->rows - 1] = at_s;
        return one->rows - 1;
    }
    if (one->rows == OBSERVERS_ROWS) {
        join_rows(one);
        return open_row(one, at_s);
    }
    if (!make_room(one)) {
        return SIZE_MAX;
    }
    one->joined = 1;
    one->at_s[one->rows] = at_s;
    return one->rows++;
}

/* --- metrics --- */

static bool take_figure(struct observers_one *one, enum observer_metric m, size_t row, double value)
{
    struct observers_metric *metric = &one->metric[m];
    bool is_counter = observer_metric_kind(m) == OBSERVER_COUNTER;
    bool is_first = metric->figures++ == 0;
    if (metric->value == NULL && !widen(&metric->value, 0, one->room)) {
        return false;
    }
    if (!is_counter && metric->peak == NULL && !widen(&metric->peak, 0, one->room)) {
        return false;
    }
    if (is_first) {
        metric->first = metric->smallest = metric->largest = value;
    } else if (is_counter && value > metric->last) {
        /* One that fell began anew. */
        metric->total = fmin(metric->total + value - metric->last, OBSERVATION_VALUE_MAX);
    }
    metric->last = value;
    metric->smallest = fmin(metric->smallest, value);
    metric->largest = fmax(metric->largest, value);
    if (is_counter) {
        metric->value[row] = metric->total;
    } else {
        metric->total += value;
        metric->value[row] = value;
        metric->peak[row] = fmax(metric->peak[row], value);
    }
    return true;
}

static bool take_figures(struct observers_one *one, size_t row, const struct observation *frame)
{
    for (int m = 0; m < OBSERVER_METRIC_COUNT; m++) {
        one->metric[m].availability = frame->availability[m];
        if (frame->availability[m] == AVAILABLE_OK &&
            !take_figure(one, (enum observer_metric)m, row, frame->value[m])) {
            return false;
        }
    }
    return true;
}

/* --- the band --- */

static bool known_state(const struct observation *frame, enum observer_metric m,
                        enum failover_state *out)
{
    bool is_known = frame->instance != 0 && frame->availability[m] == AVAILABLE_OK;
    *out = is_known ? (enum failover_state)frame->value[m] : FAILOVER_UNKNOWN;
    return is_known;
}

static struct result_failover_span span_of(const struct observation *frame)
{
    struct result_failover_span span = {.is_running = frame->instance != 0};
    span.is_own_known = known_state(frame, OBSERVER_failover_own, &span.own);
    span.is_partner_known = known_state(frame, OBSERVER_failover_partner, &span.partner);
    return span;
}

static bool is_same_span(const struct result_failover_span *a, const struct result_failover_span *b)
{
    return a->is_running == b->is_running && a->is_own_known == b->is_own_known &&
           a->is_partner_known == b->is_partner_known && a->own == b->own &&
           a->partner == b->partner;
}

/* What changed between two frames did so in the middle, as far as anybody knows. */
static void draw_band(struct observers_band *b, double at_s, const struct observation *frame)
{
    struct result_failover_span span = span_of(frame);
    if (b->left_out > 0) {
        b->left_out++;
        return;
    }
    struct result_failover_span *last = b->count > 0 ? &b->span[b->count - 1] : NULL;
    double from_s = at_s;
    bool is_close = at_s - b->seen_s <= SILENT_S; /* false before the first one */
    b->seen_s = at_s;
    if (last != NULL && is_close) {
        if (is_same_span(last, &span)) {
            last->until_s = at_s;
            return;
        }
        from_s = (last->until_s + at_s) / 2;
    }
    if (b->count == OBSERVERS_SPANS) {
        b->left_out++;
        return;
    }
    if (last != NULL && is_close) {
        last->until_s = from_s;
    }
    span.from_s = from_s;
    span.until_s = at_s;
    b->span[b->count++] = span;
}

static void say_states(const struct observers_one *one, const char *server,
                       const struct observation *frame, char out[OBSERVERS_NEWS_BYTES])
{
    const struct observers_band *b = &one->band;
    const struct result_failover_span now = span_of(frame);
    const struct result_failover_span *before = b->count > 0 ? &b->span[b->count - 1] : NULL;
    if (before != NULL && before->is_own_known && now.is_own_known && before->own != now.own) {
        (void)snprintf(out, OBSERVERS_NEWS_BYTES, "%s: failover %s", server,
                       failover_state_name(now.own));
    }
}

/* One of the two is wrong about where it is, or worse. Said by the later one, once. */
static void say_rival(const struct observers *o, size_t index, char out[OBSERVERS_NEWS_BYTES])
{
    struct observers_one *one = o->one[index];
    const struct observers_one *rival = observers_rival(o, one);
    one->rival_frames = rival == NULL ? 0 : one->rival_frames + 1;
    for (size_t i = 0; i < index && !one->is_rival_told && out[0] == '\0'; i++) {
        if (o->one[i] == rival && one->rival_frames >= RIVAL_FRAMES) {
            one->is_rival_told = true;
            (void)snprintf(out, OBSERVERS_NEWS_BYTES,
                           "observers %s and %s both say they are on server %s, and tell of "
                           "different processes: neither decides findings",
                           rival->name, one->name, o->plan->servers[one->server].name);
        }
    }
}

static void say_news(const struct observers *o, const struct observers_one *one,
                     const struct observation *frame, char out[OBSERVERS_NEWS_BYTES])
{
    bool is_sole = one->server < o->plan->server_count && observers_rival(o, one) == NULL;
    char server[PLAN_NAME_BYTES + sizeof("observer ")];
    out[0] = '\0';
    if (one->frames == 0) {
        return;
    }
    (void)snprintf(server, sizeof(server), "%s%s", is_sole ? "" : "observer ",
                   is_sole ? o->plan->servers[one->server].name : one->name);
    if (frame->instance == 0 && one->instance != 0) {
        (void)snprintf(out, OBSERVERS_NEWS_BYTES, "%s: %s ended", server, one->program);
    } else if (frame->instance != 0 && frame->instance != one->instance) {
        (void)snprintf(out, OBSERVERS_NEWS_BYTES, "%s: %s was %s", server, one->program,
                       one->last_instance == 0 ? "started" : "restarted");
    } else {
        say_states(one, server, frame, out);
    }
}

static void take_instance(struct observers_one *one, const struct observation *frame)
{
    if (frame->instance != 0 && frame->instance != one->last_instance) {
        one->restarts += one->last_instance != 0;
        one->last_instance = frame->instance;
    }
    one->instance = frame->instance;
}

bool observers_add(struct observers *o, size_t index, int64_t run_us, uint64_t uncertainty_us,
                   const struct observation *frame, char out_news[OBSERVERS_NEWS_BYTES])
{
    assert(index < o->count);
    struct observers_one *one = o->one[index];
    double at_s = (double)run_us / 1e6;
    out_news[0] = '\0';
    if (one->rows > 0 && at_s <= one->at_s[one->rows - 1]) {
        return true;
    }
    size_t row = open_row(one, at_s);
    if (row == SIZE_MAX || !take_figures(one, row, frame)) {
        return false;
    }
    if (one->news < NEWS_MAX) {
        say_news(o, one, frame, out_news);
        one->news += out_news[0] != '\0';
    }
    draw_band(&one->band, at_s, frame);
    take_instance(one, frame);
    say_rival(o, index, out_news);
    for (int k = 0; k < NOTE_KIND_COUNT; k++) {
        if (frame->note[k][0] != '\0') {
            memcpy(one->note[k], frame->note[k], sizeof(one->note[k]));
        }
    }
    one->frames++;
    one->uncertainty_us =
        uncertainty_us > one->uncertainty_us ? uncertainty_us : one->uncertainty_us;
    return true;
}
