/* SPDX-License-Identifier: MIT */
#include "coordinator/cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schema.h"
#include "coordinator/cmd/options.h"
#include "coordinator/plan/testbed.h"

static void print_help(void)
{
    (void)puts(
        "usage: leaseherd testbed SCENARIO show\n"
        "\n"
        "Prints what the scripts of deploy/testbed need to know of the scenario: the block,\n"
        "and each relay with its addresses, subnet and xid slot. Changes nothing; apply and\n"
        "undo are the scripts', on the server, the router or the agent host.\n"
        "\n"
        "Exit code: 0 done, 2 usage or a file that is not what it should be, 6 internal.");
}

static int show(const char *path)
{
    struct scenario s;
    int code = cmd_load_scenario("testbed", path, &s);
    if (code != CMD_PASS) {
        return code;
    }
    char *text = testbed_directives(&s);
    scenario_free(&s);
    if (text == NULL) {
        (void)fprintf(stderr, "leaseherd testbed: out of memory\n");
        return CMD_INTERNAL;
    }
    bool is_written = fputs(text, stdout) >= 0 && fflush(stdout) == 0;
    free(text);
    return is_written ? CMD_PASS : CMD_INTERNAL;
}

int cmd_testbed(int argc, char **argv)
{
    static const char *const verbs[] = {"show", NULL};
    const char *args[2];
    size_t count = 0;
    char why[OPTIONS_WHY_BYTES];

    if (options_want_help(argc, argv)) {
        print_help();
        return CMD_PASS;
    }
    if (!options_parse(argc, argv, NULL, 0, args, ARRAY_LEN(args), &count, why)) {
        return cmd_usage_error("testbed", "%s", why);
    }
    if (count != 2) {
        return cmd_usage_error("testbed", "a scenario and a verb are needed; write leaseherd "
                                          "testbed SCENARIO show");
    }
    if (strcmp(args[1], verbs[0]) != 0) {
        return cmd_usage_error("testbed",
                               "unknown verb '%.80s'; write leaseherd testbed SCENARIO "
                               "show (apply and undo are in deploy/testbed)",
                               args[1]);
    }
    return show(args[0]);
}
