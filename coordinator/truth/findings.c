/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/facts.h"
#include "coordinator/truth/rules.h"
#include "coordinator/truth/truth_state.h"

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

const struct finding_own findings_own[] = {
    {"server-silent", "unknown"},
    {"canary-failed", "unknown"},
    {"no-client-path", "bed"},
    {"action-failed", "bed"},
    {"policy-total", "tester"},
    {"sends-refused", "tester"},
    {"sends-prohibited", "bed"},
    {"no-second-home", "tester"},
    {"take-refused", "tester"},
    {"coordinator-resumed", "tester"},
    /* Checks of the preflight that can fail. */
    {"sockets", "tester"},
    {"listeners", "tester"},
    {"addresses", "tester"},
    {"routes", "tester"},
    {"rp-filter", "tester"},
    {"open-files", "tester"},
    {"clock", "tester"},
    {"ping-answers", "bed"},
    {"no-usable-answer", "unknown"},
    {"pool-size", "server"},
    {"unmarked-offer", "server"},
    {NULL, NULL},
};

/* Stopped runs: whoever has seen one of these knows better who was silent, and why. */
static const char *const stops[] = {"server-silent", "canary-failed"};
static const char *const better[] = {"pool-exhausted",
                                     "peer-holds-all-free-leases",
                                     "agent-answers-pings",
                                     "renew-lost-option82",
                                     "nat-source-port-exhaustion",
                                     "firewall-drops-replies",
                                     "rate-limited-replies",
                                     "no-return-path",
                                     "conntrack-full",
                                     "failover-half-silent",
                                     "half-handed-back",
                                     "address-correlated-loss",
                                     "pool-too-large"};

const char *findings_side(const char *id)
{
    for (const struct finding_own *own = findings_own; own->id != NULL; own++) {
        if (strcmp(own->id, id) == 0) {
            return own->side;
        }
    }
    for (const struct rule_table *const *t = rules_all(); *t != NULL; t++) {
        for (size_t i = 0; i < (*t)->count; i++) {
            if (strcmp((*t)->rules[i].id, id) == 0) {
                return rule_side_name((*t)->rules[i].side);
            }
        }
    }
    return NULL;
}

static void take_over(const struct truth *t, struct result *out)
{
    for (size_t i = 0; i < t->finding_count; i++) {
        const struct result_finding *from = &t->findings[i];
        const char *side = findings_side(from->id); /* none: a ledger of another version */
        struct result_finding *f =
            findings_add(out, from->id, from->severity, side == NULL ? "unknown" : side);
        if (f != NULL) {
            memcpy(f->summary, from->summary, sizeof(f->summary));
            memcpy(f->evidence, from->evidence, sizeof(f->evidence));
            memcpy(f->remedy, from->remedy, sizeof(f->remedy));
        }
    }
}

static bool is_stop(const char *id)
{
    bool is_one = false;
    for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
        is_one |= strcmp(stops[i], id) == 0;
    }
    return is_one;
}

static void leave_out_what_is_known_better(struct result *out)
{
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LEN(better); i++) {
        is_known |= findings_get(out, better[i]) != NULL;
    }
    size_t kept = 0;
    for (size_t i = 0; i < out->finding_count; i++) {
        if (!is_known || !is_stop(out->findings[i].id)) {
            out->findings[kept++] = out->findings[i];
        }
    }
    out->finding_count = kept;
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
    out->not_evaluated = calloc(RESULT_NOT_EVALUATED_MAX, sizeof(*out->not_evaluated));
    out->facts = calloc(1, sizeof(*out->facts));
    if (out->findings == NULL || out->not_evaluated == NULL || out->facts == NULL) {
        return false;
    }
    take_over(t, out);
    if (!facts_gather(t, out, out->facts)) {
        return false;
    }
    rules_apply(out->facts, out);
    leave_out_what_is_known_better(out);
    sort_findings(out);
    return true;
}
