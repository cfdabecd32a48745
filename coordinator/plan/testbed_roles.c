/* SPDX-License-Identifier: MIT */
/* What the script does on a server, an agent's host and a router. */
#include "coordinator/plan/testbed_parts.h"

#include <stdlib.h>

/* ---- servers ---- */

struct made {
    bool has_netdev, has_ip;
    struct testbed_table netdev, ip;
};

static struct made say_rules(const struct scenario *s, const struct testbed_options *o,
                             struct plan_text *t)
{
    struct made made = {.has_netdev = testbed_needs_netdev(s, o), .has_ip = testbed_needs_ip(s, o)};
    if (!made.has_netdev && !made.has_ip) {
        return made;
    }
    plan_text_say(t, "# for nft -f\nrules() {\n\tcat <<RULES\n");
    if (made.has_netdev) {
        made.netdev = testbed_say_netdev(s, o, t);
    }
    if (made.has_ip) {
        made.ip = testbed_say_ip(s, o, t);
    }
    plan_text_say(t, "RULES\n}\n\n");
    return made;
}

static void say_devices(const struct testbed_options *o, struct plan_text *t)
{
    if (o->device_count == 0) {
        plan_text_say(t, "\t# shellcheck disable=SC2086 # one word per device\n"
                         "\tdevices=$(printf '\"%%s\", ' $way_devices | sed 's/, $//')\n");
        return;
    }
    plan_text_say(t, "\tdevices='");
    for (size_t i = 0; i < o->device_count; i++) {
        plan_text_say(t, "%s\"%s\"", i == 0 ? "" : ", ", o->devices[i]);
    }
    plan_text_say(t, "'\n");
}

static void say_ceiling(struct plan_text *t)
{
    plan_text_say(
        t, "ceiling() {\n\tsay \"note  all these packets go to one address and port, so connection "
           "tracking tells them apart by a source port, of which it takes 1 to 511 in place of 67: "
           "at most 511 clients can renew at this server within one UDP timeout ($(cat "
           "/proc/sys/net/netfilter/nf_conntrack_udp_timeout 2>/dev/null) s); beyond, sendto() "
           "fails with EPERM and renewals the server has logged are lost\"\n}\n\n");
}

static void say_apply_server(const struct testbed_options *o, const struct made *made,
                             struct plan_text *t)
{
    plan_text_say(t, "apply_server() {\n");
    if (!made->has_netdev && !made->has_ip) {
        plan_text_say(t, "\tgood \"server: path $path needs nothing here\"\n}\n\n");
        return;
    }
    plan_text_say(t, "\tlook_ways\n\t[ \"$faults\" = 0 ] || exit 5\n");
    if (made->has_netdev) {
        say_devices(o, t);
    }
    plan_text_say(t,
                  "\trules | nft -f - || die 6 'nft refuses the rules%s'\n"
                  "\tgood \"server: path $path is applied%s\"\n",
                  made->has_netdev ? "; kernels before 5.16 need --hook route" : "",
                  made->has_netdev ? " at $devices" : "");
    plan_text_say(t, "%s}\n\n", o->path == TESTBED_DNAT ? "\tceiling\n" : "");
}

/* What a table of nft must look like, or that it must not be there. */
static void say_look(const char *family, bool is_wanted, const struct testbed_table *table,
                     struct plan_text *t)
{
    if (is_wanted) {
        plan_text_say(t, "\tin_place %s leaseherd %s %u", family, table->mark, table->rules);
    } else {
        plan_text_say(t, "\tnot_in_place %s leaseherd\n", family);
    }
}

static void say_check_server(const struct testbed_options *o, const struct made *made,
                             struct plan_text *t)
{
    plan_text_say(t, "check_server() {\n\tlook_ways\n");
    say_look("netdev", made->has_netdev, &made->netdev, t);
    if (made->has_netdev) {
        plan_text_say(t, " && {\n\t\tcheck_devices\n"
                         "\t\tcount \"$(rewritten 'udp dport 68')\" \"$(rewritten 'sport 67 udp "
                         "dport 67')\"\n\t}\n");
    }
    say_look("ip", made->has_ip, &made->ip, t);
    if (made->has_ip) {
        plan_text_say(t,
                      " && count \"$(rewritten '%s')\" \"$(rewritten 'sport 67 udp dport 67')\"\n",
                      o->path == TESTBED_DNAT ? "dnat to" : "udp dport 68");
    }
    if (o->path == TESTBED_DNAT && (o->notrack & TESTBED_NOTRACK_REPLIES) != 0) {
        plan_text_say(t,
                      "\tbad 'NOTRACK in OUTPUT exempts the replies, so DNAT never sees them and "
                      "they leave for addresses that nobody has: apply with --notrack "
                      "prerouting, or better use --path egress'\n");
    }
    plan_text_say(t,
                  "\t[ \"$faults\" = 0 ] || return\n"
                  "\tgood \"server: %s, and replies have a way\"\n%s"
                  "\tsay \"note  from a server it cannot be seen whether replies reach the agents: "
                  "check on an agent's host sends packets\"\n}\n\n",
                  made->has_netdev || made->has_ip ? "the rules of path $path are in place"
                                                   : "path $path needs nothing here",
                  o->path == TESTBED_DNAT ? "\tceiling\n" : "");
}

static const char server_helpers[] =
    "not_in_place() { # FAMILY TABLE\n"
    "\tnft list table \"$1\" \"$2\" >/dev/null 2>&1 || return 0\n"
    "\tbad \"rules of another path are applied here (table $1 $2): leaseherd testbed SCENARIO "
    "apply\"\n"
    "}\n"
    "\n"
    "check_devices() {\n"
    "\thooked=$(printf '%s\\n' \"$listing\" | grep 'hook egress' | tr -d '\",{}')\n"
    "\tfor device in $way_devices; do\n"
    "\t\tcase \" $hooked \" in *\" $device \"*) ;; *) bad \"replies leave by $device, where the "
    "rules are not: leaseherd testbed SCENARIO apply (with --dev $device, if you name "
    "devices)\" ;; esac\n"
    "\tdone\n"
    "}\n"
    "\n"
    "count() { say \"note  rewritten so far: $1 replies to clients, $2 to giaddrs that others "
    "have\"; }\n"
    "\n";

void testbed_say_server(const struct scenario *s, const struct testbed_options *o,
                        struct plan_text *t)
{
    plan_text_say(t, "# ---- on each server ----\n\n");
    struct made made = say_rules(s, o, t);
    if (o->path == TESTBED_DNAT) {
        say_ceiling(t);
    }
    say_apply_server(o, &made, t);
    plan_text_say(t, "%s", server_helpers);
    say_check_server(o, &made, t);
}

/* ---- agents' hosts ---- */

static int by_via(const void *a, const void *b)
{
    const struct testbed_spot *x = a, *y = b;
    uint32_t left = inet_host(x->relay->via), right = inet_host(y->relay->via);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    uint32_t low = inet_host(x->subnet.base), high = inet_host(y->subnet.base);
    if (low != high) {
        return low < high ? -1 : 1;
    }
    return (int)x->subnet.prefix_bits - (int)y->subnet.prefix_bits;
}

/* The addresses whose relays share a subnet: a host has all of them, or none. */
static void say_shared(const struct scenario *s, struct plan_text *t)
{
    struct testbed_spot *spots = testbed_spots(s);
    size_t count = s->relays.count;
    t->has_failed = t->has_failed || spots == NULL;
    plan_text_say(t, "shared() {\n");
    for (size_t i = 0, end; spots != NULL && i < count; i = end) {
        char text[IPV4_TEXT_BYTES], subnet[IPV4_NET_TEXT_BYTES];
        bool is_shared = false;
        end = testbed_nest_end(spots, i, count);
        for (size_t k = i + 1; k < end; k++) {
            is_shared = is_shared || !inet_equal(spots[k].relay->via, spots[i].relay->via);
        }
        if (!is_shared) {
            continue;
        }
        plan_text_say(t, "\ttogether %s", inet_net_text(spots[i].subnet, subnet));
        for (size_t k = i; k < end; k++) {
            if (k == i || !inet_equal(spots[k].relay->via, spots[k - 1].relay->via)) {
                plan_text_say(t, " %s", inet_text(spots[k].relay->via, text));
            }
        }
        plan_text_say(t, "\n");
    }
    plan_text_say(t, "\treturn 0\n}\n\n");
    free(spots);
}

static void say_routes(const struct scenario *s, struct plan_text *t)
{
    struct testbed_spot *spots = testbed_spots(s);
    t->has_failed = t->has_failed || spots == NULL;
    plan_text_say(t, "# for ip -batch; those of the addresses this host has\nroutes() {\n");
    if (spots != NULL) {
        qsort(spots, s->relays.count, sizeof(*spots), by_via);
    }
    for (size_t i = 0; spots != NULL && i < s->relays.count; i++) {
        char via[IPV4_TEXT_BYTES], subnet[IPV4_NET_TEXT_BYTES];
        bool is_repeat = i > 0 && by_via(&spots[i], &spots[i - 1]) == 0;
        if (!is_repeat) {
            plan_text_say(t, "\thas %s && say 'route add local %s dev lo proto 67'\n",
                          inet_text(spots[i].relay->via, via),
                          inet_net_text(spots[i].subnet, subnet));
        }
    }
    plan_text_say(t, "\treturn 0\n}\n\n");
    free(spots);
}

static const char agent_begin[] =
    "together() { # SUBNET ADDRESS...\n"
    "\tsubnet=$1 mine='' others=''\n"
    "\tshift\n"
    "\tfor address; do if has \"$address\"; then mine=$address; else others=$address; fi; done\n"
    "\t[ -z \"$mine\" ] || [ -z \"$others\" ] || die 2 \"relays at $mine here and at $others "
    "elsewhere share addresses of $subnet, and a route leads to one of them only: use --path "
    "egress\"\n"
    "}\n"
    "\n";

static const char agent_end[] =
    "apply_agent() {\n"
    "\tshared\n"
    "\t[ -n \"$(routes)\" ] || die 2 'this host has no address that carries a relay'\n"
    "\tsaid=$(routes | sort -u | ip -4 -batch - 2>&1) || die 6 \"ip refuses a route (one that was "
    "there before and is not Leaseherd's is left alone; ip -4 route show table local): $said\"\n"
    "\techo_rules | nft -f - || die 6 'nft refuses the rules'\n"
    "\tgood \"agent's host: it takes $(routes | sort -u | sed 's|route add local \\([^ ]*\\) "
    ".*|\\1|' | paste -sd ' ' -) for its own, and answers no pings to $block\"\n"
    "\tsay 'note  the network has to route these subnets to this host (leaseherd testbed SCENARIO "
    "show lists the routes)'\n"
    "}\n"
    "\n"
    "check_agent() {\n"
    "\tshared\n"
    "\t[ -n \"$(routes)\" ] || die 2 'this host has no address that carries a relay'\n"
    "\twanted=$(routes | sort -u | sed 's|^route add ||; s|/32 | |')\n"
    "\tthere=$(ip -4 route show table local root \"$block\" proto 67 | sed 's/^\\(local [^ ]* dev "
    "lo\\).*/\\1 proto 67/' | sort -u)\n"
    "\tif [ -z \"$there\" ]; then\n"
    "\t\tbad 'nothing is applied here for path routed: leaseherd testbed SCENARIO apply'\n"
    "\telif [ \"$wanted\" != \"$there\" ]; then\n"
    "\t\tbad 'this host does not take for its own what its relays need: leaseherd testbed "
    "SCENARIO apply'\n"
    "\tfi\n";

static void say_agent_routed(const struct scenario *s, struct plan_text *t)
{
    plan_text_say(t, "%s", agent_begin);
    say_shared(s, t);
    say_routes(s, t);
    plan_text_say(t, "# for nft -f: a server that pings before it offers would take every address "
                     "for used\necho_rules() {\n\tcat <<'RULES'\n");
    struct testbed_table echo = testbed_say_echo(s, t);
    plan_text_say(t,
                  "RULES\n}\n\n%s\tin_place ip leaseherd_echo %s %u\n"
                  "\t[ \"$faults\" = 0 ] || return\n"
                  "\tgood \"agent's host: its relays' subnets are its own, and no pings to $block "
                  "are answered\"\n}\n\n",
                  agent_end, echo.mark, echo.rules);
}

void testbed_say_agent(const struct scenario *s, const struct testbed_options *o,
                       struct plan_text *t)
{
    plan_text_say(t, "# ---- on each agent's host ----\n\n");
    if (o->path == TESTBED_ROUTED) {
        say_agent_routed(s, t);
        return;
    }
    plan_text_say(t, "apply_agent() { good \"agent's host: path $path needs nothing here\"; }\n\n"
                     "check_agent() { good \"agent's host: path $path needs nothing here\"; }\n\n");
}

/* ---- routers ---- */

static const char router_end[] =
    "\treturn 0\n"
    "}\n"
    "\n"
    "apply_router() {\n"
    "\tlist=$(router_routes) || die 5 \"${list#FAIL  }\"\n"
    "\tsaid=$(printf '%s\\n' \"$list\" | sort -u | ip -4 -batch - 2>&1) || die 6 \"ip refuses a "
    "route (one that was there before and is not Leaseherd's is left alone): $said\"\n"
    "\tgood \"router: it leads $block to the agents\"\n"
    "}\n"
    "\n"
    "check_router() {\n"
    "\tlist=$(router_routes) || die 5 \"${list#FAIL  }\"\n"
    "\twanted=$(printf '%s\\n' \"$list\" | sort -u | sed 's|^route add ||; s|/32 | |; s| proto "
    "67$||')\n"
    "\tthere=$(ip -4 route show root \"$block\" proto 67 | sed 's/ dev .*//' | sort -u)\n"
    "\tif [ \"$wanted\" = \"$there\" ]; then\n"
    "\t\tgood \"router: it leads $block to the agents\"\n"
    "\telse\n"
    "\t\tbad 'this router does not lead the subnets to the agents: leaseherd testbed SCENARIO "
    "apply --role router'\n"
    "\tfi\n"
    "}\n"
    "\n";

void testbed_say_router(const struct scenario *s, const struct testbed_options *o,
                        struct plan_text *t)
{
    char net[IPV4_NET_TEXT_BYTES], address[IPV4_TEXT_BYTES];
    plan_text_say(t, "# ---- on routers ----\n\n");
    if (o->path != TESTBED_ROUTED) {
        plan_text_say(t, "apply_router() { good \"router: path $path needs nothing here\"; }\n\n"
                         "check_router() { good \"router: path $path needs nothing here\"; }\n\n");
        return;
    }
    plan_text_say(t, "to() { # CARRYING-ADDRESS: by which neighbour\n"
                     "\tnext=$(hop \"$1\") || die 5 \"this router has no way to $1\"\n}\n"
                     "lead() { say \"route add $1 via $next proto 67\"; }\n\n"
                     "# for ip -batch\nrouter_routes() {\n");
    if (!inet_is_zero(o->next_hop)) {
        plan_text_say(t, "\tsay 'route add %s via %s proto 67'\n", inet_net_text(s->block, net),
                      inet_text(o->next_hop, address));
    }
    struct testbed_spot *spots = testbed_spots(s);
    size_t count = inet_is_zero(o->next_hop) ? s->relays.count : 0;
    t->has_failed = t->has_failed || spots == NULL;
    if (spots != NULL) {
        qsort(spots, s->relays.count, sizeof(*spots), by_via);
    }
    for (size_t i = 0; spots != NULL && i < count; i++) {
        if (i == 0 || !inet_equal(spots[i].relay->via, spots[i - 1].relay->via)) {
            plan_text_say(t, "\tto %s\n", inet_text(spots[i].relay->via, address));
        }
        if (i == 0 || !testbed_is_same(spots[i].subnet, spots[i - 1].subnet)) {
            plan_text_say(t, "\tlead %s\n", inet_net_text(spots[i].subnet, net));
        }
    }
    free(spots);
    plan_text_say(t, "%s", router_end);
}
