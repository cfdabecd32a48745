/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/ruleset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/ruleset_model.h"
#include "common/attrs.h"

enum { ROOM_FIRST = 64 };

#define NO_RULE UINT32_MAX

struct ruleset *ruleset_new(void)
{
    return calloc(1, sizeof(struct ruleset));
}

void ruleset_free(struct ruleset *r)
{
    for (size_t i = 0; r != NULL && i < r->rule_count; i++) {
        free(r->rule[i].words);
    }
    if (r != NULL) {
        free(r->chain);
        free(r->rule);
    }
    free(r);
}

int ruleset_iptables_table(const char *name)
{
    static const char *const names[RULESET_IPTABLES_TABLES] = {"filter", "nat", "mangle", "raw",
                                                               "security"};
    for (int i = 0; i < RULESET_IPTABLES_TABLES; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool is_chain(const struct chain *c, const char *family, const char *table, const char *name)
{
    return strcmp(c->name, name) == 0 && strcmp(c->table, table) == 0 &&
           strcmp(c->family, family) == 0;
}

static size_t index_of(const struct ruleset *r, const char *family, const char *table,
                       const char *name)
{
    for (size_t i = 0; i < r->chain_count; i++) {
        if (is_chain(&r->chain[i], family, table, name)) {
            return i;
        }
    }
    return r->chain_count;
}

static bool set_name(char *out, size_t room, const char *name)
{
    size_t size = strlen(name);
    if (size >= room) {
        return false;
    }
    memcpy(out, name, size + 1);
    return true;
}

static bool has_room_for_chain(struct ruleset *r)
{
    if (r->chain_count < r->chain_room) {
        return true;
    }
    size_t room = r->chain_room == 0 ? ROOM_FIRST : 2 * r->chain_room;
    struct chain *grown =
        room > RULESET_RULES_MAX ? NULL : realloc(r->chain, room * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    r->chain = grown;
    r->chain_room = room;
    return true;
}

struct chain *ruleset_chain(struct ruleset *r, const char *family, const char *table,
                            const char *name)
{
    /* Rules come by chains, mostly. */
    bool is_last =
        r->last_chain < r->chain_count && is_chain(&r->chain[r->last_chain], family, table, name);
    r->last_chain = is_last ? r->last_chain : index_of(r, family, table, name);
    if (r->last_chain < r->chain_count) {
        return &r->chain[r->last_chain];
    }
    struct chain c = {.first = NO_RULE, .last = NO_RULE};
    if (!set_name(c.family, sizeof(c.family), family) ||
        !set_name(c.table, sizeof(c.table), table) || !set_name(c.name, sizeof(c.name), name) ||
        !has_room_for_chain(r)) {
        r->is_overfull = true;
        return NULL;
    }
    r->chain[r->chain_count] = c;
    return &r->chain[r->chain_count++];
}

bool ruleset_add(struct ruleset *r, struct chain *chain, const struct rule *model)
{
    if (r->rule_count == r->rule_room) {
        size_t room = r->rule_room == 0 ? ROOM_FIRST : 2 * r->rule_room;
        struct rule *grown =
            room > 2 * RULESET_RULES_MAX ? NULL : realloc(r->rule, room * sizeof(*grown));
        if (grown == NULL) {
            r->is_overfull = true;
            return false;
        }
        r->rule = grown;
        r->rule_room = room;
    }
    uint32_t number = (uint32_t)r->rule_count++;
    r->rule[number] = *model;
    r->rule[number].next = NO_RULE;
    if (chain->last == NO_RULE) {
        chain->first = number;
    } else {
        r->rule[chain->last].next = number;
    }
    chain->last = number;
    return true;
}
