/* SPDX-License-Identifier: MIT */
/* The tables of nft, whole. Names and ports stand in every rule: nothing else may be touched. */
#include "coordinator/plan/testbed_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char deep[] = "\t\t";

/* FNV-1a: tells rules of one scenario from those of another, no more. */
static uint64_t sum_of(const char *text)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++) {
        sum = (sum ^ (uint8_t)*text) * UINT64_C(1099511628211);
    }
    return sum;
}

/* The table of `body`, with an empty chain by whose name the body is known again. */
static struct testbed_table say_table(const char *name, struct plan_text *body, unsigned rules,
                                      struct plan_text *t)
{
    struct testbed_table made = {.rules = rules};
    char *text = plan_text_take(body);
    if (text == NULL) {
        t->has_failed = true;
        return made;
    }
    (void)snprintf(made.mark, sizeof(made.mark), "bed_%016" PRIx64, sum_of(text));
    plan_text_say(t, "table %s {\n\tchain %s {\n\t}\n%s}\n", name, made.mark, text);
    free(text);
    return made;
}

static bool has_rewrites(const struct scenario *s, const struct testbed_options *o)
{
    return o->path == TESTBED_EGRESS || testbed_has_carried(s);
}

bool testbed_needs_netdev(const struct scenario *s, const struct testbed_options *o)
{
    return !o->is_route_hook && has_rewrites(s, o);
}

bool testbed_needs_ip(const struct scenario *s, const struct testbed_options *o)
{
    return o->path == TESTBED_DNAT || (o->is_route_hook && has_rewrites(s, o));
}

struct testbed_table testbed_say_netdev(const struct scenario *s, const struct testbed_options *o,
                                        struct plan_text *t)
{
    struct plan_text body = {.is_heap = true};
    plan_text_say(&body, "\tchain replies {\n\t\ttype filter hook egress devices = { $devices } "
                         "priority 0; policy accept;\n");
    unsigned rules = testbed_say_rewrites(s, o->path == TESTBED_EGRESS, deep, "", &body);
    plan_text_say(&body, "\t}\n");
    return say_table("netdev leaseherd", &body, rules, t);
}

static int by_address(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* "172.16.8.3, 172.16.9.3": each carrying address once. */
static void say_vias(const struct scenario *s, struct plan_text *t)
{
    const struct scenario_relay *relays = s->relays.items;
    uint32_t *vias = calloc(s->relays.count + 1, sizeof(*vias));
    if (vias == NULL) {
        t->has_failed = true;
        return;
    }
    for (size_t i = 0; i < s->relays.count; i++) {
        vias[i] = inet_host(relays[i].via);
    }
    qsort(vias, s->relays.count, sizeof(*vias), by_address);
    for (size_t i = 0; i < s->relays.count; i++) {
        char text[IPV4_TEXT_BYTES];
        if (i == 0 || vias[i] != vias[i - 1]) {
            plan_text_say(t, "%s%s", i == 0 ? "" : ", ", inet_text(inet_from_host(vias[i]), text));
        }
    }
    free(vias);
}

/* Requests of the test, by whom they come from: its agents, or (path routed) its clients. */
static unsigned say_untracked_requests(const struct scenario *s, struct plan_text *t)
{
    char block[IPV4_NET_TEXT_BYTES];
    plan_text_say(t, "\tchain requests {\n\t\ttype filter hook prerouting priority -300; policy "
                     "accept;\n\t\tip saddr { ");
    say_vias(s, t);
    plan_text_say(t,
                  " } udp dport 67 counter notrack\n\t\tip saddr %s udp dport 67 counter "
                  "notrack\n\t}\n",
                  inet_net_text(s->block, block));
    return 2;
}

/* Rules per subnet, inner ones first; the caller has seen that each leads to one address. */
static unsigned say_dnat(const struct scenario *s, struct plan_text *t)
{
    struct testbed_spot *spots = testbed_spots(s);
    unsigned rules = 0;
    if (spots == NULL) {
        t->has_failed = true;
        return 0;
    }
    plan_text_say(t, "\tchain renewals {\n\t\ttype nat hook output priority -100; policy "
                     "accept;\n");
    for (size_t i = s->relays.count; i-- > 0;) {
        char subnet[IPV4_NET_TEXT_BYTES], via[IPV4_TEXT_BYTES];
        if (i + 1 < s->relays.count && testbed_is_same(spots[i].subnet, spots[i + 1].subnet)) {
            continue;
        }
        plan_text_say(t, "%sip daddr %s udp sport 67 udp dport 68 counter dnat to %s:68\n", deep,
                      inet_net_text(spots[i].subnet, subnet), inet_text(spots[i].relay->via, via));
        rules++;
    }
    plan_text_say(t, "\t}\n");
    free(spots);
    return rules;
}

struct testbed_table testbed_say_ip(const struct scenario *s, const struct testbed_options *o,
                                    struct plan_text *t)
{
    struct plan_text body = {.is_heap = true};
    unsigned rules = 0;
    bool is_dnat = o->path == TESTBED_DNAT;
    if (is_dnat ? (o->notrack & TESTBED_NOTRACK_REQUESTS) != 0 : o->path == TESTBED_EGRESS) {
        rules += say_untracked_requests(s, &body);
    }
    if (is_dnat) {
        rules += say_dnat(s, &body);
    }
    if (is_dnat && (o->notrack & TESTBED_NOTRACK_REPLIES) != 0) {
        char block[IPV4_NET_TEXT_BYTES];
        plan_text_say(&body,
                      "\tchain untracked {\n\t\ttype filter hook output priority -300; policy "
                      "accept;\n\t\tip daddr %s udp sport 67 udp dport 68 counter notrack\n\t}\n",
                      inet_net_text(s->block, block));
        rules++;
    }
    if (o->is_route_hook && has_rewrites(s, o)) {
        plan_text_say(&body, "\tchain replies {\n\t\ttype route hook output priority -300; policy "
                             "accept;\n");
        rules += testbed_say_rewrites(s, o->path == TESTBED_EGRESS, deep, "notrack ", &body);
        plan_text_say(&body, "\t}\n");
    }
    return say_table("ip leaseherd", &body, rules, t);
}

struct testbed_table testbed_say_echo(const struct scenario *s, struct plan_text *t)
{
    struct plan_text body = {.is_heap = true};
    char block[IPV4_NET_TEXT_BYTES];
    plan_text_say(&body,
                  "\tchain pings {\n\t\ttype filter hook prerouting priority -300; policy "
                  "accept;\n\t\tip daddr %s icmp type echo-request counter drop\n\t}\n",
                  inet_net_text(s->block, block));
    return say_table("ip leaseherd_echo", &body, 1, t);
}
