/* SPDX-License-Identifier: MIT */
#include "coordinator/plan/plan_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 8192, PARAGRAPH_BYTES = 2048 };

struct plan_text plan_text_in(char *out, size_t size)
{
    assert(size > 0);
    out[0] = '\0';
    return (struct plan_text){.out = out, .size = size};
}

/* Room for `bytes` more and the NUL. */
static bool grow(struct plan_text *t, size_t bytes)
{
    if (t->used + bytes < t->size) {
        return true;
    }
    size_t size = 2 * (t->used + bytes) + FIRST_BYTES;
    char *grown = realloc(t->out, size);
    if (grown == NULL) {
        t->has_failed = true;
        return false;
    }
    t->out = grown;
    t->size = size;
    return true;
}

void plan_text_say(struct plan_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    bool has_room = t->is_heap ? !t->has_failed && grow(t, (size_t)length) : t->used + 1 < t->size;
    if (has_room) {
        (void)vsnprintf(t->out + t->used, t->size - t->used, format, again);
        t->used += (size_t)length;
        t->used = t->used < t->size ? t->used : t->size - 1;
    }
    va_end(again);
}

/* Where to cut `text` so that at most `columns` bytes stand on the line; its length if it fits. */
static size_t cut_of(const char *text, size_t columns)
{
    size_t length = strlen(text), cut = columns;
    if (length <= columns) {
        return length;
    }
    while (cut > 0 && text[cut] != ' ') {
        cut--;
    }
    return cut > 0 ? cut : strcspn(text, " "); /* a word that is too long stays whole */
}

void plan_text_wrap(struct plan_text *t, const char *first, const char *format, ...)
{
    char text[PARAGRAPH_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    int indent = (int)strlen(first);
    const char *rest = text;
    do {
        size_t cut = cut_of(rest, PLAN_TEXT_COLUMNS - (size_t)indent);
        if (rest == text) {
            plan_text_say(t, "%s%.*s\n", first, (int)cut, rest);
        } else {
            plan_text_say(t, "%*s%.*s\n", indent, "", (int)cut, rest);
        }
        rest += cut + (rest[cut] == ' ');
    } while (*rest != '\0');
}

char *plan_text_take(struct plan_text *t)
{
    assert(t->is_heap);
    plan_text_say(t, "%s", "");
    if (t->has_failed) {
        free(t->out);
        t->out = NULL;
    }
    return t->out;
}

const char *plan_span_text(uint64_t ns, char out[SPAN_TEXT_BYTES])
{
    static const struct {
        uint64_t ns;
        const char *unit;
    } units[] = {{86400 * NS_PER_S, "d"}, {3600 * NS_PER_S, "h"}, {60 * NS_PER_S, "min"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (ns >= 2 * units[i].ns && ns % units[i].ns == 0) {
            (void)snprintf(out, SPAN_TEXT_BYTES, "%" PRIu64 " %s", ns / units[i].ns, units[i].unit);
            return out;
        }
    }
    (void)snprintf(out, SPAN_TEXT_BYTES, "%.10g s", (double)ns / (double)NS_PER_S);
    return out;
}

const char *plan_count_text(double count, char out[COUNT_TEXT_BYTES])
{
    char digits[COUNT_TEXT_BYTES];
    int length = snprintf(digits, sizeof(digits), "%.0f", count);
    int used = 0;
    for (int i = 0; i < length && used < COUNT_TEXT_BYTES - 2; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[used++] = ',';
        }
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}
