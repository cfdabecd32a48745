/* SPDX-License-Identifier: MIT */
/*
 * The subcommands of leaseherd. Each gets its own argv (argv[0] is its name),
 * prints what the operator has to know, and returns the exit code of the
 * process. A message about wrong input is one line on stderr,
 * "leaseherd COMMAND: what; what to do".
 *
 * Edge. One thread.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "common/attrs.h"
#include "coordinator/plan/scenario.h"

/* DESIGN section 7: the exit codes of every command. */
enum cmd_exit {
    CMD_PASS = 0,
    CMD_FAIL = 1,
    CMD_USAGE = 2, /* flags, scenario, keys */
    CMD_INVALID = 3,
    CMD_ABORTED = 4,
    CMD_PREFLIGHT = 5,
    CMD_INTERNAL = 6
};

int cmd_run(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_cleanup(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_testbed(int argc, char **argv);
int cmd_setup(int argc, char **argv);
int cmd_keys(int argc, char **argv);

/* Prints "leaseherd COMMAND: ..." to stderr and returns CMD_USAGE. */
int cmd_usage_error(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same, of a directory that holds no run. */
int cmd_no_run(const char *command, const char *run_dir);

/* For reading; a FIFO that nobody writes is empty, not waited for. NULL with errno. */
FILE *cmd_open_file(const char *path);
/* A whole file of at most `most` bytes; the caller frees *out. 0 or -errno (-EFBIG: longer). */
NODISCARD int cmd_read_file(const char *path, size_t most, char **out, size_t *out_bytes);

/*
 * Reads and parses a scenario. On success CMD_PASS: the caller releases `out`
 * with scenario_free(). Otherwise the exit code, after every problem was printed
 * to stderr as "FILE:LINE: text".
 */
NODISCARD int cmd_load_scenario(const char *command, const char *path, struct scenario *out);
