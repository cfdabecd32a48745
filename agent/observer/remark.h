/* SPDX-License-Identifier: MIT */
/* NOTE_OBSERVER is written by many: each adds its sentence. Pure. */
#pragma once

#include "proto/observation.h"

/* Behind what is there, while there is room for all of it. */
void remark(struct observation *out, const char *sentence);
