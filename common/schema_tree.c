/* SPDX-License-Identifier: MIT */
#include "common/schema_tree.h"

#include "common/schema.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct open_node {
    uint32_t index;
    uint32_t last_child;
    char *key; /* of a map: read, its value is still to come */
    unsigned key_line;
};

struct builder {
    struct tree *tree;
    struct diag *why;
    struct open_node open[SCHEMA_DEPTH_MAX];
    unsigned depth;
    bool is_hopeless; /* complained, and the rest cannot be read */
};

const char *tree_quote(const char *text, char buffer[TREE_QUOTE_BYTES])
{
    size_t size = strlen(text);
    size_t from = 0;
    size_t to = 0;
    const size_t room = TREE_QUOTE_BYTES - 1 - 3; /* for "..." */
    while (from < size) {
        uint32_t code;
        size_t length = utf8_decode(text + from, size - from, &code);
        bool can_show = length > 0 && utf8_is_printable(code);
        size_t bytes = can_show ? length : 1;
        if (to + bytes > room) {
            memcpy(buffer + to, "...", 3);
            to += 3;
            break;
        }
        if (can_show) {
            memcpy(buffer + to, text + from, bytes);
        } else {
            buffer[to] = '?';
        }
        to += bytes;
        from += length > 0 ? length : 1;
    }
    buffer[to] = '\0';
    return buffer;
}

bool tree_is_printable(const char *text)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        uint32_t code;
        size_t length = utf8_decode(text + at, size - at, &code);
        if (length == 0 || !utf8_is_printable(code)) {
            return false;
        }
        at += length;
    }
    return true;
}

bool tree_is_blank(const struct tree_node *node)
{
    return node->kind == TREE_SCALAR && !node->is_quoted && node->text[0] == '\0';
}

static unsigned line_of(const yaml_mark_t *mark)
{
    return (unsigned)mark->line + 1;
}

/* Index of a fresh node, 0 when out of memory. */
static uint32_t new_node(struct builder *b, enum tree_kind kind, unsigned line)
{
    struct tree *tree = b->tree;
    uint32_t index = tree->count == 0 ? 1 : tree->count;
    if (index == 1 || (index & (index - 1)) == 0) {
        struct tree_node *grown = realloc(tree->node, 2 * (size_t)index * sizeof(*grown));
        if (grown == NULL) {
            diag_add(b->why, line, "out of memory; the file is too large for this machine");
            b->is_hopeless = true;
            return 0;
        }
        tree->node = grown;
    }
    tree->node[index] = (struct tree_node){.kind = kind, .line = line, .key_line = line};
    tree->count = index + 1;
    return index;
}

/* Hangs a node under the open list or map; the first one is the root. */
static void attach(struct builder *b, uint32_t index)
{
    if (b->depth == 0) {
        return;
    }
    struct open_node *parent = &b->open[b->depth - 1];
    struct tree_node *node = &b->tree->node[index];
    if (parent->key != NULL) {
        node->key = parent->key;
        node->key_line = parent->key_line;
        parent->key = NULL;
    }
    if (parent->last_child == 0) {
        b->tree->node[parent->index].child = index;
    } else {
        b->tree->node[parent->last_child].next = index;
    }
    parent->last_child = index;
}

static bool expects_key(const struct builder *b)
{
    return b->depth > 0 && b->open[b->depth - 1].key == NULL &&
           b->tree->node[b->open[b->depth - 1].index].kind == TREE_MAP;
}

/* Anchors and tags change what a file means in ways that are easy to overlook. */
static void refuse_decoration(struct builder *b, const yaml_char_t *anchor, const yaml_char_t *tag,
                              unsigned line)
{
    char quoted[TREE_QUOTE_BYTES];
    if (anchor != NULL) {
        diag_add(b->why, line, "the anchor `&%s` is not allowed here; remove it",
                 tree_quote((const char *)anchor, quoted));
    }
    if (tag != NULL) {
        static const char standard[] = "tag:yaml.org,2002:"; /* what `!!` stands for */
        const char *name = (const char *)tag;
        bool is_standard = strncmp(name, standard, sizeof(standard) - 1) == 0;
        name += is_standard ? sizeof(standard) - 1 : 0;
        diag_add(b->why, line, "the tag `%s%s` is not allowed here; remove it",
                 is_standard ? "!!" : "", tree_quote(name, quoted));
    }
}

static void add_container(struct builder *b, enum tree_kind kind, unsigned line)
{
    if (expects_key(b)) {
        diag_add(b->why, line, "a list or map stands where a key is due; write `key: value`");
        b->is_hopeless = true;
        return;
    }
    if (b->depth == SCHEMA_DEPTH_MAX) {
        diag_add(b->why, line, "nested deeper than %d levels; flatten the file", SCHEMA_DEPTH_MAX);
        b->is_hopeless = true;
        return;
    }
    uint32_t index = new_node(b, kind, line);
    if (index > 0) {
        attach(b, index);
        b->open[b->depth++] = (struct open_node){.index = index};
    }
}

static void add_scalar(struct builder *b, const yaml_event_t *event, unsigned line)
{
    const char *value = (const char *)event->data.scalar.value;
    bool has_nul = strlen(value) != event->data.scalar.length;
    if (has_nul) {
        diag_add(b->why, line, "a text holds a NUL character; remove it");
    }
    char *text = strdup(value);
    if (text == NULL) {
        diag_add(b->why, line, "out of memory; the file is too large for this machine");
        b->is_hopeless = true;
        return;
    }
    if (expects_key(b)) {
        b->open[b->depth - 1].key = text;
        b->open[b->depth - 1].key_line = line;
        return;
    }
    uint32_t index = new_node(b, has_nul ? TREE_REFUSED : TREE_SCALAR, line);
    if (index == 0) {
        free(text);
        return;
    }
    b->tree->node[index].text = text;
    b->tree->node[index].is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    attach(b, index);
}

static void add_alias(struct builder *b, const yaml_event_t *event, unsigned line)
{
    char quoted[TREE_QUOTE_BYTES];
    diag_add(b->why, line, "the alias `*%s` is not allowed here; write the value out",
             tree_quote((const char *)event->data.alias.anchor, quoted));
    if (expects_key(b)) {
        b->is_hopeless = true;
        return;
    }
    uint32_t index = new_node(b, TREE_REFUSED, line);
    if (index > 0) {
        attach(b, index);
    }
}

static void add_event(struct builder *b, const yaml_event_t *event)
{
    unsigned line = line_of(&event->start_mark);
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        refuse_decoration(b, event->data.scalar.anchor, event->data.scalar.tag, line);
        add_scalar(b, event, line);
        break;
    case YAML_SEQUENCE_START_EVENT:
        refuse_decoration(b, event->data.sequence_start.anchor, event->data.sequence_start.tag,
                          line);
        add_container(b, TREE_LIST, line);
        break;
    case YAML_MAPPING_START_EVENT:
        refuse_decoration(b, event->data.mapping_start.anchor, event->data.mapping_start.tag, line);
        add_container(b, TREE_MAP, line);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        break;
    case YAML_ALIAS_EVENT:
        add_alias(b, event, line);
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (b->tree->count > 0) {
            diag_add(b->why, line, "a second document begins here; keep one per file");
            b->is_hopeless = true;
        }
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

/* libyaml's commonest complaints, in words that say what to do. */
static const struct {
    const char *problem;
    const char *sentence;
    bool is_at_opening; /* the line to mend is where the quote or bracket was opened */
} plain_words[] = {
    {"mapping values are not allowed in this context",
     "a `: ` stands where none can be; mend the indentation, or put the value in quotes", false},
    {"could not find expected ':'", "this is not `key: value`; add the colon and a blank after it",
     false},
    {"found character that cannot start any token",
     "a value cannot begin with `@`, `%` or a backtick; put it in quotes", false},
    {"found unexpected end of stream", "this quote is never closed; close it", true},
    {"did not find expected ',' or ']'", "this `[` is not closed; add the `]` or a comma", true},
    {"did not find expected ',' or '}'", "this `{` is not closed; add the `}` or a comma", true},
    {"did not find expected key", "this does not line up with the keys above; mend the indentation",
     false},
    {"did not find expected '-' indicator",
     "this does not line up with the elements above; mend the indentation", false},
};

static bool line_begins_with_tab(const char *text, size_t bytes, unsigned line)
{
    const char *at = text;
    const char *end = text + bytes;
    for (; line > 1 && at != NULL; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at == NULL ? NULL : at + 1;
    }
    while (at != NULL && at < end && *at == ' ') {
        at++;
    }
    return at != NULL && at < end && *at == '\t';
}

static void complain_about_syntax(struct diag *why, const yaml_parser_t *parser, const char *text,
                                  size_t bytes)
{
    unsigned line = line_of(&parser->problem_mark);
    const char *problem = parser->problem == NULL ? "it cannot be read" : parser->problem;
    if (line_begins_with_tab(text, bytes, line)) {
        diag_add(why, line, "a tab indents this line; indent with spaces");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(plain_words); i++) {
        if (strcmp(problem, plain_words[i].problem) == 0) {
            diag_add(why, plain_words[i].is_at_opening ? line_of(&parser->context_mark) : line,
                     "%s", plain_words[i].sentence);
            return;
        }
    }
    diag_add(why, line, "not valid YAML: %s; check indentation, brackets and quotes here and above",
             problem);
}

/* One sentence about the first byte that no text file has, before libyaml stumbles over it. */
static bool is_text(const char *text, size_t bytes, struct diag *why)
{
    unsigned line = 1;
    for (size_t at = 0; at < bytes;) {
        uint32_t code;
        size_t length = utf8_decode(text + at, bytes - at, &code);
        bool is_blank = length == 1 && (code == '\n' || code == '\r' || code == '\t');
        if (!is_blank && (length == 0 || !utf8_is_printable(code))) {
            diag_add(why, line, "byte 0x%02x is not text; the file must be plain UTF-8",
                     (unsigned)(unsigned char)text[at]);
            return false;
        }
        line += code == '\n';
        at += length;
    }
    return true;
}

static bool read_events(struct builder *b, yaml_parser_t *parser, const char *text, size_t bytes)
{
    for (bool is_done = false; !is_done && !b->is_hopeless;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            complain_about_syntax(b->why, parser, text, bytes);
            return false;
        }
        add_event(b, &event);
        is_done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return !b->is_hopeless;
}

bool tree_parse(const char *text, size_t bytes, struct tree *out, struct diag *why)
{
    *out = (struct tree){0};
    if (bytes > SCHEMA_FILE_BYTES_MAX) {
        diag_add(why, 0, "the file has more than %d MiB; split the run into smaller ones",
                 SCHEMA_FILE_BYTES_MAX >> 20);
        return false;
    }
    yaml_parser_t parser;
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* a byte order mark, as editors elsewhere put it */
        bytes -= 3;
    }
    if (!is_text(text, bytes, why)) {
        return false;
    }
    if (!yaml_parser_initialize(&parser)) {
        diag_add(why, 0, "out of memory; the file is too large for this machine");
        return false;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    struct builder b = {.tree = out, .why = why};
    bool is_read = read_events(&b, &parser, text, bytes);
    yaml_parser_delete(&parser);
    for (unsigned i = 0; i < ARRAY_LEN(b.open); i++) {
        free(b.open[i].key);
    }
    return is_read;
}

void tree_free(struct tree *tree)
{
    for (uint32_t i = 1; i < tree->count; i++) {
        free(tree->node[i].key);
        free(tree->node[i].text);
    }
    free(tree->node);
    *tree = (struct tree){0};
}
