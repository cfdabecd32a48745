/* SPDX-License-Identifier: MIT */
#include "coordinator/truth/sparse_bitmap.h"

#include <stdlib.h>

enum { PAGES = 65536, WORDS_PER_PAGE = 65536 / 64 };

bool sparse_bitmap_add(struct sparse_bitmap *set, uint32_t member)
{
    if (set->pages == NULL) {
        set->pages = calloc(PAGES, sizeof(*set->pages));
        if (set->pages == NULL) {
            return false;
        }
    }
    uint64_t **page = &set->pages[member >> 16];
    if (*page == NULL) {
        *page = calloc(WORDS_PER_PAGE, sizeof(**page));
        if (*page == NULL) {
            return false;
        }
    }
    uint64_t *word = &(*page)[(member & 0xffff) / 64];
    uint64_t bit = UINT64_C(1) << (member % 64);
    set->count += (*word & bit) == 0;
    *word |= bit;
    return true;
}

bool sparse_bitmap_has(const struct sparse_bitmap *set, uint32_t member)
{
    if (set->pages == NULL || set->pages[member >> 16] == NULL) {
        return false;
    }
    return (set->pages[member >> 16][(member & 0xffff) / 64] >> (member % 64) & 1) != 0;
}

void sparse_bitmap_fini(struct sparse_bitmap *set)
{
    for (unsigned i = 0; set->pages != NULL && i < PAGES; i++) {
        free(set->pages[i]);
    }
    free(set->pages);
    *set = (struct sparse_bitmap){0};
}
