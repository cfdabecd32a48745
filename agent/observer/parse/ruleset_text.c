/* SPDX-License-Identifier: MIT */
/* A rule's words, from `nft -a list ruleset`: ruleset_model.h. */
#include <stdio.h>
#include <string.h>

#include "agent/observer/parse/ruleset_model.h"

struct line {
    const char *at;
    size_t size;
};

static struct line trimmed(struct line l)
{
    while (l.size > 0 && (l.at[0] == ' ' || l.at[0] == '\t')) {
        l.at++;
        l.size--;
    }
    return l;
}

static bool begins_with(struct line l, const char *words)
{
    size_t size = strlen(words);
    return l.size >= size && memcmp(l.at, words, size) == 0;
}

/* "... # handle 17": cuts that off. */
static bool take_handle(struct line *l, uint64_t *out)
{
    static const char mark[] = " # handle ";
    enum { MARK_BYTES = sizeof(mark) - 1, DIGITS_MAX = 18 };
    size_t digits = 0;
    uint64_t handle = 0, weight = 1;
    while (digits < l->size && digits < DIGITS_MAX) {
        char c = l->at[l->size - digits - 1];
        if (c < '0' || c > '9') {
            break;
        }
        handle += weight * (uint64_t)(c - '0');
        weight *= 10;
        digits++;
    }
    size_t tail = MARK_BYTES + digits;
    if (digits == 0 || l->size < tail || memcmp(l->at + l->size - tail, mark, MARK_BYTES) != 0) {
        return false;
    }
    l->size -= tail;
    *out = handle;
    return true;
}

bool ruleset_words(const char *text, size_t size, const struct chain *chain, uint64_t handle,
                   char out[RULESET_WORDS_BYTES])
{
    char table[2 * RULESET_NAME_BYTES], name[RULESET_NAME_BYTES + 16];
    (void)snprintf(table, sizeof(table), "table %s %s {", chain->family, chain->table);
    (void)snprintf(name, sizeof(name), "chain %s {", chain->name);
    bool in_table = false, in_chain = false;
    const char *end = text == NULL ? NULL : text + size;
    for (const char *at = text; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        struct line l = trimmed((struct line){at, (size_t)(stop - at)});
        uint64_t found = 0;
        at = stop < end ? stop + 1 : end;
        if (begins_with(l, "table ")) {
            in_table = begins_with(l, table);
        } else if (begins_with(l, "chain ")) {
            in_chain = begins_with(l, name);
        } else if (in_table && in_chain && take_handle(&l, &found) && found == handle) {
            size_t words = l.size < RULESET_WORDS_BYTES ? l.size : RULESET_WORDS_BYTES - 1;
            memcpy(out, l.at, words);
            out[words] = '\0';
            return true;
        }
    }
    return false;
}
