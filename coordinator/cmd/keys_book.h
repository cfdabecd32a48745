/* SPDX-License-Identifier: MIT */
/*
 * agents.allow in a directory of keys, for the commands that show and change it. Who
 * changes it holds the directory's lock from reading to writing, so that no revocation is
 * undone by somebody who read the list before. Edge.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "common/attrs.h"
#include "common/keys.h"

struct keys_book {
    char path[PATH_MAX];
    struct key_list list;
    int lock_fd; /* -1: it is only looked at */
};

/* 0 or -errno with one sentence in `why`; closed by keys_book_close(). */
NODISCARD int keys_book_open(const char *dir, bool is_to_change, struct keys_book *out,
                             char why[KEY_WHY_BYTES]);
void keys_book_close(struct keys_book *book);

/* NULL: nobody has this name. */
const struct key_entry *keys_book_find(const struct keys_book *book, const char *name);

/*
 * Enrols an agent or observer and writes the list. 0; -EEXIST: the name is taken; -EALREADY: the
 * key is another's; or another -errno. `expires` is "-" or a date.
 */
NODISCARD int keys_book_add(struct keys_book *book, const char *name, enum key_role role,
                            const uint8_t public_key[KEY_BYTES], const char *expires,
                            char why[KEY_WHY_BYTES]);

/* Takes every key of that name off the list and writes it. 0 or -errno; -ENOENT: nobody has it. */
NODISCARD int keys_book_revoke(struct keys_book *book, const char *name, char why[KEY_WHY_BYTES]);

/* "DIR/NAMESUFFIX"; -ENAMETOOLONG with a sentence when it does not fit. */
NODISCARD int keys_book_path(const char *dir, const char *name, const char *suffix,
                             char out[PATH_MAX], char why[KEY_WHY_BYTES]);
