/* SPDX-License-Identifier: MIT */
#include "agent/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sign.h"

#define MILLI   UINT64_C(1000)
#define HOUR_NS (UINT64_C(3600) * NS_PER_S)

enum { SHORTEST_PREFIX_BITS = 8 };

static const char *const spin_words[] = {[POLICY_SPIN_ON] = "on", [POLICY_SPIN_OFF] = "off", NULL};

static const struct schema_row operator_rows[] = {
    {.key = "key",
     .type = SCHEMA_TEXT,
     .offset = offsetof(struct policy_operator, key),
     .size = POLICY_KEY_BYTES,
     .is_required = true,
     .line_offset_plus_1 = 1 + offsetof(struct policy_operator, key_line),
     .help = "Public key, as `leaseherd keys operator` prints it."},
    {.key = NULL}};

const struct schema_row policy_rows[] = {
    {.key = "servers",
     .type = SCHEMA_IPV4_LIST,
     .offset = offsetof(struct policy, servers),
     .is_required = true,
     .line_offset_plus_1 = 1 + offsetof(struct policy, servers_line),
     .help = "The DHCP servers this agent may send to."},
    {.key = "prefixes",
     .type = SCHEMA_IPV4_NET_LIST,
     .offset = offsetof(struct policy, prefixes),
     .is_required = true,
     .line_offset_plus_1 = 1 + offsetof(struct policy, prefixes_line),
     .help = "Owned prefixes: relay addresses, subnets and the block of a run must lie inside."},
    {.key = "packets",
     .type = SCHEMA_RATE,
     .offset = offsetof(struct policy, packets_milli_per_s),
     .unit = "per second",
     .min = MILLI,
     .max = 10 * 1000 * 1000 * MILLI,
     .preset = "20000/s",
     .help = "Most packets this agent may send."},
    {.key = "clients",
     .type = SCHEMA_UINT,
     .offset = offsetof(struct policy, clients),
     .min = 1,
     .max = PLAN_CLIENTS_MAX,
     .preset = "1000000",
     .help = "Most clients this agent may play."},
    {.key = "run_time",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct policy, run_time_ns),
     .min = NS_PER_S,
     .max = 24 * 366 * HOUR_NS,
     .preset = "12h",
     .help = "Longest run."},
    {.key = "total_packets",
     .type = SCHEMA_UINT,
     .offset = offsetof(struct policy, total_packets),
     .min = 1,
     .max = UINT64_C(1000000000000000),
     .preset = "1000000000",
     .help = "Most packets of one run; then nothing more is sent, and the run is aborted."},
    {.key = "renewals_without_coordinator",
     .type = SCHEMA_DURATION,
     .offset = offsetof(struct policy, renewals_alone_ns),
     .max = 24 * 366 * HOUR_NS,
     .preset = "0s",
     .help = "How long leases may be renewed after the coordinator is lost."},
    {.key = "spin",
     .type = SCHEMA_ENUM,
     .offset = offsetof(struct policy, spin),
     .words = spin_words,
     .preset = "on",
     .help = "off: this host's CPUs are shared, and packets leave up to 250 us late."},
    {.key = "operators",
     .type = SCHEMA_MAP,
     .offset = offsetof(struct policy, operators),
     .size = sizeof(struct policy_operator),
     .rows = operator_rows,
     .line_offset_plus_1 = 1 + offsetof(struct policy, operators_line),
     .help = "Who may sign plans for this agent; without any it takes none."},
    {.key = NULL}};

static const struct ipv4 *server_list(const struct policy *policy)
{
    return policy->servers.items;
}

static const struct ipv4_net *prefix_list(const struct policy *policy)
{
    return policy->prefixes.items;
}

/* The broadcast address of one of our own prefixes is nobody's server. */
static bool is_directed_broadcast(const struct policy *policy, struct ipv4 a)
{
    for (size_t i = 0; i < policy->prefixes.count; i++) {
        struct ipv4_net net = prefix_list(policy)[i];
        if (net.prefix_bits <= 30 && inet_net_contains(net, a) &&
            (inet_host(a) | inet_host(inet_net_mask(net))) == UINT32_MAX) {
            return true;
        }
    }
    return false;
}

/* 0/8, multicast, reserved and broadcast: never a destination, whatever a file says. */
static bool is_unicast(struct ipv4 a)
{
    uint32_t top = inet_host(a) >> 24;
    return top != 0 && top < 224;
}

static void check_servers(const struct policy *policy, struct diag *why)
{
    char text[IPV4_TEXT_BYTES];
    if (policy->servers.count == 0) {
        diag_add(why, policy->servers_line,
                 "servers: is empty; list the DHCP servers this agent may send to");
    }
    for (size_t i = 0; i < policy->servers.count; i++) {
        struct ipv4 server = server_list(policy)[i];
        if (!is_unicast(server) || is_directed_broadcast(policy, server)) {
            diag_add(why, policy->servers_line,
                     "servers: %s is not the address of one host; broadcast and multicast are "
                     "never sent to, name the server's own address",
                     inet_text(server, text));
        }
    }
}

static void check_prefixes(const struct policy *policy, struct diag *why)
{
    char text[IPV4_NET_TEXT_BYTES];
    if (policy->prefixes.count == 0) {
        diag_add(why, policy->prefixes_line,
                 "prefixes: is empty; list the prefixes this agent may take addresses from");
    }
    for (size_t i = 0; i < policy->prefixes.count; i++) {
        struct ipv4_net net = prefix_list(policy)[i];
        if (net.prefix_bits < SHORTEST_PREFIX_BITS || !is_unicast(net.base)) {
            diag_add(why, policy->prefixes_line,
                     "prefixes: %s is no prefix somebody owns; name unicast prefixes of /8 or "
                     "longer",
                     inet_net_text(net, text));
        }
    }
}

static void check_operators(const struct policy *policy, struct diag *why)
{
    const struct policy_operator *operators = policy->operators.items;
    for (size_t i = 0; i < policy->operators.count; i++) {
        uint8_t key[SIGN_PUBLIC_BYTES];
        if (!sign_public_from_text(operators[i].key, key)) {
            diag_add(why, operators[i].key_line,
                     "operators: the key of %.63s is not 44 characters of base64; copy the line "
                     "that `leaseherd keys operator` printed",
                     operators[i].name);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(operators[i].key, operators[j].key) == 0) {
                diag_add(why, operators[i].key_line,
                         "operators: %.63s and %.63s have the same key; leave one of them out",
                         operators[j].name, operators[i].name);
            }
        }
    }
}

bool policy_parse(const char *text, size_t bytes, struct policy *out, struct diag *why)
{
    struct policy parsed;
    memset(&parsed, 0, sizeof(parsed));
    memset(out, 0, sizeof(*out));
    if (bytes == 0) {
        diag_add(why, 0, "the policy is empty; it needs at least servers: and prefixes:");
        return false;
    }
    bool is_parsed = schema_parse(policy_rows, text, bytes, &parsed, why);
    if (is_parsed) {
        check_servers(&parsed, why);
        check_prefixes(&parsed, why);
        check_operators(&parsed, why);
    }
    if (!is_parsed || !diag_is_clean(why)) {
        policy_free(&parsed);
        return false;
    }
    *out = parsed;
    return true;
}

void policy_free(struct policy *policy)
{
    schema_free(policy_rows, policy);
    memset(policy, 0, sizeof(*policy));
}

bool policy_owns_address(const struct policy *policy, struct ipv4 address)
{
    return policy_owns_net(policy, (struct ipv4_net){.base = address, .prefix_bits = 32});
}

bool policy_owns_net(const struct policy *policy, struct ipv4_net net)
{
    for (size_t i = 0; i < policy->prefixes.count; i++) {
        if (inet_net_covers(prefix_list(policy)[i], net)) {
            return true;
        }
    }
    return false;
}

static bool allows_server(const struct policy *policy, struct ipv4 server)
{
    for (size_t i = 0; i < policy->servers.count; i++) {
        if (inet_equal(server_list(policy)[i], server)) {
            return is_unicast(server);
        }
    }
    return false;
}

static bool check_plan_servers(const struct policy *policy, const struct plan *plan,
                               char why[POLICY_WHY_BYTES])
{
    char text[IPV4_TEXT_BYTES];
    for (uint32_t i = 0; i < plan->server_count; i++) {
        if (!allows_server(policy, plan->servers[i].address)) {
            (void)snprintf(why, POLICY_WHY_BYTES,
                           "server %s is not on this agent's policy; add it to servers: (line %u) "
                           "if it may be loaded from here",
                           inet_text(plan->servers[i].address, text), policy->servers_line);
            return false;
        }
    }
    return true;
}

static bool owns_or_says(const struct policy *policy, struct ipv4_net net, const char *what,
                         const char *name, char why[POLICY_WHY_BYTES])
{
    char text[IPV4_NET_TEXT_BYTES];
    if (policy_owns_net(policy, net)) {
        return true;
    }
    (void)snprintf(why, POLICY_WHY_BYTES,
                   "%s%s%.60s %s lies outside the prefixes this agent owns; add it to prefixes: "
                   "(line %u) if it is yours",
                   what, name[0] != '\0' ? " of relay " : "", name, inet_net_text(net, text),
                   policy->prefixes_line);
    return false;
}

static bool check_relay(const struct policy *policy, const struct plan_relay *relay,
                        char why[POLICY_WHY_BYTES])
{
    struct ipv4_net via = {.base = relay->via, .prefix_bits = 32};
    struct ipv4_net giaddr = {.base = relay->giaddr, .prefix_bits = 32};
    return owns_or_says(policy, via, "carrying address", relay->name, why) &&
           owns_or_says(policy, giaddr, "giaddr", relay->name, why) &&
           owns_or_says(policy, relay->subnet, "subnet", relay->name, why);
}

static uint64_t clients_of(const struct control_share *shares, size_t count)
{
    uint64_t clients = 0;
    for (size_t i = 0; i < count; i++) {
        clients += shares[i].client_count;
    }
    return clients;
}

/* Exact parts add up to the whole; an agent with next to nothing may send one. */
static uint64_t part_of_plan(const struct plan *plan, uint64_t clients)
{
    if (clients >= plan->client_count) {
        return plan->packets_per_s_max;
    }
    uint64_t part = (plan->packets_per_s_max * clients + plan->client_count - 1) /
                    plan->client_count; /* 10^10 * 10^8 at most */
    return part < plan->packets_per_s_max ? part + 1 : part;
}

uint64_t policy_packets_per_s(const struct policy *policy, const struct plan *plan,
                              const struct control_share *shares, size_t count)
{
    uint64_t part = part_of_plan(plan, clients_of(shares, count));
    uint64_t most = policy->packets_milli_per_s / MILLI;
    return part < most ? part : most;
}

bool policy_check_caps(const struct policy *policy, const struct plan *plan,
                       const struct control_prepare *assignment, char why[POLICY_WHY_BYTES])
{
    uint64_t clients = clients_of(assignment->shares, assignment->share_count);
    if (clients > policy->clients) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "%" PRIu64 " clients are more than the %" PRIu64 " this agent's policy "
                       "allows; use more agents or raise clients:",
                       clients, policy->clients);
        return false;
    }
    uint64_t packets_max = policy->packets_milli_per_s / MILLI;
    if (assignment->packets_per_s_max > packets_max) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "%" PRIu64 " packets/s are more than the %" PRIu64 "/s this agent's policy "
                       "allows; lower the scenario's limits or raise packets:",
                       assignment->packets_per_s_max, packets_max);
        return false;
    }
    if (assignment->packets_per_s_max > plan->packets_per_s_max) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the assignment is for %" PRIu64
                       " packets/s, but the signed plan for %" PRIu64 "/s at most",
                       assignment->packets_per_s_max, plan->packets_per_s_max);
        return false;
    }
    if (assignment->packets_per_s_max > part_of_plan(plan, clients)) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the assignment is for %" PRIu64 " packets/s, but of the %" PRIu64
                       "/s signed for all clients the part of these %" PRIu64 " is %" PRIu64
                       "/s at most",
                       assignment->packets_per_s_max, plan->packets_per_s_max, clients,
                       part_of_plan(plan, clients));
        return false;
    }
    if (plan->run_time_max_ns > policy->run_time_ns) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "a run of up to %" PRIu64 " s is longer than the %" PRIu64 " s this agent's "
                       "policy allows; shorten the scenario's limits or raise run_time:",
                       plan->run_time_max_ns / NS_PER_S, policy->run_time_ns / NS_PER_S);
        return false;
    }
    if (plan->renewals_alone_ns > policy->renewals_alone_ns) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "renewals for %" PRIu64 " s without a coordinator are more than the %" PRIu64
                       " s this agent's policy allows; shorten on_coordinator_loss or raise %s:",
                       plan->renewals_alone_ns / NS_PER_S, policy->renewals_alone_ns / NS_PER_S,
                       "renewals_without_coordinator");
        return false;
    }
    return true;
}

bool policy_check_plan(const struct policy *policy, const struct plan *plan,
                       const struct control_prepare *assignment, char why[POLICY_WHY_BYTES])
{
    if (!check_plan_servers(policy, plan, why) ||
        !owns_or_says(policy, plan->block, "the run's block", "", why)) {
        return false;
    }
    for (size_t i = 0; i < assignment->share_count; i++) {
        if (!check_relay(policy, &plan->relays[assignment->shares[i].relay], why)) {
            return false;
        }
    }
    return policy_check_caps(policy, plan, assignment, why);
}

static int by_first_client(const void *a, const void *b)
{
    const struct control_share *left = a;
    const struct control_share *right = b;
    return (left->first_client > right->first_client) - (left->first_client < right->first_client);
}

static bool shares_overlap(const struct control_share *shares, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t end = (uint64_t)shares[i - 1].first_client + shares[i - 1].client_count;
        if (shares[i].first_client < end) {
            return true;
        }
    }
    return false;
}

static bool check_no_overlap(const struct control_prepare *assignment, char why[POLICY_WHY_BYTES])
{
    struct control_share *sorted = calloc(assignment->share_count + 1, sizeof(*sorted));
    bool is_fine = false;
    if (sorted == NULL) {
        (void)snprintf(why, POLICY_WHY_BYTES, "out of memory; give the agent's host more");
    } else {
        memcpy(sorted, assignment->shares, assignment->share_count * sizeof(*sorted));
        qsort(sorted, assignment->share_count, sizeof(*sorted), by_first_client);
        is_fine = !shares_overlap(sorted, assignment->share_count);
        if (!is_fine) {
            (void)snprintf(why, POLICY_WHY_BYTES, "the assignment names clients twice");
        }
    }
    free(sorted);
    return is_fine;
}

static bool check_share(const struct plan *plan, const struct control_share *share,
                        char why[POLICY_WHY_BYTES])
{
    if (share->relay >= plan->relay_count) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the assignment names relay %u of a plan with %u relays", share->relay,
                       plan->relay_count);
        return false;
    }
    const struct plan_relay *relay = &plan->relays[share->relay];
    uint64_t end = (uint64_t)share->first_client + share->client_count;
    uint64_t relay_end = (uint64_t)relay->first_client + relay->client_count;
    if (share->client_count == 0 || share->first_client < relay->first_client || end > relay_end) {
        (void)snprintf(why, POLICY_WHY_BYTES,
                       "the assignment gives clients %u..%" PRIu64
                       " (exclusive) to relay %.60s, which has %u..%" PRIu64,
                       share->first_client, end, relay->name, relay->first_client, relay_end);
        return false;
    }
    return true;
}

bool assignment_is_inside(const struct plan *plan, const struct control_prepare *assignment,
                          char why[POLICY_WHY_BYTES])
{
    if (assignment->share_count == 0) {
        (void)snprintf(why, POLICY_WHY_BYTES, "the assignment is empty");
        return false;
    }
    for (size_t i = 0; i < assignment->share_count; i++) {
        if (!check_share(plan, &assignment->shares[i], why)) {
            return false;
        }
    }
    return check_no_overlap(assignment, why);
}
