/* SPDX-License-Identifier: MIT */
/* leaseherd compare RUN_A RUN_B [--json]: is B worse than A? */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/cmd/cmd.h"
#include "coordinator/cmd/options.h"
#include "coordinator/report/compare.h"

enum { PATH_BYTES = 4096, BOOTSTRAP_SEED = 1 };

struct compare_side {
    const char *name;
    struct compare_run *runs; /* COMPARE_RUNS_MAX of them */
    size_t count;
};

static void print_help(const struct option_row *rows, size_t count)
{
    (void)printf("usage: leaseherd compare RUN_A RUN_B [--json]\n"
                 "Says per measure whether RUN_B is worse or better than RUN_A. A RUN is a run\n"
                 "directory, or a directory of several, the repeats of one scenario: from three\n"
                 "on, how much they differ among themselves is taken into account.\n\n");
    options_print(stdout, rows, count);
    (void)printf(
        "\nexit codes: 0 not worse, 1 worse, 2 usage, or the runs are not comparable,\n"
        "            3 a run is INVALID, ABORTED or did not begin, or there is no telling\n"
        "            about a capacity that was searched for\n");
}

/* One run directory; CMD_PASS, or the exit code after a message. */
static int add_run(struct compare_side *side, const char *dir)
{
    char path[PATH_BYTES], why[COMPARE_WHY_BYTES];
    int length = snprintf(path, sizeof(path), "%s/report.json", dir);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return cmd_usage_error("compare", "the path of a run directory is too long");
    }
    if (side->count == COMPARE_RUNS_MAX) {
        return cmd_usage_error("compare", "%s holds more than %d runs; name a smaller directory",
                               side->name, COMPARE_RUNS_MAX);
    }
    char *text = NULL;
    size_t bytes = 0;
    int error = cmd_read_file(path, COMPARE_JSON_BYTES_MAX, &text, &bytes);
    if (error < 0) {
        return cmd_usage_error("compare", "cannot read %s: %s", path, strerror(-error));
    }
    struct compare_run *run = &side->runs[side->count];
    bool is_good = compare_read(text, bytes, run, why);
    free(text);
    if (!is_good) {
        return cmd_usage_error("compare", "cannot use %s: %s", path, why);
    }
    if (!compare_is_usable(run)) {
        (void)fprintf(stderr,
                      "leaseherd compare: %s ended %s: its figures prove nothing about a server; "
                      "repeat it first\n",
                      dir, verdict_name(run->verdict));
        return CMD_INVALID;
    }
    side->count++;
    return CMD_PASS;
}

static bool has_report(const char *dir)
{
    char path[PATH_BYTES];
    struct stat st;
    int length = snprintf(path, sizeof(path), "%s/report.json", dir);
    return length > 0 && (size_t)length < sizeof(path) && stat(path, &st) == 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int add_runs_below(struct compare_side *side, const char *dir)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_visible, alphasort);
    if (count < 0) {
        return cmd_usage_error("compare", "cannot read %s: %s", dir, strerror(errno));
    }
    int rc = CMD_PASS;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        int length = snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
        if (rc == CMD_PASS && (size_t)length < sizeof(path) && has_report(path)) {
            rc = add_run(side, path);
        }
        free(entries[i]);
    }
    free(entries);
    if (rc == CMD_PASS && side->count == 0) {
        return cmd_usage_error("compare",
                               "%s is neither a finished run nor a directory of such; give the "
                               "directory that `leaseherd run` named",
                               dir);
    }
    return rc;
}

static int load(struct compare_side *side)
{
    side->runs = calloc(COMPARE_RUNS_MAX, sizeof(*side->runs));
    if (side->runs == NULL) {
        (void)fputs("leaseherd compare: out of memory\n", stderr);
        return CMD_INTERNAL;
    }
    return has_report(side->name) ? add_run(side, side->name) : add_runs_below(side, side->name);
}

/* All runs of both sides against the first. */
static int check_alike(const struct compare_side *a, const struct compare_side *b)
{
    const struct compare_side *sides[] = {a, b};
    char why[COMPARE_WHY_BYTES];
    for (size_t s = 0; s < ARRAY_LEN(sides); s++) {
        for (size_t i = 0; i < sides[s]->count; i++) {
            if (!compare_is_alike(&a->runs[0], &sides[s]->runs[i], why)) {
                return cmd_usage_error("compare", "%s and %s cannot be compared: %s", a->name,
                                       sides[s]->name, why);
            }
        }
    }
    return CMD_PASS;
}

static int compare(struct compare_side *a, struct compare_side *b, bool is_json)
{
    int rc = load(a);
    rc = rc == CMD_PASS ? load(b) : rc;
    rc = rc == CMD_PASS ? check_alike(a, b) : rc;
    if (rc != CMD_PASS) {
        return rc;
    }
    struct compare_result result;
    compare_decide(a->runs, a->count, b->runs, b->count, BOOTSTRAP_SEED, &result);
    int error = is_json ? compare_write_json(&result, a->name, b->name, stdout)
                        : compare_write_text(&result, a->name, b->name, stdout);
    if (error < 0) {
        (void)fprintf(stderr, "leaseherd compare: cannot print: %s\n", strerror(-error));
        return CMD_INTERNAL;
    }
    return result.is_worse ? CMD_FAIL : result.is_capacity_unknown ? CMD_INVALID : CMD_PASS;
}

int cmd_compare(int argc, char **argv)
{
    struct option_row rows[] = {{.name = "--json", .help = "print it for programs"}};
    const char *args[2] = {NULL, NULL};
    size_t arg_count = 0;
    char why[OPTIONS_WHY_BYTES];
    if (options_want_help(argc, argv)) {
        print_help(rows, ARRAY_LEN(rows));
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, rows, ARRAY_LEN(rows), args, 2, &arg_count, why)) {
        return cmd_usage_error("compare", "%s", why);
    }
    if (arg_count != 2) {
        return cmd_usage_error("compare", "which two runs? give two run directories");
    }
    struct compare_side a = {.name = args[0]}, b = {.name = args[1]};
    int rc = compare(&a, &b, rows[0].is_given);
    free(a.runs);
    free(b.runs);
    return rc;
}
