/* SPDX-License-Identifier: MIT */
/*
 * A host's packet rules, as far as they can meet a DHCP server's packets: read
 * from `nft -j list ruleset` and `iptables-save`, judged together. Pure;
 * allocates.
 *
 * Two packets are followed: a reply that leaves (UDP from port 67 to 67 or 68)
 * and a request that comes (UDP from one of these to 67). A condition holds for
 * none, some or all of them; what is not understood holds for some. So a rule
 * that is counted may meet such packets, and one that is not counted cannot;
 * except for rewritten sources (SNAT, MASQUERADE), which are counted only where
 * they name a DHCP port, or no source address at all: hosts of containers have
 * others by the dozen.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "proto/observation.h"

enum { RULESET_RULES_MAX = 200000 };

struct ruleset; /* chains and rules */

/* What the rules do, and the first of each kind as the host prints it. */
struct ruleset_verdict {
    uint32_t nat_output, notrack_prerouting, notrack_output, drop_output, rewrite_egress;
    bool is_partial; /* too many rules, or too deeply nested: there may be more */
    char nat_rule[NOTE_BYTES + 1], notrack_rule[NOTE_BYTES + 1], drop_rule[NOTE_BYTES + 1];
};

NODISCARD struct ruleset *ruleset_new(void); /* NULL: no memory */
void ruleset_free(struct ruleset *r);        /* NULL is fine */
/*
 * What iptables-save prints; `is_nft`: its tables are nft's in disguise, and
 * are passed over in nft's own list, which knows less of them. So this is to be
 * read first. False: too much.
 */
NODISCARD bool ruleset_read_iptables(struct ruleset *r, const char *text, size_t size, bool is_nft);
/*
 * `text`, what `nft -a list ruleset` prints, has the words of the rules; it
 * stays the caller's until the rules have been judged, may be NULL. False: this
 * is not what nft prints, or too much.
 */
NODISCARD bool ruleset_read_nft(struct ruleset *r, const char *json, size_t size, const char *text,
                                size_t text_size);
void ruleset_judge(const struct ruleset *r, struct ruleset_verdict *out);
