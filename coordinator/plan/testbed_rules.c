/* SPDX-License-Identifier: MIT */
/* The stateless rewrites of replies, in the words of nft. */
#include "coordinator/plan/testbed_parts.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SLOT_COUNT = 255 };

static int by_subnet(const void *a, const void *b)
{
    const struct testbed_spot *x = a, *y = b;
    uint32_t left = inet_host(x->subnet.base), right = inet_host(y->subnet.base);
    if (left != right) {
        return left < right ? -1 : 1;
    }
    if (x->subnet.prefix_bits != y->subnet.prefix_bits) {
        return x->subnet.prefix_bits < y->subnet.prefix_bits ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

struct testbed_spot *testbed_spots(const struct scenario *s)
{
    const struct scenario_relay *relays = s->relays.items;
    struct testbed_spot *spots = calloc(s->relays.count + 1, sizeof(*spots));
    for (size_t i = 0; spots != NULL && i < s->relays.count; i++) {
        /* Nothing outside the block may be touched, whatever a subnet says. */
        bool is_wide = inet_net_covers(relays[i].subnet, s->block);
        spots[i] = (struct testbed_spot){
            .relay = &relays[i], .subnet = is_wide ? s->block : relays[i].subnet, .index = i};
    }
    if (spots != NULL) {
        qsort(spots, s->relays.count, sizeof(*spots), by_subnet);
    }
    return spots;
}

size_t testbed_nest_end(const struct testbed_spot *spots, size_t begin, size_t count)
{
    size_t end = begin + 1;
    while (end < count && inet_net_covers(spots[begin].subnet, spots[end].subnet)) {
        end++;
    }
    return end;
}

bool testbed_is_same(struct ipv4_net a, struct ipv4_net b)
{
    return a.prefix_bits == b.prefix_bits && inet_equal(a.base, b.base);
}

bool testbed_has_carried(const struct scenario *s)
{
    const struct scenario_relay *relays = s->relays.items;
    for (size_t i = 0; i < s->relays.count; i++) {
        if (!inet_equal(relays[i].giaddr, relays[i].via)) {
            return true;
        }
    }
    return false;
}

static unsigned slot_of(size_t index)
{
    return 1 + (unsigned)(index % SLOT_COUNT);
}

/* Several relays share addresses: innermost subnet first, told apart by the first byte of the xid.
 */
static unsigned say_nest(const struct testbed_spot *nest, size_t count, const char *indent,
                         const char *and_then, struct plan_text *t)
{
    unsigned rules = 0;
    for (size_t k = count; k-- > 0;) {
        struct ipv4_net subnet = nest[k].subnet;
        char text[IPV4_NET_TEXT_BYTES], via[IPV4_TEXT_BYTES];
        if (k + 1 < count && testbed_is_same(subnet, nest[k + 1].subnet)) {
            continue;
        }
        plan_text_say(t,
                      "%sip daddr %s udp sport 67 udp dport 68 counter %sip daddr set "
                      "@th,96,8 map { ",
                      indent, inet_net_text(subnet, text), and_then);
        const char *separator = "";
        for (size_t i = 0; i < count; i++) {
            if (inet_net_covers(nest[i].subnet, subnet)) {
                plan_text_say(t, "%s0x%02x : %s", separator, slot_of(nest[i].index),
                              inet_text(nest[i].relay->via, via));
                separator = ", ";
            }
        }
        plan_text_say(t, " } accept\n");
        rules++;
    }
    return rules;
}

static bool is_alone(const struct testbed_spot *spots, size_t i, size_t count)
{
    return testbed_nest_end(spots, i, count) == i + 1;
}

/* A relay that shares its subnet with nobody is found by address. */
static unsigned say_alone(const struct testbed_spot *spots, size_t count, const char *indent,
                          const char *and_then, struct plan_text *t)
{
    for (int pass = 0; pass < 2; pass++) {
        const char *separator = "";
        for (size_t i = 0, end; i < count; i = end) {
            char subnet[IPV4_NET_TEXT_BYTES], via[IPV4_TEXT_BYTES];
            end = testbed_nest_end(spots, i, count);
            if (!is_alone(spots, i, count)) {
                continue;
            }
            if (separator[0] == '\0' && pass == 0) {
                plan_text_say(t, "%sip daddr { ", indent);
            }
            plan_text_say(t, "%s%s", separator, inet_net_text(spots[i].subnet, subnet));
            if (pass == 1) {
                plan_text_say(t, " : %s", inet_text(spots[i].relay->via, via));
            }
            separator = ", ";
        }
        if (separator[0] == '\0') {
            return 0;
        }
        if (pass == 0) {
            plan_text_say(t, " } udp sport 67 udp dport 68 counter %sip daddr set ip daddr map { ",
                          and_then);
        }
    }
    plan_text_say(t, " } accept\n");
    return 1;
}

/* ---- relays whose giaddr is a router's: replies to giaddr:67 ---- */

enum carried_column { GIADDRS, GIADDRS_AND_SLOTS, GIADDRS_TO_VIAS };

static void say_carried_column(const struct scenario *s, enum carried_column column,
                               struct plan_text *t)
{
    const struct scenario_relay *relays = s->relays.items;
    const char *separator = "";
    for (size_t i = 0; i < s->relays.count; i++) {
        char giaddr[IPV4_TEXT_BYTES], via[IPV4_TEXT_BYTES];
        if (inet_equal(relays[i].giaddr, relays[i].via)) {
            continue;
        }
        plan_text_say(t, "%s%s", separator, inet_text(relays[i].giaddr, giaddr));
        if (column == GIADDRS_AND_SLOTS) {
            plan_text_say(t, " . 0x%02x", slot_of(i));
        } else if (column == GIADDRS_TO_VIAS) {
            plan_text_say(t, " : %s", inet_text(relays[i].via, via));
        }
        separator = ", ";
    }
}

/*
 * The router that owns a giaddr goes on serving its own clients. A reply is the test's when it is
 * about an address of the block (yiaddr; ciaddr of answers to a DHCPLEASEQUERY). A DHCPNAK names
 * none: it is told by the relay's slot in its xid and the locally administered address of its
 * client. @th,96 is the xid, 160 ciaddr, 192 yiaddr, 288 chaddr.
 */
static unsigned say_carried(const struct scenario *s, const char *indent, const char *and_then,
                            struct plan_text *t)
{
    static const unsigned address_at[] = {192, 160};
    unsigned rules = 0;
    for (; rules < ARRAY_LEN(address_at); rules++) {
        plan_text_say(t, "%sip daddr { ", indent);
        say_carried_column(s, GIADDRS, t);
        plan_text_say(t,
                      " } udp sport 67 udp dport 67 @th,%u,32 & 0x%08" PRIx32 " == 0x%08" PRIx32
                      " counter %sip daddr set ip daddr map { ",
                      address_at[rules], inet_host(inet_net_mask(s->block)),
                      inet_host(s->block.base), and_then);
        say_carried_column(s, GIADDRS_TO_VIAS, t);
        plan_text_say(t, " } accept\n");
    }
    plan_text_say(t, "%sip daddr . @th,96,8 { ", indent);
    say_carried_column(s, GIADDRS_AND_SLOTS, t);
    plan_text_say(t,
                  " } udp sport 67 udp dport 67 @th,160,64 0x0 @th,288,8 & 0x03 == 0x02 counter "
                  "%sip daddr set ip daddr map { ",
                  and_then);
    say_carried_column(s, GIADDRS_TO_VIAS, t);
    plan_text_say(t, " } accept\n");
    return rules + 1;
}

unsigned testbed_say_rewrites(const struct scenario *s, bool has_renewals, const char *indent,
                              const char *and_then, struct plan_text *t)
{
    struct testbed_spot *spots = testbed_spots(s);
    size_t count = s->relays.count;
    unsigned rules = 0;
    if (spots == NULL) {
        t->has_failed = true;
        return 0;
    }
    for (size_t i = 0, end; has_renewals && i < count; i = end) {
        end = testbed_nest_end(spots, i, count);
        if (end > i + 1) {
            rules += say_nest(&spots[i], end - i, indent, and_then, t);
        }
    }
    rules += has_renewals ? say_alone(spots, count, indent, and_then, t) : 0;
    rules += testbed_has_carried(s) ? say_carried(s, indent, and_then, t) : 0;
    free(spots);
    return rules;
}
