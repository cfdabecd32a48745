/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/lens.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/accounting.h"
#include "coordinator/truth/tries.h"
#include "coordinator/truth/window.h"

enum { PARTS_MAX = 2 * PLAN_STAGES_MAX, WORST_NOTE_BYTES = 96 };

/* What ended in one window, or in all parts together. */
struct look {
    size_t part;
    int64_t index;
    uint64_t count; /* leases.KEY */
    struct tries_row tries;
    struct histogram *latency; /* NULL: none yet, or not asked for */
};

/* A stretch of time that is judged. */
struct part {
    uint8_t stage;
    int64_t from_us, until_us; /* INT64_MAX: not known yet */
    int64_t next;              /* index of the next window to close */
};

struct lens {
    struct judge_term term;
    int64_t window_us, filter_us;
    bool has_event;
    int64_t event_us;
    bool is_stage_open;
    uint8_t stage;         /* the one that is open */
    int64_t stage_from_us; /* of it */
    struct part parts[PARTS_MAX];
    size_t part_count;
    struct look whole; /* without windows */
    struct look *open; /* with windows; in no order */
    size_t open_count, open_capacity;
    bool has_worst, is_out_of_memory;
    double worst;
    int64_t worst_from_us;
    char worst_note[WORST_NOTE_BYTES];
    uint64_t judged, missed, too_few, late;
};

struct lens *lens_new(const struct judge_term *term)
{
    assert(judge_term_needs_lens(term));
    struct lens *l = calloc(1, sizeof(*l));
    if (l != NULL) {
        l->term = *term;
        l->window_us = (int64_t)(term->window_ns / NS_PER_US);
        l->filter_us = (int64_t)(term->filter_ns / NS_PER_US);
    }
    return l;
}

void lens_free(struct lens *l)
{
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; i < l->open_count; i++) {
        free(l->open[i].latency);
    }
    free(l->open);
    free(l->whole.latency);
    free(l);
}

size_t lens_bytes(const struct lens *l)
{
    size_t bytes = sizeof(*l) + l->open_capacity * sizeof(*l->open);
    for (size_t i = 0; i < l->open_count; i++) {
        bytes += l->open[i].latency == NULL ? 0 : sizeof(*l->open[i].latency);
    }
    return bytes + (l->whole.latency == NULL ? 0 : sizeof(*l->whole.latency));
}

/* --- windows --- */

static bool is_worse(const struct judge_term *term, double value, double than)
{
    switch (term->comparison) {
    case JUDGE_LT:
    case JUDGE_LE:
        return value > than;
    case JUDGE_GT:
    case JUDGE_GE:
        return value < than;
    case JUDGE_EQ:
        return fabs(value - term->limit) > fabs(than - term->limit);
    case JUDGE_NE:
        return fabs(value - term->limit) < fabs(than - term->limit);
    }
    return false;
}

static double value_of(const struct lens *l, const struct look *look, double seconds,
                       char note[RESULT_TEXT_BYTES])
{
    struct result_tries tries = tries_row_result(&look->tries);
    struct judge_tally tally = {.latency = look->latency,
                                .unfinished = tries.gave_up,
                                .answered = tries_answered(&tries),
                                .first_try = tries.answered[0],
                                .count = look->count,
                                .seconds = seconds};
    return judge_value(&l->term, &tally, note);
}

static void judge_window(struct lens *l, const struct look *look, int64_t from_us)
{
    char note[RESULT_TEXT_BYTES] = "";
    double value = value_of(l, look, (double)l->window_us / 1e6, note);
    if (isnan(value)) {
        l->too_few++;
        return;
    }
    l->judged++;
    l->missed += !judge_holds(&l->term, value);
    if (!l->has_worst || is_worse(&l->term, value, l->worst)) {
        l->has_worst = true;
        l->worst = value;
        l->worst_from_us = from_us;
        (void)snprintf(l->worst_note, sizeof(l->worst_note), "%.*s", WORST_NOTE_BYTES - 1, note);
    }
}

static struct look *find(struct lens *l, size_t part, int64_t index)
{
    for (size_t i = l->open_count; i-- > 0;) {
        if (l->open[i].part == part && l->open[i].index == index) {
            return &l->open[i];
        }
    }
    return NULL;
}

static void forget(struct lens *l, struct look *look)
{
    free(look->latency);
    *look = l->open[--l->open_count];
}

static void close_next(struct lens *l, size_t part)
{
    static const struct look nothing;
    struct part *p = &l->parts[part];
    int64_t from_us = p->from_us + p->next * l->window_us;
    struct look *look = find(l, part, p->next);
    judge_window(l, look == NULL ? &nothing : look, from_us);
    if (look != NULL) {
        forget(l, look);
    }
    p->next++;
}

/* Full windows that end by `run_us`; and of a part that is over, what did not fit. */
static void close_part(struct lens *l, size_t part, int64_t run_us)
{
    struct part *p = &l->parts[part];
    int64_t by_us = run_us < p->until_us ? run_us : p->until_us;
    while (by_us - p->from_us >= (p->next + 1) * l->window_us) {
        close_next(l, part);
    }
    for (size_t i = l->open_count; run_us >= p->until_us && i-- > 0;) {
        if (l->open[i].part == part) {
            forget(l, &l->open[i]);
        }
    }
}

void lens_watermark(struct lens *l, int64_t run_us)
{
    for (size_t i = 0; l->window_us > 0 && i < l->part_count; i++) {
        if (run_us > l->parts[i].from_us) {
            close_part(l, i, run_us);
        }
    }
}

/* The oldest window is closed before its agents have said that it is complete. */
static void make_room(struct lens *l)
{
    const struct look *oldest = &l->open[0];
    for (size_t i = 1; i < l->open_count; i++) {
        const struct look *look = &l->open[i];
        if (look->part < oldest->part ||
            (look->part == oldest->part && look->index < oldest->index)) {
            oldest = look;
        }
    }
    size_t part = oldest->part;
    int64_t until_us = l->parts[part].from_us + (oldest->index + 1) * l->window_us;
    close_part(l, part, until_us);
}

static struct look *open_window(struct lens *l, size_t part, int64_t index)
{
    if (l->open_count == l->open_capacity) {
        size_t capacity = l->open_capacity == 0 ? 8 : 2 * l->open_capacity;
        struct look *grown = realloc(l->open, capacity * sizeof(*grown));
        if (grown == NULL) {
            l->is_out_of_memory = true;
            return NULL;
        }
        l->open = grown;
        l->open_capacity = capacity;
    }
    l->open[l->open_count] = (struct look){.part = part, .index = index};
    return &l->open[l->open_count++];
}

/* --- what is told --- */

static void open_part(struct lens *l, int64_t from_us)
{
    if (l->part_count < PARTS_MAX) {
        l->parts[l->part_count++] =
            (struct part){.stage = l->stage, .from_us = from_us, .until_us = INT64_MAX};
    }
}

/* Where the part of the open stage begins that lies behind the filter's event. */
static int64_t behind_event_us(const struct lens *l)
{
    int64_t from_us = l->event_us + l->filter_us;
    return from_us > l->stage_from_us ? from_us : l->stage_from_us;
}

static void end_parts(struct lens *l, uint8_t stage, int64_t run_us)
{
    for (size_t i = 0; i < l->part_count; i++) {
        struct part *p = &l->parts[i];
        if (p->stage == stage && p->until_us > run_us) {
            p->until_us = run_us > p->from_us ? run_us : p->from_us;
        }
    }
}

static void clear_look(struct look *look)
{
    free(look->latency);
    *look = (struct look){0};
}

/* Only the open stage can have been told before: of the first acquire stage, its canaries. */
static void forget_stage(struct lens *l, uint8_t stage)
{
    while (l->part_count > 0 && l->parts[l->part_count - 1].stage == stage) {
        l->part_count--;
        for (size_t i = l->open_count; i-- > 0;) {
            if (l->open[i].part == l->part_count) {
                forget(l, &l->open[i]);
            }
        }
    }
}

void lens_stage_begin(struct lens *l, uint8_t stage, int64_t measured_from_us)
{
    if (l->term.stage != JUDGE_ALL_STAGES && l->term.stage != stage) {
        return;
    }
    if (l->is_stage_open && l->stage == stage) {
        forget_stage(l, stage);
        if (l->part_count == 0) {
            clear_look(&l->whole);
            l->has_worst = false;
            l->judged = l->missed = l->too_few = l->late = 0;
        }
    }
    l->is_stage_open = true;
    l->stage = stage;
    l->stage_from_us = measured_from_us;
    if (l->term.filter == JUDGE_WHOLE_STAGE || (l->term.filter == JUDGE_EXCEPT && !l->has_event)) {
        open_part(l, measured_from_us);
    } else if (l->has_event) {
        open_part(l, behind_event_us(l));
    }
}

void lens_stage_end(struct lens *l, uint8_t stage, int64_t run_us)
{
    if (l->is_stage_open && l->stage == stage) {
        l->is_stage_open = false;
        end_parts(l, stage, run_us);
    }
}

void lens_scenario_event(struct lens *l, size_t event, int64_t run_us)
{
    if (l->term.filter == JUDGE_WHOLE_STAGE || l->term.event != event || l->has_event) {
        return;
    }
    l->has_event = true;
    l->event_us = run_us;
    if (l->is_stage_open) {
        end_parts(l, l->stage, run_us);
        open_part(l, behind_event_us(l));
    }
}

/* --- results --- */

static void add(struct lens *l, struct look *look, const struct event *e, bool is_load)
{
    const struct judge_term *term = &l->term;
    struct result_leases amount;
    uint64_t us = 0;
    if (term->source == JUDGE_FROM_LEASES || term->source == JUDGE_FROM_LEASE_RATE) {
        (void)accounting_leases_of(e, &amount); /* zeroed when there is none */
        look->count += *(const uint64_t *)(const void *)((const char *)&amount + term->offset);
        return;
    }
    tries_row_event(&look->tries, term->latency, e, is_load);
    if (term->source != JUDGE_FROM_LATENCY ||
        !window_latency_us(e, term->latency, LATENCY_INTENDED, &us)) {
        return;
    }
    if (look->latency == NULL) {
        look->latency = calloc(1, sizeof(*look->latency));
    }
    if (look->latency == NULL) {
        l->is_out_of_memory = true;
        return;
    }
    histogram_record(look->latency, us * NS_PER_US);
}

static bool is_let_through(const struct lens *l, int64_t run_us)
{
    switch (l->term.filter) {
    case JUDGE_AFTER:
        return l->has_event && run_us >= l->event_us + l->filter_us;
    case JUDGE_EXCEPT:
        return !l->has_event || run_us < l->event_us || run_us >= l->event_us + l->filter_us;
    case JUDGE_WHOLE_STAGE:
        break;
    }
    return true;
}

static void add_to_window(struct lens *l, const struct event *e, int64_t run_us, bool is_load)
{
    for (size_t i = l->part_count; i-- > 0;) {
        const struct part *p = &l->parts[i];
        if (p->stage != e->stage || run_us < p->from_us || run_us >= p->until_us) {
            continue;
        }
        int64_t index = (run_us - p->from_us) / l->window_us;
        struct look *look = find(l, i, index);
        if (look == NULL && l->open_count == LENS_OPEN_MAX) {
            make_room(l);
        }
        if (index < p->next) {
            l->late++;
            return;
        }
        look = look == NULL ? open_window(l, i, index) : look;
        if (look != NULL) {
            add(l, look, e, is_load);
        }
        return;
    }
}

void lens_event(struct lens *l, const struct event *e, int64_t run_us, bool is_load)
{
    if (l->term.stage != JUDGE_ALL_STAGES && l->term.stage != e->stage) {
        return;
    }
    if (l->window_us > 0) {
        add_to_window(l, e, run_us, is_load);
    } else if (is_let_through(l, run_us)) {
        add(l, &l->whole, e, is_load);
    }
}

/* --- at the end --- */

static double judged_seconds(const struct lens *l)
{
    double seconds = 0;
    for (size_t i = 0; i < l->part_count; i++) {
        seconds += (double)(l->parts[i].until_us - l->parts[i].from_us) / 1e6;
    }
    return seconds;
}

static void judge_whole(struct lens *l, struct result_judgement *out)
{
    double value = value_of(l, &l->whole, judged_seconds(l), out->note);
    if (!isnan(value)) {
        out->result = judge_holds(&l->term, value) ? JUDGEMENT_PASS : JUDGEMENT_MISS;
        out->value = isinf(value) ? NAN : value;
    }
}

static void tell_worst(const struct lens *l, struct result_judgement *out)
{
    out->value = isinf(l->worst) ? NAN : l->worst;
    out->window_begin_s = (double)l->worst_from_us / 1e6;
    out->window_end_s = (double)(l->worst_from_us + l->window_us) / 1e6;
    (void)snprintf(out->note, sizeof(out->note),
                   "worst of %" PRIu64 " windows: %.1f - %.1f s%s%s; %" PRIu64 " missed",
                   out->windows, out->window_begin_s, out->window_end_s,
                   l->worst_note[0] == '\0' ? "" : ", ", l->worst_note, l->missed);
}

static void judge_windows(struct lens *l, struct result_judgement *out)
{
    out->windows = l->judged + l->too_few;
    out->windows_missed = l->missed;
    out->windows_too_few = l->too_few;
    if (l->has_worst) {
        tell_worst(l, out);
    }
    size_t at = strlen(out->note);
    const char *gap = at == 0 ? "" : "; ";
    if (out->windows == 0) {
        (void)snprintf(out->note, sizeof(out->note), "no full window of %g s came about",
                       (double)l->window_us / 1e6);
        return;
    }
    if (l->too_few > 0) {
        at += (size_t)snprintf(out->note + at, sizeof(out->note) - at,
                               "%sn too small in %" PRIu64 " of %" PRIu64 " windows: %" PRIu64
                               " samples needed in each",
                               gap, l->too_few, out->windows, judge_term_samples_needed(&l->term));
        gap = "; ";
    }
    if (l->late > 0 && at < sizeof(out->note)) {
        (void)snprintf(out->note + at, sizeof(out->note) - at,
                       "%s%" PRIu64 " results came after their window was judged", gap, l->late);
    }
    if (l->missed > 0) {
        out->result = JUDGEMENT_MISS;
    } else if (l->too_few == 0 && l->late == 0) {
        out->result = JUDGEMENT_PASS;
    }
}

bool lens_judge(struct lens *l, int64_t run_us, const char *text, const char *event_name,
                struct result_judgement *out)
{
    if (l->is_stage_open) {
        lens_stage_end(l, l->stage, run_us);
    }
    lens_watermark(l, INT64_MAX);
    judge_begin(&l->term, text, out);
    if (l->term.filter != JUDGE_WHOLE_STAGE && !l->has_event) {
        (void)snprintf(out->note, sizeof(out->note), "\"%s\" never happened",
                       event_name == NULL ? "the event" : event_name);
    } else if (judged_seconds(l) <= 0) {
        (void)snprintf(out->note, sizeof(out->note), "nothing of the stage lies in that time");
    } else if (l->window_us > 0) {
        judge_windows(l, out);
    } else {
        judge_whole(l, out);
    }
    return !l->is_out_of_memory;
}
