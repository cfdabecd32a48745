/* SPDX-License-Identifier: MIT */
/*
 * The sentences of schema_parse: what is wrong, where, and what to write
 * instead. Internal to common/schema_*.c. Pure.
 */
#pragma once

#include "common/diag.h"
#include "common/schema_tree.h"
#include "common/schema_value.h"

enum { SCHEMA_PATH_BYTES = 128 };

/* Where parsing is, and who is told. */
struct schema_place {
    struct diag *why;
    char path[SCHEMA_PATH_BYTES]; /* "network.relays"; empty: the top of the file */
};

/* Appends a key to the path; the result is what schema_leave() cuts it back to. */
size_t schema_enter(struct schema_place *p, const char *key);
void schema_leave(struct schema_place *p, size_t length);

/* The node is a map where the row wants a list, and the like; or it is empty. */
void schema_complain_kind(struct schema_place *p, const struct schema_row *row,
                          const struct tree_node *node);
/* The key of an element of a map, which must be a name of less than `size` bytes. */
void schema_complain_name(struct schema_place *p, const struct tree_node *node, size_t size);
void schema_complain_value(struct schema_place *p, const struct schema_row *row,
                           enum schema_type type, const struct tree_node *node,
                           enum schema_scan_result result);
void schema_complain_key(struct schema_place *p, const struct schema_row *rows,
                         const struct tree_node *node);
void schema_complain_absence(struct schema_place *p, const struct schema_row *row, unsigned line);
void schema_complain_count(struct schema_place *p, const struct schema_row *row,
                           const struct tree_node *node, size_t count);
