/* SPDX-License-Identifier: MIT */
/* What `leaseherd testbed` would change for the client path, verbatim, and its undo. */
#include "coordinator/plan/change_request_parts.h"

#include "coordinator/plan/testbed.h"

enum { RELAYS_MAX = 32 /* with more, the rules are not a page's matter */ };

static void say_rewrites(const struct scenario *s, bool has_renewals, struct plan_text *t)
{
    if (s->relays.count > RELAYS_MAX) {
        plan_text_say(
            t, "          (rules of %zu relays; `leaseherd testbed` prints them: attach it)\n",
            s->relays.count);
        return;
    }
    (void)testbed_say_rewrites(s, has_renewals, "          ", "", t);
}

static void say_table(const struct scenario *s, bool has_renewals, struct plan_text *t)
{
    plan_text_say(t,
                  "  On each DHCP server, as root; DEVICE is the one packets to the agents leave "
                  "by. Adds:\n"
                  "      table netdev leaseherd {\n"
                  "        chain replies {\n"
                  "          type filter hook egress devices = { \"DEVICE\" } priority 0; policy "
                  "accept;\n");
    say_rewrites(s, has_renewals, t);
    plan_text_say(t, "        }\n      }\n");
    if (testbed_has_carried(s)) {
        plan_text_wrap(t, "  ",
                       "Replies to giaddrs that belong to routers are rewritten only where they "
                       "are about an address of the block, or refuse (DHCPNAK) a client of the "
                       "test; the routers' own clients are served as before.");
    }
}

static void say_verbs(const char *path, const char *word, const char *options, const char *undo,
                      struct plan_text *t)
{
    plan_text_say(t,
                  "    show:  leaseherd testbed %s show --path %s%s\n"
                  "    apply: leaseherd testbed %s apply --path %s%s --ssh root@HOST\n"
                  "    undo:  leaseherd testbed %s undo --ssh root@HOST\n           (%s)\n",
                  path, word, options, path, word, options, path, undo);
}

static void say_egress(const struct scenario *s, const char *path, struct plan_text *t)
{
    say_table(s, true, t);
    say_verbs(path, "egress", "", "nft delete table netdev leaseherd", t);
    plan_text_wrap(t, "  ",
                   "It touches packets from port 67 to port 68 of these addresses only, and "
                   "keeps no state. Needs Linux 5.16 or later; older: --hook route.");
}

/* On paths that need nothing else of servers. */
static void say_carried(const struct scenario *s, const char *path, const char *word,
                        struct plan_text *t)
{
    if (testbed_has_carried(s)) {
        say_table(s, false, t);
        say_verbs(path, word, "", "nft delete table netdev leaseherd", t);
    }
}

static void say_routed(const struct scenario *s, const char *path, struct plan_text *t)
{
    char block[IPV4_NET_TEXT_BYTES];
    (void)inet_net_text(s->block, block);
    plan_text_say(t,
                  "  On each router between servers and agents, as root. Adds:\n"
                  "      ip route add %s via NEXT-HOP proto 67\n",
                  block);
    say_verbs(path, "routed", " --role router --next-hop NEXT-HOP",
              "ip -4 route flush root BLOCK proto 67", t);
    plan_text_say(t, "  On the agent host, as root (its own addresses then; pings to them "
                     "unanswered):\n");
    say_verbs(path, "routed", " --role agent",
              "the same in table local, and nft delete table ip leaseherd_echo", t);
    say_carried(s, path, "routed", t);
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
        say_carried(s, path, "relayed", t);
        return;
    case SCENARIO_PATH_DNAT:
        plan_text_say(t, "  On each DHCP server, as root: DNAT (at most 511 clients within 30 s, "
                         "see leaseherd-scenario(5)).\n");
        say_verbs(path, "dnat", "", "nft delete table ip leaseherd", t);
        say_carried(s, path, "dnat", t);
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
