/* SPDX-License-Identifier: MIT */
/* The way of servers' replies to the agents: shown, made, looked at, removed. */
#include "coordinator/cmd/cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/schema.h"
#include "coordinator/cmd/options.h"
#include "coordinator/cmd/testbed_parts.h"

enum {
    ROW_PATH,
    ROW_HOOK,
    ROW_NOTRACK,
    ROW_ROLE,
    ROW_DEV,
    ROW_NEXT_HOP,
    ROW_SSH,
    ROW_SSH_CONFIG,
    ROW_COUNT
};
enum { CHANGE_S = 180, CHECK_S = 30, DEVICE_CHARS = 15, TARGET_CHARS = 255 };

static const struct option_row flags[ROW_COUNT] = {
    [ROW_PATH] = {.name = "--path",
                  .value = "PATH",
                  .help = "egress, routed, dnat or relayed (the scenario's; egress for auto)"},
    [ROW_HOOK] = {.name = "--hook",
                  .value = "HOOK",
                  .help = "netdev, or route for kernels before 5.16 (netdev)"},
    [ROW_NOTRACK] = {.name = "--notrack",
                     .value = "WHERE",
                     .help = "of dnat: none, prerouting, output or both (prerouting)"},
    [ROW_ROLE] = {.name = "--role",
                  .value = "ROLE",
                  .help = "server, agent or router (found by the host's addresses)"},
    [ROW_DEV] = {.name = "--dev",
                 .value = "DEVICE",
                 .help = "a device that replies leave by (where the routes lead)"},
    [ROW_NEXT_HOP] = {.name = "--next-hop",
                      .value = "ADDRESS",
                      .help = "of a router: where it leads the whole block"},
    [ROW_SSH] = {.name = "--ssh", .value = "USER@HOST", .help = "there, not here"},
    [ROW_SSH_CONFIG] = {.name = "--ssh-config", .value = "FILE", .help = "configuration for ssh"},
};

static void print_help(void)
{
    (void)puts(
        "usage: leaseherd testbed SCENARIO show|apply|check|undo [--path PATH] [--ssh "
        "USER@HOST]...\n"
        "\n"
        "Brings servers' replies to the agents: those to clients (port 68) on the client path, "
        "and\n"
        "those to giaddrs that belong to routers (port 67) for relays with `via`.\n"
        "\n"
        "  show   print the script that runs, with all rules, and where; change nothing\n"
        "  apply  run it here, or on each host by ssh; applying again replaces what was there\n"
        "  check  does it work? Looks at rules, routes and devices of the host; on an agent's "
        "host\n"
        "         (without --ssh) it also sends DHCPINFORMs and DISCOVERs for up to 16 relays and\n"
        "         says which path they came back by; takes about a second\n"
        "  undo   remove all of it, also after an apply that was killed\n"
        "\n"
        "Run it on the servers (egress, dnat, `via`) and, for routed, on the agents' hosts; "
        "routers\n"
        "get their routes by --role router, or from the network team. Needs root there, or sudo\n"
        "without a password; ssh without one too. Only the scenario's block and ports 67 and 68 "
        "are\n"
        "touched. --dev and --ssh may be repeated.\n");
    options_print(stdout, flags, ROW_COUNT);
    (void)puts("\nExit code: 0 done, or works; 5 does not work; 2 usage, or not for that host;\n"
               "6 something failed (and is undone there).");
}

/* One of the words, or a usage error. */
static bool take_word(const struct option_row *row, const char *const *words, int *out)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(row->text, words[i]) == 0) {
            *out = i;
            return true;
        }
    }
    const char *near = schema_nearest(row->text, words);
    (void)cmd_usage_error("testbed", "%s is not '%.80s'%s%s%s; leaseherd testbed --help lists them",
                          row->name, row->text, near != NULL ? ", did you mean '" : "",
                          near != NULL ? near : "", near != NULL ? "'?" : "");
    return false;
}

static bool take_words(const struct option_row *rows, struct testbed_options *o)
{
    static const char *const paths[] = {"egress", "routed", "dnat", "relayed", NULL};
    static const char *const hooks[] = {"netdev", "route", NULL};
    static const char *const notracks[] = {"none", "prerouting", "output", "both", NULL};
    static const char *const roles[] = {"", "server", "router", "agent", NULL};
    int word = 0;
    if (rows[ROW_PATH].is_given) {
        if (!take_word(&rows[ROW_PATH], paths, &word)) {
            return false;
        }
        o->path = (enum testbed_path)word;
    }
    if (rows[ROW_HOOK].is_given) {
        if (!take_word(&rows[ROW_HOOK], hooks, &word)) {
            return false;
        }
        o->is_route_hook = word == 1;
    }
    if (rows[ROW_NOTRACK].is_given) {
        if (!take_word(&rows[ROW_NOTRACK], notracks, &word)) {
            return false;
        }
        o->notrack = (unsigned)word;
    }
    if (rows[ROW_ROLE].is_given) {
        if (!take_word(&rows[ROW_ROLE], roles, &word) || word == 0) {
            return false;
        }
        o->role = (enum testbed_role)word;
    }
    return true;
}

/* Words that stand in a script of root's, or in a command line of ssh: no other characters. */
static bool is_plain(const char *text, size_t most, const char *others)
{
    size_t length = strlen(text);
    bool is_good = length > 0 && length <= most && isalnum((unsigned char)text[0]) != 0;
    for (size_t i = 0; i < length && is_good; i++) {
        is_good = text[i] > ' ' && text[i] < '\x7f' &&
                  (isalnum((unsigned char)text[i]) != 0 || strchr(others, text[i]) != NULL);
    }
    return is_good;
}

static bool take_values(const struct option_row *rows, struct testbed_options *o)
{
    for (size_t i = 0; i < rows[ROW_DEV].list_count; i++) {
        o->devices[i] = rows[ROW_DEV].list[i];
        if (!is_plain(o->devices[i], DEVICE_CHARS, "_.@:-")) {
            (void)cmd_usage_error("testbed", "--dev '%.80s' is no device; ip link lists them",
                                  o->devices[i]);
            return false;
        }
    }
    o->device_count = rows[ROW_DEV].list_count;
    if (rows[ROW_NEXT_HOP].is_given && !inet_parse(rows[ROW_NEXT_HOP].text, &o->next_hop)) {
        (void)cmd_usage_error("testbed", "--next-hop '%.80s' is no address; give the neighbour's",
                              rows[ROW_NEXT_HOP].text);
        return false;
    }
    for (size_t i = 0; i < rows[ROW_SSH].list_count; i++) {
        if (!is_plain(rows[ROW_SSH].list[i], TARGET_CHARS, "_.@:-%/[]")) {
            (void)cmd_usage_error("testbed", "--ssh '%.80s' is no host; write USER@HOST",
                                  rows[ROW_SSH].list[i]);
            return false;
        }
    }
    return true;
}

static bool take_options(const struct option_row *rows, const struct scenario *s,
                         struct testbed_options *o)
{
    *o = (struct testbed_options){.path = testbed_path_of(s), .notrack = TESTBED_NOTRACK_REQUESTS};
    if (!take_words(rows, o) || !take_values(rows, o)) {
        return false;
    }
    if (rows[ROW_NOTRACK].is_given && o->path != TESTBED_DNAT) {
        (void)cmd_usage_error("testbed", "--notrack is of path dnat; add --path dnat");
        return false;
    }
    if (rows[ROW_NEXT_HOP].is_given && o->role != TESTBED_ROUTER) {
        (void)cmd_usage_error("testbed", "--next-hop is of routers; add --role router");
        return false;
    }
    if (rows[ROW_SSH_CONFIG].is_given && !rows[ROW_SSH].is_given) {
        (void)cmd_usage_error("testbed", "--ssh-config goes with --ssh; add --ssh USER@HOST");
        return false;
    }
    return true;
}

static int show(const char *script, const struct option_row *ssh)
{
    (void)printf("#!/bin/sh\n# Runs %s",
                 ssh->list_count == 0 ? "on the host you are at" : "by ssh on");
    for (size_t i = 0; i < ssh->list_count; i++) {
        (void)printf(" %s", ssh->list[i]);
    }
    (void)printf(".\n%s", script);
    return fflush(stdout) == 0 ? CMD_PASS : CMD_INTERNAL;
}

/* What the scenario wants to see working; a path that was named is that path. */
static enum scenario_path wanted_path(const struct scenario *s, const struct option_row *path,
                                      const struct testbed_options *o)
{
    static const enum scenario_path of[] = {[TESTBED_EGRESS] = SCENARIO_PATH_EGRESS,
                                            [TESTBED_ROUTED] = SCENARIO_PATH_ROUTED,
                                            [TESTBED_DNAT] = SCENARIO_PATH_DNAT,
                                            [TESTBED_RELAYED] = SCENARIO_PATH_RELAYED};
    return path->is_given ? of[o->path] : s->client_path;
}

static int check(const struct scenario *s, const struct option_row *rows,
                 const struct testbed_options *o, const char *script)
{
    uint64_t begin_ns = clock_monotonic_ns();
    const struct option_row *ssh = &rows[ROW_SSH];
    int code = testbed_run(script, ssh->list, ssh->list_count, rows[ROW_SSH_CONFIG].text,
                           CHECK_S * NS_PER_S);
    bool may_try =
        ssh->list_count == 0 && (o->role == TESTBED_BY_ADDRESS || o->role == TESTBED_AGENT);
    bool has_tried = false;
    if (may_try && code != CMD_USAGE && code != CMD_INTERNAL) {
        bool works = testbed_try(s, wanted_path(s, &rows[ROW_PATH], o), &has_tried);
        code = has_tried && !works ? CMD_PREFLIGHT : code;
    }
    if (!has_tried) {
        (void)puts("note  no packet was sent: this looked at rules, routes and devices only");
    }
    (void)printf("%s, in %.2f s\n",
                 code == CMD_PASS        ? "the test bed works as far as was looked at"
                 : code == CMD_PREFLIGHT ? "the test bed does not work"
                                         : "not all of it could be looked at",
                 (double)(clock_monotonic_ns() - begin_ns) / (double)NS_PER_S);
    return code;
}

static int act(const struct scenario *s, const struct option_row *rows, enum testbed_verb verb)
{
    struct testbed_options o;
    bool is_usage = false;
    char why[TESTBED_WHY_BYTES] = "";
    if (!take_options(rows, s, &o)) {
        return CMD_USAGE;
    }
    char *script = testbed_script(s, &o, verb, &is_usage, why);
    if (script == NULL) {
        (void)fprintf(stderr, "leaseherd testbed: %s\n", why);
        return is_usage ? CMD_USAGE : CMD_INTERNAL;
    }
    int code;
    if (verb == TESTBED_SHOW) {
        code = show(script, &rows[ROW_SSH]);
    } else if (verb == TESTBED_CHECK) {
        code = check(s, rows, &o, script);
    } else {
        code = testbed_run(script, rows[ROW_SSH].list, rows[ROW_SSH].list_count,
                           rows[ROW_SSH_CONFIG].text, CHANGE_S * NS_PER_S);
    }
    free(script);
    return code;
}

int cmd_testbed(int argc, char **argv)
{
    static const char *const verbs[] = {"show", "apply", "check", "undo", NULL};
    struct option_row rows[ROW_COUNT];
    const char *args[2], *devices[TESTBED_DEVICES_MAX], *hosts[TESTBED_HOSTS_MAX];
    size_t count = 0, verb = 0;
    char why[OPTIONS_WHY_BYTES];

    if (options_want_help(argc, argv)) {
        print_help();
        return CMD_PASS;
    }
    memcpy(rows, flags, sizeof(rows));
    rows[ROW_DEV].list = devices;
    rows[ROW_DEV].list_max = ARRAY_LEN(devices);
    rows[ROW_SSH].list = hosts;
    rows[ROW_SSH].list_max = ARRAY_LEN(hosts);
    if (!options_parse(argc, argv, rows, ROW_COUNT, args, ARRAY_LEN(args), &count, why)) {
        return cmd_usage_error("testbed", "%s", why);
    }
    if (count != 2) {
        return cmd_usage_error("testbed", "a scenario and a verb are needed; write leaseherd "
                                          "testbed SCENARIO show|apply|check|undo");
    }
    while (verbs[verb] != NULL && strcmp(args[1], verbs[verb]) != 0) {
        verb++;
    }
    if (verbs[verb] == NULL) {
        return cmd_usage_error("testbed", "unknown verb '%.80s'; one of show, apply, check, undo",
                               args[1]);
    }
    struct scenario s;
    int code = cmd_load_scenario("testbed", args[0], &s);
    if (code == CMD_PASS) {
        code = act(&s, rows, (enum testbed_verb)verb);
        scenario_free(&s);
    }
    return code;
}
