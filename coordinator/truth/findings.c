/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct result_finding *findings_get(const struct result *r, const char *id)
{
    for (size_t i = 0; i < r->finding_count; i++) {
        if (strcmp(r->findings[i].id, id) == 0) {
            return &r->findings[i];
        }
    }
    return NULL;
}

struct result_finding *findings_add(struct result *out, const char *id, const char *severity,
                                    const char *side)
{
    if (findings_get(out, id) != NULL || out->finding_count == RESULT_FINDINGS_MAX) {
        return NULL;
    }
    struct result_finding *f = &out->findings[out->finding_count++];
    *f = (struct result_finding){0};
    (void)snprintf(f->id, sizeof(f->id), "%s", id);
    (void)snprintf(f->severity, sizeof(f->severity), "%s", severity);
    (void)snprintf(f->side, sizeof(f->side), "%s", side);
    return f;
}

void findings_say(char *field, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(field, size, format, arguments);
    va_end(arguments);
}

/* Whose side the findings are on that the run brings itself. */
static const char *side_of(const char *id)
{
    static const struct {
        const char *id, *side;
    } sides[] = {{"foreign-offer", "bed"}, {"server-naks", "server"}, {"pool-exhausted", "server"},
                 {"no-reply-path", "bed"}, {"no-client-path", "bed"}, {"wrong-source-port", "bed"},
                 {"action-failed", "bed"}, {"send-errors", "tester"}, {"agent-lost", "tester"}};
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        if (strcmp(sides[i].id, id) == 0) {
            return sides[i].side;
        }
    }
    return "unknown";
}

static void take_over(const struct truth *t, struct result *out)
{
    for (size_t i = 0; i < t->finding_count; i++) {
        const struct result_finding *from = &t->findings[i];
        struct result_finding *f = findings_add(out, from->id, from->severity, side_of(from->id));
        if (f != NULL) {
            SUMMARY(f, "%s", from->summary);
            EVIDENCE(f, "%s", from->evidence);
            REMEDY(f, "%s", from->remedy);
        }
    }
}

static int rank_of(const char *severity)
{
    return strcmp(severity, "error") == 0 ? 0 : strcmp(severity, "warning") == 0 ? 1 : 2;
}

/* Worst first, otherwise as they came: insertion sort is stable, and there are few. */
static void sort_findings(struct result *out)
{
    for (size_t i = 1; i < out->finding_count; i++) {
        for (size_t k = i;
             k > 0 && rank_of(out->findings[k].severity) < rank_of(out->findings[k - 1].severity);
             k--) {
            struct result_finding swapped = out->findings[k];
            out->findings[k] = out->findings[k - 1];
            out->findings[k - 1] = swapped;
        }
    }
}

bool findings_make(const struct truth *t, struct result *out)
{
    out->findings = calloc(RESULT_FINDINGS_MAX, sizeof(*out->findings));
    if (out->findings == NULL) {
        return false;
    }
    take_over(t, out);
    findings_of_bed(t, out); /* what the bed has lost is not asked of the servers again */
    findings_of_servers(t, out);
    findings_of_renewals(t, out);
    findings_of_failover(t, out);
    findings_of_tester(t, out);
    sort_findings(out);
    return true;
}
