/* SPDX-License-Identifier: MIT */
/*
 * Sentences and figures of forecasts and change requests: a text that grows by
 * printf(), into the caller's buffer (cut when that is full) or on the heap, and
 * numbers the way a person says them.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum { SPAN_TEXT_BYTES = 40, COUNT_TEXT_BYTES = 32, PLAN_TEXT_COLUMNS = 100 };

/* Always ends in NUL once begun. Zeroed but for `is_heap`: grows as needed. */
struct plan_text {
    char *out;
    size_t size, used;
    bool is_heap, has_failed;
};

/* Into `out`, size > 0. */
struct plan_text plan_text_in(char *out, size_t size);
void plan_text_say(struct plan_text *t, const char *format, ...) PRINTF_LIKE(2, 3);
/*
 * A paragraph of at most PLAN_TEXT_COLUMNS columns: `first` stands before its first line, blanks
 * as wide before the others.
 */
void plan_text_wrap(struct plan_text *t, const char *first, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The heap's text, which is the caller's now; NULL when out of memory. */
NODISCARD char *plan_text_take(struct plan_text *t);

/* "60 s", "7.5 s", "30 min", "8 h", "4 d". */
const char *plan_span_text(uint64_t ns, char out[SPAN_TEXT_BYTES]);
/* 9600000 as "9,600,000". */
const char *plan_count_text(double count, char out[COUNT_TEXT_BYTES]);
