/* SPDX-License-Identifier: MIT */
/* Servers, block, relays: what no single row can see. */
#include "coordinator/plan/scenario_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_COUNT = 255, BLOCK_PREFIX_MIN = 8 };

/* A relay together with where it stands; sorted copies find duplicates in n log n. */
struct spot {
    const struct raw_relay *relay;
    size_t position;
};

/* One pass over one scenario. Zero values stand for what the schema refused, unless it was clean.
 */
struct check {
    const struct raw_scenario *raw;
    const struct scenario *s;
    struct diag *why;
    bool schema_is_clean;
};

static const struct raw_relay *relays_of(const struct raw_scenario *raw)
{
    return raw->network.relays.items;
}

static const struct raw_server *servers_of(const struct raw_scenario *raw)
{
    return raw->servers.items;
}

static bool is_loopback(struct ipv4 a)
{
    return inet_host(a) >> 24 == 127;
}

/* Addresses the schema refused may have been anything. */
static bool all_servers_are_loopback(const struct raw_scenario *raw)
{
    for (size_t i = 0; i < raw->servers.count; i++) {
        struct ipv4 a = servers_of(raw)[i].address;
        if (!is_loopback(a) && !inet_is_zero(a)) {
            return false;
        }
    }
    return true;
}

/* NULL when a host can have this address, else what it is instead. */
static const char *not_a_host(struct ipv4 a)
{
    uint32_t host = inet_host(a);
    if (host == UINT32_MAX) {
        return "the broadcast address";
    }
    if (host >> 28 == 14) {
        return "a multicast address";
    }
    if (host >> 28 == 15) {
        return "a reserved address";
    }
    if (host >> 24 == 0) {
        return "no address of a host";
    }
    return NULL;
}

static void check_leases(const struct raw_server *server, struct diag *why)
{
    const struct raw_leases *l = &server->leases;
    int given = (l->dhcpd[0] != '\0') + (l->kea[0] != '\0') + (l->kea_socket[0] != '\0') + l->query;
    if (!server->has_leases || given == 1 || scenario_has_complaint(why, server->leases_line)) {
        return;
    }
    diag_add(why, server->leases_line,
             "server %s: leases %s; give exactly one of dhcpd, kea, kea_socket, query",
             server->name, given == 0 ? "says nothing" : "names several sources");
}

static void check_servers(const struct check *c)
{
    const struct raw_scenario *raw = c->raw;
    struct diag *why = c->why;
    if (raw->servers.count > PLAN_SERVERS_MAX) {
        diag_add(why, raw->servers_line, "%zu servers are more than a plan holds; at most %d",
                 raw->servers.count, PLAN_SERVERS_MAX);
    }
    const struct raw_server *servers = servers_of(raw);
    for (size_t i = 0; i < raw->servers.count; i++) {
        char text[IPV4_TEXT_BYTES];
        (void)inet_text(servers[i].address, text);
        const char *what = not_a_host(servers[i].address);
        bool is_known = c->schema_is_clean || !inet_is_zero(servers[i].address);
        if (what != NULL && is_known) {
            diag_add(why, servers[i].line, "server %s: %s is %s; give the address it listens on",
                     servers[i].name, text, what);
        }
        check_leases(&servers[i], why);
        for (size_t j = 0; j < i; j++) {
            if (is_known && inet_equal(servers[i].address, servers[j].address)) {
                diag_add(why, servers[i].line,
                         "servers %s and %s have the same address %s; name each server once",
                         servers[j].name, servers[i].name, text);
            }
        }
    }
}

static void check_relay_address(const struct check *c, const struct raw_relay *r, const char *key,
                                struct ipv4 a, unsigned line)
{
    struct diag *why = c->why;
    char text[IPV4_TEXT_BYTES], subnet[IPV4_NET_TEXT_BYTES];
    (void)inet_text(a, text);
    if (inet_is_zero(a) && !c->schema_is_clean) {
        return;
    }
    const char *what = not_a_host(a);
    if (what != NULL) {
        diag_add(why, line, "relay %s: %s %s is %s; give an address a host can have", r->name, key,
                 text, what);
        return;
    }
    if (is_loopback(a) && !all_servers_are_loopback(c->raw)) {
        diag_add(why, line,
                 "relay %s: %s %s is a loopback address and a server is not; replies could never "
                 "come back, give an address the servers can reach",
                 r->name, key, text);
    }
    bool is_end =
        r->subnet.prefix_bits > 0 && r->subnet.prefix_bits <= 30 &&
        (inet_equal(a, r->subnet.base) ||
         inet_host(a) == (inet_host(r->subnet.base) | ~inet_host(inet_net_mask(r->subnet))));
    if (is_end) {
        diag_add(
            why, line,
            "relay %s: %s %s is the network or broadcast address of its subnet %s; give a host "
            "address",
            r->name, key, text, inet_net_text(r->subnet, subnet));
    }
    for (size_t i = 0; i < c->raw->servers.count; i++) {
        if (inet_equal(a, servers_of(c->raw)[i].address)) {
            diag_add(why, line,
                     "relay %s: %s %s is the address of server %s; a relay needs an address of its "
                     "own",
                     r->name, key, text, servers_of(c->raw)[i].name);
        }
    }
}

static void check_targets(const struct check *c, const struct scenario_relay *relay, unsigned line)
{
    const struct raw_scenario *raw = c->raw;
    struct diag *why = c->why;
    const char *words[PLAN_SERVERS_MAX + 1];
    size_t word_count = 0;
    for (size_t i = 0; i < raw->servers.count && i < PLAN_SERVERS_MAX; i++) {
        words[word_count++] = servers_of(raw)[i].name;
    }
    words[word_count] = NULL;

    const char(*to)[PLAN_NAME_BYTES] = relay->to.items;
    for (size_t i = 0; i < relay->to.count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < word_count; j++) {
            is_known = is_known || strcmp(to[i], words[j]) == 0;
        }
        if (!is_known && (c->schema_is_clean || to[i][0] != '\0')) {
            const char *near = schema_nearest(to[i], words);
            diag_add(why, line, "relay %s: there is no server '%s'; %s%s%s", relay->name, to[i],
                     near != NULL ? "did you mean '" : "name one of `servers`",
                     near != NULL ? near : "", near != NULL ? "'?" : "");
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(to[i], to[j]) == 0) {
                diag_add(why, line, "relay %s: server '%s' is named twice; name it once",
                         relay->name, to[i]);
            }
        }
    }
}

static void check_one_relay(const struct check *c, const struct raw_relay *r)
{
    struct ipv4_net all = c->raw->network.block;
    char subnet[IPV4_NET_TEXT_BYTES], block[IPV4_NET_TEXT_BYTES];

    check_relay_address(c, r, "giaddr", r->giaddr, r->giaddr_line);
    if (r->has_via) {
        check_relay_address(c, r, "via", r->via, r->via_line);
    }
    if (r->has_option82 && r->option82.circuit_id[0] == '\0' && r->option82.remote_id[0] == '\0') {
        diag_add(c->why, r->line, "relay %s: option82 is empty; give circuit_id or remote_id",
                 r->name);
    }
    bool is_known = c->schema_is_clean || (all.prefix_bits > 0 && r->subnet.prefix_bits > 0);
    if (is_known && !inet_net_covers(all, r->subnet)) {
        diag_add(c->why, r->subnet_line,
                 "relay %s: subnet %s is not inside block %s; widen the block or move the subnet",
                 r->name, inet_net_text(r->subnet, subnet), inet_net_text(all, block));
    }
}

static int by_name(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;
    int order = strcmp(x->relay->name, y->relay->name);
    return order != 0 ? order : (x->position > y->position) - (x->position < y->position);
}

static int by_giaddr(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;
    uint32_t left = inet_host(x->relay->giaddr), right = inet_host(y->relay->giaddr);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    return (x->position > y->position) - (x->position < y->position);
}

/* Wide subnets before the ones they cover. */
static int by_subnet(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;
    uint32_t left = inet_host(x->relay->subnet.base), right = inet_host(y->relay->subnet.base);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    if (x->relay->subnet.prefix_bits != y->relay->subnet.prefix_bits) {
        return x->relay->subnet.prefix_bits < y->relay->subnet.prefix_bits ? -1 : 1;
    }
    return (x->position > y->position) - (x->position < y->position);
}

static void check_duplicates(struct spot *spots, size_t count, struct diag *why)
{
    qsort(spots, count, sizeof(*spots), by_name);
    for (size_t i = 1; i < count; i++) {
        const struct raw_relay *r = spots[i].relay, *before = spots[i - 1].relay;
        if (r->name[0] != '\0' && strcmp(r->name, before->name) == 0) {
            diag_add(why, r->line, "two relays are named '%s', the other in line %u; rename one",
                     r->name, before->line);
        }
    }
    qsort(spots, count, sizeof(*spots), by_giaddr);
    for (size_t i = 1; i < count; i++) {
        const struct raw_relay *r = spots[i].relay, *before = spots[i - 1].relay;
        char text[IPV4_TEXT_BYTES];
        if (!inet_is_zero(r->giaddr) && inet_equal(r->giaddr, before->giaddr)) {
            diag_add(why, r->giaddr_line,
                     "relays %s and %s have the same giaddr %s; each relay needs its own",
                     before->name, r->name, inet_text(r->giaddr, text));
        }
    }
}

static uint64_t usable_addresses(struct ipv4_net net)
{
    uint64_t size = inet_net_size(net);
    return net.prefix_bits <= 30 ? size - 2 : size;
}

/*
 * Prefixes are nested or apart, so behind a subnet in this order come exactly
 * the subnets it covers. Each relay is visited once per prefix that covers it.
 */
static void check_room(struct spot *spots, size_t count, struct diag *why)
{
    qsort(spots, count, sizeof(*spots), by_subnet);
    for (size_t i = 0; i < count; i++) {
        const struct raw_relay *r = spots[i].relay;
        bool is_repeat = i > 0 && r->subnet.prefix_bits == spots[i - 1].relay->subnet.prefix_bits &&
                         inet_equal(r->subnet.base, spots[i - 1].relay->subnet.base);
        if (r->subnet.prefix_bits == 0 || is_repeat) {
            continue;
        }
        uint64_t clients = 0;
        size_t sharing = 0;
        for (size_t j = i; j < count && inet_net_covers(r->subnet, spots[j].relay->subnet); j++) {
            clients += spots[j].relay->clients;
            sharing++;
        }
        if (clients > usable_addresses(r->subnet)) {
            char text[IPV4_NET_TEXT_BYTES];
            diag_add(why, r->subnet_line,
                     "subnet %s has %" PRIu64 " addresses and %" PRIu64
                     " clients behind %zu relay%s; take fewer clients or a wider subnet",
                     inet_net_text(r->subnet, text), usable_addresses(r->subnet), clients, sharing,
                     sharing == 1 ? "" : "s");
        }
    }
}

/* Replies in a shared subnet are told apart by the first byte of the xid: DESIGN section 3. */
static void check_slots(const struct raw_scenario *raw, struct diag *why)
{
    const struct raw_relay *relays = relays_of(raw);
    size_t count = raw->network.relays.count;
    for (size_t i = SLOT_COUNT; i < count; i++) {
        for (size_t j = i % SLOT_COUNT; j < i; j += SLOT_COUNT) {
            if (relays[i].subnet.prefix_bits == 0 || relays[j].subnet.prefix_bits == 0 ||
                !inet_net_overlaps(relays[i].subnet, relays[j].subnet)) {
                continue;
            }
            diag_add(why, relays[i].subnet_line,
                     "relays %s and %s share addresses and xid slot %zu; at most %d relays in "
                     "sequence can share a subnet, so reorder the relays or split the subnet",
                     relays[j].name, relays[i].name, 1 + i % SLOT_COUNT, SLOT_COUNT);
            break;
        }
    }
}

static void check_relays(const struct check *c)
{
    const struct raw_relay *relays = relays_of(c->raw);
    const struct scenario_relay *parsed = c->s->relays.items;
    size_t count = c->raw->network.relays.count;
    if (count > PLAN_RELAYS_MAX) {
        return; /* the schema has complained */
    }
    struct spot *spots = calloc(count, sizeof(*spots));
    if (spots == NULL) {
        diag_add(c->why, 0, "out of memory; give fewer relays");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        check_one_relay(c, &relays[i]);
        check_targets(c, &parsed[i], relays[i].to_line);
        spots[i] = (struct spot){.relay = &relays[i], .position = i};
    }
    check_duplicates(spots, count, c->why);
    check_room(spots, count, c->why);
    free(spots);
    check_slots(c->raw, c->why);
}

/* The block is what keeps the test away from production, so it cannot be everything. */
static void check_block(const struct check *c)
{
    struct ipv4_net block = c->raw->network.block;
    bool is_known = c->schema_is_clean || block.prefix_bits > 0;
    if (is_known && block.prefix_bits < BLOCK_PREFIX_MIN) {
        char text[IPV4_NET_TEXT_BYTES];
        diag_add(c->why, c->raw->network.block_line,
                 "block %s is wider than a /%d; name only the addresses of the test",
                 inet_net_text(block, text), BLOCK_PREFIX_MIN);
    }
}

void scenario_check_network(const struct raw_scenario *raw, const struct scenario *s,
                            struct diag *why)
{
    const struct check c = {.raw = raw, .s = s, .why = why, .schema_is_clean = diag_is_clean(why)};
    check_servers(&c);
    check_block(&c);
    if (raw->network.relays.count > 0) {
        check_relays(&c);
    }
    if (scenario_client_count(s) > PLAN_CLIENTS_MAX) {
        diag_add(why, raw->network.relays_line,
                 "%" PRIu64 " clients in total are more than a plan holds; at most %d",
                 scenario_client_count(s), PLAN_CLIENTS_MAX);
    }
}
