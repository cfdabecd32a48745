/* SPDX-License-Identifier: MIT */
#include "common/schema_complain.h"

#include <stdlib.h>
#include <string.h>

size_t schema_enter(struct schema_place *p, const char *key)
{
    size_t length = strlen(p->path);
    char quoted[TREE_QUOTE_BYTES];
    if (length + TREE_QUOTE_BYTES + 2 < SCHEMA_PATH_BYTES) {
        if (length > 0) {
            p->path[length] = '.';
            strcpy(p->path + length + 1, tree_quote(key, quoted));
        } else {
            strcpy(p->path, tree_quote(key, quoted));
        }
    }
    return length;
}

void schema_leave(struct schema_place *p, size_t length)
{
    p->path[length] = '\0';
}

static const char *text_or_empty(const struct schema_text *text)
{
    return text->bytes == NULL ? "" : text->bytes;
}

/* What to do about a value of the wrong kind. */
static const char *advice_for_kind(enum schema_type type)
{
    if (type == SCHEMA_TEXT) {
        return "put the text in quotes";
    }
    if (type == SCHEMA_BLOCK || type == SCHEMA_MAP) {
        return "indent its keys below it, each as `key: value`";
    }
    return "begin each element with `- `, or write [a, b]";
}

void schema_complain_kind(struct schema_place *p, const struct schema_row *row,
                          const struct tree_node *node)
{
    static const char *const found[] = {
        [TREE_SCALAR] = "a single value", [TREE_LIST] = "a list", [TREE_MAP] = "a map"};
    const char *subject = node->key == NULL ? "an element of " : "";
    struct schema_text wanted = {0};
    struct schema_text advice = {0};
    schema_value_describe(row, row->type, &wanted);
    if (schema_is_scalar(row->type) && row->type != SCHEMA_TEXT) {
        schema_value_advise(row, row->type, "", &advice);
    } else {
        schema_text_add(&advice, "%s", advice_for_kind(row->type));
    }
    if (tree_is_blank(node)) {
        diag_add(p->why, node->key_line, "%s`%s` has no value; give it %s, or remove it", subject,
                 p->path, text_or_empty(&wanted));
    } else {
        diag_add(p->why, node->line, "%s`%s` must be %s, not %s; %s", subject, p->path,
                 text_or_empty(&wanted), found[node->kind], text_or_empty(&advice));
    }
    free(wanted.bytes);
    free(advice.bytes);
}

void schema_complain_name(struct schema_place *p, const struct tree_node *node, size_t size)
{
    char quoted[TREE_QUOTE_BYTES];
    diag_add(p->why, node->key_line,
             "`%s` in `%s` is not a name; write at most %zu letters, digits, `.`, `_` and `-`, "
             "a letter or digit first",
             tree_quote(node->key, quoted), p->path, size - 1);
}

void schema_complain_value(struct schema_place *p, const struct schema_row *row,
                           enum schema_type type, const struct tree_node *node,
                           enum schema_scan_result result)
{
    struct schema_text wanted = {0};
    struct schema_text advice = {0};
    char quoted[TREE_QUOTE_BYTES];
    if (result == SCHEMA_OUT_OF_RANGE) {
        schema_range_describe(row, type, &wanted);
        schema_text_add(&advice, "choose a value in that range");
    } else {
        schema_value_describe(row, type, &wanted);
        schema_value_advise(row, type, node->text, &advice);
    }
    diag_add(p->why, node->line, "`%s` is `%s`, but must be %s; %s", p->path,
             tree_quote(node->text, quoted), text_or_empty(&wanted), text_or_empty(&advice));
    free(wanted.bytes);
    free(advice.bytes);
}

void schema_complain_key(struct schema_place *p, const struct schema_row *rows,
                         const struct tree_node *node)
{
    if (p->why->count >= DIAG_ITEMS_MAX) {
        diag_add(p->why, node->key_line, "unknown key"); /* only counted: looking is in vain */
        return;
    }
    const char *keys[SCHEMA_ROWS_MAX + 1];
    size_t count = 0;
    for (const struct schema_row *row = rows; row->key != NULL; row++) {
        keys[count++] = row->key;
    }
    keys[count] = NULL;
    struct schema_text advice = {0};
    const char *nearest = schema_nearest(node->key, keys);
    if (nearest != NULL) {
        schema_text_add(&advice, "did you mean `%s`?", nearest);
    } else {
        schema_text_add(&advice, "the keys here are");
        for (size_t i = 0; i < count; i++) {
            schema_text_add(&advice, "%s %s", i == 0 ? "" : ",", keys[i]);
        }
    }
    char quoted[TREE_QUOTE_BYTES];
    diag_add(p->why, node->key_line, "unknown key `%s`%s%s%s; %s", tree_quote(node->key, quoted),
             p->path[0] == '\0' ? "" : " in `", p->path, p->path[0] == '\0' ? "" : "`",
             text_or_empty(&advice));
    free(advice.bytes);
}

void schema_complain_absence(struct schema_place *p, const struct schema_row *row, unsigned line)
{
    struct schema_text wanted = {0};
    schema_value_describe(row, row->type, &wanted);
    if (p->path[0] == '\0') {
        diag_add(p->why, line, "the key `%s` is missing; add it: %s", row->key,
                 text_or_empty(&wanted));
    } else {
        diag_add(p->why, line, "`%s` lacks the key `%s`; add it: %s", p->path, row->key,
                 text_or_empty(&wanted));
    }
    free(wanted.bytes);
}

void schema_complain_count(struct schema_place *p, const struct schema_row *row,
                           const struct tree_node *node, size_t count)
{
    struct schema_text wanted = {0};
    schema_range_describe(row, row->type, &wanted);
    diag_add(p->why, node->key_line, "`%s` has %zu elements, but must have %s; %s", p->path, count,
             wanted.bytes == NULL ? "at least 1" : wanted.bytes,
             row->max != 0 && row->type != SCHEMA_MAP && count > row->max ? "remove some"
                                                                          : "add some");
    free(wanted.bytes);
}
