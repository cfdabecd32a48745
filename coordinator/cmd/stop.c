/* SPDX-License-Identifier: MIT */
/* `leaseherd stop RUN`: what Ctrl-C does, from another terminal of the same host. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/schema.h"
#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/options.h"
#include "coordinator/run/run_found.h"
#include "coordinator/run/run_lock.h"

enum { OPT_NOW, OPT_WAIT, OPT_COUNT };
enum { STOP_STILL_RUNNING = CMD_FAIL };
#define DEFAULT_WAIT_NS (120 * NS_PER_S)

static void help(const struct option_row *rows)
{
    printf("usage: leaseherd stop RUN [flags]\n\n"
           "Ends the run that a coordinator on this host plays into the directory RUN: in order, "
           "as Ctrl-C\ndoes (leases are given back as its cleanup says, and a report is written), "
           "and waits for it.\n\n");
    options_print(stdout, rows, OPT_COUNT);
    printf("\nExit code: 0 it has ended, 1 it still goes on when the wait is over, 2 there is no "
           "such run or it\nis not played here. The run's own verdict is ABORTED.\n");
}

static int tell(const struct run_owner *owner, bool is_now)
{
    /* Not SIGINT: telling it twice to stop in order must not end it at once. */
    int rc = run_owner_signal(owner, is_now ? SIGQUIT : SIGTERM);
    return rc == -ESRCH ? 0 : rc;
}

static void say_what_there_is(const char *run_dir)
{
    switch (run_found(run_dir)) {
    case RUN_FOUND_REPORTED:
        printf("stopped; the report is in %s\n", run_dir);
        break;
    case RUN_FOUND_UNBEGUN:
        printf("stopped before any load; there is no report, see %s/coordinator.log\n", run_dir);
        break;
    case RUN_FOUND_NONE:
    case RUN_FOUND_CUT_OFF:
    case RUN_FOUND_UNKNOWN:
        printf("stopped without a report; see %s/coordinator.log\n", run_dir);
        break;
    }
}

static int stop(const char *run_dir, bool is_now, uint64_t wait_ns)
{
    char why[RUN_LOCK_WHY_BYTES];
    struct run_owner owner;
    if (run_owner_find(run_dir, &owner, why) < 0) {
        return cmd_usage_error("stop", "%s", why);
    }
    int rc = tell(&owner, is_now);
    if (rc < 0) {
        run_owner_fini(&owner);
        return cmd_usage_error("stop", "cannot signal process %ld, which plays %s: %s%s",
                               (long)owner.pid, run_dir, strerror(-rc),
                               rc == -EPERM ? "; it is another user's: use sudo" : "");
    }
    fprintf(stderr,
            "leaseherd stop: told process %ld to stop %s; waiting up to %" PRIu64
            " s for it to end\n",
            (long)owner.pid, is_now ? "at once" : "in order", wait_ns / NS_PER_S);
    bool has_ended = run_owner_wait(&owner, wait_ns);
    run_owner_fini(&owner);
    if (!has_ended) {
        fprintf(stderr,
                "leaseherd stop: it still goes on, giving its leases back; wait longer (--wait "
                "10m), or end it without (--now)\n");
        return STOP_STILL_RUNNING;
    }
    say_what_there_is(run_dir);
    return CMD_PASS;
}

int cmd_stop(int argc, char **argv)
{
    struct option_row rows[OPT_COUNT] = {
        [OPT_NOW] = {.name = "--now", .help = "at once: nothing more is sent, leases stay behind"},
        [OPT_WAIT] = {.name = "--wait",
                      .value = "DURATION",
                      .help = "for the run to end; default 2m, 0s: only tell it"},
    };
    char why[OPTIONS_WHY_BYTES];
    const char *run_dir = NULL;
    size_t count = 0;
    uint64_t wait_ns = DEFAULT_WAIT_NS;
    if (options_want_help(argc, argv)) {
        help(rows);
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, OPT_COUNT, &run_dir, 1, &count, why)) {
        return cmd_usage_error("stop", "%s", why);
    }
    if (count != 1) {
        return cmd_usage_error("stop", "which run? leaseherd stop RUN, the run's directory");
    }
    if (rows[OPT_WAIT].is_given && !schema_scan_duration(rows[OPT_WAIT].text, &wait_ns)) {
        return cmd_usage_error("stop", "--wait takes a duration with its unit, such as 90s or 5m");
    }
    return stop(run_dir, rows[OPT_NOW].is_given, wait_ns);
}
