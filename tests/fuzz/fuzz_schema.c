/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a file of the sample table: refused with a complaint, or parsed,
 * printed and parsed again to the same text.
 */
#include "common/schema.h"
#include "tests/support/sample_schema.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct diag why;
    struct sample parsed = {0};
    diag_init(&why, "fuzz.yaml");
    bool is_good = schema_parse(sample_rows, (const char *)data, size, &parsed, &why);
    assert(is_good == diag_is_clean(&why));
    if (!is_good) {
        static char out[DIAG_ITEMS_MAX * DIAG_TEXT_BYTES];
        assert(diag_print(&why, out, sizeof(out)) > 0);
        assert(parsed.relays.items == NULL && parsed.servers.items == NULL);
        return 0;
    }
    char *text = schema_print(sample_rows, &parsed);
    struct sample again = {0};
    if (text == NULL || !schema_parse(sample_rows, text, strlen(text), &again, &why)) {
        abort();
    }
    char *same = schema_print(sample_rows, &again);
    assert(same != NULL && strcmp(text, same) == 0);
    free(text);
    free(same);
    schema_free(sample_rows, &again);
    schema_free(sample_rows, &parsed);
    return 0;
}
