/* SPDX-License-Identifier: MIT */
/* What iptables-save prints: ruleset.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/observer/parse/ruleset_model.h"
#include "common/attrs.h"

enum { LINE_BYTES = 4096, WORDS_MAX = 256, PORT_SERVER = 67, PORT_CLIENT = 68, PORT_MAX = 65535 };

#define LEGACY "legacy" /* stands for a family: its tables are others than nft's */

struct words {
    char *word[WORDS_MAX];
    size_t count;
};

/* At spaces, but not within "...", where \" stands for ". Changes `line`. */
static void split(char *line, struct words *out)
{
    out->count = 0;
    for (char *at = line; out->count < WORDS_MAX;) {
        at += strspn(at, " \t\r");
        if (*at == '\0') {
            break;
        }
        bool is_quoted = *at == '"';
        at += is_quoted;
        char *to = at;
        out->word[out->count++] = at;
        for (; *at != '\0' && (is_quoted ? *at != '"' : *at != ' ' && *at != '\t'); at++) {
            at += is_quoted && *at == '\\' && at[1] != '\0';
            *to++ = *at;
        }
        at += *at != '\0';
        *to = '\0';
    }
}

static enum holds inverted(enum holds h)
{
    return h == HOLDS_FOR_SOME ? h : h == HOLDS_FOR_ALL ? HOLDS_FOR_NONE : HOLDS_FOR_ALL;
}

static void narrow(struct rule *rule, enum packet_kind kind, enum holds by, bool is_not)
{
    by = is_not ? inverted(by) : by;
    rule->holds[kind] = by < rule->holds[kind] ? by : rule->holds[kind];
}

static void narrow_both(struct rule *rule, enum holds by, bool is_not)
{
    narrow(rule, PACKET_REQUEST, by, is_not);
    narrow(rule, PACKET_REPLY, by, is_not);
}

/* "67", "67:68", "67,68,1000:2000" */
static bool names_port(const char *list, unsigned long port)
{
    for (const char *at = list; *at != '\0';) {
        char *end = NULL;
        unsigned long low = strtoul(at, &end, 10), high = low;
        if (*end == ':') {
            high = end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, &end, 10) : PORT_MAX;
        }
        if (low <= port && port <= high) {
            return true;
        }
        at = end + strcspn(end, ",");
        at += *at == ',';
    }
    return false;
}

/* A request goes to 67 and a reply comes from there; the other end has 67
 * or 68. */
static void take_ports(struct rule *rule, const char *list, bool is_source, bool is_not)
{
    bool server = names_port(list, PORT_SERVER), client = names_port(list, PORT_CLIENT);
    enum holds here = server ? HOLDS_FOR_ALL : HOLDS_FOR_NONE;
    enum holds there = server && client   ? HOLDS_FOR_ALL
                       : server || client ? HOLDS_FOR_SOME
                                          : HOLDS_FOR_NONE;
    narrow(rule, PACKET_REQUEST, is_source ? there : here, is_not);
    narrow(rule, PACKET_REPLY, is_source ? here : there, is_not);
    rule->has_port = rule->has_port || ((server || client) && !is_not);
}

/* Loopback and multicast are no addresses of clients and relays. */
static void take_address(struct rule *rule, const char *prefix, bool is_source, bool is_not)
{
    unsigned long first = strtoul(prefix, NULL, 10);
    bool is_beside = first == 127 || first >= 224;
    narrow_both(rule, is_beside ? HOLDS_FOR_NONE : HOLDS_FOR_SOME, is_not);
    rule->has_source = rule->has_source || (is_source && !is_not);
}

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* One condition, `option` with its value. */
static void take_condition(struct rule *rule, const char *option, const char *value, bool is_not)
{
    static const char *const from[] = {"--sport", "--sports", "--source-port", "--source-ports"};
    static const char *const to[] = {"--dport", "--dports", "--destination-port",
                                     "--destination-ports"};
    static const char *const plain[] = {"udp", "multiport", "comment"};
    static const char *const udp[] = {"udp", "17", "all"};
    if (strcmp(option, "-p") == 0) {
        bool is_udp = is_one_of(value, udp, ARRAY_LEN(udp));
        narrow_both(rule, is_udp ? HOLDS_FOR_ALL : HOLDS_FOR_NONE, is_not);
    } else if (strcmp(option, "-s") == 0 || strcmp(option, "-d") == 0) {
        take_address(rule, value, option[1] == 's', is_not);
    } else if (strcmp(option, "-i") == 0 || strcmp(option, "-o") == 0) {
        narrow_both(rule, strcmp(value, "lo") == 0 ? HOLDS_FOR_NONE : HOLDS_FOR_SOME, is_not);
    } else if (is_one_of(option, from, ARRAY_LEN(from))) {
        take_ports(rule, value, true, is_not);
    } else if (is_one_of(option, to, ARRAY_LEN(to))) {
        take_ports(rule, value, false, is_not);
    } else if (strcmp(option, "-m") == 0) {
        bool is_plain = is_one_of(value, plain, ARRAY_LEN(plain));
        narrow_both(rule, is_plain ? HOLDS_FOR_ALL : HOLDS_FOR_SOME, false);
    } else if (strcmp(option, "--comment") != 0) {
        narrow_both(rule, HOLDS_FOR_SOME, false);
    }
}

/* False: a target that lets the packet go on, as LOG. `next`: the first word
 * behind it. */
static bool take_target(struct rule *rule, const char *target, const char *next)
{
    static const struct {
        const char *name;
        enum rule_action action;
    } known[] = {
        {"ACCEPT", RULE_ACCEPT},
        {"DROP", RULE_DROP},
        {"REJECT", RULE_DROP},
        {"RETURN", RULE_RETURN},
        {"DNAT", RULE_REWRITE_TARGET},
        {"REDIRECT", RULE_REWRITE_TARGET},
        {"NETMAP", RULE_REWRITE_TARGET},
        {"SNAT", RULE_REWRITE_SOURCE},
        {"MASQUERADE", RULE_REWRITE_SOURCE},
        {"NOTRACK", RULE_NOTRACK},
        {"QUEUE", RULE_ACCEPT},
        {"NFQUEUE", RULE_ACCEPT},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, target) == 0) {
            rule->action = known[i].action;
            return true;
        }
    }
    if (strcmp(target, "CT") == 0) {
        rule->action = RULE_NOTRACK;
        return strcmp(next, "--notrack") == 0;
    }
    /* A chain's name; where there is no such chain, a target that changes nothing
     * of ours. */
    rule->action = RULE_JUMP;
    (void)snprintf(rule->target, sizeof(rule->target), "%s", target);
    return true;
}

static const char *word_at(const struct words *w, size_t i)
{
    return i < w->count ? w->word[i] : "";
}

/* "-A CHAIN CONDITIONS -j TARGET ...". False: it does nothing that counts. */
static bool take_rule(const struct words *w, struct rule *out)
{
    bool is_not = false;
    for (size_t i = 2; i < w->count; i++) {
        const char *option = w->word[i], *value = word_at(w, i + 1);
        if (strcmp(option, "!") == 0) {
            is_not = true;
            continue;
        }
        bool is_goto = strcmp(option, "-g") == 0;
        if (is_goto || strcmp(option, "-j") == 0) {
            bool counts = value[0] != '\0' && take_target(out, value, word_at(w, i + 2));
            out->action = is_goto ? RULE_GOTO : out->action;
            return counts;
        }
        take_condition(out, option, value, is_not);
        is_not = false;
        /* Options without a value are followed by another one. */
        i += value[0] != '-' && value[0] != '\0' && strcmp(value, "!") != 0;
    }
    return false;
}

static bool add_rule(struct ruleset *r, const char *family, const char *table, const char *line)
{
    char copy[LINE_BYTES], words[RULESET_WORDS_BYTES];
    struct words w;
    (void)snprintf(copy, sizeof(copy), "%s", line);
    split(copy, &w);
    struct chain *chain = w.count < 2 ? NULL : ruleset_chain(r, family, table, w.word[1]);
    struct rule rule = {.holds = {HOLDS_FOR_ALL, HOLDS_FOR_ALL}};
    if (chain == NULL || !take_rule(&w, &rule)) {
        return !r->is_overfull;
    }
    const char *program = strcmp(family, LEGACY) == 0 ? "iptables-legacy" : "iptables";
    (void)snprintf(words, sizeof(words), "%s -t %.20s %.150s", program, table, line);
    bool is_kept = rule.action != RULE_ACCEPT && rule.action != RULE_JUMP;
    rule.words = is_kept ? strdup(words) : NULL;
    bool is_added = ruleset_add(r, chain, &rule);
    if (!is_added) {
        free(rule.words);
    }
    return is_added;
}

static enum chain_hook hook_named(const char *chain)
{
    return strcmp(chain, "PREROUTING") == 0    ? CHAIN_PREROUTING
           : strcmp(chain, "OUTPUT") == 0      ? CHAIN_OUTPUT
           : strcmp(chain, "POSTROUTING") == 0 ? CHAIN_POSTROUTING
                                               : CHAIN_ELSEWHERE;
}

/* ":OUTPUT ACCEPT [0:0]" */
static bool add_chain(struct ruleset *r, const char *family, const char *table, const char *line)
{
    char name[RULESET_NAME_BYTES];
    size_t size = strcspn(line + 1, " ");
    if (size == 0 || size >= sizeof(name)) {
        return true;
    }
    memcpy(name, line + 1, size);
    name[size] = '\0';
    struct chain *chain = ruleset_chain(r, family, table, name);
    if (chain != NULL) {
        chain->hook = hook_named(name);
        chain->is_dropping = strncmp(line + 1 + size, " DROP", strlen(" DROP")) == 0;
    }
    return chain != NULL;
}

static void begin_table(struct ruleset *r, const char *line, bool is_nft,
                        char out_table[RULESET_NAME_BYTES])
{
    (void)snprintf(out_table, RULESET_NAME_BYTES, "%.100s", line + 1);
    int known = ruleset_iptables_table(out_table);
    if (is_nft && known >= 0) {
        r->is_told_by_iptables[known] = true;
    }
}

bool ruleset_read_iptables(struct ruleset *r, const char *text, size_t size, bool is_nft)
{
    const char *family = is_nft ? "ip" : LEGACY;
    char table[RULESET_NAME_BYTES] = "", line[LINE_BYTES];
    bool is_well = true;
    for (const char *at = text, *end = text + size; at < end && is_well;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        size_t length = (size_t)(stop - at);
        length = length < sizeof(line) ? length : sizeof(line) - 1;
        memcpy(line, at, length);
        line[length] = '\0';
        at = stop < end ? stop + 1 : end;
        if (line[0] == '*') {
            begin_table(r, line, is_nft, table);
        } else if (line[0] == ':' && table[0] != '\0') {
            is_well = add_chain(r, family, table, line);
        } else if (strncmp(line, "-A ", 3) == 0 && table[0] != '\0') {
            is_well = add_rule(r, family, table, line);
        }
    }
    return is_well;
}
