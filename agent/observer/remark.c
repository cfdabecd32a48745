/* SPDX-License-Identifier: MIT */
#include "agent/observer/remark.h"

#include <stdio.h>
#include <string.h>

void remark(struct observation *out, const char *sentence)
{
    char whole[2 * NOTE_BYTES];
    const char *before = out->note[NOTE_OBSERVER];
    int size =
        snprintf(whole, sizeof(whole), "%s%s%s", before, before[0] == '\0' ? "" : "; ", sentence);
    if (size >= 0 && size <= NOTE_BYTES) {
        observation_set_note(out, NOTE_OBSERVER, whole);
    }
}
