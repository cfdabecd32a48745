/* SPDX-License-Identifier: MIT */
/* compare_read(): whatever it accepts can be compared with itself, and told. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void tell(const struct compare_result *r)
{
    char text[16384];
    FILE *out = fmemopen(text, sizeof(text), "w");
    demand(out != NULL);
    demand(compare_write_text(r, "a", "b", out) == 0);
    demand(compare_write_json(r, "a", "b", out) == 0);
    (void)fclose(out);
    demand(strstr(text, "nan") == NULL && strstr(text, "inf") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct compare_run run;
    struct compare_result result;
    char why[COMPARE_WHY_BYTES] = "";
    if (!compare_read((const char *)data, size, &run, why)) {
        demand(why[0] != '\0' && strlen(why) < sizeof(why));
        return 0;
    }
    demand(compare_is_alike(&run, &run, why));
    compare_decide(&run, 1, &run, 1, 1, &result);
    demand(!result.is_worse);
    tell(&result);
    return 0;
}
