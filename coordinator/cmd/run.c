/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/options.h"
#include "coordinator/run/local_agents.h"
#include "coordinator/run/roster.h"
#include "coordinator/run/run.h"

enum { OPT_LOCAL, OPT_AGENTS, OPT_LISTEN, OPT_KEYS, OPT_RUN_DIR, OPT_WAIT, OPT_ACTIONS, OPT_COUNT };
enum { DEFAULT_PORT = 6767, HOST_BYTES = 256 };
#define DEFAULT_WAIT_NS (120 * NS_PER_S)

static void help(const struct option_row *rows)
{
    printf(
        "usage: leaseherd run SCENARIO.yaml (--local N | --agents N --listen ADDR[:PORT]) "
        "[flags]\n\n"
        "Deals the scenario's clients to N agents, runs it, judges it, and writes one report.\n\n");
    options_print(stdout, rows, OPT_COUNT);
    printf("\nExit code: 0 PASS, 1 FAIL, 2 usage or scenario, 3 INVALID, 4 ABORTED, 5 preflight "
           "refused,\n"
           "6 internal or resource. Ctrl-C once: stop in order, with a report; twice: at once;\n"
           "leaseherd stop does the same from another terminal.\n");
}

/* "ADDR[:PORT]" */
static bool split_listen(const char *text, char host[HOST_BYTES], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
    if (length == 0 || length >= HOST_BYTES) {
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    *port = DEFAULT_PORT;
    if (colon != NULL) {
        char *end;
        unsigned long number = strtoul(colon + 1, &end, 10);
        if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || number > 65535) {
            return false;
        }
        *port = (uint16_t)number;
    }
    return true;
}

static int read_fleet(const struct option_row *rows, struct run_options *out, char host[HOST_BYTES])
{
    char why[OPTIONS_WHY_BYTES];
    uint64_t count = 0;
    if (rows[OPT_LOCAL].is_given == rows[OPT_AGENTS].is_given) {
        return cmd_usage_error(
            "run", "say how many agents: --local N on this host, or --agents N --listen "
                   "ADDR[:PORT] for agents on other hosts");
    }
    out->is_local = rows[OPT_LOCAL].is_given;
    uint64_t most = out->is_local ? (uint64_t)LOCAL_AGENTS_MAX : (uint64_t)ROSTER_AGENTS_MAX;
    if (!options_number(&rows[out->is_local ? OPT_LOCAL : OPT_AGENTS], most, &count, why)) {
        return cmd_usage_error("run", "%s", why);
    }
    out->agents = (size_t)count;
    if (out->is_local) {
        return rows[OPT_LISTEN].is_given || rows[OPT_KEYS].is_given
                   ? cmd_usage_error("run",
                                     "--listen and --keys go with --agents; --local makes its own")
                   : CMD_PASS;
    }
    if (!rows[OPT_LISTEN].is_given ||
        !split_listen(rows[OPT_LISTEN].text, host, &out->listen_port)) {
        return cmd_usage_error(
            "run", "--agents needs --listen ADDR[:PORT], the address the agents connect to");
    }
    out->listen_host = host;
    out->keys = rows[OPT_KEYS].is_given ? rows[OPT_KEYS].text : "keys";
    return CMD_PASS;
}

int cmd_run(int argc, char **argv)
{
    struct option_row rows[OPT_COUNT] = {
        [OPT_LOCAL] = {.name = "--local", .value = "N", .help = "start N agents on this host"},
        [OPT_AGENTS] = {.name = "--agents",
                        .value = "N",
                        .help = "wait for N agents from other hosts"},
        [OPT_LISTEN] = {.name = "--listen",
                        .value = "ADDR[:PORT]",
                        .help = "where they connect to; port 6767"},
        [OPT_KEYS] = {.name = "--keys",
                      .value = "DIR",
                      .help = "made by `leaseherd keys init`; default keys"},
        [OPT_RUN_DIR] = {.name = "--run-dir",
                         .value = "DIR",
                         .help = "directory of the run; default runs/<UTC>-<scenario>"},
        [OPT_WAIT] = {.name = "--wait",
                      .value = "DURATION",
                      .help = "for the agents to join; default 2m"},
        [OPT_ACTIONS] = {.name = "--allow-actions",
                         .help = "run the scenario's own commands (events, reset) on this host"},
    };
    char why[OPTIONS_WHY_BYTES], host[HOST_BYTES];
    const char *path = NULL;
    size_t paths = 0;
    if (options_want_help(argc, argv)) {
        help(rows);
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, OPT_COUNT, &path, 1, &paths, why)) {
        return cmd_usage_error("run", "%s", why);
    }
    if (paths != 1) {
        return cmd_usage_error("run",
                               "name the scenario file: leaseherd run SCENARIO.yaml --local 1");
    }
    struct run_options options = {.gather_ns = DEFAULT_WAIT_NS};
    if (rows[OPT_WAIT].is_given && !schema_scan_duration(rows[OPT_WAIT].text, &options.gather_ns)) {
        return cmd_usage_error("run", "--wait takes a duration with its unit, such as 90s or 5m");
    }
    int code = read_fleet(rows, &options, host);
    if (code != CMD_PASS) {
        return code;
    }
    struct scenario scenario = {0};
    code = cmd_load_scenario("run", path, &scenario);
    if (code != CMD_PASS) {
        return code;
    }
    options.scenario = &scenario;
    options.scenario_path = path;
    options.run_dir = rows[OPT_RUN_DIR].text;
    options.allows_actions = rows[OPT_ACTIONS].is_given;
    code = run_execute(&options);
    scenario_free(&scenario);
    return code;
}
