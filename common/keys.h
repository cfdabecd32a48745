/* SPDX-License-Identifier: MIT */
/*
 * CURVE key files and the allow-list. Edge: reads and writes files.
 *
 * A secret key file holds, one per line, "leaseherd-curve-secret 1",
 * "public Z85", "secret Z85". It is made with mode 0600, O_EXCL and O_NOFOLLOW,
 * and refused when others may read it, when it is a symlink, or when it belongs
 * to somebody else. A public key file holds "leaseherd-curve-public 1" and
 * "public Z85". agents.allow holds "NAME ROLE Z85 ADDED EXPIRES" per line (ADDED,
 * EXPIRES as YYYY-MM-DD, "-" for never; '#' starts a comment line) and is
 * replaced atomically; a key may stand there once, a name twice (rotation).
 * Public files that others may write to are refused.
 *
 * Messages in `why` are one sentence: what, where, what to do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum {
    KEY_BYTES = 32,
    KEY_Z85_BYTES = 41,
    KEY_NAME_BYTES = 32,
    KEY_DATE_BYTES = 11,
    KEY_WHY_BYTES = 400
};

enum key_role { KEY_ROLE_AGENT, KEY_ROLE_OBSERVER, KEY_ROLE_COUNT };

struct key_pair {
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[KEY_BYTES];
};

struct key_entry {
    char name[KEY_NAME_BYTES]; /* [A-Za-z0-9][A-Za-z0-9._-]* */
    enum key_role role;
    uint8_t public_key[KEY_BYTES];
    char added[KEY_DATE_BYTES];
    char expires[KEY_DATE_BYTES]; /* "-": never */
};

/* Caller owns `entries` (malloc'd) and releases it with key_list_free. */
struct key_list {
    struct key_entry *entries;
    size_t count;
};

const char *key_role_name(enum key_role role);
bool key_name_is_valid(const char *name);

void key_pair_make(struct key_pair *out);
void key_pair_wipe(struct key_pair *pair);
/* Where a pair lives for long: common/secrets.h. Zeroed; NULL when out of memory. */
struct key_pair *key_pair_new(void);
void key_pair_free(struct key_pair *pair); /* wipes; NULL is fine */
void key_to_z85(const uint8_t key[KEY_BYTES], char out[KEY_Z85_BYTES]);
NODISCARD bool key_from_z85(const char *text, uint8_t out[KEY_BYTES]);

/* 0 or -errno; `why` says more. An existing file is never overwritten (-EEXIST). */
NODISCARD int key_pair_write(const char *path, const struct key_pair *pair,
                             char why[KEY_WHY_BYTES]);
NODISCARD int key_pair_read(const char *path, struct key_pair *out, char why[KEY_WHY_BYTES]);
NODISCARD int key_public_write(const char *path, const uint8_t key[KEY_BYTES],
                               char why[KEY_WHY_BYTES]);
NODISCARD int key_public_read(const char *path, uint8_t out[KEY_BYTES], char why[KEY_WHY_BYTES]);

NODISCARD int key_list_read(const char *path, struct key_list *out, char why[KEY_WHY_BYTES]);
NODISCARD int key_list_write(const char *path, const struct key_list *list,
                             char why[KEY_WHY_BYTES]);
void key_list_free(struct key_list *list);
const struct key_entry *key_list_find(const struct key_list *list,
                                      const uint8_t public_key[KEY_BYTES]);
/* The day named is the last good one. */
bool key_entry_is_expired(const struct key_entry *entry, const char *today_yyyy_mm_dd);
/* The UTC day; what no key outlives when the clock is broken. */
void key_today(char out[KEY_DATE_BYTES]);
bool key_date_is_valid(const char *text); /* "2026-12-31" */

/*
 * Waits for the right to change the lists in a key directory, so that no change is
 * lost between reading and writing. A file descriptor to close(), or -errno.
 */
NODISCARD int key_dir_lock(const char *dir, char why[KEY_WHY_BYTES]);
