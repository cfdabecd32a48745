/* SPDX-License-Identifier: MIT */
/* leaseherd cleanup RUN: gives back what a run has left at the servers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/schema.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/fleet_options.h"
#include "coordinator/cmd/operator_option.h"
#include "coordinator/run/cleanup.h"
#include "coordinator/run/run_dir.h"
#include "coordinator/run/run_found.h"
#include "coordinator/run/run_lock.h"

enum { OPT_RATE = FLEET_OPTION_COUNT, OPT_DRY_RUN, OPT_OPERATOR, OPT_COUNT };
#define DEFAULT_RATE_MILLI_PER_S UINT64_C(500000)

static void help(const struct option_row *rows)
{
    printf("usage: leaseherd cleanup RUN (--local N | --agents N --listen ADDR[:PORT]\n"
           "                              --operator-key FILE | --dry-run) [flags]\n\n"
           "Releases every lease that the ledger of RUN holds, through the server that granted it "
           "and then\nits partner, and counts as given back only what a server's own book "
           "confirms: the lease file,\nKea's control socket or DHCPLEASEQUERY, as `leases:` in the "
           "scenario's servers says.\n\n");
    options_print(stdout, rows, OPT_COUNT);
    printf("\nExit code: 0 nothing is left, confirmed (--dry-run: always); 1 leases are still "
           "active; 2 usage, or\nrefused by an agent's policy; 3 some could not be confirmed; 4 "
           "stopped, or the agents did not come;\n5 an agent lacks an address; 6 internal or "
           "resource.\n");
}

static int refuse_running(const char *run_dir)
{
    if (run_found(run_dir) == RUN_FOUND_NONE) {
        return cmd_no_run("cleanup", run_dir);
    }
    char why[RUN_LOCK_WHY_BYTES];
    struct run_owner owner;
    int rc = run_owner_find(run_dir, &owner, why);
    if (rc == 0) {
        long pid = (long)owner.pid;
        run_owner_fini(&owner);
        return cmd_usage_error("cleanup",
                               "the run is still going on (process %ld); end it first: leaseherd "
                               "stop %s",
                               pid, run_dir);
    }
    if (rc == -EREMOTE) {
        return cmd_usage_error("cleanup", "%s", why);
    }
    return CMD_PASS;
}

int cmd_cleanup(int argc, char **argv)
{
    struct option_row rows[OPT_COUNT] = {
        [OPT_RATE] = {.name = "--rate",
                      .value = "RATE",
                      .help = "RELEASEs over the fleet; default 500/s"},
        [OPT_DRY_RUN] = {.name = "--dry-run", .help = "only say what is left; sends nothing"},
    };
    fleet_options_rows(rows);
    operator_option_row(&rows[OPT_OPERATOR]);
    char why[OPTIONS_WHY_BYTES], host[FLEET_HOST_BYTES], path[RUN_DIR_PATH_BYTES];
    const char *run_dir = NULL;
    size_t count = 0;
    struct cleanup_options options = {.rate_milli_per_s = DEFAULT_RATE_MILLI_PER_S};
    if (options_want_help(argc, argv)) {
        help(rows);
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, OPT_COUNT, &run_dir, 1, &count, why)) {
        return cmd_usage_error("cleanup", "%s", why);
    }
    if (count != 1) {
        return cmd_usage_error("cleanup", "which run? leaseherd cleanup RUN --local 1");
    }
    if (rows[OPT_RATE].is_given &&
        (!schema_scan_rate(rows[OPT_RATE].text, &options.rate_milli_per_s) ||
         options.rate_milli_per_s < 1000)) {
        return cmd_usage_error("cleanup", "--rate takes a rate of at least 1/s, such as 200/s");
    }
    if (strlen(run_dir) >= SCENARIO_PATH_BYTES) {
        return cmd_usage_error("cleanup",
                               "the run's path has more than %d bytes; go to its "
                               "directory and name it from there",
                               SCENARIO_PATH_BYTES - 1);
    }
    options.is_dry = rows[OPT_DRY_RUN].is_given;
    int code = refuse_running(run_dir);
    if (code == CMD_PASS && !options.is_dry) {
        code = fleet_options_read("cleanup", rows, &options.fleet, host);
        if (code == CMD_PASS) {
            code = operator_option_read("cleanup", &rows[OPT_OPERATOR], &options.fleet);
        }
    }
    struct scenario scenario = {0};
    if (code == CMD_PASS) {
        code =
            cmd_load_scenario("cleanup", run_dir_path(run_dir, "scenario.yaml", path), &scenario);
    }
    if (code == CMD_PASS) {
        options.run_dir = run_dir;
        options.scenario = &scenario;
        code = cleanup_execute(&options);
        scenario_free(&scenario);
    }
    sign_key_free(options.fleet.signer);
    return code;
}
