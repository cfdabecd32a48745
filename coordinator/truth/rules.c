/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/rules.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/truth/findings.h"

enum holds { HOLDS_NOT, HOLDS, HOLDS_UNKNOWN };

/* What became of one rule. */
struct answer {
    uint32_t servers; /* it holds of; without meaning where the scope is the run */
    bool holds;
    bool is_unknown; /* not evaluated, of one server at least */
    enum fact_id missing;
    size_t missing_of; /* server */
};

const char *rule_severity_name(enum rule_severity severity)
{
    static const char *const names[] = {"info", "warning", "error"};
    return names[severity];
}

const char *rule_side_name(enum rule_side side)
{
    static const char *const names[] = {"tester", "bed", "server", "unknown"};
    return names[side];
}

const char *rule_form_name(enum rule_form form)
{
    return form == FORM_WIRE ? "wire" : "observer";
}

const struct rule_table *const *rules_all(void)
{
    static const struct rule_table *const all[] = {&rules_of_tester,   &rules_of_bed,
                                                   &rules_of_failover, &rules_of_server,
                                                   &rules_of_loss,     NULL};
    return all;
}

static bool compare(double value, enum rule_op op, double limit)
{
    switch (op) {
    case ABOVE:
        return value > limit;
    case AT_LEAST:
        return value >= limit;
    case BELOW:
        return value < limit;
    case AT_MOST:
    case NOT_ABOVE:
        return value <= limit;
    case EQUAL:
        return fabs(value - limit) < 1e-9;
    }
    return false;
}

static enum holds condition_holds(const struct rule_condition *c, const struct facts *f,
                                  size_t server, enum fact_id *out_missing)
{
    struct fact fact = facts_get(f, c->fact, server);
    struct fact other = {.state = FACT_KNOWN};
    if (c->other != FACT_ABSENT) {
        other = facts_get(f, c->other, server);
    }
    if (fact.state != FACT_KNOWN && c->op == NOT_ABOVE) {
        return HOLDS;
    }
    if (fact.state != FACT_KNOWN || other.state != FACT_KNOWN) {
        *out_missing = fact.state != FACT_KNOWN ? c->fact : c->other;
        return HOLDS_UNKNOWN;
    }
    return compare(fact.value, c->op, c->constant + c->factor * other.value) ? HOLDS : HOLDS_NOT;
}

/* What is known to be false decides, whatever else is not known. */
static enum holds rule_holds(const struct rule *rule, const struct facts *f, size_t server,
                             enum fact_id *out_missing)
{
    bool is_unknown = false;
    for (size_t i = 0; i < RULE_CONDITIONS_MAX && rule->when[i].fact != FACT_ABSENT; i++) {
        enum fact_id missing = FACT_ABSENT;
        enum holds holds = condition_holds(&rule->when[i], f, server, &missing);
        if (holds == HOLDS_NOT) {
            return HOLDS_NOT;
        }
        if (holds == HOLDS_UNKNOWN && !is_unknown) {
            is_unknown = true;
            *out_missing = missing;
        }
    }
    return is_unknown ? HOLDS_UNKNOWN : HOLDS;
}

static struct answer ask(const struct rule *rule, const struct facts *f)
{
    struct answer answer = {0};
    size_t count = rule->scope == SCOPE_SERVER ? f->server_count : 1;
    for (size_t i = 0; i < count; i++) {
        enum fact_id missing = FACT_ABSENT;
        switch (rule_holds(rule, f, i, &missing)) {
        case HOLDS:
            answer.holds = true;
            answer.servers |= UINT32_C(1) << i;
            break;
        case HOLDS_UNKNOWN:
            if (!answer.is_unknown) {
                answer.missing = missing;
                answer.missing_of = i;
            }
            answer.is_unknown = true;
            break;
        case HOLDS_NOT:
            break;
        }
    }
    return answer;
}

static uint32_t all_servers(const struct facts *f)
{
    return (uint32_t)((UINT64_C(1) << f->server_count) - 1);
}

/* Takes away what others have explained; says who did when nothing is left. */
static const char *explained(const struct rule *rule, const struct result *out,
                             struct answer *answer)
{
    const char *by = NULL;
    for (size_t i = 0; rule->explained_by != NULL && rule->explained_by[i] != NULL; i++) {
        const struct result_finding *cause = findings_get(out, rule->explained_by[i]);
        if (cause == NULL) {
            continue;
        }
        by = cause->id;
        bool is_of_servers = rule->scope == SCOPE_SERVER && cause->servers != 0;
        answer->servers &= is_of_servers ? ~cause->servers : 0;
    }
    return by != NULL && answer->servers == 0 ? by : NULL;
}

static struct result_not_evaluated *note(const struct rule *rule, struct result *out,
                                         const char *why)
{
    for (size_t i = 0; i < out->not_evaluated_count; i++) {
        struct result_not_evaluated *n = &out->not_evaluated[i];
        if (strcmp(n->id, rule->id) == 0 && strcmp(n->form, rule_form_name(rule->form)) == 0) {
            return n; /* another row of the same */
        }
    }
    if (out->not_evaluated_count == RESULT_NOT_EVALUATED_MAX) {
        return NULL;
    }
    struct result_not_evaluated *n = &out->not_evaluated[out->not_evaluated_count++];
    *n = (struct result_not_evaluated){.form = rule_form_name(rule->form), .why = why};
    (void)snprintf(n->id, sizeof(n->id), "%s", rule->id);
    return n;
}

static void note_missing(const struct rule *rule, const struct facts *f,
                         const struct answer *answer, struct result *out)
{
    enum fact_state state =
        (enum fact_state)facts_get(f, answer->missing, answer->missing_of).state;
    struct result_not_evaluated *n = note(rule, out, fact_state_name(state));
    if (n != NULL && fact_is_of_server(answer->missing)) {
        (void)snprintf(n->detail, sizeof(n->detail), "%s of server %s", fact_name(answer->missing),
                       f->server[answer->missing_of].name);
    } else if (n != NULL) {
        (void)snprintf(n->detail, sizeof(n->detail), "%s", fact_name(answer->missing));
    }
}

static void speak(const struct rule *rule, const struct facts *f, uint32_t servers,
                  enum rule_severity severity, struct result *out)
{
    struct result_finding *finding =
        findings_add(out, rule->id, rule_severity_name(severity), rule_side_name(rule->side));
    if (finding == NULL) {
        return; /* the run's own word, or a row before this one */
    }
    finding->servers = rule->scope == SCOPE_SERVER ? servers : 0;
    /* The tests prove the templates; here a wrong one would only read oddly. */
    (void)rules_text(rule->summary, f, servers, finding->summary, sizeof(finding->summary));
    (void)rules_text(rule->evidence, f, servers, finding->evidence, sizeof(finding->evidence));
    (void)rules_text(rule->remedy, f, servers, finding->remedy, sizeof(finding->remedy));
}

static void apply(const struct rule *rule, const struct facts *f, struct result *out)
{
    if (findings_get(out, rule->id) != NULL) {
        return;
    }
    struct answer answer = ask(rule, f);
    if (!answer.holds) {
        if (answer.is_unknown) {
            note_missing(rule, f, &answer, out);
        }
        return;
    }
    uint32_t holds_of = rule->scope == SCOPE_SERVER ? answer.servers : all_servers(f);
    const char *by = explained(rule, out, &answer);
    if (by == NULL) {
        speak(rule, f, rule->scope == SCOPE_SERVER ? answer.servers : holds_of, rule->severity,
              out);
        return;
    }
    if (rule->stays_as_info) {
        speak(rule, f, holds_of, SEVERITY_INFO, out);
        return;
    }
    struct result_not_evaluated *n = note(rule, out, "explained");
    if (n != NULL) {
        n->why = "explained";
        (void)snprintf(n->detail, sizeof(n->detail), "by %s", by);
    }
}

void rules_apply_tables(const struct rule_table *const *tables, const struct facts *f,
                        struct result *out)
{
    for (size_t i = 0; tables[i] != NULL; i++) {
        for (size_t k = 0; k < tables[i]->count; k++) {
            apply(&tables[i]->rules[k], f, out);
        }
    }
    /* What another row of the same id has said needs no excuse. */
    size_t kept = 0;
    for (size_t i = 0; i < out->not_evaluated_count; i++) {
        if (findings_get(out, out->not_evaluated[i].id) == NULL) {
            out->not_evaluated[kept++] = out->not_evaluated[i];
        }
    }
    out->not_evaluated_count = kept;
}

void rules_apply(const struct facts *f, struct result *out)
{
    rules_apply_tables(rules_all(), f, out);
}
