/* SPDX-License-Identifier: MIT */
/*
 * The plan: everything that decides what a run sends, as exact bytes with a
 * hash, the same for all agents. What differs between agents (which relays,
 * which clients, which epoch) is the assignment, see proto/control.h.
 *
 * Clients are numbered 0..client_count-1; relay r owns the consecutive range
 * [first_client, first_client + client_count). Client g's MAC and xids are
 * functions of (seed, identity, g): DESIGN section 3.
 *
 * plan_decode() checks everything an agent would otherwise have to trust.
 * A decoded plan owns its arrays: plan_free(). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/inet.h"

enum {
    PLAN_HASH_BYTES = 32,
    PLAN_RUN_ID_BYTES = 16,
    PLAN_NAME_BYTES = 64,
    PLAN_TEXT_BYTES = 128,
    PLAN_SERVERS_MAX = 16,
    PLAN_RELAYS_MAX = 16384,
    PLAN_STAGES_MAX = 32,
    PLAN_OPTION82_BYTES = 64,
    PLAN_CLIENTS_MAX = 100000000,
    PLAN_BYTES_MAX = (4 * 1024 - 256) * 1024, /* encoded; leaves room for the shares in PREPARE */
    PLAN_WHY_BYTES = 200
};
#define PLAN_RATE_MILLI_MAX UINT64_C(10000000000) /* 10 million per second */

enum plan_stage_kind {
    PLAN_ACQUIRE,
    PLAN_HOLD,
    PLAN_REBOOT,
    PLAN_RELEASE,
    PLAN_INFORM,
    PLAN_DECLINE,
    PLAN_LOAD,  /* open model: acquisitions and renewals on demand, see struct plan_stage */
    PLAN_QUERY, /* a DHCPLEASEQUERY (RFC 4388) by address for every adopted lease */
    PLAN_RENEW, /* one RENEW now by every bound client, of adopted leases too; sent once */
    PLAN_STAGE_KIND_COUNT
};

/* How ACKs to ciaddr:68 come back, as the agent sees it. DNAT looks like egress to it. */
enum plan_path { PLAN_PATH_ROUTED, PLAN_PATH_EGRESS, PLAN_PATH_RELAYED, PLAN_PATH_COUNT };

struct plan_server {
    char name[PLAN_NAME_BYTES];
    struct ipv4 address;
};

struct plan_relay {
    char name[PLAN_NAME_BYTES];
    struct ipv4 giaddr;
    struct ipv4 via; /* the agent's own address that carries it */
    struct ipv4_net subnet;
    uint32_t first_client;
    uint32_t client_count;
    uint8_t xid_slot; /* first byte of every xid: 1 + position mod 255 */
    uint8_t to_count;
    uint8_t to[PLAN_SERVERS_MAX];              /* indices into servers */
    uint8_t circuit_id_bytes, remote_id_bytes; /* option 82 sub-options; 0: absent */
    uint8_t circuit_id[PLAN_OPTION82_BYTES], remote_id[PLAN_OPTION82_BYTES];
};

struct plan_stage {
    char name[PLAN_NAME_BYTES];
    enum plan_stage_kind kind;
    uint32_t batch;            /* closed model: exchanges in flight over the fleet; 0: open model */
    uint64_t rate_milli_per_s; /* open model, over the fleet */
    bool is_poisson;
    uint64_t duration_ns; /* hold */
    uint64_t warmup_ns;
    uint64_t timeout_ns; /* the stage ends here whatever happens */
    /*
     * PLAN_LOAD only: of acquire_weight + renew_weight consecutive arrivals so many are
     * acquisitions by clients without a lease and renewals by bound clients, before their T1.
     * Each message is sent once: no answer to it in 4 s ends the exchange as gave_up, never as
     * `failed`; a bound client stays bound, and if T1 has come meanwhile it renews as ever.
     * rate_milli_per_s is the most a GO may ask for.
     */
    uint32_t acquire_weight, renew_weight;
};

struct plan {
    uint8_t run_id[PLAN_RUN_ID_BYTES];
    char run_name[PLAN_TEXT_BYTES]; /* run id as text; option 60 is "leaseherd/<run_name>" */
    char scenario[PLAN_NAME_BYTES];
    uint64_t seed;          /* as the scenario gives it */
    uint64_t identity_seed; /* seed, mixed with the run id unless identity is fixed */
    uint32_t client_count;

    struct ipv4_net block;
    struct plan_server servers[PLAN_SERVERS_MAX];
    uint32_t server_count;
    struct plan_relay *relays;
    uint32_t relay_count;
    struct plan_stage stages[PLAN_STAGES_MAX];
    uint32_t stage_count;

    char vendor_class[PLAN_TEXT_BYTES]; /* option 60; empty: the run's mark */
    uint32_t acquire_tries;             /* transmissions per acquire stage */
    uint64_t acquire_deadline_ns;
    uint64_t renew_retry_ns; /* 0: RFC 2131 4.4.5 */
    uint32_t fuzz_permille;  /* of T1 and T2 */
    uint32_t expect_lease_s; /* 0: not checked */
    uint32_t expect_mclt_s;  /* an ACK between this and expect_lease_s passes */

    uint64_t packets_per_s_max; /* over the fleet */
    uint64_t run_time_max_ns;
    uint64_t renewals_alone_ns; /* after the run lease has ended leases are renewed so long */
    bool is_spin_off;           /* agents leave the CPU to others between packets */
    uint64_t not_before_s, not_after_s; /* this and who may play it: proto/plan_seal.h */
    struct plan_agent *agents;
    uint32_t agent_count;
};

/* Names of servers, relays, stages, scenario and run: [A-Za-z0-9][A-Za-z0-9._-]*. */
bool plan_name_is_valid(const char *name);

/* Everything plan_decode() promises about a plan. `why`: one sentence. */
NODISCARD bool plan_is_valid(const struct plan *plan, char why[PLAN_WHY_BYTES]);

/*
 * plan_encode writes at most `size` bytes and returns how many the plan needs
 * (call with size 0 to learn), 0 if it is not valid or needs more than
 * PLAN_BYTES_MAX; plan_decode refuses bytes that plan_encode would not have
 * written. `why`: one sentence.
 */
size_t plan_encode(const struct plan *plan, uint8_t *out, size_t size);
NODISCARD bool plan_decode(const uint8_t *bytes, size_t size, struct plan *out,
                           char why[PLAN_WHY_BYTES]);
void plan_free(struct plan *plan);
void plan_hash(const uint8_t *bytes, size_t size, uint8_t out[PLAN_HASH_BYTES]);

/* Client g's address, and back; plan_client_of is false for a MAC that is not this run's. */
struct mac plan_client_mac(const struct plan *plan, uint32_t client);
NODISCARD bool plan_client_of(const struct plan *plan, struct mac mac, uint32_t *out_client);
/* The relay that owns client g: index into relays. client < client_count. */
uint32_t plan_relay_of(const struct plan *plan, uint32_t client);

const char *plan_stage_kind_name(enum plan_stage_kind kind);
const char *plan_path_name(enum plan_path path);
