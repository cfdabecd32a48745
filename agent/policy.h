/* SPDX-License-Identifier: MIT */
/*
 * What this host lets a run do, whoever asks: the servers that may be loaded,
 * the addresses that may be used and the caps. A plan can only narrow it.
 * Without a clean policy the agent does not start.
 *
 * Pure; the file is read by agent/edge/policy_file.h, which also refuses one
 * that others could have written. A parsed policy owns its lists: policy_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/diag.h"
#include "common/inet.h"
#include "common/schema.h"
#include "proto/control.h"
#include "proto/plan.h"

enum { POLICY_WHY_BYTES = CONTROL_TEXT_BYTES, POLICY_KEY_BYTES = 64 };

/* Whose signature makes a plan one that is played: agent/permit.h. */
struct policy_operator {
    char name[SCHEMA_MAP_NAME_BYTES];
    char key[POLICY_KEY_BYTES]; /* base64, checked */
    unsigned key_line;
};

/* Off: the CPU is left to others between packets, whatever a plan says. */
enum policy_spin { POLICY_SPIN_ON, POLICY_SPIN_OFF };

struct policy {
    struct schema_array servers;  /* struct ipv4: the only destinations */
    struct schema_array prefixes; /* struct ipv4_net: ours to use */
    uint64_t packets_milli_per_s;
    uint64_t clients;
    uint64_t total_packets; /* of one run */
    uint64_t run_time_ns;
    uint64_t renewals_alone_ns;    /* without a coordinator; 0: none */
    int spin;                      /* enum policy_spin */
    struct schema_array operators; /* struct policy_operator; none: no plan is taken */
    unsigned servers_line, prefixes_line, operators_line; /* of the file; 0: not given */
};

/* The keys of the file; also the reference for the man page. */
extern const struct schema_row policy_rows[];

/* All problems of the file go to `why`; false if there is any, and `out` is then empty. */
NODISCARD bool policy_parse(const char *text, size_t bytes, struct policy *out, struct diag *why);
void policy_free(struct policy *policy);

bool policy_owns_address(const struct policy *policy, struct ipv4 address);
bool policy_owns_net(const struct policy *policy, struct ipv4_net net);

/*
 * Whether the plan, as far as these shares make it this agent's, stays inside
 * the policy. The shares lie inside the plan (see assignment_is_inside). `why`:
 * one sentence that names the value refused and the line of the policy to change.
 */
NODISCARD bool policy_check_plan(const struct policy *policy, const struct plan *plan,
                                 const struct control_prepare *assignment,
                                 char why[POLICY_WHY_BYTES]);

/* Of these rules, those about numbers. */
NODISCARD bool policy_check_caps(const struct policy *policy, const struct plan *plan,
                                 const struct control_prepare *assignment,
                                 char why[POLICY_WHY_BYTES]);

/*
 * The most packets/s these shares may send: the policy's, and of the signed plan's, which are
 * over the fleet, the part of these clients, rounded up, and one.
 */
uint64_t policy_packets_per_s(const struct policy *policy, const struct plan *plan,
                              const struct control_share *shares, size_t count);

/* Every share names a relay of the plan and clients of that relay, none twice. */
NODISCARD bool assignment_is_inside(const struct plan *plan,
                                    const struct control_prepare *assignment,
                                    char why[POLICY_WHY_BYTES]);
