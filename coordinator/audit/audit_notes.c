/* SPDX-License-Identifier: MIT */
#include "coordinator/audit/audit_notes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

/* Names and texts come from files that anybody may have written. */
static void make_harmless(char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size;) {
        uint32_t code;
        size_t length = utf8_decode(text + i, size - i, &code);
        bool can_show = length > 0 && utf8_is_printable(code);
        length = length > 0 ? length : 1;
        if (!can_show) {
            memset(text + i, '?', length);
        }
        i += length;
    }
}

static struct audit_note *make_room(struct audit_notes *notes)
{
    if (notes->count == notes->capacity) {
        size_t capacity = notes->capacity == 0 ? 16 : 2 * notes->capacity;
        struct audit_note *grown = realloc(notes->note, capacity * sizeof(*grown));
        if (grown == NULL) {
            notes->is_out_of_memory = true;
            return NULL;
        }
        notes->note = grown;
        notes->capacity = capacity;
    }
    return &notes->note[notes->count++];
}

void audit_note(struct audit_notes *notes, enum audit_note_kind kind, const char *format, ...)
{
    notes->differences += kind == AUDIT_DIFFERS;
    struct audit_note *note = notes->count < AUDIT_NOTES_MAX ? make_room(notes) : NULL;
    if (note == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(note->text, sizeof(note->text), format, arguments);
    va_end(arguments);
    note->kind = kind;
    make_harmless(note->text);
}

bool audit_equal(struct audit_notes *notes, uint64_t a, uint64_t b, const char *a_is,
                 const char *b_is, const char *format, ...)
{
    if (a == b) {
        return true;
    }
    char what[AUDIT_NOTE_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    audit_differs(notes, "%s: %" PRIu64 " %s, %" PRIu64 " %s", what, a, a_is, b, b_is);
    return false;
}

void audit_notes_fini(struct audit_notes *notes)
{
    free(notes->note);
    *notes = (struct audit_notes){0};
}
