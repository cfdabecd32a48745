/* SPDX-License-Identifier: MIT */
/* leaseherd report RUN [--json]: what a finished run came to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/options.h"

enum { PATH_BYTES = 4096 };

static void print_help(const struct option_row *rows, size_t count)
{
    (void)printf("usage: leaseherd report RUN [--json]\n"
                 "Prints the report of a finished run; RUN is its run directory.\n\n");
    options_print(stdout, rows, count);
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

/* No report: is it no run, or one that has not come to its end? */
static int explain_missing(const char *run, const char *path, int error)
{
    char scenario[PATH_BYTES];
    struct stat st;
    (void)snprintf(scenario, sizeof(scenario), "%s/scenario.yaml", run);
    if (error != ENOENT && error != ENOTDIR) {
        return cmd_usage_error("report", "cannot read %s: %s", path, strerror(error));
    }
    if (stat(scenario, &st) < 0) {
        return cmd_usage_error("report",
                               "%s is not a run directory; give the directory that "
                               "`leaseherd run` named",
                               run);
    }
    return cmd_usage_error("report",
                           "the run in %s is not finished, or was cut off before its "
                           "report; wait for it, or see coordinator.log there",
                           run);
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
