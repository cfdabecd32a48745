/* SPDX-License-Identifier: MIT */
/* leaseherd: picks the subcommand. */
#include <stdio.h>
#include <string.h>

#include "common/schema.h"
#include "common/secrets.h"
#include "coordinator/cmd/cmd.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cmd_run, "play a scenario with a fleet of agents, judge and report"},
    {"resume", cmd_resume, "go on with a run whose coordinator was killed"},
    {"stop", cmd_stop, "end a run from another terminal, in order or at once"},
    {"check", cmd_check, "show what a scenario would do; sends nothing"},
    {"report", cmd_report, "print the report of a run again"},
    {"compare", cmd_compare, "is one run worse than another?"},
    {"cleanup", cmd_cleanup, "give back the leases that a run has left at the servers"},
    {"audit", cmd_audit, "do counters, ledger, captures and lease files agree?"},
    {"export", cmd_export, "the results of a run as CSV"},
    {"testbed", cmd_testbed, "bring servers' replies to the agents, and see that they come"},
    {"setup", cmd_setup, "configuration of a DHCP server for a scenario"},
    {"keys", cmd_keys, "make, list and revoke the keys of coordinator and agents"},
};

static void print_help(FILE *to)
{
    (void)fputs("usage: leaseherd COMMAND ...\n\n"
                "Loads DHCP servers the way a network does, and judges what they sustain.\n\n",
                to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        (void)fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    }
    (void)fputs(
        "\nleaseherd COMMAND --help says more. The scenario file is described in\n"
        "leaseherd-scenario(5) and by leaseherd check --reference.\n\n"
        "exit codes of run: 0 pass, 1 fail, 2 usage or scenario, 3 invalid, 4 aborted,\n"
        "            5 preflight refused, 6 internal; other commands say theirs in --help\n",
        to);
}

static int unknown_command(const char *word)
{
    const char *words[ARRAY_LEN(commands) + 3] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        words[count++] = commands[i].name;
    }
    words[count++] = "--help";
    words[count++] = "--version";
    const char *near = schema_nearest(word, words);
    const char *what = word[0] == '-' ? "flag" : "command";
    if (near != NULL) {
        (void)fprintf(stderr, "leaseherd: unknown %s '%.80s'; did you mean '%s'?\n", what, word,
                      near);
    } else {
        (void)fprintf(stderr, "leaseherd: unknown %s '%.80s'; leaseherd --help lists them\n", what,
                      word);
    }
    return CMD_USAGE;
}

int main(int argc, char **argv)
{
    if (secrets_forbid_dumps() < 0) {
        (void)fputs("leaseherd: cannot forbid core dumps; the system refused prctl() or "
                    "setrlimit()\n",
                    stderr);
        return CMD_INTERNAL;
    }
    secrets_wipe_freed();
    if (argc < 2) {
        print_help(stderr);
        return CMD_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return CMD_PASS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("leaseherd " LEASEHERD_VERSION);
        return CMD_PASS;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, argv[1]) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return unknown_command(argv[1]);
}
