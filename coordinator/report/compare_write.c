/* SPDX-License-Identifier: MIT */
/* What a comparison came to, for people and for programs. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/report/compare.h"
#include "coordinator/report/json_parts.h"
#include "coordinator/report/text_parts.h"

static const char *outcome_name(enum compare_outcome outcome)
{
    static const char *const names[] = {"same", "worse", "better", "unknown"};
    return names[outcome];
}

static bool is_latency(enum compare_measure m)
{
    return strcmp(compare_measure_info(m)->unit, "us") == 0;
}

/* Between a figure and one beyond the give-up, a median of two runs lies in the middle. */
static bool is_given_up(enum compare_measure m, double value)
{
    return is_latency(m) && value >= COMPARE_GIVE_UP_US / 2;
}

static const char *value_text(enum compare_measure m, double value, char cell[TEXT_CELL_BYTES])
{
    if (!isfinite(value)) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "-");
    } else if (is_given_up(m, value)) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "> give-up");
    } else if (is_latency(m)) {
        char ms[TEXT_CELL_BYTES];
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.30s ms", text_ms((uint64_t)llround(value), ms));
    } else {
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.6g", value);
    }
    return cell;
}

static bool is_beyond_give_up(enum compare_measure m, const struct compare_row *row)
{
    return is_given_up(m, row->a) || is_given_up(m, row->b) || is_given_up(m, row->smallest);
}

static void write_change(enum compare_measure m, const struct compare_row *row, FILE *out)
{
    const char *word = outcome_name(row->outcome);
    if (is_beyond_give_up(m, row) || !isfinite(row->percent)) {
        (void)fprintf(out, "B is %s\n", word);
    } else {
        (void)fprintf(out, "B is %s by %.1f %% (%u %%: %+.1f to %+.1f %%)\n", word,
                      fabs(row->percent), row->interval_percent, 100 * row->low / row->a,
                      100 * row->high / row->a);
    }
}

static void write_same(enum compare_measure m, const struct compare_row *row, FILE *out)
{
    char cell[TEXT_CELL_BYTES];
    if (is_beyond_give_up(m, row)) {
        (void)fputs("no difference seen; too many never ended to see one\n", out);
    } else if (isfinite(row->smallest_percent)) {
        (void)fprintf(out, "no difference seen; smallest this could have seen: %.1f %%\n",
                      row->smallest_percent);
    } else {
        (void)fprintf(out, "no difference seen; smallest this could have seen: %s\n",
                      value_text(m, ceil(row->smallest), cell));
    }
}

static void write_unknown(const struct compare_row *row, FILE *out)
{
    if (row->a_count == 0 || row->b_count == 0) {
        (void)fprintf(out, "only in %s\n", row->a_count == 0 ? "B" : "A");
    } else {
        (void)fputs("no telling: it takes three runs on both sides\n", out);
    }
}

static void write_row(enum compare_measure m, const struct compare_row *row, FILE *out)
{
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], name[TEXT_CELL_BYTES];
    const struct compare_measure_info *info = compare_measure_info(m);
    bool is_named = info->unit[0] != '\0' && !is_latency(m);
    (void)snprintf(name, sizeof(name), "%s%s%s", info->name, is_named ? ", " : "",
                   is_named ? info->unit : "");
    (void)fprintf(out, "  %-23s %12s %12s\n      ", name, value_text(m, row->a, a),
                  value_text(m, row->b, b));
    if (row->outcome == COMPARE_SAME) {
        write_same(m, row, out);
    } else if (row->outcome == COMPARE_UNKNOWN) {
        write_unknown(row, out);
    } else {
        write_change(m, row, out);
    }
}

static bool is_all_bootstrap(const struct compare_result *r)
{
    for (int m = 0; m < COMPARE_MEASURE_COUNT; m++) {
        if (r->row[m].is_there && !r->row[m].is_bootstrap) {
            return false;
        }
    }
    return true;
}

static int finish(FILE *out)
{
    return fflush(out) != 0 || ferror(out) ? -(errno == 0 ? EIO : errno) : 0;
}

int compare_write_text(const struct compare_result *r, const char *a, const char *b, FILE *out)
{
    errno = 0;
    (void)fprintf(out, "A: %s (%zu run%s)\nB: %s (%zu run%s)\n\n", a, r->a_runs,
                  r->a_runs == 1 ? "" : "s", b, r->b_runs, r->b_runs == 1 ? "" : "s");
    (void)fprintf(out, "  %-23s %12s %12s\n", "", "A", "B");
    bool is_any = false;
    for (int m = 0; m < COMPARE_MEASURE_COUNT; m++) {
        if (r->row[m].is_there) {
            write_row((enum compare_measure)m, &r->row[m], out);
            is_any = true;
        }
    }
    (void)fputc('\n', out);
    if (!is_any) {
        text_wrapped(out, "", "Neither side has a figure to compare.");
    }
    if (!is_all_bootstrap(r)) {
        text_wrapped(out, "",
                     "Fewer than three runs on a side: the intervals are those inside the "
                     "reports. They say nothing of how much one run differs from the next "
                     "without any change, so a small \"worse\" or \"better\" may be just that.");
    }
    text_wrapped(out, "", r->is_worse ? "B is worse than A." : "B is not seen to be worse than A.");
    return finish(out);
}

static json_t *json_value(enum compare_measure m, double value)
{
    return is_given_up(m, value) ? json_null() : json_seconds(value);
}

static json_t *json_row(enum compare_measure m, const struct compare_row *row, bool *ok)
{
    const struct compare_measure_info *info = compare_measure_info(m);
    json_t *one = json_object();
    json_put(one, "measure", json_string(info->name), ok);
    json_put(one, "unit", json_string(info->unit), ok);
    json_put(one, "outcome", json_string(outcome_name(row->outcome)), ok);
    json_put(one, "a", json_value(m, row->a), ok);
    json_put(one, "b", json_value(m, row->b), ok);
    json_put(one, "a_samples", json_count(row->a_count), ok);
    json_put(one, "b_samples", json_count(row->b_count), ok);
    bool is_telling = !is_beyond_give_up(m, row);
    json_put(one, "change_percent", json_seconds(is_telling ? row->percent : NAN), ok);
    json_put(one, "difference_low", json_seconds(is_telling ? row->low : NAN), ok);
    json_put(one, "difference_high", json_seconds(is_telling ? row->high : NAN), ok);
    json_put(one, "smallest_seen_percent", json_seconds(is_telling ? row->smallest_percent : NAN),
             ok);
    json_put(one, "interval_percent",
             isnan(row->low) ? json_null() : json_count(row->interval_percent), ok);
    json_put(one, "interval",
             json_string(isnan(row->low)     ? "none"
                         : row->is_bootstrap ? "bootstrap over runs"
                                             : "inside the reports"),
             ok);
    return one;
}

int compare_write_json(const struct compare_result *r, const char *a, const char *b, FILE *out)
{
    bool ok = true;
    json_t *root = json_object(), *rows = json_array();
    for (int m = 0; m < COMPARE_MEASURE_COUNT; m++) {
        if (r->row[m].is_there) {
            json_push(rows, json_row((enum compare_measure)m, &r->row[m], &ok), &ok);
        }
    }
    json_put(root, "schema", json_string("leaseherd.compare/1"), &ok);
    json_put(root, "a", json_string(a), &ok);
    json_put(root, "b", json_string(b), &ok);
    json_put(root, "a_runs", json_count(r->a_runs), &ok);
    json_put(root, "b_runs", json_count(r->b_runs), &ok);
    json_put(root, "worse", json_boolean(r->is_worse), &ok);
    json_put(root, "measures", rows, &ok);
    errno = 0;
    int rc = ok ? json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : -1;
    json_decref(root);
    if (rc < 0) {
        return ok && errno != 0 ? -errno : -ENOMEM;
    }
    (void)fputc('\n', out);
    return finish(out);
}
