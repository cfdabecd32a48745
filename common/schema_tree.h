/* SPDX-License-Identifier: MIT */
/*
 * YAML as a tree of scalars, lists and maps, as far as our files use it: one
 * document, plain keys, no anchors, aliases or tags, bounded size and depth.
 * What is outside of that is a complaint in the caller's diag. Internal to
 * common/schema_*.c.
 *
 * Pure (libyaml over memory). tree_free() releases a tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/diag.h"

enum tree_kind {
    TREE_SCALAR,
    TREE_LIST,
    TREE_MAP,
    TREE_REFUSED /* complained about already */
};

struct tree_node {
    enum tree_kind kind;
    unsigned line;     /* where the value begins */
    unsigned key_line; /* where its key stands; `line` for an element of a list */
    char *key;         /* NULL for an element of a list; no NUL inside */
    char *text;        /* TREE_SCALAR; no NUL inside */
    bool is_quoted;
    uint32_t child; /* index of the first element or value, 0: none */
    uint32_t next;  /* index of the next sibling, 0: none */
};

/* node[0] is unused, so that index 0 means none; node[1] is the root. */
struct tree {
    struct tree_node *node;
    uint32_t count;
};

/*
 * False when nothing of the file can be looked at: not text, not YAML, empty or
 * too large. True with complaints in `why` when only parts were refused. The
 * tree is to be released in both cases.
 */
NODISCARD bool tree_parse(const char *text, size_t bytes, struct tree *out, struct diag *why);
void tree_free(struct tree *tree);

/* `key:` with nothing behind it, which YAML calls null. */
bool tree_is_blank(const struct tree_node *node);

/* `text`, cut and with what cannot be shown replaced, to stand in a complaint. Returns buffer. */
enum { TREE_QUOTE_BYTES = 64 };
const char *tree_quote(const char *text, char buffer[TREE_QUOTE_BYTES]);

/* Whether a NUL-terminated text is UTF-8 without control characters and line breaks. */
bool tree_is_printable(const char *text);
