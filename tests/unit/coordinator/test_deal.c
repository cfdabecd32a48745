/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "coordinator/plan/deal.h"

/* A scenario of relays given as lines, its plan, and a fleet. */
struct bench {
    struct scenario s;
    struct plan plan;
    struct diag why;
};

static void bench_init(struct bench *b, const char *relays)
{
    char text[8192];
    static const uint8_t run_id[PLAN_RUN_ID_BYTES] = {9};
    int length = snprintf(text, sizeof(text),
                          "leaseherd: 1\nscenario: deal\nservers:\n  a: {address: 192.168.1.12}\n"
                          "network:\n  block: 10.0.0.0/8\n  relays:\n%srun:\n"
                          "  - {name: x, acquire: {batch: 1}}\n"
                          "clients: {identity: fixed}\n",
                          relays);
    diag_init(&b->why, "deal.yaml");
    bool is_parsed = scenario_parse(text, (size_t)length, &b->s, &b->why);
    if (!is_parsed) {
        print_error("%s\n", b->why.item[0].text);
    }
    assert_true(is_parsed);
    assert_true(scenario_to_plan(&b->s, run_id, "deal", &b->plan));
}

static void bench_fini(struct bench *b)
{
    plan_free(&b->plan);
    scenario_free(&b->s);
}

static bool has_complaint(const struct bench *b, const char *words)
{
    for (size_t i = 0; i < b->why.count && i < DIAG_ITEMS_MAX; i++) {
        if (strstr(b->why.item[i].text, words) != NULL) {
            return true;
        }
    }
    for (size_t i = 0; i < b->why.count && i < DIAG_ITEMS_MAX; i++) {
        print_error("  %u: %s\n", b->why.item[i].line, b->why.item[i].text);
    }
    return false;
}

#define THREE_RELAYS                                                                               \
    "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 100}\n"                    \
    "    - {name: r2, giaddr: 172.16.8.4, subnet: 10.1.0.0/16, clients: 300}\n"                    \
    "    - {name: r3, giaddr: 172.16.8.5, subnet: 10.2.0.0/16, clients: 200}\n"

static struct ipv4 address(const char *text)
{
    struct ipv4 a = {0};
    assert_true(inet_parse(text, &a));
    return a;
}

static struct deal_agent agent(const char *name, uint32_t cores, const struct ipv4 *addresses,
                               size_t count)
{
    struct deal_agent a = {.cores = cores, .addresses = addresses, .address_count = count};
    (void)snprintf(a.name, sizeof(a.name), "%s", name);
    return a;
}

static void a_relay_nobody_can_carry_is_named(void **unused)
{
    (void)unused;
    struct bench b;
    struct deal_hand hands[1];
    bench_init(&b, THREE_RELAYS);
    const struct ipv4 mine[] = {address("172.16.8.3"), address("172.16.8.5")};
    const struct deal_agent fleet[] = {agent("a1", 1, mine, 2)};
    assert_false(deal_relays(&b.s, &b.plan, fleet, 1, hands, &b.why));
    assert_int_equal(b.why.count, 1);
    assert_true(has_complaint(&b, "relay r2: no agent may use its address 172.16.8.4"));
    assert_int_equal(b.why.item[0].line, 9);
    deal_free(hands, 1);
    bench_fini(&b);
}

static void an_agent_without_a_relay_is_refused(void **unused)
{
    (void)unused;
    struct bench b;
    struct deal_hand hands[2];
    bench_init(&b, THREE_RELAYS);
    const struct ipv4 mine[] = {address("172.16.8.3"), address("172.16.8.4"),
                                address("172.16.8.5")};
    const struct ipv4 other[] = {address("172.16.9.3")};
    const struct deal_agent fleet[] = {agent("a1", 1, mine, 3), agent("a2", 1, other, 1)};
    assert_false(deal_relays(&b.s, &b.plan, fleet, 2, hands, &b.why));
    assert_true(has_complaint(&b, "agent a2 has no relay to carry"));
    deal_free(hands, 2);
    bench_fini(&b);
}

static void a_pin_that_cannot_be_kept_is_refused(void **unused)
{
    (void)unused;
    static const struct {
        const char *relays, *words;
    } rows[] = {
        {"    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 1, agent: a9}\n",
         "pinned to agent 'a9', which is not here; did you mean 'a1'?"},
        {"    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 1, agent: tokyo}\n",
         "pinned to agent 'tokyo', which is not here; start that agent"},
        {"    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 1, agent: a2}\n",
         "pinned to agent 'a2', which may not use 172.16.8.3"},
        {"    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 1, agent: a1}\n"
         "    - {name: r2, giaddr: 172.16.8.7, via: 172.16.8.3, subnet: 10.1.0.0/16, clients: 1, "
         "agent: a2}\n",
         "shares the address 172.16.8.3 with a relay pinned to 'a1'"},
    };
    const struct ipv4 mine[] = {address("172.16.8.3")}, other[] = {address("172.16.8.9")};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        struct deal_hand hands[2];
        const struct deal_agent fleet[] = {agent("a1", 1, mine, 1), agent("a2", 1, other, 1)};
        bench_init(&b, rows[i].relays);
        assert_false(deal_relays(&b.s, &b.plan, fleet, 2, hands, &b.why));
        assert_true(has_complaint(&b, rows[i].words));
        deal_free(hands, 2);
        bench_fini(&b);
    }
}

static void a_pinned_relay_goes_to_its_agent(void **unused)
{
    (void)unused;
    struct bench b;
    struct deal_hand hands[2];
    bench_init(&b, "    - {name: r1, giaddr: 172.16.8.3, subnet: 10.1.0.0/16, clients: 1}\n"
                   "    - {name: r2, giaddr: 172.16.8.4, subnet: 10.1.0.0/16, clients: 9, agent: "
                   "a2}\n");
    const struct ipv4 mine[] = {address("172.16.8.3"), address("172.16.8.4")};
    const struct deal_agent fleet[] = {agent("a1", 1, mine, 2), agent("a2", 1, mine, 2)};
    assert_true(deal_relays(&b.s, &b.plan, fleet, 2, hands, &b.why));
    assert_int_equal(hands[0].clients, 1);
    assert_int_equal(hands[1].clients, 9);
    assert_int_equal(hands[1].shares[0].relay, 1);
    assert_int_equal(hands[1].shares[0].first_client, 1);
    deal_free(hands, 2);
    bench_fini(&b);
}

/* Biggest first, each to the agent with the fewest clients per core, ties by name. */
static void a_choice_is_made_by_clients_per_core_then_by_name(void **unused)
{
    (void)unused;
    struct bench b;
    struct deal_hand hands[2];
    bench_init(&b, THREE_RELAYS);
    const struct ipv4 all[] = {address("172.16.8.3"), address("172.16.8.4"), address("172.16.8.5")};
    const struct deal_agent fleet[] = {agent("b", 1, all, 3), agent("a", 1, all, 3)};
    assert_true(deal_relays(&b.s, &b.plan, fleet, 2, hands, &b.why));
    assert_int_equal(hands[1].clients, 300); /* r2: a tie, so the name decides */
    assert_int_equal(hands[0].clients, 300); /* r3, and then r1 */
    deal_free(hands, 2);

    const struct deal_agent strong[] = {agent("b", 8, all, 3), agent("a", 1, all, 3)};
    assert_true(deal_relays(&b.s, &b.plan, strong, 2, hands, &b.why));
    assert_int_equal(hands[1].clients, 300);
    assert_int_equal(hands[0].clients, 300); /* 200/8 and then 300/8 < 300/1 */
    deal_free(hands, 2);
    bench_fini(&b);
}

/* Two processes cannot have the sockets of one address. */
static void relays_with_one_carrying_address_stay_together(void **unused)
{
    (void)unused;
    struct bench b;
    struct deal_hand hands[2];
    bench_init(&b, "    - {name: r1, giaddr: 172.16.1.1, via: 172.16.8.3, subnet: 10.1.0.0/16, "
                   "clients: 10}\n"
                   "    - {name: r2, giaddr: 172.16.2.1, via: 172.16.8.3, subnet: 10.2.0.0/16, "
                   "clients: 10}\n"
                   "    - {name: r3, giaddr: 172.16.3.1, via: 172.16.8.4, subnet: 10.3.0.0/16, "
                   "clients: 5}\n");
    const struct ipv4 all[] = {address("172.16.8.3"), address("172.16.8.4")};
    const struct deal_agent fleet[] = {agent("a1", 1, all, 2), agent("a2", 1, all, 2)};
    assert_true(deal_relays(&b.s, &b.plan, fleet, 2, hands, &b.why));
    assert_int_equal(hands[0].share_count, 2);
    assert_int_equal(hands[0].clients, 20);
    assert_int_equal(hands[1].share_count, 1);
    deal_free(hands, 2);
    bench_fini(&b);
}

enum { RELAYS = 40, FLEET_MAX = 5 };

/* Marks what the hands deal; each client must be dealt once, by its own relay. */
static void check_partition(const struct bench *b, const struct deal_hand *hands, size_t count)
{
    uint8_t *seen = calloc(b->plan.client_count, 1);
    assert_non_null(seen);
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t mine = 0;
        for (size_t j = 0; j < hands[i].share_count; j++) {
            const struct control_share *share = &hands[i].shares[j];
            for (uint32_t k = 0; k < share->client_count; k++) {
                uint32_t client = share->first_client + k;
                assert_int_equal(seen[client], 0);
                seen[client] = 1;
                assert_int_equal(plan_relay_of(&b->plan, client), share->relay);
            }
            mine += share->client_count;
        }
        assert_int_equal(mine, hands[i].clients);
        total += mine;
    }
    assert_int_equal(total, b->plan.client_count);
    free(seen);
}

/* The set of (client, relay, MAC) follows from the plan; dealing only cuts it. */
static void every_client_is_played_once_on_one_to_five_agents(void **unused)
{
    (void)unused;
    char relays[RELAYS * 100];
    struct ipv4 all[RELAYS];
    int used = 0;
    for (int i = 0; i < RELAYS; i++) {
        char text[32];
        used += snprintf(relays + used, sizeof(relays) - (size_t)used,
                         "    - {name: r%d, giaddr: 172.16.8.%d, subnet: 10.%d.0.0/16, clients: "
                         "%d}\n",
                         i, i + 1, i / 3, 1 + i * 37 % 101);
        (void)snprintf(text, sizeof(text), "172.16.8.%d", i + 1);
        all[i] = address(text);
    }
    struct bench b;
    bench_init(&b, relays);
    for (size_t count = 1; count <= FLEET_MAX; count++) {
        struct deal_agent fleet[FLEET_MAX];
        struct deal_hand hands[FLEET_MAX], again[FLEET_MAX];
        for (size_t i = 0; i < count; i++) {
            char name[8];
            (void)snprintf(name, sizeof(name), "a%zu", i);
            /* Windows of addresses that overlap, so that there are choices and none. */
            size_t first = i * 4, last = count == 1 ? RELAYS : RELAYS - (count - 1 - i) * 4;
            fleet[i] = agent(name, (uint32_t)(1 + i % 2), all + first, last - first);
        }
        assert_true(deal_relays(&b.s, &b.plan, fleet, count, hands, &b.why));
        check_partition(&b, hands, count);
        assert_true(deal_relays(&b.s, &b.plan, fleet, count, again, &b.why));
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(hands[i].share_count, again[i].share_count);
            assert_memory_equal(hands[i].shares, again[i].shares,
                                hands[i].share_count * sizeof(struct control_share));
        }
        deal_free(hands, count);
        deal_free(again, count);
    }
    bench_fini(&b);
}

static void a_split_sums_to_the_total_and_is_nearly_proportional(void **unused)
{
    (void)unused;
    struct prng p = prng_seeded(4);
    for (int round = 0; round < 2000; round++) {
        uint64_t weights[7], parts[7], sum = 0, weight_sum = 0;
        size_t count = 1 + (size_t)prng_below(&p, 7);
        for (size_t i = 0; i < count; i++) {
            weights[i] = prng_below(&p, 4) == 0 ? 0 : 1 + prng_below(&p, UINT64_C(1) << 40);
            weight_sum += weights[i];
        }
        if (weight_sum == 0) {
            continue;
        }
        uint64_t total = prng_next(&p) >> (prng_below(&p, 60) + 4);
        deal_split(total, weights, count, parts);
        for (size_t i = 0; i < count; i++) {
            double exact = (double)total * (double)weights[i] / (double)weight_sum;
            assert_true((double)parts[i] > exact * (1 - 1e-9) - 1.000001);
            assert_true((double)parts[i] < exact * (1 + 1e-9) + 1.000001);
            assert_true(weights[i] > 0 || parts[i] == 0);
            sum += parts[i];
        }
        assert_true(sum == total);
    }
}

static void a_split_gives_the_rest_to_the_largest_remainder_then_in_order(void **unused)
{
    (void)unused;
    uint64_t parts[3];
    deal_split(300, (const uint64_t[]){1, 1, 1}, 3, parts);
    assert_int_equal(parts[0], 100);
    deal_split(10, (const uint64_t[]){1, 1, 1}, 3, parts);
    assert_int_equal(parts[0], 4);
    assert_int_equal(parts[1], 3);
    assert_int_equal(parts[2], 3);
    deal_split(10, (const uint64_t[]){12, 27, 61}, 3, parts); /* 1.2, 2.7, 6.1 */
    assert_int_equal(parts[0], 1);
    assert_int_equal(parts[1], 3);
    assert_int_equal(parts[2], 6);
    deal_split(0, (const uint64_t[]){0, 0, 0}, 3, parts);
    assert_int_equal(parts[2], 0);
}

static void a_subnet_at_two_agents_is_not_whole(void **unused)
{
    (void)unused;
    struct bench b;
    struct deal_hand hands[2];
    bench_init(&b, THREE_RELAYS);
    const struct ipv4 first[] = {address("172.16.8.3"), address("172.16.8.4")};
    const struct ipv4 second[] = {address("172.16.8.5")};
    const struct deal_agent whole[] = {agent("a1", 1, first, 2), agent("a2", 1, second, 1)};
    assert_true(deal_relays(&b.s, &b.plan, whole, 2, hands, &b.why));
    assert_true(deal_subnets_are_whole(&b.plan, hands, 2));
    deal_free(hands, 2);

    const struct ipv4 third[] = {address("172.16.8.4"), address("172.16.8.5")};
    const struct deal_agent torn[] = {agent("a1", 1, first, 1), agent("a2", 1, third, 2)};
    assert_true(deal_relays(&b.s, &b.plan, torn, 2, hands, &b.why));
    assert_false(deal_subnets_are_whole(&b.plan, hands, 2));
    deal_free(hands, 2);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_nobody_can_carry_is_named),
        cmocka_unit_test(an_agent_without_a_relay_is_refused),
        cmocka_unit_test(a_pin_that_cannot_be_kept_is_refused),
        cmocka_unit_test(a_subnet_at_two_agents_is_not_whole),
        cmocka_unit_test(a_pinned_relay_goes_to_its_agent),
        cmocka_unit_test(a_choice_is_made_by_clients_per_core_then_by_name),
        cmocka_unit_test(relays_with_one_carrying_address_stay_together),
        cmocka_unit_test(every_client_is_played_once_on_one_to_five_agents),
        cmocka_unit_test(a_split_sums_to_the_total_and_is_nearly_proportional),
        cmocka_unit_test(a_split_gives_the_rest_to_the_largest_remainder_then_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
