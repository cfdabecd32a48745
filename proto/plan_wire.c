/* SPDX-License-Identifier: MIT */
/* The plan as bytes: message Plan of proto/control.proto. */
#include <stdlib.h>
#include <string.h>

#include "proto/control_wire.h"
#include "proto/plan.h"
#include "proto/plan_seal.h"
#include "proto/wire.h"

_Static_assert((int)LEASEHERD__STAGE_KIND__STAGE_RENEW == PLAN_STAGE_KIND_COUNT,
               "wire kinds are the plan's plus one");

/* Everything the packed message points to, in one allocation. */
struct plan_parts {
    Leaseherd__Plan plan;
    Leaseherd__PlanServer server[PLAN_SERVERS_MAX];
    Leaseherd__PlanServer *server_at[PLAN_SERVERS_MAX];
    Leaseherd__PlanStage stage[PLAN_STAGES_MAX];
    Leaseherd__PlanStage *stage_at[PLAN_STAGES_MAX];
    Leaseherd__PlanRelay **relay_at;
    Leaseherd__PlanAgent *agent;
    Leaseherd__PlanAgent **agent_at;
    struct plan_relay_part {
        Leaseherd__PlanRelay relay;
        uint32_t to[PLAN_SERVERS_MAX];
    } relay[];
};

static void put_relay(const struct plan_relay *from, struct plan_relay_part *part)
{
    Leaseherd__PlanRelay *to = &part->relay;

    leaseherd__plan_relay__init(to);
    to->name = control_text_field(from->name);
    to->giaddr = inet_host(from->giaddr);
    to->via = inet_host(from->via);
    to->subnet_base = inet_host(from->subnet.base);
    to->subnet_bits = from->subnet.prefix_bits;
    to->client_count = from->client_count;
    for (unsigned i = 0; i < from->to_count; i++) {
        part->to[i] = from->to[i];
    }
    to->n_to = from->to_count;
    to->to = part->to;
    to->circuit_id = control_bytes_field(from->circuit_id, from->circuit_id_bytes);
    to->remote_id = control_bytes_field(from->remote_id, from->remote_id_bytes);
}

static void put_stage(const struct plan_stage *from, Leaseherd__PlanStage *to)
{
    leaseherd__plan_stage__init(to);
    to->name = control_text_field(from->name);
    to->kind = (Leaseherd__StageKind)((int)from->kind + 1);
    to->batch = from->batch;
    to->rate_milli_per_s = from->rate_milli_per_s;
    to->is_poisson = from->is_poisson;
    to->duration_ns = from->duration_ns;
    to->warmup_ns = from->warmup_ns;
    to->timeout_ns = from->timeout_ns;
    to->acquire_weight = from->acquire_weight;
    to->renew_weight = from->renew_weight;
}

static void put_scalars(const struct plan *from, Leaseherd__Plan *to)
{
    to->family = LEASEHERD__FAMILY__FAMILY_DHCP4;
    to->run_id = control_bytes_field(from->run_id, sizeof(from->run_id));
    to->run_name = control_text_field(from->run_name);
    to->scenario = control_text_field(from->scenario);
    to->seed = from->seed;
    to->identity_seed = from->identity_seed;
    to->client_count = from->client_count;
    to->block_base = inet_host(from->block.base);
    to->block_bits = from->block.prefix_bits;
    to->vendor_class = control_text_field(from->vendor_class);
    to->acquire_tries = from->acquire_tries;
    to->acquire_deadline_ns = from->acquire_deadline_ns;
    to->renew_retry_ns = from->renew_retry_ns;
    to->fuzz_permille = from->fuzz_permille;
    to->expect_lease_s = from->expect_lease_s;
    to->expect_mclt_s = from->expect_mclt_s;
    to->packets_per_s_max = from->packets_per_s_max;
    to->run_time_max_ns = from->run_time_max_ns;
    to->renewals_alone_ns = from->renewals_alone_ns;
    to->is_spin_off = from->is_spin_off;
    to->not_before_s = from->not_before_s;
    to->not_after_s = from->not_after_s;
}

static void put_agents(const struct plan *from, struct plan_parts *parts)
{
    for (uint32_t i = 0; i < from->agent_count; i++) {
        leaseherd__plan_agent__init(&parts->agent[i]);
        parts->agent[i].name = control_text_field(from->agents[i].name);
        parts->agent[i].key = control_bytes_field(from->agents[i].key, PLAN_AGENT_KEY_BYTES);
        parts->agent_at[i] = &parts->agent[i];
    }
    parts->plan.n_agents = from->agent_count;
    parts->plan.agents = parts->agent_at;
}

static void put_plan(const struct plan *from, struct plan_parts *parts)
{
    Leaseherd__Plan *to = &parts->plan;

    leaseherd__plan__init(to);
    put_scalars(from, to);
    for (uint32_t i = 0; i < from->server_count; i++) {
        leaseherd__plan_server__init(&parts->server[i]);
        parts->server[i].name = control_text_field(from->servers[i].name);
        parts->server[i].address = inet_host(from->servers[i].address);
        parts->server_at[i] = &parts->server[i];
    }
    for (uint32_t i = 0; i < from->relay_count; i++) {
        put_relay(&from->relays[i], &parts->relay[i]);
        parts->relay_at[i] = &parts->relay[i].relay;
    }
    for (uint32_t i = 0; i < from->stage_count; i++) {
        put_stage(&from->stages[i], &parts->stage[i]);
        parts->stage_at[i] = &parts->stage[i];
    }
    to->n_servers = from->server_count;
    to->servers = parts->server_at;
    to->n_relays = from->relay_count;
    to->relays = parts->relay_at;
    to->n_stages = from->stage_count;
    to->stages = parts->stage_at;
    put_agents(from, parts);
}

size_t plan_encode(const struct plan *plan, uint8_t *out, size_t size)
{
    char why[PLAN_WHY_BYTES];

    if (!plan_is_valid(plan, why)) {
        return 0;
    }
    size_t relay_bytes = sizeof(struct plan_relay_part) + sizeof(Leaseherd__PlanRelay *);
    size_t agent_bytes = sizeof(Leaseherd__PlanAgent) + sizeof(Leaseherd__PlanAgent *);
    struct plan_parts *parts = calloc(1, sizeof(*parts) + plan->relay_count * relay_bytes +
                                             plan->agent_count * agent_bytes);

    if (parts == NULL) {
        return 0;
    }
    parts->relay_at = (Leaseherd__PlanRelay **)(void *)&parts->relay[plan->relay_count];
    parts->agent_at = (Leaseherd__PlanAgent **)(void *)&parts->relay_at[plan->relay_count];
    parts->agent = (Leaseherd__PlanAgent *)(void *)&parts->agent_at[plan->agent_count];
    put_plan(plan, parts);
    size_t needed = leaseherd__plan__get_packed_size(&parts->plan);

    if (needed > PLAN_BYTES_MAX) {
        needed = 0;
    } else if (needed <= size) {
        (void)leaseherd__plan__pack(&parts->plan, out);
    }
    free(parts);
    return needed;
}

static bool take_net(uint32_t base, uint32_t bits, struct ipv4_net *out, const char *field,
                     char *why)
{
    if (bits > 32) {
        return wire_refuse(why, "%s has a prefix of %u bits", field, bits);
    }
    *out = (struct ipv4_net){.base = inet_from_host(base), .prefix_bits = (uint8_t)bits};
    return true;
}

static bool take_server(const Leaseherd__PlanServer *from, struct plan_server *out, char *why)
{
    out->address = inet_from_host(from->address);
    return wire_take_text(from->name.data, from->name.len, out->name, sizeof(out->name),
                          "a server's name", why);
}

static bool take_option82(const ProtobufCBinaryData *from, uint8_t *out, uint8_t *out_bytes,
                          char *why)
{
    if (from->len > PLAN_OPTION82_BYTES) {
        return wire_refuse(why, "an option 82 value has %zu bytes; at most %d are possible",
                           from->len, PLAN_OPTION82_BYTES);
    }
    if (from->len > 0) {
        memcpy(out, from->data, from->len);
    }
    *out_bytes = (uint8_t)from->len;
    return true;
}

static bool take_relay(const Leaseherd__PlanRelay *from, struct plan_relay *out, char *why)
{
    if (from->n_to > PLAN_SERVERS_MAX) {
        return wire_refuse(why, "a relay forwards to %zu servers; at most %d are possible",
                           from->n_to, PLAN_SERVERS_MAX);
    }
    for (size_t i = 0; i < from->n_to; i++) {
        if (from->to[i] >= PLAN_SERVERS_MAX) {
            return wire_refuse(why, "a relay forwards to server %u, which the plan does not have",
                               from->to[i]);
        }
        out->to[i] = (uint8_t)from->to[i];
    }
    out->to_count = (uint8_t)from->n_to;
    out->giaddr = inet_from_host(from->giaddr);
    out->via = inet_from_host(from->via);
    out->client_count = from->client_count;
    return take_net(from->subnet_base, from->subnet_bits, &out->subnet, "a relay's subnet", why) &&
           wire_take_text(from->name.data, from->name.len, out->name, sizeof(out->name),
                          "a relay's name", why) &&
           take_option82(&from->circuit_id, out->circuit_id, &out->circuit_id_bytes, why) &&
           take_option82(&from->remote_id, out->remote_id, &out->remote_id_bytes, why);
}

static bool take_relays(const Leaseherd__Plan *from, struct plan *out, char *why)
{
    uint64_t next_client = 0;

    if (from->n_relays < 1 || from->n_relays > PLAN_RELAYS_MAX) {
        return wire_refuse(why, "the plan has %zu relays; 1 to %d are possible", from->n_relays,
                           PLAN_RELAYS_MAX);
    }
    out->relays = calloc(from->n_relays, sizeof(*out->relays));
    if (out->relays == NULL) {
        return wire_refuse(why, "no memory for %zu relays", from->n_relays);
    }
    out->relay_count = (uint32_t)from->n_relays;
    for (uint32_t i = 0; i < out->relay_count; i++) {
        struct plan_relay *relay = &out->relays[i];
        if (!take_relay(from->relays[i], relay, why)) {
            return false;
        }
        if (next_client + relay->client_count > PLAN_CLIENTS_MAX) {
            return wire_refuse(why, "the relays have more than %d clients", PLAN_CLIENTS_MAX);
        }
        relay->first_client = (uint32_t)next_client;
        relay->xid_slot = (uint8_t)(1 + i % 255);
        next_client += relay->client_count;
    }
    return true;
}

static bool take_stages(const Leaseherd__Plan *from, struct plan *out, char *why)
{
    if (from->n_stages > PLAN_STAGES_MAX) {
        return wire_refuse(why, "the plan has %zu stages; 1 to %d are possible", from->n_stages,
                           PLAN_STAGES_MAX);
    }
    for (size_t i = 0; i < from->n_stages; i++) {
        const Leaseherd__PlanStage *in = from->stages[i];
        struct plan_stage *stage = &out->stages[i];
        if ((int)in->kind < 1 || (int)in->kind > PLAN_STAGE_KIND_COUNT) {
            return wire_refuse(why, "a stage is of no known kind (%d)", (int)in->kind);
        }
        stage->kind = (enum plan_stage_kind)((int)in->kind - 1);
        stage->batch = in->batch;
        stage->rate_milli_per_s = in->rate_milli_per_s;
        stage->is_poisson = in->is_poisson;
        stage->duration_ns = in->duration_ns;
        stage->warmup_ns = in->warmup_ns;
        stage->timeout_ns = in->timeout_ns;
        stage->acquire_weight = in->acquire_weight;
        stage->renew_weight = in->renew_weight;
        if (!wire_take_text(in->name.data, in->name.len, stage->name, sizeof(stage->name),
                            "a stage's name", why)) {
            return false;
        }
    }
    out->stage_count = (uint32_t)from->n_stages;
    return true;
}

static bool take_agents(const Leaseherd__Plan *from, struct plan *out, char *why)
{
    if (from->n_agents > PLAN_AGENTS_MAX) {
        return wire_refuse(why, "the plan names %zu agents; at most %d are possible",
                           from->n_agents, PLAN_AGENTS_MAX);
    }
    if (from->n_agents == 0) {
        return true; /* not sealed */
    }
    out->agents = calloc(from->n_agents, sizeof(*out->agents));
    if (out->agents == NULL) {
        return wire_refuse(why, "no memory for %zu agents", from->n_agents);
    }
    out->agent_count = (uint32_t)from->n_agents;
    for (uint32_t i = 0; i < out->agent_count; i++) {
        const Leaseherd__PlanAgent *in = from->agents[i];
        struct plan_agent *agent = &out->agents[i];
        if (!wire_take_text(in->name.data, in->name.len, agent->name, sizeof(agent->name),
                            "an agent's name", why) ||
            !wire_take_exact(in->key.data, in->key.len, agent->key, sizeof(agent->key),
                             "an agent's key", why)) {
            return false;
        }
    }
    return true;
}

static bool take_scalars(const Leaseherd__Plan *from, struct plan *out, char *why)
{
    if (from->family != LEASEHERD__FAMILY__FAMILY_DHCP4) {
        return wire_refuse(why, "the plan is for address family %d; only DHCPv4 (4) is known",
                           (int)from->family);
    }
    out->seed = from->seed;
    out->identity_seed = from->identity_seed;
    out->client_count = from->client_count;
    out->acquire_tries = from->acquire_tries;
    out->acquire_deadline_ns = from->acquire_deadline_ns;
    out->renew_retry_ns = from->renew_retry_ns;
    out->fuzz_permille = from->fuzz_permille;
    out->expect_lease_s = from->expect_lease_s;
    out->expect_mclt_s = from->expect_mclt_s;
    out->packets_per_s_max = from->packets_per_s_max;
    out->run_time_max_ns = from->run_time_max_ns;
    out->renewals_alone_ns = from->renewals_alone_ns;
    out->is_spin_off = from->is_spin_off;
    out->not_before_s = from->not_before_s;
    out->not_after_s = from->not_after_s;
    return take_net(from->block_base, from->block_bits, &out->block, "the block", why) &&
           wire_take_exact(from->run_id.data, from->run_id.len, out->run_id, sizeof(out->run_id),
                           "the run id", why) &&
           wire_take_text(from->run_name.data, from->run_name.len, out->run_name,
                          sizeof(out->run_name), "the run's name", why) &&
           wire_take_text(from->scenario.data, from->scenario.len, out->scenario,
                          sizeof(out->scenario), "the scenario's name", why) &&
           wire_take_text(from->vendor_class.data, from->vendor_class.len, out->vendor_class,
                          sizeof(out->vendor_class), "the vendor class", why);
}

static bool take_plan(const Leaseherd__Plan *from, struct plan *out, char *why)
{
    if (from->n_servers > PLAN_SERVERS_MAX) {
        return wire_refuse(why, "the plan has %zu servers; 1 to %d are possible", from->n_servers,
                           PLAN_SERVERS_MAX);
    }
    for (size_t i = 0; i < from->n_servers; i++) {
        if (!take_server(from->servers[i], &out->servers[i], why)) {
            return false;
        }
    }
    out->server_count = (uint32_t)from->n_servers;
    return take_scalars(from, out, why) && take_relays(from, out, why) &&
           take_stages(from, out, why) && take_agents(from, out, why) && plan_is_valid(out, why);
}

/* One content has one packing, so that one hash names it. */
static bool is_canonical(const struct plan *plan, const uint8_t *bytes, size_t size, char *why)
{
    uint8_t *again = malloc(size);

    if (again == NULL) {
        return wire_refuse(why, "no memory to check a plan of %zu bytes", size);
    }
    bool is_same = plan_encode(plan, again, size) == size && memcmp(again, bytes, size) == 0;

    free(again);
    return is_same || wire_refuse(why, "the plan is not packed as plans are; another program or "
                                       "version made it");
}

bool plan_decode(const uint8_t *bytes, size_t size, struct plan *out, char why[PLAN_WHY_BYTES])
{
    if (size == 0 || size > PLAN_BYTES_MAX) {
        return wire_refuse(why, "the plan has %zu bytes; 1 to %d are possible", size,
                           PLAN_BYTES_MAX);
    }
    /* The shortest relay takes 16 times its bytes; what wants more is hostile. */
    struct control_arena *arena = control_arena_new(16 * size + 65536);

    if (arena == NULL) {
        return wire_refuse(why, "no memory for a plan of %zu bytes", size);
    }
    struct plan plan;
    memset(&plan, 0, sizeof(plan));
    const Leaseherd__Plan *wire = leaseherd__plan__unpack(&arena->allocator, size, bytes);
    bool is_good = wire != NULL ? take_plan(wire, &plan, why)
                                : wire_refuse(why, "the plan's %zu bytes do not decode", size);

    is_good = is_good && is_canonical(&plan, bytes, size, why);
    control_arena_free(arena);
    if (is_good) {
        *out = plan;
    } else {
        plan_free(&plan);
    }
    return is_good;
}
