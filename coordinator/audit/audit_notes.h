/* SPDX-License-Identifier: MIT */
/*
 * What an audit has to say: differences, one line each, and what could not be compared, which
 * is never taken for equal. Pure. A zeroed one is valid and empty; audit_notes_fini() it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"

enum { AUDIT_NOTE_BYTES = 640, AUDIT_NOTES_MAX = 1000 };

enum audit_note_kind {
    AUDIT_DIFFERS,
    AUDIT_NOT_COMPARED, /* known to be missing: an agent was lost */
    AUDIT_REMARK        /* what a reader should know, and no difference */
};

struct audit_note {
    enum audit_note_kind kind;
    char text[AUDIT_NOTE_BYTES]; /* one line, printable, no newline */
};

struct audit_notes {
    struct audit_note *note;
    size_t count, capacity;
    uint64_t differences; /* all of them, also those beyond AUDIT_NOTES_MAX */
    bool is_out_of_memory;
};

void audit_note(struct audit_notes *notes, enum audit_note_kind kind, const char *format, ...)
    PRINTF_LIKE(3, 4);
#define audit_differs(notes, ...) audit_note(notes, AUDIT_DIFFERS, __VA_ARGS__)

/* A and B of one thing; a line when they differ. True: they are equal. */
bool audit_equal(struct audit_notes *notes, uint64_t a, uint64_t b, const char *a_is,
                 const char *b_is, const char *format, ...) PRINTF_LIKE(6, 7);

void audit_notes_fini(struct audit_notes *notes);
