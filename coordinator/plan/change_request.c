/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/change_request.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/change_request_parts.h"
#include "coordinator/plan/forecast_search.h"
#include "coordinator/plan/forecast_wave.h"

enum { LIST_MAX = 12 }; /* of relays, addresses: a page holds no more */

/* --- figures --- */

/* Of all clients: those whose relay forwards to the server, and those it answers if all share. */
static void shares_of(const struct scenario *s, size_t server, double *out_reach, double *out_own)
{
    const struct scenario_relay *relays = s->relays.items;
    const struct scenario_server *servers = s->servers.items;
    double reach = 0, own = 0, all = 0;
    for (size_t i = 0; i < s->relays.count; i++) {
        const char(*to)[PLAN_NAME_BYTES] = relays[i].to.items;
        size_t targets = relays[i].to.count > 0 ? relays[i].to.count : s->servers.count;
        bool is_target = relays[i].to.count == 0;
        for (size_t j = 0; j < relays[i].to.count; j++) {
            is_target = is_target || strcmp(to[j], servers[server].name) == 0;
        }
        double clients = (double)relays[i].clients;
        all += clients;
        reach += is_target ? clients : 0;
        own += is_target ? clients / (double)targets : 0;
    }
    *out_reach = all > 0 ? reach / all : 0;
    *out_own = all > 0 ? own / all : 0;
}

/* To a server that all its clients use; the closed model knows only the limit. */
static double stage_packets_per_s(const struct scenario *s, const struct forecast *f, size_t i,
                                  double reach, double limit_per_s)
{
    const struct scenario_stage *stage = (const struct scenario_stage *)s->stages.items + i;
    double per_s = f->stage[i].exchanges_per_s * reach;
    switch (stage->kind) {
    case PLAN_ACQUIRE:
        return f->stage[i].is_upper_bound ? limit_per_s : 2 * per_s;
    case PLAN_HOLD: {
        struct forecast_waves w;
        forecast_waves_make(s, &w);
        double wave = w.t1.peak_per_s * reach, rebind = w.t2.peak_per_s * reach;
        wave = wave > rebind ? wave : rebind;
        return !w.is_known || w.is_upper_bound ? limit_per_s : wave > per_s ? wave : per_s;
    }
    case PLAN_LOAD: {
        double share = forecast_search_acquire_share(s);
        return per_s * (2 * share + (1 - share));
    }
    case PLAN_REBOOT:
    case PLAN_RELEASE:
    case PLAN_INFORM:
    case PLAN_DECLINE:
        return f->stage[i].is_upper_bound ? limit_per_s : per_s;
    case PLAN_QUERY:
    case PLAN_RENEW:
    case PLAN_STAGE_KIND_COUNT:
        break;
    }
    return 0;
}

double change_request_packets_per_s(const struct scenario *s, const struct forecast *f,
                                    size_t server)
{
    double reach, own, limit_per_s = (double)s->packets_milli_per_s / 1000;
    double most = (double)s->release_milli_per_s / 1000;
    shares_of(s, server, &reach, &own);
    for (size_t i = 0; i < f->stage_count; i++) {
        double per_s = stage_packets_per_s(s, f, i, reach, limit_per_s);
        most = per_s > most ? per_s : most;
    }
    return most < limit_per_s ? most : limit_per_s;
}

/*
 * Lines and bytes per exchange, seen with dhcpd 4.4.3 (35 bytes of syslog's prefix added to each
 * line) and Kea 2.2.0 (INFO), as they are delivered.
 */
static const struct change_log per_exchange[][PLAN_STAGE_KIND_COUNT] = {
    [CHANGE_DHCPD] =
        {
            [PLAN_ACQUIRE] = {4, 372},
            [PLAN_HOLD] = {2, 191},
            [PLAN_REBOOT] = {2, 191},
            [PLAN_RELEASE] = {1, 101},
            [PLAN_INFORM] = {2, 191},
            [PLAN_DECLINE] = {2, 189},
        },
    [CHANGE_KEA] =
        {
            [PLAN_ACQUIRE] = {2, 386},
            [PLAN_HOLD] = {1, 200},
            [PLAN_REBOOT] = {1, 200},
            [PLAN_RELEASE] = {1, 187},
            [PLAN_INFORM] = {0, 0},
            [PLAN_DECLINE] = {1, 253},
        },
};

static void add_log(struct change_log *log, const struct change_log *each, double exchanges)
{
    log->lines += each->lines * exchanges;
    log->bytes += each->bytes * exchanges;
}

struct change_log change_request_log(const struct scenario *s, const struct forecast *f,
                                     size_t server, enum change_server_kind kind)
{
    const struct scenario_stage *stages = s->stages.items;
    const struct change_log *each = per_exchange[kind];
    struct change_log log = {0, 0};
    double reach, own;
    shares_of(s, server, &reach, &own);
    for (size_t i = 0; i < f->stage_count; i++) {
        enum plan_stage_kind stage_kind = stages[i].kind;
        double exchanges = (double)f->stage[i].exchanges;
        bool is_relayed =
            stage_kind == PLAN_ACQUIRE || stage_kind == PLAN_REBOOT || stage_kind == PLAN_DECLINE;
        if (stage_kind == PLAN_LOAD) {
            double share = forecast_search_acquire_share(s);
            add_log(&log, &each[PLAN_ACQUIRE], exchanges * share * reach);
            add_log(&log, &each[PLAN_RELEASE], exchanges * share * own);
            add_log(&log, &each[PLAN_HOLD], exchanges * (1 - share) * own);
        } else {
            add_log(&log, &each[stage_kind], exchanges * (is_relayed ? reach : own));
        }
    }
    if (scenario_cleans_up(s, CLEANUP_ON_END)) {
        add_log(&log, &each[PLAN_RELEASE], (double)f->clients * own);
    }
    return log;
}

/* --- the page --- */

static void say_head(const struct scenario *s, struct plan_text *t)
{
    plan_text_say(t, "CHANGE REQUEST: DHCP load test %s\n\n", s->name);
    plan_text_say(t,
                  "  Requested by  ______________________   Approved by  ______________________\n"
                  "  From          ____-__-__ __:__         Until        ____-__-__ __:__\n"
                  "  At the keys   ______________________   Telephone    ______________________\n"
                  "  On call at the servers ______________________________________________\n");
}

static void say_what(const struct scenario *s, const struct forecast *f, struct plan_text *t)
{
    const struct scenario_stage *stages = s->stages.items;
    char clients[COUNT_TEXT_BYTES], span[SPAN_TEXT_BYTES];
    plan_text_say(t, "\n1. WHAT\n");
    plan_text_wrap(t, "  ",
                   "%s simulated DHCP clients behind %zu simulated relay%s. Their MAC addresses "
                   "are locally administered and of one prefix; option 60 is %s. In this order:",
                   plan_count_text((double)f->clients, clients), s->relays.count,
                   s->relays.count == 1 ? "" : "s",
                   s->vendor_class[0] != '\0' ? s->vendor_class : "leaseherd/RUN");
    for (size_t i = 0; i < s->stages.count; i++) {
        bool is_hold = stages[i].kind == PLAN_HOLD;
        plan_text_say(t, "  - %s: %s", stages[i].name,
                      stages[i].kind == PLAN_LOAD ? "search"
                                                  : plan_stage_kind_name(stages[i].kind));
        if (is_hold) {
            plan_text_say(t, " for %s%s\n", stages[i].is_until_steady ? "at most " : "",
                          plan_span_text(stages[i].duration_ns, span));
        } else if (stages[i].batch > 0) {
            plan_text_say(t, ", at most %" PRIu64 " at a time\n", stages[i].batch);
        } else {
            plan_text_say(t, ", %s%g/s\n", stages[i].kind == PLAN_LOAD ? "steps of up to " : "",
                          (double)stages[i].rate_milli_per_s / 1000);
        }
    }
}

static void say_where(const struct scenario *s, struct plan_text *t)
{
    const struct scenario_relay *relays = s->relays.items;
    plan_text_say(t,
                  "\n2. FROM WHERE (UDP, ports 67 and 68; the addresses that carry the relays)\n");
    size_t said = 0;
    for (size_t i = 0; i < s->relays.count && said < LIST_MAX; i++) {
        char via[IPV4_TEXT_BYTES], giaddr[IPV4_TEXT_BYTES];
        plan_text_say(t, "  %-15s relay %s, giaddr %s%s%s\n", inet_text(relays[i].via, via),
                      relays[i].name, inet_text(relays[i].giaddr, giaddr),
                      relays[i].agent[0] != '\0' ? ", host " : "", relays[i].agent);
        said++;
    }
    if (said < s->relays.count) {
        plan_text_say(t, "  and %zu more: leaseherd check lists them all\n",
                      s->relays.count - said);
    }
}

static void say_servers(const struct scenario *s, const struct forecast *f, struct plan_text *t)
{
    const struct scenario_server *servers = s->servers.items;
    char limit[COUNT_TEXT_BYTES], planned[COUNT_TEXT_BYTES];
    plan_text_say(t, "\n3. TO WHICH SERVERS, AND HOW MUCH\n");
    for (size_t i = 0; i < s->servers.count; i++) {
        char address[IPV4_TEXT_BYTES];
        double most = change_request_packets_per_s(s, f, i);
        plan_text_say(t, "  %-15s %s: up to %s packets/s\n", inet_text(servers[i].address, address),
                      servers[i].name, plan_count_text(most, planned));
    }
    (void)plan_count_text((double)s->packets_milli_per_s / 1000, limit);
    plan_text_wrap(t, "  ",
                   "All together never more than %s packets/s: every agent checks its share before "
                   "every packet, and its own policy file besides. No other server is spoken to. "
                   "About %s packets in all.",
                   limit, plan_count_text((double)f->packets_sent, planned));
}

static void say_addresses(const struct scenario *s, const struct forecast *f, struct plan_text *t)
{
    char block[IPV4_NET_TEXT_BYTES], clients[COUNT_TEXT_BYTES], span[SPAN_TEXT_BYTES];
    char limit[SPAN_TEXT_BYTES];
    plan_text_say(t, "\n4. ADDRESSES\n");
    plan_text_wrap(t, "  ",
                   "Up to %s leases at a time, all inside %s. An offer of any other address, or "
                   "from any other server, is never requested; the third one stops the whole test.",
                   plan_count_text((double)f->clients, clients), inet_net_text(s->block, block));
    plan_text_say(t, "\n5. HOW LONG\n");
    if (s->has_search) {
        plan_text_wrap(t, "  ", "The search takes at most %s, by what the servers answer.",
                       plan_span_text(forecast_search_time_max_ns(s) / NS_PER_S * NS_PER_S, span));
    }
    plan_text_wrap(
        t, "  ",
        "At least %s; whatever happens, load ends after %s. Then open exchanges get 10 s%s.",
        plan_span_text(f->at_least_ns / NS_PER_S * NS_PER_S, span),
        plan_span_text(s->time_ns, limit),
        s->release_milli_per_s > 0 ? ", and leases are released (9)" : "");
}

static void say_commands(const struct scenario *s, struct plan_text *t)
{
    const struct scenario_event *events = s->events.items;
    size_t commands = 0;
    plan_text_say(
        t, "\n7. COMMANDS DURING THE TEST (on the operator's machine, as its user, only with "
           "--allow-actions)\n");
    for (size_t i = 0; i < s->events.count; i++) {
        char span[SPAN_TEXT_BYTES];
        if (events[i].run[0] == '\0') {
            continue;
        }
        commands++;
        plan_text_say(t, "  %s after the begin of %s, \"%s\":\n      %s\n",
                      plan_span_text(events[i].at_ns, span),
                      events[i].stage[0] != '\0' ? events[i].stage : "the run", events[i].name,
                      events[i].run);
    }
    if (s->has_search && s->search.reset[0] != '\0') {
        commands++;
        plan_text_say(t, "  between the %" PRIu64 " searches:\n      %s\n", s->search.repeat,
                      s->search.reset);
    }
    if (commands == 0) {
        plan_text_say(t, "  None.\n");
    }
}

static void say_coordinator_loss(const struct scenario *s, struct plan_text *t)
{
    char span[SPAN_TEXT_BYTES];
    if (s->renewals_alone_ns > 0) {
        plan_text_wrap(
            t, "  - ",
            "If the coordinator dies or is cut off, no agent begins anything new after 6 "
            "s; for up to %s more they renew and rebind the leases they hold "
            "(on_coordinator_loss), where their policy allows it.",
            plan_span_text(s->renewals_alone_ns, span));
        plan_text_wrap(t, "  - ",
                       "By itself: if the servers fall silent or foreign offers come, every agent "
                       "stops sending.");
        return;
    }
    plan_text_wrap(t, "  - ",
                   "By itself: if the coordinator dies or is cut off, every agent has "
                   "stopped sending within 6 s (it may send for 5 s after the last word "
                   "it heard); so it does if the servers fall silent or foreign offers "
                   "come.");
}

static void say_stop(const struct scenario *s, struct plan_text *t)
{
    plan_text_say(t, "\n8. HOW IT IS STOPPED\n");
    plan_text_wrap(t, "  - ",
                   "Ctrl-C at the coordinator, or `leaseherd stop RUN` from another "
                   "terminal of that host: load ends, and leases are released if `stop` "
                   "is in cleanup. Ctrl-C twice, or `leaseherd stop RUN --now`: at once.");
    plan_text_wrap(t, "  - ",
                   "`deploy/fleet stop INVENTORY` ends the agents by ssh; it needs no "
                   "coordinator.");
    say_coordinator_loss(s, t);
}

char *change_request(const struct scenario *s, const struct forecast *f, const char *path)
{
    struct plan_text t = {.is_heap = true};
    say_head(s, &t);
    say_what(s, f, &t);
    say_where(s, &t);
    say_servers(s, f, &t);
    say_addresses(s, f, &t);
    change_request_say_changes(s, path, &t);
    say_commands(s, &t);
    say_stop(s, &t);
    change_request_say_leftovers(s, f, &t);
    plan_text_say(&t, "\n");
    plan_text_wrap(&t, "",
                   "This page follows from %s and was made by `leaseherd check --change-request`; "
                   "nothing was sent.",
                   path);
    return plan_text_take(&t);
}
