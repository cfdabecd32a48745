/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void because(struct result *out, const char *format, ...) PRINTF_LIKE(2, 3);

static void because(struct result *out, const char *format, ...)
{
    if (out->verdict.reason_count == RESULT_RUN_REASONS_MAX) {
        return;
    }
    char *to = out->verdict.reasons[out->verdict.reason_count++];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(to, RESULT_TEXT_BYTES, format, arguments);
    va_end(arguments);
}

static bool has_error_of(const struct result_finding *f, const char *side)
{
    return strcmp(f->severity, "error") == 0 && strcmp(f->side, side) == 0;
}

static bool is_finding(const struct result *r, const char *id)
{
    for (size_t i = 0; i < r->finding_count; i++) {
        if (strcmp(r->findings[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* The reason begins as the run's own finding does; the rules have left that out: known better. */
static bool is_known_better(const struct truth *t, const struct result *out, const char *reason)
{
    for (size_t i = 0; i < t->finding_count; i++) {
        const char *id = t->findings[i].id;
        if (strncmp(reason, id, strlen(id)) == 0 && !is_finding(out, id)) {
            return true;
        }
    }
    return false;
}

/* What the run said when it stopped; a cause that was recognised better since is left out. */
static void reasons_of_run(const struct truth *t, struct result *out)
{
    for (size_t i = 0; i < t->reason_count; i++) {
        if (!is_known_better(t, out, t->reasons[i])) {
            because(out, "%s", t->reasons[i]);
        }
    }
}

static bool reasons_of_findings(struct result *out, const char *side)
{
    bool is_any = false;
    for (size_t i = 0; i < out->finding_count; i++) {
        const struct result_finding *f = &out->findings[i];
        if (has_error_of(f, side)) {
            because(out, "%s: %s", f->id, f->summary);
            is_any = true;
        }
    }
    return is_any;
}

static bool reasons_of_accounting(struct result *out)
{
    bool is_any = false;
    for (size_t i = 0; i < out->accounting.check_count; i++) {
        const struct result_check *c = &out->accounting.checks[i];
        if (!c->is_passed) {
            because(out, "accounting does not add up (%s): %s", c->name, c->text);
            is_any = true;
        }
    }
    return is_any;
}

static bool reasons_of_judgements(struct result *out, enum judgement_result result)
{
    bool is_any = false;
    for (size_t i = 0; i < out->judgement_count; i++) {
        const struct result_judgement *j = &out->judgements[i];
        if (j->result == result) {
            char value[JUDGEMENT_VALUE_BYTES] = "";
            if (isfinite(j->value)) {
                (void)judgement_value_text(j, value);
            }
            because(out, "%s: %s%s%s%s%s", judgement_result_name(result), j->expression,
                    value[0] == '\0' ? "" : ": it was ", value, j->note[0] == '\0' ? "" : ", ",
                    j->note);
            is_any = true;
        }
    }
    return is_any;
}

/* A search that came to an end of its own says what it found; else the tester was the limit. */
static bool reasons_of_search(const struct truth *t, struct result *out)
{
    const struct result_search *s = &out->search;
    if (!s->was_run) {
        return false;
    }
    because(out, "search: %s", s->sentence);
    /* Servers that fell silent cut it off, too: that is their failure. */
    bool is_cut_off = s->limit == SEARCH_LIMIT_CUT_OFF && t->outcome != OUTCOME_FAILED;
    return s->limit == SEARCH_LIMIT_TESTER || is_cut_off;
}

static enum verdict of_completed(const struct truth *t, struct result *out)
{
    bool is_invalid = t->outcome == OUTCOME_INVALID;
    is_invalid |= reasons_of_findings(out, "tester");
    is_invalid |= reasons_of_findings(out, "bed");
    is_invalid |= reasons_of_accounting(out);
    is_invalid |= reasons_of_search(t, out);
    bool is_failed = t->outcome == OUTCOME_FAILED;
    is_failed |= reasons_of_findings(out, "server");
    is_failed |= reasons_of_judgements(out, JUDGEMENT_MISS);
    bool is_unjudged = reasons_of_judgements(out, JUDGEMENT_NOT_JUDGED);
    if (is_invalid) {
        return VERDICT_INVALID;
    }
    if (is_failed) {
        return VERDICT_FAIL;
    }
    return is_unjudged ? VERDICT_INVALID : VERDICT_PASS;
}

void verdict_decide(const struct truth *t, struct result *out)
{
    reasons_of_run(t, out);
    switch (t->outcome) {
    case OUTCOME_INTERNAL:
        out->verdict.result = VERDICT_INTERNAL;
        return;
    case OUTCOME_ABORTED:
        out->verdict.result = VERDICT_ABORTED;
        return;
    case OUTCOME_PREFLIGHT:
        out->verdict.result = VERDICT_PREFLIGHT;
        return;
    case OUTCOME_COMPLETED:
    case OUTCOME_FAILED:
    case OUTCOME_INVALID:
        break;
    }
    out->verdict.result = of_completed(t, out);
    if (out->verdict.result == VERDICT_PASS) {
        if (out->judgement_count > 0) {
            because(out, "all %zu judgements are met and the accounting adds up",
                    out->judgement_count);
        } else {
            because(out, "nothing is judged in this scenario; the accounting adds up");
        }
    }
}
