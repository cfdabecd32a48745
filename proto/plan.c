/* SPDX-License-Identifier: MIT */
#include "proto/plan.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/prng.h"

/* Purposes of numbers derived from the identity; any two constants that differ. */
enum { PURPOSE_MAC_PREFIX = 0x4d41, PURPOSE_MAC_BASE = 0x4d42 };

static const char *const stage_kind_names[PLAN_STAGE_KIND_COUNT] = {
    [PLAN_ACQUIRE] = "acquire", [PLAN_HOLD] = "hold",     [PLAN_REBOOT] = "reboot",
    [PLAN_RELEASE] = "release", [PLAN_INFORM] = "inform", [PLAN_DECLINE] = "decline",
    [PLAN_LOAD] = "load",       [PLAN_QUERY] = "query",   [PLAN_RENEW] = "renew",
};

static const char *const path_names[PLAN_PATH_COUNT] = {
    [PLAN_PATH_ROUTED] = "routed",
    [PLAN_PATH_EGRESS] = "egress",
    [PLAN_PATH_RELAYED] = "relayed",
};

const char *plan_stage_kind_name(enum plan_stage_kind kind)
{
    assert((unsigned)kind < PLAN_STAGE_KIND_COUNT);
    return stage_kind_names[kind];
}

const char *plan_path_name(enum plan_path path)
{
    assert((unsigned)path < PLAN_PATH_COUNT);
    return path_names[path];
}

void plan_free(struct plan *plan)
{
    free(plan->relays);
    plan->relays = NULL;
    plan->relay_count = 0;
    free(plan->agents);
    plan->agents = NULL;
    plan->agent_count = 0;
}

void plan_hash(const uint8_t *bytes, size_t size, uint8_t out[PLAN_HASH_BYTES])
{
    int rc = crypto_generichash(out, PLAN_HASH_BYTES, bytes, size, NULL, 0);

    assert(rc == 0);
    (void)rc;
}

/*
 * The first two bytes: 14 bits of the identity around the two bits that make a
 * locally administered unicast address (x2, x6, xA, xE).
 */
static uint16_t mac_prefix(const struct plan *plan)
{
    uint64_t random = prng_mix(plan->identity_seed, PURPOSE_MAC_PREFIX, 0);
    unsigned high = (unsigned)(random >> 8) & 0x3fU;
    unsigned low = (unsigned)random & 0xffU;

    return (uint16_t)((high << 2 | 0x2U) << 8 | low);
}

static uint32_t mac_base(const struct plan *plan)
{
    return (uint32_t)prng_mix(plan->identity_seed, PURPOSE_MAC_BASE, 0);
}

struct mac plan_client_mac(const struct plan *plan, uint32_t client)
{
    struct mac mac;

    bytes_put_u16(mac.byte, mac_prefix(plan));
    bytes_put_u32(mac.byte + 2, mac_base(plan) + client);
    return mac;
}

bool plan_client_of(const struct plan *plan, struct mac mac, uint32_t *out_client)
{
    uint32_t client = bytes_get_u32(mac.byte + 2) - mac_base(plan);

    if (bytes_get_u16(mac.byte) != mac_prefix(plan) || client >= plan->client_count) {
        return false;
    }
    *out_client = client;
    return true;
}

uint32_t plan_relay_of(const struct plan *plan, uint32_t client)
{
    uint32_t low = 0;
    uint32_t high = plan->relay_count;

    assert(client < plan->client_count);
    /* relays[low].first_client <= client < relays[high].first_client */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (plan->relays[middle].first_client <= client) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}
