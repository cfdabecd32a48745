/* SPDX-License-Identifier: MIT */
/* The plan of a scenario, in words, before anything is sent. */
#include "coordinator/cmd/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cmd/options.h"
#include "coordinator/plan/change_request.h"
#include "coordinator/plan/forecast.h"
#include "coordinator/plan/forecast_losses.h"
#include "coordinator/plan/forecast_wave.h"
#include "coordinator/truth/facts.h"
#include "coordinator/truth/judge.h"
#include "proto/observation.h"
#include "proto/plan.h"

enum { ROW_REFERENCE, ROW_EFFECTIVE, ROW_METRICS, ROW_FACTS, ROW_CHANGE, ROW_COUNT };
enum { SENTENCES_BYTES = 8192, COLUMNS = 98 };

static const struct option_row flags[ROW_COUNT] = {
    [ROW_REFERENCE] = {.name = "--reference", .help = "describe every key of the scenario file"},
    [ROW_EFFECTIVE] = {.name = "--effective", .help = "print the scenario with all defaults"},
    [ROW_METRICS] = {.name = "--metrics", .help = "list what judgements can be about"},
    [ROW_FACTS] = {.name = "--facts",
                   .help = "list the facts of findings and the metrics of observers"},
    [ROW_CHANGE] = {.name = "--change-request",
                    .help = "print one page for those who must agree to the test"},
};

static void print_help(void)
{
    (void)puts(
        "usage: leaseherd check SCENARIO [--effective | --change-request]\n"
        "       leaseherd check --reference | --metrics | --facts\n"
        "\n"
        "Reads the scenario and shows the plan: which address carries which relay, clients,\n"
        "packet rates, memory, the waves of renewals to come, the commands of events, and what\n"
        "the load equals at the production lease time. Sends nothing and runs nothing. With\n"
        "errors: all of them, each with its line, and exit code 2.\n"
        "\n"
        "Exit code: 0 done, 2 usage or scenario, 6 internal.\n");
    options_print(stdout, flags, ROW_COUNT);
}

static void print_server(const struct scenario_server *server)
{
    static const char *const sources[] = {
        [LEASES_UNKNOWN] = "its leases cannot be looked at (`leases` is not given)",
        [LEASES_DHCPD_FILE] = "leases from dhcpd's file ",
        [LEASES_KEA_FILE] = "leases from Kea's file ",
        [LEASES_KEA_SOCKET] = "leases from Kea's socket ",
        [LEASES_QUERY] = "leases by DHCPLEASEQUERY",
    };
    char address[IPV4_TEXT_BYTES];
    (void)printf("  %-20s %-15s %s%s\n", server->name, inet_text(server->address, address),
                 sources[server->lease_source], server->lease_path);
}

static void print_heading(const struct scenario *s, const struct forecast *f)
{
    static const char *const paths[] = {"auto", "routed", "egress", "relayed", "dnat"};
    static const char *const identities[] = {"fresh", "fixed", "returning "};
    char text[IPV4_NET_TEXT_BYTES];
    (void)printf("scenario %s: %" PRIu64 " clients, %zu relay%s, %zu server%s\n", s->name,
                 f->clients, s->relays.count, s->relays.count == 1 ? "" : "s", s->servers.count,
                 s->servers.count == 1 ? "" : "s");
    (void)printf("  block %s (an offer outside is never requested), client path %s\n",
                 inet_net_text(s->block, text), paths[s->client_path]);
    (void)printf("  seed %" PRIu64 ", identity %s%s\n\n", s->seed, identities[s->identity],
                 s->returning);

    const struct scenario_server *servers = s->servers.items;
    (void)printf("servers\n");
    for (size_t i = 0; i < s->servers.count; i++) {
        print_server(&servers[i]);
    }
}

static void print_targets(const struct plan *plan, const struct plan_relay *r)
{
    for (uint8_t i = 0; i < r->to_count; i++) {
        (void)printf("%s%s", i == 0 ? "" : ",", plan->servers[r->to[i]].name);
    }
    (void)putchar('\n');
}

static bool has_another(const struct plan *plan, uint32_t relay)
{
    const struct ipv4_net *net = &plan->relays[relay].subnet;
    for (uint32_t i = 0; i < plan->relay_count; i++) {
        const struct ipv4_net *other = &plan->relays[i].subnet;
        if (i != relay && other->prefix_bits == net->prefix_bits &&
            inet_equal(other->base, net->base)) {
            return true;
        }
    }
    return false;
}

/* Whose clients are lost with their agent, whatever the scenario wants. */
static void print_homeless(const struct scenario *s, const struct plan *plan)
{
    enum { SHOWN_MAX = 8 };
    unsigned shown = 0;
    for (uint32_t i = 0;
         s->on_agent_loss == AGENT_LOSS_REASSIGN && i < plan->relay_count && shown <= SHOWN_MAX;
         i++) {
        if (!has_another(plan, i)) {
            shown++;
            (void)printf("%s%s", shown == 1 ? "  no second relay in the subnet of: " : ", ",
                         shown > SHOWN_MAX ? "..." : plan->relays[i].name);
        }
    }
    (void)fputs(shown > 0 ? "\n  (their clients are lost with their agent)\n" : "", stdout);
}

static void print_relays(const struct scenario *s, const struct plan *plan)
{
    const struct scenario_relay *relays = s->relays.items;
    (void)printf("\nrelays\n  %-14s %-15s %-15s %-18s %-13s %4s %-6s %s\n", "NAME", "CARRIED BY",
                 "GIADDR", "SUBNET", "CLIENTS", "SLOT", "AGENT", "TO");
    for (uint32_t i = 0; i < plan->relay_count; i++) {
        const struct plan_relay *r = &plan->relays[i];
        char via[IPV4_TEXT_BYTES], giaddr[IPV4_TEXT_BYTES], subnet[IPV4_NET_TEXT_BYTES];
        char range[32];
        (void)snprintf(range, sizeof(range), "%" PRIu32 "-%" PRIu32, r->first_client,
                       r->first_client + r->client_count - 1);
        (void)printf("  %-14s %-15s %-15s %-18s %-13s %4u %-6s ", r->name, inet_text(r->via, via),
                     inet_text(r->giaddr, giaddr), inet_net_text(r->subnet, subnet), range,
                     (unsigned)r->xid_slot, relays[i].agent[0] != '\0' ? relays[i].agent : "any");
        print_targets(plan, r);
    }
    print_homeless(s, plan);
}

static void print_rate(double per_s, bool is_upper_bound, char *out, size_t size)
{
    if (per_s > 0) {
        (void)snprintf(out, size, "%s%.1f", is_upper_bound ? "<= " : "", per_s);
    } else {
        (void)snprintf(out, size, "unknown");
    }
}

static const char *kind_text(const struct scenario_stage *stage)
{
    if (stage->is_until_steady) {
        return "steady";
    }
    return stage->kind == PLAN_LOAD ? "search" : plan_stage_kind_name(stage->kind);
}

static void print_stages(const struct scenario *s, const struct forecast *f)
{
    const struct scenario_stage *stages = s->stages.items;
    (void)printf("\nstages (before them: preflight with 3 clients per relay; the first acquire "
                 "stage begins\nwith canaries of 3, 30 and 300 clients)\n");
    (void)printf("  %-16s %-7s %-13s %10s %10s %11s %10s %9s\n", "NAME", "KIND", "PACE",
                 "EXCHANGES", "PER S", "PACKETS/S", "AT LEAST", "TIMEOUT");
    for (size_t i = 0; i < f->stage_count; i++) {
        const struct forecast_stage *made = &f->stage[i];
        char pace[32] = "-", rate[32], packets[32], timeout[32] = "-";
        if (stages[i].batch > 0) {
            (void)snprintf(pace, sizeof(pace), "batch %" PRIu64, stages[i].batch);
        } else if (stages[i].rate_milli_per_s > 0) {
            (void)snprintf(pace, sizeof(pace), "%g/s%s", (double)stages[i].rate_milli_per_s / 1000,
                           stages[i].is_poisson ? " poisson" : "");
        }
        print_rate(made->exchanges_per_s, made->is_upper_bound, rate, sizeof(rate));
        print_rate(made->packets_sent_per_s, made->is_upper_bound, packets, sizeof(packets));
        if (stages[i].kind != PLAN_LOAD) { /* a search's is of each step */
            (void)snprintf(timeout, sizeof(timeout), "%" PRIu64 " s",
                           stages[i].timeout_ns / NS_PER_S);
        }
        (void)printf("  %-16s %-7s %-13s %10" PRIu64 " %10s %11s %8" PRIu64 " s %9s\n",
                     stages[i].name, kind_text(&stages[i]), pace, made->exchanges, rate, packets,
                     made->at_least_ns / NS_PER_S, timeout);
    }
    (void)printf("  A batch has no rate of its own: its figures are bounds, from limits.packets. A "
                 "hold renews at\n  T1 (half the lease), a packet out and one back each; what was "
                 "acquired in a burst renews in one.\n");
}

static void print_totals(const struct scenario *s, const struct forecast *f)
{
    (void)printf("\nforecast (without retransmissions)\n");
    (void)printf("  packets   %" PRIu64 " sent at %s, at most %" PRIu64 "/s over the fleet\n",
                 f->packets_sent, s->has_search ? "most" : "least", s->packets_milli_per_s / 1000);
    (void)printf("  time      at least %" PRIu64 " s, the run ends after %" PRIu64 " s\n",
                 f->at_least_ns / NS_PER_S, s->time_ns / NS_PER_S);
    (void)printf("  addresses %" PRIu64 " of %" PRIu64 " in the subnets\n", f->clients,
                 f->addresses);
    (void)printf("  memory    about %" PRIu64 " MB on an agent with all clients (%d bytes per "
                 "client and %d MB for itself)\n",
                 f->memory_bytes / 1000000, FORECAST_CLIENT_BYTES, FORECAST_AGENT_BYTES / 1000000);
    if (s->release_milli_per_s > 0) {
        (void)printf("  cleanup   RELEASE at %g/s, on%s%s%s\n",
                     (double)s->release_milli_per_s / 1000,
                     (s->cleanup_on & CLEANUP_ON_END) != 0 ? " end" : "",
                     (s->cleanup_on & CLEANUP_ON_STOP) != 0 ? " stop" : "",
                     (s->cleanup_on & CLEANUP_ON_FAIL) != 0 ? " fail" : "");
    } else {
        (void)printf("  cleanup   none: leases run out by themselves\n");
    }
}

static void print_judgements(const struct scenario *s)
{
    const struct scenario_judgement *judgements = s->judgements.items;
    (void)printf("\njudgements\n");
    for (size_t i = 0; i < s->judgements.count; i++) {
        (void)printf("  %s\n", judgements[i].text);
    }
    if (s->judgements.count == 0) {
        (void)printf("  none: the run passes unless the servers fail (silent, out of addresses), "
                     "or it is\n  invalid or aborted\n");
    }
}

/* One paragraph, indented, its later lines a little more. */
static void print_wrapped(const char *text)
{
    int room = COLUMNS;
    while (strlen(text) > (size_t)room) {
        int cut = room;
        while (cut > 0 && text[cut] != ' ') {
            cut--;
        }
        if (cut == 0) {
            break;
        }
        (void)printf("  %.*s\n  ", cut, text);
        text += cut + 1;
        room = COLUMNS - 2;
    }
    (void)printf("  %s\n", text);
}

/* Sentences of a forecast, one a line, under their heading; nothing when there are none. */
static void print_sentences(const char *heading, const struct scenario *s,
                            void (*make)(const struct scenario *, char *, size_t))
{
    char text[SENTENCES_BYTES], *rest = NULL;
    make(s, text, sizeof(text));
    if (text[0] != '\0') {
        (void)printf("\n%s\n", heading);
    }
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        print_wrapped(line);
    }
}

static void print_events(const struct scenario *s)
{
    const struct scenario_event *events = s->events.items;
    bool has_reset = s->has_search && s->search.reset[0] != '\0';
    if (s->events.count > 0 || has_reset) {
        (void)printf("\nevents\n");
    }
    for (size_t i = 0; i < s->events.count; i++) {
        (void)printf("  %g s after the begin of %s: \"%s\"\n",
                     (double)events[i].at_ns / (double)NS_PER_S,
                     events[i].stage[0] != '\0' ? events[i].stage : "the run", events[i].name);
        if (events[i].run[0] != '\0') {
            (void)printf("    would run on this machine, with --allow-actions: %s\n",
                         events[i].run);
        }
    }
    if (has_reset) {
        (void)printf("  between two searches: reset\n"
                     "    would run on this machine, with --allow-actions: %s\n",
                     s->search.reset);
    }
}

static int print_plan(const char *path, const struct scenario *s)
{
    static const uint8_t no_run[PLAN_RUN_ID_BYTES];
    struct plan *plan = malloc(sizeof(*plan));
    struct forecast *f = malloc(sizeof(*f));
    if (plan == NULL || f == NULL || !scenario_to_plan(s, no_run, "check", plan)) {
        free(plan);
        free(f);
        (void)fprintf(stderr, "leaseherd check: out of memory\n");
        return CMD_INTERNAL;
    }
    forecast_make(s, f);
    print_heading(s, f);
    print_relays(s, plan);
    print_stages(s, f);
    print_totals(s, f);
    print_events(s);
    print_judgements(s);
    print_sentences("losses", s, forecast_losses_text);
    print_sentences("search", s, forecast_search_text);
    print_sentences("waves of renewals", s, forecast_waves_text);
    print_sentences("compression", s, forecast_compression);
    print_sentences("housekeeping of the servers", s, forecast_housekeeping);
    if (f->warning_count > 0) {
        (void)printf("\nwarnings\n");
    }
    for (size_t i = 0; i < f->warning_count; i++) {
        print_wrapped(f->warning[i]);
    }
    (void)printf("\n%s: OK, nothing was sent\n", path);
    plan_free(plan);
    free(plan);
    free(f);
    return CMD_PASS;
}

/* Prints a text somebody made, and releases it. */
static int print_made(char *text)
{
    if (text == NULL) {
        (void)fprintf(stderr, "leaseherd check: out of memory\n");
        return CMD_INTERNAL;
    }
    (void)fputs(text, stdout);
    free(text);
    return CMD_PASS;
}

static int print_metrics(void)
{
    (void)printf("%-33s %-4s %-3s %-4s %s\n", "METRIC", "UNIT", "IN", "OVER", "MEANS");
    for (size_t i = 0; i < judge_metric_count(); i++) {
        struct judge_metric_info info;
        judge_metric_get(i, &info);
        (void)printf("%-33s %-4s %-3s %-4s %s\n", info.name, info.unit[0] != '\0' ? info.unit : "-",
                     info.takes_stage ? "yes" : "-", info.takes_window ? "yes" : "-", info.help);
    }
    (void)printf("\nA judgement is METRIC COMPARISON VALUE [over WINDOW] [in STAGE] [after|except "
                 "DURATION after\n\"EVENT\"]; COMPARISON is one of == != < <= > >=, VALUE has the "
                 "unit: 500ms, 600/s, 99.9%%.\nIN: also `after` and `except`.\n");
    return CMD_PASS;
}

/* As report.json names them. */
static int print_facts(void)
{
    (void)printf("FACTS of the run, facts.run\n");
    for (size_t i = FACT_ABSENT + 1; i < FACT_COUNT; i++) {
        enum fact_id id = (enum fact_id)i;
        if (id == FACT_SERVER_BEGIN) {
            (void)printf("\nFACTS of each server, facts.servers\n");
        }
        (void)printf("%-27s %-5s %s\n", fact_name(id), fact_unit_name(fact_unit(id)),
                     fact_help(id));
    }
    (void)printf("\nMETRICS of observers, observers[].metrics[]\n");
    for (int i = 0; i < OBSERVER_METRIC_COUNT; i++) {
        enum observer_metric m = (enum observer_metric)i;
        (void)printf("%-27s %-5s %s\n", observer_metric_name(m), observer_metric_unit(m),
                     observer_metric_help(m));
    }
    return CMD_PASS;
}

static int print_change_request(const char *path, const struct scenario *s)
{
    struct forecast *f = malloc(sizeof(*f));
    char *text = NULL;
    if (f != NULL) {
        forecast_make(s, f);
        text = change_request(s, f, path);
    }
    free(f);
    return print_made(text);
}

/* What needs no scenario. */
static int print_without_scenario(const struct option_row *rows, size_t arg_count, const char *arg)
{
    static const int lists[] = {ROW_REFERENCE, ROW_METRICS, ROW_FACTS};
    int wanted = 0, count = 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        wanted = rows[lists[i]].is_given ? lists[i] : wanted;
        count += rows[lists[i]].is_given;
    }
    if (arg_count > 0) {
        return cmd_usage_error("check", "%s takes no scenario; leave out %s", rows[wanted].name,
                               arg);
    }
    if (count > 1) {
        return cmd_usage_error(
            "check", "--reference, --metrics and --facts are lists of their own; give one of them");
    }
    switch (wanted) {
    case ROW_REFERENCE:
        return print_made(scenario_reference());
    case ROW_METRICS:
        return print_metrics();
    default:
        return print_facts();
    }
}

int cmd_check(int argc, char **argv)
{
    struct option_row rows[ROW_COUNT];
    const char *args[1] = {""};
    size_t count = 0;
    char why[OPTIONS_WHY_BYTES];

    if (options_want_help(argc, argv)) {
        print_help();
        return CMD_PASS;
    }
    memcpy(rows, flags, sizeof(rows));
    if (!options_parse(argc, argv, rows, ROW_COUNT, args, ARRAY_LEN(args), &count, why)) {
        return cmd_usage_error("check", "%s", why);
    }
    if (rows[ROW_REFERENCE].is_given || rows[ROW_METRICS].is_given || rows[ROW_FACTS].is_given) {
        return print_without_scenario(rows, count, args[0]);
    }
    if (rows[ROW_EFFECTIVE].is_given && rows[ROW_CHANGE].is_given) {
        return cmd_usage_error("check",
                               "--effective and --change-request are two texts; give one of them");
    }
    if (count == 0) {
        return cmd_usage_error("check", "which scenario? write leaseherd check SCENARIO.yaml");
    }
    struct scenario s;
    int code = cmd_load_scenario("check", args[0], &s);
    if (code != CMD_PASS) {
        return code;
    }
    if (rows[ROW_EFFECTIVE].is_given) {
        code = print_made(scenario_print(&s));
    } else if (rows[ROW_CHANGE].is_given) {
        code = print_change_request(args[0], &s);
    } else {
        code = print_plan(args[0], &s);
    }
    scenario_free(&s);
    return code;
}
