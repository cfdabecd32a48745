/* SPDX-License-Identifier: MIT */
/* Conditions of nft's rules, as JSON: of ruleset_nft.c only. Pure. */
#pragma once

#include <jansson.h>

#include "agent/observer/parse/ruleset_model.h"

/* Both kinds of packets: the rule holds for no more of them than that. */
void ruleset_narrow(struct rule *rule, enum holds by);
/* `left` `op` `right`, of a match; a key of a map is "==". */
void ruleset_match(struct rule *rule, const json_t *left, const char *op, const json_t *right);
/* Is this expression a packet's IPv4 destination? */
bool ruleset_is_target_address(const json_t *expression);
