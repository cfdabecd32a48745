/* SPDX-License-Identifier: MIT */
/*
 * Why an input was refused: a list of complaints, each with file, line, what
 * is wrong and what to do. All problems of a file are collected and reported at
 * once, in line order.
 *
 * Pure; the list has a fixed size, later complaints are only counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum { DIAG_ITEMS_MAX = 32, DIAG_TEXT_BYTES = 320, DIAG_FILE_BYTES = 256 };

struct diag_item {
    unsigned line; /* 1-based; 0: the file as a whole */
    char text[DIAG_TEXT_BYTES];
};

struct diag {
    char file[DIAG_FILE_BYTES];
    size_t count; /* all complaints, also those beyond DIAG_ITEMS_MAX */
    struct diag_item item[DIAG_ITEMS_MAX];
};

void diag_init(struct diag *d, const char *file);
/* `format`: one sentence: what is wrong, and after a semicolon what to do. No full stop. */
void diag_add(struct diag *d, unsigned line, const char *format, ...) PRINTF_LIKE(3, 4);
bool diag_is_clean(const struct diag *d);
/* "FILE:LINE: text\n" per complaint, sorted by line; returns bytes written (bounded by size). */
size_t diag_print(const struct diag *d, char *out, size_t size);
