/* SPDX-License-Identifier: MIT */
/*
 * The run directory: `--run-dir DIR` is the run. Edge. Errors are -errno with
 * one sentence in `why`.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/attrs.h"

enum { RUN_DIR_PATH_BYTES = 1024, RUN_DIR_WHY_BYTES = 1400 };

/*
 * Creates `wanted`, or runs/<UTC>-<scenario> when it is NULL, with its parents.
 * A directory that exists and is not empty is refused (-EEXIST).
 */
NODISCARD int run_dir_create(const char *wanted, const char *scenario, uint64_t wall_s,
                             char out[RUN_DIR_PATH_BYTES], char why[RUN_DIR_WHY_BYTES]);

/* "DIR/NAME" into `out`; returns `out`. */
const char *run_dir_path(const char *dir, const char *name, char out[RUN_DIR_PATH_BYTES]);

/* Whole file, through a temporary name, fsync and rename: it is there complete or not at all. */
NODISCARD int run_dir_write(const char *dir, const char *name, const void *bytes, size_t size,
                            char why[RUN_DIR_WHY_BYTES]);

/* The same for what a function prints; `print` returns 0 or -errno. */
typedef int run_dir_printer(const void *what, FILE *to);
NODISCARD int run_dir_print(const char *dir, const char *name, run_dir_printer *print,
                            const void *what, char why[RUN_DIR_WHY_BYTES]);
