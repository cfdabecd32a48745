/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/setup_print.h"

enum { LEASE_GUESS_S = 60, MCLT_GUESS_S = 60 };
static const char own_guard[] = "leaseherd/"; /* as the plan's vendor class begins by default */

static bool refuse(char why[SETUP_WHY_BYTES], const char *text)
{
    (void)snprintf(why, SETUP_WHY_BYTES, "%s", text);
    return false;
}

static const struct scenario_relay *relay_at(const struct scenario *s, size_t i)
{
    return (const struct scenario_relay *)s->relays.items + i;
}

static const char *server_name(const struct scenario *s, size_t i)
{
    return ((const struct scenario_server *)s->servers.items)[i].name;
}

static bool is_target(const struct scenario *s, const struct scenario_relay *relay, size_t server)
{
    const char(*to)[PLAN_NAME_BYTES] = relay->to.items;
    for (size_t i = 0; i < relay->to.count; i++) {
        if (strcmp(to[i], server_name(s, server)) == 0) {
            return true;
        }
    }
    return relay->to.count == 0;
}

static bool same_net(struct ipv4_net a, struct ipv4_net b)
{
    return inet_equal(a.base, b.base) && a.prefix_bits == b.prefix_bits;
}

bool setup_serves(const struct setup *setup, const struct setup_network *network, size_t relay)
{
    const struct scenario_relay *r = relay_at(setup->scenario, relay);
    return same_net(r->subnet, network->subnet) && is_target(setup->scenario, r, setup->server);
}

/* --- which server, with which partner --- */

static bool choose_server(const struct scenario *s, const struct setup_wish *wish,
                          struct setup *out, char why[SETUP_WHY_BYTES])
{
    size_t count = s->servers.count, at = wish->server == NULL ? 0 : count;
    for (size_t i = 0; wish->server != NULL && i < count; i++) {
        at = strcmp(server_name(s, i), wish->server) == 0 ? i : at;
    }
    if (wish->server == NULL && count > 1) {
        (void)snprintf(why, SETUP_WHY_BYTES,
                       "the scenario has %zu servers, and each is configured differently; say "
                       "which by --server %s",
                       count, server_name(s, 0));
        return false;
    }
    if (at == count) {
        (void)snprintf(why, SETUP_WHY_BYTES,
                       "the scenario has no server '%.60s'; its first is '%s'", wish->server,
                       server_name(s, 0));
        return false;
    }
    out->server = out->partner = at;
    return true;
}

/* Servers that share a relay of ours share its addresses: they must be partners. */
static bool choose_partner(struct setup *setup, char why[SETUP_WHY_BYTES])
{
    const struct scenario *s = setup->scenario;
    for (size_t r = 0; r < s->relays.count; r++) {
        if (!is_target(s, relay_at(s, r), setup->server)) {
            continue;
        }
        for (size_t i = 0; i < s->servers.count; i++) {
            if (i == setup->server || i == setup->partner || !is_target(s, relay_at(s, r), i)) {
                continue;
            }
            if (setup->partner != setup->server) {
                (void)snprintf(why, SETUP_WHY_BYTES,
                               "relay %s forwards to %s, %s and %s, but failover is between two; "
                               "name two of them in the relay's `to`",
                               relay_at(s, r)->name, server_name(s, setup->server),
                               server_name(s, setup->partner), server_name(s, i));
                return false;
            }
            setup->partner = i;
        }
    }
    setup->is_primary = setup->server <= setup->partner;
    return true;
}

/* --- networks and their pools --- */

/* Without its two ends. The scenario's check has seen to it that it lies in the block. */
static void bounds_of(struct ipv4_net subnet, uint32_t *out_first, uint32_t *out_last)
{
    *out_first = inet_host(subnet.base) + 1;
    *out_last = inet_host(subnet.base) + (uint32_t)(inet_net_size(subnet) - 2);
}

/* The lowest address at or after `from` that somebody has: relays, servers, the router. */
static uint32_t next_taken(const struct setup *setup, const struct setup_network *n, uint32_t from)
{
    const struct scenario *s = setup->scenario;
    const struct scenario_server *servers = s->servers.items;
    uint32_t lowest = UINT32_MAX, candidate = inet_host(n->router);
    lowest = candidate >= from ? candidate : lowest;
    for (size_t i = 0; i < s->relays.count; i++) {
        const uint32_t of[] = {inet_host(relay_at(s, i)->giaddr), inet_host(relay_at(s, i)->via)};
        for (size_t k = 0; k < 2; k++) {
            lowest = of[k] >= from && of[k] < lowest ? of[k] : lowest;
        }
    }
    for (size_t i = 0; i < s->servers.count; i++) {
        candidate = inet_host(servers[i].address);
        lowest = candidate >= from && candidate < lowest ? candidate : lowest;
    }
    return lowest;
}

/* The first run of `want` addresses nobody has, else the longest. */
static uint64_t place_pool(const struct setup *setup, struct setup_network *n, uint64_t want)
{
    uint32_t first, last;
    bounds_of(n->subnet, &first, &last);
    uint64_t best = 0;
    for (uint64_t at = first; at <= last && best < want;) {
        uint32_t taken = next_taken(setup, n, (uint32_t)at);
        uint64_t end = taken <= last ? (uint64_t)taken - 1 : last;
        uint64_t room = end + 1 - at;
        if (room > best) {
            best = room < want ? room : want;
            n->pool_first = inet_from_host((uint32_t)at);
            n->pool_last = inet_from_host((uint32_t)(at + best - 1));
        }
        at = end + 2;
    }
    return best;
}

/* A relay inside the subnet is its router; otherwise the last address stands for one. */
static struct ipv4 router_of(const struct scenario *s, struct ipv4_net subnet)
{
    for (size_t i = 0; i < s->relays.count; i++) {
        if (inet_net_contains(subnet, relay_at(s, i)->giaddr)) {
            return relay_at(s, i)->giaddr;
        }
    }
    return inet_from_host(inet_host(subnet.base) + (uint32_t)(inet_net_size(subnet) - 2));
}

/* In failover each has half of the free addresses, and must do with them when it is left alone. */
static bool size_pool(const struct setup *setup, struct setup_network *n, char why[SETUP_WHY_BYTES])
{
    bool is_pair = setup->partner != setup->server;
    uint64_t want = is_pair ? 2 * n->clients : n->clients + n->clients / 10 + 16;
    uint64_t room = place_pool(setup, n, want);
    n->is_scarce = room < want;
    if (room >= n->clients) {
        return true;
    }
    char text[IPV4_NET_TEXT_BYTES];
    (void)snprintf(why, SETUP_WHY_BYTES,
                   "subnet %s has %llu addresses in a row for %llu clients (relay %s); give its "
                   "relays a larger subnet, or fewer clients",
                   inet_net_text(n->subnet, text), (unsigned long long)room,
                   (unsigned long long)n->clients, relay_at(setup->scenario, n->first_relay)->name);
    return false;
}

/* The network a relay belongs to: a known one, or a new one. NULL with `why`: it overlaps another.
 */
static struct setup_network *network_of(struct setup *setup, size_t relay,
                                        char why[SETUP_WHY_BYTES])
{
    const struct scenario_relay *r = relay_at(setup->scenario, relay);
    for (size_t i = 0; i < setup->network_count; i++) {
        struct setup_network *n = &setup->networks[i];
        if (same_net(n->subnet, r->subnet)) {
            return n;
        }
        if (inet_net_overlaps(n->subnet, r->subnet)) {
            (void)snprintf(why, SETUP_WHY_BYTES,
                           "the subnets of relays %s and %s overlap without being the same, which "
                           "no server takes; make them equal or apart",
                           relay_at(setup->scenario, n->first_relay)->name, r->name);
            return NULL;
        }
    }
    if (inet_net_size(r->subnet) < 4) {
        (void)snprintf(why, SETUP_WHY_BYTES,
                       "the subnet of relay %s is too small to give addresses from; use a /30 or "
                       "larger",
                       r->name);
        return NULL;
    }
    struct setup_network *n = &setup->networks[setup->network_count++];
    *n = (struct setup_network){.subnet = r->subnet, .first_relay = relay};
    n->router = router_of(setup->scenario, r->subnet);
    return n;
}

static bool gather_networks(struct setup *setup, char why[SETUP_WHY_BYTES])
{
    const struct scenario *s = setup->scenario;
    setup->networks = calloc(s->relays.count + 1, sizeof(*setup->networks));
    if (setup->networks == NULL) {
        return refuse(why, "out of memory; give this process more");
    }
    for (size_t i = 0; i < s->relays.count; i++) {
        if (is_target(s, relay_at(s, i), setup->server)) {
            struct setup_network *n = network_of(setup, i, why);
            if (n == NULL) {
                return false;
            }
            n->clients += relay_at(s, i)->clients;
        }
    }
    return setup->network_count > 0 ||
           refuse(why, "no relay forwards to this server; it needs nothing for this scenario");
}

static bool fill_pools(struct setup *setup, const struct setup_wish *wish,
                       char why[SETUP_WHY_BYTES])
{
    if (!wish->has_pool) {
        for (size_t i = 0; i < setup->network_count; i++) {
            if (!size_pool(setup, &setup->networks[i], why)) {
                return false;
            }
        }
        return true;
    }
    struct setup_network *n = &setup->networks[0];
    if (setup->network_count > 1) {
        return refuse(why, "--pool is for one subnet, and the scenario has several; leave it out");
    }
    if (inet_host(wish->pool_first) > inet_host(wish->pool_last) ||
        !inet_net_contains(n->subnet, wish->pool_first) ||
        !inet_net_contains(n->subnet, wish->pool_last)) {
        return refuse(why, "--pool is not within the relays' subnet; write FIRST-LAST of addresses "
                           "in it");
    }
    uint64_t room = inet_host(wish->pool_last) - (uint64_t)inet_host(wish->pool_first) + 1;
    n->pool_first = wish->pool_first;
    n->pool_last = wish->pool_last;
    n->is_scarce = room < (setup->partner != setup->server ? 2 * n->clients : n->clients);
    setup->is_pool_given = true;
    return true;
}

bool setup_make(const struct scenario *s, const struct setup_wish *wish, struct setup *out,
                char why[SETUP_WHY_BYTES])
{
    *out = (struct setup){.scenario = s, .mode = wish->mode, .is_open = wish->is_open};
    out->interface = wish->interface == NULL ? "eth0" : wish->interface;
    out->is_lease_guessed = s->lease_ns == 0;
    out->lease_s = s->lease_ns == 0 ? LEASE_GUESS_S : s->lease_ns / NS_PER_S;
    out->mclt_s = s->mclt_ns == 0 ? MCLT_GUESS_S : s->mclt_ns / NS_PER_S;
    bool is_own = s->vendor_class[0] == '\0';
    (void)snprintf(out->guard, sizeof(out->guard), "%s", is_own ? own_guard : s->vendor_class);
    out->guard_bytes = strlen(out->guard);
    return choose_server(s, wish, out, why) && choose_partner(out, why) &&
           gather_networks(out, why) && fill_pools(out, wish, why);
}

void setup_fini(struct setup *setup)
{
    free(setup->networks);
    setup->networks = NULL;
}

char *setup_print(const struct setup *setup, enum setup_dialect dialect)
{
    static void (*const writers[SETUP_DIALECT_COUNT])(const struct setup *, struct plan_text *) = {
        [SETUP_ISC_DHCPD] = setup_print_dhcpd,
        [SETUP_KEA] = setup_print_kea,
        [SETUP_IOS] = setup_print_ios,
        [SETUP_NFT] = setup_print_nft,
    };
    struct plan_text text = {.is_heap = true};
    writers[dialect](setup, &text);
    return plan_text_take(&text);
}
