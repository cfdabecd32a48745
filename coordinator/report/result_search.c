/* SPDX-License-Identifier: MIT */
#include "coordinator/report/result_search.h"

#include <assert.h>
#include <stdlib.h>

const char *search_flag_name(enum search_flag flag)
{
    static const char *const names[SEARCH_FLAG_COUNT] = {
        [SEARCH_GOOD] = "good", [SEARCH_BAD] = "bad", [SEARCH_INVALID] = "invalid"};
    assert((unsigned)flag < SEARCH_FLAG_COUNT);
    return names[flag];
}

const char *search_limit_name(enum search_limit limit)
{
    static const char *const names[SEARCH_LIMIT_COUNT] = {
        [SEARCH_LIMIT_SERVER] = "server",       [SEARCH_LIMIT_TESTER] = "tester",
        [SEARCH_LIMIT_BELOW_LOW] = "below-low", [SEARCH_LIMIT_ABOVE_HIGH] = "above-high",
        [SEARCH_LIMIT_CUT_OFF] = "cut-off",
    };
    assert((unsigned)limit < SEARCH_LIMIT_COUNT);
    return names[limit];
}

void result_search_free(struct result_search *search)
{
    for (size_t i = 0; i < search->repeat_count; i++) {
        free(search->repeats[i].steps);
    }
    free(search->repeats);
    *search = (struct result_search){0};
}
