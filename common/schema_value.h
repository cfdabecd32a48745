/* SPDX-License-Identifier: MIT */
/*
 * One scalar of a schema table: from text to field, from field to text, and in
 * words. Also the growing text that schema_print and schema_reference write to.
 * Internal to common/schema_*.c. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/schema.h"

/* A string that grows; `has_failed` is sticky: out of memory. Caller frees `bytes`. */
struct schema_text {
    char *bytes; /* NUL-terminated once anything was added */
    size_t length;
    size_t capacity;
    bool has_failed;
};

void schema_text_add(struct schema_text *text, const char *format, ...) PRINTF_LIKE(2, 3);

enum schema_scan_result { SCHEMA_SCANNED, SCHEMA_NOT_OF_TYPE, SCHEMA_OUT_OF_RANGE };

/* Whether a row's field, or each element of its list, is one scalar. */
bool schema_is_scalar(enum schema_type type);
bool schema_is_scalar_list(enum schema_type type);
enum schema_type schema_element_type(enum schema_type type);

/* `field` is untouched unless the result is SCHEMA_SCANNED. Types: schema_is_scalar(). */
NODISCARD enum schema_scan_result schema_value_scan(const struct schema_row *row,
                                                    enum schema_type type, const char *text,
                                                    void *field);
/* As it stands in a file, quoted where needed. */
void schema_value_print(const struct schema_row *row, enum schema_type type, const void *field,
                        struct schema_text *out);
/* Zero or empty: what an optional key without preset holds when it was not given. */
bool schema_value_is_unset(enum schema_type type, const void *field);

/* "a time with its unit"; and how to write one: "write it like 4s or 8h". */
void schema_value_describe(const struct schema_row *row, enum schema_type type,
                           struct schema_text *out);
void schema_value_advise(const struct schema_row *row, enum schema_type type, const char *text,
                         struct schema_text *out);
/* "1s to 8h", "at least 1 clients"; nothing when the row has no range. */
void schema_range_describe(const struct schema_row *row, enum schema_type type,
                           struct schema_text *out);

/* The field of a row inside its struct. */
void *schema_field(const struct schema_row *row, void *base);
const void *schema_field_const(const struct schema_row *row, const void *base);
/* True when the row has no present flag. */
bool schema_is_present(const struct schema_row *row, const void *base);
/* Bytes of one element of the array a row fills. */
size_t schema_element_bytes(const struct schema_row *row);
