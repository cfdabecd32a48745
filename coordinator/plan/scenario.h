/* SPDX-License-Identifier: MIT */
/*
 * The operator's file (YAML, DESIGN section 5), parsed by one schema table
 * (scenario_rows) that also prints the reference and the effective scenario.
 *
 * Pure: the caller reads the file. All problems are reported at once in `why`.
 * A parsed scenario owns its arrays: scenario_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/diag.h"
#include "common/inet.h"
#include "common/schema.h"
#include "coordinator/plan/scenario_search.h"
#include "proto/plan.h"

enum scenario_identity { IDENTITY_FRESH, IDENTITY_FIXED, IDENTITY_RETURNING };
enum scenario_path {
    SCENARIO_PATH_AUTO,
    SCENARIO_PATH_ROUTED,
    SCENARIO_PATH_EGRESS,
    SCENARIO_PATH_RELAYED,
    SCENARIO_PATH_DNAT
};
enum scenario_agent_loss { AGENT_LOSS_FAIL, AGENT_LOSS_CONTINUE, AGENT_LOSS_REASSIGN };
enum scenario_cleanup_on {
    CLEANUP_ON_END = 1 << 0,
    CLEANUP_ON_STOP = 1 << 1,
    CLEANUP_ON_FAIL = 1 << 2
};

enum { SCENARIO_PATH_BYTES = 256 };

/* Where a server's own view of its leases can be read, for cleanup and the start state. */
enum scenario_lease_source {
    LEASES_UNKNOWN,
    LEASES_DHCPD_FILE, /* `leases: {dhcpd: PATH}` */
    LEASES_KEA_FILE,   /* `leases: {kea: PATH}`: the memfile CSV, with its .1 .2 .completed */
    LEASES_KEA_SOCKET, /* `leases: {kea_socket: PATH}`: lease4-get-all */
    LEASES_QUERY       /* `leases: {query: true}`: DHCPLEASEQUERY by the agents */
};

struct scenario_server {
    char name[PLAN_NAME_BYTES];
    unsigned line;
    struct ipv4 address;
    enum scenario_lease_source lease_source;
    char lease_path[SCENARIO_PATH_BYTES];
};

struct scenario_relay {
    char name[PLAN_NAME_BYTES];
    unsigned line;
    struct ipv4 giaddr, via; /* via: giaddr when not given */
    struct ipv4_net subnet;
    uint64_t clients;
    struct schema_array to;      /* char[PLAN_NAME_BYTES]: server names; empty: all */
    char agent[PLAN_NAME_BYTES]; /* pin; empty: any */
    char circuit_id[PLAN_OPTION82_BYTES + 1], remote_id[PLAN_OPTION82_BYTES + 1];
};

struct scenario_stage {
    char name[PLAN_NAME_BYTES];
    unsigned line;
    enum plan_stage_kind kind;
    uint64_t batch;            /* 0: open model */
    uint64_t rate_milli_per_s; /* 0: closed model; PLAN_LOAD: the highest of the search */
    bool is_poisson;
    uint64_t tries;       /* acquire; 0: the default 4 */
    uint64_t deadline_ns; /* acquire */
    uint64_t duration_ns; /* hold */
    uint64_t warmup_ns, timeout_ns;
    bool is_until_steady; /* hold: ends when steady; duration_ns is 3 T1, the most it may take */
};

struct scenario_judgement {
    unsigned line;
    char text[240]; /* p99(renew) < 500ms over 30s in keep except 30s after "b off" */
};

struct scenario {
    uint64_t version; /* `leaseherd: 1` */
    char name[PLAN_NAME_BYTES];
    struct schema_array servers; /* struct scenario_server */
    struct ipv4_net block;
    enum scenario_path client_path;
    struct schema_array relays; /* struct scenario_relay */
    uint64_t seed;
    enum scenario_identity identity;
    char returning[SCENARIO_PATH_BYTES]; /* IDENTITY_RETURNING: run directory that is repeated */
    bool has_search;
    struct scenario_search search; /* its stage has kind PLAN_LOAD and is the last */
    struct schema_array events;    /* struct scenario_event */
    char profile[PLAN_NAME_BYTES]; /* "dhclient" */
    char vendor_class[PLAN_TEXT_BYTES];
    uint64_t renew_retry_ns; /* 0: RFC 2131 4.4.5 */
    double fuzz_percent;
    uint64_t lease_ns, production_lease_ns, mclt_ns, detection_ns; /* expect; 0: not given */
    uint64_t pool_addresses;                                       /* expect.pool; 0: not given */
    bool is_pool_guarded; /* expect.guarded: closed to clients without the run's marks */
    uint64_t packets_milli_per_s, time_ns; /* limits */
    bool is_spin_off;
    struct schema_array stages;     /* struct scenario_stage */
    struct schema_array judgements; /* struct scenario_judgement */
    uint64_t release_milli_per_s;   /* cleanup; 0: none */
    unsigned cleanup_on;            /* enum scenario_cleanup_on */
    enum scenario_agent_loss on_agent_loss;
    uint64_t renewals_alone_ns; /* on_coordinator_loss; 0: nothing is sent then */
};

NODISCARD bool scenario_parse(const char *text, size_t bytes, struct scenario *out,
                              struct diag *why);
void scenario_free(struct scenario *s);

/* The effective file, defaults included (malloc'd; NULL when out of memory). */
NODISCARD char *scenario_print(const struct scenario *s);
/* Reference of every key for --help and the man page (malloc'd). */
NODISCARD char *scenario_reference(void);

uint64_t scenario_client_count(const struct scenario *s);
/* True when this cleanup reason is among `cleanup: on`, and a rate is given. */
bool scenario_cleans_up(const struct scenario *s, enum scenario_cleanup_on reason);

/*
 * The plan of a run. `run_name` becomes part of option 60. Cannot fail for a
 * scenario that scenario_parse() accepted; false only when out of memory.
 *
 * Stages keep their index. A search adds one more at the end, NAME-release: paced,
 * for the rounds in which leases are given back between the steps; both the LOAD
 * and this stage carry the most a GO may ask for.
 *
 * With IDENTITY_RETURNING the plan is like one of a fresh run until the caller,
 * who can read RUN/plan.bin of s->returning, has called scenario_return_identity().
 */
NODISCARD bool scenario_to_plan(const struct scenario *s, const uint8_t run_id[PLAN_RUN_ID_BYTES],
                                const char *run_name, struct plan *out);

/*
 * Gives `plan` the clients of the run `old` was made for. False, with one sentence
 * in `why` and `plan` as it was, where a client would stand in another subnet or
 * was not in that run: the server would meet somebody else.
 */
NODISCARD bool scenario_return_identity(const struct plan *old, struct plan *plan,
                                        char why[PLAN_WHY_BYTES]);
