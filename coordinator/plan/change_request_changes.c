/* SPDX-License-Identifier: MIT */
/* What deploy/testbed would change for the client path, verbatim, and its undo. */
#include "coordinator/plan/change_request_parts.h"

#include <stdlib.h>

enum { SLOT_COUNT = 255, RELAYS_MAX = 32 /* with more, the rules are not a page's matter */ };

/* A relay in the order of deploy/testbed/egress: by first address, outer subnets first. */
struct spot {
    const struct scenario_relay *relay;
    size_t index;
};

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
    return (x->index > y->index) - (x->index < y->index);
}

static bool is_same(struct ipv4_net a, struct ipv4_net b)
{
    return a.prefix_bits == b.prefix_bits && inet_equal(a.base, b.base);
}

/* Several relays share addresses: innermost subnet first, told apart by the first byte of the xid.
 */
static void say_nest(const struct spot *nest, size_t count, struct plan_text *t)
{
    for (size_t k = count; k-- > 0;) {
        struct ipv4_net subnet = nest[k].relay->subnet;
        char text[IPV4_NET_TEXT_BYTES], via[IPV4_TEXT_BYTES];
        if (k + 1 < count && is_same(subnet, nest[k + 1].relay->subnet)) {
            continue;
        }
        plan_text_say(t,
                      "          ip daddr %s udp sport 67 udp dport 68 counter ip daddr set "
                      "@th,96,8 map { ",
                      inet_net_text(subnet, text));
        const char *separator = "";
        for (size_t i = 0; i < count; i++) {
            if (inet_net_covers(nest[i].relay->subnet, subnet)) {
                plan_text_say(t, "%s0x%02zx : %s", separator, 1 + nest[i].index % SLOT_COUNT,
                              inet_text(nest[i].relay->via, via));
                separator = ", ";
            }
        }
        plan_text_say(t, " } accept\n");
    }
}

static void say_alone(const struct spot *spots, const bool *is_alone, size_t count,
                      struct plan_text *t)
{
    char subnet[IPV4_NET_TEXT_BYTES], via[IPV4_TEXT_BYTES];
    const char *separator = "";
    for (size_t i = 0; i < count; i++) {
        if (is_alone[i]) {
            plan_text_say(t, "%s%s", separator[0] == '\0' ? "          ip daddr { " : separator,
                          inet_net_text(spots[i].relay->subnet, subnet));
            separator = ", ";
        }
    }
    if (separator[0] == '\0') {
        return;
    }
    plan_text_say(t, " } udp sport 67 udp dport 68 counter ip daddr set ip daddr map { ");
    separator = "";
    for (size_t i = 0; i < count; i++) {
        if (is_alone[i]) {
            plan_text_say(t, "%s%s : %s", separator, inet_net_text(spots[i].relay->subnet, subnet),
                          inet_text(spots[i].relay->via, via));
            separator = ", ";
        }
    }
    plan_text_say(t, " } accept\n");
}

static void say_rewrites(const struct scenario *s, struct plan_text *t)
{
    const struct scenario_relay *relays = s->relays.items;
    struct spot spots[RELAYS_MAX];
    bool is_alone[RELAYS_MAX] = {false};
    size_t count = s->relays.count;
    if (count > RELAYS_MAX) {
        plan_text_say(t, "          (rules of %zu relays; `egress show` prints them: attach it)\n",
                      count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        spots[i] = (struct spot){.relay = &relays[i], .index = i};
    }
    qsort(spots, count, sizeof(*spots), by_subnet);
    for (size_t i = 0, end; i < count; i = end) {
        end = i + 1;
        while (end < count && inet_net_covers(spots[i].relay->subnet, spots[end].relay->subnet)) {
            end++;
        }
        is_alone[i] = end == i + 1;
        if (!is_alone[i]) {
            say_nest(&spots[i], end - i, t);
        }
    }
    say_alone(spots, is_alone, count, t);
}

static void say_egress(const struct scenario *s, const char *path, struct plan_text *t)
{
    plan_text_say(t,
                  "  On each DHCP server, as root; DEVICE is the one packets to the agents leave "
                  "by. Adds:\n"
                  "      table netdev leaseherd {\n"
                  "        chain replies {\n"
                  "          type filter hook egress devices = { \"DEVICE\" } priority 0; policy "
                  "accept;\n");
    say_rewrites(s, t);
    plan_text_say(
        t,
        "        }\n      }\n"
        "    show:  leaseherd testbed %s show | deploy/testbed/egress show\n"
        "    apply: leaseherd testbed %s show | deploy/testbed/egress apply\n"
        "    undo:  deploy/testbed/egress undo      (nft delete table netdev leaseherd)\n",
        path, path);
    plan_text_wrap(t, "  ",
                   "It touches packets from port 67 to port 68 of these addresses only, and "
                   "keeps no state. Needs Linux 5.16 or later; older: --hook route.");
}

static void say_routed(const struct scenario *s, const char *path, struct plan_text *t)
{
    char block[IPV4_NET_TEXT_BYTES];
    (void)inet_net_text(s->block, block);
    plan_text_say(
        t,
        "  On each router between servers and agents, as root. Adds:\n"
        "      ip route replace %s via NEXT-HOP proto 67\n"
        "    apply: leaseherd testbed %s show | deploy/testbed/routed apply --role router "
        "--next-hop NEXT-HOP\n"
        "    undo:  deploy/testbed/routed undo --role router      (ip -4 route flush proto "
        "67)\n"
        "  On the agent host, as root (its own addresses then; pings to them unanswered):\n"
        "    apply: leaseherd testbed %s show | deploy/testbed/routed apply --role agent\n"
        "    undo:  deploy/testbed/routed undo --role agent\n",
        block, path, path);
}

static void say_path(const struct scenario *s, const char *path, struct plan_text *t)
{
    switch (s->client_path) {
    case SCENARIO_PATH_AUTO:
        plan_text_wrap(t, "  ",
                       "The client path is auto: the test takes the way that is there for ACKs of "
                       "renewals, and changes nothing. Where none is there, this one is made "
                       "beforehand (or `routed`, on routers: see leaseherd-scenario(5)):");
        say_egress(s, path, t);
        return;
    case SCENARIO_PATH_EGRESS:
        say_egress(s, path, t);
        return;
    case SCENARIO_PATH_ROUTED:
        say_routed(s, path, t);
        return;
    case SCENARIO_PATH_RELAYED:
        plan_text_say(t, "  No change: renewals carry the giaddr, and ACKs return to the relay.\n");
        return;
    case SCENARIO_PATH_DNAT:
        plan_text_say(
            t,
            "  On each DHCP server, as root: iptables DNAT (at most 511 clients within 30 "
            "s, see leaseherd-scenario(5)).\n"
            "    show:  leaseherd testbed %s show | deploy/testbed/dnat show\n"
            "    apply: leaseherd testbed %s show | deploy/testbed/dnat apply\n"
            "    undo:  deploy/testbed/dnat undo\n",
            path, path);
        return;
    }
}

static void say_source(const struct scenario_server *server, struct plan_text *t)
{
    switch (server->lease_source) {
    case LEASES_UNKNOWN:
        return;
    case LEASES_DHCPD_FILE:
    case LEASES_KEA_FILE:
        plan_text_say(t, "  Server %s: its lease file is read (%s); nothing is changed.\n",
                      server->name, server->lease_path);
        return;
    case LEASES_KEA_SOCKET:
        plan_text_wrap(t, "  ",
                       "Server %s: its control socket is asked for leases (lease4-get-all, %s). "
                       "Change: the hook library libdhcp_lease_cmds.so is loaded; undo: remove it "
                       "from hooks-libraries, config-reload.",
                       server->name, server->lease_path);
        return;
    case LEASES_QUERY:
        plan_text_wrap(t, "  ",
                       "Server %s: the carrying addresses (2) may send DHCPLEASEQUERY. Change for "
                       "dhcpd: `allow leasequery;` in dhcpd.conf, restart; undo: remove the line, "
                       "restart. For Kea: its lease query hook with these addresses as requesters; "
                       "undo: remove it.",
                       server->name);
        return;
    }
}

void change_request_say_changes(const struct scenario *s, const char *path, struct plan_text *t)
{
    const struct scenario_server *servers = s->servers.items;
    plan_text_say(t, "\n6. CHANGES ON SERVERS AND NETWORK, AND THEIR UNDO\n");
    say_path(s, path, t);
    for (size_t i = 0; i < s->servers.count; i++) {
        say_source(&servers[i], t);
    }
}
