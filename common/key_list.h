/* SPDX-License-Identifier: MIT */
/*
 * The allow-list as text: the pure half of common/keys.h, whose types it uses.
 *
 * Pure.
 */
#pragma once

#include "common/attrs.h"
#include "common/keys.h"

/*
 * Parses "NAME ROLE KEY ADDED EXPIRES" lines; '#' starts a comment line. The text
 * is cut up on the way. 0, -EBADMSG with "PATH:LINE: ..." in `why`, -EFBIG or -ENOMEM.
 */
NODISCARD int key_list_parse(char *text, const char *path, struct key_list *out,
                             char why[KEY_WHY_BYTES]);

/* What a session that began with `name` and `public_key` is worth by a newer list. */
enum key_standing {
    KEY_STANDING_GOOD,
    KEY_STANDING_REVOKED,  /* nobody has this name */
    KEY_STANDING_REPLACED, /* the name has another key, and this one is not its own any more */
    KEY_STANDING_EXPIRED
};
enum key_standing key_list_standing(const struct key_list *list, const char *name,
                                    const uint8_t public_key[KEY_BYTES],
                                    const char *today_yyyy_mm_dd);

/* Writes the sentence and returns `error`, so that it can stand in a return statement. */
int key_refuse(char why[KEY_WHY_BYTES], int error, const char *format, ...) PRINTF_LIKE(3, 4);
