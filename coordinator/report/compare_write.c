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

static const char *value_text(enum compare_measure m, double value, char cell[TEXT_CELL_BYTES])
{
    if (!isfinite(value)) {
        (void)snprintf(cell, TEXT_CELL_BYTES, "-");
    } else if (compare_is_open(m, value)) {
        const char *text = is_latency(m) ? "> give-up"
                           : value < 0   ? "< lowest rate"
                                         : "> highest rate";
        (void)snprintf(cell, TEXT_CELL_BYTES, "%s", text);
    } else if (is_latency(m)) {
        char ms[TEXT_CELL_BYTES];
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.30s ms", text_ms((uint64_t)llround(value), ms));
    } else {
        (void)snprintf(cell, TEXT_CELL_BYTES, "%.6g", value);
    }
    return cell;
}

/* Of such figures no difference can be given. */
static bool is_beyond(enum compare_measure m, const struct compare_row *row)
{
    return compare_is_open(m, row->a) || compare_is_open(m, row->b);
}

static void write_change(enum compare_measure m, const struct compare_row *row, FILE *out)
{
    const char *word = outcome_name(row->outcome);
    if (is_beyond(m, row) || !isfinite(row->percent)) {
        (void)fprintf(out, "B is %s\n", word);
    } else if (compare_is_open(m, row->low) || compare_is_open(m, row->high)) {
        (void)fprintf(out, "B is %s by %.1f %%\n", word, fabs(row->percent));
    } else {
        (void)fprintf(out, "B is %s by %.1f %% (%u %%: %+.1f to %+.1f %%)\n", word,
                      fabs(row->percent), row->interval_percent, 100 * row->low / row->a,
                      100 * row->high / row->a);
    }
}

static void write_same(enum compare_measure m, const struct compare_row *row, FILE *out)
{
    char cell[TEXT_CELL_BYTES];
    if (is_beyond(m, row) || compare_is_open(m, row->smallest)) {
        (void)fprintf(out, "no difference seen; %s\n",
                      is_latency(m) ? "too many never ended to see one"
                                    : "search between other rates to see one");
    } else if (isfinite(row->smallest_percent)) {
        (void)fprintf(out, "no difference seen; smallest this could have seen: %.1f %%\n",
                      row->smallest_percent);
    } else {
        (void)fprintf(out, "no difference seen; smallest this could have seen: %s\n",
                      value_text(m, ceil(row->smallest), cell));
    }
}

static void write_unknown(enum compare_measure m, const struct compare_row *row, FILE *out)
{
    const char *missing = m == COMPARE_CAPACITY ? "; no search of the other came to a result" : "";
    if (row->a_count == 0 && row->b_count == 0) {
        (void)fputs("in neither: no search came to a result\n", out);
    } else if (row->a_count == 0 || row->b_count == 0) {
        (void)fprintf(out, "only in %s%s\n", row->a_count == 0 ? "B" : "A", missing);
    } else if (row->is_unordered) {
        (void)fputs("no telling: search between the same rates on both sides\n", out);
    } else if (compare_is_open(m, row->low)) {
        (void)fputs("no telling: too many searches ended at the rates they were between\n", out);
    } else {
        (void)fputs("no telling: it takes three runs on both sides\n", out);
    }
}

/* The repeats without a figure: they must not vanish behind a median. */
static void write_open(const char *side, size_t count, size_t below, size_t above, FILE *out)
{
    const char *many = count == 1 ? "" : "es";
    if (below > 0) {
        (void)fprintf(out, "      %s: %zu of %zu search%s found the lowest rate bad already\n",
                      side, below, count, many);
    }
    if (above > 0) {
        (void)fprintf(out, "      %s: %zu of %zu search%s found the highest rate still good\n",
                      side, above, count, many);
    }
}

static void write_row(enum compare_measure m, const struct compare_row *row, FILE *out)
{
    char a[TEXT_CELL_BYTES], b[TEXT_CELL_BYTES], name[TEXT_CELL_BYTES];
    const struct compare_measure_info *info = compare_measure_info(m);
    bool is_named = info->unit[0] != '\0' && !is_latency(m);
    (void)snprintf(name, sizeof(name), "%s%s%s", info->name, is_named ? ", " : "",
                   is_named ? info->unit : "");
    (void)fprintf(out, "  %-23s %14s %14s\n      ", name, value_text(m, row->a, a),
                  value_text(m, row->b, b));
    if (row->outcome == COMPARE_SAME) {
        write_same(m, row, out);
    } else if (row->outcome == COMPARE_UNKNOWN) {
        write_unknown(m, row, out);
    } else {
        write_change(m, row, out);
    }
    write_open("A", row->a_count, row->a_below, row->a_above, out);
    write_open("B", row->b_count, row->b_below, row->b_above, out);
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
    (void)fprintf(out, "  %-23s %14s %14s\n", "", "A", "B");
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
    text_wrapped(out, "",
                 r->is_worse              ? "B is worse than A."
                 : r->is_capacity_unknown ? "Whether B is worse than A is not known: there is no "
                                            "telling about the capacity, which was searched for."
                                          : "B is not seen to be worse than A.");
    return finish(out);
}

static json_t *json_value(enum compare_measure m, double value)
{
    return compare_is_open(m, value) ? json_null() : json_seconds(value);
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
    if (m == COMPARE_CAPACITY) {
        json_put(one, "a_below_lowest_rate", json_count(row->a_below), ok);
        json_put(one, "a_above_highest_rate", json_count(row->a_above), ok);
        json_put(one, "b_below_lowest_rate", json_count(row->b_below), ok);
        json_put(one, "b_above_highest_rate", json_count(row->b_above), ok);
    }
    bool is_telling = !is_beyond(m, row), is_smallest = !compare_is_open(m, row->smallest);
    json_put(one, "change_percent", json_seconds(is_telling ? row->percent : NAN), ok);
    json_put(one, "difference_low", json_value(m, is_telling ? row->low : NAN), ok);
    json_put(one, "difference_high", json_value(m, is_telling ? row->high : NAN), ok);
    json_put(one, "smallest_seen_percent",
             json_seconds(is_telling && is_smallest ? row->smallest_percent : NAN), ok);
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
    bool is_known = r->is_worse || !r->is_capacity_unknown;
    json_put(root, "worse", is_known ? json_boolean(r->is_worse) : json_null(), &ok);
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
