/* SPDX-License-Identifier: MIT */
/* How ruleset*.c keep rules. Of nobody else's interest. Pure. */
#pragma once

#include "agent/observer/parse/ruleset.h"

enum { RULESET_NAME_BYTES = 128, RULESET_WORDS_BYTES = 200, RULESET_IPTABLES_TABLES = 5 };

enum packet_kind { PACKET_REQUEST, PACKET_REPLY, PACKET_KINDS };

/* For how many packets of a kind a condition holds. */
enum holds { HOLDS_FOR_NONE, HOLDS_FOR_SOME, HOLDS_FOR_ALL };

enum rule_action {
    RULE_ACCEPT, /* and whatever else ends a chain and is no concern of ours */
    RULE_DROP,
    RULE_RETURN,
    RULE_JUMP,
    RULE_GOTO,
    RULE_REWRITE_TARGET, /* NAT of the destination */
    RULE_REWRITE_SOURCE, /* NAT of the source */
    RULE_NOTRACK,
    RULE_REWRITE_STATELESS
};

enum chain_hook {
    CHAIN_ELSEWHERE, /* reached by jumps, or hooked where our packets do not pass
                      */
    CHAIN_PREROUTING,
    CHAIN_OUTPUT,
    CHAIN_POSTROUTING,
    CHAIN_EGRESS
};

struct chain {
    char family[16], table[RULESET_NAME_BYTES], name[RULESET_NAME_BYTES];
    enum chain_hook hook;
    bool is_dropping;     /* its policy */
    uint32_t first, last; /* of its rules, by number; UINT32_MAX: none */
};

/* A rule is as many of these as it has effects. */
struct rule {
    uint32_t next;                   /* of its chain; UINT32_MAX: none */
    uint64_t handle;                 /* of nft; its words are in nft's text */
    char *words;                     /* of iptables; may be NULL */
    char target[RULESET_NAME_BYTES]; /* of a jump */
    enum rule_action action;
    enum holds holds[PACKET_KINDS];
    bool has_source, has_port; /* conditions on the source address, on port 67 or 68 */
};

struct ruleset {
    struct chain *chain;
    size_t chain_count, chain_room, last_chain;
    struct rule *rule;
    size_t rule_count, rule_room;
    bool is_told_by_iptables[RULESET_IPTABLES_TABLES]; /* see ruleset_iptables_table() */
    bool is_overfull;
    const char *text; /* the caller's */
    size_t text_size;
};

/* NULL: no memory, or names that are too long, which is_overfull tells. */
struct chain *ruleset_chain(struct ruleset *r, const char *family, const char *table,
                            const char *name);
/* Behind the chain's other rules; `model` is copied, its words become the
 * ruleset's. */
bool ruleset_add(struct ruleset *r, struct chain *chain, const struct rule *model);
/* Of filter, nat, mangle, raw, security: the number; -1: another. */
int ruleset_iptables_table(const char *name);
/* The words of a rule in what `nft -a list ruleset` prints. False: not found.
 */
bool ruleset_words(const char *text, size_t size, const struct chain *chain, uint64_t handle,
                   char out[RULESET_WORDS_BYTES]);
