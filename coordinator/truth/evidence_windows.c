/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/evidence_windows.h"

#include <stddef.h>

static const uint32_t lengths_s[WIRE_WINDOWS] = {1, 30, 120};
/* So many are kept open of each length. */
static const uint32_t open_of[WIRE_WINDOWS] = {EVIDENCE_WINDOWS_OPEN, 64, 16};

static int64_t window_of(int64_t at_ms, size_t length, int64_t phase)
{
    int64_t length_ms = (int64_t)lengths_s[length] * 1000;
    int64_t shifted_ms = at_ms + phase * (length_ms / EVIDENCE_PHASES);
    int64_t window = shifted_ms / length_ms;
    return shifted_ms % length_ms < 0 ? window - 1 : window;
}

static uint32_t *place_of(struct evidence_window *w, int64_t window, uint32_t open)
{
    int64_t rest = window % open;
    return &w->count[rest < 0 ? rest + open : rest];
}

static void fold_one(uint32_t count, struct wire_window *sums, uint64_t *run)
{
    enum { SLACK = 1 };
    bool is_at = count + SLACK >= WIRE_CEILING && count <= WIRE_CEILING + SLACK;
    sums->windows += count > 0;
    sums->at_ceiling += is_at;
    sums->above += count > WIRE_CEILING + SLACK;
    sums->most = count > sums->most ? count : sums->most;
    *run = is_at ? *run + 1 : 0;
    sums->longest_run = *run > sums->longest_run ? *run : sums->longest_run;
}

static void fold_until(struct evidence_window *w, int64_t oldest, uint32_t open)
{
    int64_t until = oldest - w->oldest < open ? oldest : w->oldest + open;
    for (int64_t at = w->oldest; at < until; at++) {
        uint32_t *count = place_of(w, at, open);
        fold_one(*count, &w->folded, &w->run);
        *count = 0;
    }
    w->run = until < oldest ? 0 : w->run;
    w->oldest = oldest;
}

/* False: too late. */
static bool add(struct evidence_window *w, int64_t window, uint32_t open)
{
    if (!w->is_begun) {
        w->is_begun = true;
        w->oldest = window - open / 2; /* another agent's answers may be told after this one's */
    }
    if (window < w->oldest) {
        return false;
    }
    if (window >= w->oldest + open) {
        fold_until(w, window + 1 - open, open);
    }
    (*place_of(w, window, open))++;
    return true;
}

void evidence_windows_add(struct evidence_windows *w, int64_t at_ms, int64_t before_ms)
{
    bool is_late = false;
    for (size_t i = 0; i < WIRE_WINDOWS * EVIDENCE_PHASES; i++) {
        size_t length = i / EVIDENCE_PHASES;
        int64_t phase = (int64_t)(i % EVIDENCE_PHASES);
        int64_t window = window_of(at_ms, length, phase);
        if (before_ms != EVIDENCE_NEVER_MS && window_of(before_ms, length, phase) == window) {
            continue;
        }
        is_late = !add(&w->of[length][phase], window, open_of[length]) || is_late;
    }
    w->late += is_late;
}

static bool is_better(const struct wire_window *a, const struct wire_window *b)
{
    return a->at_ceiling != b->at_ceiling ? a->at_ceiling > b->at_ceiling : a->most > b->most;
}

void evidence_windows_figures(const struct evidence_windows *w,
                              struct wire_window out[WIRE_WINDOWS])
{
    for (size_t i = 0; i < WIRE_WINDOWS; i++) {
        uint64_t above = 0;
        out[i] = (struct wire_window){0};
        for (size_t phase = 0; phase < EVIDENCE_PHASES; phase++) {
            struct evidence_window open = w->of[i][phase];
            if (open.is_begun) {
                fold_until(&open, open.oldest + open_of[i], open_of[i]);
            }
            above = open.folded.above > above ? open.folded.above : above;
            out[i] = phase == 0 || is_better(&open.folded, &out[i]) ? open.folded : out[i];
        }
        out[i].above = above;
        out[i].window_s = lengths_s[i];
    }
}
