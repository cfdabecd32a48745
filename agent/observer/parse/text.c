/* SPDX-License-Identifier: MIT */
#include "agent/observer/parse/text.h"

#include <string.h>

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* 16 and more: none. */
static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return (unsigned)(c - 'a') + 10;
    }
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

bool text_take_number(const char **at, unsigned base, uint64_t *out)
{
    const char *c = skip_blanks(*at);
    if (digit_of(*c) >= base) {
        return false;
    }
    uint64_t value = 0;
    for (; digit_of(*c) < base; c++) {
        unsigned digit = digit_of(*c);
        if (value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    if (strchr(" \t\n", *c) == NULL) { /* finds the end of the text, too */
        return false;
    }
    *at = c;
    *out = value;
    return true;
}

bool text_skip_word(const char **at)
{
    const char *word = skip_blanks(*at);
    size_t size = strcspn(word, " \t\n");
    if (size == 0) {
        return false;
    }
    *at = word + size;
    return true;
}

const char *text_next_line(const char *at)
{
    const char *end = strchr(at, '\n');
    return end == NULL || end[1] == '\0' ? NULL : end + 1;
}

bool text_named_number(const char *text, const char *name, uint64_t *out)
{
    size_t size = strlen(name);
    for (const char *line = text; line != NULL; line = text_next_line(line)) {
        if (strncmp(line, name, size) == 0 && line[size] == ':') {
            const char *at = line + size + 1;
            return text_take_number(&at, 10, out);
        }
    }
    return false;
}
