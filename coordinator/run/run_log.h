/* SPDX-License-Identifier: MIT */
/*
 * RUN/coordinator.log: what was done, by whom, as a chain of lines (audit/log_chain.h). While it
 * is open every line of log.h goes into it. One at a time in a process. Edge; any thread may log.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/attrs.h"
#include "coordinator/audit/log_chain.h"
#include "coordinator/run/run_dir.h"

/*
 * Creates it, or goes on with the one of a coordinator that died: a last line that was not
 * written to its end is taken off. 0 or -errno with one sentence in `why`.
 */
NODISCARD int run_log_open(const char *run_dir, char why[RUN_DIR_WHY_BYTES]);
void run_log_close(void); /* lines go to stderr again; nothing to do when none is open */

/* The value of the last line; all zero digits where none was written. */
const char *run_log_head(char out[LOG_CHAIN_TEXT_BYTES]);

/* Who started this process, with what: user, host, process, version, command line. */
void run_log_process(const char *what, const char *run_name);
/* BLAKE2b-256 of a file's bytes, as hexadecimal digits. */
enum { RUN_LOG_HASH_TEXT_BYTES = 65 };
const char *run_log_hash(const void *bytes, size_t size, char out[RUN_LOG_HASH_TEXT_BYTES]);
/* The same of a whole file, in pieces; 0 or -errno. */
NODISCARD int run_log_hash_file(const char *path, char out[RUN_LOG_HASH_TEXT_BYTES]);
/* "user(1000)", "?(1000)" where the system does not know the name. */
enum { RUN_LOG_USER_BYTES = 64 };
const char *run_log_user(uid_t uid, char out[RUN_LOG_USER_BYTES]);
