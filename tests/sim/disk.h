/* SPDX-License-Identifier: MIT */
/*
 * The coordinator's disk: SQLite's own files on a file system of memory, below
 * a layer that can refuse to write. What a killed coordinator had not committed is
 * rolled back, as the next one to open the file would find it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void disk_install(void);

enum disk_fault { DISK_FULL, DISK_IO_ERROR };
/* From now on, or until disk_mend(): the `skip`-th write or sync after this fails, and all after.
 */
void disk_break(enum disk_fault fault, unsigned skip);
void disk_mend(void);
uint64_t disk_errors(void);

/* Kills the coordinator at one of its next commits: before it, or after it and before it is told.
 */
void disk_kill_at_commit(bool is_before);
void disk_forget_kill(void);
/* Closes what the dead coordinator had open, without a commit. */
void disk_part_died(void);
