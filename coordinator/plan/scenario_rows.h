/* SPDX-License-Identifier: MIT */
/*
 * The scenario file as the schema sees it: structs in the shape of the YAML,
 * with the line of every key that a later check may complain about, and the
 * rows that fill them. Private to plan/scenario*.c and the test that compares
 * the manual page with the rows; everybody else uses struct scenario.
 * Pure. raw_scenario is released with schema_free(scenario_rows, raw).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/diag.h"
#include "common/schema.h"
#include "coordinator/plan/scenario.h"
#include "coordinator/plan/scenario_rows_search.h"

enum {
    RAW_WORD_BYTES = 80,
    RAW_IDENTITY_BYTES = SCENARIO_PATH_BYTES + 16 /* "returning DIR" */
};

/* Exactly one is given. */
struct raw_leases {
    char dhcpd[SCENARIO_PATH_BYTES], kea[SCENARIO_PATH_BYTES], kea_socket[SCENARIO_PATH_BYTES];
    bool query, has_query;
};

struct raw_server {
    char name[PLAN_NAME_BYTES];
    struct ipv4 address;
    struct raw_leases leases;
    bool has_leases;
    unsigned line, leases_line;
};

struct raw_option82 {
    char circuit_id[PLAN_OPTION82_BYTES + 1], remote_id[PLAN_OPTION82_BYTES + 1];
};

struct raw_relay {
    char name[PLAN_NAME_BYTES];
    struct ipv4 giaddr, via;
    struct ipv4_net subnet;
    uint64_t clients;
    struct schema_array to; /* char[PLAN_NAME_BYTES] */
    char agent[PLAN_NAME_BYTES];
    struct raw_option82 option82;
    bool has_option82, has_via;
    unsigned line, giaddr_line, via_line, subnet_line, clients_line, to_line;
};

/* How fast a stage starts its exchanges; all but acquire use the first two only. */
struct raw_pace {
    uint64_t batch, rate_milli_per_s; /* 0: not given */
    int arrivals;
    uint64_t tries, deadline_ns;
    unsigned batch_line, rate_line, arrivals_line;
};

struct raw_stage {
    char name[PLAN_NAME_BYTES];
    struct raw_pace pace[PLAN_STAGE_KIND_COUNT]; /* those of PLAN_HOLD and PLAN_LOAD are unused */
    struct raw_search search;                    /* PLAN_LOAD */
    bool is_given[PLAN_STAGE_KIND_COUNT];
    unsigned kind_line[PLAN_STAGE_KIND_COUNT];
    char hold[RAW_WORD_BYTES]; /* a duration */
    uint64_t warmup_ns, timeout_ns;
    bool has_warmup;
    unsigned line, warmup_line, timeout_line;
};

struct raw_network {
    struct ipv4_net block;
    int client_path;
    struct schema_array relays; /* struct raw_relay */
    unsigned block_line, relays_line;
};

struct raw_clients {
    uint64_t seed;
    char identity[RAW_IDENTITY_BYTES];
    char profile[PLAN_NAME_BYTES];
    char vendor_class[PLAN_TEXT_BYTES];
    uint64_t renew_retry_ns;
    double fuzz_percent;
    unsigned identity_line, profile_line, vendor_class_line;
};

struct raw_expect {
    uint64_t lease_ns, production_lease_ns, mclt_ns, detection_ns, pool;
    bool is_guarded;
    unsigned lease_line, production_lease_line, mclt_line;
};

struct raw_limits {
    uint64_t packets_milli_per_s, time_ns;
    enum raw_spin { SPIN_ON, SPIN_OFF } spin;
    unsigned packets_line, time_line;
};

struct raw_cleanup {
    uint64_t release_milli_per_s;
    unsigned on;
};

struct raw_scenario {
    uint64_t version;
    char name[PLAN_NAME_BYTES];
    struct schema_array servers; /* struct raw_server */
    struct raw_network network;
    struct raw_clients clients;
    struct raw_expect expect;
    struct raw_limits limits;
    struct schema_array events;     /* struct raw_event */
    struct schema_array stages;     /* struct raw_stage */
    struct schema_array judgements; /* struct scenario_judgement */
    struct raw_cleanup cleanup;
    bool has_cleanup, has_coordinator_loss;
    char on_agent_loss[RAW_WORD_BYTES];
    struct raw_coordinator_loss coordinator_loss;
    unsigned servers_line, run_line, on_agent_loss_line;
};

/* By enum scenario_agent_loss. */
extern const char *const scenario_loss_words[];

extern const struct schema_row scenario_rows[];
/*
 * The same for reference and manual: words that are parsed as text, in order to
 * refuse some of them with a better sentence, are shown as the choice they are.
 */
extern const struct schema_row scenario_offered_rows[];

/* Everything a row cannot say. `s` was made from `raw`; values the schema refused are zero, and
 * complaints about those are left to the schema. */
void scenario_check(const struct raw_scenario *raw, const struct scenario *s, struct diag *why);
void scenario_check_network(const struct raw_scenario *raw, const struct scenario *s,
                            struct diag *why);
/* Events, and the stage that is a search. */
void scenario_check_events(const struct raw_scenario *raw, const struct scenario *s,
                           struct diag *why);
void scenario_check_search(const struct raw_scenario *raw, const struct scenario *s,
                           struct diag *why);
/* True when a problem of this line is known already. */
bool scenario_has_complaint(const struct diag *why, unsigned line);
