/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/fleet_options.h"
#include "coordinator/cmd/operator_option.h"
#include "coordinator/run/preflight_checks.h"
#include "coordinator/run/run.h"

enum { OPT_RUN_DIR = FLEET_OPTION_COUNT, OPT_ACTIONS, OPT_OPERATOR, OPT_NO_PREFLIGHT, OPT_COUNT };

static void help(const struct option_row *rows)
{
    printf(
        "usage: leaseherd run SCENARIO.yaml (--local N | --agents N --listen ADDR[:PORT]\n"
        "                                    --operator-key FILE) [flags]\n\n"
        "Deals the scenario's clients to N agents, runs it, judges it, and writes one report.\n\n");
    options_print(stdout, rows, OPT_COUNT);
    printf("\nExit code: 0 PASS, 1 FAIL, 2 usage or scenario, 3 INVALID, 4 ABORTED, 5 preflight "
           "refused,\n"
           "6 internal or resource. Ctrl-C once: stop in order, with a report; twice: at once;\n"
           "leaseherd stop does the same from another terminal.\n");
}

static int read_skipped(const char *text, const struct scenario *scenario, uint32_t *out)
{
    char why[PREFLIGHT_SKIP_WHY_BYTES];
    if (!preflight_skip_parse(text, out, why)) {
        return cmd_usage_error("run", "%s", why);
    }
    if (*out == PREFLIGHT_SKIP_ALL && scenario->client_path == SCENARIO_PATH_AUTO) {
        return cmd_usage_error("run",
                               "without preflight nothing tells which client path works; name "
                               "one as network.client_path, or leave --no-preflight all out");
    }
    return CMD_PASS;
}

int cmd_run(int argc, char **argv)
{
    struct option_row rows[OPT_COUNT] = {
        [OPT_RUN_DIR] = {.name = "--run-dir",
                         .value = "DIR",
                         .help = "directory of the run; default runs/<UTC>-<scenario>"},
        [OPT_ACTIONS] = {.name = "--allow-actions",
                         .help = "run the scenario's own commands (events, reset) on this host"},
        [OPT_NO_PREFLIGHT] = {.name = "--no-preflight",
                              .value = "CHECK[,CHECK]|all",
                              .help = "leave out these checks of preflight; the report says so"},
    };
    char why[OPTIONS_WHY_BYTES], host[FLEET_HOST_BYTES];
    const char *path = NULL;
    size_t paths = 0;
    fleet_options_rows(rows);
    operator_option_row(&rows[OPT_OPERATOR]);
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
    struct run_options options = {0};
    int code = fleet_options_read("run", rows, &options, host);
    if (code == CMD_PASS) {
        code = operator_option_read("run", &rows[OPT_OPERATOR], &options);
    }
    struct scenario scenario = {0};
    if (code == CMD_PASS) {
        code = cmd_load_scenario("run", path, &scenario);
    }
    if (code == CMD_PASS && rows[OPT_NO_PREFLIGHT].is_given) {
        code = read_skipped(rows[OPT_NO_PREFLIGHT].text, &scenario, &options.skipped_checks);
        if (code != CMD_PASS) {
            scenario_free(&scenario);
        }
    }
    if (code != CMD_PASS) {
        sign_key_free(options.signer);
        return code;
    }
    options.forgets_signer = true;
    options.scenario = &scenario;
    options.scenario_path = path;
    options.run_dir = rows[OPT_RUN_DIR].text;
    options.allows_actions = rows[OPT_ACTIONS].is_given;
    code = run_execute(&options);
    scenario_free(&scenario);
    sign_key_free(options.signer);
    return code;
}
