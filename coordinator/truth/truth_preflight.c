/* SPDX-License-Identifier: MIT */
/* What preflight has checked, as the report lists it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/truth/truth_parts.h"
#include "coordinator/truth/truth_state.h"

enum { CHECKS_MAX = 256 }; /* a journal that was tampered with may name any number */

void truth_preflight_check(struct truth *t, const struct result_preflight_check *check)
{
    if (t->preflight_check_count == CHECKS_MAX) {
        return;
    }
    size_t size = (t->preflight_check_count + 1) * sizeof(*t->preflight_checks);
    struct result_preflight_check *grown = realloc(t->preflight_checks, size);
    if (grown == NULL) {
        t->is_out_of_memory = true;
        return;
    }
    t->preflight_checks = grown;
    grown[t->preflight_check_count++] = *check;
}

bool truth_fill_preflight_checks(const struct truth *t, struct result *out)
{
    size_t count = t->preflight_check_count;
    out->preflight.checks = calloc(count + 1, sizeof(*out->preflight.checks));
    if (out->preflight.checks == NULL) {
        return false;
    }
    out->preflight.check_count = count;
    if (count > 0) {
        memcpy(out->preflight.checks, t->preflight_checks, count * sizeof(*t->preflight_checks));
    }
    return true;
}
