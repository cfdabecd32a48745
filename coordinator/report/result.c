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

const char *judgement_result_name(enum judgement_result r)
{
    static const char *const names[] = {"pass", "miss", "not judged"};
    assert((unsigned)r < ARRAY_LEN(names));
    return names[r];
}

const char *judgement_value_text(const struct result_judgement *j, char text[JUDGEMENT_VALUE_BYTES])
{
    bool is_latency = strchr(j->expression, '(') != NULL;
    if (!isfinite(j->value)) {
        (void)snprintf(text, JUDGEMENT_VALUE_BYTES, "-");
    } else if (is_latency) {
        (void)snprintf(text, JUDGEMENT_VALUE_BYTES, "%.3f ms", j->value / 1e3);
    } else {
        (void)snprintf(text, JUDGEMENT_VALUE_BYTES, "%.10g", j->value);
    }
    return text;
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
    free(r->judgements);
    free(r->findings);
    free(r->unexpected);
    free(r->preflight.relays);
    *r = (struct result){0};
}
