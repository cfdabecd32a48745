/* SPDX-License-Identifier: MIT */
/* The DHCP server of Cisco IOS. It has no failover: of a pair each gives half of the pool. */
#include <inttypes.h>

#include "coordinator/plan/setup_print.h"

static const struct scenario_server *server_at(const struct setup *setup, size_t i)
{
    return (const struct scenario_server *)setup->scenario->servers.items + i;
}

static void say_class(const struct setup *setup, struct plan_text *t)
{
    plan_text_say(t, "! Test clients, by option 60; needs a release whose classes know `option`.\n"
                     "ip dhcp class LEASEHERD\n option 60 hex ");
    for (size_t i = 0; i < setup->guard_bytes; i++) {
        plan_text_say(t, "%02X", (unsigned)(unsigned char)setup->guard[i]);
    }
    plan_text_say(t, "*\n!\n");
}

/* Days, hours, minutes; it knows no seconds. */
static void say_lease(const struct setup *setup, struct plan_text *t)
{
    uint64_t minutes = (setup->lease_s + 59) / 60;
    plan_text_say(t, " lease %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", minutes / 1440,
                  minutes / 60 % 24, minutes % 60);
}

static void say_pool(const struct setup *setup, size_t at, struct plan_text *t)
{
    const struct setup_network *n = &setup->networks[at];
    uint32_t first = inet_host(n->pool_first), last = inet_host(n->pool_last);
    char a[IPV4_TEXT_BYTES], b[IPV4_TEXT_BYTES];
    if (setup->partner != setup->server && last > first) {
        uint32_t middle = first + (last - first) / 2;
        first = setup->is_primary ? first : middle + 1;
        last = setup->is_primary ? middle : last;
    }
    uint32_t lowest = inet_host(n->subnet.base) + 1;
    uint32_t highest = inet_host(n->subnet.base) + (uint32_t)(inet_net_size(n->subnet) - 2);
    if (lowest < first) {
        plan_text_say(t, "ip dhcp excluded-address %s %s\n", inet_text(inet_from_host(lowest), a),
                      inet_text(inet_from_host(first - 1), b));
    }
    if (last < highest) {
        plan_text_say(t, "ip dhcp excluded-address %s %s\n", inet_text(inet_from_host(last + 1), a),
                      inet_text(inet_from_host(highest), b));
    }
    plan_text_say(t, "ip dhcp pool LEASEHERD-%zu\n network %s %s\n", at + 1,
                  inet_text(n->subnet.base, a), inet_text(inet_net_mask(n->subnet), b));
    plan_text_say(t, " default-router %s\n", inet_text(n->router, a));
    say_lease(setup, t);
    if (!setup->is_open) {
        plan_text_say(t, " class LEASEHERD\n  address range %s %s\n",
                      inet_text(inet_from_host(first), a), inet_text(inet_from_host(last), b));
    }
    plan_text_say(t, "!\n");
}

/* A pool is chosen by giaddr: one outside of every pool's network selects none. */
static void say_strangers(const struct setup *setup, const struct setup_network *n,
                          struct plan_text *t)
{
    const struct scenario_relay *relays = setup->scenario->relays.items;
    for (size_t i = 0; i < setup->scenario->relays.count; i++) {
        char a[IPV4_TEXT_BYTES], b[IPV4_NET_TEXT_BYTES];
        if (setup_serves(setup, n, i) && !inet_net_contains(n->subnet, relays[i].giaddr)) {
            plan_text_say(t,
                          "! relay %s: IOS chooses the pool by giaddr, and %s is not in %s. Give "
                          "the relay a giaddr of its subnet.\n",
                          relays[i].name, inet_text(relays[i].giaddr, a),
                          inet_net_text(n->subnet, b));
        }
    }
}

void setup_print_ios(const struct setup *setup, struct plan_text *t)
{
    plan_text_say(t, "! DHCP server %s for scenario %s\n", server_at(setup, setup->server)->name,
                  setup->scenario->name);
    if (setup->lease_s % 60 != 0) {
        plan_text_say(t, "! IOS counts leases in minutes: not %" PRIu64 " s, but the next more.\n",
                      setup->lease_s);
    }
    if (!setup->is_open) {
        say_class(setup, t);
    }
    for (size_t i = 0; i < setup->network_count; i++) {
        say_strangers(setup, &setup->networks[i], t);
        say_pool(setup, i, t);
    }
}
