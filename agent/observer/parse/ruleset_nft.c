/* SPDX-License-Identifier: MIT */
/* What `nft -j list ruleset` prints: ruleset.h. Conditions are in
 * ruleset_match.c. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "agent/observer/parse/ruleset_match.h"
#include "agent/observer/parse/ruleset_model.h"
#include "common/attrs.h"

struct reading {
    struct ruleset *r;
    const json_t *objects; /* all of them, to find maps of verdicts */
};

struct named_action {
    const char *name;
    enum rule_action action;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

/* Of IPv4, and not told better by iptables-save. */
static bool is_wanted(const struct ruleset *r, const json_t *object)
{
    const char *family = text_of(object, "family");
    bool is_ip = strcmp(family, "ip") == 0;
    int table = is_ip ? ruleset_iptables_table(text_of(object, "table")) : -1;
    return (is_ip || strcmp(family, "inet") == 0 || strcmp(family, "netdev") == 0) &&
           (table < 0 || !r->is_told_by_iptables[table]);
}

static struct chain *chain_of(struct ruleset *r, const json_t *object, const char *key)
{
    return ruleset_chain(r, text_of(object, "family"), text_of(object, "table"),
                         text_of(object, key));
}

static void read_chain(struct ruleset *r, const json_t *object)
{
    static const struct {
        const char *name;
        enum chain_hook hook;
    } hooks[] = {{"prerouting", CHAIN_PREROUTING},
                 {"output", CHAIN_OUTPUT},
                 {"postrouting", CHAIN_POSTROUTING},
                 {"egress", CHAIN_EGRESS}};
    struct chain *chain = chain_of(r, object, "name");
    for (size_t i = 0; chain != NULL && i < ARRAY_LEN(hooks); i++) {
        if (strcmp(text_of(object, "hook"), hooks[i].name) == 0) {
            chain->hook = hooks[i].hook;
            chain->is_dropping = strcmp(text_of(object, "policy"), "drop") == 0;
        }
    }
}

/* {"jump": {"target": "x"}}, {"drop": null}, ... */
static bool action_of(const json_t *statement, struct rule *rule)
{
    static const struct named_action known[] = {
        {"accept", RULE_ACCEPT},       {"drop", RULE_DROP},
        {"reject", RULE_DROP},         {"return", RULE_RETURN},
        {"jump", RULE_JUMP},           {"goto", RULE_GOTO},
        {"dnat", RULE_REWRITE_TARGET}, {"redirect", RULE_REWRITE_TARGET},
        {"snat", RULE_REWRITE_SOURCE}, {"masquerade", RULE_REWRITE_SOURCE},
        {"notrack", RULE_NOTRACK},     {"queue", RULE_ACCEPT},
        {"fwd", RULE_ACCEPT},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const json_t *body = json_object_get(statement, known[i].name);
        if (body != NULL) {
            rule->action = known[i].action;
            (void)snprintf(rule->target, sizeof(rule->target), "%s", text_of(body, "target"));
            return true;
        }
    }
    return false;
}

/* What iptables-nft has put there, of which nft knows the name only. */
static bool action_of_xt(const json_t *xt, struct rule *rule)
{
    static const struct named_action known[] = {
        {"DNAT", RULE_REWRITE_TARGET},       {"REDIRECT", RULE_REWRITE_TARGET},
        {"NETMAP", RULE_REWRITE_TARGET},     {"SNAT", RULE_REWRITE_SOURCE},
        {"MASQUERADE", RULE_REWRITE_SOURCE}, {"REJECT", RULE_DROP},
        {"NOTRACK", RULE_NOTRACK},           {"CT", RULE_NOTRACK},
    };
    for (size_t i = 0; strcmp(text_of(xt, "type"), "target") == 0 && i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, text_of(xt, "name")) == 0) {
            rule->action = known[i].action;
            return true;
        }
    }
    return false;
}

/* The elements of "@name": [[key, verdict], ...]. */
static const json_t *map_named(const struct reading *in, const struct chain *chain,
                               const char *name)
{
    size_t count = json_array_size(in->objects);
    for (size_t i = 0; i < count; i++) {
        const json_t *map = json_object_get(json_array_get(in->objects, i), "map");
        if (map != NULL && strcmp(text_of(map, "name"), name) == 0 &&
            strcmp(text_of(map, "table"), chain->table) == 0 &&
            strcmp(text_of(map, "family"), chain->family) == 0) {
            return json_object_get(map, "elem");
        }
    }
    return NULL;
}

/* {"key": ..., "data": {"set": [[key, verdict], ...]} or "@name"} */
static bool add_verdicts(const struct reading *in, struct chain *chain, const struct rule *base,
                         const json_t *vmap)
{
    const json_t *data = json_object_get(vmap, "data");
    const char *name = json_string_value(data);
    const json_t *set = name != NULL && name[0] == '@' ? map_named(in, chain, name + 1)
                                                       : json_object_get(data, "set");
    size_t count = json_array_size(set);
    bool is_well = true;
    for (size_t i = 0; i < count && is_well; i++) {
        const json_t *pair = json_array_get(set, i);
        struct rule one = *base;
        if (action_of(json_array_get(pair, 1), &one)) {
            ruleset_match(&one, json_object_get(vmap, "key"), "==", json_array_get(pair, 0));
            is_well = ruleset_add(in->r, chain, &one);
        }
    }
    return is_well;
}

/* Statements that neither ask nor do anything of interest. */
static bool is_plain(const json_t *statement)
{
    static const char *const names[] = {"counter",    "log",      "set",    "map",
                                        "dup",        "flow",     "mangle", "ct helper",
                                        "ct timeout", "synproxy", "tproxy", "ct expectation"};
    const json_t *xt = json_object_get(statement, "xt");
    bool is_xt =
        strcmp(text_of(xt, "type"), "target") == 0 || strcmp(text_of(xt, "name"), "comment") == 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (json_object_get(statement, names[i]) != NULL) {
            return true;
        }
    }
    return is_xt;
}

/* Narrows `rule` by a condition, or adds an effect of it. False: there is no
 * room. */
static bool read_statement(const struct reading *in, struct chain *chain, struct rule *rule,
                           const json_t *statement)
{
    const json_t *match = json_object_get(statement, "match"),
                 *vmap = json_object_get(statement, "vmap"),
                 *mangle = json_object_get(statement, "mangle");
    struct rule effect = *rule;
    effect.action = RULE_REWRITE_STATELESS;
    if (match != NULL) {
        ruleset_match(rule, json_object_get(match, "left"), text_of(match, "op"),
                      json_object_get(match, "right"));
        return true;
    }
    if (vmap != NULL) {
        return add_verdicts(in, chain, rule, vmap);
    }
    if (ruleset_is_target_address(json_object_get(mangle, "key")) ||
        action_of(statement, &effect) || action_of_xt(json_object_get(statement, "xt"), &effect)) {
        return ruleset_add(in->r, chain, &effect);
    }
    if (!is_plain(statement)) {
        ruleset_narrow(rule, HOLDS_FOR_SOME); /* limit, quota, and what is not known */
    }
    return true;
}

static bool read_rule(const struct reading *in, const json_t *object)
{
    struct chain *chain = chain_of(in->r, object, "chain");
    const json_t *statements = json_object_get(object, "expr");
    size_t count = json_array_size(statements);
    json_int_t handle = json_integer_value(json_object_get(object, "handle"));
    struct rule rule = {.handle = handle < 0 ? 0 : (uint64_t)handle,
                        .holds = {HOLDS_FOR_ALL, HOLDS_FOR_ALL}};
    bool is_well = chain != NULL;
    for (size_t i = 0; i < count && is_well; i++) {
        is_well = read_statement(in, chain, &rule, json_array_get(statements, i));
    }
    return is_well;
}

bool ruleset_read_nft(struct ruleset *r, const char *json, size_t size, const char *text,
                      size_t text_size)
{
    json_t *root = json_loadb(json, size, 0, NULL);
    struct reading in = {r, json_object_get(root, "nftables")};
    size_t count = json_array_size(in.objects);
    bool is_well = json_is_array(in.objects);
    r->text = text;
    r->text_size = text_size;
    for (size_t i = 0; i < count && is_well; i++) {
        const json_t *object = json_array_get(in.objects, i);
        const json_t *chain = json_object_get(object, "chain"),
                     *rule = json_object_get(object, "rule");
        if (chain != NULL && is_wanted(r, chain)) {
            read_chain(r, chain);
        } else if (rule != NULL && is_wanted(r, rule)) {
            is_well = read_rule(&in, rule);
        }
    }
    json_decref(root);
    return is_well;
}
