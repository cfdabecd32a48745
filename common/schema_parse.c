/* SPDX-License-Identifier: MIT */
/* From the tree of a file to the caller's struct, along the rows of a table. */
#include "common/schema.h"

#include "common/schema_complain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct parse {
    const struct tree *tree;
    struct schema_place place;
};

static void apply_value(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                        void *base);

static const struct tree_node *first_child(const struct parse *p, const struct tree_node *node)
{
    return node->child == 0 ? NULL : &p->tree->node[node->child];
}

static const struct tree_node *next_of(const struct parse *p, const struct tree_node *node)
{
    return node->next == 0 ? NULL : &p->tree->node[node->next];
}

static bool is_kind(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                    enum tree_kind kind)
{
    if (node->kind != kind && node->kind != TREE_REFUSED) {
        schema_complain_kind(&p->place, row, node);
    }
    return node->kind == kind;
}

static void apply_scalar(struct parse *p, const struct schema_row *row, enum schema_type type,
                         const struct tree_node *node, void *field)
{
    struct schema_row as_scalar = *row;
    as_scalar.type = type;
    if (tree_is_blank(node)) {
        schema_complain_kind(&p->place, &as_scalar, node);
        return;
    }
    if (is_kind(p, &as_scalar, node, TREE_SCALAR)) {
        enum schema_scan_result result = schema_value_scan(row, type, node->text, field);
        if (result != SCHEMA_SCANNED) {
            schema_complain_value(&p->place, row, type, node, result);
        }
    }
}

static void set_line(const struct schema_row *row, void *base, unsigned line)
{
    if (row->line_offset_plus_1 > 0) {
        memcpy((char *)base + row->line_offset_plus_1 - 1, &line, sizeof(line));
    }
}

static const struct schema_row *find_row(const struct schema_row *rows, const char *key)
{
    for (; rows->key != NULL; rows++) {
        if (strcmp(rows->key, key) == 0) {
            return rows;
        }
    }
    return NULL;
}

/*
 * A preset is a value like any other. That it is a good one is the table's promise, so what can
 * fail is memory.
 */
static void apply_preset(struct parse *outer, const struct schema_row *row, void *base)
{
    if (schema_is_scalar(row->type) && row->preset[0] != '"') {
        enum schema_scan_result result =
            schema_value_scan(row, row->type, row->preset, schema_field(row, base));
        assert(result == SCHEMA_SCANNED);
        return;
    }
    struct diag *why = calloc(1, sizeof(*why));
    struct tree tree = {0};
    bool is_good = why != NULL && tree_parse(row->preset, strlen(row->preset), &tree, why);
    if (is_good) {
        assert(tree.count > 1);
        struct parse p = {.tree = &tree, .place.why = why};
        apply_value(&p, row, &tree.node[1], base);
        is_good = diag_is_clean(why);
    }
    if (!is_good) {
        diag_add(outer->place.why, 0, "out of memory for the preset of `%s`", row->key);
    }
    tree_free(&tree);
    free(why);
}

static void apply_absent(struct parse *p, const struct schema_row *row, void *base)
{
    if (row->type == SCHEMA_BLOCK) {
        for (const struct schema_row *inner = row->rows; inner->key != NULL; inner++) {
            apply_absent(p, inner, schema_field(row, base));
        }
    } else if (row->preset != NULL) {
        apply_preset(p, row, base);
    }
}

static void apply_block(struct parse *p, const struct schema_row *rows,
                        const struct tree_node *node, unsigned line, void *base)
{
    unsigned seen_line[SCHEMA_ROWS_MAX] = {0};
    for (const struct tree_node *child = first_child(p, node); child != NULL;
         child = next_of(p, child)) {
        const struct schema_row *row = find_row(rows, child->key);
        if (row == NULL) {
            schema_complain_key(&p->place, rows, child);
            continue;
        }
        size_t index = (size_t)(row - rows);
        size_t cut = schema_enter(&p->place, row->key);
        if (seen_line[index] > 0) {
            diag_add(p->place.why, child->key_line,
                     "`%s` stands here again after line %u; keep one", p->place.path,
                     seen_line[index]);
        } else {
            seen_line[index] = child->key_line;
            apply_value(p, row, child, base);
            set_line(row, base, child->key_line);
            if (row->present_offset_plus_1 > 0) {
                const bool is_present = true;
                memcpy((char *)base + row->present_offset_plus_1 - 1, &is_present, 1);
            }
        }
        schema_leave(&p->place, cut);
    }
    for (const struct schema_row *row = rows; row->key != NULL; row++) {
        if (seen_line[row - rows] > 0) {
            continue;
        }
        if (row->is_required) {
            schema_complain_absence(&p->place, row, line);
        }
        apply_absent(p, row, base);
    }
}

static void apply_flags(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                        unsigned *field)
{
    unsigned flags = 0;
    if (!is_kind(p, row, node, TREE_LIST)) {
        return;
    }
    for (const struct tree_node *child = first_child(p, node); child != NULL;
         child = next_of(p, child)) {
        int word = -1;
        apply_scalar(p, row, SCHEMA_ENUM, child, &word);
        if (word >= 0 && (flags >> word & 1) != 0) {
            diag_add(p->place.why, child->line, "`%s` names `%s` twice; keep one", p->place.path,
                     child->text);
        } else if (word >= 0) {
            flags |= 1U << word;
        }
    }
    memcpy(field, &flags, sizeof(flags));
}

/* A zeroed element at the end of the array; NULL, and a complaint, when it cannot grow. */
static void *append(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                    void *base)
{
    struct schema_array array;
    const size_t bytes = schema_element_bytes(row);
    const size_t most = row->type == SCHEMA_MAP ? SCHEMA_MAP_ITEMS_MAX : SCHEMA_ITEMS_MAX;
    memcpy(&array, schema_field(row, base), sizeof(array));
    if (array.count == most) {
        diag_add(p->place.why, node->line, "`%s` has more than %zu elements; remove the rest",
                 p->place.path, most);
        return NULL;
    }
    /* The capacity is the next power of two, so it need not be kept. */
    if ((array.count & (array.count - 1)) == 0) {
        size_t capacity = array.count == 0 ? 1 : 2 * array.count;
        void *grown = realloc(array.items, capacity * bytes);
        if (grown == NULL) {
            diag_add(p->place.why, node->line,
                     "out of memory; the file is too large for this machine");
            return NULL;
        }
        array.items = grown;
    }
    char *item = (char *)array.items + array.count * bytes;
    memset(item, 0, bytes);
    array.count++;
    memcpy(schema_field(row, base), &array, sizeof(array));
    return item;
}

static void check_count(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                        const void *base)
{
    struct schema_array array;
    memcpy(&array, schema_field_const(row, base), sizeof(array));
    bool has_range = row->type != SCHEMA_MAP; /* there, max is the size of a name */
    bool is_wrong = has_range && row->max != 0 && array.count > row->max;
    is_wrong |= has_range && array.count < row->min;
    is_wrong |= row->is_required && array.count == 0;
    if (is_wrong) {
        schema_complain_count(&p->place, row, node, array.count);
    }
}

static void apply_list(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                       void *base)
{
    static const struct schema_row an_element = {.type = SCHEMA_BLOCK};
    const struct schema_row *text_row = row->type == SCHEMA_TEXT_LIST ? row->rows : NULL;
    if (!is_kind(p, row, node, TREE_LIST)) {
        return;
    }
    for (const struct tree_node *child = first_child(p, node); child != NULL;
         child = next_of(p, child)) {
        void *item = append(p, row, child, base);
        if (item == NULL) {
            return;
        }
        if (row->type == SCHEMA_LIST) {
            if (is_kind(p, &an_element, child, TREE_MAP)) {
                apply_block(p, row->rows, child, child->line, item);
            }
        } else if (text_row != NULL) {
            apply_scalar(p, text_row, SCHEMA_TEXT, child, schema_field(text_row, item));
            set_line(text_row, item, child->line);
        } else {
            apply_scalar(p, row, schema_element_type(row->type), child, item);
        }
    }
    check_count(p, row, node, base);
}

/* The name of a map's element goes to its field 0. False after a complaint. */
static bool name_element(struct parse *p, const struct schema_row *row,
                         const struct tree_node *child, const struct schema_array *array)
{
    const struct schema_row name_row = {.type = SCHEMA_NAME,
                                        .size = row->max == 0 ? SCHEMA_MAP_NAME_BYTES : row->max};
    for (size_t i = 0; i + 1 < array->count; i++) {
        if (strcmp((const char *)array->items + i * row->size, child->key) == 0) {
            diag_add(p->place.why, child->key_line, "`%s` has the name `%s` twice; choose another",
                     p->place.path, child->key);
            return false;
        }
    }
    char *item = (char *)array->items + (array->count - 1) * row->size;
    enum schema_scan_result result = schema_value_scan(&name_row, SCHEMA_NAME, child->key, item);
    if (result != SCHEMA_SCANNED) {
        schema_complain_name(&p->place, child, name_row.size);
    }
    return result == SCHEMA_SCANNED;
}

static void apply_map(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                      void *base)
{
    static const struct schema_row an_element = {.type = SCHEMA_BLOCK};
    if (!is_kind(p, row, node, TREE_MAP)) {
        return;
    }
    for (const struct tree_node *child = first_child(p, node); child != NULL;
         child = next_of(p, child)) {
        void *item = append(p, row, child, base);
        if (item == NULL) {
            return;
        }
        struct schema_array array;
        memcpy(&array, schema_field(row, base), sizeof(array));
        (void)name_element(p, row, child, &array); /* the rest is looked at all the same */
        size_t cut = schema_enter(&p->place, child->key);
        if (is_kind(p, &an_element, child, TREE_MAP)) {
            apply_block(p, row->rows, child, child->key_line, item);
        }
        schema_leave(&p->place, cut);
    }
    check_count(p, row, node, base);
}

static void apply_value(struct parse *p, const struct schema_row *row, const struct tree_node *node,
                        void *base)
{
    if (row->type == SCHEMA_BLOCK) {
        if (is_kind(p, row, node, TREE_MAP)) {
            apply_block(p, row->rows, node, node->key_line, schema_field(row, base));
        }
    } else if (row->type == SCHEMA_FLAGS) {
        apply_flags(p, row, node, schema_field(row, base));
    } else if (row->type == SCHEMA_MAP) {
        apply_map(p, row, node, base);
    } else if (row->type == SCHEMA_LIST || schema_is_scalar_list(row->type)) {
        apply_list(p, row, node, base);
    } else {
        apply_scalar(p, row, row->type, node, schema_field(row, base));
    }
}

/* What a table must hold to be one; a mistake here is ours, not the operator's. */
static void check_table(const struct schema_row *rows)
{
    for (const struct schema_row *row = rows; row->key != NULL; row++) {
        assert(row - rows < SCHEMA_ROWS_MAX);
        assert(find_row(rows, row->key) == row);
        bool has_size = row->type == SCHEMA_TEXT || row->type == SCHEMA_NAME ||
                        row->type == SCHEMA_LIST || row->type == SCHEMA_MAP ||
                        row->type == SCHEMA_TEXT_LIST;
        bool has_words = row->type == SCHEMA_ENUM || row->type == SCHEMA_FLAGS;
        bool has_rows =
            row->type == SCHEMA_BLOCK || row->type == SCHEMA_LIST || row->type == SCHEMA_MAP;
        assert(!has_size || row->size > 0);
        assert(!has_words || row->words != NULL);
        assert(!has_rows || row->rows != NULL);
        bool may_be_absent = row->type == SCHEMA_BLOCK && !row->is_required;
        for (const struct schema_row *inner = row->rows; has_rows && inner->key != NULL; inner++) {
            assert(!may_be_absent || !inner->is_required || row->present_offset_plus_1 > 0);
            size_t name_bytes = row->max == 0 ? SCHEMA_MAP_NAME_BYTES : row->max;
            assert(row->type != SCHEMA_MAP || inner->offset >= name_bytes);
        }
        if (has_rows) {
            check_table(row->rows);
        }
    }
}

static void apply_root(struct parse *p, const struct schema_row *rows, void *out)
{
    const struct tree_node *root = p->tree->count > 1 ? &p->tree->node[1] : NULL;
    if (root == NULL || tree_is_blank(root)) {
        diag_add(p->place.why, 0, "the file is empty; begin it with the key `%s`", rows[0].key);
    } else if (root->kind == TREE_MAP) {
        apply_block(p, rows, root, root->line, out);
    } else if (root->kind != TREE_REFUSED) {
        diag_add(p->place.why, root->line,
                 "the file must be a map of keys; begin it with the key `%s`", rows[0].key);
    }
}

bool schema_parse_partial(const struct schema_row *rows, const char *text, size_t bytes, void *out,
                          struct diag *why)
{
    check_table(rows);
    const size_t before = why->count;
    struct tree tree;
    if (tree_parse(text, bytes, &tree, why)) {
        struct parse p = {.tree = &tree, .place.why = why};
        apply_root(&p, rows, out);
    }
    tree_free(&tree);
    return why->count == before;
}

bool schema_parse(const struct schema_row *rows, const char *text, size_t bytes, void *out,
                  struct diag *why)
{
    bool is_good = schema_parse_partial(rows, text, bytes, out, why);
    if (!is_good) {
        schema_free(rows, out);
    }
    return is_good;
}

void schema_free(const struct schema_row *rows, void *parsed)
{
    for (const struct schema_row *row = rows; row->key != NULL; row++) {
        char *field = schema_field(row, parsed);
        if (row->type == SCHEMA_BLOCK) {
            schema_free(row->rows, field);
        }
        bool is_list = row->type == SCHEMA_LIST || row->type == SCHEMA_MAP;
        if (!is_list && !schema_is_scalar_list(row->type)) {
            continue;
        }
        struct schema_array array;
        memcpy(&array, field, sizeof(array));
        for (size_t i = 0; is_list && i < array.count; i++) {
            schema_free(row->rows, (char *)array.items + i * row->size);
        }
        free(array.items);
        memset(field, 0, sizeof(array));
    }
}
