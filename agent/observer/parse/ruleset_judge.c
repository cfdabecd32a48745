/* SPDX-License-Identifier: MIT */
/* What rules do to a server's packets: ruleset.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/ruleset_model.h"

enum { DEPTH_MAX = 32 };

/* What is known of a chain while one base chain is followed. Each is walked once, however many
 * jump to it. */
enum walked { NOT_WALKED, BEING_WALKED, LETS_SOME_BY, ENDS_ALL };

#define NO_RULE UINT32_MAX

struct walk {
    const struct ruleset *r;
    const struct chain *base;
    enum packet_kind kind;
    unsigned char *walked; /* by chain: enum walked */
    struct ruleset_verdict *out;
};

static void say(const struct walk *w, const struct chain *in, const struct rule *rule,
                char out[NOTE_BYTES + 1])
{
    char words[RULESET_WORDS_BYTES];
    if (out[0] != '\0') {
        return; /* the first one is told */
    }
    if (rule->words != NULL) {
        (void)snprintf(out, NOTE_BYTES + 1, "%s", rule->words);
        return;
    }
    if (!ruleset_words(w->r->text, w->r->text_size, in, rule->handle, words)) {
        (void)snprintf(words, sizeof(words), "rule %llu", (unsigned long long)rule->handle);
    }
    (void)snprintf(out, NOTE_BYTES + 1, "%s %.20s %.30s: %.180s", in->family, in->table, in->name,
                   words);
}

static bool is_leaving(enum chain_hook hook)
{
    return hook == CHAIN_OUTPUT || hook == CHAIN_POSTROUTING || hook == CHAIN_EGRESS;
}

static bool is_nat_of_replies(const struct rule *rule, enum chain_hook hook)
{
    return (rule->action == RULE_REWRITE_TARGET && hook == CHAIN_OUTPUT) ||
           (rule->action == RULE_REWRITE_SOURCE && hook == CHAIN_POSTROUTING &&
            (rule->has_port || !rule->has_source));
}

static void count(const struct walk *w, const struct chain *in, const struct rule *rule)
{
    struct ruleset_verdict *v = w->out;
    enum chain_hook hook = w->base->hook;
    if (is_nat_of_replies(rule, hook)) {
        v->nat_output++;
        say(w, in, rule, v->nat_rule);
    } else if (rule->action == RULE_NOTRACK && hook == CHAIN_PREROUTING) {
        v->notrack_prerouting++;
        say(w, in, rule, v->notrack_rule);
    } else if (rule->action == RULE_NOTRACK && hook == CHAIN_OUTPUT) {
        v->notrack_output++;
        say(w, in, rule, v->notrack_rule);
    } else if (rule->action == RULE_DROP && is_leaving(hook)) {
        v->drop_output++;
        say(w, in, rule, v->drop_rule);
    } else if (rule->action == RULE_REWRITE_STATELESS && is_leaving(hook)) {
        v->rewrite_egress++;
    }
}

static const struct chain *target_of(const struct walk *w, const struct chain *in,
                                     const struct rule *rule)
{
    for (size_t i = 0; i < w->r->chain_count; i++) {
        const struct chain *c = &w->r->chain[i];
        if (strcmp(c->name, rule->target) == 0 && strcmp(c->table, in->table) == 0 &&
            strcmp(c->family, in->family) == 0) {
            return c;
        }
    }
    return NULL;
}

static bool walk_chain(struct walk *w, const struct chain *in, unsigned depth);

static bool walk_target(struct walk *w, const struct chain *in, const struct rule *rule,
                        unsigned depth)
{
    const struct chain *to = target_of(w, in, rule);
    w->out->is_partial = w->out->is_partial || depth == DEPTH_MAX;
    if (to == NULL || depth == DEPTH_MAX) {
        return false;
    }
    unsigned char *walked = &w->walked[to - w->r->chain];
    if (*walked == NOT_WALKED) {
        *walked = BEING_WALKED; /* chains in a circle, which no kernel takes, end here */
        *walked = walk_chain(w, to, depth + 1) ? ENDS_ALL : LETS_SOME_BY;
    }
    return *walked == ENDS_ALL;
}

/* True: it is sure that none of the packets that come into this chain goes on behind it. */
static bool walk_chain(struct walk *w, const struct chain *in, unsigned depth)
{
    for (uint32_t i = in->first; i != NO_RULE; i = w->r->rule[i].next) {
        const struct rule *rule = &w->r->rule[i];
        if (rule->holds[w->kind] == HOLDS_FOR_NONE) {
            continue;
        }
        count(w, in, rule);
        bool is_jump = rule->action == RULE_JUMP || rule->action == RULE_GOTO;
        bool is_end = is_jump ? walk_target(w, in, rule, depth)
                              : rule->action == RULE_ACCEPT || rule->action == RULE_DROP ||
                                    rule->action == RULE_REWRITE_TARGET ||
                                    rule->action == RULE_REWRITE_SOURCE;
        bool is_back = rule->action == RULE_RETURN || rule->action == RULE_GOTO;
        if (rule->holds[w->kind] == HOLDS_FOR_ALL && (is_end || is_back)) {
            return is_end;
        }
    }
    return false;
}

static void judge_base(const struct ruleset *r, const struct chain *base, unsigned char *walked,
                       struct ruleset_verdict *out)
{
    enum packet_kind kind = base->hook == CHAIN_PREROUTING ? PACKET_REQUEST : PACKET_REPLY;
    struct walk w = {r, base, kind, walked, out};
    memset(walked, NOT_WALKED, r->chain_count);
    if (!walk_chain(&w, base, 0) && base->is_dropping && is_leaving(base->hook)) {
        out->drop_output++;
        if (out->drop_rule[0] == '\0') {
            (void)snprintf(out->drop_rule, sizeof(out->drop_rule), "%s %.100s %.100s: policy drop",
                           base->family, base->table, base->name);
        }
    }
}

void ruleset_judge(const struct ruleset *r, struct ruleset_verdict *out)
{
    unsigned char *walked = malloc(r->chain_count + 1);
    memset(out, 0, sizeof(*out));
    out->is_partial = r->is_overfull || walked == NULL;
    for (size_t i = 0; walked != NULL && i < r->chain_count; i++) {
        if (r->chain[i].hook != CHAIN_ELSEWHERE) {
            judge_base(r, &r->chain[i], walked, out);
        }
    }
    free(walked);
}
