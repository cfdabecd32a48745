/* SPDX-License-Identifier: MIT */
/*
 * Rules as data: when figures (facts.h) have no harmless reading, what is wrong, on
 * whose side, what shows it, what to do. The tables are in rules_*.c; this engine
 * knows nothing of DHCP.
 *
 * A rule holds where all its conditions hold; a rule of scope SERVER is asked of each
 * server. A condition on a fact that is not known does not hold, and the rule counts as
 * not evaluated. Several rows may have one id: they are asked in turn and the first
 * that holds speaks (error before warning; with an observer before from the wire
 * alone). One cause, one finding: a rule keeps quiet of the servers, or altogether,
 * where one of `explained_by` has spoken, or says it as an info; those stand before it.
 *
 * Templates: {fact} is a fact with its unit, {word} a word; one of servers is added up
 * over the servers the rule holds of (counts), or the largest of them; {servers} names
 * them ("servers a and b"); {each fact}, {each fact word} lists it by server. [...] is left out
 * unless everything in it is known and not zero.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/report/result.h"
#include "coordinator/truth/facts.h"

enum rule_scope { SCOPE_RUN, SCOPE_SERVER };
enum rule_severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };
enum rule_side { SIDE_TESTER, SIDE_BED, SIDE_SERVER, SIDE_UNKNOWN };
enum rule_form { FORM_WIRE, FORM_OBSERVER };
/* NOT_ABOVE: holds also where the fact is not known, for what an observer may disprove. */
enum rule_op { ABOVE, AT_LEAST, BELOW, AT_MOST, EQUAL, NOT_ABOVE };

enum { RULE_CONDITIONS_MAX = 9 };

/* fact OP constant + factor * other */
struct rule_condition {
    enum fact_id fact; /* FACT_ABSENT: no more conditions */
    enum rule_op op;
    double constant, factor;
    enum fact_id other; /* FACT_ABSENT: the constant alone */
};

struct rule {
    const char *id;
    enum rule_severity severity;
    enum rule_side side;
    enum rule_scope scope;
    enum rule_form form;
    struct rule_condition when[RULE_CONDITIONS_MAX];
    const char *const *explained_by; /* ends with NULL; NULL: nothing */
    bool stays_as_info;              /* where it is explained; else it is left out */
    const char *summary, *evidence, *remedy;
};

struct rule_table {
    const struct rule *rules;
    size_t count;
};

/* Files of rules, in the order they are asked. */
extern const struct rule_table rules_of_tester, rules_of_bed, rules_of_server, rules_of_failover,
    rules_of_loss;
/* NULL behind the last. */
const struct rule_table *const *rules_all(void);

/*
 * Adds to out->findings (room for RESULT_FINDINGS_MAX) and out->not_evaluated (room for
 * RESULT_NOT_EVALUATED_MAX). An id that is there already keeps the finding it has.
 */
void rules_apply(const struct facts *f, struct result *out);

/* For tests. */
void rules_apply_tables(const struct rule_table *const *tables, const struct facts *f,
                        struct result *out);
/* `servers`: bit per server. False: `template` names what there is not, or is not well formed. */
bool rules_text(const char *template, const struct facts *f, uint32_t servers, char *out,
                size_t size);

const char *rule_severity_name(enum rule_severity severity);
const char *rule_side_name(enum rule_side side);
const char *rule_form_name(enum rule_form form); /* "wire" "observer" */
