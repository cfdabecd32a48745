/* SPDX-License-Identifier: MIT */
/* The checks of the agents' hosts, see preflight_checks.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/run/preflight_checks.h"

enum {
    DATAGRAM_BYTES = 1280, /* kernel memory that one DHCP answer takes in a receive buffer */
    STALL_MS = 50          /* that a packet thread may be kept from its sockets */
};
#define CLOCK_UNSURE_NS (2 * NS_PER_MS)
#define TIMER_COARSE_NS NS_PER_MS

static const struct control_fact *next_fact(const struct preflight_agent *a,
                                            enum control_fact_kind kind,
                                            const struct control_fact *after)
{
    size_t i = after == NULL ? 0 : (size_t)(after - a->facts) + 1;
    for (; i < a->fact_count; i++) {
        if (a->facts[i].kind == kind) {
            return &a->facts[i];
        }
    }
    return NULL;
}

static bool was_looked_at(const struct preflight_agent *a, enum control_fact_kind kind)
{
    const struct control_fact *looked = next_fact(a, FACT_LOOKED_AT, NULL);
    return looked != NULL && (looked->value >> kind & 1) != 0;
}

static bool is_this_agents(const struct preflight_bed *bed, size_t report, size_t agent)
{
    return bed->report_agent[report] == agent;
}

/* Something of what its relays sent did not leave, or was not answered. */
static bool is_troubled(const struct preflight_bed *bed, size_t agent)
{
    bool is_troubled = bed->agents[agent].refusal != NULL;
    for (size_t i = 0; i < bed->report_count; i++) {
        const struct control_preflight_relay *r = &bed->reports[i];
        is_troubled = is_troubled || (is_this_agents(bed, i, agent) &&
                                      (r->bound < r->clients || r->send_errno != 0));
    }
    return is_troubled;
}

static const char *address_text(struct ipv4 address, char text[IPV4_TEXT_BYTES])
{
    return inet_is_zero(address) ? "all addresses" : inet_text(address, text);
}

static void check_refusal(const struct preflight_bed *bed, size_t agent,
                          struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    if (a->refusal != NULL) {
        preflight_say(out, CHECK_SOCKETS, CHECK_FAILED, a->name, "see the agent's log",
                      "agent %s refused the plan: %s", a->name, a->refusal);
    }
}

static void check_listeners(const struct preflight_bed *bed, size_t agent,
                            struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    char text[IPV4_TEXT_BYTES];
    for (const struct control_fact *f = NULL; (f = next_fact(a, FACT_LISTENER, f)) != NULL;) {
        bool is_carried = inet_is_zero(f->addr);
        for (uint32_t i = 0; i < bed->plan->relay_count; i++) {
            is_carried = is_carried || inet_equal(bed->plan->relays[i].via, f->addr);
        }
        if (is_carried) {
            preflight_say(out, CHECK_LISTENERS, a->refusal != NULL ? CHECK_FAILED : CHECK_WARNED,
                          a->name,
                          "find it there with `ss -ulpn` and stop it (dhcpd, dnsmasq, dhclient, "
                          "systemd-networkd), or carry these relays on another host",
                          "another program on the host of agent %s (user id %" PRIu64
                          ") listens on udp port %" PRIu64 " of %s, where answers to its relays "
                          "come",
                          a->name, f->limit, f->value, address_text(f->addr, text));
        } else if (bed->scenario->client_path == SCENARIO_PATH_ROUTED) {
            preflight_say(out, CHECK_LISTENERS, CHECK_WARNED, a->name,
                          "stop it for the test, or use client_path: egress",
                          "another program on the host of agent %s (user id %" PRIu64
                          ") has udp port %" PRIu64 " of %s; client_path routed needs that port of "
                          "all addresses",
                          a->name, f->limit, f->value, address_text(f->addr, text));
        }
    }
}

static void check_addresses(const struct preflight_bed *bed, size_t agent,
                            struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    char text[IPV4_TEXT_BYTES];
    for (const struct control_fact *f = NULL; (f = next_fact(a, FACT_NO_ADDRESS, f)) != NULL;) {
        preflight_say(out, CHECK_ADDRESSES, CHECK_FAILED, a->name,
                      "add it there: ip address add ADDRESS/32 dev DEVICE",
                      "the host of agent %s does not have %s, which carries relays of the plan",
                      a->name, inet_text(f->addr, text));
    }
}

static void check_routes(const struct preflight_bed *bed, size_t agent,
                         struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    char from[IPV4_TEXT_BYTES], to[IPV4_TEXT_BYTES];
    for (const struct control_fact *f = NULL; (f = next_fact(a, FACT_NO_ROUTE, f)) != NULL;) {
        inet_text(f->peer, to);
        if (f->value == 0) {
            preflight_say(
                out, CHECK_ROUTES, CHECK_FAILED, a->name,
                "make the `local` route narrower, so that it covers test addresses only",
                "the host of agent %s takes %s, a server, for one of its own addresses by "
                "a local route, and drops what comes from it",
                a->name, to);
            continue;
        }
        preflight_say(
            out, CHECK_ROUTES, is_troubled(bed, agent) ? CHECK_FAILED : CHECK_WARNED, a->name,
            "add one there; `ip route get SERVER from ADDRESS` must name a device",
            "the host of agent %s has no route from %s to the server %s (%s)", a->name,
            inet_text(f->addr, from), to, strerror(f->value < INT16_MAX ? (int)f->value : 0));
    }
}

/* Answers that came have shown that nothing drops them. */
static void check_filter(const struct preflight_bed *bed, size_t agent,
                         struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    char from[IPV4_TEXT_BYTES], to[IPV4_TEXT_BYTES];
    for (const struct control_fact *f = NULL;
         is_troubled(bed, agent) && (f = next_fact(a, FACT_STRICT_FILTER, f)) != NULL;) {
        preflight_say(
            out, CHECK_RP_FILTER, CHECK_FAILED, a->name,
            "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.DEVICE.rp_filter=2 "
            "there, or give it a route to the server by that device",
            "at the host of agent %s the device of %s drops what comes from the server %s, "
            "to which the route leads out of another device (rp_filter is strict)",
            a->name, inet_text(f->addr, from), inet_text(f->peer, to));
    }
}

/* Answers that can wait in one socket of the agent while its thread does not run. */
static uint64_t waiting_answers(const struct preflight_bed *bed, const struct preflight_agent *a)
{
    uint64_t most = 0;
    const struct plan *plan = bed->plan;
    for (uint32_t i = 0; i < plan->stage_count; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        uint64_t batch = stage->batch;
        uint64_t in_stall = stage->rate_milli_per_s * STALL_MS / 1000 / 1000;
        uint64_t answers = (batch > in_stall ? batch : in_stall) * plan->server_count;
        most = answers > most ? answers : most;
    }
    uint64_t clients = plan->client_count > 0 ? plan->client_count : 1;
    uint64_t relays = a->relays > 0 ? a->relays : 1;
    return most * a->clients / clients / relays;
}

static void check_limits(const struct preflight_bed *bed, size_t agent,
                         struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    const struct control_fact *f = next_fact(a, FACT_RECEIVE_BUFFER, NULL);
    uint64_t needed = waiting_answers(bed, a) * DATAGRAM_BYTES;
    if (f != NULL && f->value < needed && f->value < f->limit) {
        char remedy[PREFLIGHT_TEXT_BYTES];
        (void)snprintf(remedy, sizeof(remedy), "sysctl -w net.core.rmem_max=%" PRIu64 " there",
                       f->limit);
        preflight_say(out, CHECK_RECEIVE_BUFFER, CHECK_WARNED, a->name, remedy,
                      "agent %s asked for receive buffers of %" PRIu64 " bytes and got %" PRIu64
                      "; a burst of this plan can need %" PRIu64
                      " bytes, and what does not fit is lost",
                      a->name, f->limit, f->value, needed);
    }
    f = next_fact(a, FACT_OPEN_FILES, NULL);
    if (f != NULL && f->value < f->limit) {
        preflight_say(out, CHECK_OPEN_FILES, CHECK_FAILED, a->name,
                      "raise it there: ulimit -n, or LimitNOFILE= of its unit",
                      "agent %s may open %" PRIu64 " files and needs %" PRIu64
                      " for the sockets of its relays",
                      a->name, f->value, f->limit);
    }
}

static void check_clock(const struct preflight_bed *bed, size_t agent, struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    const struct control_fact *source = next_fact(a, FACT_CLOCK_SOURCE, NULL);
    const struct control_fact *step = next_fact(a, FACT_TIMER_STEP, NULL);
    if (source != NULL && source->value == CLOCK_SOURCE_COARSE) {
        preflight_say(out, CHECK_CLOCK, CHECK_FAILED, a->name,
                      "choose another in /sys/devices/system/clocksource/clocksource0 there, or "
                      "measure from another host",
                      "the clock of agent %s's host goes in steps of milliseconds (clocksource "
                      "jiffies): its times would be wrong",
                      a->name);
    } else if (source != NULL && source->value == CLOCK_SOURCE_SLOW) {
        preflight_say(out, CHECK_CLOCK, CHECK_WARNED, a->name,
                      "choose tsc or kvm-clock in /sys/devices/system/clocksource/clocksource0 "
                      "there",
                      "every look at the clock costs agent %s a microsecond or more (clocksource "
                      "hpet or acpi_pm): it sends late at high rates",
                      a->name);
    }
    if (step != NULL && step->value >= TIMER_COARSE_NS) {
        preflight_say(out, CHECK_CLOCK, CHECK_FAILED, a->name,
                      "boot that host without highres=off, or measure from another",
                      "timers of agent %s's host fire every %.1f ms only: it cannot keep a pace",
                      a->name, (double)step->value / (double)NS_PER_MS);
    }
    if (a->clock_uncertainty_ns != UINT64_MAX && a->clock_uncertainty_ns > CLOCK_UNSURE_NS) {
        preflight_say(out, CHECK_CLOCK, CHECK_WARNED, a->name,
                      "use a path of less delay between coordinator and agent",
                      "agent %s's clock is known to %.1f ms only: times of different agents are "
                      "compared no better than that",
                      a->name, (double)a->clock_uncertainty_ns / (double)NS_PER_MS);
    }
}

/* Each agent has one thread that must never wait for a CPU. */
static void check_cpus(const struct preflight_bed *bed, size_t agent, struct preflight_checks *out)
{
    const struct preflight_agent *a = &bed->agents[agent];
    const struct control_fact *f = next_fact(a, FACT_PROCESSORS, NULL);
    size_t before = 0, together = 0;
    for (size_t i = 0; i < bed->agent_count; i++) {
        bool is_here = strcmp(bed->agents[i].host, a->host) == 0;
        before += is_here && i < agent;
        together += is_here;
    }
    if (f != NULL && before == 0 && together > f->value) {
        preflight_say(out, CHECK_CPUS, CHECK_WARNED, a->host, "start fewer agents on that host",
                      "%zu agents share the %" PRIu64
                      " CPUs of host %s: each has a thread that must run at once to be on time",
                      together, f->value, a->host);
    }
}

static void check_ping(const struct preflight_bed *bed, size_t agent, struct preflight_checks *out)
{
    static const char remedy[] =
        "drop echo requests to the test block there, as `leaseherd testbed SCENARIO show` prints";
    const struct preflight_agent *a = &bed->agents[agent];
    char text[IPV4_TEXT_BYTES];
    bool is_bad = is_troubled(bed, agent);
    for (const struct control_fact *f = NULL; (f = next_fact(a, FACT_PING, f)) != NULL;) {
        if (f->value == PING_ANSWERED) {
            preflight_say(out, CHECK_PING, is_bad ? CHECK_FAILED : CHECK_WARNED, a->name, remedy,
                          "the host of agent %s answers pings to %s and the rest of the block: a "
                          "server that pings before it offers abandons every address",
                          a->name, inet_text(f->addr, text));
        } else if (f->value == PING_UNKNOWN) {
            preflight_say(
                out, CHECK_PING, is_bad ? CHECK_WARNED : CHECK_NOT_KNOWN, a->name, remedy,
                "the block is the own of agent %s's host by a local route, and whether it "
                "answers pings to %s cannot be asked there",
                a->name, inet_text(f->addr, text));
        }
    }
}

/* Nothing to complain of: one line that says so, or that nobody could look. */
static void conclude(const struct preflight_bed *bed, enum preflight_check_id id,
                     enum control_fact_kind kind, const char *text, struct preflight_checks *out)
{
    size_t looked = 0;
    for (size_t i = 0; i < bed->agent_count; i++) {
        looked += was_looked_at(&bed->agents[i], kind);
    }
    if (!preflight_is_silent(out, id)) {
        return;
    }
    if (looked == bed->agent_count) {
        preflight_say(out, id, CHECK_PASSED, "", "", "%s", text);
    } else {
        preflight_say(out, id, CHECK_NOT_KNOWN, "", "", "%zu of %zu agents could not look",
                      bed->agent_count - looked, bed->agent_count);
    }
}

void preflight_check_hosts(const struct preflight_bed *bed, struct preflight_checks *out)
{
    for (size_t i = 0; i < bed->agent_count; i++) {
        check_refusal(bed, i, out);
        check_listeners(bed, i, out);
        check_addresses(bed, i, out);
        check_routes(bed, i, out);
        check_filter(bed, i, out);
        check_limits(bed, i, out);
        check_clock(bed, i, out);
        check_cpus(bed, i, out);
        check_ping(bed, i, out);
    }
    if (preflight_is_silent(out, CHECK_SOCKETS)) {
        preflight_say(out, CHECK_SOCKETS, CHECK_PASSED, "", "", "every agent has its DHCP sockets");
    }
    conclude(bed, CHECK_LISTENERS, FACT_LISTENER, "nobody else listens where answers come", out);
    conclude(bed, CHECK_ADDRESSES, FACT_NO_ADDRESS, "the carrying addresses are there", out);
    conclude(bed, CHECK_ROUTES, FACT_NO_ROUTE,
             "there is a route from each carrying address to each server", out);
    conclude(bed, CHECK_RP_FILTER, FACT_STRICT_FILTER,
             "no reverse-path filter drops the servers' answers", out);
    conclude(bed, CHECK_RECEIVE_BUFFER, FACT_RECEIVE_BUFFER,
             "receive buffers hold the plan's bursts", out);
    conclude(bed, CHECK_OPEN_FILES, FACT_OPEN_FILES, "there are descriptors for all sockets", out);
    conclude(bed, CHECK_CLOCK, FACT_TIMER_STEP, "clocks and timers are fine enough", out);
    conclude(bed, CHECK_CPUS, FACT_PROCESSORS, "every agent has a CPU", out);
    conclude(bed, CHECK_PING, FACT_PING, "nobody answers pings to the test block", out);
}
