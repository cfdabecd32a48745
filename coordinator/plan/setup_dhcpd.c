/* SPDX-License-Identifier: MIT */
/* ISC dhcpd 4.4: dhcpd.conf(5). */
#include <inttypes.h>

#include "coordinator/plan/setup_print.h"

void setup_say_quoted(struct plan_text *t, const char *text)
{
    for (; *text != '\0'; text++) {
        plan_text_say(t, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
}

static const struct scenario_server *server_at(const struct setup *setup, size_t i)
{
    return (const struct scenario_server *)setup->scenario->servers.items + i;
}

static bool is_pair(const struct setup *setup)
{
    return setup->partner != setup->server;
}

static void say_head(const struct setup *setup, struct plan_text *t)
{
    plan_text_say(t,
                  "# dhcpd.conf of server %s for scenario %s.%s\n"
                  "# dhcpd pings an address before it offers it (ping-check), which delays each "
                  "OFFER of a fresh\n"
                  "# address by a second; keep that as it is in production.\n",
                  server_at(setup, setup->server)->name, setup->scenario->name,
                  setup->is_open ? ""
                                 : " Where it serves others too, take it over piece\n"
                                   "# by piece; what the guard below needs of the other pools "
                                   "stands beside it.");
    if (setup->is_lease_guessed) {
        plan_text_say(t, "# The scenario does not say expect.lease: %" PRIu64 " s is a guess.\n",
                      setup->lease_s);
    }
}

static void say_guard(const struct setup *setup, struct plan_text *t)
{
    if (setup->is_open) {
        return;
    }
    plan_text_say(t,
                  "\n# Test clients are known by option 60. Every pool of production needs the "
                  "line\n#   deny members of \"leaseherd\";\n# and the test's pools admit nobody "
                  "else.\nclass \"leaseherd\" {\n  match if substring(option "
                  "vendor-class-identifier, 0, %zu) = \"",
                  setup->guard_bytes);
    setup_say_quoted(t, setup->guard);
    plan_text_say(t, "\";\n}\n");
}

static void say_failover(const struct setup *setup, struct plan_text *t)
{
    char own[IPV4_TEXT_BYTES], peer[IPV4_TEXT_BYTES];
    if (!is_pair(setup)) {
        return;
    }
    plan_text_say(t,
                  "\nfailover peer \"leaseherd\" {\n  %s;\n  address %s; port 647;\n"
                  "  peer address %s; peer port 647;\n"
                  "  max-response-delay 30;\n  max-unacked-updates 10;\n"
                  "  load balance max seconds 3;\n",
                  setup->is_primary ? "primary" : "secondary",
                  inet_text(server_at(setup, setup->server)->address, own),
                  inet_text(server_at(setup, setup->partner)->address, peer));
    if (setup->is_primary) {
        plan_text_say(t, "  mclt %" PRIu64 ";\n  split 128;\n", setup->mclt_s);
    }
    plan_text_say(t, "}\n");
}

/* Pools of equal statements are merged into one by dhcpd, hence the lease time in each. */
static void say_pools(const struct setup *setup, const struct setup_network *n, struct plan_text *t)
{
    char a[IPV4_TEXT_BYTES], b[IPV4_TEXT_BYTES];
    uint32_t last = inet_host(n->pool_last);
    for (uint64_t at = inet_host(n->pool_first); at <= last; at += SETUP_POOL_ADDRESSES) {
        uint64_t end = at + SETUP_POOL_ADDRESSES - 1;
        plan_text_say(t, "    pool {%s%s default-lease-time %" PRIu64 "; range %s %s; }\n",
                      is_pair(setup) ? " failover peer \"leaseherd\";" : "",
                      setup->is_open ? "" : " allow members of \"leaseherd\";", setup->lease_s,
                      inet_text(inet_from_host((uint32_t)at), a),
                      inet_text(inet_from_host(end < last ? (uint32_t)end : last), b));
    }
}

/* A relay's address selects the network it is in: it belongs to it, with nothing to give. */
static void say_giaddrs(const struct setup *setup, const struct setup_network *n,
                        struct plan_text *t)
{
    const struct scenario_relay *relays = setup->scenario->relays.items;
    for (size_t i = 0; i < setup->scenario->relays.count; i++) {
        char text[IPV4_TEXT_BYTES];
        if (setup_serves(setup, n, i) && !inet_net_contains(n->subnet, relays[i].giaddr)) {
            plan_text_say(t, "  subnet %s netmask 255.255.255.255 {} # relay %s\n",
                          inet_text(relays[i].giaddr, text), relays[i].name);
        }
    }
}

static const char *pool_remark(const struct setup *setup, const struct setup_network *n)
{
    if (setup->is_pool_given) {
        const char *scarce = is_pair(setup) ? "the pool asked for is too small for one server alone"
                                            : "the pool asked for is too small for them";
        return n->is_scarce ? scarce : "the pool is the one asked for";
    }
    if (!is_pair(setup)) {
        return n->is_scarce ? "as many addresses in a row as there are" : "a tenth more addresses";
    }
    return n->is_scarce ? "each server has half of the free addresses: too few for one server alone"
                        : "each server has half of the free addresses, so twice as many";
}

static void say_network(const struct setup *setup, const struct setup_network *n,
                        struct plan_text *t)
{
    const struct scenario_relay *relays = setup->scenario->relays.items;
    char base[IPV4_TEXT_BYTES], mask[IPV4_TEXT_BYTES], router[IPV4_TEXT_BYTES];
    plan_text_say(t,
                  "\n# %" PRIu64 " clients; %s\nshared-network \"leaseherd-%s\" {\n"
                  "  authoritative;\n  min-lease-time %" PRIu64 ";\n  max-lease-time %" PRIu64
                  ";\n",
                  n->clients, pool_remark(setup, n), relays[n->first_relay].name, setup->lease_s,
                  setup->lease_s);
    say_giaddrs(setup, n, t);
    plan_text_say(t, "  subnet %s netmask %s {\n    option routers %s;\n",
                  inet_text(n->subnet.base, base), inet_text(inet_net_mask(n->subnet), mask),
                  inet_text(n->router, router));
    say_pools(setup, n, t);
    plan_text_say(t, "  }\n}\n");
}

static bool has_option82(const struct setup *setup)
{
    const struct scenario_relay *relays = setup->scenario->relays.items;
    bool is_any = false;
    for (size_t i = 0; i < setup->scenario->relays.count; i++) {
        is_any = is_any || relays[i].circuit_id[0] != '\0' || relays[i].remote_id[0] != '\0';
    }
    return is_any;
}

void setup_print_dhcpd(const struct setup *setup, struct plan_text *t)
{
    char own[IPV4_TEXT_BYTES];
    const struct scenario_server *server = server_at(setup, setup->server);
    say_head(setup, t);
    if (server->lease_source == LEASES_QUERY) {
        plan_text_say(t, "allow leasequery;\n");
    }
    if (has_option82(setup)) {
        plan_text_say(t, "# Renewals come without option 82; this keeps what the relay has said.\n"
                         "stash-agent-options true;\n");
    }
    say_guard(setup, t);
    say_failover(setup, t);
    plan_text_say(t,
                  "\n# The server's own network, to listen there; leave it out where it is "
                  "declared.\nsubnet %s netmask 255.255.255.255 {}\n",
                  inet_text(server->address, own));
    for (size_t i = 0; i < setup->network_count; i++) {
        say_network(setup, &setup->networks[i], t);
    }
}
