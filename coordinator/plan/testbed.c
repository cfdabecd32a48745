/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/testbed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/testbed_parts.h"

enum { SLOT_COUNT = 255 };

enum testbed_path testbed_path_of(const struct scenario *s)
{
    switch (s->client_path) {
    case SCENARIO_PATH_AUTO:
    case SCENARIO_PATH_EGRESS:
        return TESTBED_EGRESS;
    case SCENARIO_PATH_ROUTED:
        return TESTBED_ROUTED;
    case SCENARIO_PATH_RELAYED:
        return TESTBED_RELAYED;
    case SCENARIO_PATH_DNAT:
        return TESTBED_DNAT;
    }
    return TESTBED_EGRESS;
}

const char *testbed_path_name(enum testbed_path path)
{
    static const char *const names[] = {"egress", "routed", "dnat", "relayed"};
    return names[path];
}

/* ---- what cannot be brought on a path ---- */

/* `routed` and `dnat` go by destination: one address of an agent per subnet. */
static bool subnets_have_one_via(const struct scenario *s, const char *what,
                                 char why[TESTBED_WHY_BYTES])
{
    struct testbed_spot *spots = testbed_spots(s);
    size_t count = s->relays.count;
    bool is_good = true;
    for (size_t i = 0, end; spots != NULL && is_good && i < count; i = end) {
        end = testbed_nest_end(spots, i, count);
        for (size_t k = i + 1; is_good && k < end; k++) {
            const struct scenario_relay *a = spots[i].relay, *b = spots[k].relay;
            char subnet[IPV4_NET_TEXT_BYTES], one[IPV4_TEXT_BYTES], other[IPV4_TEXT_BYTES];
            is_good = inet_equal(a->via, b->via);
            if (!is_good) {
                (void)snprintf(why, TESTBED_WHY_BYTES,
                               "relays %.60s and %.60s share addresses of %s and are carried by %s "
                               "and %s, but %s leads to one of them only; use --path egress",
                               a->name, b->name, inet_net_text(spots[i].subnet, subnet),
                               inet_text(a->via, one), inet_text(b->via, other), what);
            }
        }
    }
    free(spots);
    return is_good;
}

/* Who takes a subnet for its own, or routes it, must not take a server with it. */
static bool servers_are_outside(const struct scenario *s, char why[TESTBED_WHY_BYTES])
{
    const struct scenario_server *servers = s->servers.items;
    const struct scenario_relay *relays = s->relays.items;
    for (size_t i = 0; i < s->servers.count; i++) {
        for (size_t k = 0; k < s->relays.count; k++) {
            char subnet[IPV4_NET_TEXT_BYTES], address[IPV4_TEXT_BYTES];
            if (inet_net_contains(relays[k].subnet, servers[i].address)) {
                (void)snprintf(why, TESTBED_WHY_BYTES,
                               "server %.60s has the address %s, in the subnet %s of relay %.60s: "
                               "path routed would lead its packets to an agent; use --path egress",
                               servers[i].name, inet_text(servers[i].address, address),
                               inet_net_text(relays[k].subnet, subnet), relays[k].name);
                return false;
            }
        }
    }
    return true;
}

static bool is_possible(const struct scenario *s, const struct testbed_options *o,
                        char why[TESTBED_WHY_BYTES])
{
    if (o->path == TESTBED_DNAT) {
        return subnets_have_one_via(s, "DNAT", why);
    }
    if (o->path != TESTBED_ROUTED) {
        return true;
    }
    bool is_router = o->role == TESTBED_ROUTER && inet_is_zero(o->next_hop);
    return servers_are_outside(s, why) && (!is_router || subnets_have_one_via(s, "a route", why));
}

/* ---- the head: comments for who reads it, values for the shell ---- */

static void say_hosts(const struct scenario *s, const struct testbed_options *o,
                      struct plan_text *t)
{
    const struct scenario_server *servers = s->servers.items;
    char text[IPV4_TEXT_BYTES];
    plan_text_say(t, "# Servers (apply_server):");
    for (size_t i = 0; i < s->servers.count; i++) {
        plan_text_say(t, " %s %s", servers[i].name, inet_text(servers[i].address, text));
    }
    plan_text_say(t,
                  "%s\n# Agents' hosts (apply_agent): those with an address that is named below "
                  "by `via`%s\n",
                  testbed_needs_netdev(s, o) || testbed_needs_ip(s, o) ? "" : "; nothing is needed",
                  o->path == TESTBED_ROUTED ? "" : "; nothing is needed");
    if (o->path == TESTBED_ROUTED) {
        plan_text_say(t, "# Routers between them (apply_router, with --role router; or the network "
                         "team makes these routes):\n");
        const struct scenario_relay *relays = s->relays.items;
        for (size_t i = 0; i < s->relays.count; i++) {
            char subnet[IPV4_NET_TEXT_BYTES], via[IPV4_TEXT_BYTES];
            plan_text_say(t, "#   %s by way of %s\n", inet_net_text(relays[i].subnet, subnet),
                          inet_text(relays[i].via, via));
        }
    }
}

static void say_bed(const struct scenario *s, struct plan_text *t)
{
    const struct scenario_relay *relays = s->relays.items;
    char block[IPV4_NET_TEXT_BYTES];
    plan_text_say(t, "# block %s\n", inet_net_text(s->block, block));
    for (size_t i = 0; i < s->relays.count; i++) {
        char giaddr[IPV4_TEXT_BYTES], via[IPV4_TEXT_BYTES], subnet[IPV4_NET_TEXT_BYTES];
        plan_text_say(t, "# relay %s giaddr %s via %s subnet %s slot %zu\n", relays[i].name,
                      inet_text(relays[i].giaddr, giaddr), inet_text(relays[i].via, via),
                      inet_net_text(relays[i].subnet, subnet), 1 + i % SLOT_COUNT);
    }
}

static void say_head(const struct scenario *s, const struct testbed_options *o, struct plan_text *t)
{
    plan_text_say(t,
                  "# Test bed of scenario %s, path %s. A POSIX shell script that runs as root on "
                  "each host;\n# its last line says what it does: testbed apply, check or undo.\n",
                  s->name, testbed_path_name(o->path));
    say_hosts(s, o, t);
    say_bed(s, t);
}

static void say_values(const struct scenario *s, const struct testbed_options *o,
                       struct plan_text *t)
{
    char block[IPV4_NET_TEXT_BYTES], mask[IPV4_TEXT_BYTES];
    plan_text_say(t, "block=%s block_mask=%s path=%s\n", inet_net_text(s->block, block),
                  inet_text(inet_net_mask(s->block), mask), testbed_path_name(o->path));
}

/* ---- what this host is ---- */

static void say_roles(const struct scenario *s, const struct testbed_options *o,
                      struct plan_text *t)
{
    static const char *const roles[] = {"", "server", "router", "agent"};
    const struct scenario_server *servers = s->servers.items;
    const struct scenario_relay *relays = s->relays.items;
    char text[IPV4_TEXT_BYTES];
    if (o->role != TESTBED_BY_ADDRESS) {
        plan_text_say(t, "roles=%s\n\n", roles[o->role]);
        return;
    }
    plan_text_say(t, "is_server() {\n");
    for (size_t i = 0; i < s->servers.count; i++) {
        plan_text_say(t, "\thas %s && return\n", inet_text(servers[i].address, text));
    }
    plan_text_say(t, "\treturn 1\n}\nis_agent() {\n");
    for (size_t i = 0; i < s->relays.count; i++) {
        if (i == 0 || !inet_equal(relays[i].via, relays[i - 1].via)) {
            plan_text_say(t, "\thas %s && return\n", inet_text(relays[i].via, text));
        }
    }
    plan_text_say(t, "\treturn 1\n}\nroles=''\nis_server && roles='server'\n"
                     "is_agent && roles=\"$roles agent\"\n\n");
}

/* One address of each outermost subnet, and the giaddrs of others: where servers' replies go. */
static void say_ways(const struct scenario *s, const struct testbed_options *o, struct plan_text *t)
{
    const struct scenario_relay *relays = s->relays.items;
    struct testbed_spot *spots = testbed_spots(s);
    unsigned wanted = 0;
    char text[IPV4_TEXT_BYTES];
    plan_text_say(t, "ways() {\n\tip -o -force -4 -batch - 2>/dev/null <<'WAYS'\n");
    bool is_by_client = o->path != TESTBED_RELAYED;
    for (size_t i = 0; is_by_client && spots != NULL && i < s->relays.count;
         i = testbed_nest_end(spots, i, s->relays.count)) {
        uint32_t first = inet_host(spots[i].subnet.base) + (spots[i].subnet.prefix_bits < 31);
        plan_text_say(t, "route get %s\n", inet_text(inet_from_host(first), text));
        wanted++;
    }
    for (size_t i = 0; i < s->relays.count; i++) {
        if (!inet_equal(relays[i].giaddr, relays[i].via)) {
            plan_text_say(t, "route get %s\n", inet_text(relays[i].giaddr, text));
            wanted++;
        }
    }
    plan_text_say(t, "WAYS\n}\nways_wanted=%u\n\n", wanted);
    t->has_failed = t->has_failed || spots == NULL;
    free(spots);
}

char *testbed_script(const struct scenario *s, const struct testbed_options *o,
                     enum testbed_verb verb, bool *out_is_usage, char why[TESTBED_WHY_BYTES])
{
    static const char *const words[] = {"apply", "apply", "check", "undo"};
    struct plan_text t = {.is_heap = true};
    *out_is_usage = verb != TESTBED_UNDO && !is_possible(s, o, why);
    if (*out_is_usage) {
        return NULL;
    }
    say_head(s, o, &t);
    plan_text_say(&t, "%s", testbed_shell_begin);
    say_values(s, o, &t);
    say_roles(s, o, &t);
    say_ways(s, o, &t);
    testbed_say_server(s, o, &t);
    testbed_say_agent(s, o, &t);
    testbed_say_router(s, o, &t);
    plan_text_say(&t, "%stestbed %s\n", testbed_shell_end, words[verb]);
    char *text = plan_text_take(&t);
    if (text == NULL) {
        (void)snprintf(why, TESTBED_WHY_BYTES, "out of memory");
    }
    return text;
}
