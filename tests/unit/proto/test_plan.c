/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <string.h>

#include "control.pb-c.h"
#include "proto/plan_seal.h"
#include "tests/support/control_samples.h"

static uint8_t packed[PLAN_BYTES_MAX], spoiled[PLAN_BYTES_MAX];
static char too_long_name[PLAN_TEXT_BYTES];

/* Every rule of plan_is_valid, broken once: X(name, what breaks it, a piece of the sentence) */
#define PLAN_BREAKS(X)                                                                             \
    X(run_name_empty, p->run_name[0] = '\0', "the run's name is not a valid name")                 \
    X(run_name_blank, p->run_name[2] = ' ', "the run's name is not a valid name")                  \
    X(run_name_open, memset(p->run_name, 'x', PLAN_TEXT_BYTES), "the run's name is not a valid")   \
    X(run_name_mark, (memset(p->run_name, 'x', 118), p->vendor_class[0] = '\0'),                   \
      "too long to stand in option 60")                                                            \
    X(scenario, p->scenario[0] = '-', "the scenario's name is not a valid name")                   \
    X(block_host_bits, p->block.base = sample_ipv4(0x0a0a0001), "the block is not a network")      \
    X(block_wide, (p->block = (struct ipv4_net){sample_ipv4(0), 0}), "the block is not a network") \
    X(relay_bits, p->relays[1].subnet.prefix_bits = 33, "the subnet is not a network")             \
    X(block_bits, p->block.prefix_bits = 33, "the block is not a network")                         \
    X(servers_none, p->server_count = 0, "the plan has 0 servers")                                 \
    X(servers_many, p->server_count = 17, "the plan has 17 servers")                               \
    X(server_name, p->servers[1].name[0] = '\0', "the name of server 1 is not")                    \
    X(server_address, p->servers[1].address = sample_ipv4(0xffffffff),                             \
      "the address of server b is not a unicast address")                                          \
    X(server_twice, p->servers[1].address = p->servers[0].address,                                 \
      "servers a and b have the same address")                                                     \
    X(server_names, p->servers[1].name[0] = 'a', "two servers have the name a")                    \
    X(relays_none, p->relay_count = 0, "the plan has 0 relays")                                    \
    X(relays_many, p->relay_count = 16385, "the plan has 16385 relays")                            \
    X(relay_name, p->relays[1].name[3] = '/', "the name of relay 1 is not")                        \
    X(relay_giaddr, p->relays[1].giaddr = sample_ipv4(0), "giaddr and via must be unicast")        \
    X(relay_via, p->relays[1].via = sample_ipv4(0xe0000001), "giaddr and via must be unicast")     \
    X(relay_host_bits, p->relays[1].subnet.base = sample_ipv4(0x0a0a8001),                         \
      "relay bldg-2: the subnet is not a network")                                                 \
    X(relay_outside, p->relays[1].subnet.base = sample_ipv4(0x0a0b8000),                           \
      "relay bldg-2: the subnet is not inside the block")                                          \
    X(relay_wider, p->relays[0].subnet.prefix_bits = 15, "the subnet is not inside the block")     \
    X(relay_empty, p->relays[1].client_count = 0, "relay bldg-2 has no clients")                   \
    X(relay_slot, p->relays[1].xid_slot = 1, "xid slot 1 instead of 2")                            \
    X(relay_circuit, p->relays[1].circuit_id_bytes = 65, "longer than 64 bytes")                   \
    X(relay_remote, p->relays[1].remote_id_bytes = 65, "longer than 64 bytes")                     \
    X(relay_to_none, p->relays[1].to_count = 0, "relay bldg-2 forwards to 0 servers")              \
    X(relay_to_many, p->relays[1].to_count = 3, "relay bldg-2 forwards to 3 servers")              \
    X(relay_to, p->relays[1].to[1] = 2, "forwards to server 2, which the plan does not have")      \
    X(relay_to_twice, p->relays[1].to[1] = 1, "names server 1 twice")                              \
    X(relay_gap, p->relays[1].first_client++, "begins at client 12001 instead of 12000")           \
    X(relay_overlap, p->relays[1].first_client--, "begins at client 11999 instead of 12000")       \
    X(relay_sum, p->client_count++, "the relays have 20000 clients and the plan 20001")            \
    X(relay_total,                                                                                 \
      (p->relays[1].client_count = p->client_count = PLAN_CLIENTS_MAX, p->client_count += 12000),  \
      "at most 100000000")                                                                         \
    X(stages_none, p->stage_count = 0, "the plan has 0 stages")                                    \
    X(stages_many, p->stage_count = 33, "the plan has 33 stages")                                  \
    X(stage_name, p->stages[1].name[0] = '.', "the name of stage 1 is not")                        \
    X(stage_names, strcpy(p->stages[1].name, "peak"), "two stages have the name peak")             \
    X(stage_kind, p->stages[1].kind = PLAN_STAGE_KIND_COUNT, "stage keep is of no known kind")     \
    X(stage_batch, p->stages[0].batch = 100000001, "batch or rate is out of range")                \
    X(stage_rate, p->stages[2].rate_milli_per_s = 10000000001, "batch or rate is out of range")    \
    X(stage_both, p->stages[0].rate_milli_per_s = 1, "has a batch and a rate")                     \
    X(stage_neither, p->stages[0].batch = 0, "neither a batch nor a rate")                         \
    X(stage_hold_pace, p->stages[1].batch = 1, "a hold has no batch and no rate")                  \
    X(stage_load_pace, p->stages[3].rate_milli_per_s = 0, "limit: a load has a rate and no batch") \
    X(stage_load_batch, (p->stages[3].rate_milli_per_s = 0, p->stages[3].batch = 1),               \
      "limit: a load has a rate and no batch")                                                     \
    X(stage_load_mix, p->stages[3].acquire_weight = p->stages[3].renew_weight = 0,                 \
      "add up to 0; 1 to 10000")                                                                   \
    X(stage_load_weights, p->stages[3].renew_weight = 10000, "add up to 10001; 1 to 10000")        \
    X(stage_load_huge, p->stages[3].renew_weight = UINT32_MAX, "add up to 4294967296")             \
    X(stage_mix, p->stages[2].acquire_weight = 1, "stage reboot: only a load has a mix")           \
    X(stage_mix_renew, p->stages[0].renew_weight = 1, "stage peak: only a load has a mix")         \
    X(stage_poisson, p->stages[0].is_poisson = true, "only a rate can be poisson")                 \
    X(stage_timeout, p->stages[0].timeout_ns = 0, "the timeout is not within a year")              \
    X(stage_forever, p->stages[0].timeout_ns = UINT64_MAX, "the timeout is not within a year")     \
    X(stage_no_hold, p->stages[1].duration_ns = 0, "the duration is not within a year")            \
    X(stage_long_hold, p->stages[1].duration_ns = UINT64_MAX, "the duration is not within")        \
    X(stage_duration, p->stages[0].duration_ns = 1, "only a hold has a duration")                  \
    X(stage_warmup, p->stages[1].warmup_ns = p->stages[1].duration_ns + 1,                         \
      "stage keep: the warmup is longer")                                                          \
    X(stage_warmup_timeout, p->stages[0].warmup_ns = p->stages[0].timeout_ns + 1,                  \
      "stage peak: the warmup is longer")                                                          \
    X(vendor, p->vendor_class[1] = '\x01', "the vendor class holds")                               \
    X(vendor_open, memset(p->vendor_class, 'x', PLAN_TEXT_BYTES), "the vendor class holds")        \
    X(tries_none, p->acquire_tries = 0, "acquire has 0 tries")                                     \
    X(tries_many, p->acquire_tries = 101, "acquire has 101 tries")                                 \
    X(deadline_none, p->acquire_deadline_ns = 0, "the deadline of acquire")                        \
    X(deadline, p->acquire_deadline_ns = UINT64_MAX, "the deadline of acquire")                    \
    X(retry, p->renew_retry_ns = UINT64_MAX, "renew_retry is longer than a year")                  \
    X(fuzz, p->fuzz_permille = 501, "501 permille exceeds 500")                                    \
    X(packets_none, p->packets_per_s_max = 0, "packets per second is out of range")                \
    X(packets, p->packets_per_s_max = UINT64_MAX, "packets per second is out of range")            \
    X(no_end, p->not_after_s = 0, "validity makes no sense")                                       \
    X(no_begin, p->not_before_s = 0, "validity makes no sense")                                    \
    X(ends_first, p->not_after_s = p->not_before_s, "validity makes no sense")                     \
    X(ends_never, p->not_after_s = UINT64_MAX, "validity makes no sense")                          \
    X(no_time, p->not_before_s = p->not_after_s = 0, "validity makes no sense")                    \
    X(agents_none, p->agent_count = 0, "names 0 agents")                                           \
    X(agents_many, p->agent_count = 8193, "names 8193 agents")                                     \
    X(agent_name, p->agents[1].name[0] = '-', "the name of agent 1 is not")                        \
    X(agent_open, memset(p->agents[1].name, 'x', PLAN_AGENT_NAME_BYTES), "the name of agent 1")    \
    X(agent_order, p->agents[0].name[0] = 'b', "not in ascending order")                           \
    X(agent_twice, p->agents[1] = p->agents[0], "not in ascending order")                          \
    X(run_time_none, p->run_time_max_ns = 0, "the limit of the run's time")                        \
    X(run_time, p->run_time_max_ns = UINT64_MAX, "the limit of the run's time")                    \
    X(alone, p->renewals_alone_ns = p->run_time_max_ns + 1, "longer than the run may")

#define X(name, how, phrase)                                                                       \
    static void break_##name(struct plan *p)                                                       \
    {                                                                                              \
        how;                                                                                       \
    }
PLAN_BREAKS(X)
#undef X

static const struct {
    const char *name;
    void (*break_it)(struct plan *plan);
    const char *phrase;
} plan_rows[] = {
#define X(name, how, phrase) {#name, break_##name, phrase},
    PLAN_BREAKS(X)
#undef X
};

static void every_broken_rule_of_a_plan_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plan_rows); i++) {
        struct plan plan;
        char why[PLAN_WHY_BYTES] = "";
        sample_plan(&plan);
        assert_true(plan_is_valid(&plan, why));
        plan_rows[i].break_it(&plan);
        if (plan_is_valid(&plan, why) || strstr(why, plan_rows[i].phrase) == NULL) {
            fail_msg("%s: why='%s', expected '%s'", plan_rows[i].name, why, plan_rows[i].phrase);
        }
        assert_int_equal(plan_encode(&plan, packed, sizeof(packed)), 0);
        plan_free(&plan);
    }
}

static uint32_t many_words[PLAN_SERVERS_MAX + 1];
static void *many_pointers[PLAN_RELAYS_MAX + 1];

/* The same sub-message over and over. */
static void *repeated(void *message, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        many_pointers[i] = message;
    }
    return many_pointers;
}

/* What only bytes can get wrong: X(name, what breaks it, a piece of the sentence) */
#define WIRE_BREAKS(X)                                                                             \
    X(family, w->family = (Leaseherd__Family)0, "address family 0")                                \
    X(run_id, w->run_id.len = 15, "the run id has 15 bytes")                                       \
    X(run_name_nul, w->run_name.data[3] = 0, "the run's name holds the byte 0x00")                 \
    X(scenario_long, (w->scenario.data = (uint8_t *)too_long_name, w->scenario.len = 64),          \
      "the scenario's name has 64 characters")                                                     \
    X(vendor_high, w->vendor_class.data[0] = 0x9b, "the vendor class holds the byte 0x9b")         \
    X(block_bits, w->block_bits = 257, "the block has a prefix of 257 bits")                       \
    X(servers, w->n_servers = 0, "the plan has 0 servers")                                         \
    X(server_name, w->servers[0]->name.data[0] = 0x1b, "a server's name holds the byte 0x1b")      \
    X(relays, w->n_relays = 0, "the plan has 0 relays")                                            \
    X(relay_name, w->relays[1]->name.data[0] = 0x7f, "a relay's name holds the byte 0x7f")         \
    X(relay_bits, w->relays[1]->subnet_bits = 256 + 17, "a relay's subnet has a prefix of 273")    \
    X(relay_to, w->relays[1]->to[0] = 257, "forwards to server 257")                               \
    X(relay_clients, w->relays[1]->client_count = UINT32_MAX, "more than 100000000 clients")       \
    X(relay_circuit,                                                                               \
      (w->relays[0]->circuit_id.data = (uint8_t *)too_long_name,                                   \
       w->relays[0]->circuit_id.len = 100),                                                        \
      "an option 82 value has 100 bytes")                                                          \
    X(relay_remote,                                                                                \
      (w->relays[0]->remote_id.data = (uint8_t *)too_long_name, w->relays[0]->remote_id.len = 65), \
      "an option 82 value has 65 bytes")                                                           \
    X(relay_to_many, (w->relays[1]->to = many_words, w->relays[1]->n_to = 17),                     \
      "a relay forwards to 17 servers")                                                            \
    X(servers_many, (w->servers = repeated(w->servers[0], 17), w->n_servers = 17),                 \
      "the plan has 17 servers")                                                                   \
    X(relays_many,                                                                                 \
      (w->relays = repeated(w->relays[0], PLAN_RELAYS_MAX + 1),                                    \
       w->n_relays = PLAN_RELAYS_MAX + 1),                                                         \
      "the plan has 16385 relays")                                                                 \
    X(stages_many, (w->stages = repeated(w->stages[0], 33), w->n_stages = 33),                     \
      "the plan has 33 stages")                                                                    \
    X(relay_short, w->relays[1]->client_count--, "the relays have 19999 clients and the plan")     \
    X(stage_kind_0, w->stages[0]->kind = (Leaseherd__StageKind)0, "of no known kind (0)")          \
    X(stage_kind, w->stages[0]->kind = (Leaseherd__StageKind)10, "of no known kind (10)")          \
    X(stage_name, w->stages[0]->name.data[0] = 0, "a stage's name holds the byte 0x00")            \
    X(stages, w->n_stages = 0, "the plan has 0 stages")

#define X(name, how, phrase)                                                                       \
    static void spoil_##name(Leaseherd__Plan *w)                                                   \
    {                                                                                              \
        how;                                                                                       \
    }
WIRE_BREAKS(X)
#undef X

static const struct {
    const char *name;
    void (*spoil)(Leaseherd__Plan *wire);
    const char *phrase;
} wire_rows[] = {
#define X(name, how, phrase) {#name, spoil_##name, phrase},
    WIRE_BREAKS(X)
#undef X
};

static size_t packed_sample(void)
{
    struct plan plan;

    sample_plan(&plan);
    size_t size = plan_encode(&plan, packed, sizeof(packed));
    plan_free(&plan);
    assert_in_range(size, 1, sizeof(spoiled));
    return size;
}

/* The generated code allocates here, so that spoiled plans need no freeing. */
static uint8_t heap[65536];
static size_t heap_used;

static void *heap_alloc(void *data, size_t size)
{
    (void)data;
    void *taken = heap + heap_used;

    heap_used += (size + 15) / 16 * 16;
    assert_true(heap_used <= sizeof(heap));
    return taken;
}

static void heap_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static ProtobufCAllocator heap_allocator = {.alloc = heap_alloc, .free = heap_free};

static void expect_refusal(const uint8_t *bytes, size_t size, const char *name, const char *phrase)
{
    struct plan plan;
    struct plan untouched;
    char why[PLAN_WHY_BYTES] = "";

    memset(&plan, 0x5a, sizeof(plan));
    memset(&untouched, 0x5a, sizeof(untouched));
    bool is_accepted = plan_decode(bytes, size, &plan, why);
    if (is_accepted || strstr(why, phrase) == NULL) {
        fail_msg("%s: accepted=%d why='%s', expected '%s'", name, is_accepted, why, phrase);
    }
    assert_memory_equal(&plan, &untouched, sizeof(plan));
}

static void every_spoiled_packing_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wire_rows); i++) {
        size_t size = packed_sample();
        heap_used = 0;
        Leaseherd__Plan *wire = leaseherd__plan__unpack(&heap_allocator, size, packed);
        assert_non_null(wire);
        wire_rows[i].spoil(wire);
        size = leaseherd__plan__pack(wire, spoiled);
        expect_refusal(spoiled, size, wire_rows[i].name, wire_rows[i].phrase);
    }
}

static void another_packing_of_the_same_content_is_refused(void **state)
{
    size_t size = packed_sample();

    (void)state;
    /* seed once more at the end: the last one counts, so the content is the same */
    memcpy(spoiled, packed, size);
    const uint8_t seed_again[] = {0x29, 1, 0, 0, 0, 0, 0, 0, 0};
    memcpy(spoiled + size, seed_again, sizeof(seed_again));
    expect_refusal(spoiled, size + sizeof(seed_again), "seed twice", "not packed as plans are");
    const uint8_t unknown[] = {0xd8, 0x06, 0x01};
    memcpy(spoiled + size, unknown, sizeof(unknown));
    expect_refusal(spoiled, size + sizeof(unknown), "unknown field", "not packed as plans are");
    const uint8_t explicit_zero[] = {0xb0, 0x01, 0x80, 0x00}; /* a longer varint of 0 */
    memcpy(spoiled + size, explicit_zero, sizeof(explicit_zero));
    expect_refusal(spoiled, size + sizeof(explicit_zero), "long zero", "acquire");
}

static void no_truncated_and_no_flipped_plan_has_the_same_hash(void **state)
{
    uint8_t good[PLAN_HASH_BYTES];
    uint8_t hash[PLAN_HASH_BYTES];
    size_t size = packed_sample();
    unsigned accepted = 0;

    (void)state;
    plan_hash(packed, size, good);
    for (size_t i = 0; i < size; i++) {
        struct plan plan;
        char why[PLAN_WHY_BYTES];
        if (plan_decode(packed, i, &plan, why)) {
            assert_int_equal(plan.agent_count, 0); /* cut off where the seal begins: unsealed */
            plan_free(&plan);
        }
        memcpy(spoiled, packed, size);
        spoiled[i] ^= 0x01;
        plan_hash(spoiled, size, hash);
        assert_memory_not_equal(hash, good, PLAN_HASH_BYTES);
        if (plan_decode(spoiled, size, &plan, why)) {
            accepted++; /* another seed, another name: another plan, hence another hash */
            plan_free(&plan);
        }
    }
    assert_true(accepted < size);
    expect_refusal(packed, 0, "empty", "the plan has 0 bytes");
    expect_refusal(packed, PLAN_BYTES_MAX + 1, "huge", "the plan has 3932161 bytes");
}

static void relays_of_one_slot_must_not_overlap(void **state)
{
    struct plan plan;
    char why[PLAN_WHY_BYTES];

    (void)state;
    sample_plan(&plan);
    free(plan.relays);
    plan.relay_count = 300;
    plan.client_count = 300;
    plan.relays = calloc(plan.relay_count, sizeof(*plan.relays));
    for (uint32_t i = 0; i < plan.relay_count; i++) {
        struct plan_relay *r = &plan.relays[i];
        (void)snprintf(r->name, sizeof(r->name), "r%u", i);
        r->giaddr = r->via = sample_ipv4(0xac100001 + i);
        r->subnet = (struct ipv4_net){sample_ipv4(0x0a0a0000 + i % 256 * 256), 24};
        r->first_client = i;
        r->client_count = 1;
        r->xid_slot = (uint8_t)(1 + i % 255);
        r->to_count = 1;
    }
    assert_true(plan_is_valid(&plan, why)); /* r0 and r256 share a subnet, not a slot */
    plan.relays[255].subnet = plan.relays[0].subnet;
    assert_false(plan_is_valid(&plan, why));
    assert_non_null(strstr(why, "relays r0 and r255 have overlapping subnets"));
    plan_free(&plan);
}

static void expect_equal_plans(struct plan a, struct plan b)
{
    assert_int_equal(a.relay_count, b.relay_count);
    assert_memory_equal(a.relays, b.relays, a.relay_count * sizeof(*a.relays));
    assert_int_equal(a.agent_count, b.agent_count);
    assert_memory_equal(a.agents, b.agents, a.agent_count * sizeof(*a.agents));
    a.relays = b.relays = NULL;
    a.agents = b.agents = NULL;
    assert_memory_equal(&a, &b, sizeof(a));
}

static void a_plan_comes_back_with_every_field(void **state)
{
    struct plan plan;
    struct plan back;
    char why[PLAN_WHY_BYTES] = "";

    (void)state;
    sample_plan(&plan);
    size_t size = plan_encode(&plan, NULL, 0);
    assert_int_equal(plan_encode(&plan, packed, size), size);
    if (!plan_decode(packed, size, &back, why)) {
        fail_msg("%s", why);
    }
    expect_equal_plans(plan, back);
    plan_free(&plan);
    plan_free(&back);
    plan_free(&back); /* twice is fine */
}

static void the_largest_plan_comes_back(void **state)
{
    struct plan plan;
    struct plan back;
    char why[PLAN_WHY_BYTES] = "";

    (void)state;
    sample_plan(&plan);
    free(plan.relays);
    plan.relay_count = PLAN_RELAYS_MAX;
    plan.client_count = PLAN_RELAYS_MAX * 6000;
    plan.relays = calloc(plan.relay_count, sizeof(*plan.relays));
    plan.block = (struct ipv4_net){sample_ipv4(0x0a000000), 8};
    for (uint32_t i = 0; i < plan.relay_count; i++) {
        struct plan_relay *r = &plan.relays[i];
        (void)snprintf(r->name, sizeof(r->name), "building-%u", i);
        r->giaddr = r->via = sample_ipv4(0xac100001 + i);
        r->subnet = (struct ipv4_net){sample_ipv4(0x0a000000 + i * 1024), 22};
        r->first_client = i * 6000;
        r->client_count = 6000;
        r->xid_slot = (uint8_t)(1 + i % 255);
        r->to_count = 2;
        r->to[1] = 1;
    }
    size_t size = plan_encode(&plan, packed, sizeof(packed));
    assert_in_range(size, 1, sizeof(packed));
    if (!plan_decode(packed, size, &back, why)) {
        fail_msg("%s", why);
    }
    expect_equal_plans(plan, back);
    plan_free(&plan);
    plan_free(&back);
}

static void a_client_is_found_from_its_mac_and_a_stranger_is_not(void **state)
{
    static const uint32_t clients[] = {0, 1, 11999, 12000, 19999};
    struct plan plan;
    struct plan other;
    uint32_t found = 0;

    (void)state;
    sample_plan(&plan);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct mac mac = plan_client_mac(&plan, clients[i]);
        assert_int_equal(mac.byte[0] & 0x03, 0x02); /* locally administered, unicast */
        assert_true(plan_client_of(&plan, mac, &found));
        assert_int_equal(found, clients[i]);
        mac.byte[0] ^= 0x40;
        assert_false(plan_client_of(&plan, mac, &found));
        mac.byte[0] ^= 0x40;
        mac.byte[1] ^= 0x01;
        assert_false(plan_client_of(&plan, mac, &found));
    }
    assert_false(plan_client_of(&plan, plan_client_mac(&plan, 20000), &found));
    assert_false(plan_client_of(&plan, plan_client_mac(&plan, UINT32_MAX), &found));
    other = plan;
    other.identity_seed++;
    assert_false(plan_client_of(&other, plan_client_mac(&plan, 0), &found));
    plan_free(&plan);
}

/* The four low bytes wrap; a base near the end must not lose clients. */
static void macs_are_distinct_across_the_wrap(void **state)
{
    struct plan plan;
    uint32_t found = 0;

    (void)state;
    sample_plan(&plan);
    plan.client_count = PLAN_CLIENTS_MAX;
    for (plan.identity_seed = 1;; plan.identity_seed++) {
        struct mac first = plan_client_mac(&plan, 0);
        if (first.byte[2] >= 0xfb) { /* base + 100 million passes 2^32 */
            break;
        }
    }
    assert_true(plan_client_of(&plan, plan_client_mac(&plan, PLAN_CLIENTS_MAX - 1), &found));
    assert_int_equal(found, PLAN_CLIENTS_MAX - 1);
    assert_false(plan_client_of(&plan, plan_client_mac(&plan, PLAN_CLIENTS_MAX), &found));
    plan_free(&plan);
}

static void the_relay_of_a_client_is_found_at_both_ends_of_each_range(void **state)
{
    struct plan plan;

    (void)state;
    sample_plan(&plan);
    assert_int_equal(plan_relay_of(&plan, 0), 0);
    assert_int_equal(plan_relay_of(&plan, 11999), 0);
    assert_int_equal(plan_relay_of(&plan, 12000), 1);
    assert_int_equal(plan_relay_of(&plan, 19999), 1);
    plan_free(&plan);
}

static void names_are_letters_digits_and_three_signs(void **state)
{
    static const char *const good[] = {"a", "bldg-1", "V.12_x", "9"};
    static const char *const bad[] = {"", "-a", ".a", "_a", "a b", "a/b", "a\n", "\xc3\xa9", "a,b"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(plan_name_is_valid(good[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(plan_name_is_valid(bad[i]));
    }
    assert_false(plan_name_is_valid(too_long_name));
    assert_string_equal(plan_stage_kind_name(PLAN_HOLD), "hold");
    assert_string_equal(plan_path_name(PLAN_PATH_EGRESS), "egress");
}

static int make_texts(void **state)
{
    (void)state;
    memset(too_long_name, 'x', sizeof(too_long_name) - 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_broken_rule_of_a_plan_is_named),
        cmocka_unit_test(every_spoiled_packing_is_named),
        cmocka_unit_test(another_packing_of_the_same_content_is_refused),
        cmocka_unit_test(no_truncated_and_no_flipped_plan_has_the_same_hash),
        cmocka_unit_test(relays_of_one_slot_must_not_overlap),
        cmocka_unit_test(a_plan_comes_back_with_every_field),
        cmocka_unit_test(the_largest_plan_comes_back),
        cmocka_unit_test(a_client_is_found_from_its_mac_and_a_stranger_is_not),
        cmocka_unit_test(macs_are_distinct_across_the_wrap),
        cmocka_unit_test(the_relay_of_a_client_is_found_at_both_ends_of_each_range),
        cmocka_unit_test(names_are_letters_digits_and_three_signs),
    };
    return cmocka_run_group_tests(tests, make_texts, NULL);
}
