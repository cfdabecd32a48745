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

/* Writes the sentence and returns `error`, so that it can stand in a return statement. */
int key_refuse(char why[KEY_WHY_BYTES], int error, const char *format, ...) PRINTF_LIKE(3, 4);
