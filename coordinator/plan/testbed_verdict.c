/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/testbed_verdict.h"

#include <string.h>

/* What all relays that were tried have in common. */
struct ways {
    bool is_routed, is_carrier, is_relayed;
    bool is_rewritten;       /* source ports */
    size_t no_ack, no_offer; /* the first relay without; relay_count: none */
    struct testbed_seen sum;
};

static struct ways ways_of(const struct testbed_probe *p)
{
    struct ways w = {.is_routed = true,
                     .is_carrier = true,
                     .is_relayed = true,
                     .no_ack = p->relay_count,
                     .no_offer = p->relay_count};
    for (size_t i = p->relay_count; i-- > 0;) {
        const struct testbed_seen *seen = &p->of_relay[i];
        w.is_routed = w.is_routed && seen->to_client > 0;
        w.is_carrier = w.is_carrier && seen->to_carrier > 0;
        w.is_relayed = w.is_relayed && seen->offers > 0;
        w.no_ack = seen->to_client + seen->to_carrier == 0 ? i : w.no_ack;
        w.no_offer = seen->offers == 0 ? i : w.no_offer;
        w.sum.informs += seen->informs;
        w.sum.discovers += seen->discovers;
        w.sum.to_carrier += seen->to_carrier;
        w.sum.to_client += seen->to_client;
        w.sum.wrong_port += seen->wrong_port;
        w.sum.offers += seen->offers;
    }
    w.is_rewritten = w.sum.wrong_port > 0;
    return w;
}

static const struct scenario_relay *relay_at(const struct scenario *s,
                                             const struct testbed_probe *p, size_t i)
{
    const struct scenario_relay *relays = s->relays.items;
    return &relays[p->relay[i]];
}

/* A server that answers relays but no client, on a path that needs it to. */
static const struct scenario_server *one_way_server(const struct scenario *s,
                                                    const struct testbed_probe *p)
{
    const struct scenario_server *servers = s->servers.items;
    for (size_t i = 0; i < s->servers.count; i++) {
        const struct testbed_seen *seen = &p->of_server[i];
        if (seen->offers > 0 && seen->to_carrier + seen->to_client == 0) {
            return &servers[i];
        }
    }
    return NULL;
}

static void say_silent(const struct scenario *s, const struct testbed_probe *p,
                       struct plan_text *out)
{
    const struct scenario_server *servers = s->servers.items;
    for (size_t i = 0; i < s->servers.count; i++) {
        const struct testbed_seen *seen = &p->of_server[i];
        if (seen->informs > 0 && seen->offers + seen->to_carrier + seen->to_client == 0) {
            plan_text_say(out,
                          "note  server %s answered nothing at all (it is down, waits as a "
                          "standby, or its answers get lost): nothing is known of its way back\n",
                          servers[i].name);
        }
    }
}

/* All come back, but as on another path. */
static bool say_other_way(const struct ways *w, enum scenario_path wanted, struct plan_text *out)
{
    if (wanted == SCENARIO_PATH_ROUTED && w->is_carrier) {
        plan_text_say(out, "FAIL  replies to clients come to the carrying addresses, not to the "
                           "clients' own: the servers' rules are those of another path than "
                           "routed; leaseherd testbed SCENARIO undo on the servers, or use "
                           "--path egress\n");
        return true;
    }
    if (wanted != SCENARIO_PATH_ROUTED && w->is_routed) {
        plan_text_say(out, "FAIL  replies to clients come to the clients' own addresses: this "
                           "network routes them, and no server's rules turn them; leaseherd "
                           "testbed SCENARIO apply on the servers, or use --path routed\n");
        return true;
    }
    return false;
}

static void say_no_ack(const struct scenario *s, const struct testbed_probe *p,
                       const struct ways *w, enum scenario_path wanted, struct plan_text *out)
{
    const struct scenario_server *server = one_way_server(s, p);
    char text[IPV4_NET_TEXT_BYTES];
    if (w->no_ack == p->relay_count && server == NULL && say_other_way(w, wanted, out)) {
        return;
    }
    if (w->no_ack < p->relay_count) {
        const struct scenario_relay *relay = relay_at(s, p, w->no_ack);
        plan_text_say(out,
                      "FAIL  no server's reply to clients of relay %s (%s, port 68) comes back",
                      relay->name, inet_net_text(relay->subnet, text));
    } else if (server != NULL) {
        plan_text_say(out, "FAIL  no reply of server %s to clients (port 68) comes back",
                      server->name);
    } else {
        plan_text_say(out, "FAIL  replies to clients come back in different ways");
    }
    plan_text_say(out,
                  ", though relays are answered: %s, or client_path: relayed. A server that "
                  "ignores DHCPINFORM looks the same (dhcpd without `authoritative`)\n",
                  wanted == SCENARIO_PATH_ROUTED
                      ? "leaseherd testbed SCENARIO show lists the routes that the network needs, "
                        "and apply is for the agents' hosts"
                      : "leaseherd testbed SCENARIO apply on the servers (path egress)");
}

static void say_nothing(const struct scenario *s, const struct testbed_probe *p,
                        struct plan_text *out)
{
    char giaddr[IPV4_TEXT_BYTES], via[IPV4_TEXT_BYTES];
    plan_text_say(out, "FAIL  nothing came back, neither for relays nor for clients: see that a "
                       "server is up, knows the giaddrs, and that UDP ports 67 and 68 are open "
                       "between it and this host");
    for (size_t i = 0; i < p->relay_count; i++) {
        const struct scenario_relay *relay = relay_at(s, p, i);
        if (!inet_equal(relay->giaddr, relay->via)) {
            plan_text_say(
                out,
                "; and giaddr %s of relay %s is not this host's, replies to it have to be "
                "brought to %s: leaseherd testbed SCENARIO apply on the servers",
                inet_text(relay->giaddr, giaddr), relay->name, inet_text(relay->via, via));
            break;
        }
    }
    plan_text_say(out, "\n");
}

static void say_no_offer(const struct scenario *s, const struct testbed_probe *p,
                         const struct ways *w, struct plan_text *out)
{
    const struct scenario_relay *relay = relay_at(s, p, w->no_offer);
    char giaddr[IPV4_TEXT_BYTES], via[IPV4_TEXT_BYTES];
    plan_text_say(out, "FAIL  no OFFER for relay %s comes back: ", relay->name);
    if (!inet_equal(relay->giaddr, relay->via)) {
        plan_text_say(out,
                      "replies to its giaddr %s, which is not this host's, have to be brought to "
                      "%s: leaseherd testbed SCENARIO apply on the servers. Or ",
                      inet_text(relay->giaddr, giaddr), inet_text(relay->via, via));
    }
    plan_text_say(out,
                  "the servers have no subnet for giaddr %s or no free address, or a host "
                  "answers pings to the block\n",
                  inet_text(relay->giaddr, giaddr));
}

/* The name of what was seen to work, in the order in which `auto` looks; NULL: nothing. */
static const char *path_seen(const struct ways *w, enum scenario_path wanted)
{
    if (w->is_routed && (wanted == SCENARIO_PATH_AUTO || wanted == SCENARIO_PATH_ROUTED)) {
        return "routed";
    }
    if (w->is_carrier && wanted == SCENARIO_PATH_DNAT) {
        return "dnat";
    }
    if (w->is_carrier && (wanted == SCENARIO_PATH_AUTO || wanted == SCENARIO_PATH_EGRESS)) {
        return w->is_rewritten ? "dnat" : "egress";
    }
    if (w->is_relayed && (wanted == SCENARIO_PATH_AUTO || wanted == SCENARIO_PATH_RELAYED)) {
        return "relayed";
    }
    return NULL;
}

static void say_works(const struct testbed_probe *p, const struct ways *w, const char *path,
                      struct plan_text *out)
{
    plan_text_say(out,
                  "ok    path %s works: of %u DHCPINFORMs for clients of %zu relay%s, %u were "
                  "answered to the carrying address and %u to the client's; %u OFFERs for %u "
                  "DISCOVERs\n",
                  path, w->sum.informs, p->relay_count, p->relay_count == 1 ? "" : "s",
                  w->sum.to_carrier, w->sum.to_client, w->sum.offers, w->sum.discovers);
}

bool testbed_judge(const struct scenario *s, enum scenario_path wanted,
                   const struct testbed_probe *p, struct plan_text *out)
{
    struct ways w = ways_of(p);
    const char *path = path_seen(&w, wanted);
    bool is_relayed = path != NULL && strcmp(path, "relayed") == 0;
    bool is_good = false;
    if (w.sum.offers + w.sum.to_carrier + w.sum.to_client == 0) {
        say_nothing(s, p, out);
    } else if (!w.is_relayed) {
        say_no_offer(s, p, &w, out);
    } else if (path == NULL || (!is_relayed && one_way_server(s, p) != NULL)) {
        say_no_ack(s, p, &w, wanted, out);
    } else if (w.is_rewritten && wanted == SCENARIO_PATH_EGRESS) {
        plan_text_say(out,
                      "FAIL  a NAT on the way rewrites source ports (%u replies not from port "
                      "67): that is DNAT's ceiling of 511 clients; remove its rule, then "
                      "leaseherd testbed SCENARIO apply on the servers\n",
                      w.sum.wrong_port);
    } else {
        say_works(p, &w, path, out);
        is_good = true;
    }
    if (is_good && w.is_rewritten) {
        plan_text_say(out,
                      "note  %u replies were not from port 67: a NAT rewrites source ports, and "
                      "at most 511 clients can renew within one UDP timeout\n",
                      w.sum.wrong_port);
    }
    say_silent(s, p, out);
    if (p->relays_here > p->relay_count) {
        plan_text_say(out, "note  %zu of the %zu relays of this host were tried\n", p->relay_count,
                      p->relays_here);
    }
    return is_good;
}
