/* SPDX-License-Identifier: MIT */
/* leaseherd report RUN [--json]: what a finished run came to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/options.h"
#include "coordinator/run/run_found.h"
#include "coordinator/run/run_lock.h"

enum { PATH_BYTES = 4096 };

static void print_help(const struct option_row *rows, size_t count)
{
    (void)printf("usage: leaseherd report RUN [--json]\n"
                 "Prints the report of a finished run; RUN is its run directory.\n\n");
    options_print(stdout, rows, count);
    (void)printf("\nExit code: 0 done, 2 usage or a file that is not what it should be, 6 "
                 "internal.\n");
}

static int copy_to_stdout(FILE *from)
{
    char block[65536];
    size_t size = 0;
    while ((size = fread(block, 1, sizeof(block), from)) > 0) {
        if (fwrite(block, 1, size, stdout) != size) {
            return -errno;
        }
    }
    return ferror(from) || fflush(stdout) != 0 ? -(errno == 0 ? EIO : errno) : 0;
}

static bool is_played(const char *run)
{
    char why[RUN_LOCK_WHY_BYTES];
    struct run_owner owner;
    int rc = run_owner_find(run, &owner, why);
    if (rc == 0) {
        run_owner_fini(&owner);
    }
    return rc == 0 || rc == -EREMOTE;
}

/* No report: is it no run, or one that has not come to its end? */
static int explain_missing(const char *run, const char *path, int error)
{
    if (error != ENOENT && error != ENOTDIR) {
        return cmd_usage_error("report", "cannot read %s: %s", path, strerror(error));
    }
    enum run_found found = run_found(run);
    if (found == RUN_FOUND_NONE) {
        return cmd_no_run("report", run);
    }
    if (is_played(run)) {
        return cmd_usage_error("report",
                               "the run in %s is not finished; wait for it, or end it: leaseherd "
                               "stop %s",
                               run, run);
    }
    if (found == RUN_FOUND_UNBEGUN) {
        return cmd_usage_error(
            "report", "the run in %s ended before any load; see coordinator.log there", run);
    }
    return cmd_usage_error(
        "report",
        "the coordinator of the run in %s ended before its report; leaseherd resume %s "
        "goes on with it, and coordinator.log there may say why",
        run, run);
}

int cmd_report(int argc, char **argv)
{
    struct option_row rows[] = {{.name = "--json", .help = "print report.json instead"}};
    const char *args[1] = {NULL};
    size_t arg_count = 0;
    char why[OPTIONS_WHY_BYTES];
    if (options_want_help(argc, argv)) {
        print_help(rows, ARRAY_LEN(rows));
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, ARRAY_LEN(rows), args, 1, &arg_count, why)) {
        return cmd_usage_error("report", "%s", why);
    }
    if (arg_count == 0) {
        return cmd_usage_error("report", "which run? give its run directory");
    }
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof(path), "%s/%s", args[0],
                          rows[0].is_given ? "report.json" : "report.txt");
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return cmd_usage_error("report", "the path of the run directory is too long");
    }
    FILE *from = cmd_open_file(path);
    if (from == NULL) {
        return explain_missing(args[0], path, errno);
    }
    int error = copy_to_stdout(from);
    (void)fclose(from);
    if (error < 0) {
        (void)fprintf(stderr, "leaseherd report: cannot print %s: %s\n", path, strerror(-error));
        return CMD_INTERNAL;
    }
    return CMD_PASS;
}
