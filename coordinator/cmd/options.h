/* SPDX-License-Identifier: MIT */
/*
 * Command-line flags of one subcommand: an array of struct option_row that
 * says what exists and receives what was given. "--keys DIR" and "--keys=DIR"
 * are the same; "--" ends the flags; a flag given twice is refused, and so is
 * an unknown one, with the nearest known one named.
 *
 * Pure: borrows argv. Strings in the rows live as long as argv.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attrs.h"

enum { OPTIONS_WHY_BYTES = 300, OPTIONS_MAX = 16 };

struct option_row {
    const char *name;  /* "--keys" */
    const char *value; /* "DIR"; NULL: a switch */
    const char *help;  /* a few words, no full stop */
    bool is_given;     /* out */
    const char *text;  /* out: the value; NULL for a switch or when not given */
    const char **list; /* given: the flag may stand there list_max times; its values go there */
    size_t list_max, list_count; /* out: list_count */
};

/*
 * argv[0] is the subcommand and skipped. What is not a flag goes to `args`
 * (at most args_max, more is refused) and is counted in *out_arg_count.
 * False: `why` is one sentence.
 */
NODISCARD bool options_parse(int argc, char **argv, struct option_row *rows, size_t row_count,
                             const char **args, size_t args_max, size_t *out_arg_count,
                             char why[OPTIONS_WHY_BYTES]);

/* A plain positive number of at most `max`; the sentence names the flag. */
NODISCARD bool options_number(const struct option_row *row, uint64_t max, uint64_t *out,
                              char why[OPTIONS_WHY_BYTES]);

/* True when --help or -h is among the arguments, wherever it stands. */
bool options_want_help(int argc, char **argv);

/* "  --keys DIR   help" per row. */
void options_print(FILE *to, const struct option_row *rows, size_t row_count);
