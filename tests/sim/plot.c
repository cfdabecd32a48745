/* SPDX-License-Identifier: MIT */
#include "tests/sim/plot.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/attrs.h"

struct plot plot;

enum { SUBNET_BITS = 24, XID_SLOTS = 255, BLOCK = 0x0a0a0000 };
static const uint32_t first_giaddr = 0xac100803, first_server = 0xc0a8010c;

static void say(const char *format, ...) PRINTF_LIKE(1, 2);

static void say(const char *format, ...)
{
    size_t at = strlen(plot.scenario);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(plot.scenario + at, sizeof(plot.scenario) - at, format, arguments);
    va_end(arguments);
    assert(size >= 0 && (size_t)size < sizeof(plot.scenario) - at);
}

static uint64_t between(struct prng *p, uint64_t low, uint64_t high)
{
    return low + prng_below(p, high - low + 1);
}

static bool chance(struct prng *p, unsigned percent)
{
    return prng_below(p, 100) < percent;
}

/* --- who is where --- */

static void draw_network(struct prng *p, size_t agents)
{
    plot.block = (struct ipv4_net){inet_from_host(BLOCK), 16};
    plot.server_count = between(p, 1, WORLD_SERVERS_MAX);
    for (size_t i = 0; i < plot.server_count; i++) {
        plot.servers[i] = inet_from_host(first_server + ((uint32_t)i << 8));
    }
    plot.relay_count = between(p, agents, WORLD_RELAYS_MAX);
    plot.shares_subnets = plot.relay_count > 1 && chance(p, 50);
    uint32_t room = WORLD_CLIENTS_MAX / (uint32_t)plot.relay_count;
    for (size_t i = 0; i < plot.relay_count; i++) {
        struct plot_relay *r = &plot.relays[i];
        uint32_t subnet = plot.shares_subnets ? 0 : (uint32_t)i;
        r->giaddr = inet_from_host(first_giaddr + ((uint32_t)i << 8));
        r->subnet = (struct ipv4_net){inet_from_host(BLOCK + (subnet << 8)), SUBNET_BITS};
        r->clients = (uint32_t)between(p, 2, chance(p, 70) ? 8 : room);
        r->agent = i % agents;
        plot.clients += r->clients;
    }
}

static void say_network(void)
{
    char text[IPV4_TEXT_BYTES], subnet[IPV4_TEXT_BYTES];
    say("leaseherd: 1\nscenario: world\nservers:\n");
    for (size_t i = 0; i < plot.server_count; i++) {
        say("  s%zu: {address: %s, leases: {query: true}}\n", i + 1,
            inet_text(plot.servers[i], text));
    }
    say("network:\n  block: %s/%u\n  relays:\n", inet_text(plot.block.base, text),
        (unsigned)plot.block.prefix_bits);
    for (size_t i = 0; i < plot.relay_count; i++) {
        const struct plot_relay *r = &plot.relays[i];
        say("    - {name: r%zu, giaddr: %s, subnet: %s/%u, clients: %u}\n", i + 1,
            inet_text(r->giaddr, text), inet_text(r->subnet.base, subnet), SUBNET_BITS,
            (unsigned)r->clients);
    }
}

/* --- what they do --- */

/* All acquire stages of a run share these two. */
static uint64_t tries, deadline_s;

/* So that what a stage plans stays below limits.packets. */
static unsigned rate_of(struct prng *p, uint64_t most)
{
    uint64_t room = plot.packets_per_s / (2 * plot.server_count);
    return (unsigned)between(p, 1, most < room ? most : room);
}

static void say_acquire(struct prng *p, const char *name, bool is_quick)
{
    say("  - {name: %s, acquire: {", name);
    if (is_quick || chance(p, 60)) {
        say("batch: %u", (unsigned)between(p, 1, 12));
    } else {
        say("rate: %u/s, arrivals: %s", rate_of(p, 40), chance(p, 50) ? "poisson" : "uniform");
    }
    say(", tries: %u, deadline: %us}, timeout: 60s}\n", (unsigned)tries, (unsigned)deadline_s);
}

/* A stage for clients that hold a lease; what takes it away is followed by another acquire. */
static bool say_extra(struct prng *p, unsigned number)
{
    static const char *const kinds[] = {"reboot", "inform", "decline", "release"};
    const char *kind = kinds[prng_below(p, ARRAY_LEN(kinds))];
    say("  - {name: extra-%u, %s: {rate: %u/s}, timeout: 30s}\n", number, kind, rate_of(p, 60));
    return kind[0] == 'r' && kind[2] == 'l';
}

static void say_extras(struct prng *p)
{
    unsigned extras = (unsigned)between(p, 1, 2);
    plot.is_plain = false;
    for (unsigned i = 0; i < extras; i++) {
        if (say_extra(p, i + 1) && chance(p, 70)) {
            char name[32];
            (void)snprintf(name, sizeof(name), "again-%u", i + 1);
            say_acquire(p, name, false);
        }
    }
}

/* One acquisition for each renewal: half of what arrives needs a client without a lease. */
static void say_search(struct prng *p)
{
    uint64_t bound = plot.clients / 4, step_s = between(p, 2, 3);
    uint64_t high = (plot.clients - bound) / step_s;
    plot.has_search = true;
    plot.is_plain = false;
    say("  - {name: search, search: {rates: [%u/s, %u/s], mix: {acquire: 1, renew: 1}, bound: %u, "
        "step: %us, within: 1s}}\n",
        (unsigned)high / 2, (unsigned)high, (unsigned)bound, (unsigned)step_s);
}

static void say_stages(struct prng *p, uint64_t hold_s)
{
    say("run:\n");
    say_acquire(p, "peak", hold_s > 0);
    if (plot.soak_hours > 0) {
        say("  - {name: keep, hold: %uh}\n", plot.soak_hours);
        return;
    }
    if (hold_s == 0 && chance(p, 50)) {
        say_extras(p);
    }
    if (chance(p, 12) && plot.clients >= 16 && plot.packets_per_s > 1000 && hold_s == 0) {
        say_search(p);
    } else {
        say("  - {name: keep, hold: %us}\n",
            (unsigned)(hold_s > 0 ? hold_s : between(p, plot.lease_s, 3 * plot.lease_s)));
    }
}

static void say_rest(struct prng *p)
{
    static const char *const losses[] = {"fail", "continue", "continue"};
    uint64_t limit_s = 300 + (uint64_t)plot.soak_hours * 3700;
    plot.packets_per_s = chance(p, 30) ? between(p, 10, 60) : 2000;
    /* Renewals that come together leave one by one: INVALID by send lag may be right then. */
    plot.is_plain = plot.is_plain && plot.packets_per_s >= 40;
    uint64_t hold_s = 0;
    if (plot.soak_hours == 0 && chance(p, 10)) { /* it may be reached */
        hold_s = plot.lease_s;
        limit_s = hold_s + between(p, 10, 40);
        plot.is_plain = false;
    }
    plot.on_agent_loss = losses[prng_below(p, ARRAY_LEN(losses))];
    if (plot.shares_subnets && chance(p, 60)) {
        plot.on_agent_loss = "reassign";
    }
    if (strcmp(plot.on_agent_loss, "reassign") != 0 && hold_s == 0 && chance(p, 30)) {
        plot.alone_s = (uint32_t)between(p, 5, 40);
    }
    if (plot.soak_hours > 0) {
        plot.on_agent_loss = "continue";
    }
    tries = between(p, 1, 4);
    deadline_s = between(p, 10, 60);
    say("clients: {seed: %u, identity: %s, fuzz: %u%%%s}\n", (unsigned)between(p, 1, 1000),
        chance(p, 30) ? "fixed" : "fresh", (unsigned)between(p, 0, 10),
        chance(p, 70) ? ", renew_retry: 2s" : "");
    say("expect: {lease: %us, production_lease: 8h}\n", (unsigned)plot.lease_s);
    say("limits: {packets: %u/s, time: %us}\n", (unsigned)plot.packets_per_s, (unsigned)limit_s);
    say_stages(p, hold_s);
    say("judge:\n  - leases.failed == 0\n  - addresses.duplicate == 0\n");
    if (chance(p, 75)) {
        say("cleanup: {release: %u/s, on: [%s]}\n",
            (unsigned)(chance(p, 40) ? between(p, 2, 6) : between(p, 5, 100)),
            chance(p, 50) ? "end, stop, fail" : "stop, fail");
    }
    if (plot.has_search) { /* on fewer agents it would measure something else */
        plot.on_agent_loss = "fail";
    }
    say("on_agent_loss: %s\n", plot.on_agent_loss);
    if (plot.alone_s > 0) {
        say("on_coordinator_loss: {new: stop, renewals: %us}\n", (unsigned)plot.alone_s);
    }
    plot.longest_ns = (limit_s + 300) * NS_PER_S;
}

void plot_draw(struct prng *p, size_t agents, unsigned soak_hours)
{
    memset(&plot, 0, sizeof(plot));
    plot.soak_hours = soak_hours;
    plot.is_plain = true;
    draw_network(p, agents);
    plot.lease_s = (uint32_t)(soak_hours > 0 ? 600 : between(p, 6, 24));
    plot.has_cleanup_after = soak_hours == 0 && chance(p, 25);
    say_network();
    say_rest(p);
}

/* --- where things are --- */

size_t plot_relay_of_xid(uint32_t xid)
{
    size_t slot = xid >> 24;
    return slot >= 1 && slot <= XID_SLOTS && slot - 1 < plot.relay_count ? slot - 1 : SIZE_MAX;
}

size_t plot_relay_of_address(struct ipv4 address)
{
    for (size_t i = 0; i < plot.relay_count; i++) {
        if (inet_net_contains(plot.relays[i].subnet, address)) {
            return i;
        }
    }
    return SIZE_MAX;
}

size_t plot_server_at(struct ipv4 address)
{
    for (size_t i = 0; i < plot.server_count; i++) {
        if (inet_equal(plot.servers[i], address)) {
            return i;
        }
    }
    return SIZE_MAX;
}
