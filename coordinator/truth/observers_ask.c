/* SPDX-License-Identifier: MIT */
/* What the findings ask. */
#include <math.h>

#include "coordinator/truth/observers_state.h"

const struct observers_one *observers_rival(const struct observers *o,
                                            const struct observers_one *of)
{
    for (size_t i = 0; i < o->count && of->server != OBSERVERS_NO_SERVER; i++) {
        const struct observers_one *one = o->one[i];
        if (one != of && one->server == of->server && one->rows > 0 &&
            one->last_instance != of->last_instance) {
            return one;
        }
    }
    return NULL;
}

const struct observers_one *observers_of(const struct observers *o, size_t server)
{
    for (size_t i = 0; i < o->count; i++) {
        if (o->one[i]->server == server && o->one[i]->rows > 0) {
            return observers_rival(o, o->one[i]) == NULL ? o->one[i] : NULL;
        }
    }
    return NULL;
}

bool observers_has(const struct observers *o, size_t server)
{
    return observers_of(o, server) != NULL;
}

bool observers_span(const struct observers *o, size_t server, double *out_from_s,
                    double *out_until_s)
{
    const struct observers_one *one = observers_of(o, server);
    if (one != NULL) {
        *out_from_s = one->at_s[0];
        *out_until_s = one->at_s[one->rows - 1];
    }
    return one != NULL;
}

/* Rows not later than that. */
static size_t rows_until(const struct observers_one *one, double at_s)
{
    size_t low = 0, high = one->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (one->at_s[middle] <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t observers_row_at(const struct observers_one *one, enum observer_metric m, double at_s)
{
    const double *value = one->metric[m].value;
    for (size_t row = rows_until(one, at_s); value != NULL && row-- > 0;) {
        if (!isnan(value[row])) {
            return row;
        }
    }
    return SIZE_MAX;
}

/* Why there is no figure where there is none. */
static enum availability lack_of(const struct observers_one *one, enum observer_metric m)
{
    enum availability now = (enum availability)one->metric[m].availability;
    return now == AVAILABLE_OK ? AVAILABLE_NOT_APPLICABLE : now;
}

static size_t first_figure_after(const struct observers_one *one, enum observer_metric m,
                                 double from_s, double until_s)
{
    const double *value = one->metric[m].value;
    for (size_t row = rows_until(one, from_s); row < one->rows && one->at_s[row] <= until_s;
         row++) {
        if (value != NULL && !isnan(value[row])) {
            return row;
        }
    }
    return SIZE_MAX;
}

enum availability observers_delta(const struct observers *o, size_t server, enum observer_metric m,
                                  double from_s, double until_s, double *out)
{
    const struct observers_one *one = observers_of(o, server);
    if (one == NULL || observer_metric_kind(m) != OBSERVER_COUNTER) {
        return AVAILABLE_NOT_APPLICABLE;
    }
    size_t last = observers_row_at(one, m, until_s);
    size_t first = observers_row_at(one, m, from_s);
    if (first == SIZE_MAX) {
        first = first_figure_after(one, m, from_s, until_s);
    }
    if (first == SIZE_MAX || last == SIZE_MAX || last <= first) {
        return lack_of(one, m);
    }
    *out = one->metric[m].value[last] - one->metric[m].value[first];
    return AVAILABLE_OK;
}

enum availability observers_max(const struct observers *o, size_t server, enum observer_metric m,
                                double from_s, double until_s, double *out)
{
    const struct observers_one *one = observers_of(o, server);
    if (one == NULL || observer_metric_kind(m) == OBSERVER_COUNTER) {
        return AVAILABLE_NOT_APPLICABLE;
    }
    double largest = NAN;
    for (size_t row = 0; one->metric[m].peak != NULL && row < one->rows; row++) {
        if (one->at_s[row] >= from_s && one->at_s[row] <= until_s) {
            largest = fmax(largest, one->metric[m].peak[row]);
        }
    }
    if (isnan(largest)) {
        return lack_of(one, m);
    }
    *out = largest;
    return AVAILABLE_OK;
}

enum availability observers_last(const struct observers *o, size_t server, enum observer_metric m,
                                 double from_s, double until_s, double *out)
{
    const struct observers_one *one = observers_of(o, server);
    if (one == NULL || observer_metric_kind(m) == OBSERVER_COUNTER) {
        return AVAILABLE_NOT_APPLICABLE;
    }
    size_t row = observers_row_at(one, m, until_s);
    if (row == SIZE_MAX || one->at_s[row] < from_s) {
        return lack_of(one, m);
    }
    *out = one->metric[m].value[row];
    return AVAILABLE_OK;
}

const char *observers_note(const struct observers *o, size_t server, enum observer_note_kind k)
{
    const struct observers_one *one = observers_of(o, server);
    return one == NULL ? "" : one->note[k];
}
