/* SPDX-License-Identifier: MIT */
/* From a parsed struct back to the file, and the reference of all keys. */
#include "common/schema.h"

#include "common/schema_value.h"

#include <stdlib.h>
#include <string.h>

enum { INDENT = 2 };

static void print_rows(const struct schema_row *rows, const void *base, int indent, bool is_inline,
                       struct schema_text *out);

static struct schema_array array_in(const void *field)
{
    struct schema_array array;
    memcpy(&array, field, sizeof(array));
    return array;
}

/* "[a, b]" */
static void print_flags(const struct schema_row *row, const void *field, struct schema_text *out)
{
    unsigned flags;
    const char *separator = "";
    memcpy(&flags, field, sizeof(flags));
    schema_text_add(out, "[");
    for (unsigned i = 0; row->words[i] != NULL; i++) {
        if ((flags >> i & 1) != 0) {
            schema_text_add(out, "%s%s", separator, row->words[i]);
            separator = ", ";
        }
    }
    schema_text_add(out, "]");
}

static void print_scalar_list(const struct schema_row *row, struct schema_array array, int indent,
                              struct schema_text *out)
{
    const bool has_structs = row->type == SCHEMA_TEXT_LIST && row->rows != NULL;
    for (size_t i = 0; i < array.count; i++) {
        const char *item = (const char *)array.items + i * schema_element_bytes(row);
        schema_text_add(out, "\n%*s- ", indent, "");
        schema_value_print(row, schema_element_type(row->type),
                           has_structs ? schema_field_const(row->rows, item) : item, out);
    }
    schema_text_add(out, array.count == 0 ? " []\n" : "\n");
}

/* Keys of an element, the first on the line that is begun; {} when there are none. */
static void print_element(const struct schema_row *row, const void *item, int indent,
                          bool is_inline, struct schema_text *out)
{
    size_t before = out->length;
    print_rows(row->rows, item, indent, is_inline, out);
    if (out->length == before) {
        schema_text_add(out, is_inline ? "{}\n" : " {}\n");
    }
}

static void print_elements(const struct schema_row *row, struct schema_array array, int indent,
                           struct schema_text *out)
{
    schema_text_add(out, array.count > 0 ? "\n" : row->type == SCHEMA_MAP ? " {}\n" : " []\n");
    for (size_t i = 0; i < array.count; i++) {
        const char *item = (const char *)array.items + i * row->size;
        if (row->type == SCHEMA_LIST) {
            schema_text_add(out, "%*s- ", indent, "");
            print_element(row, item, indent + INDENT, true, out);
        } else {
            schema_text_add(out, "%*s%s:", indent, "", item);
            print_element(row, item, indent + INDENT, false, out);
        }
    }
}

static void print_value(const struct schema_row *row, const void *field, int indent,
                        struct schema_text *out)
{
    if (row->type == SCHEMA_BLOCK) {
        print_element(row, field, indent, false, out);
    } else if (row->type == SCHEMA_LIST || row->type == SCHEMA_MAP) {
        print_elements(row, array_in(field), indent, out);
    } else if (schema_is_scalar_list(row->type)) {
        print_scalar_list(row, array_in(field), indent, out);
    } else {
        schema_text_add(out, " ");
        if (row->type == SCHEMA_FLAGS) {
            print_flags(row, field, out);
        } else {
            schema_value_print(row, row->type, field, out);
        }
        schema_text_add(out, "\n");
    }
}

static bool is_left_out(const struct schema_row *row, const void *base)
{
    if (row->present_offset_plus_1 > 0) {
        return !schema_is_present(row, base);
    }
    return row->preset == NULL && !row->is_required &&
           schema_value_is_unset(row->type, schema_field_const(row, base));
}

/*
 * `is_inline`: the first key stands behind "- ". Otherwise, below the top level,
 * the line of the block's own key is ended first.
 */
static void print_rows(const struct schema_row *rows, const void *base, int indent, bool is_inline,
                       struct schema_text *out)
{
    bool is_first = true;
    for (const struct schema_row *row = rows; row->key != NULL; row++) {
        if (is_left_out(row, base)) {
            continue;
        }
        if (is_first && !is_inline && indent > 0) {
            schema_text_add(out, "\n");
        }
        schema_text_add(out, "%*s%s:", is_first && is_inline ? 0 : indent, "", row->key);
        print_value(row, schema_field_const(row, base), indent + INDENT, out);
        is_first = false;
    }
}

static char *take(struct schema_text *text)
{
    schema_text_add(text, "%s", "");
    if (text->has_failed) {
        free(text->bytes);
        return NULL;
    }
    return text->bytes;
}

char *schema_print(const struct schema_row *rows, const void *parsed)
{
    struct schema_text out = {0};
    print_rows(rows, parsed, 0, false, &out);
    if (out.length == 0) {
        schema_text_add(&out, "{}\n"); /* nothing is given and nothing has a default */
    }
    return take(&out);
}

/* Broken at spaces; every line begins with four of them. */
static void add_help(const char *help, struct schema_text *out)
{
    enum { REFERENCE_COLUMNS = 100, HELP_INDENT = 4 };
    size_t rest = strlen(help), room = REFERENCE_COLUMNS - HELP_INDENT;
    while (rest > room) {
        size_t cut = room;
        while (cut > 0 && help[cut] != ' ') {
            cut--;
        }
        if (cut == 0) {
            break;
        }
        schema_text_add(out, "%*s%.*s\n", HELP_INDENT, "", (int)cut, help);
        help += cut + 1;
        rest -= cut + 1;
    }
    schema_text_add(out, "%*s%s\n", HELP_INDENT, "", help);
}

static void refer_to_row(const struct schema_row *row, const char *path, struct schema_text *out)
{
    struct schema_text range = {0};
    schema_text_add(out, "%s%s%s: ", path, path[0] == '\0' ? "" : ".", row->key);
    schema_value_describe(row, row->type, out);
    schema_range_describe(row, row->type, &range);
    if (range.bytes != NULL) {
        schema_text_add(out, ", %s", range.bytes);
    } else if (row->unit != NULL) {
        schema_text_add(out, ", in %s", row->unit);
    }
    if (row->is_required) {
        schema_text_add(out, " (required)");
    } else if (row->preset != NULL) {
        schema_text_add(out, " (default %s)", row->preset[0] == '\0' ? "\"\"" : row->preset);
    } else {
        schema_text_add(out, " (optional)");
    }
    schema_text_add(out, "\n");
    if (row->help != NULL) {
        add_help(row->help, out);
    }
    free(range.bytes);
}

static void refer_to_rows(const struct schema_row *rows, const char *path, struct schema_text *out)
{
    for (const struct schema_row *row = rows; row->key != NULL; row++) {
        refer_to_row(row, path, out);
        bool has_rows =
            row->type == SCHEMA_BLOCK || row->type == SCHEMA_LIST || row->type == SCHEMA_MAP;
        if (!has_rows) {
            continue;
        }
        struct schema_text inner = {0};
        const char *element = row->type == SCHEMA_LIST ? "[]" : "";
        schema_text_add(&inner, "%s%s%s%s%s", path, path[0] == '\0' ? "" : ".", row->key, element,
                        row->type == SCHEMA_MAP ? ".NAME" : "");
        if (inner.has_failed) {
            out->has_failed = true;
        } else {
            refer_to_rows(row->rows, inner.bytes, out);
        }
        free(inner.bytes);
    }
}

char *schema_reference(const struct schema_row *rows)
{
    struct schema_text out = {0};
    refer_to_rows(rows, "", &out);
    return take(&out);
}
