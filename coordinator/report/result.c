/* SPDX-License-Identifier: MIT */
#include "coordinator/report/result.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"

static const struct {
    const char *name;
    int exit_code;
} verdicts[VERDICT_COUNT] = {
    [VERDICT_PASS] = {"PASS", 0},           [VERDICT_FAIL] = {"FAIL", 1},
    [VERDICT_INVALID] = {"INVALID", 3},     [VERDICT_ABORTED] = {"ABORTED", 4},
    [VERDICT_PREFLIGHT] = {"PREFLIGHT", 5}, [VERDICT_INTERNAL] = {"INTERNAL", 6},
};

const char *verdict_name(enum verdict v)
{
    assert((unsigned)v < VERDICT_COUNT);
    return verdicts[v].name;
}

int verdict_exit_code(enum verdict v)
{
    assert((unsigned)v < VERDICT_COUNT);
    return verdicts[v].exit_code;
}

const char *result_mark_kind_name(enum result_mark_kind kind)
{
    static const char *const names[] = {
        [MARK_RUN] = "run", [MARK_AGENT] = "agent", [MARK_EVENT] = "event"};
    return names[kind];
}

const char *judgement_result_name(enum judgement_result r)
{
    static const char *const names[] = {"pass", "miss", "not judged"};
    assert((unsigned)r < ARRAY_LEN(names));
    return names[r];
}

const char *judgement_value_text(const struct result_judgement *j, char text[JUDGEMENT_VALUE_BYTES])
{
    const char *unit = j->unit == NULL ? "" : j->unit;
    if (!isfinite(j->value)) {
        (void)snprintf(text, JUDGEMENT_VALUE_BYTES,
                       j->result == JUDGEMENT_NOT_JUDGED ? "-" : "> give-up");
    } else if (strcmp(unit, "us") == 0) {
        (void)snprintf(text, JUDGEMENT_VALUE_BYTES, "%.3f ms", j->value / 1e3);
    } else if (unit[0] == '\0') {
        (void)snprintf(text, JUDGEMENT_VALUE_BYTES, "%.10g", j->value);
    } else {
        (void)snprintf(text, JUDGEMENT_VALUE_BYTES, "%.6g%s%s", j->value,
                       strcmp(unit, "1/s") == 0 ? "" : " ", strcmp(unit, "1/s") == 0 ? "/s" : unit);
    }
    return text;
}

double result_first_try_percent(const struct result_tries *tries)
{
    uint64_t all = tries->gave_up;
    for (unsigned i = 0; i < RESULT_TRIES; i++) {
        all += tries->answered[i];
    }
    return all == 0 ? NAN : 100 * (double)tries->answered[0] / (double)all;
}

void result_free(struct result *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->timeline.series_count; i++) {
        free(r->timeline.series[i].values);
    }
    free(r->timeline.series);
    free(r->timeline.marks);
    free(r->run.stages);
    free(r->servers);
    free(r->relays);
    free(r->agents);
    for (size_t i = 0; i < r->observer_count; i++) {
        free(r->observers[i].band);
    }
    free(r->observers);
    free(r->judgements);
    free(r->findings);
    free(r->not_evaluated);
    free(r->facts);
    free(r->unexpected);
    free(r->preflight.relays);
    free(r->preflight.checks);
    free(r->outage.halves);
    free(r->outage.relays);
    free(r->lease_times.times);
    free(r->lease_times.servers);
    free(r->lease_times.waves);
    result_search_free(&r->search);
    *r = (struct result){0};
}
