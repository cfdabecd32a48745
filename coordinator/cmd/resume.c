/* SPDX-License-Identifier: MIT */
/* `leaseherd resume RUN`: goes on with a run whose coordinator was killed. */
#include <stdio.h>
#include <string.h>

#include "common/schema.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/fleet_options.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/run/run_found.h"
#include "coordinator/run/run_resume.h"

enum { OPT_LISTEN, OPT_KEYS, OPT_WAIT, OPT_ACTIONS, OPT_COUNT };
#define DEFAULT_WAIT_NS (30 * NS_PER_S)

static void help(const struct option_row *rows)
{
    printf("usage: leaseherd resume RUN [flags]\n\n"
           "Goes on with a run whose coordinator was killed or whose host was restarted: the "
           "results in RUN are\ntaken up, the agents come back to the same address, and what was "
           "not acknowledged to them comes\nagain. Nothing is lost and nothing is counted twice; "
           "the time without a coordinator is in the report.\n\n");
    options_print(stdout, rows, OPT_COUNT);
    printf("\nExit code: as leaseherd run; 2 where there is nothing to go on with: the run is over "
           "or had not\nbegun, or its files are damaged; 6 also where there is, but not now: it is "
           "played at this moment,\nor its keys or its address are not to be had. A run of --local "
           "agents, and a capacity search, end\nwith the report of what is known.\n");
}

static int resume(const char *run_dir, const struct option_row *rows,
                  struct run_resume_options *options)
{
    char path[RUN_DIR_PATH_BYTES], host[FLEET_HOST_BYTES];
    struct scenario scenario = {0};
    if (rows[OPT_LISTEN].is_given) {
        if (!fleet_options_listen(rows[OPT_LISTEN].text, host, &options->listen_port)) {
            return cmd_usage_error("resume", "--listen takes ADDR[:PORT]");
        }
        options->listen_host = host;
    }
    if (run_found(run_dir) == RUN_FOUND_NONE) {
        return cmd_no_run("resume", run_dir);
    }
    int code = cmd_load_scenario("resume", run_dir_path(run_dir, "scenario.yaml", path), &scenario);
    if (code != CMD_PASS) {
        return code;
    }
    options->run_dir = run_dir;
    options->scenario = &scenario;
    code = run_resume_execute(options);
    scenario_free(&scenario);
    return code;
}

int cmd_resume(int argc, char **argv)
{
    struct option_row rows[OPT_COUNT] = {
        [OPT_LISTEN] = {.name = "--listen",
                        .value = "ADDR[:PORT]",
                        .help = "another address than before, where the agents still find it"},
        [OPT_KEYS] = {.name = "--keys", .value = "DIR", .help = "default: those of the run"},
        [OPT_WAIT] = {.name = "--wait",
                      .value = "DURATION",
                      .help = "for an agent to come back, after which it is lost; default 30s"},
        [OPT_ACTIONS] = {.name = "--allow-actions",
                         .help = "run the scenario's own commands (events) on this host"},
    };
    char why[OPTIONS_WHY_BYTES];
    const char *run_dir = NULL;
    size_t count = 0;
    struct run_resume_options options = {.wait_ns = DEFAULT_WAIT_NS};
    if (options_want_help(argc, argv)) {
        help(rows);
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, OPT_COUNT, &run_dir, 1, &count, why)) {
        return cmd_usage_error("resume", "%s", why);
    }
    if (count != 1) {
        return cmd_usage_error("resume", "which run? leaseherd resume RUN, the run's directory");
    }
    if (rows[OPT_WAIT].is_given && !schema_scan_duration(rows[OPT_WAIT].text, &options.wait_ns)) {
        return cmd_usage_error("resume", "--wait takes a duration with its unit, such as 90s");
    }
    options.keys = rows[OPT_KEYS].text;
    options.allows_actions = rows[OPT_ACTIONS].is_given;
    return resume(run_dir, rows, &options);
}
