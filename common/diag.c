/* SPDX-License-Identifier: MIT */
#include "common/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void diag_init(struct diag *d, const char *file)
{
    d->count = 0;
    (void)snprintf(d->file, sizeof(d->file), "%s", file);
}

void diag_add(struct diag *d, unsigned line, const char *format, ...)
{
    if (d->count < DIAG_ITEMS_MAX) {
        struct diag_item *item = &d->item[d->count];
        va_list args;
        va_start(args, format);
        (void)vsnprintf(item->text, sizeof(item->text), format, args);
        va_end(args);
        item->line = line;
    }
    d->count++;
}

bool diag_is_clean(const struct diag *d)
{
    return d->count == 0;
}

/* Positions of the kept items by line; those of one line stay in the order they came. */
static size_t sort_items(const struct diag *d, size_t order[DIAG_ITEMS_MAX])
{
    size_t kept = d->count < DIAG_ITEMS_MAX ? d->count : DIAG_ITEMS_MAX;
    for (size_t i = 0; i < kept; i++) {
        size_t at = i;
        for (; at > 0 && d->item[order[at - 1]].line > d->item[i].line; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    return kept;
}

size_t diag_print(const struct diag *d, char *out, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t order[DIAG_ITEMS_MAX];
    size_t kept = sort_items(d, order);
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i <= kept && at < size; i++) {
        int wrote;
        if (i < kept && d->item[order[i]].line > 0) {
            const struct diag_item *item = &d->item[order[i]];
            wrote = snprintf(out + at, size - at, "%s:%u: %s\n", d->file, item->line, item->text);
        } else if (i < kept) {
            wrote = snprintf(out + at, size - at, "%s: %s\n", d->file, d->item[order[i]].text);
        } else if (d->count > kept) {
            wrote = snprintf(out + at, size - at, "%s: and %zu more; mend these first\n", d->file,
                             d->count - kept);
        } else {
            break;
        }
        at += wrote < 0 ? 0 : (size_t)wrote;
    }
    return at < size ? at : size - 1;
}
