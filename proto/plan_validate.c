/* SPDX-License-Identifier: MIT */
/* What makes a plan one that can be played: every rule an agent relies on. */
#include <string.h>

#include "proto/plan.h"
#include "proto/plan_seal.h"
#include "proto/wire.h"

enum {
    BLOCK_BITS_MIN = 8,
    ACQUIRE_TRIES_MAX = 100,
    FUZZ_PERMILLE_MAX = 500,
    XID_SLOTS = 255,
    MIX_MAX = 10000
};

/* Like PLAN_RATE_MILLI_MAX it keeps later arithmetic away from overflow: a year. */
#define PLAN_SPAN_NS_MAX (UINT64_C(366) * 24 * 3600 * NS_PER_S)

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool name_fits(const char *name, size_t size)
{
    size_t length = strnlen(name, size);

    if (length == 0 || length == size || !is_name_character(name[0])) {
        return false;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_name_character(name[i]) && strchr("._-", name[i]) == NULL) {
            return false;
        }
    }
    return true;
}

bool plan_name_is_valid(const char *name)
{
    return name_fits(name, PLAN_NAME_BYTES);
}

static bool net_is_valid(struct ipv4_net net)
{
    if (net.prefix_bits > 32) {
        return false;
    }
    return (net.base.be & ~inet_net_mask(net).be) == 0;
}

static bool servers_are_valid(const struct plan *plan, char *why)
{
    if (plan->server_count < 1 || plan->server_count > PLAN_SERVERS_MAX) {
        return wire_refuse(why, "the plan has %u servers; 1 to %d are possible", plan->server_count,
                           PLAN_SERVERS_MAX);
    }
    for (uint32_t i = 0; i < plan->server_count; i++) {
        const struct plan_server *server = &plan->servers[i];
        if (!plan_name_is_valid(server->name)) {
            return wire_refuse(why, "the name of server %u is not a valid name", i);
        }
        if (!wire_is_unicast(server->address)) {
            return wire_refuse(why, "the address of server %s is not a unicast address",
                               server->name);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (inet_equal(server->address, plan->servers[j].address)) {
                return wire_refuse(why, "servers %s and %s have the same address",
                                   plan->servers[j].name, server->name);
            }
            if (strcmp(server->name, plan->servers[j].name) == 0) {
                return wire_refuse(why, "two servers have the name %s", server->name);
            }
        }
    }
    return true;
}

static bool relay_targets_are_valid(const struct plan *plan, const struct plan_relay *relay,
                                    char *why)
{
    unsigned seen = 0;

    if (relay->to_count < 1 || relay->to_count > plan->server_count) {
        return wire_refuse(why, "relay %s forwards to %u servers; 1 to %u are possible",
                           relay->name, (unsigned)relay->to_count, plan->server_count);
    }
    for (unsigned i = 0; i < relay->to_count; i++) {
        unsigned server = relay->to[i];
        if (server >= plan->server_count) {
            return wire_refuse(why, "relay %s forwards to server %u, which the plan does not have",
                               relay->name, server);
        }
        if ((seen & 1U << server) != 0) {
            return wire_refuse(why, "relay %s names server %u twice", relay->name, server);
        }
        seen |= 1U << server;
    }
    return true;
}

static bool relay_is_valid(const struct plan *plan, uint32_t index, char *why)
{
    const struct plan_relay *relay = &plan->relays[index];

    if (!plan_name_is_valid(relay->name)) {
        return wire_refuse(why, "the name of relay %u is not a valid name", index);
    }
    if (!wire_is_unicast(relay->giaddr) || !wire_is_unicast(relay->via)) {
        return wire_refuse(why, "relay %s: giaddr and via must be unicast addresses", relay->name);
    }
    if (!net_is_valid(relay->subnet)) {
        return wire_refuse(why, "relay %s: the subnet is not a network", relay->name);
    }
    if (!inet_net_covers(plan->block, relay->subnet)) {
        return wire_refuse(why, "relay %s: the subnet is not inside the block", relay->name);
    }
    if (relay->client_count == 0) {
        return wire_refuse(why, "relay %s has no clients", relay->name);
    }
    if (relay->xid_slot != 1 + index % XID_SLOTS) {
        return wire_refuse(why, "relay %s has the xid slot %u instead of %u", relay->name,
                           (unsigned)relay->xid_slot, 1 + index % XID_SLOTS);
    }
    if (relay->circuit_id_bytes > PLAN_OPTION82_BYTES ||
        relay->remote_id_bytes > PLAN_OPTION82_BYTES) {
        return wire_refuse(why, "relay %s: an option 82 value is longer than %d bytes", relay->name,
                           PLAN_OPTION82_BYTES);
    }
    return relay_targets_are_valid(plan, relay, why);
}

/* Relays of one slot are told apart by subnet alone: DESIGN section 3. */
static bool slots_are_distinct(const struct plan *plan, char *why)
{
    for (uint32_t i = XID_SLOTS; i < plan->relay_count; i++) {
        for (uint32_t j = i % XID_SLOTS; j < i; j += XID_SLOTS) {
            if (inet_net_overlaps(plan->relays[i].subnet, plan->relays[j].subnet)) {
                return wire_refuse(why,
                                   "relays %s and %s have overlapping subnets and the same xid "
                                   "slot; change their order",
                                   plan->relays[j].name, plan->relays[i].name);
            }
        }
    }
    return true;
}

static bool relays_are_valid(const struct plan *plan, char *why)
{
    uint64_t next_client = 0;

    if (plan->relay_count < 1 || plan->relay_count > PLAN_RELAYS_MAX) {
        return wire_refuse(why, "the plan has %u relays; 1 to %d are possible", plan->relay_count,
                           PLAN_RELAYS_MAX);
    }
    for (uint32_t i = 0; i < plan->relay_count; i++) {
        if (!relay_is_valid(plan, i, why)) {
            return false;
        }
        if (plan->relays[i].first_client != next_client) {
            return wire_refuse(why, "relay %s begins at client %u instead of %llu",
                               plan->relays[i].name, plan->relays[i].first_client,
                               (unsigned long long)next_client);
        }
        next_client += plan->relays[i].client_count;
    }
    if (next_client != plan->client_count || next_client > PLAN_CLIENTS_MAX) {
        return wire_refuse(why, "the relays have %llu clients and the plan %u; at most %d",
                           (unsigned long long)next_client, plan->client_count, PLAN_CLIENTS_MAX);
    }
    return slots_are_distinct(plan, why);
}

/* Closed model, open model, or neither where a stage needs no pace. */
static bool stage_pace_is_valid(const struct plan_stage *stage, char *why)
{
    bool has_batch = stage->batch > 0;
    bool has_rate = stage->rate_milli_per_s > 0;

    if (stage->batch > PLAN_CLIENTS_MAX || stage->rate_milli_per_s > PLAN_RATE_MILLI_MAX) {
        return wire_refuse(why, "stage %s: batch or rate is out of range", stage->name);
    }
    if (has_batch && has_rate) {
        return wire_refuse(why, "stage %s has a batch and a rate; it must have one", stage->name);
    }
    if (stage->kind == PLAN_ACQUIRE && !has_batch && !has_rate) {
        return wire_refuse(why, "stage %s has neither a batch nor a rate", stage->name);
    }
    if (stage->kind == PLAN_LOAD && !has_rate) {
        return wire_refuse(why, "stage %s: a load has a rate and no batch", stage->name);
    }
    if (stage->kind == PLAN_HOLD && (has_batch || has_rate)) {
        return wire_refuse(why, "stage %s: a hold has no batch and no rate", stage->name);
    }
    if (stage->is_poisson && !has_rate) {
        return wire_refuse(why, "stage %s: only a rate can be poisson", stage->name);
    }
    return true;
}

static bool stage_mix_is_valid(const struct plan_stage *stage, char *why)
{
    uint64_t weights = (uint64_t)stage->acquire_weight + stage->renew_weight;

    if (stage->kind != PLAN_LOAD) {
        return weights == 0 || wire_refuse(why, "stage %s: only a load has a mix", stage->name);
    }
    return (weights >= 1 && weights <= MIX_MAX) ||
           wire_refuse(why, "stage %s: the weights of its mix add up to %llu; 1 to %d are possible",
                       stage->name, (unsigned long long)weights, MIX_MAX);
}

static bool stage_times_are_valid(const struct plan_stage *stage, char *why)
{
    bool is_hold = stage->kind == PLAN_HOLD;

    if (stage->timeout_ns == 0 || stage->timeout_ns > PLAN_SPAN_NS_MAX) {
        return wire_refuse(why, "stage %s: the timeout is not within a year", stage->name);
    }
    if ((is_hold && stage->duration_ns == 0) || stage->duration_ns > PLAN_SPAN_NS_MAX) {
        return wire_refuse(why, "stage %s: the duration is not within a year", stage->name);
    }
    if (!is_hold && stage->duration_ns != 0) {
        return wire_refuse(why, "stage %s: only a hold has a duration", stage->name);
    }
    if (stage->warmup_ns > (is_hold ? stage->duration_ns : stage->timeout_ns)) {
        return wire_refuse(why, "stage %s: the warmup is longer than the stage", stage->name);
    }
    return true;
}

static bool stages_are_valid(const struct plan *plan, char *why)
{
    if (plan->stage_count < 1 || plan->stage_count > PLAN_STAGES_MAX) {
        return wire_refuse(why, "the plan has %u stages; 1 to %d are possible", plan->stage_count,
                           PLAN_STAGES_MAX);
    }
    for (uint32_t i = 0; i < plan->stage_count; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        if (!plan_name_is_valid(stage->name)) {
            return wire_refuse(why, "the name of stage %u is not a valid name", i);
        }
        if ((unsigned)stage->kind >= PLAN_STAGE_KIND_COUNT) {
            return wire_refuse(why, "stage %s is of no known kind", stage->name);
        }
        if (!stage_pace_is_valid(stage, why) || !stage_mix_is_valid(stage, why) ||
            !stage_times_are_valid(stage, why)) {
            return false;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(stage->name, plan->stages[j].name) == 0) {
                return wire_refuse(why, "two stages have the name %s", stage->name);
            }
        }
    }
    return true;
}

static bool behaviour_is_valid(const struct plan *plan, char *why)
{
    size_t mark_bytes = sizeof("leaseherd/") + strlen(plan->run_name);

    if (plan->vendor_class[0] == '\0' && mark_bytes > PLAN_TEXT_BYTES) {
        return wire_refuse(why, "the run's name is too long to stand in option 60");
    }
    if (!wire_text_is_printable(plan->vendor_class, sizeof(plan->vendor_class))) {
        return wire_refuse(why, "the vendor class holds what is not printable ASCII");
    }
    if (plan->acquire_tries < 1 || plan->acquire_tries > ACQUIRE_TRIES_MAX) {
        return wire_refuse(why, "acquire has %u tries; 1 to %d are possible", plan->acquire_tries,
                           ACQUIRE_TRIES_MAX);
    }
    if (plan->acquire_deadline_ns == 0 || plan->acquire_deadline_ns > PLAN_SPAN_NS_MAX) {
        return wire_refuse(why, "the deadline of acquire is not within a year");
    }
    if (plan->renew_retry_ns > PLAN_SPAN_NS_MAX) {
        return wire_refuse(why, "renew_retry is longer than a year");
    }
    if (plan->fuzz_permille > FUZZ_PERMILLE_MAX) {
        return wire_refuse(why, "the fuzz of %u permille exceeds %d", plan->fuzz_permille,
                           FUZZ_PERMILLE_MAX);
    }
    if (plan->packets_per_s_max == 0 || plan->packets_per_s_max > PLAN_RATE_MILLI_MAX) {
        return wire_refuse(why, "the limit of packets per second is out of range");
    }
    if (plan->run_time_max_ns == 0 || plan->run_time_max_ns > PLAN_SPAN_NS_MAX) {
        return wire_refuse(why, "the limit of the run's time is not within a year");
    }
    if (plan->renewals_alone_ns > plan->run_time_max_ns) {
        return wire_refuse(why, "renewals without the coordinator go on longer than the run may");
    }
    return true;
}

bool plan_is_valid(const struct plan *plan, char why[PLAN_WHY_BYTES])
{
    if (!name_fits(plan->run_name, sizeof(plan->run_name))) {
        return wire_refuse(why, "the run's name is not a valid name");
    }
    if (!plan_name_is_valid(plan->scenario)) {
        return wire_refuse(why, "the scenario's name is not a valid name");
    }
    if (!net_is_valid(plan->block) || plan->block.prefix_bits < BLOCK_BITS_MIN) {
        return wire_refuse(why, "the block is not a network of at least %d bits", BLOCK_BITS_MIN);
    }
    return servers_are_valid(plan, why) && relays_are_valid(plan, why) &&
           stages_are_valid(plan, why) && behaviour_is_valid(plan, why) &&
           plan_seal_is_valid(plan, why);
}
