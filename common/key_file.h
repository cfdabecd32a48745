/* SPDX-License-Identifier: MIT */
/*
 * Small text files that hold keys: made once, durably, and read only when nobody else
 * could have read (secrets) or changed (public halves, lists) them. Edge.
 *
 * 0 or -errno with one sentence in `why`.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "common/attrs.h"
#include "common/keys.h"

enum key_file_kind {
    KEY_FILE_SECRET, /* ours, mode 0600 or less, no symbolic link */
    KEY_FILE_TOKEN,  /* likewise, but what others have seen cannot be made anew by its reader */
    KEY_FILE_PUBLIC  /* ours or root's, writable by nobody else */
};

/* An existing file is never overwritten (-EEXIST); half a file is not left behind. */
NODISCARD int key_file_write_new(const char *path, mode_t mode, const char *text,
                                 char why[KEY_WHY_BYTES]);
/* Reads at most size - 1 bytes and terminates them; a file with NUL bytes is refused. */
NODISCARD int key_file_read(const char *path, enum key_file_kind kind, char *out, size_t size,
                            char why[KEY_WHY_BYTES]);
/* A rename or a new name is durable once its directory is. */
NODISCARD int key_file_sync_directory_of(const char *path);
